/** What the end of a link of updates means for the next one, as a client of a hub is told it. */
import type { Closing, Frame } from '@sapwood/client'

/** The session of the pipe is over; the dialler begins another. */
export const PIPE_LOST: Closing = {
  code: 'CONNECTION_LOST',
  detail: 'the session of the pipe is over; it is dialled again',
}
/** Another session of the pipe has begun. */
export const PIPE_MOVED: Closing = {
  code: 'CONNECTION_MOVED',
  detail: 'another session of the pipe has begun',
  comeBack: 'now',
}
/** Of the code at which a client gives up the largest message that it has said. */
export const LINK_TOO_LARGE: Closing = {
  code: 'MESSAGE_TOO_LARGE',
  detail: 'the message has more bytes than one update of the pipe may have; send less at once',
  comeBack: 'now',
}

export function unreadable(reason: string): Closing {
  return { code: 'CONNECTION_LOST', detail: `the hub has sent what is no frame: ${reason}` }
}

/** What a `::bye` says: a reason of a hub, or the code of a mistake; with a time to come back, or for good. */
export function farewellOf({ message }: Frame): Closing {
  const { reason, detail, retryAfter } = Object(message) as Record<string, unknown>
  const said = String(reason)
  const told = typeof detail === 'string' ? detail : `bye: ${said}`
  if (typeof retryAfter !== 'number') {
    return { code: CODE.test(said) ? said : 'CONNECTION_ENDED', detail: told, comeBack: 'never' }
  }
  if (AWAY.has(said)) {
    return { code: 'HUB_UNAVAILABLE', detail: told, comeBack: 'later', retryAfter }
  }
  const code = CODE.test(said) ? said : 'CONNECTION_MOVED'
  return { code, detail: told, comeBack: 'now', retryAfter }
}

/** Reasons of a hub that is not to be had for a while, as the close codes from 4100 on say them. */
const AWAY: ReadonlySet<string> = new Set(['drain', 'slow', 'full', 'closed'])
const CODE = /^[A-Z][A-Z_]+$/
