/**
 * A request on its way through a handler: its body comes whole or as a stream, and so goes its answer.
 *
 *     state       waits for                                    limit             at the limit
 *     coming      the peer's next bytes                        limits.bodyTime,  408 BODY_TIMEOUT
 *                                                              up to twice that
 *     running     the handler to read, or to answer            what the asker    504 ANSWER_TIMEOUT, and the
 *                                                              still waits       handler is told to stop
 *     answering   the peer to take the streamed answer         the asker's
 *     over        nothing; what still comes is dropped
 *
 * Invariant: at most `limits.body` of a body that is wanted whole is held, of a stream about `HELD` and what the pipe's
 * window lets come; the peer may send more only as the handler reads.
 */
import { Readable } from 'node:stream'
import type { Fault, Message, Timed } from '@sapwood/core'
import { Code, SapwoodError, Timer } from '@sapwood/core'
import type { HandlerCall, HandlerContext, ReplyTaker } from '@sapwood/http'
import { breakReason, readBody, readsStream, textOf } from '@sapwood/http'
import type { Handler } from '@sapwood/wire'
import {
  exceptionReply,
  fieldOf,
  handlerInput,
  isFault,
  mediaType,
  responseHead,
} from '@sapwood/wire'
import type { AnswerExchange, RequestListener } from '../exchange.ts'
import { ANSWER_BROKEN, HANDLER_LATE, largerThan, TOO_LATE } from './answer-faults.ts'
import type { HandlerRouteDeps } from './handler-route.ts'
import { bytesOf, hasBody, sendFault, sendHead, sendReply } from './replies.ts'
import type { RoutedRequest } from './route.ts'
import type { AnswerSource } from './streamed-answer.ts'
import { inParts, PART, StreamedAnswer } from './streamed-answer.ts'

/** Bytes of a streamed body that wait for the handler. */
const HELD = 64 * 1024
/** Characters of a noun that a log shows. */
const SHOWN = 128

export class HandledRequest implements RequestListener, ReplyTaker, AnswerSource, Timed {
  readonly #request: RoutedRequest
  readonly #exchange: AnswerExchange
  readonly #call: HandlerCall
  readonly #handler: Handler<HandlerContext>
  readonly #deps: HandlerRouteDeps
  /** Bytes that the body may have. */
  readonly #most: number
  #state: 'coming' | 'running' | 'answering' | 'over' = 'coming'
  #timer: Timer | undefined
  /** A part of the body came since the timer was set: then it is set again instead of being moved for each. */
  #moved = false
  /** Whether all of the body has come. */
  #whole = false
  #size = 0
  #parts: Uint8Array[] | undefined
  /** The body, where the handler reads a stream, and how much of it the peer was not told to be taken. */
  #body: Readable | undefined
  #owed = 0
  #answer: StreamedAnswer | undefined

  constructor(
    request: RoutedRequest,
    exchange: AnswerExchange,
    call: HandlerCall,
    handler: Handler<HandlerContext>,
    most: number,
    deps: HandlerRouteDeps,
  ) {
    this.#request = request
    this.#exchange = exchange
    this.#call = call
    this.#handler = handler
    this.#deps = deps
    this.#most = readsStream(handler) ? most : Math.min(most, deps.limits.body)
  }

