/**
 * Which updates of one path are retained: their offsets, oldest first; and who was found to be subscribed to it. Of those
 * that left because they were the oldest of all paths it need not hear: it finds out now and then.
 * Invariant: offsets ascend, and `evicted` is the highest that this path has lost before its time.
 */
import type { Component, Message } from '@sapwood/core'
import { Found } from '@sapwood/core'

/** One push of so many looks whether the oldest have left: they stand far from the newest in memory. */
const OFTEN = 8

export class PathLog extends Found<Component, Message> {
  readonly path: string
  evicted = 0
  /** The offset of the newest; 0 in front of the first. */
  newest = 0
  /** A ring, whose room is a power of two. */
  #offsets: number[] = [0]
  #first = 0
  #count = 0

  constructor(path: string) {
    super()
    this.path = path
  }

  /** How many there are at most: some may have left unheard. */
  get most(): number {
    return this.#count
  }

  /** @param oldest what has a lower offset is retained of no path. */
  push(offset: number, oldest: number): void {
    const isFull = this.#count === this.#offsets.length
    if (isFull || this.#index(this.#count) % OFTEN === 0) this.#makeRoom(oldest)
    this.#offsets[this.#index(this.#count++)] = offset
    this.newest = offset
  }

  /** How many there are. */
  count(oldest: number): number {
    while (this.#count > 0 && this.#at(0) < oldest) this.#drop()
    return this.#count
  }

  /** Lets go of the oldest, which is here still, and returns its offset. */
  shift(): number {
    this.evicted = this.#at(0)
    this.#drop()
    return this.evicted
  }

  /**
   * Adds to `found` those above `since`, as many as fill `bytes`. Returns how many there are.
   * @param sizeOf what the update of an offset counts.
   */
  collectAfter(
    since: number,
    bytes: number,
    found: number[],
    sizeOf: (offset: number) => number,
  ): number {
    const first = this.#placeAfter(since)
    let size = 0
    for (let place = first; place < this.#count && size < bytes; place++) {
      const offset = this.#at(place)
      size += sizeOf(offset)
      found.push(offset)
    }
    return this.#count - first
  }

  #placeAfter(since: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#at(middle) > since) high = middle
      else low = middle + 1
    }
    return low
  }

  #at(place: number): number {
    return this.#offsets[this.#index(place)] as number
  }

  #index(place: number): number {
    return (this.#first + place) & (this.#offsets.length - 1)
  }

  #drop(): void {
    this.#first = this.#index(1)
    this.#count--
  }

  /** Where no place is free it doubles, and where hardly any is taken it gives up most. */
  #makeRoom(oldest: number): void {
    const count = this.count(oldest)
    const { length } = this.#offsets
    if (count < length && count * 8 >= length) return
    let room = 1
    while (room < count * 2) room *= 2
    const offsets = new Array<number>(room).fill(0)
    for (let place = 0; place < count; place++) offsets[place] = this.#at(place)
    this.#offsets = offsets
    this.#first = 0
  }
}
