/**
 * One request and its answer on their way through a pipe, as both ends see them: heads, bodies both ways at once,
 * trailers, cancel. Who asks (an HTTP front, a component) has an `Exchange` and hears of the answer; who answers (handlers,
 * a target) has an `AnswerExchange` and hears of the request.
 * Invariant: every exchange ends once, by `ended` and its own end, or by `failed`; after that its calls do nothing.
 */
import type { Fault, Principal } from '@sapwood/core'
import type { FieldList, RequestHead, ResponseHead } from '@sapwood/wire'

/** What both ends do alike. */
interface Sending {
  /**
   * Sends a part of the body. The bytes must not be changed afterwards.
   * @returns false if the next should wait for `drained`.
   */
  write(part: Uint8Array): boolean
  /** Sends the last part of the body, and its end: a frame less than `write` and `end`. */
  endWith(part: Uint8Array): void
  /** Ends the body, perhaps with trailers. */
  end(trailers?: FieldList): void
  /** So many bytes of the other body have found their consumer; the other end may send as many. */
  took(bytes: number): void
  /** Gives up, both ways; `failed` is not told of it here. */
  cancel(fault: Fault): void
}

/** What both ends hear alike. None of these may throw. */
interface Hearing {
  /** A part of the body: a view that never changes. Every byte is to be told with `took`. */
  data(part: Uint8Array): void
  ended(trailers: FieldList | undefined): void
  /** `write` answered false, and there is room again. */
  drained(): void
}

/** Of who asks. */
export interface Exchange extends Sending {}

export interface AnswerListener extends Hearing {
  /** The time limit of the request is for the whole answer; else it is until its head, since a body may last for hours. */
  readonly isWhole?: boolean
  /** Interim heads (status 100 to 199 but 101), then another. */
  response(head: ResponseHead): void
  /**
   * It is over before its end.
   * @param undelivered true if it is proven that nobody was told of the request: it may be asked again.
   */
  failed(fault: Fault, undelivered: boolean): void
}

/** Of who answers. */
export interface AnswerExchange extends Sending {
  /** Who asks: the name in its certificate that it goes by. */
  readonly peer: string
  /** Whom rules mean by it: by all that its certificate says now. */
  readonly principal: Principal
  /** Interim heads, then another. @param ends true for an answer without a body. */
  respond(head: ResponseHead, ends: boolean): void
}

export interface RequestListener extends Hearing {
  /** Nobody waits any more: stop, and let go of everything. */
  failed(fault: Fault): void
}

/** Answers what the peers of this process ask: handlers, a target, the rules before them. */
export interface Answerer {
  /** @param ends true for a request without a body: `ended` is not told. */
  request(head: RequestHead, ends: boolean, exchange: AnswerExchange): RequestListener
}

/** Asks the peers of this process, by name. */
export interface Asker {
  /** Why a name is not there: never heard of, or away for the moment; undefined where it is. */
  absence(name: string): 'unknown' | 'away' | undefined
  /**
   * Calls `done` once: with true when somebody of that name is there, with false when the wait is over.
   * @param wait milliseconds.
   * @returns what gives up.
   */
  whenBack(name: string, wait: number, done: (there: boolean) => void): () => void
  /**
   * Asks whoever of that name has the fewest questions open.
   * @param ends true for a request without a body.
   * @throws SapwoodError `CLIENT_UNKNOWN`, `CLIENT_ABSENT`, `STREAMS_FULL`, `HEAD_TOO_LONG`.
   */
  ask(name: string, head: RequestHead, ends: boolean, listener: AnswerListener): Exchange
}
