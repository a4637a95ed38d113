/** One way to answer: functions, or a server of this machine. The answerer asks each in turn. */
import type { AskTarget, RequestHead } from '@sapwood/wire'
import type { AnswerExchange, RequestListener } from '../exchange.ts'

/** A request whose head was read and is allowed. */
export interface RoutedRequest extends AskTarget {
  readonly head: RequestHead
  /** Without the question mark. */
  readonly query: string
  /** Whether there is no body. */
  readonly ends: boolean
}

export interface Route {
  /** Is this the one that answers? */
  has(request: RoutedRequest): boolean
  /** What the rules are asked about: the path as whoever answers reads it. */
  pathOf(request: RoutedRequest): string
  /** @param most bytes that the rules allow for the body. */
  take(request: RoutedRequest, exchange: AnswerExchange, most: number): RequestListener
  /** Lets go of whatever is kept between requests. */
  close(): void
}
