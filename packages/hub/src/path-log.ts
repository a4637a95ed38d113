/**
 * What is retained of one path, oldest first.
 * Invariant: offsets ascend, and `evicted` is the highest offset that this path has lost.
 */
import type { Update } from '@sapwood/core'

/** Empty places that may stand in front. */
const SPARE = 32

export class PathLog {
  readonly path: string
  evicted = 0
  #entries: (Update | undefined)[] = []
  #head = 0

  constructor(path: string) {
    this.path = path
  }

  get size(): number {
    return this.#entries.length - this.#head
  }

  /** The oldest. */
  get first(): Update | undefined {
    return this.#entries[this.#head]
  }

  push(update: Update): void {
    this.#entries.push(update)
  }

  /** Lets go of the oldest, which has this offset. */
  shift(offset: number): void {
    this.evicted = offset
    this.#entries[this.#head++] = undefined
    if (this.#head > SPARE && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  /** The update of this offset, which is here. */
  get(offset: number): Update {
    return this.#entries[this.#indexAfter(offset - 1)] as Update
  }

  /** Adds to `found` those with an offset above `since`, as many as fill `bytes`. Returns how many there are. */
  collectAfter(since: number, bytes: number, found: Update[]): number {
    const entries = this.#entries
    const first = this.#indexAfter(since)
    let size = 0
    for (let i = first; i < entries.length && size < bytes; i++) {
      const update = entries[i] as Update
      size += update.size
      found.push(update)
    }
    return entries.length - first
  }

  #indexAfter(since: number): number {
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#entries[middle] as Update).offset > since) high = middle
      else low = middle + 1
    }
    return low
  }
}
