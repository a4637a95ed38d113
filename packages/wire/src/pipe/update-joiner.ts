/** Updates out of the frames that carry them. Invariant: no more than `limit` bytes of an unfinished one are held. */

export class UpdateJoiner {
  readonly #limit: number
  #parts: Uint8Array[] = []
  #length = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @returns an update that is whole, undefined if more has to come, null if it is too long. */
  add(part: Uint8Array, ends: boolean): Uint8Array | undefined | null {
    const length = this.#length + part.length
    if (length > this.#limit) return null
    if (ends && this.#parts.length === 0) return part
    this.#length = length
    this.#parts.push(part)
    return ends ? this.#joined() : undefined
  }

  clear(): void {
    this.#parts = []
    this.#length = 0
  }

  #joined(): Uint8Array {
    const bytes = new Uint8Array(this.#length)
    let at = 0
    for (const part of this.#parts) {
      bytes.set(part, at)
      at += part.length
    }
    this.clear()
    return bytes
  }
}
