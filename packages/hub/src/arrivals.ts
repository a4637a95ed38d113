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

/** Numbers of one place, and where each of them stands: next to each other, as they are written and read together. */
const FIELDS = 6
const OFFSET = 0
const TIME = 1
const SIZE = 2
const TEXT = 3
const LENGTH = 4
/** The offset of the update in front of it on its path. */
const BEFORE = 5

export class Arrivals {
  #logs: (PathLog | undefined)[] = emptyPlaces(LEAST)
  #numbers = new Float64Array(LEAST * FIELDS)
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
    return this.offsetAt(0)
  }

  get firstTime(): number {
    return this.#numbers[this.#at(0) + TIME] as number
  }

  /**
   * @param log of its path, which has not heard of it yet.
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
    if (this.#places === this.#logs.length) this.#move(this.#places * 2)
    const index = this.#index(this.#places++)
    this.#logs[index] = log
    const numbers = this.#numbers
    const at = index * FIELDS
    numbers[at + BEFORE] = log.newest
    numbers[at + OFFSET] = offset
    numbers[at + TIME] = time
    numbers[at + SIZE] = size
    numbers[at + TEXT] = text
    numbers[at + LENGTH] = length
  }

  /** Takes away the first place. */
  shift(): void {
    if (this.firstLog === undefined) this.#holes--
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
    return this.#numbers[this.#at(place) + OFFSET] as number
  }

  sizeAt(place: number): number {
    return this.#numbers[this.#at(place) + SIZE] as number
  }

  /** Where the text of that place is kept, or `NO_TEXT`. */
  textAt(place: number): number {
    return this.#numbers[this.#at(place) + TEXT] as number
  }

  lengthAt(place: number): number {
    return this.#numbers[this.#at(place) + LENGTH] as number
  }

  /** What was the newest of its path when that of this place came, whether it is there or not; 0 if none was. */
  beforeAt(place: number): number {
    return this.#numbers[this.#at(place) + BEFORE] as number
  }

  /** All texts are kept elsewhere now. @param moved is given where one was, and returns where it is. */
  moveTexts(moved: (text: number, length: number) => number): void {
    for (let place = 0; place < this.#places; place++) {
      const text = this.textAt(place)
      if (this.logAt(place) === undefined || text === NO_TEXT) continue
      this.#numbers[this.#at(place) + TEXT] = moved(text, this.lengthAt(place))
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
    return (this.#first + place) & (this.#logs.length - 1)
  }

  /** Where the numbers of a place begin. */
  #at(place: number): number {
    return this.#index(place) * FIELDS
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
    const numbers = new Float64Array(room * FIELDS)
    let places = 0
    for (let place = 0; place < this.#places; place++) {
      const log = this.logAt(place)
      if (log === undefined) continue
      const at = this.#at(place)
      numbers.set(this.#numbers.subarray(at, at + FIELDS), places * FIELDS)
      logs[places++] = log
    }
    this.#logs = logs
    this.#numbers = numbers
    this.#first = this.#holes = 0
    this.#places = places
  }
}

function emptyPlaces(room: number): (PathLog | undefined)[] {
  // filled, it has all of its room at once, and is not a sparse one that is slow
  return new Array<PathLog | undefined>(room).fill(undefined)
}
