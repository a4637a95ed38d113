/**
 * The bodies that this end sends: they wait at their streams until credit and the link have room, and take turns.
 * Invariant: no DATA is written that could not be sent again: it keeps within the credit of its stream, that of the session
 * and the limit of what is kept. A stream with something to send stands in the round, among the blocked, or waits for
 * credit of its own.
 */
import { SapwoodError } from '@sapwood/core'
import type { FrameWriter } from './frame-writer.ts'
import { checkTrailers } from './frame-writer.ts'
import { FRAME_HEAD, PAYLOAD_LIMIT } from './pipe-frame.ts'
import type { PipeLimits } from './pipe-limits.ts'
import { UNCOUNTED } from './pipe-limits.ts'
import type { PipeStream } from './pipe-stream.ts'
import { Ring } from './ring.ts'
import type { SentLog } from './sent-log.ts'
import type { FieldList } from './stream-head.ts'

/** Who is told what became of a body that waited. */
export interface BodyOwner {
  /** All that was to be sent on the stream is written. */
  finished(stream: PipeStream): void
  /** It said that it was full, and is not any more. */
  drained(stream: PipeStream): void
}

/** Bytes of one stream that are written before another's turn. */
const TURN = 16_384
/** Pieces up to this size leave before bodies that wait, while not too much does. */
const SHORT = 4_096
const BURST = 65_536
/** Bytes of a stream that wait before `send` says that it is enough. */
const ENOUGH = 65_536
/** So many blocked streams are looked through for those that are over. */
const CROWD = 64

const NOTHING = new Uint8Array(0)

export class BodySender {
  readonly #owner: BodyOwner
  readonly #log: SentLog
  readonly #frames: FrameWriter
  readonly #limits: PipeLimits
  /** Streams with something that their own credit allows. */
  readonly #round: Ring<PipeStream> = new Ring()
  /** Streams that wait for credit of the session. */
  #blocked: PipeStream[] = []
  #crowd = CROWD
  /** Bytes that counted on the session, and how many may. */
  #sent = 0
  #credit = 0

  constructor(owner: BodyOwner, log: SentLog, frames: FrameWriter, limits: PipeLimits) {
    this.#owner = owner
    this.#log = log
    this.#frames = frames
    this.#limits = limits
  }

  /** Whether a body could be written if the link had room. */
  get waits(): boolean {
    return this.#round.length > 0 && this.#log.kept < this.#limits.replay
  }

  /** Sends a part of a body, now or later. @returns whether there is room for more. */
  send(stream: PipeStream, bytes: Uint8Array, ends: boolean): boolean {
    const { length } = bytes
    if (stream.queued === 0 && (length === 0 || this.#fitsNow(stream, length))) {
      this.#count(stream, length)
      if (length > 0 || ends) this.#frames.data(stream.id, bytes, ends)
      if (ends) this.#owner.finished(stream)
      return true
    }
    if (length > 0) this.#wait(stream, bytes)
    stream.ending = ends
    this.#join(stream)
    stream.full ||= stream.queued >= ENOUGH
    return !stream.full
  }

  /** Ends the body, behind what waits. @throws SapwoodError `HEAD_TOO_LONG` */
  finish(stream: PipeStream, trailers: FieldList | undefined): void {
    if (trailers !== undefined) checkTrailers(trailers)
    stream.trailers = trailers
    stream.ending = true
    if (stream.queued === 0) this.#finish(stream)
  }

  /** The credit of a stream has grown. */
  credited(stream: PipeStream): void {
    if (stream.queued > 0) this.#join(stream)
  }

  /** Bytes of all streams together that may be sent. */
  sessionCredited(offset: number): void {
    if (offset <= this.#credit) return
    this.#credit = offset
    const blocked = this.#blocked
    this.#blocked = []
    for (const stream of blocked) {
      stream.inRound = false
      this.#join(stream)
    }
  }

  /** Nothing more is sent on this stream. */
  forget(stream: PipeStream): void {
    stream.waiting = undefined
    stream.queued = stream.offset = 0
    stream.ending = false
  }

  /** Writes bodies in turn, about `room` bytes. */
  pump(room: number): void {
    let left = room
    while (left > 0 && this.waits) {
      const stream = this.#round.shift() as PipeStream
      stream.inRound = false
      if (stream.queued === 0) continue
      const most = this.#round.length > 0 ? TURN : PAYLOAD_LIMIT
      // a little too much is better than frames of a few bytes
      left -= this.#piece(stream, Math.min(most, Math.max(left, SHORT)))
    }
  }

  #wait(stream: PipeStream, bytes: Uint8Array): void {
    if (stream.queued + bytes.length > this.#limits.queue) {
      throw new SapwoodError(
        'QUEUE_FULL',
        'more waits on a stream than the limit allows; wait for `drained` when `send` answers false',
      )
    }
    stream.waiting ??= new Ring()
    stream.waiting.push(bytes)
    stream.queued += bytes.length
  }

  #piece(stream: PipeStream, most: number): number {
    const waiting = stream.waiting as Ring<Uint8Array>
    const chunk = waiting.first as Uint8Array
    const { offset } = stream
    const left = chunk.length - offset
    const length = Math.min(most, left, stream.credit - stream.sent, this.#sessionRoom(stream))
    if (length <= 0) {
      // CREDIT of the stream brings it back into the round, that of the session has to find it
      if (stream.credit > stream.sent) this.#block(stream)
      return 0
    }
    stream.queued -= length
    stream.offset = length === left ? 0 : offset + length
    if (length === left) waiting.shift()
    this.#count(stream, length)
    const isLast = stream.queued === 0
    const ends = isLast && stream.ending && stream.trailers === undefined
    this.#frames.data(stream.id, chunk.subarray(offset, offset + length), ends)
    if (!isLast) this.#join(stream)
    else if (ends) this.#owner.finished(stream)
    else if (stream.ending) this.#finish(stream)
    if (stream.full && stream.queued < ENOUGH / 2) {
      stream.full = false
      this.#owner.drained(stream)
    }
    return length + FRAME_HEAD
  }

  #block(stream: PipeStream): void {
    if (this.#blocked.length >= this.#crowd) {
      this.#blocked = this.#blocked.filter(({ queued }) => queued > 0)
      this.#crowd = Math.max(CROWD, this.#blocked.length * 2)
    }
    stream.inRound = true
    this.#blocked.push(stream)
  }

  #finish(stream: PipeStream): void {
    const { id, trailers } = stream
    if (trailers === undefined) this.#frames.data(id, NOTHING, true)
    else this.#frames.trailers(id, trailers)
    this.#owner.finished(stream)
  }

  #fitsNow(stream: PipeStream, length: number): boolean {
    const log = this.#log
    return (
      length <= SHORT &&
      stream.sent + length <= stream.credit &&
      log.unsent < BURST &&
      log.kept < this.#limits.replay &&
      length <= this.#sessionRoom(stream)
    )
  }

  /** What the session's credit allows this stream. */
  #sessionRoom(stream: PipeStream): number {
    return this.#credit - this.#sent + Math.max(0, UNCOUNTED - stream.sent)
  }

  #count(stream: PipeStream, length: number): void {
    const { sent } = stream
    stream.sent = sent + length
    if (stream.sent > UNCOUNTED) this.#sent += stream.sent - Math.max(sent, UNCOUNTED)
  }

  #join(stream: PipeStream): void {
    if (stream.inRound || stream.queued === 0) return
    stream.inRound = true
    this.#round.push(stream)
  }
}
