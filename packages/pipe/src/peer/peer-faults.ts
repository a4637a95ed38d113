/** Why links and sessions end, as far as this end decides it. Made once: a flood of them costs nothing. */
import type { Fault } from '@sapwood/core'

function fault(code: string, detail: string, status: number): Fault {
  return Object.freeze({ code, detail, status })
}

export const LINK_LOST: Fault = fault(
  'CONNECTION_LOST',
  'the connection of the pipe is gone without a word; it is dialled again',
  502,
)
export const HEARTBEAT_LOST: Fault = fault(
  'HEARTBEAT_LOST',
  'the peer gave no sign of life within the heartbeat time-out; its machine or the network stands still',
  502,
)
export const GREETING_TIMEOUT: Fault = fault(
  'GREETING_TIMEOUT',
  'the connection stands, but no greeting came in time; is there a pipe at the other end?',
  504,
)
export const SESSION_EXPIRED: Fault = fault(
  'SESSION_EXPIRED',
  'the session had no connection for longer than it is kept',
  502,
)
export const SESSION_REPLACED: Fault = fault(
  'SESSION_REPLACED',
  'the same process has begun another session',
  502,
)
export const SHUTDOWN: Fault = fault('SHUTDOWN', 'this end of the pipe shuts down', 503)
export const PROTOCOL_UNKNOWN: Fault = fault(
  'PROTOCOL_UNKNOWN',
  'the connection speaks no protocol of the pipe (ALPN sapwood/1); connect with sapwood pipe client',
  400,
)
export const NAME_FULL: Fault = fault(
  'NAME_FULL',
  'as many processes of this name are connected as may be; end one, or raise the limit',
  503,
)
export const ANSWER_TIMEOUT: Fault = fault(
  'ANSWER_TIMEOUT',
  'no answer came within the time limit; ask for more time, or see what the handler does',
  504,
)
export const ANSWER_CANCELLED: Fault = fault(
  'ANSWER_CANCELLED',
  'nobody waits for the answer any more',
  504,
)

/** Somebody's certificate has a name that is not for peers here. */
export function nameReserved(name: string): Fault {
  return fault(
    'NAME_INVALID',
    `"${name}" means somebody else at this end of the pipe; issue a certificate of another name`,
    403,
  )
}
