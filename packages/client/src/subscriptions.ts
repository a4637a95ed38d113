/**
 * The user's callbacks by pattern, found by the same matcher that the hub has. Several callbacks of one pattern are
 * one subscription: the first connects it, the last one that goes disconnects it (PM-03).
 * Invariant: a callback stands once under a pattern however often it was added, and until it was taken back as
 * often; one that throws hinders nobody, and one that is taken back is not called any more.
 */
import { Matcher, patternFault } from '@sapwood/core'
import { failure } from './failure.ts'
import type { Frame } from './frame.ts'

/** What a callback learns beside the message itself. */
export interface Received {
  readonly path: string
  /** The media type, where it is neither JSON nor plain bytes. */
  readonly type?: string | undefined
  /** Its position; opaque. */
  readonly at?: string | undefined
  /** True on what a replay brings. */
  readonly replay?: boolean | undefined
  /** True on the copy of what this client published itself. */
  readonly own?: boolean | undefined
  readonly id?: string | undefined
  readonly key?: string | undefined
  readonly origin?: string | undefined
}

export type Callback = (message: unknown, update: Received) => void

export interface SubscriptionsDeps {
  /** The first callback of a pattern came, or the last one went. */
  readonly want: (pattern: string, wanted: boolean) => void
  readonly onThrow: (thrown: unknown, path: string) => void
}

interface Listener {
  readonly callback: Callback
  /** How often it was added and not taken back. */
  count: number
}

export class Subscriptions {
  readonly #deps: SubscriptionsDeps
  readonly #matcher = new Matcher<Listener>()
  readonly #patterns = new Map<string, Map<Callback, Listener>>()

  constructor(deps: SubscriptionsDeps) {
    this.#deps = deps
  }

  /**
   * Calls `callback` with each update that `pattern` matches. Returns its undo, which may be called again.
   * @throws SapwoodError `PATTERN_INVALID`
   */
  add(pattern: string, callback: Callback): () => void {
    const fault = patternFault(pattern)
    if (fault !== undefined) throw failure('PATTERN_INVALID', `"${pattern}" ${fault}`)
    const listeners = this.#patterns.get(pattern) ?? new Map<Callback, Listener>()
    if (listeners.size === 0) this.#deps.want(pattern, true)
    this.#patterns.set(pattern, listeners)
    const listener = listeners.get(callback) ?? { callback, count: 0 }
    listeners.set(callback, listener)
    listener.count++
    this.#matcher.add(pattern, listener)
    let undone = false
    return () => {
      if (undone) return
      undone = true
      if (--listener.count > 0) return
      this.#matcher.remove(pattern, listener)
      listeners.delete(callback)
      if (listeners.size > 0) return
      this.#patterns.delete(pattern)
      this.#deps.want(pattern, false)
    }
  }

  /** Calls everybody whom this update concerns. */
  deliver(frame: Frame): void {
    for (const { callback, count } of this.#matcher.matching(frame.path)) {
      try {
        // an earlier one may have taken it back
        if (count > 0) callback(frame.message, frame)
      } catch (thrown) {
        this.#deps.onThrow(thrown, frame.path)
      }
    }
  }
}
