/**
 * What a session of the hub sees of its peer, from one hello to the next.
 * Invariant: nothing is sent behind its end, whoever brought it about.
 */
import type { CarriedSession, Downstream, Farewell, Update } from '@sapwood/core'

/** The peer that it belongs to. */
export interface DownstreamOwner {
  /** Whether it has a link: where it has none, that is for the pipe to see to. */
  readonly linked: boolean
  /** Bytes that it takes now. */
  readonly room: number
  /** @param before the position up to which everything was sent before. */
  send(updates: readonly Update[], before: string): void
  /** The session lets go of it. */
  dismissed(farewell: Farewell): void
}

export class PipeDownstream implements Downstream {
  readonly kind = 'pipe'
  readonly greets = true
  readonly pings = true
  /** Whose it is, once that is known. */
  session: CarriedSession | undefined
  readonly #owner: DownstreamOwner
  #isOver = false
  /** Up to here everything was sent. */
  #at = ''

  constructor(owner: DownstreamOwner) {
    this.#owner = owner
  }

  get room(): number {
    return this.#isOver ? 0 : this.#owner.room
  }

  send(updates: readonly Update[]): void {
    if (this.#isOver) return
    const before = this.#at
    this.#at = updates.at(-1)?.at || before
    this.#owner.send(updates, before)
  }

  /** The pipe asks for signs of life itself, and holds the session while a link is away: full is no sign of death then. */
  probe(): boolean {
    if (!this.#owner.linked) this.session?.seen()
    return false
  }

  close(farewell: Farewell): readonly Update[] {
    if (this.#isOver) return []
    this.#isOver = true
    this.#owner.dismissed(farewell)
    return []
  }

  /** Nothing more is to be said on it. */
  silence(): void {
    this.#isOver = true
  }
}
