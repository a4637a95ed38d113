/**
 * Calls whose answer waits for somebody else: for who was asked, for who is away, for more of the request.
 * Invariant: each that is here when the server ends is told so, while its connection is still open.
 */
import type { Fault } from '@sapwood/core'
import { fault } from './problem.ts'

export interface UnansweredCall {
  /** The server ends: this is the last moment for an answer. */
  stopped(): void
}

/** Why a request of which a part is missing is not answered as it should be. */
export const STOPPED: Fault = fault(
  'DRAINING',
  'the hub stopped before the request was whole; what is not confirmed was not taken: send it again in a moment',
  503,
)

/** Why nobody new is taken: the hub is about to end. */
export const DRAINING: Fault = fault('DRAINING', 'this hub is stopping; come back in a moment', 503)

/** Why a question that was put to somebody has no answer. */
export const LOST: Fault = fault(
  'CONNECTION_LOST',
  'the hub stopped before the answer came; ask again in a moment',
  502,
)

export class Unanswered {
  readonly #calls = new Set<UnansweredCall>()

  add(call: UnansweredCall): void {
    this.#calls.add(call)
  }

  delete(call: UnansweredCall): void {
    this.#calls.delete(call)
  }

  /** Tells all of them. */
  stop(): void {
    for (const call of [...this.#calls]) call.stopped()
    this.#calls.clear()
  }
}
