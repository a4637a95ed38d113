/**
 * What a process of the pipe counts (RP-41): plain numbers, read when somebody scrapes and when the statsd tap looks.
 * Invariant: all but the gauges only grow, and peers cannot make names of handlers, or codes, without bound.
 */
import { countFault } from '@sapwood/core'

/** How often something took how long. */
export class Timing {
  count = 0
  /** Milliseconds of all together. */
  total = 0

  add(milliseconds: number): void {
    this.count++
    this.total += milliseconds
  }
}

/** Handlers that are counted by name; those beyond share `OTHERS`. */
const HANDLERS_MOST = 256
const OTHERS = 'others'

export class PipeCounters {
  /** Attempts to connect. */
  connects = 0
  /** Attempts that led to a link. */
  connected = 0
  /** Links that broke. */
  broken = 0
  /** Heartbeats that were answered, and those that were not in time. */
  heartbeats = 0
  heartbeatsMissed = 0
  /** Requests to peers, and of peers. */
  sent = 0
  received = 0
  /** Sessions that went on on another link. */
  resumed = 0
  /** Requests that ended without an answer, either way. */
  failed = 0
  /** Whoever joined by an invitation, and whoever did not. */
  joined = 0
  joinsRefused = 0
  /** Gauge: peers that are connected now. */
  peers = 0
  readonly connecting: Timing = new Timing()
  readonly heartbeat: Timing = new Timing()
  /** From a request to the end of its answer. */
  readonly sending: Timing = new Timing()
  /** From a peer's request to the end of the answer. */
  readonly handling: Timing = new Timing()
  /** The same by handler, such as `get_time`. */
  readonly handlers: Map<string, Timing> = new Map()
  /** What went wrong, by code. */
  readonly faults: Map<string, number> = new Map()

  /** Counts a handled request under its handler's name. */
  handled(name: string, milliseconds: number): void {
    this.handling.add(milliseconds)
    let timing = this.handlers.get(name)
    if (timing === undefined) {
      const known = this.handlers.size < HANDLERS_MOST ? name : OTHERS
      timing = this.handlers.get(known) ?? new Timing()
      this.handlers.set(known, timing)
    }
    timing.add(milliseconds)
  }

  /** Counts what went wrong, also by codes that a peer has chosen. */
  fault(code: string): void {
    countFault(this.faults, code)
  }
}
