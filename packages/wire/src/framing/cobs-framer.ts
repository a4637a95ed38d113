/**
 * COBS frames, each ended by a zero byte.
 * Invariant: a frame that is corrupt, cut off or too long costs that frame only: behind the next zero a new one begins.
 */
import type { FullCode } from './cobs.ts'
import { cobsDecoded, cobsEncoded, cobsLength, cobsMost, PLAIN, ZERO_PAIRS } from './cobs.ts'
import type { FrameLimitOptions } from './frame-limit.ts'
import { FrameLimit } from './frame-limit.ts'
import type { Framer } from './framer.ts'
import { FRAME_CUT, FramingFault } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'

export interface CobsFramerOptions extends FrameLimitOptions {
  /** Whether both ends speak the variant with codes for pairs of zeros. */
  readonly zeroPairs?: boolean
}

const CORRUPT = new FramingFault(
  'FRAME_INVALID',
  'the blocks of a COBS frame do not end at its zero byte; it was left out, send it again',
  false,
)

/** Consistent Overhead Byte Stuffing (TN-21). */
export class CobsFramer implements Framer<Uint8Array> {
  readonly #full: FullCode
  readonly #limit: FrameLimit
  /** The longest frame, encoded. */
  readonly #most: number
  /** No zero stands before this absolute place. */
  #searched = 0
  /** Inside a frame that was too long, whose zero has not come. */
  #skipping = false
  #fault: FramingFault | undefined

  constructor(options: CobsFramerOptions) {
    this.#full = options.zeroPairs === true ? ZERO_PAIRS : PLAIN
    this.#limit = new FrameLimit(options)
    this.#most = cobsMost(this.#limit.bytes, this.#full)
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    if (this.#fault !== undefined) return this.#fault
    for (;;) {
      const end = input.indexOf(0, Math.max(0, this.#searched - input.taken))
      if (end < 0) {
        this.#searched = input.taken + input.length
        return this.#waiting(input)
      }
      if (!this.#skipping) return this.#frame(input, end)
      this.#skipping = false
      input.skip(end + 1)
    }
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const frame = this.decode(input)
    if (frame !== undefined) return frame
    if (input.length > 0) this.#fault = FRAME_CUT
    // what comes after the end is another datagram
    this.#skipping = false
    input.skip(input.length)
    return this.#fault
  }

  encode(frame: Uint8Array): Uint8Array {
    this.#limit.check(frame)
    return cobsEncoded(frame, this.#full)
  }

  #frame(input: InputBuffer, end: number): Uint8Array | FramingFault {
    const blocks = input.take(end)
    input.skip(1)
    if (end > this.#most) return this.#tooLong()
    const length = cobsLength(blocks, this.#full)
    if (length < 0) return CORRUPT
    if (length > this.#limit.bytes) return this.#tooLong()
    return cobsDecoded(blocks, length, this.#full)
  }

  /** No zero is there yet: is there room to wait for one? */
  #waiting(input: InputBuffer): FramingFault | undefined {
    const { length } = input
    if (!this.#skipping && length <= this.#most) return undefined
    input.skip(length)
    if (this.#skipping) return undefined
    this.#skipping = true
    return this.#tooLong()
  }

  #tooLong(): FramingFault {
    const { fault } = this.#limit
    if (fault.final) this.#fault = fault
    return fault
  }
}
