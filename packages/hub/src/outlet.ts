/**
 * Sends what waits, once per turn of the event loop: a session with news is noted, and when all that the turn
 * brought is queued each gets one write. Idle, a message leaves at once; loaded, batches grow by themselves.
 * Invariant: a session is noted at most once between two flushes, and one that throws hinders no other.
 */

/** Something that has news to send. */
export interface Flushable {
  /** True while it is noted. */
  noted: boolean
  /** @param now the time of this flush, the same for all. */
  flush(now: number): void
}

export class Outlet {
  readonly #defer: (run: () => void) => void
  readonly #now: () => number
  readonly #onThrow: (thrown: unknown, one: Flushable) => void
  readonly #flushed = new Set<() => void>()
  readonly #run = (): void => this.flush()
  #noted: Flushable[] = []
  #flushing = false

  /**
   * @param defer runs its argument when this turn's input is handled (`setImmediate`).
   * @param now the hub's clock.
   * @param onThrow told of one that threw instead of sending; it must not throw itself.
   */
  constructor(
    defer: (run: () => void) => void,
    now: () => number,
    onThrow: (thrown: unknown, one: Flushable) => void,
  ) {
    this.#defer = defer
    this.#now = now
    this.#onThrow = onThrow
  }

  /** True while sessions are flushed; what `onFlushed` was given is called behind that. */
  get flushing(): boolean {
    return this.#flushing
  }

  note(one: Flushable): void {
    if (one.noted) return
    one.noted = true
    if (this.#noted.push(one) === 1) this.#defer(this.#run)
  }

  /** Has `run` called after each flush, to free what it shared. Returns its undo. */
  onFlushed(run: () => void): () => void {
    this.#flushed.add(run)
    return () => this.#flushed.delete(run)
  }

  flush(): void {
    const noted = this.#noted
    this.#noted = []
    const now = this.#now()
    this.#flushing = true
    for (let i = 0; i < noted.length; i++) {
      const one = noted[i] as Flushable
      one.noted = false
      try {
        one.flush(now)
      } catch (thrown) {
        this.#onThrow(thrown, one)
      }
    }
    this.#flushing = false
    for (const run of this.#flushed) run()
  }
}
