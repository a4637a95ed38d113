/**
 * What the hub counts: plain numbers that the hot path adds to, read when somebody scrapes.
 * Invariant: counters only grow.
 */
import { countFault } from '@sapwood/core'

export class Counters {
  /** Updates that came in, whoever sent them. */
  updates = 0
  /** Updates handed to sessions' transports. */
  deliveries = 0
  /** Repeats of an id within the window. */
  duplicates = 0
  /** Refusals by the gate. */
  refused = 0
  /** Control updates that could not be understood (DB-07, DB-08). */
  ignored = 0
  /** Components that threw. */
  thrown = 0
  /** Updates of a loop of components, dropped at the hop limit. */
  loops = 0
  /** Sessions opened. */
  opened = 0
  /** Sessions taken up again by their secret. */
  resumed = 0
  /** Sessions ended. */
  ended = 0
  /** Gaps told to sessions. */
  gaps = 0
  /** Outboxes that reached their limit. */
  overflows = 0
  /** Questions put to clients or handlers. */
  questions = 0
  /** Peers' mistakes, by code. */
  readonly faults: Map<string, number> = new Map()

  fault(code: string): void {
    countFault(this.faults, code)
  }
}
