/** Two ends of a pipe in memory: exchanges at both, frames between them, no sockets. What is written arrives in a later turn. */

import type { Fault } from '@sapwood/core'
import type { Answerer, AnswerListener, Exchange, LinkEvents } from '@sapwood/pipe'
import { ExchangeSession } from '@sapwood/pipe'
import type { FieldList, PipeLimits, RequestHead, ResponseHead } from '@sapwood/wire'
import { isFault, NO_FIELDS, PipeLink } from '@sapwood/wire'

const ROOM = 131_072

class Ends implements LinkEvents {
  readonly wake: () => void
  readonly faults: string[] = []

  constructor(wake: () => void) {
    this.wake = wake
  }

  output(): void {
    this.wake()
  }
  live(): void {
    this.wake()
  }
  writable(): void {}
  update(): void {}
  goaway(): void {}
  fault(fault: Fault): void {
    this.faults.push(fault.code)
  }
  refused(): void {}
  closed(): void {}
}

/** `near` asks as `alpha`, `far` answers. */
export class ExchangePair {
  readonly near: ExchangeSession
  readonly far: ExchangeSession
  readonly faults: string[]
  /** Bytes that went to the answering end, and back. */
  up = 0
  down = 0
  #up: Uint8Array[] = []
  #down: Uint8Array[] = []
  readonly #nearLink: PipeLink
  readonly #farLink: PipeLink = new PipeLink()
  #accepted = false
  #due = false
  /** While held, nothing moves. */
  held = false

  constructor(answerer: Answerer, limits: Partial<PipeLimits> = {}, now: () => number = time) {
    const ids = { id: new Uint8Array(16).fill(1), secret: new Uint8Array(32).fill(2), limits }
    const ends = new Ends(() => this.#wake())
    this.faults = ends.faults
    this.near = new ExchangeSession({
      session: { side: 'dialler', instance: 'near', ...ids },
      peer: 'server',
      answerer: NOBODY,
      links: ends,
      now,
    })
    this.far = new ExchangeSession({
      session: { side: 'listener', instance: 'far', ...ids },
      peer: 'alpha',
      answerer,
      links: ends,
      now,
    })
    this.#nearLink = this.near.session.dial(now())
    this.carry()
  }

  /** Asks, and listens. */
  ask(head: Partial<RequestHead> & { target: string }, body?: Uint8Array | string): Asked {
    return new Asked(this, head, body)
  }

  #wake(): void {
    if (this.#due) return
    this.#due = true
    setImmediate(() => {
      this.#due = false
      if (!this.held) this.carry()
    })
  }

  /** Moves what there is, one way and back. */
  carry(): void {
    const now = time()
    const waiting = { write: (bytes: Uint8Array) => this.#up.push(bytes.slice()) }
    this.near.session.flush(this.#nearLink, ROOM, waiting, now)
    for (const bytes of this.#up.splice(0)) {
      this.up += bytes.length
      if (this.#accepted) this.far.session.receive(this.#farLink, bytes, now)
      else {
        const hello = this.#farLink.greet(bytes)
        if (hello === undefined || isFault(hello)) throw new Error('no greeting')
        this.#accepted = true
        const fault = this.far.session.accept(this.#farLink, hello, now)
        if (fault !== undefined) throw new Error(fault.code)
      }
    }
    if (!this.#accepted) return
    const back = { write: (bytes: Uint8Array) => this.#down.push(bytes.slice()) }
    this.far.session.flush(this.#farLink, ROOM, back, now)
    for (const bytes of this.#down.splice(0)) {
      this.down += bytes.length
      this.near.session.receive(this.#nearLink, bytes, now)
    }
    if (this.near.session.pending || this.far.session.pending) this.#wake()
  }
}

function time(): number {
  return performance.now()
}

const NOBODY: Answerer = {
  request: () => {
    throw new Error('nobody asks this end')
  },
}

/** One question and all that was heard of its answer. */
export class Asked implements AnswerListener {
  readonly exchange: Exchange
  readonly interim: ResponseHead[] = []
  head: ResponseHead | undefined
  readonly parts: Uint8Array[] = []
  size = 0
  trailers: FieldList | undefined
  fault: Fault | undefined
  drains = 0
  /** Whether what comes is taken. */
  takes = true
  done = false

  /** @param isOpen whether a body comes later. */
  constructor(
    pair: ExchangePair,
    head: Partial<RequestHead> & { target: string },
    body: Uint8Array | string | undefined,
    isOpen = false,
  ) {
    const whole: RequestHead = {
      method: body === undefined ? 'GET' : 'POST',
      headers: NO_FIELDS,
      timeout: 0,
      trace: '',
      hops: 0,
      ...head,
    }
    this.exchange = pair.near.ask(whole, body === undefined && !isOpen, this)
    if (body !== undefined && body.length > 0) this.exchange.endWith(Buffer.from(body))
    else if (body !== undefined) this.exchange.end()
  }

  get code(): number | undefined {
    return this.head?.code
  }

  get body(): Buffer {
    return Buffer.concat(this.parts)
  }

  get text(): string {
    return this.body.toString()
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents whose form they check by doing so
  get json(): any {
    return JSON.parse(this.text)
  }

  header(name: string): string | undefined {
    const { headers = [] } = this.head ?? {}
    const at = headers.findIndex((text, i) => i % 2 === 0 && text === name)
    return at < 0 ? undefined : headers[at + 1]
  }

  /** The answer has ended, or failed. */
  async end(): Promise<this> {
    await this.until(() => this.done)
    return this
  }

  async until(holds: () => boolean): Promise<void> {
    const limit = time() + 5_000
    while (!holds()) {
      if (time() > limit) throw new Error('what was waited for did not happen')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  response(head: ResponseHead): void {
    if (head.status < 200 && head.status !== 101) this.interim.push(head)
    else this.head = head
  }

  data(part: Uint8Array): void {
    this.parts.push(part)
    this.size += part.length
    if (this.takes) this.exchange.took(part.length)
  }

  ended(trailers: FieldList | undefined): void {
    this.trailers = trailers
    this.done = true
  }

  drained(): void {
    this.drains++
  }

  failed(fault: Fault): void {
    this.fault = fault
    this.done = true
  }
}
