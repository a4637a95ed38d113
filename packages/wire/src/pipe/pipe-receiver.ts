/**
 * The numbered frames of the peer: how many were processed, over all links, and what each of them does.
 * Invariant: every numbered frame is processed once and in order, however often links break: what came of a frame that was cut
 * off is left out when it comes again, and whatever comes in its place is refused.
 */
import type { Fault } from '@sapwood/core'
import type { PipeEvents } from './pipe-events.ts'
import { OUT_OF_ORDER, REPLAY_INVALID, UPDATE_TOO_LONG } from './pipe-faults.ts'
import type { PipeFrame } from './pipe-frame.ts'
import { FRAME_HEAD, FrameType } from './pipe-frame.ts'
import { ACK_BYTES, ACK_MS } from './pipe-limits.ts'
import type { StreamFrames } from './stream-frames.ts'
import { UpdateJoiner } from './update-joiner.ts'

const NEVER = Number.POSITIVE_INFINITY

export class PipeReceiver {
  readonly #streams: StreamFrames
  readonly #events: PipeEvents
  readonly #updates: UpdateJoiner
  /** Frames that were processed, and how many of them the peer knows of. */
  #received = 0
  #reported = 0
  /** Bytes since then, and when the first came. */
  #unreported = 0
  #unreportedSince = 0
  /** So many bytes are worth a frame at once. */
  #enough = ACK_BYTES
  /** Bytes of the DATA frame behind them that were processed, what frame it is, and how many of them come again. */
  #partial = 0
  #partialStream = 0
  #partialLength = 0
  #again = 0

  /** @param update bytes of the longest update. */
  constructor(streams: StreamFrames, events: PipeEvents, update: number) {
    this.#streams = streams
    this.#events = events
    this.#updates = new UpdateJoiner(update)
  }

  /** When an acknowledgement is due at the latest, in the time of `take`. */
  get due(): number {
    return this.#unreported === 0 ? NEVER : this.#unreportedSince + ACK_MS
  }

  /** Whether so much came that the peer should hear of it now. */
  get isFull(): boolean {
    return this.#unreported >= this.#enough
  }

  /** A new link begins. @returns how many frames were processed: the greeting tells it. */
  begin(): number {
    this.#again = this.#partial
    this.#unreported = 0
    this.#reported = this.#received
    return this.#received
  }

  /** @returns what to acknowledge, once that is worth a frame; else undefined. */
  report(now: number): number | undefined {
    if (this.#unreported === 0) return undefined
    if (!this.isFull && now - this.#unreportedSince < ACK_MS / 2) return undefined
    this.#unreported = 0
    if (this.#reported === this.#received) return undefined
    this.#reported = this.#received
    return this.#received
  }

  /** The peer waits for nothing but to hear that all has come. */
  hasten(): void {
    this.#enough = 1
  }

  /** Takes a numbered frame, or a part of DATA. @returns what ends the session. */
  take(frame: PipeFrame, now: number): Fault | undefined {
    if (this.#unreported === 0) this.#unreportedSince = now
    if (this.#again > 0 && frame.type !== FrameType.data) return REPLAY_INVALID
    if (frame.last) {
      this.#received++
      this.#unreported += FRAME_HEAD + frame.length
    }
    const streams = this.#streams
    switch (frame.type) {
      case FrameType.headers:
        return streams.headers(frame)
      case FrameType.data:
        return this.#data(frame)
      case FrameType.trailers:
        return streams.trailers(frame)
      case FrameType.credit:
        return streams.credit(frame)
      case FrameType.reset:
        return streams.reset(frame)
      default:
        return this.#update(frame)
    }
  }

  /** The session is over. */
  clear(): void {
    this.#updates.clear()
  }

  #data(frame: PipeFrame): Fault | undefined {
    let { payload, first } = frame
    if (this.#again > 0) {
      const { stream, length } = frame
      if (stream !== this.#partialStream || length !== this.#partialLength) return REPLAY_INVALID
      const known = Math.min(this.#again, payload.length)
      this.#again -= known
      first = false
      if (known === payload.length && !frame.last) return undefined
      payload = payload.subarray(known)
    } else if (this.#partial > 0) {
      first = false
    }
    if (frame.last) this.#partial = 0
    else {
      this.#partial += payload.length
      this.#partialStream = frame.stream
      this.#partialLength = frame.length
    }
    return this.#streams.data(frame, payload, first)
  }

  #update(frame: PipeFrame): Fault | undefined {
    if (frame.stream !== 0) return OUT_OF_ORDER
    const update = this.#updates.add(frame.payload, frame.ends)
    if (update === null) return UPDATE_TOO_LONG
    if (update !== undefined) this.#events.update(update)
    return undefined
  }
}
