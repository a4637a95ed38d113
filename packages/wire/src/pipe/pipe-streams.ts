/**
 * The streams of a session, as this end uses them: opened, answered, sent on, given up. What the frames of the peer do to
 * them stands in `StreamFrames`.
 * Invariant: a stream stands in the table until both ends know that nothing more comes of either, so every byte of a body
 * is counted, wanted or not; each stream that was told of ends in exactly one of: both sides ended, or `reset`.
 */
import type { Fault } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { BodyOwner } from './body-sender.ts'
import { BodySender } from './body-sender.ts'
import { FrameWriter } from './frame-writer.ts'
import type { PipeEvents } from './pipe-events.ts'
import { PIPE_DRAINING } from './pipe-faults.ts'
import type { PipeLimits } from './pipe-limits.ts'
import type { PipeStream } from './pipe-stream.ts'
import { Side } from './pipe-stream.ts'
import type { StreamsHost } from './receive-credit.ts'
import { ReceiveCredit } from './receive-credit.ts'
import { SentLog } from './sent-log.ts'
import type { FieldList, RequestHead, ResponseHead } from './stream-head.ts'
import { isInterim } from './stream-head.ts'
import { StreamTable } from './stream-table.ts'

/** No stream of this end is above it. */
const ALL = Number.POSITIVE_INFINITY

export class PipeStreams implements BodyOwner {
  readonly table: StreamTable
  readonly log: SentLog
  readonly frames: FrameWriter
  readonly bodies: BodySender
  readonly credit: ReceiveCredit
  readonly #host: StreamsHost
  readonly #events: PipeEvents
  /** Streams that this end may have open, and bytes of a new one that may be sent. Told by the peer. */
  #most = 0
  #window = 0
  /** Streams of this end above it were not handled, says the peer. */
  #peerLast = ALL
  /** The frame with which the newest whole answer of this end ended. */
  #answered = 0

  constructor(
    host: StreamsHost,
    events: PipeEvents,
    limits: PipeLimits,
    isDialler: boolean,
    allocate: (size: number) => Uint8Array,
  ) {
    this.#host = host
    this.#events = events
    this.table = new StreamTable(isDialler)
    this.log = new SentLog(allocate)
    this.frames = new FrameWriter(this.log)
    this.bodies = new BodySender(this, this.log, this.frames, limits)
    this.credit = new ReceiveCredit(host, this.frames, limits)
  }

  /** How many more this end may open now. */
  get available(): number {
    return this.#peerLast === ALL ? Math.max(0, this.#most - this.table.own) : 0
  }

  /** Whether nothing is open, and the peer has every answer of this end. */
  get idle(): boolean {
    return this.table.size === 0 && this.#answered <= this.log.acknowledged
  }

  /** Bytes of a new stream that may be sent. */
  get window(): number {
    return this.#window
  }

  /** What the peer has told in its greeting. */
  begin(streams: number, streamWindow: number, sessionWindow: number): void {
    this.#most = streams
    this.#window = streamWindow
    this.bodies.sessionCredited(sessionWindow)
  }

  /** The peer takes no streams above `last`. @returns whether that is news. */
  leave(last: number): boolean {
    const isNews = this.#peerLast === ALL
    this.#peerLast = Math.min(this.#peerLast, last)
    return isNews
  }

  open(head: RequestHead, ends: boolean): PipeStream {
    if (this.#peerLast !== ALL) {
      throw new SapwoodError(PIPE_DRAINING.code, PIPE_DRAINING.detail, { status: 503 })
    }
    const { table } = this
    if (table.own >= this.#most) throw full(this.#most)
    this.frames.request(table.next, head, ends)
    const stream = table.open(this.#window)
    stream.opened = this.log.last
    if (ends) stream.local = Side.ended
    this.#host.wake()
    return stream
  }

  respond(stream: PipeStream, head: ResponseHead, ends: boolean): void {
    if (stream.over) return
    if (stream.local !== Side.head) {
      throw misused('it has its answer, or is one that this end opened')
    }
    const interim = isInterim(head.status)
    if (interim && ends) throw misused('an interim head is not the last')
    this.frames.response(stream.id, head, ends)
    if (ends) this.finished(stream)
    else if (!interim) stream.local = Side.body
    this.#host.wake()
  }

  send(stream: PipeStream, bytes: Uint8Array, ends: boolean): boolean {
    if (stream.over) return true
    mustBeOpen(stream)
    const isRoom = this.bodies.send(stream, bytes, ends)
    this.#host.wake()
    return isRoom
  }

  finish(stream: PipeStream, trailers: FieldList | undefined): void {
    if (stream.over) return
    mustBeOpen(stream)
    this.bodies.finish(stream, trailers)
    this.#host.wake()
  }

  /** Resets it from this end. The peer's last frame takes it off the table. */
  reset(stream: PipeStream, fault: Fault, refused: boolean): void {
    if (stream.over) return
    if (stream.state === 'closed') return this.credit.release(stream)
    const { code, detail } = fault
    this.frames.reset(stream.id, { code, detail, refused })
    this.bodies.forget(stream)
    stream.over = true
    stream.local = Side.ended
    this.credit.release(stream)
    if (stream.remote === Side.ended) this.table.delete(stream)
    else stream.remote = Side.dropped
    this.#host.wake()
  }

  /** Of the bodies: all is written. */
  finished(stream: PipeStream): void {
    stream.local = Side.ended
    if (!stream.own) this.#answered = this.log.last
    if (stream.remote === Side.ended) this.table.delete(stream)
  }

  /** Of the bodies: there is room again. */
  drained(stream: PipeStream): void {
    this.#events.drained(stream)
  }

  /** The session is over, and all streams with it. */
  end(fault: Fault): void {
    const { handedEver } = this.log
    for (const stream of this.table.all()) {
      this.table.delete(stream)
      const isKnown = !stream.over
      stream.over = stream.released = true
      stream.local = stream.remote = Side.ended
      this.bodies.forget(stream)
      const isUndelivered = stream.opened > handedEver || stream.id > this.#peerLast
      if (isKnown) this.#events.reset(stream, fault, stream.own && isUndelivered)
    }
    this.log.clear()
  }
}

function mustBeOpen(stream: PipeStream): void {
  if (stream.local !== Side.body || stream.ending) {
    throw misused('its head was not sent, or its end was')
  }
}

function misused(why: string): SapwoodError {
  return new SapwoodError('STREAM_MISUSED', `the stream has no place for this: ${why}`)
}

function full(most: number): SapwoodError {
  const detail = `${most} streams are open; wait for one to end`
  return new SapwoodError('STREAMS_FULL', detail, { status: 503 })
}
