/**
 * Settings as text that is a settings file again, each line with the origin of its value: what `config show` prints.
 * Invariant: no secret is in it.
 */
import { formatDuration, formatSize } from '@sapwood/wire'
import type { Settings } from './settings.ts'
import type { Setting } from './table.ts'
import { SETTINGS } from './table.ts'
import { tomlText } from './toml-text.ts'

const MASK = '********'

/** One shown setting: its value as it could stand in the file. */
export interface Shown {
  readonly value: unknown
  readonly origin: string
}

/** Every setting by key, in the order of the table. */
export function shownSettings(settings: Settings): ReadonlyMap<string, Shown> {
  return new Map(
    SETTINGS.map((setting) => {
      const origin = settings.said.get(setting.key)?.origin ?? 'default'
      return [setting.key, { value: shown(setting, settings), origin }]
    }),
  )
}

/** @example 'poll.hold = "10s"   # sapwood.toml:7' */
export function settingsText(settings: Settings): string {
  const lines = [...shownSettings(settings)].map(([key, { value, origin }]) => ({
    text: `${key} = ${tomlText(value)}`,
    origin,
  }))
  // short lines align; a long list just pushes its own origin to the right
  const width = Math.max(...lines.map(({ text }) => (text.length > 50 ? 0 : text.length)))
  return lines.map(({ text, origin }) => `${text.padEnd(width)}   # ${origin}\n`).join('')
}

function shown(setting: Setting, { values, said }: Settings): unknown {
  const value = values[setting.key]
  if (setting.secret === true && Array.isArray(value)) return value.map(() => MASK)
  if (value === '' && setting.none === true) return 'none'
  if (setting.secret === true) return MASK
  if (setting.kind === 'sniff') {
    const { bytes, timeout } = values['edge.sniff']
    return { bytes, timeout: formatDuration(timeout) }
  }
  if (typeof value !== 'number' || setting.kind === 'integer') return value
  const raw = said.get(setting.key)?.raw
  if (typeof raw === 'string') return raw
  return setting.kind === 'duration' ? formatDuration(value) : formatSize(value)
}
