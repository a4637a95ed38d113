/**
 * What SSE, streams and long polls have in common: `?path=` subscribes an anonymous session, a token in the path finds
 * the session that it belongs to.
 */
import type { Fault, Principal } from '@sapwood/core'
import { CONNECT, jsonMessage, NO_META, patternFault } from '@sapwood/core'
import type { Hub, Session } from '@sapwood/hub'
import { parsePosition } from '@sapwood/hub'
import type { Call } from './call.ts'
import { forCaller } from './call.ts'
import { NO_POSITION } from './connect.ts'
import { fault } from './problem.ts'
import { readQuery } from './target.ts'

/** What a subscribe request asks for. */
export interface Subscription {
  readonly patterns: readonly string[]
  readonly after: string | undefined
  readonly token: string | undefined
}

/** How the cursor is called: our own name, and those that polyfills of EventSource use. */
const CURSORS = ['after', 'lastEventId', 'last-event-id'] as const

/** Reads the query and the `Last-Event-ID` of a subscribe request. */
export function readSubscription(call: Call, known: readonly string[]): Subscription | Fault {
  const query = readQuery(call.query, [...known, ...CURSORS, 'token'])
  if ('code' in query) return query
  const patterns = query.getAll('path')
  for (const pattern of patterns) {
    const wrong = patternFault(pattern, call.context.hub.settings.path)
    if (wrong !== undefined || pattern.includes('->')) {
      const reason = wrong ?? 'has "->" in it'
      return fault('PATTERN_INVALID', `the pattern "${pattern.slice(0, 64)}" ${reason}`)
    }
  }
  if (patterns.length > call.context.hub.settings.patterns) {
    const detail = `a client may hold ${call.context.hub.settings.patterns} patterns; see limits.patterns`
    return fault('LIMIT_PATTERNS', detail)
  }
  const named = CURSORS.map((name) => query.get(name)).find((value) => value !== null)
  if (named !== undefined && named !== null && parsePosition(named) === undefined)
    return NO_POSITION
  // what a browser kept from another hub is no mistake of its page: the session tells a gap
  const after = call.head['last-event-id'] || named || undefined
  return { patterns, after, token: query.get('token') ?? undefined }
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
export function subscribeAll(hub: Hub, session: Session, { patterns, after }: Subscription): void {
  if (patterns.length === 0) return
  hub.receive(session, CONNECT, jsonMessage(patterns, after === undefined ? NO_META : { after }))
}
