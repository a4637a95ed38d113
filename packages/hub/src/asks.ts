/**
 * The questions that one client asks. A client that is not sure whether its question arrived sends it again with
 * the same `reply`; it is asked once, and an answer that was given is given again.
 * Invariant: one question per `reply`; at most `OPEN` unanswered and `KEPT` answered ones are held, and of the
 * answers, but for the last, no more than `KEPT_BYTES`.
 */
import type { BodyStream, Message, Question } from '@sapwood/core'
import { Code, isStream, message as makeMessage, outcome, REPLY, sizeOf } from '@sapwood/core'
import { endStream } from './node.ts'

/** Unanswered questions of one client. */
export const OPEN = 256
/** Answers that are kept for a repeat. */
const KEPT = 64
const KEPT_BYTES = 1024 * 1024

export interface AsksDeps {
  readonly ask: (question: Question, answered: (answer: Message) => void) => () => void
  /** Sends a control update to the client. */
  readonly reply: (path: string, message: Message) => void
}

export class Asks {
  readonly #deps: AsksDeps
  readonly #open = new Map<string, () => void>()
  readonly #answered = new Map<string, Message>()
  #bytes = 0

  constructor(deps: AsksDeps) {
    this.#deps = deps
  }

  /** False when too many are open. */
  ask(reply: string, question: Question): boolean {
    const known = this.#answered.get(reply)
    if (known !== undefined) this.#deps.reply(REPLY, known)
    if (known !== undefined || this.#open.has(reply)) return true
    if (this.#open.size >= OPEN) return false
    let done = false
    const cancel = this.#deps.ask(question, (answer) => {
      done = true
      this.#open.delete(reply)
      this.#keep(reply, answer)
    })
    if (!done) this.#open.set(reply, cancel)
    return true
  }

  cancel(reply: string): void {
    this.#open.get(reply)?.()
    this.#open.delete(reply)
  }

  /** The client is gone: nobody waits for these. */
  close(): void {
    for (const cancel of this.#open.values()) cancel()
    this.#open.clear()
  }

  #keep(reply: string, given: Message): void {
    const { body, type, meta } = isStream(given.body) ? refused(given.body) : given
    const { code = 0, status } = meta
    const answer = makeMessage(body, type, { reply, code, ...(status !== undefined && { status }) })
    this.#answered.set(reply, answer)
    this.#bytes += sizeOf(body)
    for (const [oldest, { body: old }] of this.#answered) {
      const tooMany = this.#answered.size > KEPT || this.#bytes > KEPT_BYTES
      if (!tooMany || oldest === reply) break
      this.#answered.delete(oldest)
      this.#bytes -= sizeOf(old)
    }
    this.#deps.reply(REPLY, answer)
  }
}

/** No frame can say a stream, and one that waits for it would break each connection of its client. */
function refused(stream: BodyStream): Message {
  endStream(stream)
  const detail = 'the answer is a stream, which no frame can say; ask for it over HTTP'
  return outcome(Code.threw, 502, 'BODY_STREAM', detail)
}
