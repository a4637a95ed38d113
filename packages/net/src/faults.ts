/** What ends a connection, by name. Faults without details of the case are made once: a flood of them costs nothing. */
import type { Fault } from '@sapwood/core'
import { reasonOf, SapwoodError } from '@sapwood/core'

export const IDLE_TIMEOUT: Fault = {
  code: 'IDLE_TIMEOUT',
  detail: 'nothing was said for as long as limits.idle; say something now and then, or raise it',
}
export const READ_TIMEOUT: Fault = {
  code: 'READ_TIMEOUT',
  detail: 'the rest of a frame did not come within limits.read; send whole frames',
}
export const WRITE_TIMEOUT: Fault = {
  code: 'WRITE_TIMEOUT',
  detail: 'the peer did not take what was sent within limits.write; it has to read',
}
export const LIFE_TIMEOUT: Fault = {
  code: 'LIFE_TIMEOUT',
  detail: 'the connection is as old as limits.life allows; connect again',
}
export const QUEUE_FULL: Fault = {
  code: 'QUEUE_FULL',
  detail: 'more than limits.queue waits for a peer that does not read; heed the answer of `send`',
}
export const SHUTDOWN: Fault = { code: 'SHUTDOWN', detail: 'this end shuts down' }
export const CONNECTION_LOST: Fault = {
  code: 'CONNECTION_LOST',
  detail: 'the socket is gone without a word; connect again',
}
export const CLEAR_TEXT_BUFFERED: Fault = {
  code: 'CLEAR_TEXT_BUFFERED',
  detail: 'clear text came behind the request for TLS; wait for the answer before going on',
}
/** Counted only: by then the application has closed. */
export const LINGERED: Fault = { code: 'LINGERED', detail: 'the peer did not hang up' }
export const EVICTED: Fault = {
  code: 'CONNECTION_EVICTED',
  detail: 'others needed the room and this one had been silent longest; send again',
}

/** What broke a link, for the application. */
export function linkFault(reason: NodeJS.ErrnoException | Fault): Fault {
  if ('detail' in reason) return reason
  const { code = '' } = reason
  const cause = { cause: reason }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new SapwoodError('CONNECTION_RESET', 'the peer cut the connection', cause)
  }
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) {
    return new SapwoodError('TLS_FAILED', `TLS broke: ${reason.message}`, cause)
  }
  return new SapwoodError('CONNECTION_LOST', `the connection broke: ${reasonOf(reason)}`, cause)
}

/** What an application threw, for its `closed`. */
export function applicationFault(thrown: unknown): Fault {
  if (thrown instanceof SapwoodError) return thrown
  return new SapwoodError('APPLICATION_FAILED', `the application threw: ${reasonOf(thrown)}`, {
    status: 500,
    cause: thrown,
  })
}
