/** A front on a real port of this machine, whose peer is at the other end of a pipe in memory. Everything ends with the test. */
import type { Fault } from '@sapwood/core'
import { SapwoodError, Wheel } from '@sapwood/core'
import { nodeClock } from '@sapwood/net'
import type {
  AnswerExchange,
  Answerer,
  AnswerListener,
  Asker,
  Exchange,
  Front,
  FrontOptions,
  RequestListener,
} from '@sapwood/pipe'
import { serveFront } from '@sapwood/pipe'
import type { FieldList, PipeLimits, RequestHead } from '@sapwood/wire'
import { Inflow } from '../http/support.ts'
import { ExchangePair } from './exchange-pair.ts'

interface Teardown {
  teardown(run: () => unknown): unknown
}

/** Asks one pipe under several names, any of which may be away. */
export class PairAsker implements Asker {
  readonly pair: ExchangePair
  readonly away = new Set<string>()
  readonly names: Set<string>
  readonly asked: string[] = []
  /** Thrown by the next `ask`, once each. */
  readonly throws: SapwoodError[] = []
  readonly #waiters = new Set<{ name: string; done: (there: boolean) => void }>()

  constructor(pair: ExchangePair, names: readonly string[]) {
    this.pair = pair
    this.names = new Set(names)
  }

  get waiting(): number {
    return this.#waiters.size
  }

  absence(name: string): 'unknown' | 'away' | undefined {
    if (!this.names.has(name)) return 'unknown'
    return this.away.has(name) ? 'away' : undefined
  }

  whenBack(name: string, wait: number, done: (there: boolean) => void): () => void {
    if (!this.away.has(name)) {
      done(true)
      return () => undefined
    }
    const waiter = {
      name,
      done: (there: boolean) => {
        stop()
        this.#waiters.delete(waiter)
        done(there)
      },
    }
    const timer = setTimeout(() => waiter.done(false), wait)
    const stop = (): void => clearTimeout(timer)
    this.#waiters.add(waiter)
    return () => {
      stop()
      this.#waiters.delete(waiter)
    }
  }

  back(name: string): void {
    this.away.delete(name)
    for (const waiter of [...this.#waiters]) if (waiter.name === name) waiter.done(true)
  }

  ask(name: string, head: RequestHead, ends: boolean, listener: AnswerListener): Exchange {
    const thrown = this.throws.shift()
    if (thrown !== undefined) throw thrown
    this.asked.push(name)
    return this.pair.near.ask(head, ends, listener)
  }
}

/** One request as it arrived at the peer. */
export class Arrived implements RequestListener {
  readonly head: RequestHead
  readonly ends: boolean
  readonly exchange: AnswerExchange
  readonly parts = new Inflow<Buffer>()
  size = 0
  trailers: FieldList | undefined
  fault: Fault | undefined
  isWhole = false
  /** Whether what comes is taken. */
  takes = true

  constructor(head: RequestHead, ends: boolean, exchange: AnswerExchange) {
    this.head = head
    this.ends = ends
    this.exchange = exchange
    this.isWhole = ends
  }

  header(name: string): string | undefined {
    const at = this.head.headers.findIndex((text, i) => i % 2 === 0 && text === name)
    return at < 0 ? undefined : this.head.headers[at + 1]
  }

  get text(): string {
    return Buffer.concat(this.parts.all).toString()
  }

  data(part: Uint8Array): void {
    this.size += part.length
    this.parts.add(Buffer.from(part))
    if (this.takes) this.exchange.took(part.length)
  }

  ended(trailers: FieldList | undefined): void {
    this.trailers = trailers
    this.isWhole = true
    this.parts.end()
  }

  drained(): void {}

  failed(fault: Fault): void {
    this.fault = fault
    this.parts.end()
  }

  /** Answers at once. */
  answer(status: number, body: string, headers: FieldList = [], code = 0): void {
    this.exchange.respond({ status, headers, code }, body === '')
    if (body !== '') this.exchange.endWith(Buffer.from(body))
  }
}

/** What a peer does with a request; `requests` has all of them. */
export class ScriptedAnswerer implements Answerer {
  readonly requests = new Inflow<Arrived>()
  readonly #script: (request: Arrived) => void

  constructor(script: (request: Arrived) => void = () => undefined) {
    this.#script = script
  }

  request(head: RequestHead, ends: boolean, exchange: AnswerExchange): RequestListener {
    const arrived = new Arrived(head, ends, exchange)
    this.#script(arrived)
    this.requests.add(arrived)
    return arrived
  }

  /** The request number `count`, from 1. */
  async arrived(count = 1): Promise<Arrived> {
    const all = await this.requests.count(count)
    return all[count - 1] as Arrived
  }
}

export interface FrontStand {
  readonly front: Front
  readonly asker: PairAsker
  readonly pair: ExchangePair
  readonly port: number
  readonly url: string
}

export const wheel: Wheel = new Wheel(nodeClock)

/** A front of a server, unless `front` says otherwise; its peer is called `alpha`, and `fileserver`, and `server`. */
export async function serve(
  t: Teardown,
  answerer: Answerer,
  front: Partial<FrontOptions> = {},
  limits: Partial<PipeLimits> = {},
): Promise<FrontStand> {
  const pair = new ExchangePair(answerer, limits)
  const asker = new PairAsker(pair, ['alpha', 'fileserver', 'server', 'localhost'])
  const served = await serveFront({ listen: '127.0.0.1:0', asker, ...front })
  t.teardown(() => served.close())
  const port = Number(served.address.slice(served.address.lastIndexOf(':') + 1))
  return { front: served, asker, pair, port, url: `http://${served.address}` }
}

export function gone(code: string): SapwoodError {
  return new SapwoodError(code, 'as the test says')
}

/** An answer in short: status, return code, and the code of a problem. */
export function outcome(answer: { status: number; headers: object; text: string }): unknown[] {
  const headers = answer.headers as Record<string, string | undefined>
  const code = headers['content-type']?.includes('problem+json') ? JSON.parse(answer.text).code : ''
  return [answer.status, headers['x-event-return-code'], code]
}
