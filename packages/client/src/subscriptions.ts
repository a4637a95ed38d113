/**
 * The user's callbacks by pattern, called by the same dispatcher that the hub has. Several callbacks of one pattern are
 * one subscription: the first connects it, the last one that goes disconnects it (PM-03).
 * Invariant: a callback stands once under a pattern however often it was added, and until it was taken back as
 * often; one that throws hinders nobody, and one that is taken back is not called any more.
 */
import { Dispatcher, patternFault, type Receiver } from '@sapwood/core'
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

/** One callback under one pattern. */
interface Listener extends Receiver<undefined, Frame> {
  /** How often it was added and not taken back. */
  count: number
}

export class Subscriptions {
  readonly #deps: SubscriptionsDeps
  readonly #dispatcher: Dispatcher<undefined, Frame>
  readonly #patterns = new Map<string, Map<Callback, Listener>>()
  #added = 0

  constructor(deps: SubscriptionsDeps) {
    this.#deps = deps
    this.#dispatcher = new Dispatcher((thrown, _listener, path) => deps.onThrow(thrown, path))
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
    const listener: Listener = listeners.get(callback) ?? {
      id: `${++this.#added}`,
      count: 0,
      update: (_sender, _path, frame) => callback(frame.message, frame),
    }
    listeners.set(callback, listener)
    listener.count++
    this.#dispatcher.subscribe(listener, pattern)
    let undone = false
    return () => {
      if (undone) return
      undone = true
      if (--listener.count > 0) return
      this.#dispatcher.unsubscribe(listener, pattern)
      listeners.delete(callback)
      if (listeners.size > 0) return
      this.#patterns.delete(pattern)
      this.#deps.want(pattern, false)
    }
  }

  /** Calls everybody whom this update concerns. */
  deliver(frame: Frame): void {
    this.#dispatcher.dispatch(undefined, frame.path, frame)
  }
}
