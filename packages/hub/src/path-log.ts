/**
 * Which updates of one path are retained: their offsets, oldest first; and who was found to be subscribed to it. Of those
 * that left because they were the oldest of all paths it need not hear: it finds out when it is written to.
 * Invariant: offsets ascend, and `evicted` is the highest that this path has lost before its time.
 */
import type { Component, Message } from '@sapwood/core'
import { Found } from '@sapwood/core'

/** Empty places that may stand in front. */
const SPARE = 32

export class PathLog extends Found<Component, Message> {
  readonly path: string
  evicted = 0
  /** The offset of the newest. */
  newest = 0
  #offsets: number[] = []
  #head = 0

  constructor(path: string) {
    super()
    this.path = path
  }

  /** How many there were when it was written to. */
  get size(): number {
    return this.#offsets.length - this.#head
  }

  /** @param oldest what has a lower offset is retained of no path. */
  push(offset: number, oldest: number): void {
    const offsets = this.#offsets
    while ((offsets[this.#head] as number) < oldest) this.#head++
    if (this.#head > SPARE && this.#head * 2 > offsets.length) {
      this.#offsets = offsets.slice(this.#head)
      this.#head = 0
    }
    this.#offsets.push(offset)
    this.newest = offset
  }

  /** Lets go of the oldest, of which it has heard, and returns its offset. */
  shift(): number {
    this.evicted = this.#offsets[this.#head++] as number
    return this.evicted
  }

  /**
   * Adds to `found` those above `since`, as many as fill `bytes`. Returns how many there are.
   * @param sizeOf what the update of an offset counts.
   */
  collectAfter(
    since: number,
    bytes: number,
    found: number[],
    sizeOf: (offset: number) => number,
  ): number {
    const offsets = this.#offsets
    const first = this.#indexAfter(since)
    let size = 0
    for (let i = first; i < offsets.length && size < bytes; i++) {
      const offset = offsets[i] as number
      size += sizeOf(offset)
      found.push(offset)
    }
    return offsets.length - first
  }

  #indexAfter(since: number): number {
    let low = this.#head
    let high = this.#offsets.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#offsets[middle] as number) > since) high = middle
      else low = middle + 1
    }
    return low
  }
}
