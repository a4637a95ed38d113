/**
 * A session of the pipe as exchanges: what its streams tell goes to who asks and who answers, what its links tell to who
 * keeps them. No sockets here.
 * Each stream has its exchange in `stream.data`: nothing is looked up, and nothing made but that one object.
 * Invariant: a listener hears nothing after `failed` or its own `cancel`, and after `ended` only what becomes of its own body:
 * `drained`, and `failed` if the other end does not want the rest.
 */
import type { Fault, Principal } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type {
  FieldList,
  PipeEvents,
  PipeSessionOptions,
  PipeStream,
  RequestHead,
  ResponseHead,
} from '@sapwood/wire'
import { PipeSession } from '@sapwood/wire'
import type {
  AnswerExchange,
  Answerer,
  AnswerListener,
  Exchange,
  RequestListener,
} from './exchange.ts'

/** What whoever keeps the links of a session hears; see `PipeEvents`. */
export type LinkEvents = Omit<
  PipeEvents,
  'request' | 'response' | 'data' | 'ended' | 'reset' | 'drained'
>

export interface ExchangeSessionOptions {
  readonly session: PipeSessionOptions
  /** The name in the peer's certificate that it goes by. */
  readonly peer: string
  readonly answerer: Answerer
  readonly links: LinkEvents
  /** Milliseconds of a clock that never goes back: the one that the session is told. */
  readonly now: () => number
}

/**
 * @example
 * const exchanges = new ExchangeSession({ session: { side: 'dialler', … }, peer: 'server', answerer, links, now })
 * exchanges.session.dial(now())
 * exchanges.ask(head, true, listener)
 */
export class ExchangeSession implements PipeEvents {
  readonly session: PipeSession
  readonly peer: string
  /** By the certificate on the link that is there now. */
  principal: Principal
  readonly #answerer: Answerer
  readonly #links: LinkEvents
  readonly #now: () => number
  #open = 0

  constructor({ session, peer, answerer, links, now }: ExchangeSessionOptions) {
    this.peer = peer
    this.principal = { id: `cert:${peer}`, trusted: false }
    this.#answerer = answerer
    this.#links = links
    this.#now = now
    this.session = new PipeSession(session, this)
  }

  /** Questions of this end whose answers have not ended. */
  get open(): number {
    return this.#open
  }

  /**
   * Asks the peer.
   * @param ends true for a request without a body.
   * @throws SapwoodError as `PipeSession.open` does: then the peer has not heard of it.
   */
  ask(head: RequestHead, ends: boolean, listener: AnswerListener): Exchange {
    const stream = this.session.open(head, ends)
    // what was written may have been too much for the session: it is over then, and nothing was sent
    if (this.session.over) throw new SapwoodError('PIPE_CLOSED', OVER, { status: 502 })
    const exchange = new StreamExchange(this, stream, listener, false)
    stream.data = exchange
    this.#open++
    return exchange
  }

  /** @internal of the exchanges. */
  now(): number {
    return this.#now()
  }

  /** @internal of the exchanges: nobody here waits any more. */
  settled(exchange: StreamExchange): void {
    if (exchange.settled) return
    exchange.settled = true
    if (exchange.stream.own) this.#open--
  }

  request(stream: PipeStream, head: RequestHead, ends: boolean): void {
    const exchange = new StreamExchange(this, stream, undefined, ends)
    stream.data = exchange
    const listener = this.#answerer.request(head, ends, exchange)
    exchange.listener = listener
    // the session may have ended while the request was told of
    if (exchange.failure !== undefined) listener.failed(exchange.failure)
  }

  response(stream: PipeStream, head: ResponseHead): void {
    const { listener } = stream.data as StreamExchange
    ;(listener as AnswerListener).response(head)
  }

  data(stream: PipeStream, part: Uint8Array): void {
    ;(stream.data as StreamExchange).listener?.data(part)
  }

  ended(stream: PipeStream, trailers: FieldList | undefined): void {
    const exchange = stream.data as StreamExchange
    if (exchange.settled) return
    this.settled(exchange)
    exchange.listener?.ended(trailers)
  }

  reset(stream: PipeStream, fault: Fault, undelivered: boolean): void {
    const exchange = stream.data as StreamExchange | undefined
    // `ask` throws for it
    if (exchange === undefined) return
    this.settled(exchange)
    const { listener } = exchange
    if (listener === undefined) exchange.failure = fault
    // who answers has no use for the second
    else (listener as AnswerListener).failed(fault, undelivered)
  }

  drained(stream: PipeStream): void {
    ;(stream.data as StreamExchange).listener?.drained()
  }

  output(): void {
    this.#links.output()
  }

  live(resumed: boolean): void {
    this.#links.live(resumed)
  }

  writable(): void {
    this.#links.writable()
  }

  update(bytes: Uint8Array): void {
    this.#links.update(bytes)
  }

  goaway(fault: Fault, retryAfter: number): void {
    this.#links.goaway(fault, retryAfter)
  }

  fault(fault: Fault): void {
    this.#links.fault(fault)
  }

  refused(fault: Fault, retryAfter: number): void {
    this.#links.refused(fault, retryAfter)
  }

  closed(fault: Fault): void {
    this.#links.closed(fault)
  }
}

const OVER = 'the session with the peer is over; a new one begins when the peer is back'

/** One stream, as either end has it. */
class StreamExchange implements Exchange, AnswerExchange {
  readonly owner: ExchangeSession
  readonly stream: PipeStream
  listener: AnswerListener | RequestListener | undefined
  /** The other body has ended, or nobody here wants it. */
  settled: boolean
  /** Why it was over before there was a listener. */
  failure: Fault | undefined = undefined

  constructor(
    owner: ExchangeSession,
    stream: PipeStream,
    listener: AnswerListener | undefined,
    settled: boolean,
  ) {
    this.owner = owner
    this.stream = stream
    this.listener = listener
    this.settled = settled
  }

  get peer(): string {
    return this.owner.peer
  }

  get principal(): Principal {
    return this.owner.principal
  }

  respond(head: ResponseHead, ends: boolean): void {
    this.owner.session.respond(this.stream, head, ends)
  }

  write(part: Uint8Array): boolean {
    return this.owner.session.send(this.stream, part, false)
  }

  endWith(part: Uint8Array): void {
    this.owner.session.send(this.stream, part, true)
  }

  end(trailers?: FieldList): void {
    this.owner.session.finish(this.stream, trailers)
  }

  took(bytes: number): void {
    this.owner.session.took(this.stream, bytes, this.owner.now())
  }

  cancel(fault: Fault): void {
    this.owner.settled(this)
    this.owner.session.reset(this.stream, fault)
  }
}
