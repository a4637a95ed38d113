/** What a client tells about itself. */
import type { TransportName } from './transport.ts'

export type ClientState = 'connecting' | 'connected' | 'disconnected' | 'closed'

export interface StateChange {
  readonly state: ClientState
  /** What carries it, while connected. */
  readonly transport?: TransportName | undefined
  /** Connected: whether the former session goes on. If not, the hub replays what it can, or tells a gap. */
  readonly resumed?: boolean
  /** Disconnected: milliseconds until the next attempt. */
  readonly retryIn?: number
  /** Disconnected or closed: why. */
  readonly code?: string
  readonly detail?: string
}

/** Something matching may be lost: read your state anew. */
export interface Gap {
  readonly patterns: readonly string[]
  readonly after: string
  readonly at: string
  readonly reason: string
}

/** Something went wrong that no call of the user's waits for. */
export interface Problem {
  /** Stable, upper case. */
  readonly code: string
  readonly detail: string
  /** The pattern that it concerns. */
  readonly pattern?: string
  /** What a callback or handler of the user's threw. */
  readonly cause?: unknown
}

// a type, not an interface: only so do its names stay the only ones
export type ClientEvents = {
  state: StateChange
  gap: Gap
  error: Problem
  /** The hub holds a pattern for this client, whoever asked for it. */
  subscribed: { readonly pattern: string; readonly at: string }
  unsubscribed: { readonly pattern: string }
  /** A replay comes: `count` updates, and the cursor reaches `until`. */
  resumed: { readonly after: string; readonly until: string; readonly count: number }
}
