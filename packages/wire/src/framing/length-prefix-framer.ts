/**
 * Frames behind their length, an integer of fixed size in either byte order.
 * Invariant: a negative length and one over the limit are refused when the integer is there.
 */
import type { FrameLimitOptions } from './frame-limit.ts'
import { checkOption } from './frame-limit.ts'
import type { Framer, FramingFault } from './framer.ts'
import type { Head } from './head-framer.ts'
import { HeadFramer, MALFORMED, MORE } from './head-framer.ts'
import type { InputBuffer } from './input-buffer.ts'

export interface LengthPrefixFramerOptions extends FrameLimitOptions {
  /** Bytes of the integer. */
  readonly size: 1 | 2 | 4 | 8
  readonly endian: 'big' | 'little'
  /** Whether peers read the integer as signed, so that its upper half is no length. */
  readonly signed?: boolean
  /** Pad bytes before and behind the integer: sent as zeros, not looked at on receipt. */
  readonly padBefore?: number
  readonly padBehind?: number
}

/**
 * Length prefix. The length is that of the frame alone. (TN-19)
 * @example
 * new LengthPrefixFramer({ size: 2, endian: 'big', limit: 65_535 })   // DNS over TCP
 */
export class LengthPrefixFramer implements Framer<Uint8Array> {
  readonly #framer: HeadFramer

  constructor(options: LengthPrefixFramerOptions) {
    this.#framer = new HeadFramer(new IntegerHead(options), options)
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

const LONGEST_PAD = 64

class IntegerHead implements Head {
  readonly size: number
  readonly most: number
  readonly #isSigned: boolean
  /** Where the bytes of the integer stand: the most significant one, and the step to the next lower. */
  readonly #first: number
  readonly #step: number
  readonly #bytes: number

  constructor(options: LengthPrefixFramerOptions) {
    const { size, endian, signed = false, padBefore = 0, padBehind = 0 } = options
    checkOption([1, 2, 4, 8].includes(size), 'size is 1, 2, 4 or 8 bytes')
    checkOption(endian === 'big' || endian === 'little', 'endian is "big" or "little"')
    for (const pad of [padBefore, padBehind]) {
      const isGood = Number.isInteger(pad) && pad >= 0 && pad <= LONGEST_PAD
      checkOption(isGood, `there are 0 to ${LONGEST_PAD} pad bytes`)
    }
    this.size = padBefore + size + padBehind
    this.most = Math.min(2 ** (8 * size - (signed ? 1 : 0)) - 1, Number.MAX_SAFE_INTEGER)
    this.#isSigned = signed
    this.#bytes = size
    this.#first = endian === 'big' ? padBefore : padBefore + size - 1
    this.#step = endian === 'big' ? 1 : -1
  }

  read(input: InputBuffer): number {
    if (input.length < this.size) return MORE
    let at = this.#first
    let length = input.at(at) as number
    if (this.#isSigned && length > 127) return MALFORMED
    for (let i = 1; i < this.#bytes; i++) {
      at += this.#step
      length = length * 256 + (input.at(at) as number)
    }
    // beyond 2^53 not even a skip could be counted
    return length > Number.MAX_SAFE_INTEGER ? MALFORMED : length
  }

  prepare(): void {
    // always of the same size
  }

  write(bytes: Uint8Array, length: number): void {
    let rest = length
    let at = this.#first + this.#step * (this.#bytes - 1)
    for (let i = 0; i < this.#bytes; i++) {
      bytes[at] = rest % 256
      rest = Math.floor(rest / 256)
      at -= this.#step
    }
  }
}
