/**
 * Text up to a line with a single dot, as in SMTP, NNTP and POP3 (RFC 5321, section 4.5.2): lines that begin with a dot
 * travel with one more.
 * Invariant: a block ends at a dot between two CRLF, or at one that is its first line, and nowhere else: a bare LF or CR
 * is content and ends no line, so no message can be smuggled into another.
 */
import { SapwoodError } from '@sapwood/core'
import type { FrameLimitOptions } from './frame-limit.ts'
import { FrameLimit } from './frame-limit.ts'
import type { Framer, FramingFault } from './framer.ts'
import { FRAME_CUT } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'
import { zeroedBytes } from './zeroed-bytes.ts'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const DOT = 46

/**
 * Blocks of whole lines, each with its CRLF; the dots that were added on the way are gone. The limit is that of the
 * block without them.
 * @example
 * connection.receiveFramer = new DotBlockFramer({ limit: 10_000_000 })   // after DATA
 */
export class DotBlockFramer implements Framer<Uint8Array> {
  readonly #limit: FrameLimit
  /** The absolute place where the block began. */
  #begin = 0
  /** Whether `#begin` is that of a block, or none has begun. */
  #isInside = false
  /** No end of the block begins before this absolute place. */
  #searched = 0
  /** Added dots before that place. */
  #added = 0
  /** Inside a block that was too long, whose end has not come. */
  #skipping = false
  #fault: FramingFault | undefined

  constructor(options: FrameLimitOptions) {
    this.#limit = new FrameLimit(options)
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    while (this.#fault === undefined && input.length > 0) {
      if (!this.#isInside) this.#start(input)
      const from = this.#searched - input.taken
      const found = input.indexOf(DOT, from)
      const at = found < 0 ? input.length : found
      if (!this.#skipping && at - this.#added > this.#limit.bytes) return this.#tooLong()
      this.#searched = input.taken + at
      if (found < 0) {
        this.#forget(input)
        return undefined
      }
      if (!this.#isLineStart(input, at)) {
        this.#searched++
        continue
      }
      const next = input.at(at + 1)
      const last = input.at(at + 2)
      if (next === undefined || (next === CARRIAGE_RETURN && last === undefined)) {
        this.#forget(input)
        return undefined
      }
      if (next === CARRIAGE_RETURN && last === LINE_FEED) {
        const block = this.#block(input, at)
        if (block !== undefined) return block
      } else {
        this.#searched++
        this.#added++
      }
    }
    return this.#fault
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const block = this.decode(input)
    if (block !== undefined) return block
    if (input.length > 0 && !this.#skipping) this.#fault = FRAME_CUT
    // what comes after the end is another datagram
    this.#isInside = false
    this.#skipping = false
    input.skip(input.length)
    return this.#fault
  }

  encode(block: Uint8Array): Uint8Array {
    this.#limit.check(block)
    const count = countDots(block)
    const bytes = zeroedBytes(block.length + count + END.length)
    let from = 0
    let to = 0
    for (let at = lineDot(block, 0); at >= 0; at = lineDot(block, at + 1)) {
      bytes.set(block.subarray(from, at), to)
      to += at - from
      bytes[to++] = DOT
      from = at
    }
    bytes.set(block.subarray(from), to)
    bytes.set(END, bytes.length - END.length)
    return bytes
  }

  #start(input: InputBuffer): void {
    this.#isInside = true
    this.#begin = input.taken
    this.#searched = input.taken
    this.#added = 0
  }

  #isLineStart(input: InputBuffer, at: number): boolean {
    return input.taken + at === this.#begin || isLineEnd(input.at(at - 2), input.at(at - 1))
  }

  /** Takes the block that ends in front of `at`; undefined if it was too long. */
  #block(input: InputBuffer, at: number): Uint8Array | undefined {
    const bytes = input.take(at)
    input.skip(END.length)
    this.#isInside = false
    if (!this.#skipping) return this.#added === 0 ? bytes : this.#bare(bytes)
    this.#skipping = false
    return undefined
  }

  /** Without the dots that were added. */
  #bare(bytes: Uint8Array): Uint8Array {
    const block = zeroedBytes(bytes.length - this.#added)
    let from = 0
    let to = 0
    for (let at = lineDot(bytes, 0); at >= 0; at = lineDot(bytes, at + 1)) {
      block.set(bytes.subarray(from, at), to)
      to += at - from
      from = at + 1
    }
    block.set(bytes.subarray(from), to)
    return block
  }

  /** Of a block that was too long only the end of the line before is kept, to know where the next begins. */
  #forget(input: InputBuffer): void {
    if (this.#skipping) input.skip(Math.max(0, this.#searched - input.taken - 2))
  }

  #tooLong(): FramingFault {
    const { fault } = this.#limit
    if (fault.final) this.#fault = fault
    this.#skipping = true
    return fault
  }
}

const END = Uint8Array.of(DOT, CARRIAGE_RETURN, LINE_FEED)

/** The first dot at or behind `from` that begins a line, or -1. */
function lineDot(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(DOT, from)
  while (at > 0 && !isLineEnd(bytes[at - 2], bytes[at - 1])) at = bytes.indexOf(DOT, at + 1)
  return at
}

function isLineEnd(first: number | undefined, second: number | undefined): boolean {
  return first === CARRIAGE_RETURN && second === LINE_FEED
}

/**
 * How many lines begin with a dot. Some read a bare CR or LF as the end of a line: what they would take for a dot line
 * must not be sent.
 */
function countDots(block: Uint8Array): number {
  let dots = 0
  let last = LINE_FEED
  for (let at = 0; at < block.length; at++) {
    const byte = block[at] as number
    if ((byte === LINE_FEED) !== (last === CARRIAGE_RETURN)) throw invalid()
    if (byte === DOT && last === LINE_FEED) dots++
    last = byte
  }
  if (last !== LINE_FEED) throw invalid()
  return dots
}

function invalid(): SapwoodError {
  return new SapwoodError(
    'FRAME_INVALID',
    'a block is made of lines that end in CRLF, with no other CR or LF; convert the text first',
  )
}
