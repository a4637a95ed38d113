/**
 * One request and its answer within a process: what one end does the other hears, as over a pipe, without one.
 * Invariant: neither end is called within a call of the other; each hears things in their order, nothing after its own
 * `cancel` or `failed`; of each body no more than some 64 KiB wait, as long as its writer waits when it is told to.
 */
import type { Fault, Principal } from '@sapwood/core'
import type { FieldList, ResponseHead } from '@sapwood/wire'
import type { AnswerExchange, AnswerListener, RequestListener } from '../exchange.ts'

/** Bytes that nobody has taken yet, from which on a writer is to wait. */
const HELD = 65_536

/** What is to happen. */
export class Turns {
  #due: (() => void)[] = []

  /** Has `run` called in a turn of its own, behind all that is due. */
  post(run: () => void): void {
    if (this.#due.push(run) === 1) queueMicrotask(() => this.#run())
  }

  #run(): void {
    for (let i = 0; i < this.#due.length; i++) this.#due[i]?.()
    this.#due = []
  }
}

type Listener = RequestListener | AnswerListener

/** One end, the asker's or the answerer's. It is told of what the other end does through its listener. */
export class LocalEnd implements AnswerExchange {
  readonly peer: string
  readonly principal: Principal
  /** The answerer's is there when it has been told of the request. */
  listener: Listener | undefined = undefined
  /** Called once both have said all, or either has given up. */
  whenOver: (() => void) | undefined = undefined
  readonly #turns: Turns
  #other: LocalEnd = this
  /** Bytes of its body that the other end has not taken. */
  #untaken = 0
  #isFull = false
  #hasEnded = false
  /** It hears nothing any more. */
  #isDeaf = false

  /** @param asker who asks, as the answerer is told. */
  constructor(turns: Turns, asker: Pick<AnswerExchange, 'peer' | 'principal'>) {
    this.#turns = turns
    this.peer = asker.peer
    this.principal = asker.principal
  }

  /** Makes two ends of one exchange of these. */
  join(other: LocalEnd): void {
    this.#other = other
    other.#other = this
  }

  /** Has it given up, or been told that it is over? */
  get isDeaf(): boolean {
    return this.#isDeaf
  }

  /** Have both said all? */
  get isOver(): boolean {
    return this.#hasEnded && this.#other.#hasEnded
  }

  /** It has no body. */
  endsWithoutBody(): void {
    this.#hasEnded = true
  }

  respond(head: ResponseHead, ends: boolean): void {
    if (this.#hasEnded) return
    this.#tell((listener) => (listener as AnswerListener).response(head))
    if (ends) this.end()
  }

  write(part: Uint8Array): boolean {
    if (this.#hasEnded) return true
    this.#untaken += part.length
    this.#isFull = this.#untaken >= HELD
    this.#tell((listener) => listener.data(part))
    return !this.#isFull
  }

  endWith(part: Uint8Array): void {
    this.write(part)
    this.end()
  }

  end(trailers?: FieldList): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#tell((listener) => listener.ended(trailers))
    if (this.isOver) this.#settle()
  }

  took(bytes: number): void {
    this.#other.#taken(bytes)
  }

  cancel(fault: Fault): void {
    if (this.#isDeaf) return
    this.#isDeaf = true
    if (this.isOver) return
    this.#hasEnded = true
    this.#settle()
    this.#other.fail(fault)
  }

  /** It is over before its end; this end is told so, unless it knows. */
  fail(fault: Fault): void {
    this.#hasEnded = true
    this.#turns.post(() => {
      if (this.#isDeaf) return
      this.#isDeaf = true
      this.listener?.failed(fault, false)
    })
  }

  #settle(): void {
    for (const end of [this, this.#other]) {
      end.whenOver?.()
      end.whenOver = undefined
    }
  }

  #tell(run: (listener: Listener) => void): void {
    const other = this.#other
    this.#turns.post(() => {
      if (!other.#isDeaf && other.listener !== undefined) run(other.listener)
    })
  }

  #taken(bytes: number): void {
    this.#untaken -= bytes
    if (!this.#isFull || this.#untaken >= HELD) return
    this.#isFull = false
    this.#turns.post(() => {
      if (!this.#isDeaf) this.listener?.drained()
    })
  }
}
