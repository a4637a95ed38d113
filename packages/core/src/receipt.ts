/**
 * What a publisher gets back: `::receipt {id, at, matched}`. It is an update like any other; its text is
 * only made where somebody reads it.
 */
import type { Message, Meta } from './message.ts'
import { JSON_TYPE, NO_META } from './message.ts'
import { quote } from './quote.ts'

export class Receipt implements Message {
  readonly id: string
  /** The position of what was published; the hub's position for what is not retained. */
  readonly at: string
  /** Distinct components that were subscribed at that moment. */
  readonly matched: number
  /** True for the repeat of a message that was taken before. */
  readonly duplicate: boolean

  /** The id is the publisher's own, and may need escapes. */
  readonly #isGiven: boolean

  constructor(id: string, at: string, matched: number, duplicate = false, isGiven = true) {
    this.id = id
    this.at = at
    this.matched = matched
    this.duplicate = duplicate
    this.#isGiven = isGiven
  }

  get type(): string {
    return JSON_TYPE
  }

  get meta(): Meta {
    return NO_META
  }

  get body(): string {
    const end = this.duplicate ? ',"duplicate":true}' : '}'
    const id = this.#isGiven ? quote(this.id) : `"${this.id}"`
    return `{"id":${id},"at":"${this.at}","matched":${this.matched}${end}`
  }
}
