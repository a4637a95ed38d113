/**
 * The settings of one run: defaults < file < environment < flags, read, checked, each value with its origin.
 * Invariant: either every setting is there and fits the others, or one error tells everything that is wrong.
 */
import type { SapwoodError } from '@sapwood/core'
import { isAnchored } from '@sapwood/wire'
import { failure } from '../failure.ts'
import type { Layer, Problem, Said } from './layer.ts'
import {
  assignmentLayer,
  defaultLayer,
  environmentLayer,
  flagLayer,
  strayVariables,
} from './layer.ts'
import { readValue } from './read-value.ts'
import type { SettingKey, Values } from './table.ts'
import { keysOf, SETTINGS } from './table.ts'

export interface SettingSources {
  /** Defaults of the command that differ from the table's. */
  readonly own?: ReadonlyMap<SettingKey, Said>
  readonly file?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** By flag, e.g. `--host`. */
  readonly flags?: ReadonlyMap<string, unknown>
  /** The settings that the flags may be for: those of `[hub]` by default. */
  readonly flagKeys?: readonly SettingKey[]
  /** `section.name=value`, from `--set`. */
  readonly assignments?: readonly string[]
}

export interface Warning {
  readonly code: 'SETTING_UNKNOWN' | 'PATTERN_UNANCHORED'
  readonly text: string
}

export interface Settings {
  readonly values: Values
  /** What was said last of each setting, and where. */
  readonly said: ReadonlyMap<SettingKey, Said>
  /** What is odd and does no harm, a sentence each. */
  readonly warnings: readonly Warning[]
}

/**
 * @throws SapwoodError `CONFIG_INVALID` with every problem, `CONFIG_UNREADABLE` for the file.
 * @example
 * const { values } = await readSettings({ env: process.env, file: 'sapwood.toml' })
 * values['poll.hold'] // 30000
 */
export async function readSettings(sources: SettingSources): Promise<Settings> {
  const { file } = sources
  const layers: readonly Layer[] = [
    defaultLayer(sources.own),
    ...(file === undefined ? [] : [await (await import('./settings-file.ts')).fileLayer(file)]),
    await environmentLayer(sources.env),
    flagLayer(sources.flags ?? new Map(), sources.flagKeys ?? keysOf('hub')),
    await assignmentLayer(sources.assignments ?? []),
  ]
  const said = new Map(layers.flatMap((layer) => [...layer.said]))
  const problems = layers.flatMap((layer) => layer.problems)
  const read: Record<string, unknown> = {}
  for (const setting of SETTINGS) {
    const { raw, origin } = said.get(setting.key) as Said
    const reading = readValue(raw, setting)
    if ('value' in reading) read[setting.key] = reading.value
    else problems.push({ origin, setting: setting.key, text: reading.fault })
  }
  const values = read as Values
  const all = [...problems, ...conflicts(values, said)]
  if (all.length > 0) throw invalid(all)
  return { values, said, warnings: warningsOf(values, said, sources) }
}

function warningsOf(values: Values, said: Settings['said'], { env }: SettingSources): Warning[] {
  const stray = strayVariables(env).map((text) => ({ code: 'SETTING_UNKNOWN', text }) as const)
  const origin = said.get('edge.route')?.origin
  const loose = values['edge.route'].flatMap(({ when: { bytes } }, index) => {
    if (bytes === undefined || isAnchored(bytes)) return []
    const place = `${origin}: edge.route number ${index + 1}`
    const text = `${place}: bytes does not begin with ^, so it holds back the routes behind it up to the limit`
    return [{ code: 'PATTERN_UNANCHORED', text } as const]
  })
  return [...stray, ...loose]
}

/** History has to reach back as far as a session may come back from, and as a loss may stay unnoticed. */
const COVERED_BY_HISTORY = ['session.expire', 'heartbeat.interval', 'heartbeat.timeout'] as const

function conflicts(values: Values, said: ReadonlyMap<SettingKey, Said>): readonly Problem[] {
  const age = said.get('history.age') as Said
  const lasts = COVERED_BY_HISTORY.filter((key) => values[key] > values['history.age']).map(
    (key) => {
      const { raw, origin } = said.get(key) as Said
      const text = `${age.raw} is shorter than ${key} ${raw} (${origin}): who comes back would find a gap`
      return { origin: age.origin, setting: 'history.age', text }
    },
  )
  return [...lasts, ...tlsConflicts(values, said)]
}

function tlsConflicts(values: Values, said: Settings['said']): readonly Problem[] {
  const { 'hub.tls_cert': cert, 'hub.tls_key': key, 'hub.tls_ca': ca } = values
  const lone = (setting: SettingKey, other: SettingKey): Problem => {
    return { origin: said.get(setting)?.origin ?? '', setting, text: `needs ${other} beside it` }
  }
  if (cert && !key) return [lone('hub.tls_cert', 'hub.tls_key')]
  if (key && !cert) return [lone('hub.tls_key', 'hub.tls_cert')]
  return ca && !cert ? [lone('hub.tls_ca', 'hub.tls_cert')] : []
}

function invalid(problems: readonly Problem[]): SapwoodError {
  const lines = problems.map(({ origin, setting, text }) =>
    setting === '' ? `${origin}: ${text}` : `${origin}: ${setting} ${text}`,
  )
  const count =
    problems.length === 1 ? 'a setting is wrong' : `${problems.length} settings are wrong`
  return failure('CONFIG_INVALID', count, lines.join('\n  '))
}
