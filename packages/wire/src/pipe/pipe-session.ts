/**
 * One session of the pipe over successive links: bytes of a link in, events out; calls in, bytes for the link out. The
 * specification is docs/pipe-protocol.md. This is all that its user calls; how it is made stands in `sessionParts`, the states of
 * a link in `LinkInput`, those of a stream in `PipeStream`.
 * Invariant: every numbered frame is processed once and in order, however often links break.
 */
import type { Fault } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { LinkOwner } from './link-input.ts'
import type { PipeSink } from './link-output.ts'
import type { PipeEvents } from './pipe-events.ts'
import {
  ACK_INVALID,
  FLOOD,
  PIPE_DRAINING,
  SESSION_UNKNOWN,
  UPDATE_TOO_LONG,
} from './pipe-faults.ts'
import type { LinkState } from './pipe-link.ts'
import { PipeLink } from './pipe-link.ts'
import type { PipeStream } from './pipe-stream.ts'
import type { StreamsHost } from './receive-credit.ts'
import { RoundTrip } from './round-trip.ts'
import type { SessionMessage } from './session-messages.ts'
import type { PipeSessionOptions, SessionParts } from './session-parts.ts'
import { sessionParts } from './session-parts.ts'
import type { FieldList, RequestHead, ResponseHead } from './stream-head.ts'

const NOTHING = new Uint8Array(0)

export class PipeSession implements StreamsHost, LinkOwner {
  readonly side: 'dialler' | 'listener'
  readonly id: Uint8Array
  /** For whoever uses it: anything that belongs to the session. */
  data: unknown = undefined
  /** When the peer was last heard of, and when it is now, as far as the caller has told. */
  heard = 0
  now = 0
  readonly #events: PipeEvents
  readonly #allocate: ((size: number) => Uint8Array) | undefined
  readonly #parts: SessionParts
  readonly #trips = new RoundTrip()
  #over = false

  constructor(options: PipeSessionOptions, events: PipeEvents) {
    this.side = options.side
    this.id = options.id
    this.#events = events
    this.#allocate = options.allocate
    this.#parts = sessionParts(this, options, events)
  }

  /** The peer's process, once it has greeted; '' before. */
  get peerInstance(): string {
    return this.#parts.greeting.peerInstance
  }

  /** The last round trip of a ping, or of a greeting; milliseconds. */
  get roundTrip(): number {
    return this.#trips.last
  }

  /** @internal of the streams. */
  get shortestTrip(): number {
    return this.#trips.shortest
  }

  /** `live` while frames flow, `greeting` until the peer has answered on a new link, `closed` without one or at the end. */
  get state(): LinkState {
    return this.#parts.output.state
  }

  /** Whether nothing will flow any more, on any link. */
  get over(): boolean {
    return this.#over
  }

  /** The number of the newest link, from 1. */
  get linkNumber(): number {
    return this.#parts.greeting.link
  }

  /** Streams that are open, whoever opened them. */
  get streams(): number {
    return this.#parts.streams.table.size
  }

  /** Whether nothing is open, and the peer has acknowledged every answer: no link is needed any more. */
  get idle(): boolean {
    return this.#over || this.#parts.streams.idle
  }

  /** How many streams this end may open now; 0 before the first answer of the peer. */
  get available(): number {
    return this.#over ? 0 : this.#parts.streams.available
  }

  /** Bytes that are kept until the peer has acknowledged them. */
  get kept(): number {
    return this.#parts.log.kept
  }

  /** Whether `flush` would have something to write, given room. */
  get pending(): boolean {
    return this.#parts.output.pending
  }

  /** Bytes that an update may have, either way. */
  get longestUpdate(): number {
    return this.#parts.limits.update
  }

  /** When `tick` is due at the latest, in the time of the caller; `Infinity` if there is nothing to wait for. */
  get due(): number {
    const { output, receiver } = this.#parts
    return output.state === 'live' ? Math.min(output.due, receiver.due) : output.due
  }

