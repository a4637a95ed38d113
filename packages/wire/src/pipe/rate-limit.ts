/** So many in ten seconds, and no more. */

const WINDOW = 10_000

export class RateLimit {
  readonly #most: number
  #count = 0
  #since = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Counts one more, at `now` in milliseconds. @returns whether that is too many. */
  exceeded(now: number): boolean {
    if (now - this.#since >= WINDOW) {
      this.#since = now
      this.#count = 0
    }
    return ++this.#count > this.#most
  }
}
