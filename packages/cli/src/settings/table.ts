/**
 * Every setting, once. Defaults, names in the file, in the environment and on the command line, their static types,
 * `config init`, `config show` and the help texts all derive from these rows.
 * Invariant: a key is `section.name`, and its environment name is `SAPWOOD_SECTION_NAME`.
 */
import { EDGE_ROWS } from './edge-rows.ts'
import { HUB_ROWS } from './hub-rows.ts'
import type { Traits, ValueOfKind } from './kinds.ts'
import { PIPE_ROWS } from './pipe-rows.ts'
import type { Row } from './row.ts'

/** Of every process that serves. */
const PROCESS_ROWS = {
  'drain.limit': ['duration', '10s', 'how long a stop may take', { least: 0 }],
  'log.level': ['level', 'info', 'the least that is logged: debug, info, warn or error'],
  'log.updates': ['boolean', false, 'every update as a line `path; message` on stdout'],
} as const

type Rows = typeof HUB_ROWS & typeof EDGE_ROWS & typeof PIPE_ROWS & typeof PROCESS_ROWS

const ROWS: Readonly<Record<string, Row>> = {
  ...HUB_ROWS,
  ...EDGE_ROWS,
  ...PIPE_ROWS,
  ...PROCESS_ROWS,
}

/** `section.name` of every setting. */
export type SettingKey = keyof Rows

/** The checked values by key; durations in milliseconds, sizes in bytes. */
export type Values = { readonly [Key in SettingKey]: ValueOfKind[Rows[Key][0]] }

export interface Setting extends Traits {
  readonly key: SettingKey
  readonly flag?: string
  /** As it would stand in the file. */
  readonly fallback: Row[1]
  readonly help: string
}

export const SETTINGS: readonly Setting[] = Object.entries(ROWS).map(
  ([key, [kind, fallback, help, extras]]) => ({
    key: key as SettingKey,
    kind,
    fallback,
    help,
    ...extras,
  }),
)

/** What the sections of the file are about. */
export const SECTIONS: Readonly<Record<string, string>> = {
  hub: 'where the hub listens, and who may use it',
  http: 'calls from web pages and through proxies',
  gate: 'rights beyond the key and the public patterns',
  history: 'what is kept for those who come back; the limit reached first counts',
  session: 'one client across its reconnects',
  poll: 'long polling',
  heartbeat: 'noticing lost connections',
  ask: 'questions to clients',
  line: 'lines over TCP and UDP; where they come in is line in [hub]',
  limits: 'what one request, session or address may use',
  bridge: 'connections of pages to services, by WebSocket at /tcp/HOST:PORT',
  edge: 'many services on one port, told apart by the first bytes of a connection',
  pipe: 'sapwood pipe server and sapwood pipe client; of a hub, where pipe in [hub] says so',
  drain: 'stopping',
  log: 'logs on stdout',
}

/** All settings of a section. */
export function keysOf(section: string): readonly SettingKey[] {
  return SETTINGS.flatMap(({ key }) => (key.startsWith(`${section}.`) ? [key] : []))
}

/** @example environmentName('poll.hold') // 'SAPWOOD_POLL_HOLD' */
export function environmentName(key: string): string {
  return `SAPWOOD_${key.replace('.', '_').toUpperCase()}`
}

/** @example flagName('--port <number>') // '--port' */
export function flagName(flag: string): string {
  return flag.split(' ', 1)[0] ?? flag
}
