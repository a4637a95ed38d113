/**
 * The sessions of a hub: by the secret that resumes them, and counted by address.
 * Invariant: a secret leads to one session; after a rotation the former secret works too, until the client has
 * used the new connection.
 */
import type { Fault } from '@sapwood/core'
import type { Session } from './session.ts'

export interface SessionLimits {
  readonly sessions: number
  readonly sessionsPerAddress: number
}

export class Sessions {
  readonly #limits: SessionLimits
  readonly #secret: () => string
  readonly #bySecret = new Map<string, Session>()
  readonly #former = new Map<Session, string>()
  readonly #all = new Set<Session>()
  readonly #byAddress = new Map<string, number>()

  /** @param secret makes a new secret. */
  constructor(limits: SessionLimits, secret: () => string) {
    this.#limits = limits
    this.#secret = secret
  }

  get size(): number {
    return this.#all.size
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#all.values()
  }

  /** @param holder what is known of who came with the secret, by proof and not by word. */
  find(secret: string, holder?: string): Session | undefined {
    const session = this.#bySecret.get(secret)
    return session?.holder === holder ? session : undefined
  }

  /** Why no session can be opened from `address`, or undefined if one can. */
  full(address: string): Fault | undefined {
    const { sessions, sessionsPerAddress } = this.#limits
    if (sessions > 0 && this.#all.size >= sessions) {
      const detail = `this hub serves ${sessions} clients; come back later`
      return { code: 'LIMIT_SESSIONS', detail, status: 503 }
    }
    const count = this.#byAddress.get(address) ?? 0
    if (sessionsPerAddress > 0 && count >= sessionsPerAddress) {
      const detail = `this hub serves ${sessionsPerAddress} clients of one address; come back later`
      return { code: 'LIMIT_SESSIONS_PER_ADDRESS', detail, status: 503 }
    }
    return undefined
  }

  add(session: Session): void {
    this.#all.add(session)
    this.#bySecret.set(session.secret, session)
    if (this.#limits.sessionsPerAddress > 0) this.#count(session.address, 1)
  }

  remove(session: Session): void {
    if (!this.#all.delete(session)) return
    this.#bySecret.delete(session.secret)
    this.forgetFormer(session)
    if (this.#limits.sessionsPerAddress > 0) this.#count(session.address, -1)
  }

  /**
   * Gives a session a new secret. The one that its client came with works until `forgetFormer`: should the client
   * never hear of the new one, it comes with that again.
   * @param presented the secret that the client came with.
   */
  rotate(session: Session, presented: string): void {
    const former = this.#former.get(session)
    for (const secret of [former, session.secret]) {
      if (secret !== undefined && secret !== presented) this.#bySecret.delete(secret)
    }
    this.#former.set(session, presented)
    session.secret = this.#secret()
    this.#bySecret.set(session.secret, session)
  }

  forgetFormer(session: Session): void {
    const former = this.#former.get(session)
    if (former === undefined) return
    this.#former.delete(session)
    this.#bySecret.delete(former)
  }

  #count(address: string, change: number): void {
    const count = (this.#byAddress.get(address) ?? 0) + change
    if (count > 0) this.#byAddress.set(address, count)
    else this.#byAddress.delete(address)
  }
}
