/**
 * What waits to be written: the bytes of frames, in their order. They leave in as few writes as can be, and never more
 * than a limit at a time, so that a slow peer's progress shows.
 * Invariant: taking costs in proportion to what is taken; a piece that leaves alone is not copied.
 */
import { Buffer } from 'node:buffer'

/** Pieces taken from the front before the list is made shorter. */
const COMPACT = 1024

export class Output {
  #pieces: Uint8Array[] = []
  #first = 0
  /** Bytes that wait. */
  size = 0

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#pieces.push(bytes)
    this.size += bytes.length
  }

  /** The next bytes, joined from as many pieces as fit into `most`; a longer piece is cut. */
  take(most: number): Uint8Array {
    const first = this.#pieces[this.#first] as Uint8Array
    if (first.length > most) {
      this.#pieces[this.#first] = first.subarray(most)
      this.size -= most
      return first.subarray(0, most)
    }
    let end = this.#first + 1
    let length = first.length
    for (; end < this.#pieces.length; end++) {
      const more = (this.#pieces[end] as Uint8Array).length
      if (length + more > most) break
      length += more
    }
    const taken = end === this.#first + 1 ? first : this.#join(end, length)
    this.size -= length
    if (end === this.#pieces.length) {
      this.#pieces = []
      this.#first = 0
    } else this.#skip(end)
    return taken
  }

  clear(): void {
    this.#pieces = []
    this.#first = 0
    this.size = 0
  }

  #join(end: number, length: number): Uint8Array {
    const joined = Buffer.allocUnsafe(length)
    let at = 0
    for (let i = this.#first; i < end; i++) {
      const piece = this.#pieces[i] as Uint8Array
      joined.set(piece, at)
      at += piece.length
    }
    return joined
  }

  #skip(end: number): void {
    this.#pieces.fill(NOTHING, this.#first, end)
    this.#first = end
    if (end < COMPACT) return
    this.#pieces = this.#pieces.slice(end)
    this.#first = 0
  }
}

const NOTHING = new Uint8Array(0)