  /** @param ends true for a request without a body. */
  begin(ends: boolean): void {
    const { headers } = this.#request.head
    if (Number(fieldOf(headers, 'content-length') ?? 0) > this.#most) return this.#refuse()
    this.#whole = ends
    if (readsStream(this.#handler)) return this.#runWithStream()
    if (ends) this.#run([this.#type, ''])
    else this.#wait()
  }

  data(part: Uint8Array): void {
    const { length } = part
    this.#size += length
    if (this.#state === 'over' || this.#body?.destroyed) return this.#exchange.took(length)
    if (this.#size > this.#most) {
      this.#exchange.took(length)
      return this.#refuse()
    }
    const body = this.#body
    if (body === undefined) {
      this.#parts ??= []
      this.#parts.push(part)
      this.#exchange.took(length)
    } else if (body.push(part)) this.#exchange.took(length)
    else {
      // now the handler is waited for
      this.#owed += length
      return this.#wait()
    }
    this.#moved = true
  }

  ended(): void {
    if (this.#whole) return
    this.#whole = true
    if (this.#state === 'over') return
    if (this.#body !== undefined) {
      this.#body.push(null)
      this.#wait()
    } else this.#runWithBody()
  }

  drained(): void {
    this.#answer?.resume()
  }

  failed({ code, detail, status = 502 }: Fault): void {
    const reason = new SapwoodError(code, detail, { status })
    this.#over(reason)
    this.#call.stop(reason)
  }

  /** Whoever is waited for took too long. */
  expired(): void {
    const isLate = this.#waitsForPeer
    if (isLate && this.#moved) return this.#wait()
    const { code, detail } = HANDLER_LATE
    if (isLate) this.#fail(TOO_LATE, Code.threw)
    else this.#fail(HANDLER_LATE, Code.timeout)
    this.#call.stop(new SapwoodError(code, detail, { status: 504 }))
  }

  #runWithStream(): void {
    const body = new Readable({ highWaterMark: HELD, read: () => this.#more() })
    // a handler that does not listen must not end the process
    body.on('error', () => undefined)
    this.#body = body
    if (this.#whole) body.push(null)
    this.#run([this.#type, body])
  }

  #runWithBody(): void {
    const parts = this.#parts ?? []
    this.#parts = undefined
    const type = this.#type
    if (this.#size === 0) return this.#run([type, ''])
    const [first] = parts as [Uint8Array]
    const body =
      parts.length > 1
        ? Buffer.concat(parts)
        : Buffer.from(first.buffer, first.byteOffset, first.byteLength)
    // what nobody gave a type is not guessed at
    if (type === '') return this.#run([type, textOf(body) ?? body])
    const message = readBody(body, type)
    if (isFault(message)) this.#fail(message, Code.threw)
    else this.#run(handlerInput(message))
  }

  #run(input: readonly [type: string, data: unknown]): void {
    this.#state = 'running'
    this.#call.run(this.#handler, input, this.#request.args, this)
    // most have answered by now
    this.#wait()
  }

  /** As the asker said it, '' for none (RP-05). */
  get #type(): string {
    return mediaType(fieldOf(this.#request.head.headers, 'content-type'))
  }

  /** Is its answer a head alone? */
  get #isBare(): boolean {
    return this.#request.head.method === 'HEAD'
  }

  /** The handler has answered. */
  answered(reply: Message): void {
    const { body } = reply
    if (this.#state === 'over') {
      if (body instanceof Readable) body.destroy()
      return
    }
    try {
      const streams = body instanceof Readable && hasBody(reply) && !this.#isBare
      if (streams) this.#stream(reply, body, undefined)
      else this.#send(reply)
    } catch (thrown) {
      // headers of the handler that are too long for a frame
      if (body instanceof Readable) body.destroy()
      sendReply(this.#exchange, exceptionReply(thrown))
      this.#over()
    }
  }

  #send(reply: Message): void {
    const bytes = bytesOf(reply)
    if (this.#isBare || bytes.length <= PART) {
      if (this.#isBare) sendHead(this.#exchange, reply)
      else sendReply(this.#exchange, reply, bytes)
      if (reply.body instanceof Readable) reply.body.destroy()
      return this.#over()
    }
    this.#stream(reply, inParts(bytes), bytes.length)
  }

  #stream(reply: Message, answer: Readable, length: number | undefined): void {
    this.#state = 'answering'
    this.#unwait()
    this.#answer = new StreamedAnswer(this.#exchange, answer, this)
    this.#exchange.respond(responseHead(reply, length), false)
    this.#answer.begin()
  }

  /** The streamed answer is whole. */
  sent(): void {
    this.#over()
  }

  /** It is not, and never will be. */
  broken(reason?: unknown): void {
    const { head, noun } = this.#request
    // the asker is not told why, who runs the handler is
    const detail = `the stream that ${head.method} ${noun.slice(0, SHOWN)} answers ${this.#exchange.peer} with broke off: ${breakReason(reason)}`
    this.#deps.onBroken?.({ code: ANSWER_BROKEN.code, detail })
    this.#exchange.cancel(ANSWER_BROKEN)
    this.#over()
    this.#call.stop(new SapwoodError(ANSWER_BROKEN.code, ANSWER_BROKEN.detail, { status: 502 }))
  }

  #refuse(): void {
    const fault = largerThan(this.#most)
    this.#fail(fault, Code.threw)
    this.#call.stop(new SapwoodError(fault.code, fault.detail, { status: 413 }))
  }

  #fail(fault: Fault, code: Code): void {
    if (this.#state === 'answering') this.#exchange.cancel(fault)
    else if (this.#state !== 'over') sendFault(this.#exchange, fault, code)
    this.#over(new SapwoodError(fault.code, fault.detail, { status: fault.status ?? 400 }))
  }

  /** The handler has read what there was. */
  #more(): void {
    const owed = this.#owed
    if (owed === 0) return
    this.#owed = 0
    this.#exchange.took(owed)
    this.#wait()
  }

  #over(reason?: Error): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#unwait()
    this.#parts = undefined
    this.#body?.destroy(reason)
    this.#answer?.stop()
    if (this.#owed > 0) this.#exchange.took(this.#owed)
    this.#owed = 0
  }

  #wait(): void {
    if (this.#state !== 'coming' && this.#state !== 'running') return
    this.#moved = false
    const time = this.#waitsForPeer ? this.#deps.limits.bodyTime : this.#request.head.timeout
    // 0: the asker waits as long as there is a session, and tells when it does not any more
    if (time === 0) return this.#unwait()
    this.#timer ??= new Timer(this)
    this.#deps.wheel.set(this.#timer, time)
  }

  get #waitsForPeer(): boolean {
    return !this.#whole && this.#owed === 0
  }

  #unwait(): void {
    if (this.#timer !== undefined) this.#deps.wheel.clear(this.#timer)
  }
}
