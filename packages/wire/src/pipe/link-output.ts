/**
 * What goes out on the newest link: frames that are not numbered first, then the numbered ones in their order, as far as there
 * is room.
 * Invariant: the user is told once that there is something to flush, and nothing numbered leaves before the peer has said from
 * where on it wants it.
 */
import type { Fault } from '@sapwood/core'
import type { LinkOwner } from './link-input.ts'
import type { PipeEvents } from './pipe-events.ts'
import { ACK_INVALID, REPLAY_FULL } from './pipe-faults.ts'
import { END_FLAG, FrameType, readWide, writeWide } from './pipe-frame.ts'
import type { LinkState, PipeLink } from './pipe-link.ts'
import type { PipeStreams } from './pipe-streams.ts'
import type { SentLog } from './sent-log.ts'
import { writeGoaway } from './session-messages.ts'

/** Where the bytes of a link go, in the order of the calls; gather them into one write. */
export interface PipeSink {
  /** The bytes stay as they are until the peer has acknowledged them, or another link has begun. */
  write(bytes: Uint8Array): unknown
}

/** Idle for so many milliseconds, memory that waits for more is given back. */
const IDLE_MS = 1_000
/** Milliseconds between two measurements of the round trip. */
const MEASURE_MS = 1_000
/** Bytes of updates that wait for the link before it is enough. */
const ENOUGH = 65_536
/** What heads, resets and credit may take beyond the limit of what is kept, at which bodies stop. */
const MARGIN = 8 * 1_024 * 1_024
const WORD = 8
const NEVER = Number.POSITIVE_INFINITY

export class LinkOutput {
  readonly #owner: Pick<LinkOwner, 'close'>
  readonly #events: PipeEvents
  readonly #streams: PipeStreams
  readonly #log: SentLog
  /** Bytes that are kept at most before bodies stop. */
  readonly #most: number
  #link: PipeLink | undefined
  #isAwake = false
  #isUpdateFull = false
  #pings = 0
  #pinged = 0
  /** From when on a measurement of the round trip is worth a ping. */
  #measureAt = 0
  /** Said again on every link. */
  #farewell: { readonly fault: Fault; readonly retryAfter: number } | undefined
  #trimAt = NEVER

  constructor(
    owner: Pick<LinkOwner, 'close'>,
    events: PipeEvents,
    streams: PipeStreams,
    most: number,
  ) {
    this.#owner = owner
    this.#events = events
    this.#streams = streams
    this.#log = streams.log
    this.#most = most
  }

  /** The newest link, until it is cut. */
  get link(): PipeLink | undefined {
    return this.#link
  }

  get state(): LinkState {
    return this.#link?.state ?? 'closed'
  }

