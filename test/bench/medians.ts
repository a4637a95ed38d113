/** Several runs of a row become one: the median of each figure. A run that failed makes the row fail. */
import type { Measured } from './measure.ts'

/** @param runs of one scenario; rows of the same peer and variant belong together. */
export function medians(runs: readonly Measured[]): Measured[] {
  const groups = new Map<string, Measured[]>()
  for (const row of runs) {
    const name = `${row.peer} ${row.variant}`
    groups.set(name, [...(groups.get(name) ?? []), row])
  }
  return [...groups.values()].map((rows) => {
    const failed = rows.find(({ error }) => error !== undefined)
    const first = failed ?? (rows[0] as Measured)
    const names = Object.keys(first.figures)
    const middle = (name: string): number => median(rows.map(({ figures }) => figures[name] ?? 0))
    return { ...first, figures: Object.fromEntries(names.map((name) => [name, middle(name)])) }
  })
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] as number
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] as number)) / 2
}
