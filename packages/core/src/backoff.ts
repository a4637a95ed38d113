/**
 * How long to wait before the next attempt: full jitter below a ceiling that doubles. The one back-off of
 * the house; random numbers are handed in so that tests know what comes.
 */
export interface BackoffOptions {
  /** The first ceiling, in milliseconds. */
  readonly first?: number
  /** The highest ceiling, in milliseconds. */
  readonly highest?: number
  /** A number in [0, 1). */
  readonly random?: () => number
}

export class Backoff {
  readonly #first: number
  readonly #highest: number
  readonly #random: () => number
  #attempts = 0

  constructor(options: BackoffOptions = {}) {
    this.#first = options.first ?? 250
    this.#highest = options.highest ?? 20_000
    this.#random = options.random ?? Math.random
  }

  get attempts(): number {
    return this.#attempts
  }

  /** The next delay in milliseconds, at least `least` (what the other side asked for). */
  next(least = 0): number {
    const ceiling = Math.min(this.#highest, this.#first * 2 ** Math.min(this.#attempts, 30))
    this.#attempts++
    return least + Math.floor(this.#random() * ceiling)
  }

  /** Called when a connection has proved stable. */
  reset(): void {
    this.#attempts = 0
  }
}