  /** Whether `flush` would have something to write, given room. */
  get pending(): boolean {
    const link = this.#link
    if (link === undefined) return false
    if (link.control.length > 0) return true
    return link.state === 'live' && (this.#log.unsent > 0 || this.#streams.bodies.waits)
  }

  /** When memory may be given back. */
  get due(): number {
    return this.#trimAt
  }

  /** Whether this end has said that it takes no new streams. */
  get isLeaving(): boolean {
    return this.#farewell !== undefined
  }

  /** A link begins, with this SESSION. */
  begin(link: PipeLink, session: Uint8Array, now: number): void {
    this.cut()
    this.#link = link
    // the greeting tells a dialler something, though it took time for more than the way
    this.#pinged = this.#measureAt = now
    this.#isAwake = false
    link.control.add(FrameType.session, session)
  }

  /** The two ends have met on the link; the peer has processed so many frames, and gets the others. */
  live(received: number): void {
    ;(this.#link as PipeLink).state = 'live'
    this.#log.rewind(received)
    const farewell = this.#farewell
    if (farewell !== undefined) this.goaway(farewell.fault, false, farewell.retryAfter)
    this.wake()
  }

  /** The link is gone, and what was only for it. */
  cut(): void {
    if (this.#link !== undefined) this.#link.state = 'closed'
    this.#link = undefined
  }

  /** The session is over: what is left is to be flushed and nothing follows. */
  end(): void {
    if (this.#link !== undefined) this.#link.state = 'closed'
    this.#trimAt = NEVER
  }

  /** Tells the user that there is something to flush. */
  wake(): void {
    if (this.#log.kept > this.#most + MARGIN) this.#owner.close(REPLAY_FULL)
    if (this.#isAwake || this.#link === undefined) return
    this.#isAwake = true
    this.#events.output()
  }

  /** Writes to the link, and a little more than `room` bytes of what is numbered. @returns how many. */
  flush({ control, state }: PipeLink, room: number, sink: PipeSink): number {
    this.#isAwake = false
    let given = control.length
    if (given > 0) sink.write(control.take())
    if (state !== 'live') return given
    const log = this.#log
    this.#streams.bodies.pump(room - given - log.unsent)
    while (given < room || log.broken) {
      const piece = log.take()
      if (piece === undefined) break
      given += piece.length
      sink.write(piece)
    }
    if (this.#isUpdateFull && this.#hasUpdateRoom) {
      this.#isUpdateFull = false
      this.#events.writable()
    }
    return given
  }

  /** Behind an update. @returns whether there is room for another; if not, `writable` follows. */
  hasRoom(): boolean {
    this.#isUpdateFull ||= !this.#hasUpdateRoom
    return !this.#isUpdateFull
  }

  get #hasUpdateRoom(): boolean {
    return this.#log.unsent < ENOUGH && this.#log.kept < this.#most
  }

  /** The peer has processed all frames up to `number`. */
  acknowledged(number: number, now: number): Fault | undefined {
    const log = this.#log
    // of no safe integer this holds as well
    if (number > log.handed) return ACK_INVALID
    const wasFull = log.kept >= this.#most
    log.acknowledge(number)
    if (log.kept === 0) this.#trimAt = now + IDLE_MS
    if (wasFull && (this.pending || this.#isUpdateFull)) this.wake()
    return undefined
  }

  /** Gives memory back that only waits for more to come. */
  trim(now: number): void {
    if (now < this.#trimAt) return
    this.#log.trim()
    this.#trimAt = NEVER
  }

  /** Without a wake: of a flush. */
  acknowledge(number: number): void {
    this.#link?.control.add(FrameType.ack, wide(number))
  }

  /** Pings, if the last time was long ago. */
  measure(now: number): void {
    if (this.state === 'live' && now >= this.#measureAt) this.ping(now)
  }

  ping(now: number): void {
    this.#pinged = now
    this.#measureAt = now + MEASURE_MS
    this.#tell(FrameType.ping, wide(++this.#pings))
  }

  pong(payload: Uint8Array): void {
    this.#tell(FrameType.ping | END_FLAG, payload)
  }

  /** Milliseconds since the ping that this answers, or the greeting; undefined if it is not the last. */
  roundTrip(now: number, payload?: Uint8Array): number | undefined {
    if (payload !== undefined && readWide(payload) !== this.#pings) return undefined
    return now - this.#pinged
  }

  /** Says on this link and all that follow that no new streams are taken. */
  leave(fault: Fault, retryAfter: number): void {
    this.#farewell = { fault, retryAfter }
    if (this.state === 'live') this.goaway(fault, false, retryAfter)
  }

  goaway({ code, detail }: Fault, ends: boolean, retryAfter: number): void {
    const { last } = this.#streams.table
    this.#tell(FrameType.goaway, writeGoaway({ last, code, detail, ends, retryAfter }))
  }

  #tell(type: number, payload: Uint8Array): void {
    this.#link?.control.add(type, payload)
    this.wake()
  }
}

function wide(value: number): Uint8Array {
  const bytes = new Uint8Array(WORD)
  writeWide(bytes, 0, value)
  return bytes
}
