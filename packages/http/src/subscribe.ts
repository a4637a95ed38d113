/**
 * What SSE, streams and long polls have in common: `?path=` subscribes an anonymous session, a token in the path finds
 * the session that it belongs to.
 */
import type { Fault, Principal } from '@sapwood/core'
import { CONNECT, jsonMessage, NO_META } from '@sapwood/core'
import type { Hub, Session } from '@sapwood/hub'
import { ERROR, parsePosition } from '@sapwood/hub'
import { isFault } from '@sapwood/wire'
import type { Call } from './call.ts'
import { forCaller } from './call.ts'
import { NO_POSITION, patternProblem, tooManyPatterns } from './pattern-problem.ts'
import { fault } from './problem.ts'
import { readQuery } from './target.ts'

/** What a subscribe request asks for. */
export interface Subscription {
  readonly patterns: readonly string[]
  /** What came beside those and is none. */
  readonly wrong: readonly WrongPattern[]
  readonly after: string | undefined
  readonly token: string | undefined
}

interface WrongPattern extends Fault {
  readonly pattern: string
}

/** How the cursor is called: our own name, and those that polyfills of EventSource use. */
const CURSORS = ['after', 'lastEventId', 'last-event-id'] as const

/** Reads the query and the `Last-Event-ID` of a subscribe request. */
export function readSubscription(call: Call, known: readonly string[]): Subscription | Fault {
  const query = readQuery(call.query, [...known, ...CURSORS, 'token'])
  if (isFault(query)) return query
  const given = query.getAll('path')
  const { patterns: most, path: limits } = call.context.hub.settings
  const wrong = given.flatMap((pattern) => {
    const problem = patternProblem(pattern, limits)
    return problem === undefined ? [] : [{ ...problem, pattern }]
  })
  const [first] = wrong
  if (first !== undefined && wrong.length === given.length) return first
  if (given.length > most) return tooManyPatterns(most)
  const patterns = given.filter((pattern) => wrong.every((one) => one.pattern !== pattern))
  const named = CURSORS.map((name) => query.get(name)).find((value) => value !== null)
  if (named !== undefined && named !== null && parsePosition(named) === undefined)
    return NO_POSITION
  // what a browser kept from another hub is no mistake of its page: the session tells a gap
  const after = call.head['last-event-id'] || named || undefined
  return { patterns, wrong, after, token: query.get('token') ?? undefined }
}

/** Where a client stands: where it says, if that is a position, or where its session is. */
export function startOf({ after }: Subscription, session: { readonly watermark: string }): string {
  if (after === undefined) return session.watermark
  return parsePosition(after) === undefined ? '' : after
}

/** Why none of these can be subscribed, if that is so: 401 for nobody, 403 for somebody. */
export function refusedAll(
  hub: Hub,
  principal: Principal,
  patterns: readonly string[],
): Fault | undefined {
  if (patterns.length === 0) return undefined
  if (patterns.some((pattern) => hub.gate.allows(principal, 'subscribe', pattern))) return undefined
  const detail = `${principal.id} may not subscribe ${patterns.join(', ').slice(0, 200)}`
  return forCaller(fault('NOT_ALLOWED', detail, 403), principal)
}

/** Subscribes a session in its own name, as if it had asked for it itself; what is refused it is told as a problem. */
export function subscribeAll(hub: Hub, session: Session, wanted: Subscription): void {
  const { patterns, wrong, after } = wanted
  if (patterns.length > 0) {
    hub.receive(session, CONNECT, jsonMessage(patterns, after === undefined ? NO_META : { after }))
  }
  for (const problem of wrong) {
    hub.counters.fault(problem.code)
    session.tell(ERROR, problem)
  }
}
