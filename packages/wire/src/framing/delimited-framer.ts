/**
 * Frames that end in a given sequence of bytes, which is not part of them.
 * Invariant: what `encode` sends is cut at its own end and nowhere before; of a frame over the limit nothing comes out
 * but one fault, and no more than the limit, the delimiter and one chunk is ever held.
 */
import { SapwoodError } from '@sapwood/core'
import { findSequence, LONGEST_SEQUENCE } from './byte-search.ts'
import type { FrameLimitOptions } from './frame-limit.ts'
import { checkOption, FrameLimit } from './frame-limit.ts'
import type { Framer, FramingFault } from './framer.ts'
import { FRAME_CUT } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'
import { zeroedBytes } from './zeroed-bytes.ts'

/** The limit is that of a frame without its delimiter. */
export interface DelimitedFramerOptions extends FrameLimitOptions {
  /** What ends a frame, 1 to 64 bytes. */
  readonly delimiter: Uint8Array
}

/**
 * Frames between delimiters. Unlike a line, a frame whose delimiter did not come is cut, not the last.
 * @example
 * new DelimitedFramer({ delimiter: Uint8Array.of(0), limit: 4_096 })
 */
export class DelimitedFramer implements Framer<Uint8Array> {
  readonly #delimiter: Uint8Array
  readonly #limit: FrameLimit
  /** No delimiter begins before this absolute place. */
  #searched = 0
  /** Inside a frame that was too long, whose delimiter has not come. */
  #skipping = false
  #fault: FramingFault | undefined

  constructor(options: DelimitedFramerOptions) {
    const { delimiter } = options
    checkOption(
      delimiter.length > 0 && delimiter.length <= LONGEST_SEQUENCE,
      `a delimiter has 1 to ${LONGEST_SEQUENCE} bytes`,
    )
    this.#delimiter = delimiter.slice()
    this.#limit = new FrameLimit(options)
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    if (this.#fault !== undefined) return this.#fault
    for (;;) {
      const from = Math.max(0, this.#searched - input.taken)
      const end = input.find(this.#delimiter, from)
      const isWhole = end + this.#delimiter.length <= input.length
      this.#searched = input.taken + end
      if (this.#skipping) {
        input.skip(end)
        if (!isWhole) return undefined
        this.#skipping = false
        input.skip(this.#delimiter.length)
      } else if (end > this.#limit.bytes) {
        return this.#tooLong()
      } else {
        return isWhole ? this.#frame(input, end) : undefined
      }
    }
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const frame = this.decode(input)
    if (frame !== undefined) return frame
    if (input.length > 0 && !this.#skipping) this.#fault = FRAME_CUT
    // what comes after the end is another datagram
    this.#skipping = false
    input.skip(input.length)
    return this.#fault
  }

  encode(frame: Uint8Array): Uint8Array {
    this.#limit.check(frame)
    const bytes = zeroedBytes(frame.length + this.#delimiter.length)
    bytes.set(frame)
    bytes.set(this.#delimiter, frame.length)
    // in the frame, or across its end: "a" before "aa" would end too early
    if (findSequence(bytes, this.#delimiter, 0) < frame.length) {
      throw new SapwoodError(
        'FRAME_INVALID',
        'the frame holds its own delimiter, or ends in the beginning of it; use another framing',
      )
    }
    return bytes
  }

  #frame(input: InputBuffer, length: number): Uint8Array {
    const frame = input.take(length)
    input.skip(this.#delimiter.length)
    return frame
  }

  /** What has come of the frame goes with the rest of it, when that is found. */
  #tooLong(): FramingFault {
    const { fault } = this.#limit
    if (fault.final) this.#fault = fault
    this.#skipping = true
    return fault
  }
}
