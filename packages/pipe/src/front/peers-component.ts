/**
 * The peers of a pipe as a component: a question on `@name/noun` is put to the peer of that name, and its answer goes to the
 * path that the question says. So whoever asks over a session, a browser for example, reaches peers as it reaches browsers.
 * Invariant: every question gets one answer, unless nobody waits for it any more; what it answers fits into one message.
 */
import type { Component, Fault, Message, Principal, Wheel } from '@sapwood/core'
import {
  Code,
  isDirectPath,
  JSON_TYPE,
  message as makeMessage,
  NO_ID,
  nameFault,
  nameOf,
  nounOf,
  outcome,
  SapwoodError,
  SYSTEM,
  TEXT_TYPE,
} from '@sapwood/core'
import { readBody } from '@sapwood/http'
import type { RequestHead, ResponseHead } from '@sapwood/wire'
import { fieldOf, isFault, isInterim, mediaType, NO_FIELDS, utf8 } from '@sapwood/wire'
import type { Asker, Exchange } from '../exchange.ts'
import { ANSWER_CANCELLED } from '../peer/peer-faults.ts'
import { checkMethod, targetOf } from '../request-line.ts'
import type { Outcome } from './front-faults.ts'
import { outcomeOf } from './front-faults.ts'
import type { Questioner } from './question.ts'
import { Question } from './question.ts'

export interface PeersComponentOptions {
  readonly asker: Asker
  /** Names that are no peer's, though there may be a certificate. */
  readonly reserved: readonly string[]
  /** That of whoever says deadlines. */
  readonly wheel: Wheel
  /** How long a peer is waited for that is away, in milliseconds. */
  readonly wait: number
  /** How long an answer may take where the question does not say, in milliseconds. */
  readonly timeout: number
  /** Bytes of an answer. */
  readonly limit: number
  /** Sends an answer to its asker. */
  readonly update: (sender: Component, path: string, message: Message) => void
}

/** @example hub.addPeers(new PeersComponent({ asker, wheel, … })) */
export class PeersComponent implements Component {
  id: string = NO_ID
  readonly principal: Principal = SYSTEM
  readonly #options: PeersComponentOptions

  constructor(options: PeersComponentOptions) {
    this.#options = options
  }

  /** Is this the name of a peer, there or away? */
  has(name: string): boolean {
    const { asker, reserved } = this.#options
    if (reserved.includes(name) || nameFault(name) !== undefined) return false
    return asker.absence(name) !== 'unknown'
  }

  update(_sender: Component, path: string, message: Message): void {
    // the receipts of its answers come here, too
    if (!isDirectPath(path)) return
    try {
      new PeerQuestion(this, this.#options, path, message).ask()
    } catch (thrown) {
      if (!(thrown instanceof SapwoodError)) throw thrown
      const { code, detail, status = 400 } = thrown
      const { reply } = message.meta
      const refused = outcome(Code.threw, status, code, detail)
      if (reply !== undefined) this.#options.update(this, reply, refused)
    }
  }
}

/** Problem documents of the house are JSON to whoever reads messages. */
const PROBLEM = 'application/problem+json'
const NO_BODY = '""'

/** One question, until its answer is here. */
class PeerQuestion implements Questioner {
  readonly isWhole = true
  readonly #component: Component
  readonly #options: PeersComponentOptions
  readonly #message: Message
  readonly #question: Question
  #exchange: Exchange | undefined = undefined
  #head: ResponseHead | undefined = undefined
  #parts: Uint8Array[] = []
  #bytes = 0
  #forget: (() => void) | undefined = undefined

  constructor(
    component: Component,
    options: PeersComponentOptions,
    path: string,
    message: Message,
  ) {
    this.#component = component
    this.#options = options
    this.#message = message
    const { wait = options.wait } = message.meta
    const head = headOf(nounOf(path), message, options)
    const name = nameOf(path)
    this.#question = new Question(options, this, { name, head, ends: isEmpty(message), wait })
  }

  ask(): void {
    this.#forget = this.#message.meta.cancel?.onCancel(() => this.#cancelled())
    this.#question.ask()
  }

  begun(exchange: Exchange): void {
    this.#exchange = exchange
    if (!this.#question.ends) exchange.endWith(bytesOf(this.#message))
  }

  refused({ code, fault }: Outcome): void {
    this.#answer(outcome(code, fault.status ?? 502, fault.code, fault.detail))
  }

  response(head: ResponseHead): void {
    if (!isInterim(head.status)) this.#head = head
  }

  data(part: Uint8Array): void {
    this.#exchange?.took(part.length)
    this.#bytes += part.length
    if (this.#bytes <= this.#options.limit) return void this.#parts.push(part)
    const detail = `the answer has more than ${this.#options.limit} bytes; ask for it over HTTP, as a stream`
    this.#exchange?.cancel({ code: 'ANSWER_TOO_LONG', detail, status: 502 })
    this.#answer(outcome(Code.threw, 502, 'ANSWER_TOO_LONG', detail))
  }

  ended(): void {
    this.#answer(answerOf(this.#head as ResponseHead, Buffer.concat(this.#parts)))
  }

  drained(): void {}

  failed(fault: Fault, undelivered: boolean): void {
    this.#exchange = undefined
    if (undelivered && fault.code !== 'STREAMS_FULL' && this.#question.again()) return
    this.refused(outcomeOf(fault))
  }

  #cancelled(): void {
    this.#question.cancel()
    this.#exchange?.cancel(ANSWER_CANCELLED)
  }

  #answer(answer: Message): void {
    this.#forget?.()
    this.#parts = []
    const { reply } = this.#message.meta
    if (reply !== undefined) this.#options.update(this.#component, reply, answer)
  }
}

function headOf(noun: string, message: Message, options: PeersComponentOptions): RequestHead {
  const { verb = 'GET', args, query, deadline, trace = '' } = message.meta
  const left = deadline === undefined ? options.timeout : deadline - options.wheel.now()
  return {
    method: checkMethod(verb),
    target: targetOf(noun, args, query),
    headers: isEmpty(message) ? NO_FIELDS : ['content-type', message.type],
    timeout: Math.max(1, Math.ceil(left)),
    trace,
    hops: 0,
  }
}

/** Whoever asks without a message says an empty one. */
function isEmpty({ body, type }: Message): boolean {
  return body === '' || (body === NO_BODY && type === JSON_TYPE)
}

function bytesOf({ body }: Message): Uint8Array {
  return typeof body === 'string' ? utf8(body) : (body as Uint8Array)
}

function answerOf({ code, status, headers }: ResponseHead, body: Buffer): Message {
  const said = mediaType(fieldOf(headers, 'content-type'))
  const type = body.length === 0 ? TEXT_TYPE : said === PROBLEM ? JSON_TYPE : said
  const read = readBody(body, type)
  if (isFault(read)) {
    const detail = `the answer is typed JSON and is none: ${read.detail}`
    return outcome(Code.threw, 502, 'ANSWER_INVALID', detail)
  }
  return makeMessage(read.body, read.type, { code, ...(status !== 200 && { status }) })
}
