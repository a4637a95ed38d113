/**
 * One request of a caller, and the peer's answer to it, while both may still be coming.
 *
 *     state       head, data, end       failed                    time is up             caller leaves
 *     asked       to the `AnswerWriter` asked again, or 502       504, or 408            cancel
 *     answering   to the `AnswerWriter` 502, or the caller reset  the caller reset       cancel
 *     over        -                     -                         rest of request over   -
 *
 * Invariant: the caller is read only while the peer takes; the peer hears of a caller that leaves at once; behind an early
 * answer the rest of the request is dropped, for a while, so that the answer is not lost in a reset.
 */
import type { IncomingMessage } from 'node:http'
import type { Fault, Timed } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { HttpResponse } from '@sapwood/http'
import { answerProblem, WholeRequest } from '@sapwood/http'
import { countChunk } from '@sapwood/net'
import type { FieldList, ResponseHead } from '@sapwood/wire'
import { isInterim } from '@sapwood/wire'
import type { Exchange } from '../exchange.ts'
import type { AnswerOwner } from './answer-writer.ts'
import { AnswerWriter } from './answer-writer.ts'
import type { FrontContext, Inquiry } from './front-context.ts'
import { countFault, requestHead } from './front-context.ts'
import type { Outcome } from './front-faults.ts'
import {
  ANSWER_TIMEOUT,
  ANSWERED,
  BODY_TIMEOUT,
  CALLER_LEFT,
  outcomeOf,
  streamTooLarge,
} from './front-faults.ts'
import type { OpenCall } from './open-calls.ts'
import { callsOn, resetConnection } from './open-calls.ts'
import type { Questioner } from './question.ts'
import { Question } from './question.ts'
import { requestTrailers } from './request-fields.ts'

/** How many bytes of a request are kept in case it must be asked again. */
const KEPT = 65_536
/** How long the rest of a request is read and dropped behind its answer, in milliseconds. */
const LINGER = 500

const CALL: unique symbol = Symbol('call')
type Request = IncomingMessage & { [CALL]?: FrontCall }

export class FrontCall implements Questioner, AnswerOwner, OpenCall, Timed {
  readonly #front: FrontContext
  readonly #request: Request | WholeRequest
  readonly #response: HttpResponse
  readonly #inquiry: Inquiry
  readonly #question: Question
  readonly #writer: AnswerWriter
  readonly #timeout: number
  readonly #timer: Timer = new Timer(this)
  #exchange: Exchange | undefined = undefined
  #isOver = false
  /** Of the caller's body: not read yet, read while it comes, held up by the peer, read to its end. */
  #body: 'unread' | 'coming' | 'full' | 'whole' = 'unread'
  /** How many of its bytes have not come, where that is known. */
  #left: number
  /** How many may still come. */
  #room: number
  /** When the peer last took something of it. */
  #moved = 0
  /** Its first bytes, until an answer comes or they are too many. */
  #kept: Uint8Array[] | undefined = undefined
  #keptBytes = 0

