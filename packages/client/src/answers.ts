/**
 * What this client is asked, and its answers. A question that comes again, as after a resume, is answered again
 * but not asked of the handler again.
 * Invariant: a handler runs once per question, and an answer goes out only while somebody waits for it.
 */
import { bodyValue, JSON_TYPE, type Message } from '@sapwood/core'
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
    if (reply === undefined) void this.#answer(frame, new AbortController().signal)
    else if (this.#answered.has(reply)) this.#send(this.#answered.get(reply) as string)
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
    const answer = await this.#answer(frame, controller.signal)
    if (this.#running.get(reply) !== controller) return
    this.#running.delete(reply)
    const { code = 0, status } = answer.meta
    const type = answer.type === JSON_TYPE ? undefined : answer.type
    const text = frameText({
      path: '::reply',
      message: bodyValue(answer),
      type,
      reply,
      code,
      status,
    })
    this.#answered.set(reply, text)
    for (const oldest of this.#answered.keys()) {
      if (this.#answered.size <= KEPT) break
      this.#answered.delete(oldest)
    }
    this.#send(text)
  }

  async #answer(frame: Frame, signal: AbortSignal): Promise<Message> {
    const { path, verb = 'GET', args = [], query = '', deadline, message = '' } = frame
    const handler = this.#find(frame)
    if (handler === undefined) return unhandledReply()
    const context = { path, verb, noun: nounOf(path), query, deadline, signal }
    try {
      return replyOf(await handler(context, [typeOf(frame), message], ...args))
    } catch (thrown) {
      return exceptionReply(thrown)
    }
  }

  #find({ path, verb = 'GET' }: Frame): Handler | undefined {
    return findHandler(this.#handlers, verb, nounOf(path))
  }
}

function nounOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? '' : path.slice(slash + 1)
}
