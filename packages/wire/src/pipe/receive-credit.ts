/**
 * What the peer may send: the windows of the streams and that of the session, and the CREDIT that this end gives back.
 * Invariant: what came and was not taken stays within the windows; each byte of a body is taken once, by the user or by
 * giving the stream up.
 */
import type { Fault } from '@sapwood/core'
import type { FrameWriter } from './frame-writer.ts'
import { CREDIT_INVALID } from './pipe-faults.ts'
import type { PipeLimits } from './pipe-limits.ts'
import { UNCOUNTED } from './pipe-limits.ts'
import type { PipeStream } from './pipe-stream.ts'
import { Side } from './pipe-stream.ts'
import { ReceiveWindow } from './receive-window.ts'

/** What the streams need of their session. */
export interface StreamsHost {
  /** Milliseconds, as the session was last told. */
  readonly now: number
  /** The shortest round trip of late, in milliseconds. */
  readonly shortestTrip: number
  /** Something was written, or waits. */
  wake(): void
  /** A body is coming in: how long a round trip is now decides how wide its window should be. */
  measure(): void
  /** Counts what should not happen, and may. @returns a fault if that was too often. */
  odd(fault: Fault): Fault | undefined
}

export class ReceiveCredit {
  readonly #host: StreamsHost
  readonly #frames: FrameWriter
  readonly #limits: PipeLimits
  readonly #window: ReceiveWindow

  constructor(host: StreamsHost, frames: FrameWriter, limits: PipeLimits) {
    this.#host = host
    this.#frames = frames
    this.#limits = limits
    this.#window = new ReceiveWindow(limits.sessionWindow, 0)
  }

  /**
   * Counts a DATA frame before its bytes. `stream.window` then tells whether it was more than the stream may.
   * @returns a fault of the session if it was more than all streams may.
   */
  arrive(stream: PipeStream, length: number): Fault | undefined {
    stream.window ??= new ReceiveWindow(this.#limits.streamWindow, this.#host.now)
    const { window } = stream
    const before = window.received
    window.received += length
    this.#window.received += countedOf(before, window.received)
    return this.#window.exceeded ? CREDIT_INVALID : undefined
  }

  /** The user has taken `bytes` of the body. */
  took(stream: PipeStream, bytes: number): void {
    const { window } = stream
    if (stream.released || window === undefined || bytes <= 0) return
    const taken = window.taken + Math.min(bytes, stream.untaken)
    this.#count(window.taken, taken)
    const { now, shortestTrip } = this.#host
    if (!window.take(taken - window.taken) || stream.remote !== Side.body) return
    this.#host.measure()
    this.#frames.credit(stream.id, window.grant(this.#limits.streamWindowMost, shortestTrip, now))
    this.#host.wake()
  }

  /** Nobody will take what has come, or comes: it counts as taken. */
  release(stream: PipeStream): void {
    stream.released = true
    const { window } = stream
    if (window === undefined) return
    this.#count(window.taken, window.received)
    window.taken = window.received
  }

  #count(from: number, to: number): void {
    const counted = countedOf(from, to)
    if (counted === 0 || !this.#window.take(counted)) return
    const { now, shortestTrip } = this.#host
    this.#frames.credit(0, this.#window.grant(this.#window.window, shortestTrip, now))
    this.#host.wake()
  }
}

/** Bytes between two offsets of a stream that count on the session. */
function countedOf(from: number, to: number): number {
  return Math.max(to, UNCOUNTED) - Math.max(from, UNCOUNTED)
}
