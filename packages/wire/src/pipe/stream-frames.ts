/**
 * What the frames of the peer do to its streams, by the table in `PipeStream`.
 * Invariant: a mistake on one stream costs that stream; only what concerns all of them is returned, and ends the session.
 */
import type { Fault } from '@sapwood/core'
import { readRequest, readResponse, readTrailers } from './head-reader.ts'
import type { PipeEvents } from './pipe-events.ts'
import {
  CANCELLED,
  CREDIT_EXCEEDED,
  CREDIT_INVALID,
  FLOOD,
  HEAD_INVALID,
  MESSAGE_INVALID,
  OUT_OF_ORDER,
  STREAM_CLOSED,
  STREAM_OUT_OF_ORDER,
  STREAMS_FULL,
} from './pipe-faults.ts'
import type { PipeFrame } from './pipe-frame.ts'
import { readWide } from './pipe-frame.ts'
import type { PipeLimits } from './pipe-limits.ts'
import { CREDIT_MOST } from './pipe-limits.ts'
import type { PipeStream } from './pipe-stream.ts'
import { DATA_ROW, HEADERS_ROW, Side, TRAILERS_ROW } from './pipe-stream.ts'
import type { PipeStreams } from './pipe-streams.ts'
import { RateLimit } from './rate-limit.ts'
import type { StreamsHost } from './receive-credit.ts'
import { readReset } from './session-messages.ts'
import type { FieldList } from './stream-head.ts'
import { isInterim } from './stream-head.ts'
import type { StreamTable } from './stream-table.ts'

/** Interim heads of one answer. */
const INTERIM = 16

export class StreamFrames {
  readonly #host: StreamsHost
  readonly #events: PipeEvents
  readonly #limits: PipeLimits
  readonly #streams: PipeStreams
  readonly #table: StreamTable
  readonly #resets: RateLimit
  /** Why new streams of the peer are refused. */
  #refusing: Fault | undefined

  constructor(host: StreamsHost, events: PipeEvents, limits: PipeLimits, streams: PipeStreams) {
    this.#host = host
    this.#events = events
    this.#limits = limits
    this.#streams = streams
    this.#table = streams.table
    this.#resets = new RateLimit(limits.resets)
  }

  /** From now on streams of the peer are refused. */
  refuse(fault: Fault): void {
    this.#refusing = fault
  }

  /** @returns what ends the session; so do all that follow. */
  headers(frame: PipeFrame): Fault | undefined {
    const stream = this.#table.get(frame.stream)
    if (stream === undefined) {
      return this.#table.opens(frame.stream) ? this.#request(frame) : this.#stray(frame)
    }
    const step = HEADERS_ROW[stream.remote]
    if (step === 'head') this.#response(stream, frame)
    else if (step === 'wrong') this.#wrong(stream, STREAM_OUT_OF_ORDER)
    if (frame.ends) this.#ended(stream, undefined)
    return undefined
  }

  /**
   * A part of DATA.
   * @param payload what of it is new.
   * @param isNew whether the frame begins here, and not on a former link.
   */
  data(frame: PipeFrame, payload: Uint8Array, isNew: boolean): Fault | undefined {
    const stream = this.#table.get(frame.stream)
    if (stream === undefined) return isNew ? this.#stray(frame) : undefined
    if (isNew) {
      if (DATA_ROW[stream.remote] === 'wrong') this.#wrong(stream, STREAM_OUT_OF_ORDER)
      const fault = this.#arrive(stream, frame.length)
      if (fault !== undefined) return fault
    }
    if (stream.remote === Side.body && payload.length > 0) this.#events.data(stream, payload)
    if (frame.last && frame.ends) this.#ended(stream, undefined)
    return undefined
  }

  trailers(frame: PipeFrame): Fault | undefined {
    const stream = this.#table.get(frame.stream)
    if (stream === undefined) return this.#stray(frame)
    const trailers = readTrailers(frame.payload)
    const step = TRAILERS_ROW[stream.remote]
    if (step === 'wrong') this.#wrong(stream, STREAM_OUT_OF_ORDER)
    else if (step === 'end' && trailers === undefined) this.#wrong(stream, HEAD_INVALID)
    this.#ended(stream, trailers)
    return undefined
  }

