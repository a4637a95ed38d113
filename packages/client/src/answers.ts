/**
 * What this client is asked, and its answers. A question that comes again, as after a resume, is answered again
 * but not asked of the handler again.
 * Invariant: a handler runs once per question, and an answer goes out only while somebody waits for it.
 */
import { bodyValue, type Message, nounOf } from '@sapwood/core'
import {
  exceptionReply,
  findHandler,
  type Handler as HandlerOf,
  replyOf,
  unhandledReply,
} from '@sapwood/wire'
import { type Frame, frameText, typeOf } from './frame.ts'

/** What a handler knows about the question besides its data and arguments. */
export interface AnswerContext {
  readonly path: string
  readonly verb: string
  readonly noun: string
  /** The query string, without its `?`. */
  readonly query: string
  /** Milliseconds that the asker still waits, where it said so. */
  readonly deadline?: number | undefined
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

export type Handler = HandlerOf<AnswerContext>

/** Answers that are kept for a repeat of their question. */
const KEPT = 64

export class Answers {
  readonly #send: (frame: string) => void
  readonly #handlers: Record<string, Handler> = Object.create(null)
  readonly #running = new Map<string, AbortController>()
  readonly #answered = new Map<string, string>()

  /** @param send sends a frame to the hub. */
  constructor(send: (frame: string) => void) {
    this.#send = send
  }

  /** Has `handler` answer, in place of any other of that key. Returns its undo. */
  add(key: string, handler: Handler): () => void {
    const normal = key.replace(/^\S+(?= )/, (verb) => verb.toUpperCase())
    this.#handlers[normal] = handler
    return () => {
      if (this.#handlers[normal] === handler) delete this.#handlers[normal]
    }
  }

  request(frame: Frame): void {
    const { reply } = frame
    if (reply === undefined) {
      // nobody is to learn how it went
      this.#answer(frame, new AbortController().signal).catch(() => undefined)
    } else if (this.#answered.has(reply)) this.#send(this.#answered.get(reply) as string)
    else if (!this.#running.has(reply)) void this.#reply(reply, frame)
  }

  /** Nobody waits for the answer to `reply` any more, or, without one, to anything. */
  cancel(reply: string | undefined): void {
    if (reply === undefined) this.#answered.clear()
    for (const one of reply === undefined ? [...this.#running.keys()] : [reply]) {
      this.#running.get(one)?.abort()
      this.#running.delete(one)
    }
  }

  async #reply(reply: string, frame: Frame): Promise<void> {
    const controller = new AbortController()
    this.#running.set(reply, controller)
    let text: string
    try {
      text = replyText(reply, await this.#answer(frame, controller.signal))
    } catch (thrown) {
      text = replyText(reply, exceptionReply(thrown))
    }
    if (this.#running.get(reply) !== controller) return
    this.#running.delete(reply)
    this.#answered.set(reply, text)
    const [oldest] = this.#answered.keys()
    if (this.#answered.size > KEPT) this.#answered.delete(oldest as string)
    this.#send(text)
  }

  /** Asks the handler. @throws what it threw. */
  async #answer(frame: Frame, signal: AbortSignal): Promise<Message> {
    const { path, verb = 'GET', args = [], query = '', deadline, message = '' } = frame
    const { noun = nounOf(path) } = frame
    const handler = findHandler(this.#handlers, verb, noun)
    if (handler === undefined) return unhandledReply()
    const context = { path, verb, noun, query, deadline, signal }
    return replyOf(await handler(context, [typeOf(frame), message], ...args))
  }
}

/** @throws for what cannot be said. */
function replyText(reply: string, answer: Message): string {
  const { code = 0, status } = answer.meta
  const { type } = answer
  return frameText({ path: '::reply', message: bodyValue(answer), type, reply, code, status })
}
