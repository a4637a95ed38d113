/**
 * `POST /connect/<id>` and `POST /disconnect/<id>`: the back end subscribes a client after its own check of rights
 * (DB-22). The grant lasts until it is taken back or the session ends.
 */
import type { Principal } from '@sapwood/core'
import { CONNECT, connection, DISCONNECT, NO_ID } from '@sapwood/core'
import { parsePosition, Session } from '@sapwood/hub'
import { isFault } from '@sapwood/wire'
import { textOf } from './body.ts'
import type { Call } from './call.ts'
import { collectBody, forCaller } from './call.ts'
import { NO_POSITION, patternProblem, tooManyPatterns } from './pattern-problem.ts'
import { fault } from './problem.ts'
import { decodeSegment, readQuery } from './target.ts'

/** Takes a call to `/connect/<id>`. */
export function connect(call: Call): void {
  change(call, CONNECT)
}

/** Takes a call to `/disconnect/<id>`. */
export function disconnect(call: Call): void {
  change(call, DISCONNECT)
}

function change(call: Call, path: typeof CONNECT | typeof DISCONNECT): void {
  if (!call.allows('POST', 'PUT')) return
  call.identify(undefined, (principal) => {
    const { hub } = call.context
    if (!hub.gate.allows(principal, 'control', path)) {
      const detail = `${principal.id} may not subscribe others; send a key`
      return call.problem(forCaller(fault('NOT_ALLOWED', detail, 403), principal))
    }
    const query = readQuery(call.query, path === CONNECT ? ['after'] : [])
    if (isFault(query)) return call.problem(query)
    const after = query.get('after') ?? undefined
    if (after !== undefined && parsePosition(after) === undefined) return call.problem(NO_POSITION)
    collectBody(call, (body) => apply(call, principal, path, body, after))
  })
}

function apply(
  call: Call,
  principal: Principal,
  path: typeof CONNECT | typeof DISCONNECT,
  body: Buffer | undefined,
  after: string | undefined,
): void {
  const { hub } = call.context
  const id = decodeSegment(call.path.slice(path === CONNECT ? 9 : 12)) ?? ''
  const session = hub.controller.get(id)
  if (!(session instanceof Session)) {
    const detail = 'no client of this id; it has left, or a new id was given to it'
    return call.problem(fault('CLIENT_UNKNOWN', detail, 404))
  }
  const patterns = readPatterns(textOf(body) ?? '')
  if (patterns === undefined) {
    const detail = 'the body must be a JSON array of patterns'
    return call.problem(fault('BODY_INVALID', detail))
  }
  for (const pattern of patterns) {
    const wrong = patternProblem(pattern, hub.settings.path)
    if (wrong !== undefined) return call.problem(wrong)
  }
  const all = new Set([...session.patterns.keys(), ...patterns])
  if (path === CONNECT && all.size > hub.settings.patterns) {
    return call.problem(tooManyPatterns(hub.settings.patterns))
  }
  const sender = { id: NO_ID, principal, update: () => undefined }
  for (const pattern of patterns) hub.update(sender, path, connection(id, pattern, after))
  call.json(200, JSON.stringify({ at: hub.position, patterns }))
}

function readPatterns(text: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const list = Array.isArray(value) ? value : [value]
    return list.every((one) => typeof one === 'string') ? (list as string[]) : undefined
  } catch {
    return undefined
  }
}
