/**
 * `GET /events` and `GET /stream`: without a token a view that ends with its connection and resumes by position,
 * with a token the transport of a session.
 */
import type { Fault, Principal } from '@sapwood/core'
import type { Session } from '@sapwood/hub'
import { isFault } from '@sapwood/wire'
import type { Call } from './call.ts'
import { EventStream, sendAway } from './event-stream.ts'
import { comeBackLater } from './farewell.ts'
import { fault } from './problem.ts'
import type { Subscription } from './subscribe.ts'
import { readSubscription, refusedAll, startOf, subscribeAll } from './subscribe.ts'

/** Takes a call to `/events[/<token>]`. */
export function events(call: Call): void {
  follow(call, 'sse')
}

/** Takes a call to `/stream[/<token>]`. */
export function stream(call: Call): void {
  follow(call, 'stream')
}

function follow(call: Call, kind: 'sse' | 'stream'): void {
  if (!call.allows('GET')) return
  const wanted = readSubscription(call, ['path'])
  if (isFault(wanted)) return call.problem(wanted)
  const token = call.path.split('/')[2] ?? ''
  call.identify(wanted.token, (principal) => {
    const { hub, trust, encoders, writes } = call.context
    const encoder = kind === 'sse' ? encoders.events : encoders.lines
    const known = token === '' ? undefined : hub.sessions.find(token)
    const full = known ? undefined : hub.sessions.full(trust.address(call.request, call.head))
    if (hub.draining || full !== undefined) {
      const farewell = comeBackLater(hub.draining ? 'drain' : 'full')
      const at = startOf(wanted, known ?? { watermark: hub.position })
      return sendAway(call.response, kind, farewell, encoder, call.cors, at)
    }
    const { socket } = call.response
    if (socket === null) return call.problem(PIPELINED)
    const opened = known ?? open(call, principal, wanted, token === '')
    if (isFault(opened)) return call.problem(opened)
    const downstream = new EventStream(kind, call.response, socket, encoder, writes)
    downstream.open(opened, call.cors)
    if (known !== undefined) {
      opened.attach(downstream, { resumed: true, principal, after: wanted.after })
      subscribeAll(hub, opened, { ...wanted, after: undefined })
    } else {
      // first what it follows: its hello must not tell a position beyond what it is owed
      subscribeAll(hub, opened, wanted)
      opened.attach(downstream)
    }
    downstream.from(startOf(wanted, opened))
  })
}

const PIPELINED = fault(
  'PIPELINED',
  'a stream must be the first request that is open on its connection',
)

/** A view, or in place of a session that is gone a new one: its hello tells the new id and token. */
function open(
  call: Call,
  principal: Principal,
  wanted: Subscription,
  view: boolean,
): Session | Fault {
  const { hub, trust } = call.context
  if (view && wanted.patterns.length === 0) {
    return fault('PATTERN_MISSING', 'say what to follow: ?path=PATTERN')
  }
  const refused = refusedAll(hub, principal, wanted.patterns)
  if (refused !== undefined) return refused
  return hub.open({ principal, view, address: trust.address(call.request, call.head) })
}
