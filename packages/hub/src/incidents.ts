/**
 * What goes wrong inside the hub and must not go further: a component or a transport that throws, updates that go in
 * circles. Each is counted and told in the log, and everybody else is served, even if the log throws.
 */
import type { Component } from '@sapwood/core'
import { reasonOf } from '@sapwood/core'
import type { Counters } from './counters.ts'
import type { Session } from './session.ts'
import type { Log } from './settings.ts'

export class Incidents {
  readonly #counters: Counters
  readonly #log: Log

  constructor(counters: Counters, log: Log) {
    this.#counters = counters
    this.#log = log
  }

  /** A component threw when it was given `path`. */
  threw(thrown: unknown, component: Component, path: string): void {
    this.#counters.thrown++
    const reason = reasonOf(thrown)
    const { id } = component
    this.#tell(
      'error',
      { code: 'COMPONENT_THREW', component: id, path, reason },
      'a component threw',
    )
  }

  /** The transport of a session threw instead of sending: the session lets go of it. */
  unsent(thrown: unknown, session: Session): void {
    this.threw(thrown, session, '')
    try {
      session.failed()
    } catch (again) {
      this.threw(again, session, '')
    }
  }

  /** Updates caused each other without end. */
  looped(sender: Component, path: string): void {
    this.#counters.loops++
    this.#tell(
      'warn',
      { code: 'UPDATE_LOOP', sender: sender.id, path },
      'an update went in circles',
    )
  }

  #tell(level: 'error' | 'warn', fields: Record<string, unknown>, text: string): void {
    try {
      this.#log[level](fields, text)
    } catch {
      this.#counters.thrown++
    }
  }
}
