/**
 * Which updates of one path are retained: their offsets, oldest first.
 * Invariant: offsets ascend, and `evicted` is the highest that this path has lost.
 */

/** Empty places that may stand in front. */
const SPARE = 32

export class PathLog {
  readonly path: string
  evicted = 0
  #offsets: number[] = []
  #head = 0

  constructor(path: string) {
    this.path = path
  }

  get size(): number {
    return this.#offsets.length - this.#head
  }

  /** The oldest. */
  get first(): number | undefined {
    return this.#offsets[this.#head]
  }

  push(offset: number): void {
    this.#offsets.push(offset)
  }

  /** Lets go of the oldest. */
  shift(): void {
    this.evicted = this.#offsets[this.#head++] as number
    if (this.#head > SPARE && this.#head * 2 > this.#offsets.length) {
      this.#offsets = this.#offsets.slice(this.#head)
      this.#head = 0
    }
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
