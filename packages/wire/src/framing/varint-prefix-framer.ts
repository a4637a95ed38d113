/**
 * Frames behind their length as a varint: seven bits a byte, the lowest first, the top bit set on all but the last
 * (unsigned LEB128, as in delimited protobuf).
 * Invariant: a length is at most eight bytes, and refused before its frame if it is over the limit.
 */
import type { FrameLimitOptions } from './frame-limit.ts'
import type { Framer, FramingFault } from './framer.ts'
import type { Head } from './head-framer.ts'
import { HeadFramer, MALFORMED, MORE } from './head-framer.ts'
import type { InputBuffer } from './input-buffer.ts'

/** Varint length prefix. Needless leading zeros in a varint are tolerated, not sent. */
export class VarintPrefixFramer implements Framer<Uint8Array> {
  readonly #framer: HeadFramer

  constructor(options: FrameLimitOptions) {
    this.#framer = new HeadFramer(new VarintHead(), options)
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

const LONGEST = 8
const GOES_ON = 128

class VarintHead implements Head {
  readonly most: number = Number.MAX_SAFE_INTEGER
  size = 0

  read(input: InputBuffer): number {
    let length = 0
    let unit = 1
    for (let i = 0; i < LONGEST; i++) {
      const byte = input.at(i)
      if (byte === undefined) return MORE
      length += (byte % GOES_ON) * unit
      if (byte < GOES_ON) {
        this.size = i + 1
        return length > Number.MAX_SAFE_INTEGER ? MALFORMED : length
      }
      unit *= GOES_ON
    }
    return MALFORMED
  }

  prepare(length: number): void {
    this.size = 1
    for (let rest = length; rest >= GOES_ON; rest = Math.floor(rest / GOES_ON)) this.size++
  }

  write(bytes: Uint8Array, length: number): void {
    let rest = length
    let at = 0
    for (; rest >= GOES_ON; rest = Math.floor(rest / GOES_ON)) {
      bytes[at++] = GOES_ON + (rest % GOES_ON)
    }
    bytes[at] = rest
  }
}
