/**
 * The updates that are retained, in the order in which they came. JSON about which nothing else was said, as most are, is
 * kept as its text and made an update again when it is read; others are kept as they are.
 * Invariant: each stands in the log of its path, and what is read is what was pushed.
 */
import type { Positions } from '@sapwood/core'
import { JSON_TYPE, NO_META, Update } from '@sapwood/core'
import { Arrivals, NO_TEXT } from './arrivals.ts'
import type { PathLog } from './path-log.ts'
import { Texts } from './texts.ts'

export class RetainedUpdates {
  readonly #positions: Positions
  readonly #arrivals = new Arrivals()
  #texts = new Texts()
  /** By offset: those that are more than their text. */
  readonly #others = new Map<number, Update>()
  /** What the update of an offset counts, which is here. */
  readonly sizeOf = (offset: number): number =>
    this.#arrivals.sizeAt(this.#arrivals.placeOf(offset))
  readonly #before = (offset: number): number =>
    this.#arrivals.beforeAt(this.#arrivals.placeOf(offset))
  #count = 0
  #bytes = 0

  /** @param positions knows where each of them stands. */
  constructor(positions: Positions) {
    this.#positions = positions
  }

  get count(): number {
    return this.#count
  }

  /** What they count together: as `Update.size` does, but the texts that are kept as bytes by these. */
  get bytes(): number {
    return this.#bytes
  }

  /** Are there more than `count`, or than `bytes`, or was the first place taken before a time? */
  exceeds(count: number, bytes: number, time: number): boolean {
    if (this.#count > count || this.#bytes > bytes) return true
    return this.#arrivals.places > 0 && this.#arrivals.firstTime < time
  }

  /** The offset of the first place, whether its update is there or not. */
  get firstOffset(): number {
    return this.#arrivals.firstOffset
  }

  push(log: PathLog, update: Update, time: number): void {
    const { offset, body } = update
    let { size } = update
    let text = NO_TEXT
    let length = 0
    if (typeof body === 'string' && update.type === JSON_TYPE && update.meta === NO_META) {
      text = this.#texts.keep(body)
      length = this.#texts.end - text
      size += length - body.length
    } else this.#others.set(offset, update)
    this.#arrivals.push(log, offset, time, size, text, length)
    log.push(offset, this.#arrivals.firstOffset)
    this.#count++
    this.#bytes += size
  }

  /** The update of an offset, which is here. */
  get(offset: number): Update {
    const arrivals = this.#arrivals
    const place = arrivals.placeOf(offset)
    const text = arrivals.textAt(place)
    if (text === NO_TEXT) return this.#others.get(offset) as Update
    const { path } = arrivals.logAt(place) as PathLog
    const message = { body: this.#texts.read(text, arrivals.lengthAt(place)), type: JSON_TYPE }
    return new Update(path, message, offset, this.#positions)
  }

  /** Calls `found` with the log, the offset and the size of each above `since`, in the order of offsets. */
  each(since: number, found: (log: PathLog, offset: number, size: number) => void): void {
    const arrivals = this.#arrivals
    for (let place = arrivals.placeOf(since + 1); place < arrivals.places; place++) {
      const log = arrivals.logAt(place)
      if (log !== undefined) found(log, arrivals.offsetAt(place), arrivals.sizeAt(place))
    }
  }

  /** How many there are of one path. */
  countOf(log: PathLog): number {
    const { firstOffset } = this.#arrivals
    log.list(firstOffset, this.#before)
    return log.count(firstOffset)
  }

  /** Adds to `found` the offsets of one path above `since`, as many as fill `bytes`. Returns how many there are. */
  collectAfter(log: PathLog, since: number, bytes: number, found: number[]): number {
    log.list(this.#arrivals.firstOffset, this.#before)
    return log.collectAfter(since, bytes, found, this.sizeOf)
  }

  /** Takes away the first place. Returns its log, if that has no update any more. */
  shift(): PathLog | undefined {
    const { firstLog, firstOffset } = this.#arrivals
    if (firstLog !== undefined) this.#drop(firstOffset, 0)
    this.#arrivals.shift()
    this.#tidy()
    return firstLog?.newest === firstOffset ? firstLog : undefined
  }

  /** Lets go of the oldest update of a path, which was written to just now. */
  takeOut(log: PathLog): void {
    const offset = log.shift()
    this.#drop(offset, this.#arrivals.placeOf(offset))
    this.#arrivals.takeOut(offset)
    this.#tidy()
  }

  #drop(offset: number, place: number): void {
    const arrivals = this.#arrivals
    const text = arrivals.textAt(place)
    if (text === NO_TEXT) this.#others.delete(offset)
    else this.#texts.drop(text, arrivals.lengthAt(place))
    this.#count--
    this.#bytes -= arrivals.sizeAt(place)
  }

  /** Where many left early, and few are left between them. */
  #tidy(): void {
    if (!this.#texts.isWasteful) return
    const kept = this.#texts
    const tidy = new Texts()
    this.#arrivals.moveTexts((text, length) => tidy.keepFrom(kept, text, length))
    this.#texts = tidy
  }
}
