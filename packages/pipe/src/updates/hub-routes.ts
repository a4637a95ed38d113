/**
 * Lets peers use the hub's own HTTP routes for updates: what a front of theirs was asked travels as any request, and is put
 * to the hub's server over a connection in this process. So bodies, limits, receipts, streams and errors are the hub's own.
 * Invariant: whoever asks is to the hub what its certificate says, whatever stands in the request.
 */
import type { Duplex } from 'node:stream'
import type { Fault, Principal, Wheel } from '@sapwood/core'
import { Code } from '@sapwood/core'
import { duplexPair } from '@sapwood/net'
import type { RequestHead } from '@sapwood/wire'
import { isFault } from '@sapwood/wire'
import { ANSWER_LIMITS } from '../answer/answerer.ts'
import { Answered, sendFault } from '../answer/replies.ts'
import { TargetCall } from '../answer/target-call.ts'
import { requestOptions } from '../answer/target-head.ts'
import type { AnswerExchange, Answerer, RequestListener } from '../exchange.ts'
import { hubRouteOf } from './hub-target.ts'

export interface HubRoutesOptions {
  readonly wheel: Wheel
  /** Milliseconds in which the next part of a body must come: 60 s. */
  readonly bodyTime?: number
  /** Gives the hub's server a connection on which `principal` asks. */
  readonly connect: (socket: Duplex, principal: Principal) => void
}

/** What the hub is called where it is asked. */
const PLACE = { authority: 'hub' }

const NOWHERE: Fault = {
  code: 'NOT_FOUND',
  detail: 'of a hub a front has /update/… and /events?path=…; see the documentation for what else',
  status: 404,
}

/**
 * @param others answers everything else.
 * @example hubRoutes(answerer, { wheel, connect: (socket, principal) => server.accept(socket, principal) })
 */
export function hubRoutes(others: Answerer, options: HubRoutesOptions): Answerer {
  const { wheel, bodyTime, connect } = options
  const limits = { ...ANSWER_LIMITS, ...(bodyTime !== undefined && { bodyTime }) }
  const deps = { wheel, limits, codeOf }
  return {
    request(head, ends, exchange) {
      const target = hubRouteOf(head.target)
      if (target === undefined) return others.request(head, ends, exchange)
      if (target === '') return refused(exchange, NOWHERE, Code.unhandled)
      return asked({ ...head, target }, ends, exchange)
    },
  }

  function asked(head: RequestHead, ends: boolean, exchange: AnswerExchange): RequestListener {
    const request = requestOptions({ head, ends }, PLACE, exchange.peer)
    if (isFault(request)) return refused(exchange, request, Code.threw)
    const createConnection = (): Duplex => {
      const [near, far] = duplexPair()
      connect(far, exchange.principal)
      return near
    }
    const call = new TargetCall(
      { ...request, createConnection },
      { head, ends },
      exchange,
      Number.POSITIVE_INFINITY,
      deps,
    )
    call.begin()
    return call
  }
}

function refused(exchange: AnswerExchange, fault: Fault, code: Code): RequestListener {
  sendFault(exchange, fault, code)
  return new Answered(exchange)
}

/** What the hub does not do is no success to who looks at return codes alone. */
function codeOf(status: number): Code {
  if (status < 400) return Code.ok
  return status === 401 || status === 403 ? Code.refused : Code.threw
}
