/**
 * Frames between two marks, found again after any garbage: `prefix begin`, the frame with `nop` put behind every
 * `prefix` in it, `prefix end`.
 * Invariant: neither `begin`, `end` nor `nop` occurs in the prefix, so marks cannot overlap with each other, with the
 * frame or with what stands before them: a stray byte of the prefix never moves a frame by one.
 */
import { findSequence, LONGEST_SEQUENCE } from './byte-search.ts'
import type { FrameLimitOptions } from './frame-limit.ts'
import { checkOption, FrameLimit } from './frame-limit.ts'
import type { Framer } from './framer.ts'
import { FRAME_CUT, FramingFault } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'
import { zeroedBytes } from './zeroed-bytes.ts'

/** The three bytes are distinct, and none of them occurs in the prefix. */
export interface StuffingFramerOptions extends FrameLimitOptions {
  /** FF FF FF FF by default; 1 to 64 bytes. */
  readonly prefix?: Uint8Array
  /** FD by default. */
  readonly begin?: number
  /** FE by default. */
  readonly end?: number
  /** 00 by default. */
  readonly nop?: number
}

const GARBAGE = new FramingFault(
  'FRAME_GARBAGE',
  'bytes stand between the frames and were left out; check which program sends them',
  false,
  true,
)
const BROKEN_OFF = new FramingFault(
  'FRAME_CUT',
  'a frame began inside another, which was left out; send that one again',
  false,
)
const INVALID = new FramingFault(
  'FRAME_INVALID',
  'a prefix inside a frame is neither stuffed nor a mark; the frame was left out, send it again',
  false,
)

/** Byte stuffing (TN-20). Bytes between frames are left out and told of once, by a quiet fault. */
export class StuffingFramer implements Framer<Uint8Array> {
  readonly #prefix: Uint8Array
  readonly #begin: number
  readonly #end: number
  readonly #nop: number
  readonly #beginMark: Uint8Array
  readonly #limit: FrameLimit
  #isInside = false
  /** Garbage since the last frame was told of. */
  #isTold = false
  /** Inside a frame that was refused. */
  #skipping = false
  /** No mark and no stuffed prefix of the frame ends behind this absolute place. */
  #searched = 0
  /** Stuffed prefixes before that place. */
  #stuffed = 0
  #fault: FramingFault | undefined

