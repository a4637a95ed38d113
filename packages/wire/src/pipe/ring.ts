/** First in, first out, without a shift of what waits behind. Room for what once waited is given back when it is empty. */

const KEPT = 64

export class Ring<Item> {
  #items: (Item | undefined)[] = []
  #first = 0

  get length(): number {
    return this.#items.length - this.#first
  }

  get first(): Item | undefined {
    return this.#items[this.#first]
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    const item = this.#items[this.#first]
    if (item === undefined) return undefined
    this.#items[this.#first++] = undefined
    if (this.#first === this.#items.length) this.clear()
    else if (this.#first >= KEPT && this.#first * 2 >= this.#items.length) {
      this.#items.splice(0, this.#first)
      this.#first = 0
    }
    return item
  }

  clear(): void {
    if (this.#items.length > KEPT) this.#items = []
    else this.#items.length = 0
    this.#first = 0
  }
}
