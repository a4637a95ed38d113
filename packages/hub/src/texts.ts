/**
 * Texts that stay for minutes, as bytes outside of V8's heap, in the order in which they came: a hundred thousand of them
 * are nothing for its collector to look at or to move, and none keeps the longer text that it was cut from.
 * Invariant: what is held is at most twice what the texts take, and `SPARE`; where it is more, `isWasteful` says so.
 */

/** Bytes that many texts share. */
const SEGMENT = 256 * 1024
/** A longer text has a segment of its own. */
const LONG = SEGMENT / 8
/** Bytes held for nothing that are no waste: of the oldest segment, the newest, and one that is kept to be filled again. */
const SPARE = 4 * SEGMENT

class Segment {
  readonly number: number
  readonly bytes: Buffer
  /** Where the next text begins. */
  end = 0
  /** How many texts are here still. */
  texts = 0

  constructor(number: number, bytes: Buffer) {
    this.number = number
    this.bytes = bytes
  }
}

export class Texts {
  /** By number. A place is that, times `SEGMENT`, and where in the segment the text begins. */
  readonly #segments = new Map<number, Segment>()
  #number = 0
  /** The one that is filled now. */
  #open: Segment | undefined
  /** Room that was emptied, to be filled again. */
  #emptied: Buffer | undefined
  /** Bytes of all segments. */
  #held = 0
  /** Bytes of all texts. */
  #used = 0
  #end = 0

  /** The place behind the text that was kept last: its length is from its place to here. */
  get end(): number {
    return this.#end
  }

  /** Is so much held for nothing that all that is left had better be kept anew? */
  get isWasteful(): boolean {
    return this.#held > this.#used * 2 + SPARE
  }

  /** Keeps `text`, and returns its place. */
  keep(text: string): number {
    // three bytes a character are enough for any text: most need not be measured
    const segment = this.#fits(text.length * 3) ?? this.#withRoom(Buffer.byteLength(text))
    return this.#kept(segment, segment.bytes.write(text, segment.end))
  }

  /** Keeps the bytes that `other` has at `place`, and returns where. */
  keepFrom(other: Texts, place: number, length: number): number {
    const from = other.#at(place)
    const start = startIn(from, place)
    const segment = this.#withRoom(length)
    from.bytes.copy(segment.bytes, segment.end, start, start + length)
    return this.#kept(segment, length)
  }

  /** The text of so many bytes at a place. */
  read(place: number, length: number): string {
    const segment = this.#at(place)
    const start = startIn(segment, place)
    return segment.bytes.toString('utf8', start, start + length)
  }

  /** Lets go of the text of so many bytes at a place. */
  drop(place: number, length: number): void {
    const segment = this.#at(place)
    this.#used -= length
    if (--segment.texts === 0 && segment !== this.#open) this.#forget(segment)
  }

  #at(place: number): Segment {
    return this.#segments.get(Math.floor(place / SEGMENT)) as Segment
  }

  /** The open segment, if so many bytes fit into it. */
  #fits(length: number): Segment | undefined {
    const open = this.#open
    return open !== undefined && open.end + length <= SEGMENT ? open : undefined
  }

  #withRoom(length: number): Segment {
    const open = this.#fits(length)
    if (open !== undefined) return open
    if (length > LONG) return this.#begin(Buffer.allocUnsafeSlow(length))
    const bytes = this.#emptied ?? Buffer.allocUnsafeSlow(SEGMENT)
    this.#emptied = undefined
    this.#open = this.#begin(bytes)
    return this.#open
  }

  #begin(bytes: Buffer): Segment {
    const segment = new Segment(++this.#number, bytes)
    this.#segments.set(segment.number, segment)
    this.#held += bytes.length
    return segment
  }

  /** Notes a text that was written at the end of a segment, and returns its place. */
  #kept(segment: Segment, length: number): number {
    const place = segment.number * SEGMENT + segment.end
    segment.end += length
    segment.texts++
    this.#used += length
    this.#end = place + length
    return place
  }

  /** Of a segment nothing is left. */
  #forget({ number, bytes }: Segment): void {
    this.#segments.delete(number)
    this.#held -= bytes.length
    if (bytes.length === SEGMENT) this.#emptied = bytes
  }
}

/** Where the text of a place begins among the bytes of its segment. */
function startIn({ number }: Segment, place: number): number {
  return place - number * SEGMENT
}
