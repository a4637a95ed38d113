/**
 * What a peer of the pipe can do wrong. Each is made once: a peer that errs a thousand times costs no thousand objects.
 * A fault of the session ends it, one of a stream resets that stream, any other is told and counted.
 */
import type { Fault } from '@sapwood/core'

function fault(code: string, detail: string): Fault {
  return Object.freeze({ code, detail })
}

const OTHER_PROGRAM = 'the peer speaks another version of the protocol, or is broken'

/** Ends the session: a frame that must not come now. */
export const OUT_OF_ORDER: Fault = fault(
  'PIPE_OUT_OF_ORDER',
  `a frame came that has no place there; ${OTHER_PROGRAM}`,
)
/** Ends the session: an acknowledgement of what was not sent. */
export const ACK_INVALID: Fault = fault(
  'ACK_INVALID',
  `frames were acknowledged that were not sent; ${OTHER_PROGRAM}`,
)
/** Ends the session: more credit than a window can have, or more data than the session's credit. */
export const CREDIT_INVALID: Fault = fault(
  'CREDIT_INVALID',
  `credit is beyond any window, or more was sent than it allows; ${OTHER_PROGRAM}`,
)
/** Ends the session: what is sent again is not what was sent before. */
export const REPLAY_INVALID: Fault = fault(
  'REPLAY_INVALID',
  `the frame that a cut broke off came again as another; ${OTHER_PROGRAM}`,
)
/** Ends the session: a flood. */
export const FLOOD: Fault = fault(
  'PIPE_FLOOD',
  'more pings, resets or frames of closed streams came than the limits allow; look at what the peer is doing',
)
/** Ends the session: the peer takes frames and never acknowledges them. */
export const REPLAY_FULL: Fault = fault(
  'REPLAY_FULL',
  'more than the limit waits for the acknowledgement of the peer; it is too slow or does not acknowledge',
)
/** Ends the session: an update over the limit. */
export const UPDATE_TOO_LONG: Fault = fault(
  'UPDATE_TOO_LONG',
  'an update has more bytes than the limit; send less at once, or raise the limit at the other end',
)
/** Ends the session: GOAWAY, SESSION or RESET that cannot be read. */
export const MESSAGE_INVALID: Fault = fault(
  'PIPE_MESSAGE_INVALID',
  `what stands in a frame cannot be read; ${OTHER_PROGRAM}`,
)

/** Refuses a link. */
export const VERSION_UNSUPPORTED: Fault = fault(
  'VERSION_UNSUPPORTED',
  'the two ends have no version of the pipe protocol in common; update the older one',
)
/** Refuses a link and ends the session. */
export const SESSION_UNKNOWN: Fault = fault(
  'SESSION_UNKNOWN',
  'the session is over or never was, or its secret is wrong; what it had in flight may have been handled',
)
/** Refuses a link: a newer one has come. */
export const LINK_STALE: Fault = fault(
  'LINK_STALE',
  'a newer link of this session is known; close this one and connect anew',
)

/** Resets the stream: a head, or trailers, that cannot be read. */
export const HEAD_INVALID: Fault = fault(
  'HEAD_INVALID',
  'the head of a request or an answer cannot be read, or lacks what it must have',
)
/** Resets the stream: a frame that its state does not allow. */
export const STREAM_OUT_OF_ORDER: Fault = fault(
  'STREAM_OUT_OF_ORDER',
  'a frame came that the state of its stream does not allow, such as data before a head',
)
/** Resets the stream: more data than credit. */
export const CREDIT_EXCEEDED: Fault = fault(
  'CREDIT_EXCEEDED',
  'more data came on a stream than its credit allows; the sender has to wait for CREDIT',
)
/** Told only: a frame of a stream that is over. */
export const STREAM_CLOSED: Fault = fault(
  'STREAM_CLOSED',
  'a frame came for a stream that is over; it was left out',
)
/** Refuses the stream: the peer may have no more open at once. */
export const STREAMS_FULL: Fault = fault(
  'STREAMS_FULL',
  'the peer has as many streams open as it may; wait for one to end',
)
/** Refuses the stream: this end is going away. */
export const PIPE_DRAINING: Fault = fault(
  'PIPE_DRAINING',
  'this end of the pipe takes nothing new; ask again on the next session',
)
/** What a stream is reset with that nobody wants any more. */
export const CANCELLED: Fault = fault('CANCELLED', 'the other end does not want it any more')
