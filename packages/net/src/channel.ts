/**
 * The inside of a connection: between its link below and its application above, from the first byte to the last.
 * Invariant: what one turn of the event loop sends leaves in one write; after `finish` nothing is delivered and all
 * that was sent before still leaves; `closed` is told once at most, and never from inside another call.
 */
import type { Fault } from '@sapwood/core'
import type { Application } from './application.ts'
import { Connection } from './connection.ts'
import { STATES, type State, type StateEvent } from './connection-state.ts'
import { Deadlines, type Overdue } from './deadlines.ts'
import { Delivery, type Flow } from './delivery.ts'
import { applicationFault, CONNECTION_LOST, linkFault, QUEUE_FULL } from './faults.ts'
import { type Flushable, flushLater } from './flush-queue.ts'
import { FrameSource } from './frame-source.ts'
import { type Guard, GuardedApplication } from './guarded-application.ts'
import type { Link, LinkOwner } from './link.ts'
import { Outgoing } from './outgoing.ts'
import type { Tracker } from './tracker.ts'

export class Channel implements LinkOwner, Flushable, Overdue, Flow, Guard {
  readonly connection: Connection
  readonly tracker: Tracker
  readonly datagrams: boolean
  readonly source: FrameSource
  readonly outgoing: Outgoing
  readonly delivery: Delivery
  readonly upper: GuardedApplication
  link: Link
  readonly #deadlines: Deadlines
  #state: State = STATES.open
  /** The link tells what happens. */
  #begun = false
  #held = false
  #scheduled = false
  #left = false

  constructor(tracker: Tracker, link: Link, side: 'server' | 'client', host?: string) {
    this.tracker = tracker
    this.link = link
    this.datagrams = tracker.datagrams
    this.#deadlines = new Deadlines(tracker.wheel, tracker.limits, this)
    this.source = new FrameSource(tracker.framer, tracker.datagrams)
    this.outgoing = new Outgoing(link, tracker.framer, tracker.counters, this.#deadlines)
    this.upper = new GuardedApplication(this, tracker.counters)
    this.delivery = new Delivery(this.source, this.upper, this, this.#deadlines)
    this.connection = new Connection(this, side, host)
  }

  get state(): State {
    return this.#state
  }

  get open(): boolean {
    return this.#state.queues
  }

  get delivers(): boolean {
    return this.#state.delivers && this.upper.current !== undefined
  }

  get waiting(): number {
    return this.outgoing.waiting
  }

  /** The application or the framer is another: what waits may be delivered now. */
  changed(): void {
    if (this.#begun && !this.delivery.running) this.schedule()
  }

  /** Begins to read. Called once, by those who track it. */
  start(application: Application): void {
    this.upper.current = application
    if (this.#state === STATES.open) this.#begin()
  }

  send(frame: unknown): boolean {
    if (!this.#state.queues) return false
    if (this.datagrams) return this.outgoing.datagram(frame)
    const { waiting } = this.outgoing
    const { queue } = this.tracker.limits
    if (queue > 0 && waiting >= queue) {
      this.cut(QUEUE_FULL)
      return false
    }
    const room = this.outgoing.push(frame, waiting)
    // who does not take answers has to wait with questions; but two ends that send of their own accord must not wait
    // for each other
    if (!room && this.delivery.busy) this.delivery.held = true
    if (!this.delivery.running) this.schedule()
    return room
  }

  flush(): void {
    this.#scheduled = false
    this.#write()
    const { outgoing } = this
    if (outgoing.full && this.open && outgoing.room > 0) {
      outgoing.full = this.delivery.held = false
      this.upper.drained()
      if (outgoing.queued > 0) this.schedule()
    }
    if (this.#begun) this.delivery.run()
  }

  /** Ends it in good order. `closed` is told unless there is no reason. */
  finish(reason?: Fault | null): void {
    this.move('finish', reason)
  }

  /** Ends it now. */
  cut(reason?: Fault): void {
    this.move('cut', reason)
  }

  /** Goes on with another link, which is around the one before. */
  use(link: Link): void {
    this.link = this.outgoing.link = link
    this.#held = false
    if (!this.#begun) return
    link.open(this)
    this.schedule()
  }

  /** Takes the way that the table of states has for `event`. False if there is none. */
  move(event: StateEvent, reason?: Fault | null): boolean {
    const from = this.#state
    const next = from.next[event]
    if (next === undefined) return false
    if (reason !== undefined) this.upper.closed(reason)
    this.#state = STATES[next]
    if (next === 'closing') this.#close()
    else if (next === 'closed') this.#destroy(from)
    return true
  }

  arrived(bytes: Uint8Array): void {
    this.tracker.counters.bytesReceived += bytes.length
    if (!this.open) return
    this.#deadlines.active()
    this.source.push(bytes)
    this.delivery.run()
  }

  emptied(): void {
    if (this.outgoing.emptied()) this.flush()
  }

  finished(): void {
    this.source.end()
    this.delivery.run()
  }

  failed(reason: Error | Fault): void {
    this.cut(linkFault(reason))
  }

  gone(): void {
    if (this.#left) return
    this.#left = true
    this.cut(CONNECTION_LOST)
    this.#deadlines.stop()
    this.outgoing.clear()
    this.tracker.gone(this)
  }

  overdue(fault: Fault): void {
    // nobody is told of what happens behind a close, but it counts
    if (!this.open) this.tracker.counters.fault(fault.code)
    this.cut(fault)
  }

  threw(thrown: unknown): void {
    this.tracker.thrown(thrown)
    this.finish(applicationFault(thrown))
  }

  threwAtLast(thrown: unknown): void {
    this.tracker.thrown(thrown)
  }

  delivered(frames: number): void {
    this.tracker.counters.framesReceived += frames
    if (this.outgoing.queued > 0) this.flush()
  }

  ended(): void {
    if (!this.upper.ended()) this.finish(null)
  }

  hold(): void {
    if (this.#held || !this.#begun || this.#state !== STATES.open) return
    this.#held = true
    this.link.pause()
  }

  release(): void {
    if (!this.#held) return
    this.#held = false
    this.link.resume()
  }

  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    flushLater(this)
  }

  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.link.open(this)
  }

  #write(): void {
    if (this.#state.writes) this.outgoing.write(this.#state === STATES.closing)
  }

  #close(): void {
    this.tracker.closing(this)
    this.source.clear()
    // an acceptor may close what it has not begun to read
    this.#begin()
    this.release()
    if (this.delivery.running) this.schedule()
    else this.#write()
  }

  #destroy(from: State): void {
    this.tracker.closing(this)
    this.outgoing.clear()
    this.link.destroy()
    // nobody listens to a link that has not begun, or is being wrapped
    if (!this.#begun || from === STATES.wrapping) this.gone()
  }
}
