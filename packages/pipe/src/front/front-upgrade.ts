/**
 * A caller's connection that is to speak another protocol, such as WebSocket, with whoever answers behind the pipe. The
 * head goes as a request with the header `upgrade`; behind a 101 all bytes pass, both ways, each way until its end.
 *
 *     state      101           other answer      data                 ended     failed, time is up   caller leaves
 *     asked      open          answered          -                    -         an HTTP error        cancel
 *     open       -             -                 to the caller        end       reset the caller     cancel
 *     answered   -             -                 to the caller        end       reset the caller     cancel
 *     over       -             -                 -                    -         -                    -
 *
 * Invariant: nothing that the caller sends reaches the peer before a 101: what refuses to upgrade would read it as another
 * request.
 */
import type { Socket } from 'node:net'
import type { Fault, Timed } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { HttpRequest } from '@sapwood/http'
import { rawProblem } from '@sapwood/http'
import { countChunk } from '@sapwood/net'
import type { FieldList, ResponseHead } from '@sapwood/wire'
import { isInterim } from '@sapwood/wire'
import type { Exchange } from '../exchange.ts'
import { gatherWrites } from '../gather-writes.ts'
import { isBare } from './answer-fields.ts'
import { answerHead } from './answer-head.ts'
import type { FrontContext, Inquiry } from './front-context.ts'
import { countFault, requestHead } from './front-context.ts'
import type { Outcome } from './front-faults.ts'
import { ANSWER_INVALID, ANSWER_TIMEOUT, CALLER_LEFT, outcomeOf } from './front-faults.ts'
import type { OpenCall } from './open-calls.ts'
import { callsOn, resetConnection } from './open-calls.ts'
import type { Questioner } from './question.ts'
import { Question } from './question.ts'

/** Bytes that are held before the other end has agreed. */
const EARLY = 65_536
/** A connection that says nothing is asked for a sign of life after so many milliseconds. */
const KEEP_ALIVE = 60_000

export class FrontUpgrade implements Questioner, OpenCall, Timed {
  readonly #front: FrontContext
  readonly #socket: Socket
  readonly #inquiry: Inquiry
  readonly #question: Question
  readonly #timeout: number
  readonly #timer: Timer = new Timer(this)
  #exchange: Exchange | undefined = undefined
  #state: 'asked' | 'open' | 'answered' | 'over' = 'asked'
  readonly #early: Uint8Array[] = []
  #earlyBytes = 0
  /** The peer, or the caller, has said all. */
  #isPeerDone = false
  #isCallerDone = false
  /** The head of the answer was all of it. */
  #isBare = false
  #untaken = 0

