/**
 * One link from its opening to its end, watched: it is given up when no hello comes in time, and when nothing at
 * all was heard for longer than the hub promised to be silent.
 * Invariant: `ended` is told at most once, and never after `abandon`.
 */
import type { Clock } from '@sapwood/core'
import { lost } from './closing.ts'
import type { Frame } from './frame.ts'
import type { Closing, Greeting, Link, LinkListener, Transport } from './transport.ts'

export interface AttemptOwner {
  greet(attempt: Attempt): Greeting
  /** A frame of an attempt that was greeted. */
  heard(frame: Frame): void
  ended(attempt: Attempt, closing: Closing): void
}

export class Attempt implements LinkListener {
  /** The transport's place on the ladder. */
  readonly rung: number
  /** Has the hub said hello? */
  greeted = false
  readonly #owner: AttemptOwner
  readonly #clock: Clock
  readonly #link: Link
  #stopTimer: (() => void) | undefined
  #over = false
  /** When the hello came. */
  #since = 0
  #heardAt: number

  /** @param patience milliseconds until a hello is given up. */
  constructor(
    owner: AttemptOwner,
    transport: Transport,
    rung: number,
    clock: Clock,
    patience: number,
  ) {
    this.rung = rung
    this.#owner = owner
    this.#clock = clock
    this.#heardAt = clock.now()
    this.#watch(patience)
    this.#link = transport.open(this)
  }

  /** Milliseconds since the hello. */
  get lived(): number {
    return this.greeted ? this.#clock.now() - this.#since : 0
  }

  greet(): Greeting {
    return this.#owner.greet(this)
  }

  frames(frames: readonly Frame[]): void {
    this.#heardAt = this.#clock.now()
    for (const frame of frames) {
      // what came before may have ended it
      if (!this.#over) this.#owner.heard(frame)
    }
  }

  closed(closing: Closing): void {
    if (this.#end()) this.#owner.ended(this, closing)
  }

  /** The hello came. @param silence milliseconds without a sign of life after which it is dead. */
  settle(silence: number): void {
    if (!this.greeted) this.#since = this.#clock.now()
    this.greeted = true
    this.#watch(silence)
  }

  send(frames: readonly string[]): void {
    if (!this.#over && frames.length > 0) this.#link.send(frames)
  }

  /** Ends it without telling the owner. @param forGood ends the session at the hub, too. */
  abandon(forGood: boolean): Promise<void> | undefined {
    return this.#end() ? this.#link.close(forGood) : undefined
  }

  #end(): boolean {
    const ends = !this.#over
    this.#over = true
    this.#stopTimer?.()
    return ends
  }

  #watch(silence: number, wait = silence): void {
    this.#stopTimer?.()
    // one timer that looks back is cheaper than one that every frame moves
    this.#stopTimer = this.#clock.after(wait, () => {
      const rest = this.#heardAt + silence - this.#clock.now()
      if (rest > 0 && this.greeted) return this.#watch(silence, rest)
      void this.#link.close(false)
      this.closed(lost(`silent for ${silence} ms`))
    })
  }
}
