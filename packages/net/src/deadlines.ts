/**
 * The clocks of a connection on one timer: idle, read, write, life, and the moment that a peer has to hang up. What
 * happens only notes the time; the timer is not moved, but looks at the notes when it fires and sets itself to the
 * nearest of what they say.
 * Invariant: a limit of 0 never fires; no timer is set per frame.
 */
import type { Fault, Timed, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import { IDLE_TIMEOUT, LIFE_TIMEOUT, LINGERED, READ_TIMEOUT, WRITE_TIMEOUT } from './faults.ts'
import type { ConnectionLimits } from './limits.ts'

/** Milliseconds that a peer has to hang up after this end did. */
const LINGER = 2_000

const NEVER = Number.POSITIVE_INFINITY

export interface Overdue {
  /** Bytes that have not left. */
  readonly waiting: number
  overdue(fault: Fault): void
}

export class Deadlines implements Timed {
  readonly #wheel: Wheel
  readonly #limits: ConnectionLimits
  readonly #owner: Overdue
  readonly #timer: Timer
  readonly #began: number
  #active: number
  /** Since when part of a frame is there. */
  #reading = NEVER
  /** Since when nothing of what waits has left. */
  #writing = NEVER
  /** Since when this end has sent all that it will. */
  #lingering = NEVER

  constructor(wheel: Wheel, limits: ConnectionLimits, owner: Overdue) {
    this.#wheel = wheel
    this.#limits = limits
    this.#owner = owner
    this.#timer = new Timer(this)
    this.#began = this.#active = wheel.now()
    this.#arm(this.#began)
  }

  /** Bytes came or went. */
  active(): void {
    this.#active = this.#wheel.now()
  }

  /** Does part of a frame wait for the rest? `fresh` if it is another frame than the last time. */
  reading(partial: boolean, fresh: boolean): void {
    if (!partial) this.#reading = NEVER
    else if (fresh || this.#reading === NEVER) this.#reading = this.#active
  }

  /** Does anything wait to leave? */
  writing(waits: boolean): void {
    if (!waits) this.#writing = NEVER
    else if (this.#writing === NEVER) this.#writing = this.#wheel.now()
  }

  /** All is said and has left: the peer has a moment to hang up. */
  linger(): void {
    if (this.#lingering !== NEVER) return
    this.#lingering = this.#wheel.now()
    this.#arm(this.#lingering)
  }

  stop(): void {
    this.#wheel.clear(this.#timer)
  }

  expired(): void {
    const now = this.#wheel.now()
    const { idle, read, write, life } = this.#limits
    // not every stream tells when little has left
    if (this.#owner.waiting === 0) this.#writing = NEVER
    if (dueIn(this.#lingering, LINGER, now) <= 0) this.#owner.overdue(LINGERED)
    else if (dueIn(this.#writing, write, now) <= 0) this.#owner.overdue(WRITE_TIMEOUT)
    else if (dueIn(this.#reading, read, now) <= 0) this.#owner.overdue(READ_TIMEOUT)
    else if (dueIn(this.#active, idle, now) <= 0) this.#owner.overdue(IDLE_TIMEOUT)
    else if (dueIn(this.#began, life, now) <= 0) this.#owner.overdue(LIFE_TIMEOUT)
    else this.#arm(now)
  }

  #arm(now: number): void {
    const { idle, read, write, life } = this.#limits
    const next = Math.min(
      dueIn(this.#lingering, LINGER, now),
      // what begins after this moment is not due before a whole limit has passed
      dueIn(Math.min(this.#writing, now), write, now),
      dueIn(Math.min(this.#reading, now), read, now),
      dueIn(this.#active, idle, now),
      dueIn(this.#began, life, now),
    )
    if (next < NEVER) this.#wheel.set(this.#timer, next)
  }
}

function dueIn(since: number, limit: number, now: number): number {
  return limit > 0 ? since + limit - now : NEVER
}
