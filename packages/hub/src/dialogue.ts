/**
 * What one client asks and is asked, across its transports. Most clients do neither, so each half is made when it is needed.
 * Invariant: what is put to a client that cannot take more is answered for it, as busy.
 */
import type { Component, Message, Update } from '@sapwood/core'
import { Code, outcome, sizeOf } from '@sapwood/core'
import { Asks } from './asks.ts'
import { Questions } from './questions.ts'
import type { SessionHost } from './session-host.ts'

/** Whose questions these are. */
export interface Interlocutor extends Component {
  readonly watermark: string
  /** Sends the client a control update that has fields of its own. */
  tellMessage(path: string, message: Message): void
}

/** What carries questions to the client. */
export interface QuestionFeed {
  push(update: Update): void
  /** Is there no room for so many bytes? */
  isBusy(bytes: number): boolean
}

export class Dialogue {
  readonly #host: SessionHost
  readonly #owner: Interlocutor
  readonly #feed: QuestionFeed
  #questions: Questions | undefined
  #asks: Asks | undefined

  constructor(host: SessionHost, owner: Interlocutor, feed: QuestionFeed) {
    this.#host = host
    this.#owner = owner
    this.#feed = feed
  }

  /** Questions put to the client that it has not answered. */
  get open(): number {
    return this.#questions?.open ?? 0
  }

  /** What the client asks of others. */
  get asks(): Asks {
    this.#asks ??= new Asks({
      ask: (question, answered) => this.#host.ask(question, answered),
      reply: (path, message) => this.#owner.tellMessage(path, message),
    })
    return this.#asks
  }

  /** Puts a question to the client. */
  put(path: string, message: Message): void {
    this.#host.counters.questions++
    const bytes = sizeOf(message.body)
    const isFull = this.#questions?.isFull(bytes, this.#host.settings.outbox) ?? false
    if (isFull || this.#feed.isBusy(bytes)) {
      const { reply } = message.meta
      const detail = 'too much waits for this client already; ask again in a moment'
      const busy = outcome(Code.absent, 503, 'CLIENT_BUSY', detail)
      if (reply !== undefined) this.#host.update(this.#owner, reply, busy)
      return
    }
    this.#questions ??= new Questions({
      push: (update) => this.#feed.push(update),
      update: (to, answer) => this.#host.update(this.#owner, to, answer),
      watermark: () => this.#owner.watermark,
      now: () => this.#host.wheel.now(),
    })
    this.#questions.put(path, message)
  }

  /** Takes an answer of the client. False if that was not asked of it. */
  answer(token: string, message: Message): boolean {
    return this.#questions?.answer(token, message) ?? false
  }

  /** Unanswered questions, to be sent again. */
  again(): readonly Update[] {
    return this.#questions?.again() ?? []
  }

  /** The client is gone, or said good-bye: who asked it need not wait. */
  lost(): void {
    this.#questions?.lost()
  }

  /** Nobody waits for what the client asked. */
  close(): void {
    this.lost()
    this.#asks?.close()
  }
}
