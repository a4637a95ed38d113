/**
 * The deadlines of many questions on one timer, which is set to the earliest and looks through all when it fires: a
 * question costs a place in an array, not a timer.
 * Invariant: every member that is due is told once, at most one tick of the wheel late.
 */
import type { Timed, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'

/** What may be late. */
export interface Due {
  /** In the time of the wheel. */
  readonly deadline: number
  /** Where it stands; kept by `Deadlines`. -1 for nowhere. */
  place: number
  late(): void
}

export class Deadlines implements Timed {
  readonly #wheel: Wheel
  readonly #timer: Timer = new Timer(this)
  readonly #all: Due[] = []

  constructor(wheel: Wheel) {
    this.#wheel = wheel
  }

  get size(): number {
    return this.#all.length
  }

  add(due: Due): void {
    due.place = this.#all.length
    this.#all.push(due)
    if (!this.#timer.pending || due.deadline < this.#timer.at) this.#wait(due.deadline)
  }

  delete(due: Due): void {
    const { place } = due
    if (place < 0) return
    due.place = -1
    const last = this.#all.pop() as Due
    if (last === due) return
    this.#all[place] = last
    last.place = place
  }

  expired(): void {
    const now = this.#wheel.now()
    const late = this.#all.filter(({ deadline }) => deadline <= now)
    for (const due of late) {
      if (due.place < 0) continue
      this.delete(due)
      due.late()
    }
    let earliest = Number.POSITIVE_INFINITY
    for (const { deadline } of this.#all) earliest = Math.min(earliest, deadline)
    if (earliest < Number.POSITIVE_INFINITY) this.#wait(earliest)
  }

  #wait(deadline: number): void {
    this.#wheel.set(this.#timer, deadline - this.#wheel.now())
  }
}
