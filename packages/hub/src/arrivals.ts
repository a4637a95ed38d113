/**
 * In which order updates came: of each its offset, time and size, and the log of its path, which holds the update
 * itself. Some leave before their time. It is a ring of plain numbers: an hour of publishing moves nothing, and
 * letting go of the oldest does not touch it.
 * Invariant: of those that left early no more places are kept than of those that are there, and a thousand.
 */
import type { PathLog } from './path-log.ts'

/** Places that may stand for nothing. */
const SPARE = 1024
/** Room at the beginning; a power of two, as all room is. */
const LEAST = 1024

export class Arrivals {
  #logs: (PathLog | undefined)[] = emptyPlaces(LEAST)
  #offsets = new Float64Array(LEAST)
  #times = new Float64Array(LEAST)
  #sizes = new Float64Array(LEAST)
  /** Where in the ring the first place is. */
  #first = 0
  #places = 0
  /** Places whose updates left early. */
  #holes = 0

  /** How many places there are, with those whose updates left early. */
  get places(): number {
    return this.#places
  }

  /** The log of the first place; undefined if its update left early. */
  get firstLog(): PathLog | undefined {
    return this.#logs[this.#first]
  }

  /** The offset of the first place, whether its update is there or not. */
  get firstOffset(): number {
    return this.#offsets[this.#first] as number
  }

  get firstTime(): number {
    return this.#times[this.#first] as number
  }

  get firstSize(): number {
    return this.#sizes[this.#first] as number
  }

  /** @param offset a higher one than all before. */
  push(log: PathLog, offset: number, time: number, size: number): void {
    if (this.#places === this.#offsets.length) this.#move(this.#places * 2)
    const index = this.#index(this.#places++)
    this.#logs[index] = log
    this.#offsets[index] = offset
    this.#times[index] = time
    this.#sizes[index] = size
  }

  /** Takes away the first place. */
  shift(): void {
    if (this.#logs[this.#first] === undefined) this.#holes--
    else this.#logs[this.#first] = undefined
    this.#first = this.#index(1)
    this.#places--
  }

  /** The update of this offset, which is there, leaves early. */
  takeOut(offset: number): void {
    this.#logs[this.#index(this.placeOf(offset))] = undefined
    this.#holes++
    if (this.#holes > SPARE && this.#holes * 2 > this.#places) this.#compact()
  }

  /** The log of a place, counted from the first; undefined if its update left early. */
  logAt(place: number): PathLog | undefined {
    return this.#logs[this.#index(place)]
  }

  offsetAt(place: number): number {
    return this.#offsets[this.#index(place)] as number
  }

  /** The first place of this offset, or of one above it. */
  placeOf(offset: number): number {
    let low = 0
    let high = this.#places
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.offsetAt(middle) < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #index(place: number): number {
    return (this.#first + place) & (this.#offsets.length - 1)
  }

  /** Closes the holes, in room for what is left and as much again. */
  #compact(): void {
    let room = LEAST
    while (room < (this.#places - this.#holes) * 2) room *= 2
    this.#move(room)
  }

  /** Moves what is there into another ring. */
  #move(room: number): void {
    const logs = emptyPlaces(room)
    const offsets = new Float64Array(room)
    const times = new Float64Array(room)
    const sizes = new Float64Array(room)
    let places = 0
    for (let place = 0; place < this.#places; place++) {
      const index = this.#index(place)
      const log = this.#logs[index]
      if (log === undefined) continue
      logs[places] = log
      offsets[places] = this.#offsets[index] as number
      times[places] = this.#times[index] as number
      sizes[places++] = this.#sizes[index] as number
    }
    this.#logs = logs
    this.#offsets = offsets
    this.#times = times
    this.#sizes = sizes
    this.#first = this.#holes = 0
    this.#places = places
  }
}

function emptyPlaces(room: number): (PathLog | undefined)[] {
  // filled, it has all of its room at once, and is not a sparse one that is slow
  return new Array<PathLog | undefined>(room).fill(undefined)
}
