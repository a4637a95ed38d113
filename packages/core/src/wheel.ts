/**
 * The one timing wheel: heartbeats, expiry, deadlines and bundling of all sessions on a single timer of the
 * clock. A timer belongs to a target and is moved, not made anew, so ten thousand idle sessions cost a
 * linked list, not ten thousand timers.
 * Invariant: a timer fires at most one tick late and never early, and a target that throws hinders no other.
 */
import type { Clock } from './clock.ts'

const SLOTS = 512

/** What a timer calls when it is due. */
export interface Timed {
  expired(timer: Timer): void
}

/** One thing to be called later. It belongs to its target for life and may be set again and again. */
export class Timer {
  readonly target: Timed
  at = 0
  next: Timer | undefined
  previous: Timer | undefined

  constructor(target: Timed) {
    this.target = target
  }

  get pending(): boolean {
    return this.next !== undefined
  }
}

class Slot implements Timed {
  expired(): void {}
}

export class Wheel {
  readonly #clock: Clock
  readonly #tick: number
  readonly #slots: Timer[] = []
  #pending = 0
  #turn: number
  #stop: (() => void) | undefined
  #closed = false

  /** @param tick resolution in milliseconds. */
  constructor(clock: Clock, tick = 20) {
    this.#clock = clock
    this.#tick = tick
    this.#turn = Math.floor(clock.now() / tick)
    const owner = new Slot()
    for (let i = 0; i < SLOTS; i++) {
      const head = new Timer(owner)
      head.next = head.previous = head
      this.#slots.push(head)
    }
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.#pending
  }

  now(): number {
    return this.#clock.now()
  }

  /** Has `timer` fire in `ms` milliseconds, whenever it was set to before. */
  set(timer: Timer, ms: number): void {
    if (this.#closed) return
    this.clear(timer)
    if (this.#pending === 0) this.#turn = Math.floor(this.#clock.now() / this.#tick)
    timer.at = this.#clock.now() + Math.max(0, ms)
    const turn = Math.max(this.#turn + 1, Math.ceil(timer.at / this.#tick))
    const head = this.#slots[turn % SLOTS] as Timer
    timer.previous = head.previous
    timer.next = head
    ;(head.previous as Timer).next = timer
    head.previous = timer
    this.#pending++
    this.#arm()
  }

  /** Runs `run` once in `ms` milliseconds; for rare waits where a closure does no harm. Returns its undo. */
  after(ms: number, run: () => void): () => void {
    const timer = new Timer({ expired: run })
    this.set(timer, ms)
    return () => this.clear(timer)
  }

  clear(timer: Timer): void {
    if (timer.next === undefined) return
    ;(timer.previous as Timer).next = timer.next
    timer.next.previous = timer.previous
    timer.next = timer.previous = undefined
    this.#pending--
  }

  /** Fires nothing from now on. */
  close(): void {
    this.#closed = true
    this.#stop?.()
    this.#stop = undefined
  }

  #arm(): void {
    if (this.#stop !== undefined || this.#closed || this.#pending === 0) return
    // from one boundary to the next: a wait of a whole tick from anywhere would come up to a tick later still
    const wait = Math.ceil(this.#tick - (this.#clock.now() % this.#tick))
    this.#stop = this.#clock.after(wait, () => {
      this.#stop = undefined
      this.#advance()
      this.#arm()
    })
  }

  #advance(): void {
    const now = this.#clock.now()
    const until = Math.floor(now / this.#tick)
    // after a long pause every slot is visited once, not once per missed tick
    const from = Math.max(this.#turn + 1, until - SLOTS + 1)
    this.#turn = until
    for (let turn = from; turn <= until; turn++) this.#fire(this.#slots[turn % SLOTS] as Timer, now)
  }

  #fire(head: Timer, now: number): void {
    let timer = head.next as Timer
    const due: Timer[] = []
    while (timer !== head) {
      if (timer.at <= now) due.push(timer)
      timer = timer.next as Timer
    }
    for (const each of due) {
      // an earlier one in this slot may have cleared it or moved it on
      if (!each.pending || each.at > now) continue
      this.clear(each)
      try {
        each.target.expired(each)
      } catch (thrown) {
        // thrown in a turn of its own, as a timer of the clock would: the others are due all the same
        this.#clock.after(0, () => {
          throw thrown
        })
      }
    }
  }
}
