/**
 * Lines that end in LF or CRLF; the end is not part of the line, an empty line is a line.
 * Invariant: a line within the limit comes out whole; of a longer one nothing comes out but one fault, and no more
 * than the limit and one chunk is ever held.
 */
import { SapwoodError } from '@sapwood/core'
import type { Framer } from './framer.ts'
import { FramingFault } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13

export interface LineFramerOptions {
  /** The longest line, in bytes without its end. */
  readonly limit: number
  /** What follows a longer one: nothing can be read any more, or the line is left out and reading goes on. */
  readonly tooLong?: 'error' | 'skip'
  /** What `encode` ends lines with. */
  readonly end?: '\n' | '\r\n'
}

export class LineFramer implements Framer<Uint8Array> {
  readonly #limit: number
  readonly #skip: boolean
  readonly #end: Uint8Array
  /** No line end stands before this absolute place. */
  #searched = 0
  /** Inside a line that was too long, whose end has not come. */
  #skipping = false
  #fault: FramingFault | undefined

  constructor({ limit, tooLong = 'error', end = '\n' }: LineFramerOptions) {
    this.#limit = limit
    this.#skip = tooLong === 'skip'
    this.#end = end === '\n' ? Uint8Array.of(LINE_FEED) : Uint8Array.of(CARRIAGE_RETURN, LINE_FEED)
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    if (this.#fault?.final) return this.#fault
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
    if (frame !== undefined || input.length === 0) return frame
    return this.#line(input, input.length, 0)
  }

  encode(line: Uint8Array): Uint8Array {
    if (line.length > this.#limit) {
      throw new SapwoodError('LINE_TOO_LONG', `a line may have ${this.#limit} bytes`)
    }
    if (line.includes(LINE_FEED) || line.at(-1) === CARRIAGE_RETURN) {
      throw new SapwoodError('LINE_INVALID', 'a line holds no line end; send it as two lines')
    }
    const bytes = new Uint8Array(line.length + this.#end.length)
    bytes.set(line)
    bytes.set(this.#end, line.length)
    return bytes
  }

  /** Takes the line of `length` bytes and the `more` bytes of its end. */
  #line(input: InputBuffer, length: number, more: number): Uint8Array | FramingFault {
    const bare = length - (input.at(length - 1) === CARRIAGE_RETURN ? 1 : 0)
    if (bare > this.#limit) {
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
    if (this.#skipping) input.skip(length)
    // one byte more may be the CR of its end
    else if (
      length > this.#limit + 1 ||
      (length > this.#limit && input.at(length - 1) !== CARRIAGE_RETURN)
    ) {
      input.skip(length)
      this.#skipping = true
      return this.#tooLong()
    }
    return undefined
  }

  #tooLong(): FramingFault {
    this.#fault ??= new FramingFault(
      'LINE_TOO_LONG',
      `a line has more than ${this.#limit} bytes; send shorter lines or raise the limit`,
      !this.#skip,
    )
    return this.#fault
  }
}
