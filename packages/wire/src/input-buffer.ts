/**
 * What a connection has received and nobody has taken yet. It belongs to the connection, not to a framer: when the
 * framer is switched, even in the middle of a packet, the next one goes on at the same byte.
 * Invariant: bytes that were taken never change, so a taken frame may be kept without a copy.
 */

/** Room that is made at least when a second chunk has to join a first. */
const LEAST = 256

export class InputBuffer {
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  #taken = 0

  /** Bytes that wait. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Bytes taken or skipped since the beginning: the absolute place of the first byte that waits. */
  get taken(): number {
    return this.#taken
  }

  /** Adds what was received. The chunk must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.length === 0) {
      this.#bytes = chunk
      this.#start = 0
      this.#end = chunk.length
      return
    }
    // a chunk of the caller has no room behind its end, so it is never written to
    if (this.#end + chunk.length > this.#bytes.length) this.#grow(chunk.length)
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** The byte at `index`, counted from the first that waits; undefined behind the last. */
  at(index: number): number | undefined {
    return index < this.length ? this.#bytes[this.#start + index] : undefined
  }

  /** Where `byte` first stands at or behind `from`, or -1. */
  indexOf(byte: number, from = 0): number {
    const found = this.#bytes.indexOf(byte, this.#start + from)
    return found < 0 || found >= this.#end ? -1 : found - this.#start
  }

  /** Takes the first `count` bytes, at most `length`. */
  take(count: number): Uint8Array {
    const from = this.#start
    this.skip(count)
    return this.#bytes.subarray(from, this.#start)
  }

  /** Forgets the first `count` bytes, at most `length`. */
  skip(count: number): void {
    const skipped = Math.min(count, this.length)
    this.#start += skipped
    this.#taken += skipped
  }

  #grow(more: number): void {
    const { length } = this
    const bytes = new Uint8Array(Math.max(LEAST, (length + more) * 2))
    bytes.set(this.#bytes.subarray(this.#start, this.#end))
    this.#bytes = bytes
    this.#start = 0
    this.#end = length
  }
}
