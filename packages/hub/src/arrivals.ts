/**
 * In which order updates came: of each its offset, time, size and text, and the log of its path.
 * Some leave before their time. It is a ring of plain numbers: an hour of publishing moves nothing, and
 * letting go of the oldest does not touch it.
 * Invariant: of those that left early no more places are kept than of those that are there, and a thousand.
 */
import type { PathLog } from './path-log.ts'

/** Places that may stand for nothing. */
const SPARE = 1024
/** Room at the beginning; a power of two, as all room is. */
const LEAST = 1024
/** The text of an update that is not kept as one. */
export const NO_TEXT = -1

export class Arrivals {
  #logs: (PathLog | undefined)[] = emptyPlaces(LEAST)
  #offsets = new Float64Array(LEAST)
  #times = new Float64Array(LEAST)
  #sizes = new Float64Array(LEAST)
  #texts = new Float64Array(LEAST)
  #lengths = new Float64Array(LEAST)
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

  /**
   * @param offset a higher one than all before.
   * @param text where its text is kept, or `NO_TEXT`.
   * @param length of that text in bytes.
   */
  push(
    log: PathLog,
    offset: number,
    time: number,
    size: number,
    text: number,
    length: number,
  ): void {
    if (this.#places === this.#offsets.length) this.#move(this.#places * 2)
    const index = this.#index(this.#places++)
    this.#logs[index] = log
    this.#offsets[index] = offset
    this.#times[index] = time
    this.#sizes[index] = size
    this.#texts[index] = text
    this.#lengths[index] = length
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

  sizeAt(place: number): number {
    return this.#sizes[this.#index(place)] as number
  }

  /** Where the text of that place is kept, or `NO_TEXT`. */
  textAt(place: number): number {
    return this.#texts[this.#index(place)] as number
  }

  lengthAt(place: number): number {
    return this.#lengths[this.#index(place)] as number
  }

  /** All texts are kept elsewhere now. @param moved is given where one was, and returns where it is. */
  moveTexts(moved: (text: number, length: number) => number): void {
    for (let place = 0; place < this.#places; place++) {
      const index = this.#index(place)
      const text = this.#texts[index] as number
      if (this.#logs[index] === undefined || text === NO_TEXT) continue
      this.#texts[index] = moved(text, this.#lengths[index] as number)
    }
  }

  /** The first place of this offset, or of one above it. */
  placeOf(offset: number): number {
    // none is missing between the offsets of most
    const likely = offset - this.firstOffset
    if (likely >= 0 && likely < this.#places && this.offsetAt(likely) === offset) return likely
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
    const texts = new Float64Array(room)
    const lengths = new Float64Array(room)
    let places = 0
    for (let place = 0; place < this.#places; place++) {
      const index = this.#index(place)
      const log = this.#logs[index]
      if (log === undefined) continue
      logs[places] = log
      offsets[places] = this.#offsets[index] as number
      times[places] = this.#times[index] as number
      sizes[places] = this.#sizes[index] as number
      texts[places] = this.#texts[index] as number
      lengths[places++] = this.#lengths[index] as number
    }
    this.#logs = logs
    this.#offsets = offsets
    this.#times = times
    this.#sizes = sizes
    this.#texts = texts
    this.#lengths = lengths
    this.#first = this.#holes = 0
    this.#places = places
  }
}

function emptyPlaces(room: number): (PathLog | undefined)[] {
  // filled, it has all of its room at once, and is not a sparse one that is slow
  return new Array<PathLog | undefined>(room).fill(undefined)
}
