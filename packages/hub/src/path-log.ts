/**
 * What is retained of one path, oldest first.
 * Invariant: offsets ascend, and `evicted` is the highest offset that this path has lost.
 */
import type { Update } from '@sapwood/core'

export class PathLog {
  readonly path: string
  evicted = 0
  #entries: Update[] = []
  #head = 0

  constructor(path: string) {
    this.path = path
  }

  get size(): number {
    return this.#entries.length - this.#head
  }

  push(update: Update): void {
    this.#entries.push(update)
  }

  /** Takes out the oldest. */
  shift(): Update | undefined {
    const oldest = this.#entries[this.#head]
    if (oldest === undefined) return undefined
    this.evicted = oldest.offset
    this.#head++
    if (this.#head > 32 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return oldest
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
