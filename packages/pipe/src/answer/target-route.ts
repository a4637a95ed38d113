/**
 * A local HTTP server that answers whatever is asked: where it is, and the connections to it.
 * Invariant: only this one place is ever dialled, whatever a request says; at most `limits.connections` at a time, and idle
 * ones are given up before the server does it.
 */
import { Agent } from 'node:http'
import type { Wheel } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import { isFault } from '@sapwood/wire'
import type { AnswerExchange, RequestListener } from '../exchange.ts'
import { ASKED } from './answer-rules.ts'
import { Answered, sendFault } from './replies.ts'
import type { Route, RoutedRequest } from './route.ts'
import { TargetCall } from './target-call.ts'
import { requestOptions } from './target-head.ts'

export interface TargetLimits {
  /** Milliseconds that the target may take to be connected: 10 s. */
  readonly connect: number
  /** Milliseconds in which the next part of a body must come: 60 s. */
  readonly bodyTime: number
  /** Connections to the target at a time; further requests wait: 256. */
  readonly connections: number
}

export interface TargetDeps {
  readonly wheel: Wheel
  readonly limits: TargetLimits
  /** The return code of an answer with this status; 0, whatever it is. */
  readonly codeOf?: (status: number) => number
}

/** Where the target is. */
export interface TargetPlace {
  /** What its `Host` header says. */
  readonly authority: string
  readonly host?: string
  readonly port?: number
  readonly socketPath?: string
}

/** Milliseconds after which an idle connection is closed: servers on Node do it after five seconds. */
const IDLE = 4_000

export class TargetRoute implements Route {
  readonly #place: TargetPlace
  readonly #deps: TargetDeps
  readonly #agent: Agent

  /** @throws SapwoodError `TARGET_URL_INVALID` */
  constructor(url: string, deps: TargetDeps) {
    this.#place = placeOf(url)
    this.#deps = deps
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: deps.limits.connections,
      // with fewer, a burst would dial for each of its requests
      maxFreeSockets: deps.limits.connections,
      timeout: IDLE,
      scheduling: 'lifo',
    })
  }

  has(): boolean {
    return true
  }

  pathOf({ head: { target }, path }: RoutedRequest): string {
    const mark = target.indexOf('?')
    // behind `//` are arguments for functions; a server may read it as one slash
    const doubled = (mark < 0 ? target : target.slice(0, mark)).includes('//')
    return doubled ? `@${ASKED}/**` : path
  }

  take(request: RoutedRequest, exchange: AnswerExchange, most: number): RequestListener {
    const options = requestOptions(request, this.#place, exchange.peer)
    if (isFault(options)) {
      sendFault(exchange, options)
      return new Answered(exchange)
    }
    const call = new TargetCall(
      { ...options, agent: this.#agent },
      request,
      exchange,
      most,
      this.#deps,
    )
    call.begin()
    return call
  }

  close(): void {
    this.#agent.destroy()
  }
}

function placeOf(url: string): TargetPlace {
  if (url.startsWith('unix:')) {
    const socketPath = url.slice('unix:'.length)
    if (socketPath !== '') return { authority: 'localhost', socketPath }
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const isPlain = parsed?.pathname === '/' && parsed.search + parsed.hash === ''
  if (parsed === undefined || parsed.protocol !== 'http:' || !isPlain || parsed.username !== '') {
    throw new SapwoodError(
      'TARGET_URL_INVALID',
      `"${url}" is no target; write http://HOST:PORT without a path, or unix:PATH`,
    )
  }
  return {
    authority: parsed.host,
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? 80 : Number(parsed.port),
  }
}
