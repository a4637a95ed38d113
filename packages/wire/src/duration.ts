/**
 * Durations and sizes as people write them: `250ms`, `30s`, `5m`, `1h`; `64kB`, `1MiB`. A bare number is
 * seconds, or bytes. One grammar for settings, flags and query parameters.
 */

const NUMBER_AND_UNIT = /^([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)$/

const MILLISECONDS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
}

const BYTES: Readonly<Record<string, number>> = {
  GiB: 2 ** 30,
  GB: 1e9,
  MiB: 2 ** 20,
  MB: 1e6,
  KiB: 1024,
  kiB: 1024,
  kB: 1_000,
  KB: 1_000,
  B: 1,
}

/** @returns whole milliseconds, or undefined if `text` is no duration. */
export function parseDuration(text: string): number | undefined {
  return parse(text, MILLISECONDS, 's')
}

/** @returns whole bytes, or undefined if `text` is no size. */
export function parseSize(text: string): number | undefined {
  return parse(text, BYTES, 'B')
}

/** The shortest exact form: `90s`, `5m`, `250ms`. `parseDuration` reads it back. */
export function formatDuration(milliseconds: number): string {
  return format(milliseconds, MILLISECONDS)
}

/** The shortest exact form: `1MiB`, `64kB`, `17B`. `parseSize` reads it back. */
export function formatSize(bytes: number): string {
  return format(bytes, BYTES)
}

function parse(
  text: string,
  units: Readonly<Record<string, number>>,
  usual: string,
): number | undefined {
  const found = NUMBER_AND_UNIT.exec(text)
  if (found === null) return undefined
  const unit = found[2] || usual
  if (!Object.hasOwn(units, unit)) return undefined
  const value = Math.round(Number(found[1]) * (units[unit] as number))
  return Number.isSafeInteger(value) ? value : undefined
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  if (value === 0) return '0'
  let shortest = String(value)
  let best = Number.POSITIVE_INFINITY
  for (const [unit, worth] of Object.entries(units)) {
    const count = value / worth
    if (!Number.isInteger(count) || count >= best) continue
    best = count
    shortest = `${count}${unit}`
  }
  return shortest
}
