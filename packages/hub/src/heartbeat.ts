/**
 * When a quiet client is spoken to, and when it is dead. It must hear something every `interval`; when nothing is
 * heard from it for as long it is asked for a sign of life, and has `timeout` to give one.
 *
 *     probed, heard since      ask again later
 *     probed, nothing heard    dead
 *     full                     probed, whatever it said: its reader may have stopped
 *
 * Invariant: a client whose transport is full or silent is asked once per interval, and found dead after `timeout`.
 */
import type { Downstream } from '@sapwood/core'
import type { SessionSettings } from './session-host.ts'

/** The answer of `beat` for a client that is dead. */
export const DEAD = -1

export class Heartbeat {
  readonly #settings: SessionSettings['heartbeat']
  #sent = 0
  #seen = 0
  #probed = 0

  constructor(settings: SessionSettings['heartbeat']) {
    this.#settings = settings
  }

  /** A transport is there. */
  start(now: number): void {
    this.#sent = this.#seen = now
    this.#probed = 0
  }

  /** Something was sent to the client. */
  sent(now: number): void {
    this.#sent = now
  }

  /** The client gave a sign of life. */
  seen(now: number): void {
    this.#seen = now
  }

  /**
   * Does what is due.
   * @param ping sends the client something to hear.
   * @returns the milliseconds until it is due again, or `DEAD`.
   */
  beat(now: number, downstream: Downstream, ping: () => void): number {
    const { interval, timeout } = this.#settings
    if (this.#probed > 0 && this.#seen < this.#probed) return DEAD
    this.#probed = 0
    const idle = now - this.#sent
    const unheard = now - this.#seen
    const full = downstream.room <= 0
    if (idle >= interval && !full && downstream.pings) ping()
    if ((full || unheard >= interval) && (downstream.probe() || full)) {
      this.#probed = now
      return timeout
    }
    const since = Math.max(idle < interval ? idle : 0, unheard < interval ? unheard : 0)
    return interval - since
  }
}