  credit(frame: PipeFrame): Fault | undefined {
    const offset = readWide(frame.payload)
    if (!Number.isSafeInteger(offset)) return CREDIT_INVALID
    const { bodies } = this.#streams
    if (frame.stream === 0) {
      bodies.sessionCredited(offset)
      this.#host.wake()
      return undefined
    }
    const stream = this.#table.get(frame.stream)
    // credit and the end of a body may pass each other
    if (stream === undefined) return this.#table.knows(frame.stream) ? undefined : OUT_OF_ORDER
    if (offset > stream.sent + CREDIT_MOST) return CREDIT_INVALID
    if (offset <= stream.credit) return undefined
    stream.credit = offset
    bodies.credited(stream)
    this.#host.wake()
    return undefined
  }

  reset(frame: PipeFrame): Fault | undefined {
    if (this.#resets.exceeded(this.#host.now)) return FLOOD
    const message = readReset(frame.payload)
    if (message === undefined) return MESSAGE_INVALID
    const stream = this.#table.get(frame.stream)
    if (stream === undefined) return this.#table.knows(frame.stream) ? undefined : OUT_OF_ORDER
    const { frames, bodies, credit } = this.#streams
    const isKnown = !stream.over
    if (stream.local !== Side.ended) {
      // tells the peer that nothing more comes from here
      const { code, detail } = CANCELLED
      frames.reset(stream.id, { code, detail, refused: false })
      this.#host.wake()
    }
    bodies.forget(stream)
    stream.over = true
    stream.local = stream.remote = Side.ended
    credit.release(stream)
    this.#table.delete(stream)
    if (isKnown) this.#events.reset(stream, message, stream.own && message.refused)
    return undefined
  }

  #request({ stream: id, payload, ends }: PipeFrame): Fault | undefined {
    const stream = this.#table.accept(id, this.#streams.window)
    const { foreign } = this.#table
    const { streams: most } = this.#limits
    const head = readRequest(payload)
    const full = foreign > most ? STREAMS_FULL : undefined
    const refusal = this.#refusing ?? full ?? (head === undefined ? HEAD_INVALID : undefined)
    if (refusal !== undefined || head === undefined) {
      // who goes on opening more than twice as many does not read what it is told
      if (foreign > most * 2) return FLOOD
      if (ends) stream.remote = Side.ended
      this.#streams.reset(stream, refusal as Fault, true)
      return this.#host.odd(refusal as Fault)
    }
    this.#events.request(stream, head, ends)
    if (ends) this.#ended(stream, undefined)
    return undefined
  }

  #response(stream: PipeStream, frame: PipeFrame): void {
    const head = readResponse(frame.payload)
    if (head === undefined) return this.#wrong(stream, HEAD_INVALID)
    if (!isInterim(head.status)) stream.remote = Side.body
    else if (frame.ends || ++stream.interim > INTERIM) {
      return this.#wrong(stream, STREAM_OUT_OF_ORDER)
    }
    this.#events.response(stream, head)
  }

  /** The peer has said its last on this stream. */
  #ended(stream: PipeStream, trailers: FieldList | undefined): void {
    if (stream.remote === Side.ended) return
    const wasDropped = stream.remote === Side.dropped
    stream.remote = Side.ended
    if (stream.local === Side.ended) this.#table.delete(stream)
    if (!wasDropped) this.#events.ended(stream, trailers)
  }

  /** A frame that its stream has no place for. */
  #wrong(stream: PipeStream, fault: Fault): void {
    this.#events.fault(fault)
    if (stream.over) return
    this.#streams.reset(stream, fault, false)
    this.#events.reset(stream, fault, false)
  }

  #arrive(stream: PipeStream, length: number): Fault | undefined {
    const { credit } = this.#streams
    const fault = credit.arrive(stream, length)
    if (fault !== undefined) return fault
    if (stream.window?.exceeded === true) this.#wrong(stream, CREDIT_EXCEEDED)
    if (stream.released) credit.release(stream)
    return undefined
  }

  /** A frame of a stream that is not open. */
  #stray({ stream }: PipeFrame): Fault | undefined {
    return this.#table.knows(stream) ? this.#host.odd(STREAM_CLOSED) : OUT_OF_ORDER
  }
}
