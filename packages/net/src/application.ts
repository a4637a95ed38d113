/**
 * What stands at the end of a connection: the same application serves TCP, TLS, UDP, Unix sockets and memory
 * (TN-09, TN-10, TN-30).
 */
import type { Fault } from '@sapwood/core'
import type { FramingFault } from '@sapwood/wire'
import type { Connection } from './connection.ts'

/**
 * @example
 * const echo: Application = { received: (frame, connection) => void connection.send(frame) }
 */
export interface Application<Frame = unknown> {
  /**
   * A frame came in. Frames come strictly in turn: the next one waits for the promise, where one is given, and for
   * room to send. Whatever is thrown ends this connection with `APPLICATION_FAILED` and hinders no other.
   */
  received(frame: Frame, connection: Connection): unknown
  /**
   * A framing fault, unless the framer is to be quiet about it: `fault.final` ends the connection, which is a moment
   * for a last word to the peer; behind any other the framer goes on, for instance behind a line over its limit.
   */
  misframed?(fault: FramingFault, connection: Connection): void
  /** There is room again, after a `send` that was answered with false. */
  drained?(connection: Connection): void
  /**
   * The peer sends no more. An application that has this method may go on sending and calls `close` itself; for
   * any other the connection is closed, with what waits sent first, and `closed(null)` is called.
   */
  ended?(connection: Connection): void
  /**
   * The connection is over: null at the peer's end of file, else what ended it. Called once at most, never from
   * inside another call, and not at all after the application's own `close` or `destroy`.
   */
  closed?(reason: Fault | null, connection: Connection): void
}

/**
 * Decides about a new connection and gives its application. It may set framers, send a greeting, wrap or close.
 * @throws RejectConnection to close it unheard; anything else is counted as `ACCEPTOR_FAILED`. Neither ends the listener.
 */
export type Acceptor = (connection: Connection) => Application

/** Thrown by an acceptor that does not want a connection (TN-09). */
export class RejectConnection extends Error {
  constructor(why = 'not wanted') {
    super(why)
    this.name = 'RejectConnection'
  }
}
