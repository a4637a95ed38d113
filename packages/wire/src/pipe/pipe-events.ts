/**
 * What a session tells its user, while `receive`, `flush` or one of its own calls runs; any call may be made from inside.
 * One object for all streams: what belongs to one of them stands in `stream.data`.
 */
import type { Fault } from '@sapwood/core'
import type { PipeStream } from './pipe-stream.ts'
import type { FieldList, RequestHead, ResponseHead } from './stream-head.ts'

/** None of these may throw. */
export interface PipeEvents {
  /**
   * There is something to `flush`: told once until the next flush. Gather what one turn of the event loop brings.
   * Told only while there is a link.
   */
  output(): void
  /** The peer has answered on a new link: what waits leaves now. @param resumed whether the peer knew the session. */
  live(resumed: boolean): void
  /**
   * The peer opened a stream. Its body follows as `data`, and `ended` always.
   * @param ends true if there is no body: `ended` is next.
   */
  request(stream: PipeStream, head: RequestHead, ends: boolean): void
  /** The peer answered: interim heads (status 100 to 199 but 101), then another. */
  response(stream: PipeStream, head: ResponseHead): void
  /**
   * A part of a body. It is a view on what was received and never changes. The peer may send as much again when `took`
   * has been called for it.
   */
  data(stream: PipeStream, part: Uint8Array): void
  /** The peer has said all on this stream. @param trailers if it sent any. */
  ended(stream: PipeStream, trailers: FieldList | undefined): void
  /**
   * The stream is over before its end: the peer has reset it, a frame was wrong, or the session is over. Nothing
   * follows, and what is sent on it is dropped.
   * @param undelivered true if it is proven that the peer has told nobody of the request: it may be sent again.
   */
  reset(stream: PipeStream, fault: Fault, undelivered: boolean): void
  /** `send` answered false, and there is room again. */
  drained(stream: PipeStream): void
  /** `update` answered false, and there is room again. */
  writable(): void
  /** One whole update of the peer. */
  update(bytes: Uint8Array): void
  /** The peer takes no new streams. @param retryAfter milliseconds after which to come back. */
  goaway(fault: Fault, retryAfter: number): void
  /** The peer did something wrong that costs one frame or one stream: to be counted. */
  fault(fault: Fault): void
  /**
   * The link was refused, and the session may try another.
   * @param retryAfter milliseconds after which.
   */
  refused(fault: Fault, retryAfter: number): void
  /** The session is over; `reset` was told for each open stream. Flush once more, then close the link. */
  closed(fault: Fault): void
}
