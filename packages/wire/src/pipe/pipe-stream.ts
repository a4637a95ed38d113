/**
 * One stream: a request and its answer, or two bodies at once. What is done with it stands in `PipeSession`; this is what a
 * session remembers of it, and what its user may look at.
 *
 *     remote state   HEADERS       DATA       TRAILERS   CREDIT   RESET
 *     head           head          wrong      wrong      credit   over
 *     body           wrong         body       end        credit   over
 *     ended          wrong         wrong      wrong      credit   over
 *     dropped        -             -          over       -        over
 *
 * `END` on HEADERS and DATA ends the remote side as TRAILERS do. What is wrong resets the stream. A stream that this end
 * has reset is `dropped` until the peer's last frame. The local side has the states head, body and ended, and is a mistake of the
 * caller where the table says wrong. A stream is closed when both sides have ended, or it is over.
 */
import type { ReceiveWindow } from './receive-window.ts'
import type { Ring } from './ring.ts'
import type { FieldList } from './stream-head.ts'

/** How far one side of a stream has come. */
export const Side = { head: 0, body: 1, ended: 2, dropped: 3 } as const
export type Side = (typeof Side)[keyof typeof Side]

/** What is done with a frame: a column of the table above, by the remote side. */
export type StreamStep = 'head' | 'body' | 'end' | 'wrong' | 'skip' | 'over'
type Row = readonly [head: StreamStep, body: StreamStep, ended: StreamStep, dropped: StreamStep]

export const HEADERS_ROW: Row = ['head', 'wrong', 'wrong', 'skip']
export const DATA_ROW: Row = ['wrong', 'body', 'wrong', 'skip']
export const TRAILERS_ROW: Row = ['wrong', 'end', 'wrong', 'over']

/** What a stream is in the words of the specification. */
export type StreamState = 'open' | 'half-closed (local)' | 'half-closed (remote)' | 'closed'

export class PipeStream {
  /** Odd if the dialler opened it, even if the listener did. */
  readonly id: number
  /** Whether this end opened it. */
  readonly own: boolean
  /** For whoever uses the stream: anything that belongs to it. */
  data: unknown = undefined

  /** @internal what follows belongs to the session. */
  remote: Side
  local: Side
  /** Its HEADERS have this number, if this end opened it. */
  opened = 0
  /** Reset by either end, or lost with the session. */
  over = false
  /** Interim heads so far. */
  interim = 0
  /** Where sending may go, and is. */
  credit: number
  sent = 0
  /** What waits for credit or room. */
  waiting: Ring<Uint8Array> | undefined = undefined
  /** Bytes of it, and how many of its first item are gone. */
  queued = 0
  offset = 0
  /** The end follows what waits, with these trailers. */
  ending = false
  trailers: FieldList | undefined = undefined
  /** Stands in the round of those that may send. */
  inRound = false
  /** `send` said that it is enough for now. */
  full = false
  /** None before the first DATA. */
  window: ReceiveWindow | undefined = undefined
  /** Nothing that was received is held any more: the rest was given up. */
  released = false

  /** @param credit what may be sent before CREDIT comes. */
  constructor(id: number, own: boolean, credit: number) {
    this.id = id
    this.own = own
    this.credit = credit
    this.remote = own ? Side.head : Side.body
    this.local = own ? Side.body : Side.head
  }

  get state(): StreamState {
    const isRemoteOver = this.remote >= Side.ended
    if (this.local === Side.ended) return isRemoteOver ? 'closed' : 'half-closed (local)'
    return isRemoteOver ? 'half-closed (remote)' : 'open'
  }

  /** Bytes that were sent and wait here. */
  get backlog(): number {
    return this.queued
  }

  /** Bytes that came and were not taken. */
  get untaken(): number {
    return this.window === undefined ? 0 : this.window.received - this.window.taken
  }
}
