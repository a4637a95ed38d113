/**
 * A message at its place: path and position. The history makes one per publish and everything behind it
 * shares that one, so that a broadcast is encoded once, however many receive it.
 * Invariant: the fields that are sent never change; what does change are memos and accounts.
 */
import type { Component } from './component.ts'
import type { Found } from './found.ts'
import type { Body, Message, Meta } from './message.ts'
import { NO_META, sizeOf } from './message.ts'

/** How an update is marked for one receiver. */
export const Mark = { none: 0, own: 1, replay: 2 } as const
export type Mark = number

/** Knows the position of each offset as clients see it. */
export interface Positions {
  positionOf(offset: number): string
}

/** Makes one wire form of an update; `slot` is where an update keeps what was made. */
export interface Codec<T> {
  readonly slot: number
  encode(update: Update): T
}

/** An update's share of a budget beyond its body and path: the objects around them. */
const OVERHEAD = 96

/** No codec has this slot. */
const NONE = -1

export class Update implements Message {
  readonly path: string
  readonly body: Body
  readonly type: string
  readonly meta: Meta
  /** The hub-wide offset of a retained update; 0 for one that is not retained. */
  readonly offset: number
  readonly mark: Mark
  /** What it counts in queues and budgets, in bytes. */
  readonly size: number
  /** In how many bounded queues it waits: a shared update counts once in the process budget. */
  holders = 0
  /** Who is subscribed to its path, where somebody keeps that. */
  readonly found: Found<Component, Message> | undefined
  #at: string | Positions
  /** The form that most need, and under which codec it is. */
  #form: unknown
  #slot = NONE
  #otherForms: unknown[] | undefined
  #own: Update | undefined

  /** @param at its position, or who knows it: nobody may ever ask. */
  constructor(
    path: string,
    message: { readonly body: Body; readonly type: string; readonly meta?: Meta },
    offset = 0,
    at: string | Positions = '',
    mark: Mark = Mark.none,
    found?: Found<Component, Message>,
  ) {
    this.path = path
    this.body = message.body
    this.type = message.type
    this.meta = message.meta ?? NO_META
    this.offset = offset
    this.#at = at
    this.mark = mark
    this.found = found
    this.size = sizeOf(message.body) + path.length + OVERHEAD
  }

  /** The position as clients see it, `epoch-offset`; empty where none is told. */
  get at(): string {
    const at = this.#at
    if (typeof at === 'string') return at
    const position = at.positionOf(this.offset)
    this.#at = position
    return position
  }

  /** Its form under a codec, made at the first call and kept until `forget`. */
  encoded<T>(codec: Codec<T>): T {
    const { slot } = codec
    if (this.#slot === slot) return this.#form as T
    if (this.#slot === NONE) {
      const form = codec.encode(this)
      this.#form = form
      this.#slot = slot
      return form
    }
    this.#otherForms ??= []
    this.#otherForms[slot] ??= codec.encode(this)
    return this.#otherForms[slot] as T
  }

  /** Frees what was encoded. It is made again if it is needed again. */
  forget(): void {
    this.#slot = NONE
    this.#form = this.#otherForms = undefined
    this.#own?.forget()
  }

  /** The copy that goes back to its publisher. */
  own(): Update {
    this.#own ??= this.marked(Mark.own)
    return this.#own
  }

  /** The same update with a further mark. */
  marked(mark: Mark): Update {
    return new Update(this.path, this, this.offset, this.#at, this.mark | mark)
  }
}
