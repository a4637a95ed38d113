/**
 * When what a peer has to say leaves: one question, or its answer, at once; where a second follows in the same turn of the
 * event loop, all of a turn in one write at its end.
 * Invariant: however often it is asked for, one flush is under way at a time.
 */
import { loopTurn } from './loop-turn.ts'

/** What is to be flushed. */
export interface Flushing {
  /** Of whose streams there may be several. */
  readonly session: { readonly streams: number }
  flush(): void
}

export class OutputPace {
  readonly #flushing: Flushing
  #scheduled = false
  /** Whether what one turn of the event loop says leaves together at its end. */
  #gathers = false
  /** The turn in which something left at once. */
  #turn = -1

  constructor(flushing: Flushing) {
    this.#flushing = flushing
  }

  /** There is something to say. */
  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#gathers) setImmediate(leave, this)
    else process.nextTick(leave, this)
  }

  /** All of it has left, scheduled or not: what is said from now on is news. */
  left(): void {
    this.#scheduled = false
  }

  /** @internal of what `schedule` has set off. */
  leave(): void {
    if (this.#gathers) this.#gathers = this.#flushing.session.streams > 1
    else {
      const turn = loopTurn()
      this.#gathers = turn === this.#turn
      this.#turn = turn
    }
    this.#flushing.flush()
  }
}

function leave(pace: OutputPace): void {
  pace.leave()
}
