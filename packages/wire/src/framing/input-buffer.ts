/**
 * What a connection has received and nobody has taken yet. It belongs to the connection, not to a framer: when the
 * framer is switched, even in the middle of a packet, the next one goes on at the same byte.
 * Invariant: bytes that were taken never change, so a taken frame may be kept without a copy.
 */
import { findSequence } from './byte-search.ts'

/** Room that is made at least when a second chunk has to join a first. */
const LEAST = 256
const NOTHING = new Uint8Array(0)

export class InputBuffer {
  readonly #allocate: (size: number) => Uint8Array
  /** Where chunks are joined: it begins with `#bytes`, and has spare room behind them. */
  #room: Uint8Array = NOTHING
  /** What was received, without the spare room: that is neither searched nor seen. */
  #bytes: Uint8Array = NOTHING
  /** Where in it the bytes begin that wait. */
  #start = 0
  #taken = 0

  /**
   * @param allocate makes room where chunks have to be joined, of any content. On Node `Buffer.allocUnsafeSlow` is
   *   the better one: it need not be cleared, and a Buffer is searched several times as fast.
   */
  constructor(allocate: (size: number) => Uint8Array = (size) => new Uint8Array(size)) {
    this.#allocate = allocate
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#bytes.length - this.#start
  }

  /** Bytes taken or skipped since the beginning: the absolute place of the first byte that waits. */
  get taken(): number {
    return this.#taken
  }

  /** Adds what was received. The chunk must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.length === 0) {
      // a chunk of the caller has no room behind its end, so it is never written to
      this.#room = chunk
      this.#bytes = chunk
      return
    }
    if (this.#bytes.length + chunk.length > this.#room.length) this.#grow(chunk.length)
    const end = this.#bytes.length
    this.#room.set(chunk, end)
    this.#bytes = this.#room.subarray(0, end + chunk.length)
  }

  /** The byte at `index`, counted from the first that waits; undefined before it and behind the last. */
  at(index: number): number | undefined {
    return index < 0 ? undefined : this.#bytes[this.#start + index]
  }

  /** Where `byte` first stands at or behind `from`, or -1. */
  indexOf(byte: number, from = 0): number {
    const found = this.#bytes.indexOf(byte, this.#start + from)
    return found < 0 ? -1 : found - this.#start
  }

  /** Where `sequence` first stands at or behind `from`, whole or cut by the end of the bytes; `length` if nowhere. */
  find(sequence: Uint8Array, from: number): number {
    return findSequence(this.#bytes, sequence, this.#start + from) - this.#start
  }

  /** Takes the first `count` bytes, at most `length`. */
  take(count: number): Uint8Array {
    const taken = this.#bytes.subarray(this.#start, this.#start + count)
    this.skip(count)
    return taken
  }

  /** Forgets the first `count` bytes, at most `length`. */
  skip(count: number): void {
    const skipped = Math.min(count, this.length)
    this.#taken += skipped
    this.#start += skipped
    if (this.#start < this.#bytes.length) return
    // an idle connection holds nothing
    this.#room = NOTHING
    this.#bytes = NOTHING
    this.#start = 0
  }

  #grow(more: number): void {
    const { length } = this
    // twice as much where small chunks add up; just enough where little is left in front of a large one
    const size = length > more ? (length + more) * 2 : length + more
    this.#room = this.#allocate(Math.max(LEAST, size))
    this.#room.set(this.#bytes.subarray(this.#start))
    this.#bytes = this.#room.subarray(0, length)
    this.#start = 0
  }
}
