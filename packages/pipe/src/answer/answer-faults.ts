/**
 * What can go wrong while a request is answered. What is always the same is made once: who asks a thousand times costs no
 * thousand objects.
 */
import type { Fault } from '@sapwood/core'

/** The peer does not go on with its body. */
export const TOO_LATE: Fault = {
  code: 'BODY_TIMEOUT',
  detail: 'the next of the body did not come within the limit; send it sooner',
  status: 408,
}
/** The body is not what its head says. */
export const LENGTH_WRONG: Fault = {
  code: 'BODY_INVALID',
  detail: 'the body is longer or shorter than its content-length says',
  status: 400,
}
/** @param most bytes that it may have. */
export function largerThan(most: number): Fault {
  const detail = `the body is larger than the ${most} bytes that are taken here`
  return { code: 'BODY_TOO_LARGE', detail, status: 413 }
}
/** A body came where none has a place. */
export const TOO_EARLY: Fault = {
  code: 'BODY_INVALID',
  detail: 'a request for an upgrade has no body; wait for the answer',
  status: 400,
}
/** The asker has waited long enough, for a handler or a target. */
export const HANDLER_LATE: Fault = {
  code: 'ANSWER_TIMEOUT',
  detail: 'the handler did not answer in time; allow it more, or look at it',
  status: 504,
}
export const TARGET_LATE: Fault = {
  code: 'ANSWER_TIMEOUT',
  detail: 'the server behind the peer did not answer in time; allow it more, or look at it',
  status: 504,
}
/** There is no answer to be had of a target. */
export function unreachable(why: string): Fault {
  const detail = `the server behind the peer cannot be reached (${why}); start it, or look at it`
  return { code: 'TARGET_UNREACHABLE', detail, status: 502 }
}
/** The answer ended before its end. */
export const ANSWER_BROKEN: Fault = {
  code: 'ANSWER_BROKEN',
  detail: 'the stream that the handler answers with failed before its end; look at the handler',
}
export const TARGET_LOST: Fault = {
  code: 'TARGET_LOST',
  detail: 'the server behind the peer broke off its answer; look at that server',
}
