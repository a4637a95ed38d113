/**
 * Lines that end in LF or CRLF; the end is not part of the line, an empty line is a line.
 * Invariant: a line within the limit comes out whole; of a longer one nothing comes out but one fault, and no more
 * than the limit and one chunk is ever held.
 */
import { SapwoodError } from '@sapwood/core'
import type { FrameLimitOptions } from './frame-limit.ts'
import { checkOption, FrameLimit } from './frame-limit.ts'
import type { Framer, FramingFault } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'
import { zeroedBytes } from './zeroed-bytes.ts'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** The limit is that of a line without its end. */
export interface LineFramerOptions extends FrameLimitOptions {
  /** Whether a CR before LF belongs to the end of the line, as it does by default, or to the line. */
  readonly carriageReturn?: boolean
  /** What `encode` ends lines with: LF by default. */
  readonly end?: '\n' | '\r\n'
}

/** Text lines; the last one needs no end. (TN-18) */
export class LineFramer implements Framer<Uint8Array> {
  readonly #limit: FrameLimit
  readonly #isEnd: boolean
  readonly #end: Uint8Array
  /** No line end stands before this absolute place. */
  #searched = 0
  /** Inside a line that was too long, whose end has not come. */
  #skipping = false
  #fault: FramingFault | undefined

  constructor(options: LineFramerOptions) {
    const { carriageReturn = true, end = '\n' } = options
    checkOption(carriageReturn || end === '\n', 'a CR that is part of the line cannot end it')
    this.#limit = new FrameLimit(options, Infinity, 'line')
    this.#isEnd = carriageReturn
    this.#end = end === '\n' ? Uint8Array.of(LINE_FEED) : Uint8Array.of(CARRIAGE_RETURN, LINE_FEED)
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    if (this.#fault !== undefined) return this.#fault
    for (;;) {
      const end = input.indexOf(LINE_FEED, Math.max(0, this.#searched - input.taken))
      if (end < 0) {
        this.#searched = input.taken + input.length
        return this.#waiting(input)
      }
      if (!this.#skipping) return this.#line(input, end, 1)
      this.#skipping = false
      input.skip(end + 1)
    }
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const frame = this.decode(input)
    if (frame !== undefined) return frame
    // what comes after the end is another datagram
    this.#skipping = false
    return input.length === 0 ? undefined : this.#line(input, input.length, 0)
  }

  encode(line: Uint8Array): Uint8Array {
    this.#limit.check(line)
    if (line.includes(LINE_FEED) || (this.#isEnd && line.at(-1) === CARRIAGE_RETURN)) {
      throw new SapwoodError('LINE_INVALID', 'a line holds no line end; send it as two lines')
    }
    const bytes = zeroedBytes(line.length + this.#end.length)
    bytes.set(line)
    bytes.set(this.#end, line.length)
    return bytes
  }

  /** Takes the line of `length` bytes and the `more` bytes of its end. */
  #line(input: InputBuffer, length: number, more: number): Uint8Array | FramingFault {
    const bare = length - (this.#hasReturn(input, length) ? 1 : 0)
    if (bare > this.#limit.bytes) {
      input.skip(length + more)
      return this.#tooLong()
    }
    const line = input.take(bare)
    input.skip(length - bare + more)
    return line
  }

  /** No line end is there yet: is there room to wait for one? */
  #waiting(input: InputBuffer): FramingFault | undefined {
    const { length } = input
    if (this.#skipping) {
      input.skip(length)
      return undefined
    }
    // the byte over the limit may be the CR of its end
    const over = length - this.#limit.bytes
    if (over <= 0 || (over === 1 && this.#hasReturn(input, length))) return undefined
    input.skip(length)
    this.#skipping = true
    return this.#tooLong()
  }

  /** Whether the last of the first `length` bytes is a CR that belongs to the end. */
  #hasReturn(input: InputBuffer, length: number): boolean {
    return this.#isEnd && input.at(length - 1) === CARRIAGE_RETURN
  }

  #tooLong(): FramingFault {
    const { fault } = this.#limit
    if (fault.final) this.#fault = fault
    return fault
  }
}
