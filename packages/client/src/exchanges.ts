/**
 * What the client said and waits to hear about: publishes until their receipt, questions until their answer. They
 * are kept so that they can be said again: after a reconnect, under the same id or reply, by which the hub knows
 * a repeat.
 * Invariant: each exchange ends exactly once, and together they stay within their bounds.
 */
import type { Clock } from '@sapwood/core'
import { failure } from './failure.ts'
import { type Frame, valuesOf } from './frame.ts'

export interface ExchangeLimits {
  /** How many may be open. */
  readonly count: number
  /** Characters of all open ones together. */
  readonly size: number
}

export const EXCHANGE_LIMITS: ExchangeLimits = { count: 10_000, size: 4 * 1024 * 1024 }

/** Something to say that is answered. */
export interface Request {
  readonly kind: 'publish' | 'ask'
  /** The text of its frame, a JSON object without `reply`. */
  readonly frame: string
  /** Milliseconds until it counts as unanswered. */
  readonly timeout: number
}

export interface ExchangesDeps {
  readonly clock: Clock
  /** The first part of every `reply`, unlike that of any other client of the session. */
  readonly prefix: string
  readonly limits: ExchangeLimits
  /** There is something to say. */
  readonly stir: () => void
  /** A question is no longer wanted. */
  readonly cancel: (reply: string) => void
}

interface Exchange {
  readonly request: Request
  readonly resolve: (answer: Frame) => void
  readonly reject: (error: unknown) => void
  /** Stops its timer, and listening to its signal. */
  readonly release: () => void
  /** Was it said on the present link? */
  said: boolean
  /** Was it ever said in the present session? */
  heard: boolean
}

export class Exchanges {
  readonly #deps: ExchangesDeps
  readonly #open = new Map<string, Exchange>()
  #size = 0
  #count = 0

  constructor(deps: ExchangesDeps) {
    this.#deps = deps
  }

  /**
   * Opens one; it is said as soon as there is a link.
   *
   * @param signal gives it up.
   * @returns the answer, whatever its code. Rejects with `QUEUE_FULL`, `RECEIPT_TIMEOUT` or `ANSWER_TIMEOUT`,
   *   `CONNECTION_LOST`, what the hub or `fail` said, or the signal's reason.
   */
  async start(request: Request, signal?: AbortSignal): Promise<Frame> {
    const { limits, prefix, clock, stir } = this.#deps
    const { frame, timeout, kind } = request
    const size = this.#size + frame.length
    signal?.throwIfAborted()
    if (this.#open.size >= limits.count || size > limits.size) {
      throw failure('QUEUE_FULL', `${this.#open.size} messages wait for an answer`, 503)
    }
    this.#size = size
    const reply = prefix + ++this.#count
    return new Promise((resolve, reject) => {
      const giveUp = (error: unknown): void => {
        this.#take(reply)
        reject(error)
        if (kind === 'ask') this.#deps.cancel(reply)
      }
      const code = kind === 'ask' ? 'ANSWER_TIMEOUT' : 'RECEIPT_TIMEOUT'
      const stopTimer = clock.after(timeout, () =>
        giveUp(failure(code, `none in ${timeout} ms`, 504)),
      )
      const abort = (): void => giveUp(signal?.reason)
      signal?.addEventListener('abort', abort)
      const release = (): void => {
        stopTimer()
        signal?.removeEventListener('abort', abort)
      }
      this.#open.set(reply, { request, resolve, reject, release, said: false, heard: false })
      stir()
    })
  }

  /** The frames that were not said on this link yet; they count as said. */
  unsaid(): string[] {
    const frames: string[] = []
    for (const [reply, exchange] of this.#open) {
      if (exchange.said) continue
      exchange.said = exchange.heard = true
      frames.push(`${exchange.request.frame.slice(0, -1)},"reply":"${reply}"}`)
    }
    return frames
  }

  /** Takes a `::reply`, or an `::error` that has a `reply`; one that nobody waits for is dropped. */
  take(frame: Frame): void {
    if (frame.path === '::reply') return this.#take(frame.reply)?.resolve(frame)
    const { code, detail, status, reply = frame.reply } = valuesOf(frame)
    this.#take(reply)?.reject(failure(code as string, detail as string, status as number))
  }

  /** The link is gone: all is to be said again on the next. */
  linkLost(): void {
    for (const exchange of this.#open.values()) exchange.said = false
  }

  /**
   * The session is gone, and with it who was asked; publishes are repeated under their id, since the hub knows
   * that. A question that was never said waits on.
   */
  sessionLost(): void {
    this.linkLost()
    for (const [reply, { request, heard }] of this.#open) {
      if (request.kind !== 'ask' || !heard) continue
      this.#take(reply)?.reject(failure('CONNECTION_LOST', 'the session ended', 502))
    }
  }

  /** The hub cannot take so large a frame: rejects the largest one that was said, or all would wait for it. */
  rejectLargest(error: unknown): void {
    let largest = ''
    let size = 0
    for (const [reply, { said, request }] of this.#open) {
      if (!said || request.frame.length <= size) continue
      largest = reply
      size = request.frame.length
    }
    this.#take(largest)?.reject(error)
  }

  /** Rejects all. */
  fail(error: unknown): void {
    for (const reply of this.#open.keys()) this.#take(reply)?.reject(error)
  }

  #take(reply: unknown): Exchange | undefined {
    const exchange = this.#open.get(reply as string)
    if (exchange !== undefined) {
      this.#open.delete(reply as string)
      this.#size -= exchange.request.frame.length
      exchange.release()
    }
    return exchange
  }
}
