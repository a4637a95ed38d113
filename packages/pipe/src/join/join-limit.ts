/**
 * How often somebody may try to join and fail: a few times at once, then now and then.
 * Invariant: what is kept is bounded, however many addresses try; who is pushed out starts afresh.
 */
import type { Clock } from '@sapwood/core'

export interface JoinLimitOptions {
  /** Failures that are borne at once. */
  readonly burst?: number
  /** Milliseconds until one more is. */
  readonly pause?: number
  /** Addresses that are remembered. */
  readonly addresses?: number
}

interface Failures {
  count: number
  at: number
}

export class JoinLimit {
  readonly #clock: Pick<Clock, 'now'>
  readonly #burst: number
  readonly #pause: number
  readonly #addresses: number
  readonly #failures = new Map<string, Failures>()

  constructor(clock: Pick<Clock, 'now'>, options: JoinLimitOptions = {}) {
    this.#clock = clock
    this.#burst = options.burst ?? 5
    this.#pause = options.pause ?? 10_000
    this.#addresses = options.addresses ?? 1024
  }

  /** May somebody from this address try? It counts as a failure until it is `forgiven`, so that many at once count too. */
  admits(address: string): boolean {
    const count = this.#countOf(address)
    if (count >= this.#burst) return false
    this.#failures.delete(address)
    this.#failures.set(address, { count: count + 1, at: this.#clock.now() })
    const [oldest] = this.#failures.keys()
    if (this.#failures.size > this.#addresses) this.#failures.delete(oldest as string)
    return true
  }

  /** The attempt was none to count. */
  forgiven(address: string): void {
    const known = this.#failures.get(address)
    if (known !== undefined) known.count = Math.max(0, known.count - 1)
  }

  /** Failures that are not forgiven yet. */
  #countOf(address: string): number {
    const known = this.#failures.get(address)
    if (known === undefined) return 0
    const forgiven = Math.floor((this.#clock.now() - known.at) / this.#pause)
    return Math.max(0, known.count - forgiven)
  }
}
