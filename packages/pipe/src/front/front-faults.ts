/** How a question of a front can end without an answer: the fault, and the code that the caller finds in the answer. */
import type { Fault } from '@sapwood/core'
import { Code, SapwoodError } from '@sapwood/core'
import { fault } from '@sapwood/http'

/** What a caller gets instead of an answer. */
export interface Outcome {
  readonly code: Code
  readonly fault: Fault
}

export const ANSWER_TIMEOUT: Fault = fault(
  'ANSWER_TIMEOUT',
  'no answer within the time limit; raise it with ?timeout= or Sapwood-Timeout, or look at the answering side',
  504,
)
export const BODY_TIMEOUT: Fault = fault(
  'BODY_TIMEOUT',
  'nothing of the body came for too long; send it without such pauses',
  408,
)
export const ANSWER_INVALID: Fault = fault(
  'ANSWER_INVALID',
  'the answer cannot be written as HTTP: a header is malformed, or the body is not as long as it says',
  502,
)
export const ACCEPT_FAILED: Fault = fault(
  'ACCEPT_FAILED',
  'a connection could not be accepted',
  503,
)
/** @param most bytes that it may have. */
export function streamTooLarge(most: number): Fault {
  return fault('STREAM_TOO_LARGE', `the body is larger than limits.stream (${most} bytes)`, 413)
}
/** Told to both, when the front closes. */
export const STOPPING: Fault = fault(
  'SHUTDOWN',
  'this end of the pipe stopped before the answer came; ask again when it is back',
  502,
)
/** Told to the peer. */
export const CALLER_LEFT: Fault = fault('CANCELLED', 'the caller is gone', 499)
/** Told to the peer, whose answer has ended before the request has. */
export const ANSWERED: Fault = fault(
  'CANCELLED',
  'the answer has ended; the rest is not wanted',
  499,
)

export function unknown(name: string): Outcome {
  const detail = `nobody called "${name}" was here; names are those in certificates`
  return { code: Code.absent, fault: fault('CLIENT_UNKNOWN', detail, 404) }
}

export function absent(name: string): Outcome {
  const detail = `"${name}" is not connected and did not come within the wait; start it, or wait longer with ?wait=`
  return { code: Code.absent, fault: fault('CLIENT_ABSENT', detail, 503) }
}

/** Return code and HTTP status of what may be told by the peer or thrown; all else is a connection that was lost. */
const ENDS: Readonly<Record<string, readonly [code: Code, status: number]>> = {
  ANSWER_INVALID: [Code.threw, 502],
  ANSWER_TIMEOUT: [Code.timeout, 504],
  BODY_INVALID: [Code.threw, 400],
  BODY_TIMEOUT: [Code.threw, 408],
  CLIENT_ABSENT: [Code.absent, 503],
  CLIENT_UNKNOWN: [Code.absent, 404],
  HEAD_TOO_LONG: [Code.refused, 431],
  NOT_ALLOWED: [Code.refused, 403],
  RESOLVER_FAILED: [Code.threw, 500],
  STREAMS_FULL: [Code.absent, 503],
  STREAM_TOO_LARGE: [Code.threw, 413],
  TARGET_UNREACHABLE: [Code.threw, 502],
}
const LOST = [Code.lost, 502] as const

/** The outcome of a fault that the exchange ended with. */
export function outcomeOf({ code, detail }: Fault): Outcome {
  const [returned, status] = ENDS[code] ?? LOST
  return { code: returned, fault: { code, detail, status } }
}

/** The fault of what `ask` threw. */
export function thrownFault(thrown: unknown): Fault {
  if (thrown instanceof SapwoodError) return thrown
  throw thrown
}
