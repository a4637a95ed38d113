/**
 * A tracked connection, as its application and whoever opened it see it: frames in, frames out, whatever carries them
 * (TN-09 to TN-15, TN-22, TN-29).
 * Invariant: frames are delivered in turn, and none while answers to earlier ones find no room; what one turn of the
 * event loop sends leaves in one write; after `close` nothing is delivered and everything sent before still leaves.
 */
import type { Duplex } from 'node:stream'
import type { Fault, Wheel } from '@sapwood/core'
import type { Framer } from '@sapwood/wire'
import { type Address, formatAddress } from './address.ts'
import type { Application } from './application.ts'
import type { Channel } from './channel.ts'
import type { Security } from './security.ts'
import { upgrade } from './upgrade.ts'
import type { Wrapper } from './wrapper.ts'

export class Connection {
  /** For whoever accepted or dialled it: anything that belongs to the connection. */
  data: unknown
  readonly side: 'server' | 'client'
  /** The host as it was dialled. */
  readonly host: string | undefined
  readonly #channel: Channel

  /** Only those that track connections make them. */
  constructor(channel: Channel, side: 'server' | 'client', host: string | undefined) {
    this.#channel = channel
    this.side = side
    this.host = host
  }

  /** `tcp`, `tls`, `udp` and so on. */
  get transport(): string {
    return this.#channel.tracker.transport
  }

  get local(): Address {
    return this.#channel.link.local
  }

  get remote(): Address {
    return this.#channel.link.remote
  }

  /** The wheel that its clocks sit on, for those of its application. */
  get wheel(): Wheel {
    return this.#channel.tracker.wheel
  }

  /** What TLS has found out; undefined without TLS. */
  get secure(): Security | undefined {
    return this.#channel.link.secure
  }

  /** The stream beneath, for its settings; whoever reads or writes it breaks the framing. */
  get socket(): Duplex | undefined {
    return this.#channel.link.socket
  }

  /** False once either end, or a fault, has ended it. */
  get open(): boolean {
    return this.#channel.open
  }

  /** Frames that came in so far. */
  get framesReceived(): number {
    return this.#channel.delivery.frames
  }

  /** Frames that were sent so far. */
  get framesSent(): number {
    return this.#channel.outgoing.frames
  }

  /** Bytes that came in so far, without those of wrappers. */
  get bytesReceived(): number {
    return this.#channel.source.bytes
  }

  /** Bytes that were written so far, without those of wrappers. */
  get bytesSent(): number {
    return this.#channel.outgoing.bytes
  }

  /** May be replaced at any time (TN-11). Without one, what comes waits. */
  get application(): Application | undefined {
    return this.#channel.upper.current
  }

  set application(application: Application | undefined) {
    this.#channel.upper.current = application
    this.#channel.changed()
  }

  /** What makes frames of bytes. Replaced in `received`, the new one goes on at the next byte (TN-15). */
  get receiveFramer(): Framer<unknown> {
    return this.#channel.source.framer
  }

  set receiveFramer(framer: Framer<unknown> | undefined) {
    this.#channel.source.framer = framer
    this.#channel.changed()
  }

  /** What makes bytes of frames. */
  get sendFramer(): Framer<unknown> {
    return this.#channel.outgoing.framer
  }

  set sendFramer(framer: Framer<unknown> | undefined) {
    this.#channel.outgoing.framer = framer
  }

  /** Sets both; one framer may do both directions. Undefined brings the transport's own back (TN-11). */
  setFramers(
    receive: Framer<unknown> | undefined,
    send: Framer<unknown> | undefined = receive,
  ): void {
    this.receiveFramer = receive
    this.sendFramer = send
  }

  /** Bytes that have been sent and have not left this process. */
  get waiting(): number {
    return this.#channel.waiting
  }

  /** Bytes that may be sent before `send` says false. */
  get room(): number {
    return this.#channel.outgoing.room
  }

  /**
   * Sends a frame: at the end of this turn of the event loop, with all others of the turn.
   * @returns true if there is room for more; false if the next one should wait for `drained`. Whoever never waits loses
   * the connection with `QUEUE_FULL`. Over UDP false is a datagram that was dropped. After the end always false.
   * @throws SapwoodError for a frame that the framer cannot carry; DATAGRAM_TOO_LARGE.
   */
  send(frame: unknown): boolean {
    return this.#channel.send(frame)
  }

  /** Sends what waits at once, for whoever knows that nothing more will come in this turn. */
  flush(): void {
    this.#channel.flush()
  }

  /** Delivers no frame until `resume`; the peer has to wait once the buffers between are full. */
  pause(): void {
    this.#channel.delivery.pause()
  }

  resume(): void {
    this.#channel.delivery.resume()
  }

  /** Ends it: what was sent leaves first, nothing is delivered any more. `closed` is not called. */
  close(): void {
    this.#channel.upper.hush()
    this.#channel.finish()
  }

  /** Ends it now; what waits is lost. With a reason, `closed` is called with it. */
  destroy(reason?: Fault): void {
    if (reason === undefined) this.#channel.upper.hush()
    this.#channel.cut(reason)
  }

  /**
   * Puts something around the connection while it lives, TLS as a rule: what was sent before leaves as it was, what is
   * sent from now on goes through the wrapper (TN-22). Clear text that already came behind is refused, and the
   * connection with it: `CLEAR_TEXT_BUFFERED`.
   * @returns when the wrapper is done. Rejects with HANDSHAKE_FAILED, HANDSHAKE_TIMEOUT or CLEAR_TEXT_BUFFERED, which
   *   `closed` is told as well; with WRAP_UNSUPPORTED or CONNECTION_CLOSED if it cannot be tried.
   * @example connection.send(READY); await connection.wrap(startTls({ key, cert }))
   */
  wrap(wrapper: Wrapper): Promise<void> {
    const { side, remote, host } = this
    const wrapped = upgrade(this.#channel, wrapper, { side, remote, host })
    // a peer's mistake must not end the process of a caller who leaves it to `closed`
    wrapped.catch(() => {})
    return wrapped
  }

  toString(): string {
    return `${this.transport} ${formatAddress(this.local)} ${formatAddress(this.remote)}`
  }
}
