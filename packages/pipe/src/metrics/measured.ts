/**
 * Counts and times what goes through an asker and an answerer, from outside: neither knows of it (RP-41).
 * Invariant: an exchange is counted once when it begins and at most once when it ends; who asked and gave up has no end.
 */
import type { Clock, Fault, Principal } from '@sapwood/core'
import { Code } from '@sapwood/core'
import type { FieldList, RequestHead, ResponseHead } from '@sapwood/wire'
import { handlerName, isInterim } from '@sapwood/wire'
import type {
  AnswerExchange,
  Answerer,
  AnswerListener,
  Asker,
  RequestListener,
} from '../exchange.ts'
import { PairCache } from '../pair-cache.ts'
import type { PipeCounters } from './pipe-counters.ts'

/** @example const asker = measuredAsker(peers, counters, clock) */
export function measuredAsker(
  asker: Asker,
  counters: PipeCounters,
  clock: Pick<Clock, 'now'>,
): Asker {
  return {
    absence: (name) => asker.absence(name),
    whenBack: (name, wait, done) => asker.whenBack(name, wait, done),
    ask(name, head, ends, listener) {
      const exchange = asker.ask(name, head, ends, new Asked(listener, counters, clock))
      counters.sent++
      return exchange
    },
  }
}

/** What a handled request is counted as. Names must be few: what peers choose freely has no end. */
export type NameHandler = (method: string, noun: string) => string

/** Names that are remembered. */
const NAMES_MOST = 1_024

/** @param nameOf for a server behind `--target`, whose paths are no handlers. */
export function measuredAnswerer(
  answerer: Answerer,
  counters: PipeCounters,
  clock: Pick<Clock, 'now'>,
  nameOf: NameHandler = handlerName,
): Answerer {
  const names = new PairCache<string>(NAMES_MOST)
  const known: NameHandler = (method, noun) => {
    const before = names.get(method, noun)
    if (before !== undefined) return before
    const name = nameOf(method, noun)
    names.set(method, noun, name)
    return name
  }
  return {
    request(head, ends, exchange) {
      counters.received++
      const answered = new Answered(head, exchange, counters, clock, known)
      return answered.heardBy(answerer.request(head, ends, answered))
    },
  }
}

class Asked implements AnswerListener {
  readonly #listener: AnswerListener
  readonly #counters: PipeCounters
  readonly #clock: Pick<Clock, 'now'>
  readonly #since: number
  /** As whoever asks wants it. */
  readonly isWhole: boolean

  constructor(listener: AnswerListener, counters: PipeCounters, clock: Pick<Clock, 'now'>) {
    this.isWhole = listener.isWhole === true
    this.#listener = listener
    this.#counters = counters
    this.#clock = clock
    this.#since = clock.now()
  }

  response(head: ResponseHead): void {
    this.#listener.response(head)
  }

  data(part: Uint8Array): void {
    this.#listener.data(part)
  }

  ended(trailers: FieldList | undefined): void {
    this.#counters.sending.add(this.#clock.now() - this.#since)
    this.#listener.ended(trailers)
  }

  drained(): void {
    this.#listener.drained()
  }

  failed(fault: Fault, undelivered: boolean): void {
    this.#counters.failed++
    this.#counters.fault(fault.code)
    this.#listener.failed(fault, undelivered)
  }
}

class Answered implements AnswerExchange, RequestListener {
  readonly peer: string
  readonly principal: Principal
  readonly #head: RequestHead
  readonly #exchange: AnswerExchange
  readonly #counters: PipeCounters
  readonly #clock: Pick<Clock, 'now'>
  readonly #since: number
  readonly #nameOf: NameHandler
  #listener: RequestListener | undefined
  #code: number = Code.ok
  #isOver = false

  constructor(
    head: RequestHead,
    exchange: AnswerExchange,
    counters: PipeCounters,
    clock: Pick<Clock, 'now'>,
    nameOf: NameHandler,
  ) {
    this.peer = exchange.peer
    this.principal = exchange.principal
    this.#head = head
    this.#exchange = exchange
    this.#counters = counters
    this.#clock = clock
    this.#since = clock.now()
    this.#nameOf = nameOf
  }

  heardBy(listener: RequestListener): RequestListener {
    this.#listener = listener
    return this
  }

  respond(head: ResponseHead, ends: boolean): void {
    if (!isInterim(head.status)) this.#code = head.code
    this.#exchange.respond(head, ends)
    if (ends) this.#finish()
  }

  write(part: Uint8Array): boolean {
    return this.#exchange.write(part)
  }

  endWith(part: Uint8Array): void {
    this.#exchange.endWith(part)
    this.#finish()
  }

  end(trailers?: FieldList): void {
    this.#exchange.end(trailers)
    this.#finish()
  }

  took(bytes: number): void {
    this.#exchange.took(bytes)
  }

  cancel(fault: Fault): void {
    this.#exchange.cancel(fault)
    this.#fail(fault)
  }

  data(part: Uint8Array): void {
    this.#listener?.data(part)
  }

  ended(trailers: FieldList | undefined): void {
    this.#listener?.ended(trailers)
  }

  drained(): void {
    this.#listener?.drained()
  }

  failed(fault: Fault): void {
    this.#fail(fault)
    this.#listener?.failed(fault)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    const milliseconds = this.#clock.now() - this.#since
    // what nobody handles, or may ask for, can have any name
    const isHandled = this.#code !== Code.unhandled && this.#code !== Code.refused
    if (isHandled) this.#counters.handled(this.#name(), milliseconds)
    else this.#counters.handling.add(milliseconds)
  }

  #fail(fault: Fault): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#counters.failed++
    this.#counters.fault(fault.code)
  }

  #name(): string {
    const { target, method } = this.#head
    return this.#nameOf(method, nounOf(target))
  }
}

/** What stands in front of the arguments and the query: no more is read of it, since this runs for every request. */
function nounOf(target: string): string {
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  const args = path.indexOf('//')
  const noun = path.slice(1, args < 0 ? undefined : args)
  if (!noun.includes('%')) return noun
  try {
    return decodeURIComponent(noun)
  } catch {
    return noun
  }
}
