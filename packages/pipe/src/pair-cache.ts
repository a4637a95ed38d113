/**
 * What was found for two words, such as a method and a noun, within a bound.
 * Invariant: it never holds more than its bound; what comes beyond is found anew each time.
 */

/** The words are looked up one after the other: to join them for each request would cost more than the search. */
export class PairCache<Value> {
  readonly #most: number
  readonly #rows = new Map<string, Map<string, Value>>()
  #size = 0

  constructor(most: number) {
    this.#most = most
  }

  get(first: string, second: string): Value | undefined {
    return this.#rows.get(first)?.get(second)
  }

  set(first: string, second: string, value: Value): void {
    if (this.#size >= this.#most) return
    let row = this.#rows.get(first)
    if (row === undefined) {
      row = new Map()
      this.#rows.set(first, row)
    }
    if (!row.has(second)) this.#size++
    row.set(second, value)
  }
}
