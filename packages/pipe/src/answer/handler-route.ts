/**
 * Functions that answer requests of the pipe (RP-10 to RP-16), by the same rules as in a hub.
 * Invariant: only own properties of the table are handlers, as they were when first asked for; each request is a call of its own, none waits for another.
 */
import type { Fault, Wheel } from '@sapwood/core'
import type { HandlerContext } from '@sapwood/http'
import { HandlerCall } from '@sapwood/http'
import type { Handler, Handlers } from '@sapwood/wire'
import { fieldOf, findHandler, unhandledReply } from '@sapwood/wire'
import type { AnswerExchange, RequestListener } from '../exchange.ts'
import { PairCache } from '../pair-cache.ts'
import { HandledRequest } from './handled-request.ts'
import { Answered, sendReply } from './replies.ts'
import type { Route, RoutedRequest } from './route.ts'

export interface HandlerLimits {
  /** Bytes of a body that a handler gets whole: 1 MiB. */
  readonly body: number
  /** Milliseconds in which the next part of a body must come: 60 s. */
  readonly bodyTime: number
}

export interface HandlerRouteDeps {
  readonly wheel: Wheel
  readonly limits: HandlerLimits
  /** Whether the stack of a throw may be shown to the asker. */
  readonly traced: boolean
  /** A stream that a handler answers with broke off. It must not throw. */
  readonly onBroken?: ((fault: Fault) => void) | undefined
}

/** Handlers that were found are remembered under the words that they were asked for by, within a bound. */
const FOUND_MOST = 1_024

export class HandlerRoute implements Route {
  readonly #handlers: Handlers<HandlerContext>
  readonly #deps: HandlerRouteDeps
  readonly #found = new PairCache<Handler<HandlerContext>>(FOUND_MOST)

  constructor(handlers: Handlers<HandlerContext>, deps: HandlerRouteDeps) {
    this.#handlers = handlers
    this.#deps = deps
  }

  has({ head, noun }: RoutedRequest): boolean {
    return this.#find(head.method, noun) !== undefined
  }

  pathOf({ path }: RoutedRequest): string {
    return path
  }

  take(request: RoutedRequest, exchange: AnswerExchange, most: number): RequestListener {
    const { head, noun, query, ends } = request
    const handler = this.#find(head.method, noun)
    if (handler === undefined) {
      sendReply(exchange, unhandledReply())
      return new Answered(exchange)
    }
    const call = new HandlerCall(exchange.peer, head.method, noun, query, this.#deps.traced)
    const handled = new HandledRequest(request, exchange, call, handler, most, this.#deps)
    // a handler speaks no other protocol: the offer of one is passed over, and nothing comes behind it
    handled.begin(ends || fieldOf(head.headers, 'upgrade') !== undefined)
    return handled
  }

  close(): void {}

  #find(method: string, noun: string): Handler<HandlerContext> | undefined {
    const known = this.#found.get(method, noun)
    if (known !== undefined) return known
    const found = findHandler(this.#handlers, method, noun)
    if (found !== undefined) this.#found.set(method, noun, found)
    return found
  }
}
