/**
 * Which transport is tried next. The best stands on the first rung; one that cannot connect, or keeps breaking
 * soon after it did, is left for the next, and while a lower one serves the better ones are tried again in growing
 * intervals. Pure: times come in as arguments.
 * Invariant: a rung that never worked is left at its first failure, one that did work only after `patience`
 * short-lived ones in a row, so a hub that restarts does not push its clients down the ladder.
 */

/** A link that lived so long was no failure of its transport, in milliseconds. */
export const STABLE = 10_000

const PATIENCE = 3
const FIRST_PROBE = 30_000
const LONGEST_PROBE = 600_000

export class Ladder {
  readonly #rungs: number
  readonly #worked = new Set<number>()
  #rung = 0
  #strikes = 0
  #probes = 0

  /** @param rungs how many transports there are, at least one. */
  constructor(rungs: number) {
    this.#rungs = rungs
  }

  /** The transport whose turn it is. */
  get rung(): number {
    return this.#rung
  }

  /** The hub said hello on `rung`; it is used from now on. */
  reached(rung: number): void {
    if (rung !== this.#rung) this.#strikes = 0
    this.#rung = rung
    this.#worked.add(rung)
  }

  /**
   * The link on the present rung ended.
   * @param lived milliseconds since its hello, 0 if there was none.
   * @returns whether the next attempt may follow at once, on another rung.
   */
  failed(lived: number): boolean {
    if (lived >= STABLE) {
      this.#strikes = 0
      this.#probes = 0
      return false
    }
    if (++this.#strikes < (this.#worked.has(this.#rung) ? PATIENCE : 1)) return false
    this.#strikes = 0
    this.#rung = (this.#rung + 1) % this.#rungs
    return this.#rung > 0
  }

  /** When to try something better, in milliseconds from now, or undefined on the best rung. */
  get probeDelay(): number | undefined {
    if (this.#rung === 0) return undefined
    return Math.min(LONGEST_PROBE, FIRST_PROBE * 2 ** this.#probes)
  }

  /** The better rung to try now: all of them in turn, the best one first. Only below the best rung. */
  probe(): number {
    return this.#probes++ % this.#rung
  }
}
