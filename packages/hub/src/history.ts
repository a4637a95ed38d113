/**
 * Gives each plain update its place in the engine's log and passes it on from there; control and direct
 * updates pass as they are. A publisher's repeat of an id within the window is answered with the first receipt and
 * reaches nobody; a question is known by its reply instead, and control may be said twice.
 * Invariant: nothing is dispatched that the engine has not taken.
 */
import type { Component, Message, Principal, Wheel } from '@sapwood/core'
import {
  ANYONE,
  ERROR,
  isDirectPath,
  isPlainPath,
  jsonMessage,
  NO_ID,
  RECEIPT,
  Receipt,
  SYSTEM,
} from '@sapwood/core'
import type { Engine } from './engine.ts'

export interface HistoryOptions {
  /** Milliseconds that an id is remembered. */
  readonly age: number
  /** Ids remembered at most; the oldest are forgotten first. */
  readonly count: number
  /** Called for every repeat. */
  readonly onDuplicate?: () => void
}

interface Seen {
  readonly time: number
  /** Undefined while the engine has not answered yet. */
  receipt: Receipt | undefined
  /** Repeats that came before the first receipt. */
  readonly waiting: Component[]
}

export class History implements Component {
  id: string = NO_ID
  readonly principal: Principal = SYSTEM
  readonly #engine: Engine
  readonly #next: Component
  readonly #wheel: Wheel
  readonly #options: HistoryOptions
  readonly #seen = new Map<string, Seen>()

  constructor(engine: Engine, next: Component, wheel: Wheel, options: HistoryOptions) {
    this.#engine = engine
    this.#next = next
    this.#wheel = wheel
    this.#options = options
    engine.open({
      deliver: (sender, update) => next.update(sender, update.path, update),
      refused: (sender, { meta }, fault) => {
        const waiting = meta.id === undefined ? undefined : this.#forgetOne(keyOf(sender, meta.id))
        for (const refused of [sender, ...(waiting ?? [])]) {
          refused.update(this, ERROR, jsonMessage(fault))
        }
      },
    })
  }

  update(sender: Component, path: string, message: Message): void {
    const { id, reply } = message.meta
    const isPlain = isPlainPath(path)
    // an empty one says nothing: all that carry it would be repeats of the first
    const isMarked = id && (isPlain || (reply === undefined && isDirectPath(path)))
    if (isMarked && !this.#isNew(sender, id)) return
    if (isPlain) this.#engine.append(sender, path, message)
    else this.#next.update(sender, path, message)
  }

  /** The receipt of a message that has an id is kept for its repeats. */
  remember(sender: Component, receipt: Receipt): void {
    const seen = this.#seen.get(keyOf(sender, receipt.id))
    if (seen === undefined || seen.receipt !== undefined) return
    seen.receipt = receipt
    for (const sender of seen.waiting.splice(0)) this.#repeat(sender, receipt)
  }

  #isNew(sender: Component, id: string): boolean {
    const key = keyOf(sender, id)
    const seen = this.#seen.get(key)
    const now = this.#wheel.now()
    if (seen !== undefined && now - seen.time <= this.#options.age) {
      this.#options.onDuplicate?.()
      if (seen.receipt === undefined) seen.waiting.push(sender)
      else this.#repeat(sender, seen.receipt)
      return false
    }
    this.#seen.delete(key)
    this.#seen.set(key, { time: now, receipt: undefined, waiting: [] })
    this.#forget(now)
    return true
  }

  #repeat(sender: Component, first: Receipt): void {
    sender.update(this, RECEIPT, new Receipt(first.id, first.at, first.matched, true))
  }

  /** Lets go of an id that was not taken after all. Returns who waits for its receipt. */
  #forgetOne(key: string): readonly Component[] | undefined {
    const seen = this.#seen.get(key)
    this.#seen.delete(key)
    return seen?.waiting
  }

  #forget(now: number): void {
    for (const [key, seen] of this.#seen) {
      if (this.#seen.size <= this.#options.count && now - seen.time <= this.#options.age) break
      this.#seen.delete(key)
    }
  }
}

/** Ids belong to their publisher: one cannot use up another's. Of sessions of whom nothing is known, each is one. */
function keyOf({ principal, id: session }: Component, id: string): string {
  return principal === ANYONE ? `\n${session}\n${id}` : `${principal.id}\n${id}`
}
