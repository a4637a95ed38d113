/**
 * How many bytes the peer may send on one stream, or on the session: an absolute offset that moves on as this end takes
 * them, and a window that grows while one is taken within two round trips, since then it is the window that the sender
 * waits for.
 * Invariant: received ≤ granted = taken (when it was granted) + window, so no more than the window waits to be taken.
 */

export class ReceiveWindow {
  /** Bytes that came, bytes that were taken, and the offset up to which more may come. */
  received = 0
  taken = 0
  granted: number
  #window: number
  /** When the present window began, and where. */
  #since: number
  #mark = 0

  /** @param now in milliseconds. */
  constructor(window: number, now: number) {
    this.#window = this.granted = window
    this.#since = now
  }

  get window(): number {
    return this.#window
  }

  /** Whether more came than may. */
  get exceeded(): boolean {
    return this.received > this.granted
  }

  /** `bytes` were taken. @returns whether the peer should hear of it: half a window is free. */
  take(bytes: number): boolean {
    this.taken += bytes
    return this.granted - this.taken <= this.#window / 2
  }

  /** @returns the new offset. @param most the largest window; @param roundTrip in milliseconds. */
  grant(most: number, roundTrip: number, now: number): number {
    const taken = this.taken - this.#mark
    if (taken >= this.#window / 2) {
      // half a window in a round trip: twice as much could have come
      const isFast = now - this.#since <= Math.max(roundTrip, 1)
      if (isFast && this.#window < most) this.#window = Math.min(most, this.#window * 2)
      this.#since = now
      this.#mark = this.taken
    }
    this.granted = this.taken + this.#window
    return this.granted
  }
}