  /** @param first what came behind the head. */
  constructor(
    front: FrontContext,
    request: HttpRequest,
    socket: Socket,
    first: Uint8Array,
    inquiry: Inquiry,
  ) {
    this.#front = front
    this.#socket = socket
    this.#inquiry = inquiry
    const { target, fields } = inquiry
    this.#timeout = target.timeout ?? front.timeout
    if (first.length > 0) this.#hold(first)
    const head = requestHead(request, inquiry, this.#timeout)
    this.#question = new Question(front, this, {
      name: target.name,
      head: { ...head, headers: [...head.headers, 'upgrade', fields.upgrade ?? ''] },
      ends: false,
      wait: target.wait ?? front.wait,
    })
  }

  start(): void {
    const socket = this.#socket
    this.#front.counters.open++
    socket.setKeepAlive(true, KEEP_ALIVE)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('end', () => this.#callerEnded())
    socket.on('drain', () => this.#roomy())
    callsOn(socket).add(this)
    this.#question.ask()
  }

  begun(exchange: Exchange): void {
    this.#exchange = exchange
    this.#front.wheel.set(this.#timer, this.#timeout)
  }

  refused({ code, fault }: Outcome): void {
    this.#fail(fault, code)
  }

  response(head: ResponseHead): void {
    if (this.#state !== 'asked' || isInterim(head.status)) return
    this.#front.wheel.clear(this.#timer)
    const isUnasked = head.status === 101 && this.#question.ends
    const lines = isUnasked ? undefined : answerHead(head, this.#inquiry.isProxied)
    if (lines === undefined) return this.#giveUp(ANSWER_INVALID)
    this.#socket.write(lines, 'latin1')
    if (head.status === 101) this.#open()
    else {
      this.#state = 'answered'
      this.#isBare = isBare(this.#question.head.method, head.status)
      if (!this.#question.ends) this.#exchange?.end()
    }
  }

  data(part: Uint8Array): void {
    if (this.#state !== 'open' && this.#state !== 'answered') return
    if (this.#isBare) return this.#exchange?.took(part.length)
    gatherWrites(this.#socket)
    if (this.#socket.write(part) && this.#untaken === 0) return this.#exchange?.took(part.length)
    if (this.#untaken === 0) this.#front.wheel.set(this.#timer, this.#front.patience)
    this.#untaken += part.length
  }

  ended(_trailers: FieldList | undefined): void {
    this.#isPeerDone = true
    if (this.#state === 'over') return
    this.#socket.end()
    if (this.#state === 'answered') this.#over()
    else this.#settle()
  }

  drained(): void {
    this.#socket.resume()
  }

  failed(fault: Fault, undelivered: boolean): void {
    if (this.#state === 'over') return
    this.#exchange = undefined
    this.#front.wheel.clear(this.#timer)
    const isRepeatable = undelivered && fault.code !== 'STREAMS_FULL'
    if (isRepeatable && this.#state === 'asked' && this.#question.again()) return
    const { code, fault: told } = outcomeOf(fault)
    this.#fail(told, code)
  }

  expired(): void {
    if (this.#state === 'over') return void this.#socket.destroy()
    this.#giveUp(this.#state === 'asked' ? ANSWER_TIMEOUT : CALLER_LEFT)
  }

  #open(): void {
    this.#state = 'open'
    this.#front.counters.upgrades++
    let hasRoom = true
    for (const chunk of this.#early.splice(0)) hasRoom = this.#exchange?.write(chunk) ?? false
    if (this.#isCallerDone) this.#exchange?.end()
    else if (hasRoom) this.#socket.resume()
    else this.#socket.pause()
  }

  #take(chunk: Uint8Array): void {
    countChunk(chunk.length)
    if (this.#state === 'asked') this.#hold(chunk)
    else if (this.#state === 'open' && this.#exchange?.write(chunk) === false) this.#socket.pause()
  }

  #hold(chunk: Uint8Array): void {
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes >= EARLY) this.#socket.pause()
  }

  #callerEnded(): void {
    this.#isCallerDone = true
    if (this.#state === 'asked') return
    if (this.#state === 'open') this.#exchange?.end()
    this.#settle()
  }

  #roomy(): void {
    const untaken = this.#untaken
    this.#untaken = 0
    if (this.#state === 'asked' || this.#state === 'over' || untaken === 0) return
    this.#front.wheel.clear(this.#timer)
    this.#exchange?.took(untaken)
  }

  left(): void {
    this.#front.wheel.clear(this.#timer)
    if (this.#state === 'over') return
    this.#exchange?.cancel(CALLER_LEFT)
    this.#over()
  }

  misfit(fault: Fault): void {
    if (this.#state !== 'over') this.#giveUp(fault)
  }

  #giveUp(fault: Fault): void {
    this.#exchange?.cancel(fault)
    const { code, fault: told } = outcomeOf(fault)
    this.#fail(told, code)
  }

  #fail(fault: Fault, code: number): void {
    countFault(this.#front, fault)
    if (this.#state === 'asked') {
      this.#socket.end(rawProblem(fault, ['x-event-return-code', String(code)]))
    } else resetConnection(this.#socket)
    this.#over()
  }

  /** It is over when both have said all. */
  #settle(): void {
    if (this.#isPeerDone && this.#isCallerDone) this.#over()
  }

  #over(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#front.counters.open--
    // what was written last has so much time to leave
    if (!this.#socket.destroyed) this.#front.wheel.set(this.#timer, this.#front.patience)
    this.#question.cancel()
    this.#exchange = undefined
    this.#early.length = 0
    this.#socket.resume()
  }
}
