/**
 * One request of a caller, and the peer's answer to it, while both may still be coming.
 *
 *     state       head, data, end       failed                    time is up             caller leaves
 *     asked       to the `AnswerWriter` asked again, or 502       504, or 408            cancel
 *     answering   to the `AnswerWriter` 502, or the caller reset  the caller reset       cancel
 *     over        -                     -                         rest of request over   -
 *
 * Invariant: the peer hears of a caller that leaves at once; behind an early answer the rest of the request is dropped, for
 * a while, so that the answer is not lost in a reset.
 */
import type { IncomingMessage } from 'node:http'
import type { Fault, Timed } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { HttpResponse, WholeRequest } from '@sapwood/http'
import { answerProblem } from '@sapwood/http'
import type { FieldList, ResponseHead } from '@sapwood/wire'
import { isInterim } from '@sapwood/wire'
import type { Exchange } from '../exchange.ts'
import type { AnswerOwner } from './answer-writer.ts'
import { AnswerWriter } from './answer-writer.ts'
import type { BodyOwner } from './caller-body.ts'
import { CallerBody } from './caller-body.ts'
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

/** How long the rest of a request is read and dropped behind its answer, in milliseconds. */
const LINGER = 500

export class FrontCall implements Questioner, AnswerOwner, BodyOwner, OpenCall, Timed {
  readonly #front: FrontContext
  readonly #request: IncomingMessage | WholeRequest
  readonly #response: HttpResponse
  readonly #inquiry: Inquiry
  readonly #question: Question
  readonly #writer: AnswerWriter
  /** Of the caller, if there is one. */
  readonly #body: CallerBody | undefined = undefined
  readonly #timeout: number
  readonly #timer: Timer = new Timer(this)
  #exchange: Exchange | undefined = undefined
  #isOver = false
  /** When the peer was asked. */
  #asked = 0

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
    if (fields.hasBody) {
      const length = Number(fields['content-length'] ?? Number.NaN)
      this.#body = new CallerBody(request, this, length, front.most, front.wheel)
    }
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
    if (this.#body?.isTooLong) this.bodyTooLarge()
    else this.#question.ask()
  }

  begun(exchange: Exchange): void {
    const { wheel } = this.#front
    this.#exchange = exchange
    this.#asked = wheel.now()
    wheel.set(this.#timer, this.#timeout)
    this.#body?.sendTo(exchange)
  }

  refused({ code, fault }: Outcome): void {
    this.#problem(fault, code)
  }

  response(head: ResponseHead): void {
    if (this.#isOver) return
    if (isInterim(head.status)) return this.#writer.interim(head)
    this.#body?.forget()
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
    this.#body?.drained()
  }

  failed(fault: Fault, undelivered: boolean): void {
    if (this.#isOver) return
    this.#exchange = undefined
    if (undelivered && this.#mayRepeat(fault) && this.#question.again()) {
      this.#front.wheel.clear(this.#timer)
      this.#body?.hold()
      return
    }
    const { code, fault: told } = outcomeOf(fault)
    this.#problem(told, code)
  }

  took(bytes: number): void {
    this.#exchange?.took(bytes)
  }

  bodyWanted(): void {
    // the peer is there: only now is it worth sending
    if (this.#inquiry.fields.expect !== undefined) this.#response.writeContinue()
  }

  bodyTooLarge(): void {
    this.#giveUp(streamTooLarge(this.#front.most))
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
    const isCaller = this.#body?.isComing ?? false
    const moved = this.#body?.moved ?? this.#asked
    const left = moved + (isCaller ? patience : this.#timeout) - wheel.now()
    if (left > 0) return wheel.set(this.#timer, left)
    this.#giveUp(isCaller ? BODY_TIMEOUT : ANSWER_TIMEOUT)
  }

  #mayRepeat({ code }: Fault): boolean {
    if (this.#writer.begun || code === 'STREAMS_FULL') return false
    return this.#body?.isKept ?? true
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
    if (this.#body?.isWhole === false) this.#exchange?.cancel(ANSWERED)
    this.#over()
    if (this.#body === undefined || this.#request.complete) return
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
    this.#body?.stop()
  }
}
