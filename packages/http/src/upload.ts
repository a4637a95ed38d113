/**
 * A question whose body is handed on while it comes (TB-02). The handler reads a stream; what it does not take, the
 * client cannot send.
 *
 *     state     waits for                      limit             at the limit
 *     coming    the client's next bytes        limits.body_time  408 BODY_TIMEOUT
 *     full      the handler to take some       ask.timeout       504 ANSWER_TIMEOUT
 *     whole     the handler's answer           ask.timeout       504 ANSWER_TIMEOUT
 *     over      nothing
 *
 * Invariant: about `HELD` bytes and what Node keeps for a socket are held, whatever the length; the stream ends only
 * where the body did, and fails wherever it was cut.
 */
import { Readable } from 'node:stream'
import type { Fault, Message, Question, Timed } from '@sapwood/core'
import {
  BYTES_TYPE,
  Code,
  isStream,
  LONGEST_WAIT,
  outcome,
  SapwoodError,
  Timer,
} from '@sapwood/core'
import { countChunk } from '@sapwood/net'
import { mediaType } from '@sapwood/wire'
import type { Call } from './call.ts'
import { fault } from './problem.ts'
import { respond } from './respond.ts'
import { LOST } from './unanswered.ts'

/** Bytes that wait for the handler before the client is made to wait. */
const HELD = 64 * 1024

const PAUSED = fault('BODY_TIMEOUT', 'nothing of the body came within limits.body_time', 408)
const UNANSWERED = fault(
  'ANSWER_TIMEOUT',
  'the handler neither read nor answered in time; raise it with ?timeout= or look at the handler',
  504,
)
const LEFT = fault('CONNECTION_LOST', 'the client left before its body had ended', 502)

export class Upload implements Timed {
  readonly #call: Call
  readonly #body: Readable
  readonly #timer: Timer = new Timer(this)
  #state: 'coming' | 'full' | 'whole' | 'over' = 'coming'
  #answered = false
  #size = 0
  /** Milliseconds that the handler has, from the last that it took. */
  #patience = 0
  #cancel = (): void => undefined

  constructor(call: Call) {
    this.#call = call
    this.#body = new Readable({ highWaterMark: HELD, read: () => this.#more() })
    // a handler that does not listen must not end the process
    this.#body.on('error', () => undefined)
  }

  /** Asks, with the body of the request as a stream, and answers the call. */
  ask(question: (body: Pick<Message, 'body' | 'type'>) => Question): void {
    const { request, response, context, head } = this.#call
    if (this.#exceeds(Number(request.headers['content-length'] ?? 0))) return
    const type = mediaType(head['content-type']) || BYTES_TYPE
    const asked = question({ body: this.#body, type })
    this.#patience = asked.timeout
    request.on('data', (chunk: Buffer) => this.#take(chunk))
    request.on('end', () => this.#end())
    request.on('close', () => this.#left())
    response.on('close', () => this.#left())
    context.unanswered.add(this)
    this.#wait()
    // the inbox need not watch the time: each wait has its limit here, and an upload may take hours
    this.#cancel = context.hub.ask({ ...asked, timeout: LONGEST_WAIT }, (answer) =>
      this.#answer(answer),
    )
  }

  /** Whoever is waited for took too long. */
  expired(): void {
    if (this.#state === 'coming') this.#fail(PAUSED, Code.threw)
    else this.#fail(UNANSWERED, Code.timeout)
  }

  stopped(): void {
    this.#fail(LOST, Code.lost)
  }

  #take(chunk: Buffer): void {
    countChunk(chunk.length)
    if (this.#state === 'over') return
    this.#size += chunk.length
    if (this.#exceeds(this.#size)) return
    if (!this.#body.push(chunk)) {
      this.#call.request.pause()
      this.#state = 'full'
    }
    this.#wait()
  }

  /** The handler took what there was. */
  #more(): void {
    if (this.#state !== 'full') return
    this.#state = 'coming'
    this.#wait()
    this.#call.request.resume()
  }

  #end(): void {
    if (this.#state === 'over') return
    this.#state = 'whole'
    this.#body.push(null)
    if (this.#answered) this.#settle()
    else this.#wait()
  }

  #answer(answer: Message): void {
    // an answer that streams may be made of what still comes
    if (!isStream(answer.body)) this.#over()
    else if (this.#state === 'whole') this.#settle()
    this.#answered = true
    if (this.#call.request.complete) respond(this.#call, answer)
    // the rest of a short body has come already and is parsed in this turn: then the connection can go on
    else setImmediate(() => respond(this.#call, answer))
  }

  #exceeds(size: number): boolean {
    const { stream } = this.#call.context.settings.limits
    if (stream === 0 || size <= stream) return false
    const detail = `the body is larger than limits.stream (${stream} bytes)`
    this.#fail(fault('STREAM_TOO_LARGE', detail, 413), Code.threw)
    return true
  }

  /** The request or its response is closed: well, if both had ended. */
  #left(): void {
    const { request, response } = this.#call
    if (!request.complete) this.#stop(LEFT)
    else if (response.destroyed && !response.writableFinished) this.#stop(LEFT)
    else if (response.writableFinished) this.#over()
  }

  #fail(problem: Fault, code: Code): void {
    const { response, context } = this.#call
    context.hub.counters.fault(problem.code)
    this.#stop(problem)
    if (response.headersSent) response.destroy()
    else respond(this.#call, outcome(code, problem.status ?? 400, problem.code, problem.detail))
  }

  /** Nobody waits for the answer, and the stream will not be whole. */
  #stop({ code, detail, status = 400 }: Fault): void {
    if (this.#state === 'over') return
    const cancel = this.#cancel
    this.#body.destroy(new SapwoodError(code, detail, { status }))
    this.#over()
    cancel()
  }

  #over(): void {
    this.#settle()
    this.#body.destroy()
  }

  /** Nothing is waited for here any more. */
  #settle(): void {
    this.#state = 'over'
    this.#cancel = () => undefined
    const { hub, unanswered } = this.#call.context
    unanswered.delete(this)
    hub.wheel.clear(this.#timer)
  }

  #wait(): void {
    const { hub, settings } = this.#call.context
    const time = this.#state === 'coming' ? settings.limits.bodyTime : this.#patience
    hub.wheel.set(this.#timer, time)
  }
}
