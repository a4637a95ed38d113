/**
 * A layer is what one source (defaults, file, environment, flags) said, each value with the place where it was said.
 * Invariant: nothing is lost on the way: what cannot be taken into the layer is among its problems.
 */
import { STRUCTURED, TABLES } from './kinds.ts'
import { nearest } from './nearest.ts'
import type { Setting, SettingKey } from './table.ts'
import { environmentName, flagName, SETTINGS } from './table.ts'

/** What a source said of one setting. */
export interface Said {
  /** As it was said: text, or what stands in the file. */
  readonly raw: unknown
  /** `default`, `FILE:LINE`, an environment variable or a flag. */
  readonly origin: string
}

export interface Problem {
  /** Where it was said, as in `Said`. */
  readonly origin: string
  /** The setting, or what was taken for one; empty when the source as a whole is meant. */
  readonly setting: string
  /** The rest of the sentence. */
  readonly text: string
}

export interface Layer {
  readonly said: ReadonlyMap<SettingKey, Said>
  readonly problems: readonly Problem[]
}

/** What somebody typed for a setting, in a shell. */
interface Typed {
  readonly setting: Setting
  readonly text: string
  readonly origin: string
}

/** What every setting is when nothing else is said; `own` are the defaults of one command. */
export function defaultLayer(own: ReadonlyMap<SettingKey, Said> = new Map()): Layer {
  const said = new Map<SettingKey, Said>()
  for (const { key, fallback } of SETTINGS) said.set(key, { raw: fallback, origin: 'default' })
  for (const [key, value] of own) said.set(key, value)
  return { said, problems: [] }
}

/** `SAPWOOD_SECTION_NAME` for each setting. A variable that is empty says nothing. */
export function environmentLayer(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Layer> {
  const typed: Typed[] = []
  for (const setting of SETTINGS) {
    const origin = environmentName(setting.key)
    const text = env[origin]
    if (text) typed.push({ setting, text, origin })
  }
  return typedLayer(typed)
}

/** Variables of ours that are no settings. */
const OTHER_VARIABLES = ['CONFIG', 'DEBUG', 'KEY', 'TOKEN', 'URL'].map((name) => `SAPWOOD_${name}`)

/**
 * What looks like a misspelt variable, each as a sentence. It is told and does no harm: whoever runs the process may
 * set variables that only look like ours (Kubernetes does, for a service called sapwood).
 * @example strayVariables({ SAPWOOD_POL_HOLD: '1s' })
 * // ['SAPWOOD_POL_HOLD is no setting; did you mean SAPWOOD_POLL_HOLD?']
 */
export function strayVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const known = [...SETTINGS.map(({ key }) => environmentName(key)), ...OTHER_VARIABLES]
  return Object.keys(env)
    .filter((name) => name.startsWith('SAPWOOD_') && !known.includes(name))
    .flatMap((name) => {
      const meant = nearest(name, known)
      return meant === undefined ? [] : [`${name} is no setting; did you mean ${meant}?`]
    })
}

/**
 * The flags that settings have of their own: their texts by flag (`--host`), a list where one may be repeated.
 * @param keys the settings that the flags may be for.
 */
export function flagLayer(flags: ReadonlyMap<string, unknown>, keys: readonly SettingKey[]): Layer {
  const said = new Map<SettingKey, Said>()
  for (const { key, flag } of SETTINGS) {
    if (flag === undefined || !keys.includes(key)) continue
    const origin = flagName(flag)
    const raw = flags.get(origin)
    if (raw !== undefined) said.set(key, { raw, origin })
  }
  return { said, problems: [] }
}

/**
 * The `--set section.name=value` flags.
 * @example await assignmentLayer(['poll.hold=5s'])
 */
export async function assignmentLayer(assignments: readonly string[]): Promise<Layer> {
  const typed: Typed[] = []
  const problems: Problem[] = []
  for (const assignment of assignments) {
    const equals = assignment.indexOf('=')
    const key = equals < 0 ? assignment : assignment.slice(0, equals)
    const setting = SETTINGS.find((row) => row.key === key)
    if (setting === undefined) {
      const meant = nearest(
        key,
        SETTINGS.map((row) => row.key),
      )
      const text = `is no setting${meant === undefined ? '' : `; did you mean ${meant}?`}`
      problems.push({ origin: '--set', setting: key, text })
    } else if (equals < 0) {
      problems.push({ origin: '--set', setting: key, text: `has no value; write ${key}=…` })
    } else {
      typed.push({ setting, text: assignment.slice(equals + 1), origin: '--set' })
    }
  }
  const layer = await typedLayer(typed)
  return { said: layer.said, problems: [...problems, ...layer.problems] }
}

async function typedLayer(typed: readonly Typed[]): Promise<Layer> {
  const said = new Map<SettingKey, Said>()
  const problems: Problem[] = []
  for (const { setting, text, origin } of typed) {
    const { key, kind } = setting
    if (!STRUCTURED.has(kind)) {
      said.set(key, { raw: text, origin })
      continue
    }
    const faults = await rowFaults(key, text)
    for (const fault of faults) problems.push({ origin, setting: key, text: fault })
    if (faults.length === 0) said.set(key, { raw: JSON.parse(text), origin })
  }
  return { said, problems }
}

/** Tables and objects are typed as JSON, and have to have the shape that a file would have. */
async function rowFaults(key: SettingKey, text: string): Promise<readonly string[]> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const isList = TABLES.has(SETTINGS.find((setting) => setting.key === key)?.kind ?? 'text')
    return [`must be a JSON ${isList ? 'array of objects' : 'object'} here`]
  }
  const { shapeFaults } = await import('./shape.ts')
  const [section = '', name = ''] = key.split('.')
  return shapeFaults({ [section]: { [name]: value } }).map((fault) => {
    const inside = fault.path.slice(2).join('.')
    return inside === '' ? fault.text : `${inside} ${fault.text}`
  })
}
