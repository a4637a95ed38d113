/**
 * What all framings have in common that say the length of a frame in front of it: only the head differs.
 * Invariant: a length is refused as soon as its head is there, before one byte of the frame is waited for. The head
 * stays in the input until its frame is whole, so nothing has to be remembered between two calls.
 */
import type { FrameLimitOptions } from './frame-limit.ts'
import { FrameLimit } from './frame-limit.ts'
import type { Framer } from './framer.ts'
import { FRAME_CUT, FramingFault } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'
import { zeroedBytes } from './zeroed-bytes.ts'

/** What `Head.read` says if the head is not whole yet. */
export const MORE = -1
/** What it says of bytes that are no head. */
export const MALFORMED = -2

/** How a framing writes the length. */
export interface Head {
  /** The greatest length that it can say. */
  readonly most: number
  /** A byte behind every frame, if there is one. */
  readonly end?: number
  /** Bytes of the head that `read` or `prepare` saw last. */
  readonly size: number
  /** The length that the input begins with, or `MORE`, or `MALFORMED`. */
  read(input: InputBuffer): number
  /** Sets `size` to that of the head for `length`. */
  prepare(length: number): void
  /** Writes that head to the beginning of `bytes`. */
  write(bytes: Uint8Array, length: number): void
}

export class HeadFramer implements Framer<Uint8Array> {
  readonly #head: Head
  readonly #limit: FrameLimit
  readonly #ending: number
  /** Bytes of a frame that was too long and are still to come. */
  #skip = 0
  #fault: FramingFault | undefined

  constructor(head: Head, options: FrameLimitOptions) {
    this.#head = head
    this.#limit = new FrameLimit(options, head.most)
    this.#ending = head.end === undefined ? 0 : 1
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    if (this.#fault !== undefined) return this.#fault
    if (this.#skip > 0 && !this.#isSkipped(input)) return undefined
    const head = this.#head
    const length = head.read(input)
    if (length < 0) return length === MORE ? undefined : this.#malformed('its head is no length')
    if (length > this.#limit.bytes) return this.#tooLong(input, length)
    const behind = head.size + length
    if (input.length < behind + this.#ending) return undefined
    if (this.#ending > 0 && input.at(behind) !== head.end) {
      return this.#malformed('its end is not where its length says')
    }
    input.skip(head.size)
    const frame = input.take(length)
    input.skip(this.#ending)
    return frame
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const frame = this.decode(input)
    if (frame !== undefined) return frame
    if (input.length > 0) this.#fault = FRAME_CUT
    // what comes after the end is another datagram
    this.#skip = 0
    input.skip(input.length)
    return this.#fault
  }

  encode(frame: Uint8Array): Uint8Array {
    this.#limit.check(frame)
    const head = this.#head
    const { length } = frame
    head.prepare(length)
    const bytes = zeroedBytes(head.size + length + this.#ending)
    head.write(bytes, length)
    bytes.set(frame, head.size)
    if (head.end !== undefined) bytes[head.size + length] = head.end
    return bytes
  }

  #isSkipped(input: InputBuffer): boolean {
    const gone = Math.min(this.#skip, input.length)
    input.skip(gone)
    this.#skip -= gone
    return this.#skip === 0
  }

  #tooLong(input: InputBuffer, length: number): FramingFault {
    const { fault } = this.#limit
    if (fault.final) {
      this.#fault = fault
    } else {
      this.#skip = this.#head.size + length + this.#ending
      this.#isSkipped(input)
    }
    return fault
  }

  #malformed(why: string): FramingFault {
    const rest = 'where the next begins is unknown, so close and connect again'
    this.#fault = new FramingFault('FRAME_INVALID', `a frame is malformed: ${why}; ${rest}`, true)
    return this.#fault
  }
}
