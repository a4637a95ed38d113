/**
 * What has come in on a connection and nobody has taken yet, as frames.
 * Invariant: the framer may be changed between any two frames, and the next one goes on at the same byte (TN-15); of a
 * datagram nothing stays behind for the next.
 */
import { Buffer } from 'node:buffer'
import type { Framer } from '@sapwood/wire'
import { InputBuffer } from '@sapwood/wire'

export class FrameSource {
  /** Bytes that came in so far. */
  bytes = 0
  /** The framer has said that it needs more. */
  dry = true
  /** No more will come. */
  ended = false
  readonly #input: InputBuffer = new InputBuffer(Buffer.allocUnsafeSlow)
  readonly #makeFramer: () => Framer<unknown>
  readonly #datagrams: boolean
  #framer: Framer<unknown> | undefined

  /**
   * @param makeFramer the framer where nobody sets another.
   * @param datagrams what is pushed at once is whole.
   */
  constructor(makeFramer: () => Framer<unknown>, datagrams: boolean) {
    this.#makeFramer = makeFramer
    this.#datagrams = datagrams
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#input.length
  }

  get framer(): Framer<unknown> {
    this.#framer ??= this.#makeFramer()
    return this.#framer
  }

  /** Undefined brings the first one back. */
  set framer(framer: Framer<unknown> | undefined) {
    this.#framer = framer
    this.dry = false
  }

  push(bytes: Uint8Array): void {
    this.bytes += bytes.length
    this.#input.push(bytes)
    this.dry = false
  }

  end(): void {
    this.ended = true
    this.dry = false
  }

  /** The next frame or fault; undefined, and `dry`, if there is none. */
  next(): unknown {
    const input = this.#input
    const framer = this.#framer ?? this.framer
    const frame = framer.decode(input)
    if (frame !== undefined) return frame
    if (this.ended || this.#datagrams) {
      const last = framer.finish(input)
      if (last !== undefined) return last
      input.skip(input.length)
    }
    this.dry = true
    return undefined
  }

  /** Forgets what waits. */
  clear(): void {
    this.#input.skip(this.#input.length)
    this.dry = true
  }
}
