/** Frames that are not numbered, on their way to one link: they overtake all others and are forgotten with it. */
import { FRAME_HEAD, writeFrameHead } from './pipe-frame.ts'

const LEAST = 64

export class ControlQueue {
  #bytes: Uint8Array | undefined
  #length = 0

  get length(): number {
    return this.#length
  }

  add(type: number, payload: Uint8Array): void {
    const { length } = payload
    const end = this.#length + FRAME_HEAD + length
    if (this.#bytes === undefined || end > this.#bytes.length) this.#grow(end)
    const bytes = this.#bytes as Uint8Array
    writeFrameHead(bytes, this.#length, type, 0, length)
    bytes.set(payload, this.#length + FRAME_HEAD)
    this.#length = end
  }

  /** All that waits. */
  take(): Uint8Array {
    const taken = (this.#bytes as Uint8Array).subarray(0, this.#length)
    this.clear()
    return taken
  }

  clear(): void {
    this.#bytes = undefined
    this.#length = 0
  }

  #grow(least: number): void {
    const bytes = new Uint8Array(Math.max(LEAST, least * 2))
    if (this.#bytes !== undefined) bytes.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = bytes
  }
}
