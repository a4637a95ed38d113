/**
 * The application at the end of a connection, as the connection calls it.
 * Invariant: what it throws ends its own connection and nothing else; `ended` and `closed` are called once at most,
 * `closed` never from inside another call, nor after the application's own end of the connection (TN-10).
 */
import type { Fault } from '@sapwood/core'
import type { FramingFault } from '@sapwood/wire'
import type { Application } from './application.ts'
import type { Connection } from './connection.ts'
import type { NetCounters } from './counters.ts'

/** Hears what an application throws. */
export interface Guard {
  readonly connection: Connection
  /** The connection goes on, so it is to be ended. */
  threw(thrown: unknown): void
  /** The connection is over already. */
  threwAtLast(thrown: unknown): void
}

export class GuardedApplication {
  current: Application | undefined
  readonly #guard: Guard
  readonly #counters: NetCounters
  #endTold = false
  #told = false

  constructor(guard: Guard, counters: NetCounters) {
    this.#guard = guard
    this.#counters = counters
  }

  /** @throws what it throws: the caller delivers many, and guards them as one. */
  received(frame: unknown): unknown {
    return this.current?.received(frame, this.#guard.connection)
  }

  /** @throws what it throws. */
  misframed(fault: FramingFault): void {
    // why a connection ends is counted with its end
    if (!fault.final) this.#counters.fault(fault.code)
    if (!fault.quiet) this.current?.misframed?.(fault, this.#guard.connection)
  }

  drained(): void {
    this.#call('drained')
  }

  /** False if it does not want to know. */
  ended(): boolean {
    if (this.current?.ended === undefined) return false
    if (this.#endTold) return true
    this.#endTold = true
    this.#call('ended')
    return true
  }

  /** It ends the connection itself, and hears nothing of it. */
  hush(): void {
    this.#told = true
  }

  closed(reason: Fault | null): void {
    if (this.#told) return
    this.#told = true
    if (reason !== null) this.#counters.fault(reason.code)
    process.nextTick(tellClosed, this, reason)
  }

  /** Tells it now. */
  tellClosed(reason: Fault | null): void {
    try {
      this.current?.closed?.(reason, this.#guard.connection)
    } catch (thrown) {
      this.#guard.threwAtLast(thrown)
    }
  }

  #call(name: 'drained' | 'ended'): void {
    try {
      this.current?.[name]?.(this.#guard.connection)
    } catch (thrown) {
      this.#guard.threw(thrown)
    }
  }
}

function tellClosed(application: GuardedApplication, reason: Fault | null): void {
  application.tellClosed(reason)
}
