/**
 * One question from this end, over all the sessions that it may need: it is bound to one of them, and where that is proven
 * never to have told anybody of it, asked again of another, as long as what was sent of its body is still here.
 * Invariant: the listener hears of at most one answer, and of its end once; after that nothing is sent.
 */
import type { Fault } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { FieldList, RequestHead, ResponseHead } from '@sapwood/wire'
import { isInterim } from '@sapwood/wire'
import type { AnswerListener, Exchange } from '../exchange.ts'
import type { Due } from './deadlines.ts'
import type { Peer } from './peer.ts'
import { ANSWER_TIMEOUT } from './peer-faults.ts'

export interface QuestionOwner {
  /** Finds somebody else of that name, now or within the time; `bind` or `unanswered` follows. */
  again(question: Question): void
  /** Its deadline does not count any more. */
  finished(question: Question): void
}

/** Bytes of a body that are kept for asking again. */
const KEPT_BYTES = 65_536
/** Bytes that may wait while nobody is there. */
const MOST_BYTES = 1_048_576
const MOST_ATTEMPTS = 4

export class Question implements Exchange, AnswerListener, Due {
  readonly name: string
  readonly head: RequestHead
  readonly deadline: number
  place = -1
  /** What gives up waiting for somebody. */
  waiting: (() => void) | undefined = undefined
  readonly #owner: QuestionOwner
  readonly #listener: AnswerListener
  readonly #hasBody: boolean
  #peer: Peer | undefined = undefined
  #exchange: Exchange | undefined = undefined
  #attempts = 0
  /** What was sent of the body, as long as it is little and nobody has answered. */
  #kept: Uint8Array[] | undefined = undefined
  #keptBytes = 0
  #isKept = true
  #isBodyOver: boolean
  #trailers: FieldList | undefined = undefined
  /** `write` said that it is enough, and nobody has said otherwise. */
  #isFull = false
  #isOver = false

  /** @param deadline in the time of the wheel. */
  constructor(
    owner: QuestionOwner,
    name: string,
    head: RequestHead,
    ends: boolean,
    listener: AnswerListener,
    deadline: number,
  ) {
    this.#owner = owner
    this.name = name
    this.head = head
    this.#hasBody = !ends
    this.#isBodyOver = ends
    this.#listener = listener
    this.deadline = deadline
  }

  /**
   * Asks this peer.
   * @param head that of the question, with the time that is left.
   * @throws SapwoodError as `Peer.ask` does.
   */
  bind(peer: Peer, head: RequestHead): void {
    const isFirst = this.#attempts++ === 0
    this.#peer = peer
    const exchange = peer.ask(head, !this.#hasBody, this)
    this.#exchange = exchange
    if (isFirst) return
    if (this.#kept !== undefined) for (const part of this.#kept) exchange.write(part)
    if (this.#hasBody && this.#isBodyOver) exchange.end(this.#trailers)
    // who waited for the former one must not wait for ever
    if (this.#isFull) this.drained()
  }

  /** Nobody is there to be asked again. */
  unanswered(fault: Fault): void {
    this.#end()
    this.#listener.failed(fault, true)
  }

  write(part: Uint8Array): boolean {
    if (this.#isOver) return true
    this.#keep(part)
    const isRoom = this.#exchange?.write(part) ?? this.#keptBytes < KEPT_BYTES
    this.#isFull ||= !isRoom
    return isRoom
  }

  endWith(part: Uint8Array): void {
    if (this.#isOver) return
    this.#keep(part)
    this.#isBodyOver = true
    this.#exchange?.endWith(part)
  }

  end(trailers?: FieldList): void {
    if (this.#isOver) return
    this.#isBodyOver = true
    this.#trailers = trailers
    this.#exchange?.end(trailers)
  }

  took(bytes: number): void {
    this.#exchange?.took(bytes)
  }

  cancel(fault: Fault): void {
    if (this.#isOver) return
    this.#end()
    this.#exchange?.cancel(fault)
  }

  late(): void {
    if (this.#isOver) return
    this.cancel(ANSWER_TIMEOUT)
    this.#listener.failed(ANSWER_TIMEOUT, false)
  }

  response(head: ResponseHead): void {
    if (this.#isOver) return
    this.#isKept = false
    this.#kept = undefined
    // a body may last for hours
    if (!isInterim(head.status) && this.#listener.isWhole !== true) this.#owner.finished(this)
    this.#listener.response(head)
  }

  data(part: Uint8Array): void {
    if (!this.#isOver) this.#listener.data(part)
  }

  ended(trailers: FieldList | undefined): void {
    if (this.#isOver) return
    // the rest of the body may still be on its way: cancel and drained go on
    this.#owner.finished(this)
    this.#listener.ended(trailers)
  }

  drained(): void {
    this.#isFull = false
    if (!this.#isOver) this.#listener.drained()
  }

  failed(fault: Fault, undelivered: boolean): void {
    if (this.#isOver) return
    this.#exchange = undefined
    if (undelivered && this.#isKept && this.#attempts < MOST_ATTEMPTS)
      return this.#owner.again(this)
    this.#end()
    this.#listener.failed(this.#peer?.session.over ? this.#peer.lossOf(fault) : fault, undelivered)
  }

  #keep(part: Uint8Array): void {
    if (!this.#isKept) return
    const bytes = this.#keptBytes + part.length
    if (bytes > KEPT_BYTES && this.#exchange !== undefined) {
      this.#isKept = false
      this.#kept = undefined
      return
    }
    if (bytes > MOST_BYTES) {
      const detail = 'more of a body waits than the limit allows; wait for `drained`'
      throw new SapwoodError('QUEUE_FULL', detail, { status: 503 })
    }
    this.#kept ??= []
    this.#kept.push(part)
    this.#keptBytes = bytes
  }

  #end(): void {
    this.#isOver = true
    this.#kept = undefined
    this.waiting?.()
    this.waiting = undefined
    this.#owner.finished(this)
  }
}