  /** Of a dialler: begins a link. The former one is not read any more; close it when this one is live. */
  dial(now: number): PipeLink {
    if (this.#over) throw closed()
    const link = new PipeLink(this.#allocate)
    this.now = this.heard = now
    const { greeting, receiver, output } = this.#parts
    this.#trips.begin()
    output.begin(link, greeting.hello(receiver.begin()), now)
    this.wake()
    return link
  }

  /**
   * Of a listener: takes the link on which the dialler has greeted for this session. Events may come before it returns.
   * @param hello what `link.greet` gave. That the peer's certificate fits the session is for the caller to see to.
   * @returns why not, to be told by `refusal`; the session goes on without it.
   */
  accept(link: PipeLink, hello: SessionMessage, now: number): Fault | undefined {
    const { greeting, receiver, output, input } = this.#parts
    const fault = this.#over ? SESSION_UNKNOWN : greeting.refusalOf(hello)
    // it has the secret, and has lost count: nothing can be sent to it any more
    if (fault === ACK_INVALID) this.close(fault)
    if (fault !== undefined) return fault
    this.now = this.heard = now
    const resumed = greeting.link > 0
    this.#trips.begin()
    output.begin(link, greeting.answer(hello, receiver.begin()), now)
    input.meet(hello)
    this.#events.live(resumed)
    // what came behind the greeting
    this.receive(link, NOTHING, now)
    return undefined
  }

  /**
   * Takes what came on a link and tells of it. Bytes of any link but the newest are left out.
   * @param chunk must not be changed afterwards.
   * @param now milliseconds of a clock that never goes back.
   */
  receive(link: PipeLink, chunk: Uint8Array, now: number): void {
    if (link !== this.#parts.output.link || link.state === 'closed') return
    this.now = this.heard = now
    this.#parts.input.receive(link, chunk)
  }

  /** The link is gone. Streams stay as they are and wait for the next. */
  cut(link: PipeLink): void {
    if (link === this.#parts.output.link) this.#parts.output.cut()
  }

  /**
   * Writes what waits for the newest link: control frames all, others while there is room, and a little more.
   * @param room bytes that the link should still be given; 128 KiB, less what its socket holds, keeps small messages
   *   from waiting behind bodies.
   * @returns how many bytes it was given. If `pending`, flush again when the socket has drained.
   */
  flush(link: PipeLink, room: number, sink: PipeSink, now: number): number {
    const { output, receiver } = this.#parts
    if (link !== output.link) return 0
    this.now = now
    if (link.state === 'live') {
      const received = receiver.report(now)
      if (received !== undefined) output.acknowledge(received)
    }
    return output.flush(link, room, sink)
  }

  /** To be called when `due` has come. */
  tick(now: number): void {
    this.now = now
    if (this.#parts.receiver.due <= now) this.wake()
    this.#parts.output.trim(now)
  }

  /**
   * Asks the peer something.
   * @param ends true for a request without a body.
   * @throws SapwoodError `STREAMS_FULL`, `PIPE_DRAINING`, `PIPE_CLOSED`, `HEAD_TOO_LONG`.
   */
  open(head: RequestHead, ends: boolean): PipeStream {
    if (this.#over) throw closed()
    return this.#parts.streams.open(head, ends)
  }

  /**
   * Answers a stream that the peer opened: interim heads, then another. Nothing happens if the stream is over.
   * @param ends true for an answer without a body.
   * @throws SapwoodError `STREAM_MISUSED`, `HEAD_TOO_LONG`.
   */
  respond(stream: PipeStream, head: ResponseHead, ends: boolean): void {
    this.#parts.streams.respond(stream, head, ends)
  }

  /**
   * Sends a part of a body. Nothing happens if the stream is over.
   * @param bytes of any length; must not be changed afterwards.
   * @param ends true for the last.
   * @returns true if there is room for more; false if the next should wait for `drained`.
   * @throws SapwoodError `STREAM_MISUSED`; `QUEUE_FULL` for who never waits.
   */
  send(stream: PipeStream, bytes: Uint8Array, ends: boolean): boolean {
    return this.#parts.streams.send(stream, bytes, ends)
  }

  /** Ends the body, perhaps with trailers. @throws SapwoodError `STREAM_MISUSED`, `HEAD_TOO_LONG`. */
  finish(stream: PipeStream, trailers?: FieldList): void {
    this.#parts.streams.finish(stream, trailers)
  }

  /**
   * Gives a stream up, both ways. `reset` is not told of it here. What was received and not taken counts as taken.
   * @param fault for the peer.
   * @param refused true if nobody was told of the request, so that it may be sent again.
   */
  reset(stream: PipeStream, fault: Fault, refused = false): void {
    this.#parts.streams.reset(stream, fault, refused)
  }

  /** So many bytes of a body have found their consumer: the peer may send as many. To be called for all that came. */
  took(stream: PipeStream, bytes: number, now: number): void {
    this.now = now
    this.#parts.streams.credit.took(stream, bytes)
  }

  /**
   * Sends an update.
   * @returns true if there is room for more; false if the next should wait for `writable`.
   * @throws SapwoodError `UPDATE_TOO_LONG`, `PIPE_CLOSED`.
   */
  update(bytes: Uint8Array): boolean {
    if (this.#over) throw closed()
    if (bytes.length > this.#parts.limits.update) {
      throw new SapwoodError(UPDATE_TOO_LONG.code, UPDATE_TOO_LONG.detail, { status: 413 })
    }
    this.#parts.streams.frames.update(bytes)
    this.wake()
    return this.#parts.output.hasRoom()
  }

  /** Asks the peer for a sign of life: it shows in `heard` and `roundTrip`. Nothing happens without a live link. */
  ping(now: number): void {
    if (this.state !== 'live') return
    this.now = now
    this.#parts.output.ping(now)
  }

  /**
   * Takes no new streams from the peer; those that are open go on. Told again on every new link.
   * @param retryAfter milliseconds after which the peer should come back.
   */
  goaway(fault: Fault, retryAfter = 0): void {
    if (this.#over || this.#parts.output.isLeaving) return
    this.#parts.frames.refuse(PIPE_DRAINING)
    this.#parts.output.leave(fault, retryAfter)
  }

  /**
   * Ends the session, on all links: open streams are reset, the peer is told. Flush once more, then close the link.
   * @param retryAfter milliseconds after which the peer may begin another.
   */
  close(fault: Fault, retryAfter = 0): void {
    if (this.#over) return
    this.#over = true
    if (this.state !== 'closed') this.#parts.output.goaway(fault, true, retryAfter)
    this.#parts.output.end()
    this.#parts.streams.end(fault)
    this.#parts.receiver.clear()
    this.#events.closed(fault)
  }

  /** @internal of the streams. */
  wake(): void {
    this.#parts.output.wake()
  }

  /** @internal of the link. */
  measured(milliseconds: number): void {
    this.#trips.add(milliseconds, this.now)
  }

  /** @internal of the streams. */
  measure(): void {
    this.#parts.output.measure(this.now)
  }

  /** @internal of the streams. */
  odd(fault: Fault): Fault | undefined {
    this.#events.fault(fault)
    return this.#parts.oddities.exceeded(this.now) ? FLOOD : undefined
  }
}

function closed(): SapwoodError {
  return new SapwoodError('PIPE_CLOSED', 'the session is over; begin another', { status: 502 })
}
