/**
 * One HTTP request on its way through the server, and what every route needs beside it.
 * Invariant: `path` and `query` are the raw request target, never decoded or normalised.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault, Principal } from '@sapwood/core'
import { ANYONE } from '@sapwood/core'
import type { Hub } from '@sapwood/hub'
import { isAsked } from './asked.ts'
import type { BatchEncoders } from './batch-encoder.ts'
import type { Bodies } from './body.ts'
import type { Bridges } from './bridges.ts'
import type { GatheredWrites } from './gathered-writes.ts'
import type { HttpRequest, HttpResponse } from './http-message.ts'
import { corsHeaders } from './origins.ts'
import type { Headers } from './problem.ts'
import { answerProblem } from './problem.ts'
import type { RequestHead } from './request-head.ts'
import { askedHeaders } from './return-code.ts'
import type { HttpOptions, HttpSettings } from './settings.ts'
import type { Trust } from './trust.ts'
import type { Unanswered } from './unanswered.ts'

/** What the routes share. */
export interface HttpContext {
  readonly hub: Hub
  readonly options: HttpOptions
  readonly settings: HttpSettings
  readonly trust: Trust
  readonly bodies: Bodies
  readonly unanswered: Unanswered
  readonly bridges: Bridges
  readonly encoders: BatchEncoders
  readonly writes: GatheredWrites
}

const NO_HEADERS: Headers = []

export class Call<
  Request extends HttpRequest = IncomingMessage,
  Response extends HttpResponse = ServerResponse,
> {
  readonly context: HttpContext
  readonly request: Request
  readonly response: Response
  readonly head: RequestHead
  /** The raw path, with its leading slash. */
  readonly path: string
  /** The raw query, without the question mark; empty where there is none. */
  readonly query: string

  constructor(context: HttpContext, request: Request, response: Response, head: RequestHead) {
    this.context = context
    this.request = request
    this.response = response
    this.head = head
    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    this.path = mark < 0 ? target : target.slice(0, mark)
    this.query = mark < 0 ? '' : target.slice(mark + 1)
  }

  get method(): string {
    return this.request.method ?? 'GET'
  }

  /** The headers that let a listed page read the answer. */
  get cors(): Headers {
    return corsHeaders(this.context.trust.origins, this.head)
  }

  /** Finds out who calls; what is refused is answered here. */
  identify(token: string | undefined, done: (principal: Principal) => void): void {
    this.context.trust.identify(this.request, this.head, token, {
      identified: (problem, principal) => {
        // a checker may have taken longer than the caller had patience
        if (this.request.socket.destroyed) return
        if (problem === undefined) done(principal)
        else this.problem(problem)
      },
    })
  }

  json(status: number, text: string, headers: Headers = NO_HEADERS): void {
    this.response.writeHead(status, [
      'Content-Type',
      'application/json',
      'Content-Length',
      String(Buffer.byteLength(text)),
      ...headers,
      ...this.cors,
    ])
    this.response.end(text)
  }

  /** Answers a problem, and counts it. */
  problem(fault: Fault, headers: Headers = NO_HEADERS): void {
    this.context.hub.counters.fault(fault.code)
    const all = isAsked(this.path) ? askedHeaders(headers) : headers
    answerProblem(this.response, fault, [...all, ...this.cors])
  }

  /** Is this one of the methods of the route? If not, says which are. */
  allows(...methods: readonly string[]): boolean {
    if (methods.includes(this.method)) return true
    const list = methods.join(', ')
    const detail = `${this.method} is not for ${this.path.split('/', 2).join('/')}; use ${list}`
    this.problem({ code: 'METHOD_NOT_ALLOWED', detail, status: 405 }, ['Allow', list])
    return false
  }
}

/** A call whose request may have come whole, or not. */
export type AnyCall<Request extends HttpRequest = HttpRequest> = Call<Request, HttpResponse>

/**
 * Has `take` called with the body of a call when it is complete; what is refused is answered.
 * @param more bytes that it may have beyond `limits.body`.
 */
export function collectBody(call: Call, take: (body: Buffer | undefined) => void, more = 0): void {
  const { request, response } = call
  const refuse = (problem: Fault): void => call.problem(problem)
  call.context.bodies.collect({ request, response, more, take, refuse })
}

/** What a refusal means to somebody: nobody is asked for a credential, somebody is told that it is no use. */
export function forCaller(fault: Fault, principal: Principal): Fault {
  return fault.status === 403 && principal.id === ANYONE.id ? { ...fault, status: 401 } : fault
}
