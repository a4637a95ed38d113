/**
 * Request and reply over paths: a question is an update on the target's path with a reply path set, its answer
 * an update on that path. One inbox is subscribed once, to `::inbox/<id>/**`; a slot array finds the asker, so
 * no question touches the trie.
 * Invariant: every question ends exactly once: answered, out of time, cancelled, or the inbox closed.
 */
import { callAll } from './call-all.ts'
import { CancelSignal } from './cancel.ts'
import type { Component, Principal } from './component.ts'
import { NO_ID } from './component.ts'
import { INBOX } from './control-path.ts'
import type { Message } from './message.ts'
import { message as makeMessage } from './message.ts'
import { Code } from './outcome.ts'
import type { Timed, Wheel } from './wheel.ts'
import { Timer } from './wheel.ts'

/** What the path of each answer begins with. */
const PREFIX = `${INBOX}/`

/** The pattern that a component of this id subscribes for its answers. */
export function inboxPattern(id: string): string {
  return `${PREFIX}${id}/**`
}

/** The id whose inbox a path or pattern lies in, if it lies in one. */
export function inboxOwner(path: string): string | undefined {
  if (!path.startsWith(PREFIX)) return undefined
  const end = path.indexOf('/', PREFIX.length)
  return path.slice(PREFIX.length, end < 0 ? path.length : end)
}

export interface Question {
  /** `@name/noun`. */
  readonly path: string
  readonly message: Message
  /** Milliseconds until it counts as unanswered. */
  readonly timeout: number
  /** Who asks, where it is not the inbox's own principal. */
  readonly sender?: Component
}

/** Makes the answer that the house itself gives, with a problem document as its body. */
export function outcome(code: Code, status: number, problem: string, detail: string): Message {
  const body = JSON.stringify({ code: problem, detail, status })
  return makeMessage(body, undefined, { code, status })
}

function stopping(): Message {
  const detail = 'the hub is stopping; ask again in a moment'
  return outcome(Code.lost, 502, 'CONNECTION_LOST', detail)
}

class Slot implements Timed {
  readonly inbox: Inbox
  readonly index: number
  readonly answered: (answer: Message) => void
  readonly cancel: CancelSignal
  readonly path: string

  constructor(
    inbox: Inbox,
    index: number,
    answered: (answer: Message) => void,
    cancel: CancelSignal,
    path: string,
  ) {
    this.inbox = inbox
    this.index = index
    this.answered = answered
    this.cancel = cancel
    this.path = path
  }

  expired(): void {
    this.inbox.timedOut(this)
  }
}

export class Inbox implements Component {
  id: string = NO_ID
  readonly principal: Principal
  readonly #target: Pick<Component, 'update'>
  readonly #wheel: Wheel
  readonly #slots: ({ readonly slot: Slot; readonly timer: Timer } | undefined)[] = []
  readonly #free: number[] = []
  #generation = 0
  #closed = false

  /**
   * @param target where questions are sent, the controller.
   * @param principal on whose behalf, unless the question has a sender of its own.
   */
  constructor(target: Pick<Component, 'update'>, wheel: Wheel, principal: Principal) {
    this.#target = target
    this.#wheel = wheel
    this.principal = principal
  }

  /** Questions that wait for their answer. */
  get open(): number {
    return this.#slots.length - this.#free.length
  }

  /**
   * Asks, and calls `answered` once: with the answer, with code 253 when the time is up, or with 254 when the
   * inbox is closed. Returns what gives up: the answerer is told, `answered` is not called any more.
   */
  ask(question: Question, answered: (answer: Message) => void): () => void {
    if (this.#closed) {
      answered(stopping())
      return () => undefined
    }
    const index = this.#free.pop() ?? this.#slots.length
    const cancel = new CancelSignal()
    const reply = `${PREFIX}${this.id}/${index}.${++this.#generation}`
    const slot = new Slot(this, index, answered, cancel, reply)
    const timer = new Timer(slot)
    this.#slots[index] = { slot, timer }
    this.#wheel.set(timer, question.timeout)
    const { body, type, meta } = question.message
    const deadline = this.#wheel.now() + question.timeout
    this.#target.update(
      question.sender ?? this,
      question.path,
      makeMessage(body, type, { ...meta, reply, deadline, cancel }),
    )
    return () => {
      if (this.#take(slot)) cancel.cancel()
    }
  }

  update(_sender: Component, path: string, message: Message): void {
    const index = Number.parseInt(path.slice(path.lastIndexOf('/') + 1), 10)
    const slot = this.#slots[index]?.slot
    if (slot !== undefined && slot.path === path && this.#take(slot)) slot.answered(message)
  }

  /**
   * Ends every question with code 254, those asked from now on too.
   * @throws what an asker threw, after all were told.
   */
  close(): void {
    this.#closed = true
    const open = this.#slots.filter((entry) => entry !== undefined)
    callAll(
      open.map(
        ({ slot }) =>
          () =>
            this.#unanswered(slot, stopping()),
      ),
    )
  }

  /** A slot's time is up. */
  timedOut(slot: Slot): void {
    const detail =
      'no answer within the time limit; raise it with ?timeout= or look at the answering side'
    this.#unanswered(slot, outcome(Code.timeout, 504, 'ANSWER_TIMEOUT', detail))
  }

  #unanswered(slot: Slot, instead: Message): void {
    if (!this.#take(slot)) return
    callAll([() => slot.cancel.cancel(), () => slot.answered(instead)])
  }

  #take(slot: Slot): boolean {
    const entry = this.#slots[slot.index]
    if (entry?.slot !== slot) return false
    this.#wheel.clear(entry.timer)
    this.#slots[slot.index] = undefined
    this.#free.push(slot.index)
    return true
  }
}