  constructor(
    front: FrontContext,
    request: IncomingMessage | WholeRequest,
    response: HttpResponse,
    inquiry: Inquiry,
  ) {
    this.#front = front
    this.#request = request
    this.#response = response
    this.#inquiry = inquiry
    this.#writer = new AnswerWriter(front, request, response, inquiry, this)
    const { target, fields } = inquiry
    this.#left = Number(fields['content-length'] ?? Number.NaN)
    this.#room = front.most
    this.#timeout = target.timeout ?? front.timeout
    this.#question = new Question(front, this, {
      name: target.name,
      head: requestHead(request, inquiry, this.#timeout),
      ends: !fields.hasBody,
      wait: target.wait ?? front.wait,
    })
  }

  start(): void {
    this.#front.counters.open++
    callsOn(this.#request.socket).add(this)
    if (this.#left > this.#room) this.#giveUp(streamTooLarge(this.#front.most))
    else this.#question.ask()
  }

  begun(exchange: Exchange): void {
    const { wheel } = this.#front
    this.#exchange = exchange
    this.#moved = wheel.now()
    wheel.set(this.#timer, this.#timeout)
    if (this.#question.ends) return
    if (this.#body === 'unread') this.#read()
    else this.#resend(exchange)
  }

  refused({ code, fault }: Outcome): void {
    this.#problem(fault, code)
  }

  response(head: ResponseHead): void {
    if (this.#isOver) return
    if (isInterim(head.status)) return this.#writer.interim(head)
    this.#kept = undefined
    this.#front.wheel.clear(this.#timer)
    this.#writer.head(head)
  }

  data(part: Uint8Array): void {
    this.#writer.data(part)
  }

  ended(trailers: FieldList | undefined): void {
    if (!this.#isOver && this.#writer.ended(trailers)) this.#settle()
  }

  drained(): void {
    if (this.#body !== 'full') return
    this.#body = 'coming'
    this.#moved = this.#front.wheel.now()
    this.#request.resume()
  }

  failed(fault: Fault, undelivered: boolean): void {
    if (this.#isOver) return
    this.#exchange = undefined
    if (undelivered && this.#mayRepeat(fault) && this.#question.again()) {
      this.#front.wheel.clear(this.#timer)
      // what comes from now on has nowhere to go
      if (this.#body !== 'coming') return
      this.#body = 'full'
      this.#request.pause()
      return
    }
    const { code, fault: told } = outcomeOf(fault)
    this.#problem(told, code)
  }

  took(bytes: number): void {
    this.#exchange?.took(bytes)
  }

  misfit(fault: Fault): void {
    this.#giveUp(fault)
  }

  stalled(isStalled: boolean): void {
    const { wheel, patience } = this.#front
    if (isStalled) wheel.set(this.#timer, patience)
    else wheel.clear(this.#timer)
  }

  left(): void {
    this.#exchange?.cancel(CALLER_LEFT)
    this.#over()
  }

  /** The peer, or the caller, took too long. */
  expired(): void {
    if (this.#isOver) {
      if (!this.#request.complete) this.#request.destroy()
      return
    }
    if (this.#writer.begun) return this.#giveUp(CALLER_LEFT)
    const { wheel, patience } = this.#front
    const isCaller = this.#body === 'coming'
    const left = this.#moved + (isCaller ? patience : this.#timeout) - wheel.now()
    if (left > 0) return wheel.set(this.#timer, left)
    this.#giveUp(isCaller ? BODY_TIMEOUT : ANSWER_TIMEOUT)
  }

  /** @internal of the listeners: a part of the caller's body. */
  take(chunk: Uint8Array): void {
    const exchange = this.#exchange
    if (this.#isOver || exchange === undefined) return
    this.#room -= chunk.length
    if (this.#room < 0) return this.#giveUp(streamTooLarge(this.#front.most))
    this.#keep(chunk)
    this.#moved = this.#front.wheel.now()
    this.#left -= chunk.length
    if (this.#left === 0) {
      // its end is known before Node tells it, and can go with it
      this.#body = 'whole'
      return exchange.endWith(chunk)
    }
    if (exchange.write(chunk) || this.#body !== 'coming') return
    this.#body = 'full'
    this.#request.pause()
  }

  /** @internal of the listeners: the caller's body is whole. */
  whole(): void {
    if (this.#body === 'whole') return
    this.#body = 'whole'
    if (!this.#isOver) this.#endBody()
  }

  #endBody(): void {
    const { rawTrailers } = this.#request
    this.#moved = this.#front.wheel.now()
    this.#exchange?.end(rawTrailers.length > 0 ? requestTrailers(rawTrailers) : undefined)
  }

  #read(): void {
    const request = this.#request
    this.#body = 'coming'
    this.#kept = []
    if (request instanceof WholeRequest) return this.take(request.body as Buffer)
    request[CALL] = this
    request.on('data', onData)
    request.on('end', onEnd)
    // the peer is there: only now is it worth sending
    if (this.#inquiry.fields.expect !== undefined) this.#response.writeContinue()
  }

  /** Nobody has heard of what was sent: it is sent again. */
  #resend(exchange: Exchange): void {
    for (const chunk of this.#kept ?? []) exchange.write(chunk)
    if (this.#body === 'whole') this.#endBody()
    else this.drained()
  }

  #keep(chunk: Uint8Array): void {
    if (this.#kept === undefined) return
    this.#keptBytes += chunk.length
    if (this.#keptBytes > KEPT) this.#kept = undefined
    else this.#kept.push(chunk)
  }

  #mayRepeat({ code }: Fault): boolean {
    if (this.#writer.begun || code === 'STREAMS_FULL') return false
    return this.#body === 'unread' || this.#kept !== undefined
  }

  /** Nobody gets an answer, or no more of it, for a reason found here. */
  #giveUp(fault: Fault): void {
    this.#exchange?.cancel(fault)
    const { code, fault: told } = outcomeOf(fault)
    this.#problem(told, code)
  }

  #problem(fault: Fault, code: number): void {
    const { isProxied, fields } = this.#inquiry
    countFault(this.#front, fault)
    if (this.#response.headersSent) resetConnection(this.#request.socket)
    else {
      const headers = ['x-event-return-code', String(code)]
      if (!isProxied && fields.origin !== undefined) headers.push(...this.#front.cors(fields))
      if (this.#front.isDraining) this.#response.shouldKeepAlive = false
      answerProblem(this.#response, fault, headers)
    }
    this.#settle()
  }

  /** The answer is written: what still comes of the request is dropped. */
  #settle(): void {
    if (this.#body !== 'whole' && !this.#question.ends) this.#exchange?.cancel(ANSWERED)
    this.#over()
    if (this.#question.ends || this.#request.complete) return
    // closing on what the caller still sends would be a reset, which may overtake the answer
    this.#request.resume()
    this.#front.wheel.set(this.#timer, LINGER)
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#front.counters.open--
    this.#front.wheel.clear(this.#timer)
    this.#question.cancel()
    this.#writer.stop()
    callsOn(this.#request.socket).delete(this)
    this.#exchange = undefined
    this.#kept = undefined
  }
}

function onData(this: Request, chunk: Buffer): void {
  countChunk(chunk.length)
  this[CALL]?.take(chunk)
}

function onEnd(this: Request): void {
  this[CALL]?.whole()
}
