/**
 * Which updates of one path are retained: their offsets, oldest first; and who was found to be subscribed to it. Most paths
 * are published at and not read: a path knows its newest update only, each update knows the one before it on its path,
 * and the list of them is made when somebody asks, from where it ended.
 * Invariant: offsets ascend, and `evicted` is the highest that this path has lost before its time.
 */
import type { Component, Message } from '@sapwood/core'
import { Found } from '@sapwood/core'

/** Empty places that may stand in front. */
const SPARE = 32

export class PathLog extends Found<Component, Message> {
  readonly path: string
  /** The offset of the newest; 0 in front of the first. */
  newest = 0
  /** The newest that was listed; 0 if none was. */
  #listed = 0
  #most = 0
  evicted = 0
  #offsets: number[] = []
  #head = 0

  constructor(path: string) {
    super()
    this.path = path
  }

  /** How many there are at most: some may have left unheard, because they were the oldest of all paths. */
  get most(): number {
    return this.#most
  }

  /** @param oldest what has a lower offset is retained of no path. */
  push(offset: number, oldest: number): void {
    if (this.#listed !== 0 && this.#listed < oldest) this.#forgetAll()
    this.newest = offset
    this.#most++
  }

  /**
   * Lists what came since it was listed last.
   * @param before the offset of the update in front of another on its path.
   */
  list(oldest: number, before: (offset: number) => number): void {
    if (this.#listed === this.newest) return
    const offsets = this.#offsets
    const end = offsets.length
    const since = Math.max(this.#listed, oldest - 1)
    for (let offset = this.newest; offset > since; offset = before(offset)) offsets.push(offset)
    // they were found the other way round
    for (let i = end, j = offsets.length - 1; i < j; i++, j--) {
      const offset = offsets[i] as number
      offsets[i] = offsets[j] as number
      offsets[j] = offset
    }
    this.#listed = this.newest
    this.count(oldest)
  }

  /** Takes away what has left. Returns how many there are, if all are listed. */
  count(oldest: number): number {
    const offsets = this.#offsets
    while ((offsets[this.#head] as number) < oldest) this.#head++
    if (this.#head > SPARE && this.#head * 2 > offsets.length) {
      this.#offsets = offsets.slice(this.#head)
      this.#head = 0
    }
    this.#most = this.#offsets.length - this.#head
    return this.#most
  }

  /** Lets go of the oldest, which is listed and here still, and returns its offset. */
  shift(): number {
    this.evicted = this.#offsets[this.#head++] as number
    this.#most--
    return this.evicted
  }

  /**
   * Adds to `found` those above `since`, as many as fill `bytes`, of those that are listed. Returns how many there are.
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

  /** All that was listed has left. */
  #forgetAll(): void {
    this.#offsets = []
    this.#head = 0
    this.#listed = 0
  }
}
