/**
 * Updates in the order of their offsets, each with the time it came at; some are taken out before their time.
 * Invariant: of those taken out no more places are kept than of those that are there, and a thousand.
 */
import type { Update } from '@sapwood/core'

/** Places that may stand for nothing. */
const SPARE = 1024

export class UpdateLog {
  #updates: (Update | undefined)[] = []
  #offsets: number[] = []
  #times: number[] = []
  #first = 0
  /** Places from `first` on whose updates were taken out. */
  #holes = 0

  get empty(): boolean {
    return this.#first === this.#offsets.length
  }

  /** The offset of the first place, whether its update is there or was taken out. */
  get firstOffset(): number {
    return this.#offsets[this.#first] as number
  }

  /** When the update of the first place came. */
  get firstTime(): number {
    return this.#times[this.#first] as number
  }

  /** @param update one with a higher offset than all before. */
  push(update: Update, time: number): void {
    this.#updates.push(update)
    this.#offsets.push(update.offset)
    this.#times.push(time)
  }

  /** Takes away the first place. Returns its update, if it is there. */
  shift(): Update | undefined {
    const update = this.#updates[this.#first]
    this.#updates[this.#first++] = undefined
    if (update === undefined) this.#holes--
    if (this.#first > SPARE && this.#first * 2 > this.#updates.length) this.#compact()
    return update
  }

  /** Takes out the update of this offset, which is there. */
  takeOut(offset: number): void {
    this.#updates[this.placeOf(offset)] = undefined
    this.#holes++
    const places = this.#updates.length - this.#first
    if (this.#holes > SPARE && this.#holes * 2 > places) this.#compact()
  }

  /** How many places there are: those of updates that were taken away too. */
  get places(): number {
    return this.#updates.length
  }

  /** What is at a place, if it is still there. */
  at(place: number): Update | undefined {
    return this.#updates[place]
  }

  /** The first place of this offset, or of one above it. */
  placeOf(offset: number): number {
    let low = this.#first
    let high = this.#offsets.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#offsets[middle] as number) < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #compact(): void {
    const kept: number[] = []
    for (let i = this.#first; i < this.#updates.length; i++) {
      if (this.#updates[i] !== undefined) kept.push(i)
    }
    this.#updates = kept.map((i) => this.#updates[i])
    this.#offsets = kept.map((i) => this.#offsets[i] as number)
    this.#times = kept.map((i) => this.#times[i] as number)
    this.#first = this.#holes = 0
  }
}
