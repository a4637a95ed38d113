/** What a hub can be told, and what it takes where it is not told. Durations in milliseconds, sizes in bytes. */
import type { Portal } from '@sapwood/auth'
import { ANYONE, type Clock, PATH_LIMITS, SapwoodError } from '@sapwood/core'
import type { Engine } from './engine.ts'
import type { Rule } from './gate.ts'
import type { Policy } from './session-host.ts'

/** Where a hub writes what an operator should know; a pino logger fits. */
export interface Log {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

export interface HubOptions {
  /** Patterns that anybody may subscribe to. */
  readonly public?: readonly string[]
  /** Who else may do what. */
  readonly rules?: readonly Rule[]
  readonly history?: {
    /** How long an update is retained. 120 s. */
    readonly age?: number
    /** Updates retained in all. 100,000. */
    readonly count?: number
    /** Updates retained per path. 10,000. */
    readonly pathCount?: number
    /** Bytes retained in all. 64 MiB. */
    readonly bytes?: number
  }
  readonly session?: {
    /** How long a detached session is kept. 60 s. */
    readonly expire?: number
    /** Bytes that may wait for one session. 1 MiB. */
    readonly outbox?: number
    /** What happens at that limit, by path; the first pattern that matches counts. `catch-up`. */
    readonly policies?: readonly { readonly path: string; readonly policy: Policy }[]
  }
  readonly heartbeat?: {
    /** Silence after which a `::ping` is sent. 25 s. */
    readonly interval?: number
    /** How long a client may take to show a sign of life. 10 s. */
    readonly timeout?: number
  }
  readonly limits?: {
    /** UTF-8 bytes of a path, 512 at most: clients send no longer ones. 512. */
    readonly path?: number
    /** Patterns of one client. 256. */
    readonly patterns?: number
    /** Sessions in all; 0 for no limit. */
    readonly sessions?: number
    /** Sessions from one address; 0 for no limit. */
    readonly sessionsPerAddress?: number
    /** Bytes that may wait for all sessions together. 256 MiB. */
    readonly outbox?: number
  }
  readonly ask?: {
    /** How long an absent client of a known name is waited for. 20 s. */
    readonly wait?: number
    /** How long an answer may take. 30 s. */
    readonly timeout?: number
  }
  readonly log?: Log
  readonly clock?: Clock
  /** Where updates are retained; in memory by default. */
  readonly engine?: Engine
  /** Who a client's `token` proves; nobody by default. */
  readonly portal?: Portal
}

const MIB = 1024 * 1024

type Complete<T> = { readonly [K in keyof T]-?: Complete<NonNullable<T[K]>> }
type Numbers = 'history' | 'session' | 'heartbeat' | 'limits' | 'ask'

/** The defaults, which `HubOptions` documents. */
export const HUB_DEFAULTS: Complete<Pick<HubOptions, Numbers>> = {
  history: { age: 120_000, count: 100_000, pathCount: 10_000, bytes: 64 * MIB },
  session: { expire: 60_000, outbox: MIB, policies: [] },
  heartbeat: { interval: 25_000, timeout: 10_000 },
  limits: {
    path: PATH_LIMITS.bytes,
    patterns: 256,
    sessions: 0,
    sessionsPerAddress: 0,
    outbox: 256 * MIB,
  },
  ask: { wait: 20_000, timeout: 30_000 },
}

/** Every number of a hub, told or taken. */
export type HubSettings = typeof HUB_DEFAULTS

/** What a hub of these options goes by. @throws SapwoodError `CONFIG_INVALID` */
export function hubSettings(options: HubOptions): HubSettings {
  const { path = 0 } = options.limits ?? {}
  if (path > PATH_LIMITS.bytes) {
    const detail = `limits.path is ${path}; a path has at most ${PATH_LIMITS.bytes} bytes everywhere`
    throw new SapwoodError('CONFIG_INVALID', detail)
  }
  return {
    history: { ...HUB_DEFAULTS.history, ...options.history },
    session: { ...HUB_DEFAULTS.session, ...options.session },
    heartbeat: { ...HUB_DEFAULTS.heartbeat, ...options.heartbeat },
    limits: { ...HUB_DEFAULTS.limits, ...options.limits },
    ask: { ...HUB_DEFAULTS.ask, ...options.ask },
  }
}

/** Who may do what: the public patterns are rules like any other, and come first. */
export function hubRules({ public: open = [], rules = [] }: HubOptions): Rule[] {
  return [...open.map((path): Rule => ({ who: ANYONE.id, may: ['subscribe'], path })), ...rules]
}
