/**
 * The one timing wheel: heartbeats, expiry, deadlines and bundling of all sessions on a single timer of the
 * clock. A timer belongs to a target and is moved, not made anew, so ten thousand idle sessions cost a
 * linked list, not ten thousand timers. The clock wakes it for slots that hold something, and not in between.
 * Invariant: a timer fires at most one tick late and never early, and a target that throws hinders no other.
 */
import type { Clock } from './clock.ts'

const SLOTS = 512
/** What timers of a platform can wait, in milliseconds: 24 days. */
const LONGEST = 2 ** 31 - 1
const NEVER: number = Number.POSITIVE_INFINITY

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
  /** The last turn that was fired. */
  #turn: number
  /** The turn that the clock wakes it for. */
  #wakes = NEVER
  #stop: (() => void) | undefined
  #closed = false
  readonly #onClose = new Set<() => void>()

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

  /** Whether it was closed: nobody it is asked to wake will be. */
  get closed(): boolean {
    return this.#closed
  }

  now(): number {
    return this.#clock.now()
  }

  /** Has `timer` fire in `ms` milliseconds, 24 days at most, whenever it was set to before. */
  set(timer: Timer, ms: number): void {
    if (this.#closed) return
    this.#remove(timer)
    timer.at = this.#clock.now() + Math.min(Math.max(0, ms), LONGEST)
    const turn = Math.max(this.#turn + 1, Math.ceil(timer.at / this.#tick))
    const head = this.#slots[turn % SLOTS] as Timer
    timer.previous = head.previous
    timer.next = head
    ;(head.previous as Timer).next = timer
    head.previous = timer
    this.#pending++
    if (turn < this.#wakes) this.#wakeAt(turn)
  }

  /** Runs `run` once in `ms` milliseconds; for rare waits where a closure does no harm. Returns its undo. */
  after(ms: number, run: () => void): () => void {
    const timer = new Timer({ expired: run })
    this.set(timer, ms)
    return () => this.clear(timer)
  }

  clear(timer: Timer): void {
    this.#remove(timer)
    if (this.#pending === 0 && this.#wakes > this.#turn) this.#rest()
  }

  /** Runs `run` when it is closed: whoever waits for a timer waits for nothing then. Returns its undo. */
  whenClosed(run: () => void): () => void {
    this.#onClose.add(run)
    return () => this.#onClose.delete(run)
  }

  /** Fires nothing from now on. */
  close(): void {
    this.#closed = true
    this.#rest()
    for (const run of [...this.#onClose]) run()
    this.#onClose.clear()
  }

  #remove(timer: Timer): void {
    if (timer.next === undefined) return
    ;(timer.previous as Timer).next = timer.next
    timer.next.previous = timer.previous
    timer.next = timer.previous = undefined
    this.#pending--
  }

  /** From one boundary to another: a wait of whole ticks from anywhere would come up to a tick later still. */
  #wakeAt(turn: number): void {
    this.#stop?.()
    this.#wakes = turn
    const wait = Math.max(0, Math.ceil(turn * this.#tick - this.#clock.now()))
    this.#stop = this.#clock.after(wait, () => this.#wake())
  }

  #rest(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#wakes = NEVER
  }

  #wake(): void {
    this.#stop = undefined
    // whoever fires may set timers: when to wake for them is seen to when all have
    this.#wakes = this.#turn
    this.#advance()
    this.#wakes = NEVER
    if (this.#pending > 0 && !this.#closed) this.#wakeAt(this.#nextTurn())
  }

  /** The first turn whose slot holds something, be it for a later round. */
  #nextTurn(): number {
    let turn = this.#turn + 1
    for (; turn < this.#turn + SLOTS; turn++) {
      const head = this.#slots[turn % SLOTS] as Timer
      if (head.next !== head) break
    }
    return turn
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
