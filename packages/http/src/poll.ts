/**
 * `GET /poll` and `GET /poll/<token>/<n>`: long polls in the Roots form (DB-16 to DB-19). The first call answers at
 * once; an unknown token gets a new session with a new id, which is how a client notices that it was dropped.
 */
import type { Principal } from '@sapwood/core'
import { ANYONE } from '@sapwood/core'
import type { Session } from '@sapwood/hub'
import { isFault } from '@sapwood/wire'
import type { Call } from './call.ts'
import { PollDownstream } from './poll-downstream.ts'
import { fault } from './problem.ts'
import type { Subscription } from './subscribe.ts'
import { readSubscription, refusedAll, startOf, subscribeAll } from './subscribe.ts'
import { DRAINING } from './unanswered.ts'

/** Takes a call to `/poll[/<token>/<n>]`. */
export function poll(call: Call): void {
  if (!call.allows('GET')) return
  const wanted = readSubscription(call, ['path'])
  if (isFault(wanted)) return call.problem(wanted)
  const [token, count] = call.path.split('/').slice(2)
  const number = readNumber(token === undefined || token === '' ? '0' : count)
  if (number === undefined) return call.problem(NO_NUMBER)
  call.identify(wanted.token, (principal) => {
    const { hub } = call.context
    const session = token ? hub.sessions.find(token) : undefined
    if (session === undefined) begin(call, principal, wanted)
    else again(call, principal, session, number, wanted)
  })
}

const NO_NUMBER = fault(
  'POLL_NUMBER_INVALID',
  'the number after the token is none; ask for what reconnectWith says',
)

/** A sequence number, or undefined for what is none. */
export function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function begin(call: Call, principal: Principal, wanted: Subscription): void {
  const { hub, trust } = call.context
  const address = trust.address(call.request, call.head)
  const full = hub.sessions.full(address)
  const refused = refusedAll(hub, principal, wanted.patterns) ?? (hub.draining ? DRAINING : full)
  if (refused !== undefined) {
    return call.problem(refused, refused.status === 503 ? ['Retry-After', '2'] : [])
  }
  const session = hub.open({ principal, address })
  const downstream = makeDownstream(call, session)
  session.attach(downstream)
  downstream.from(startOf(wanted, session))
  subscribeAll(hub, session, wanted)
  session.flush(hub.wheel.now())
  downstream.poll(0, call.response, call.cors, true)
}

function again(
  call: Call,
  principal: Principal,
  session: Session,
  number: number,
  wanted: Subscription,
): void {
  const { hub } = call.context
  if (hub.draining) return call.problem(DRAINING, ['Retry-After', '2'])
  const { downstream: current } = session
  if (current instanceof PollDownstream) {
    if (principal !== ANYONE && principal.id !== session.principal.id) {
      session.principal = principal
      hub.resumed(session)
    }
    subscribeAll(hub, session, wanted)
    current.poll(number, call.response, call.cors)
    return
  }
  const downstream = makeDownstream(call, session)
  session.attach(downstream, { resumed: true, principal, after: wanted.after })
  downstream.from(startOf(wanted, session))
  subscribeAll(hub, session, { ...wanted, after: undefined })
  session.flush(hub.wheel.now())
  downstream.poll(number, call.response, call.cors)
}

function makeDownstream(call: Call, session: Session): PollDownstream {
  const { hub, settings } = call.context
  const heartbeat = hub.settings.heartbeat.interval
  return new PollDownstream(session, hub.wheel, { ...settings.poll, heartbeat })
}
