/**
 * The kinds of settings: what each becomes, and how it is described to somebody who wrote something else.
 * Types and words only; `read-value.ts` does the reading.
 */

export const ACTIONS = ['publish', 'subscribe', 'ask', 'answer', 'control'] as const
export const POLICIES = ['catch-up', 'conflate', 'drop-oldest', 'disconnect'] as const
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** One `[[gate.rule]]`: who may do what where. */
export interface RuleRow {
  /** `anyone`, `signed-in`, or `user:`, `key:`, `token:`, `cert:` with a name; `*` stands for anything. */
  readonly who: string
  readonly may: readonly (typeof ACTIONS)[number][]
  readonly path: string
}

/** One `[[session.policy]]`: what happens on these paths when a subscriber is too slow. */
export interface PolicyRow {
  readonly path: string
  readonly policy: (typeof POLICIES)[number]
}

export interface ValueOfKind {
  /** Milliseconds. */
  readonly duration: number
  /** Bytes; `none` is 0. */
  readonly size: number
  readonly integer: number
  readonly boolean: boolean
  readonly text: string
  readonly level: LogLevel
  readonly keys: readonly string[]
  readonly patterns: readonly string[]
  readonly origins: readonly string[]
  readonly networks: readonly string[]
  readonly rules: readonly RuleRow[]
  readonly policies: readonly PolicyRow[]
}

export type KindName = keyof ValueOfKind

/** Each goes on with "must be …". */
export const HINTS: Readonly<Record<KindName, string>> = {
  duration: 'a duration like 250ms, 30s or 5m',
  size: 'a size like 64kB or 1MiB',
  integer: 'a whole number',
  boolean: 'true or false',
  text: 'a text',
  level: `one of ${LOG_LEVELS.join(', ')}`,
  keys: 'a key or a list of keys',
  patterns: 'a pattern or a list of patterns',
  origins: 'an origin or a list of origins',
  networks: 'an address or a list of addresses',
  rules: 'a list of tables with who, may and path',
  policies: 'a list of tables with path and policy',
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
