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

  constructor({ first = 250, highest = 20_000, random = Math.random }: BackoffOptions = {}) {
    this.#first = first
    this.#highest = highest
    this.#random = random
  }

  get attempts(): number {
    return this.#attempts
  }

  /**
   * The next delay in milliseconds.
   * @param least what the other side asked for: the delay is not below it. What is no time counts as none.
   */
  next(least = 0): number {
    const ceiling = Math.min(this.#highest, this.#first * 2 ** Math.min(this.#attempts, 30))
    this.#attempts++
    return Math.max(0, least || 0) + Math.floor(this.#random() * ceiling)
  }

  /** Called when a connection has proved stable. */
  reset(): void {
    this.#attempts = 0
  }
}
