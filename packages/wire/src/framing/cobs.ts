/**
 * Consistent Overhead Byte Stuffing: bytes without zeros for any bytes, so that a zero can end a frame (Cheshire and
 * Baker, "Consistent Overhead Byte Stuffing", 1999).
 * A block is a code and the bytes that it counts. With `full` as the code of the longest block, a lower code stands for
 * bytes and a zero, `full` for bytes and none, and a higher one, in the zero-pair variant, for bytes and two zeros.
 * Invariant: the last zero of the last block is not content; an encoder counts on it, a decoder drops it.
 */
import { zeroedBytes } from './zeroed-bytes.ts'

/** The code of the longest block, which has no zero behind it. */
export type FullCode = typeof PLAIN | typeof ZERO_PAIRS
/** The common form: blocks of up to 254 bytes. */
export const PLAIN = 255
/** The zero-pair variant: blocks of up to 223 bytes, and 31 codes for up to 30 bytes before two zeros. */
export const ZERO_PAIRS = 224

/** The most bytes that `length` bytes become, without the zero that ends the frame. */
export function cobsMost(length: number, full: FullCode): number {
  return length + Math.floor(length / (full - 1)) + 1
}

/** How many bytes `blocks` stand for, or -1 if the last block is cut off or there is none. */
export function cobsLength(blocks: Uint8Array, full: FullCode): number {
  let at = 0
  let length = 0
  let zeros = 0
  while (at < blocks.length) {
    const code = blocks[at] as number
    const count = code <= full ? code - 1 : code - full - 1
    zeros = zerosBehind(code, full)
    at += count + 1
    length += count + zeros
  }
  if (at !== blocks.length || at === 0) return -1
  return zeros === 0 ? length : length - 1
}

/** The `length` bytes that `blocks` stand for, as `cobsLength` has found. */
export function cobsDecoded(blocks: Uint8Array, length: number, full: FullCode): Uint8Array {
  // one block has its bytes in a row already
  if (blocks[0] === blocks.length && blocks.length <= full) return blocks.subarray(1)
  const bytes = zeroedBytes(length)
  let to = 0
  for (let at = 0; at < blocks.length; ) {
    const code = blocks[at++] as number
    const count = code <= full ? code - 1 : code - full - 1
    copy(blocks, at, count, bytes, to)
    at += count
    to += count + zerosBehind(code, full)
  }
  return bytes
}

/** The blocks for `bytes`, and the zero that ends the frame. */
export function cobsEncoded(bytes: Uint8Array, full: FullCode): Uint8Array {
  const { length } = bytes
  const blocks = zeroedBytes(cobsMost(length, full) + 1)
  let to = 0
  for (let at = 0; at <= length; ) {
    const end = zeroFrom(bytes, at, Math.min(length, at + full - 1))
    const count = end - at
    let code = count + 1
    let zeros = 1
    if (code === full) zeros = 0
    else if (full === ZERO_PAIRS && hasPair(bytes, end, code)) {
      code += full
      zeros = 2
    }
    blocks[to++] = code
    copy(bytes, at, count, blocks, to)
    to += count
    at = end + zeros
  }
  return blocks.subarray(0, to + 1)
}

/** From so many bytes on a search or a copy by the engine is faster than a loop. */
const FEW = 32

/** Where the first zero stands from `at` on, or `end`. */
function zeroFrom(bytes: Uint8Array, at: number, end: number): number {
  const near = Math.min(end, at + FEW)
  let to = at
  while (to < near && bytes[to] !== 0) to++
  if (to < near || to === end) return to
  const found = bytes.subarray(to, end).indexOf(0)
  return found < 0 ? end : to + found
}

function copy(from: Uint8Array, at: number, count: number, into: Uint8Array, to: number): void {
  if (count > FEW) into.set(from.subarray(at, at + count), to)
  else for (let i = 0; i < count; i++) into[to + i] = from[at + i] as number
}

/** The most bytes before a pair of zeros, and the code. */
const PAIR_BLOCK = 31

/** Whether the zero at `at` has another one behind it, the last of all included, and the block is short enough. */
function hasPair(bytes: Uint8Array, at: number, size: number): boolean {
  const isZero = at + 1 < bytes.length ? bytes[at + 1] === 0 : at + 1 === bytes.length
  return isZero && size <= PAIR_BLOCK
}

function zerosBehind(code: number, full: FullCode): number {
  if (code < full) return 1
  return code === full ? 0 : 2
}
