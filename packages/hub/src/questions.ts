/**
 * The questions that one client has been asked. Each is bound to its session: it is sent again after a resume and
 * ends with the session.
 * Invariant: a question ends once, by its answer, its asker's cancel, or `lost`; `bytes` is what the open ones measure.
 */
import type { Message, Meta } from '@sapwood/core'
import {
  CANCEL,
  Code,
  isStream,
  message as makeMessage,
  outcome,
  sizeOf,
  Update,
} from '@sapwood/core'
import { control } from './control.ts'

interface Open {
  readonly replyPath: string
  readonly path: string
  readonly message: Message
  forgetCancel: () => void
}

export interface QuestionsDeps {
  /** Sends to the client. */
  readonly push: (update: Update) => void
  /** Sends an answer to its asker. */
  readonly update: (path: string, message: Message) => void
  readonly watermark: () => string
  readonly now: () => number
}

/** Questions that one client may have open. */
const MOST = 1024

export class Questions {
  readonly #deps: QuestionsDeps
  readonly #open = new Map<string, Open>()
  #bytes = 0
  #count = 0

  constructor(deps: QuestionsDeps) {
    this.#deps = deps
  }

  get open(): number {
    return this.#open.size
  }

  /**
   * Are so many open that one more is too many? A resume sends all of them again at once.
   * @param bytes of the next one. @param limit bytes that all may have together.
   */
  isFull(bytes: number, limit: number): boolean {
    const { size } = this.#open
    return size >= MOST || (size > 0 && this.#bytes + bytes > limit)
  }

  /** Puts a question, or a direct message that wants no answer, to the client. */
  put(path: string, message: Message): void {
    const { reply, cancel } = message.meta
    if (reply === undefined) {
      this.#deps.push(this.#frame(path, message, undefined))
      return
    }
    const token = `q${++this.#count}`
    const open: Open = { replyPath: reply, path, message, forgetCancel: () => undefined }
    this.#open.set(token, open)
    this.#bytes += sizeOf(message.body)
    this.#deps.push(this.#frame(path, message, token))
    if (cancel !== undefined) open.forgetCancel = cancel.onCancel(() => this.#cancelled(token))
  }

  /** Takes the client's answer. False if that was not asked of it, or no longer. */
  answer(token: string, answer: Message): boolean {
    const open = this.#open.get(token)
    if (open === undefined) return false
    this.#end(token, open)
    const { code = Code.ok, status } = answer.meta
    const meta: Meta = status === undefined ? { code } : { code, status }
    this.#deps.update(open.replyPath, makeMessage(answer.body, answer.type, meta))
    return true
  }

  /** All that is unanswered, to be sent again. */
  again(): Update[] {
    return [...this.#open].map(([token, { path, message }]) => this.#frame(path, message, token))
  }

  /** The client is gone for good, or said good-bye: askers get code 254. */
  lost(): void {
    for (const [token, open] of this.#open) {
      this.#end(token, open)
      this.#deps.update(
        open.replyPath,
        outcome(Code.lost, 502, 'CONNECTION_LOST', 'the client left before it answered; ask again'),
      )
    }
  }

  #cancelled(token: string): void {
    const open = this.#open.get(token)
    if (open === undefined) return
    this.#end(token, open)
    const meta: Meta = { reply: token, code: Code.cancelled }
    this.#deps.push(control(CANCEL, token, this.#deps.watermark(), meta))
  }

  #end(token: string, open: Open): void {
    this.#open.delete(token)
    this.#bytes -= sizeOf(open.message.body)
    open.forgetCancel()
  }

  #frame(path: string, message: Message, token: string | undefined): Update {
    const { verb, args, query, noun, deadline } = message.meta
    // a client speaks JSON frames: bytes and text travel, a stream cannot
    const body = isStream(message.body) ? '' : message.body
    const meta: Meta = {
      ...(token !== undefined && { reply: token }),
      ...(verb !== undefined && { verb }),
      ...(args !== undefined && { args }),
      ...(query !== undefined && { query }),
      ...(noun !== undefined && { noun }),
      ...(deadline !== undefined && {
        deadline: Math.max(0, Math.round(deadline - this.#deps.now())),
      }),
    }
    return new Update(path, { body, type: message.type, meta }, 0, this.#deps.watermark())
  }
}
