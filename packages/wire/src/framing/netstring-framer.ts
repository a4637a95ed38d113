/**
 * Netstrings: `5:hello,`. The length in decimal digits, a colon, the frame, a comma
 * (https://cr.yp.to/proto/netstrings.txt).
 * Invariant: a length has no leading zero and at most fifteen digits, and is refused before its frame if it is over the
 * limit.
 */
import type { FrameLimitOptions } from './frame-limit.ts'
import type { Framer, FramingFault } from './framer.ts'
import type { Head } from './head-framer.ts'
import { HeadFramer, MALFORMED, MORE } from './head-framer.ts'
import type { InputBuffer } from './input-buffer.ts'

/** A netstring that is malformed is the last: where the next begins is unknown. */
export class NetstringFramer implements Framer<Uint8Array> {
  readonly #framer: HeadFramer

  constructor(options: FrameLimitOptions) {
    this.#framer = new HeadFramer(new DecimalHead(), options)
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    return this.#framer.decode(input)
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    return this.#framer.finish(input)
  }

  encode(frame: Uint8Array): Uint8Array {
    return this.#framer.encode(frame)
  }
}

const ZERO = 48
const NINE = 57
const COLON = 58
const COMMA = 44
/** So many decimal digits are counted without loss. */
const LONGEST = 15

class DecimalHead implements Head {
  readonly most: number = 10 ** LONGEST - 1
  readonly end = COMMA
  size = 0

  read(input: InputBuffer): number {
    let length = 0
    for (let i = 0; i <= LONGEST; i++) {
      const byte = input.at(i)
      if (byte === undefined) return MORE
      if (byte === COLON && i > 0) {
        this.size = i + 1
        return length
      }
      const isLeadingZero = length === 0 && i > 0
      if (byte < ZERO || byte > NINE || isLeadingZero) return MALFORMED
      length = length * 10 + byte - ZERO
    }
    return MALFORMED
  }

  prepare(length: number): void {
    this.size = 2
    for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) this.size++
  }

  write(bytes: Uint8Array, length: number): void {
    let rest = length
    let at = this.size - 1
    bytes[at--] = COLON
    for (; at >= 0; at--) {
      bytes[at] = ZERO + (rest % 10)
      rest = Math.floor(rest / 10)
    }
  }
}
