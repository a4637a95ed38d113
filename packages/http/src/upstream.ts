/**
 * `POST /session/<token>/<n>`: what a client sends whose downstream is one-way. Requests are applied in the order of
 * their numbers, each once, however often it is sent (OR-06).
 */
import type { Session } from '@sapwood/hub'
import { isFault, readFrames } from '@sapwood/wire'
import { textOf } from './body.ts'
import type { Call } from './call.ts'
import { collectBody } from './call.ts'
import { readNumber } from './poll.ts'
import { fault } from './problem.ts'
import { FRAME_OVERHEAD } from './settings.ts'

/** The number of the last request that each session has sent. */
const RECEIVED = new WeakMap<Session, number>()

/** Takes a call to `/session/<token>/<n>`. */
export function upstream(call: Call): void {
  if (!call.allows('POST')) return
  const [token = '', count] = call.path.split('/').slice(2)
  const session = call.context.hub.sessions.find(token)
  const number = readNumber(count)
  if (session === undefined) return call.problem(UNKNOWN)
  if (number === undefined || number === 0) {
    return call.problem(fault('NUMBER_INVALID', 'requests are numbered from 1'))
  }
  const refused = call.context.trust.pageRefusal(call.head)
  if (refused !== undefined) return call.problem(refused)
  collectBody(call, (body) => take(call, session, number, body), FRAME_OVERHEAD)
}

function take(call: Call, session: Session, number: number, body: Buffer | undefined): void {
  const { hub } = call.context
  // the body may have taken longer than the session lasted
  if (session.ended) return call.problem(UNKNOWN)
  const last = RECEIVED.get(session) ?? 0
  if (number > last + 1) {
    const detail = `number ${last + 1} comes next; send it first`
    return call.problem({ ...fault('NUMBER_GAP', detail, 409), ...{ next: last + 1 } })
  }
  if (number === last + 1) {
    const text = textOf(body)
    const frames = text === undefined ? NOT_UTF8 : readFrames(text)
    if (isFault(frames)) return call.problem({ ...frames, status: 400 })
    RECEIVED.set(session, number)
    session.seen()
    for (const { path, message } of frames) hub.receive(session, path, message)
  }
  call.json(200, `{"n":${number}}`, ['Cache-Control', 'no-store'])
}

const UNKNOWN = fault('SESSION_UNKNOWN', 'no session has this token; open a new one', 404)
const NOT_UTF8 = fault('FRAME_INVALID', 'the body is not valid UTF-8')