  constructor(options: StuffingFramerOptions) {
    const {
      begin = 0xfd,
      end = 0xfe,
      nop = 0,
      prefix = Uint8Array.of(255, 255, 255, 255),
    } = options
    const marks = [begin, end, nop]
    checkOption(
      prefix.length > 0 && prefix.length <= LONGEST_SEQUENCE,
      `a prefix has 1 to ${LONGEST_SEQUENCE} bytes`,
    )
    checkOption(
      marks.every((mark) => Number.isInteger(mark) && mark >= 0 && mark <= 255),
      'begin, end and nop are bytes',
    )
    checkOption(
      new Set(marks).size === 3 && !marks.some((mark) => prefix.includes(mark)),
      'begin, end and nop are distinct and do not occur in the prefix',
    )
    this.#prefix = prefix.slice()
    this.#begin = begin
    this.#end = end
    this.#nop = nop
    this.#beginMark = Uint8Array.of(...prefix, begin)
    this.#limit = new FrameLimit(options)
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    while (this.#fault === undefined) {
      const frame = this.#isInside ? this.#frame(input) : this.#hunt(input)
      // a frame that has begun, or one left out that was told of before: look on
      if (frame !== null) return frame
    }
    return this.#fault
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const frame = this.decode(input)
    if (frame !== undefined) return frame
    const garbage = !this.#isInside && input.length > 0 && !this.#isTold
    input.skip(input.length)
    if (garbage) {
      this.#isTold = true
      return GARBAGE
    }
    if (this.#isInside && !this.#skipping) this.#fault = FRAME_CUT
    // what comes after the end is another datagram
    this.#isInside = false
    this.#isTold = false
    this.#skipping = false
    return this.#fault
  }

  encode(frame: Uint8Array): Uint8Array {
    this.#limit.check(frame)
    const prefix = this.#prefix
    const { length } = prefix
    let count = 0
    for (let at = this.#find(frame, 0); at >= 0; at = this.#find(frame, at + length)) count++
    const bytes = zeroedBytes(frame.length + count + 2 * (length + 1))
    bytes.set(this.#beginMark)
    let from = 0
    let to = length + 1
    for (let at = this.#find(frame, 0); at >= 0; at = this.#find(frame, from)) {
      bytes.set(frame.subarray(from, at + length), to)
      to += at + length - from
      bytes[to++] = this.#nop
      from = at + length
    }
    bytes.set(frame.subarray(from), to)
    bytes.set(prefix, bytes.length - length - 1)
    bytes[bytes.length - 1] = this.#end
    return bytes
  }

  /** Looks for the next begin mark. Null: it is there. */
  #hunt(input: InputBuffer): FramingFault | undefined | null {
    const at = input.find(this.#beginMark, 0)
    input.skip(at)
    if (at > 0 && !this.#isTold) {
      this.#isTold = true
      return GARBAGE
    }
    if (input.length < this.#beginMark.length) return undefined
    input.skip(this.#beginMark.length)
    this.#isInside = true
    this.#searched = input.taken
    this.#stuffed = 0
    return null
  }

  /** Looks for the end of the frame that the input begins with. Null: it was left out. */
  #frame(input: InputBuffer): Uint8Array | FramingFault | undefined | null {
    const { length } = this.#prefix
    for (;;) {
      const at = input.find(this.#prefix, this.#searched - input.taken)
      if (!this.#skipping && at - this.#stuffed > this.#limit.bytes) return this.#tooLong()
      this.#searched = input.taken + at
      if (this.#skipping) input.skip(at)
      const place = this.#searched - input.taken
      const mark = input.at(place + length)
      if (mark === undefined) return undefined
      if (mark === this.#nop) {
        this.#searched += length + 1
        this.#stuffed++
      } else if (this.#prefix.includes(mark)) {
        // the frame may end in a part of the prefix, and the true one stand a little further on
        this.#searched++
      } else {
        return this.#ended(input, place, mark)
      }
    }
  }

  /** The frame is over at `place`: by its end mark, by another frame, or by bytes that make no sense. */
  #ended(input: InputBuffer, place: number, mark: number): Uint8Array | FramingFault | null {
    const { length } = this.#prefix
    const wasSkipped = this.#skipping
    const bytes = input.take(place)
    this.#isInside = false
    this.#skipping = false
    // the rest of a malformed frame belongs to the frame that was told of
    this.#isTold = mark !== this.#begin && mark !== this.#end
    if (mark !== this.#begin) input.skip(length + 1)
    if (wasSkipped) return null
    if (mark === this.#end) return this.#stuffed === 0 ? bytes : this.#unstuffed(bytes)
    return mark === this.#begin ? BROKEN_OFF : INVALID
  }

  #unstuffed(bytes: Uint8Array): Uint8Array {
    const { length } = this.#prefix
    const frame = zeroedBytes(bytes.length - this.#stuffed)
    let from = 0
    let to = 0
    for (let at = this.#find(bytes, 0); at >= 0; ) {
      const end = at + length
      if (bytes[end] === this.#nop) {
        frame.set(bytes.subarray(from, end), to)
        to += end - from
        from = end + 1
      }
      at = this.#find(bytes, Math.max(from, at + 1))
    }
    frame.set(bytes.subarray(from), to)
    return frame
  }

  /** Where the whole prefix stands at or behind `from`, or -1. */
  #find(bytes: Uint8Array, from: number): number {
    const at = findSequence(bytes, this.#prefix, from)
    return at + this.#prefix.length <= bytes.length ? at : -1
  }

  /** What has come of the frame goes with the rest of it. */
  #tooLong(): FramingFault {
    const { fault } = this.#limit
    if (fault.final) this.#fault = fault
    this.#skipping = true
    return fault
  }
}
