/**
 * How long it takes to the peer and back: the last time that was measured, and the shortest of late. That is the time of the
 * way alone; a longer one tells of queues, which wider windows would only make longer.
 * Invariant: a way that has become longer is believed after a minute at most, where it is measured once a second.
 */

const PERIOD = 30_000
const NEVER = Number.POSITIVE_INFINITY

export class RoundTrip {
  /** Milliseconds; 0 before the first. */
  last = 0
  /** Of this period and the one before. */
  #shortest = NEVER
  #former = NEVER
  #since = 0

  /** Milliseconds; 0 before the first. */
  get shortest(): number {
    const shortest = Math.min(this.#shortest, this.#former)
    return shortest === NEVER ? 0 : shortest
  }

  /** Another link may go another way. */
  begin(): void {
    this.#shortest = this.#former = NEVER
  }

  /** It took so many milliseconds. */
  add(milliseconds: number, now: number): void {
    this.last = milliseconds
    if (now - this.#since >= PERIOD) {
      this.#former = this.#shortest
      this.#shortest = NEVER
      this.#since = now
    }
    this.#shortest = Math.min(this.#shortest, milliseconds)
  }
}
