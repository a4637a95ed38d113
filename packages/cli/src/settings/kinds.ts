/**
 * The kinds of settings: what each becomes, and how it is described to somebody who wrote something else.
 * Types and words only; `read-value.ts` does the reading.
 */
import type { EdgeWhen } from '@sapwood/wire'

export const ACTIONS = ['publish', 'subscribe', 'ask', 'answer', 'control'] as const
export const POLICIES = ['catch-up', 'conflate', 'drop-oldest', 'disconnect'] as const
export const PROXY_PROTOCOLS = ['v1', 'v2'] as const
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** What `SNIFF_DEFAULTS` of `@sapwood/net` says, as one writes it. */
export const SNIFF_DEFAULT = { bytes: 16_384, timeout: '3s' } as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** One `[[gate.rule]]`: who may do what where. */
export interface RuleRow {
  /** `anyone`, `signed-in`, or `user:`, `key:`, `token:`, `cert:`, `pipe:` with a name; `*` stands for anything. */
  readonly who: string
  readonly may: readonly (typeof ACTIONS)[number][]
  readonly path: string
}

/** One `[[pipe.rule]]`: what a peer may ask here. What it leaves out it allows. */
export interface PeerRuleRow {
  /** A name, or `cert:` with a URI; `*` stands for anything. */
  readonly peer?: string
  readonly method?: string | readonly string[]
  /** A pattern. */
  readonly path?: string
  /** Bytes of the request's body. */
  readonly body?: number
}

/** One `[[session.policy]]`: what happens on these paths when a subscriber is too slow. */
export interface PolicyRow {
  readonly path: string
  readonly policy: (typeof POLICIES)[number]
}

/** One `[[bridge.allow]]`: a destination that pages may have dialled for them. */
export interface BridgeRow {
  /** `HOST:PORT`. */
  readonly to: string
  /** As in `RuleRow`; `signed-in` where nothing is said. */
  readonly who?: string
}

/** One `[[edge.route]]`: where connections go whose first bytes are like this. */
export interface RouteRow {
  readonly when: EdgeWhen
  /** `hub`, `line`, `pipe`, `tcp://HOST:PORT`, `unix:PATH` or `module:FILE#export`. */
  readonly to: string
  readonly rewrite?: { readonly host: string }
  readonly proxy_protocol?: (typeof PROXY_PROTOCOLS)[number]
}

/** How much, and for how long, a shared port looks at a connection before it decides. */
export interface SniffLimits {
  /** Bytes. */
  readonly bytes: number
  /** Milliseconds. */
  readonly timeout: number
}

export interface ValueOfKind {
  /** Milliseconds. */
  readonly duration: number
  /** Bytes; `none` is 0. */
  readonly size: number
  readonly integer: number
  readonly boolean: boolean
  /** `none` is empty. */
  readonly text: string
  /** Of a machine, as a certificate has it. */
  readonly name: string
  /** `HOST:PORT` or `unix:PATH`; `none` is empty. */
  readonly address: string
  /** The name of a file; `none` is empty. */
  readonly file: string
  /** `http://HOST:PORT` or `unix:PATH`; `none` is empty. */
  readonly url: string
  /** Where a connection goes, as in `RouteRow`, or `close`. */
  readonly target: string
  readonly sniff: SniffLimits
  readonly level: LogLevel
  readonly keys: readonly string[]
  readonly patterns: readonly string[]
  readonly origins: readonly string[]
  readonly networks: readonly string[]
  /** Each `HOST:PORT`. */
  readonly servers: readonly string[]
  /** In lower case. */
  readonly hosts: readonly string[]
  readonly rules: readonly RuleRow[]
  readonly 'peer rules': readonly PeerRuleRow[]
  readonly policies: readonly PolicyRow[]
  readonly bridges: readonly BridgeRow[]
  readonly routes: readonly RouteRow[]
}

export type KindName = keyof ValueOfKind

/** Lists of tables: `[[section.name]]` in the file, JSON in the environment. */
export const TABLES: ReadonlySet<KindName> = new Set([
  'rules',
  'peer rules',
  'policies',
  'bridges',
  'routes',
])

/** What in the environment and after `--set` is JSON. */
export const STRUCTURED: ReadonlySet<KindName> = new Set([...TABLES, 'sniff'])

/** Each goes on with "must be …". */
export const HINTS: Readonly<Record<KindName, string>> = {
  duration: 'a duration like 250ms, 30s or 5m',
  size: 'a size like 64kB or 1MiB',
  integer: 'a whole number',
  boolean: 'true or false',
  text: 'a text',
  name: 'a name like fileserver',
  address: 'an address like 127.0.0.1:8007 or unix:/run/sapwood.sock',
  file: 'the name of a file',
  url: 'an address like http://127.0.0.1:3000 or unix:/run/app.sock',
  target: 'close, hub, line, pipe, tcp://HOST:PORT, unix:PATH or module:FILE#export',
  sniff: 'a table with bytes and timeout',
  level: `one of ${LOG_LEVELS.join(', ')}`,
  keys: 'a key or a list of keys',
  patterns: 'a pattern or a list of patterns',
  origins: 'an origin or a list of origins',
  networks: 'an address or a list of addresses',
  servers: 'an address like pipe.example.org:8789, or a list of addresses',
  hosts: 'a host name or a list of host names',
  rules: 'a list of tables with who, may and path',
  'peer rules': 'a list of tables with peer, method, path or body',
  policies: 'a list of tables with path and policy',
  bridges: 'a list of tables with to, and who where it is not signed-in',
  routes: 'a list of tables with when and to',
}

/** What decides how a setting is read. */
export interface Traits {
  readonly kind: KindName
  /** Masked in `config show`, left out of errors. */
  readonly secret?: true
  /** Bounds of a number; where nothing is said, 1 and what the kind can hold. */
  readonly least?: number
  readonly most?: number
  /** The word `none` is a value too: no limit. */
  readonly none?: true
}
