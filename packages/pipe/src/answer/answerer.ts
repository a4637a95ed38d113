/**
 * What answers the peers of this process (surface 4): the rules, then the operator's functions, then the target, and
 * without a target what is built in.
 * Invariant: nothing is called, dialled or read of a body before the rules have allowed the request.
 */
import type { Fault, Wheel } from '@sapwood/core'
import { Code } from '@sapwood/core'
import type { HandlerContext } from '@sapwood/http'
import { builtInHandlers } from '@sapwood/http'
import type { Handlers, RequestHead } from '@sapwood/wire'
import { isFault, parseTarget, unhandledReply } from '@sapwood/wire'
import type { AnswerExchange, Answerer, RequestListener } from '../exchange.ts'
import { isMethod } from '../request-line.ts'
import { isForHub } from '../updates/hub-target.ts'
import type { AnswerRule } from './answer-rules.ts'
import { AnswerRules, ASKED } from './answer-rules.ts'
import type { HandlerLimits } from './handler-route.ts'
import { HandlerRoute } from './handler-route.ts'
import { Answered, sendFault, sendReply } from './replies.ts'
import type { Route, RoutedRequest } from './route.ts'
import type { TargetLimits } from './target-route.ts'
import { TargetRoute } from './target-route.ts'

export interface CommonOptions {
  /** The wheel on which deadlines sit. */
  readonly wheel: Wheel
  /** What peers may ask; everything that is served, if nothing is said. */
  readonly allow?: readonly AnswerRule[]
}

export interface HandlerAnswererOptions extends CommonOptions {
  /** Whether the stack of a throw may be shown to the asker. No. */
  readonly traced?: boolean
  /** Told why a stream broke off that a handler answers with: the asker hears only that it did. It must not throw. */
  readonly onBroken?: (fault: Fault) => void
  readonly limits?: Partial<HandlerLimits>
}

export interface TargetAnswererOptions extends CommonOptions {
  readonly limits?: Partial<TargetLimits>
}

export interface AnswererOptions extends CommonOptions {
  /** Whose built-in handlers answer where nothing else does. */
  readonly role: 'server' | 'client'
  readonly handlers?: Handlers<HandlerContext>
  /** The URL of an HTTP server of this machine. */
  readonly target?: string
  readonly traced?: boolean
  /** As of `handlerAnswerer`. */
  readonly onBroken?: (fault: Fault) => void
  readonly limits?: Partial<HandlerLimits & TargetLimits>
}

/** An answerer that keeps something between requests. */
export interface ClosableAnswerer extends Answerer {
  /** Lets go of idle connections; what is open goes on to its end. */
  close(): void
}

export const ANSWER_LIMITS: HandlerLimits & TargetLimits = {
  body: 1024 * 1024,
  bodyTime: 60_000,
  connect: 10_000,
  connections: 256,
}

/**
 * Everything together: `handlers` first, then `target`, else what is built in.
 * @throws SapwoodError `RULE_INVALID`, `TARGET_URL_INVALID`
 * @example answerer({ role: 'client', target: 'http://127.0.0.1:3000', wheel })
 */
export function answerer(options: AnswererOptions): ClosableAnswerer {
  const { role, handlers, target, wheel, allow, traced = false, onBroken } = options
  const limits = { ...ANSWER_LIMITS, ...options.limits }
  const deps = { wheel, limits, traced, onBroken }
  const routes: Route[] = []
  if (handlers !== undefined) routes.push(new HandlerRoute(handlers, deps))
  if (target !== undefined) routes.push(new TargetRoute(target, deps))
  else routes.push(new HandlerRoute(builtInHandlers(role), deps))
  return new RoutingAnswerer(routes, new AnswerRules(allow))
}

/**
 * Functions alone, without what is built in.
 * @param handlers by `GET time/utc`, or by a name such as `get_time_utc` (RP-10). One whose property `stream` is true gets
 *   its data as a Readable; any may answer with a stream.
 * @throws SapwoodError `RULE_INVALID`
 * @example handlerAnswerer({ get_time: (context) => ({ time: Date.now(), to: context.peer }) }, { wheel })
 */
export function handlerAnswerer(
  handlers: Handlers<HandlerContext>,
  { wheel, allow, traced = false, limits, onBroken }: HandlerAnswererOptions,
): Answerer {
  const deps = { wheel, traced, onBroken, limits: { ...ANSWER_LIMITS, ...limits } }
  return new RoutingAnswerer([new HandlerRoute(handlers, deps)], new AnswerRules(allow))
}

/**
 * An HTTP server of this machine alone.
 * @param url `http://HOST:PORT`, or `unix:PATH`.
 * @throws SapwoodError `RULE_INVALID`, `TARGET_URL_INVALID`
 */
export function targetAnswerer(
  url: string,
  { wheel, allow, limits }: TargetAnswererOptions,
): ClosableAnswerer {
  const deps = { wheel, limits: { ...ANSWER_LIMITS, ...limits } }
  return new RoutingAnswerer([new TargetRoute(url, deps)], new AnswerRules(allow))
}

const METHOD_INVALID: Fault = {
  code: 'HEAD_INVALID',
  detail: 'the method of the request is none; it has letters and `-` only',
  status: 400,
}
const NO_HUB: Fault = {
  code: 'NOT_FOUND',
  detail:
    'updates are for hubs, and this end is none; connect to one: sapwood hub --pipe HOST:PORT',
  status: 404,
}
const TARGET_INVALID: Fault = {
  code: 'TARGET_INVALID',
  detail: 'the target of a request begins with a slash',
  status: 400,
}

class RoutingAnswerer implements ClosableAnswerer {
  readonly #routes: readonly Route[]
  readonly #rules: AnswerRules

  constructor(routes: readonly Route[], rules: AnswerRules) {
    this.#routes = routes
    this.#rules = rules
  }

  request(head: RequestHead, ends: boolean, exchange: AnswerExchange): RequestListener {
    const { target, method } = head
    if (isForHub(target)) return refused(exchange, NO_HUB, Code.unhandled)
    if (!isMethod(method)) return refused(exchange, METHOD_INVALID, Code.threw)
    const mark = target.indexOf('?')
    const parsed = target.startsWith('/')
      ? parseTarget(ASKED, mark < 0 ? target : target.slice(0, mark))
      : TARGET_INVALID
    if (isFault(parsed)) return refused(exchange, parsed, Code.threw)
    const { noun, args, path } = parsed
    const query = mark < 0 ? '' : target.slice(mark + 1)
    const request: RoutedRequest = { noun, args, path, head, query, ends }
    const route = this.#routeOf(request)
    const asked = route === undefined ? path : route.pathOf(request)
    const most = this.#rules.allows(exchange.principal, method, asked)
    if (most === undefined) {
      const detail = `${exchange.peer} may not ask ${method} /${noun} here; a rule that allows it is missing`
      return refused(exchange, { code: 'NOT_ALLOWED', detail, status: 403 }, Code.refused)
    }
    if (route !== undefined) return route.take(request, exchange, most)
    sendReply(exchange, unhandledReply())
    return new Answered(exchange)
  }

  close(): void {
    for (const route of this.#routes) route.close()
  }

  #routeOf(request: RoutedRequest): Route | undefined {
    for (const route of this.#routes) if (route.has(request)) return route
    return undefined
  }
}

function refused(exchange: AnswerExchange, fault: Fault, code: Code): RequestListener {
  sendFault(exchange, fault, code)
  return new Answered(exchange)
}
