/**
 * What a session waits for, on one timer: acknowledgements that are due, signs of life, the end of a certificate, another
 * link.
 *
 *     state      waits for
 *     greeting   the peer's answer, `handshake` long
 *     live       signs of life; the time to see to the peer's certificate
 *     held       another link, `hold` long
 *     over       nothing
 *
 * Invariant: the timer is pending in every state but the last, and due no later than the earliest of all.
 */
import type { Fault, Timed, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { PipeSession } from '@sapwood/wire'
import { GREETING_TIMEOUT, HEARTBEAT_LOST, SESSION_EXPIRED } from './peer-faults.ts'
import type { PeerObserver } from './peer-observer.ts'
import type { PeerSettings } from './peer-settings.ts'

/** Whose life it is. */
export interface Living {
  readonly name: string
  readonly session: PipeSession
  /** Whether there is a link. */
  readonly linked: boolean
  /** Gives the link up. */
  drop(fault: Fault): void
  close(fault: Fault): void
  /** The certificate on the link has run out. */
  check(): void
  /** It is about to. */
  renew(): void
}

export interface PeerLifeOptions {
  readonly settings: PeerSettings
  readonly observer: PeerObserver
  readonly wheel: Wheel
  /** The wall clock, in milliseconds. */
  readonly wall: () => number
  /** Milliseconds before the end of a certificate at which another one is looked for; 0 for never. */
  readonly renewal: number
}

/** A timer as late as this tells of this process, not of the peer. */
const STALL = 1_000
/** What lasts no longer is not renewed any more. */
const LAST = 5_000
/** So much sooner than the listener a dialler asks: one end's pings do for both. */
const EAGERNESS = 0.95

export class PeerLife implements Timed {
  readonly #living: Living
  readonly #options: PeerLifeOptions
  readonly #timer: Timer = new Timer(this)
  /** Milliseconds of silence after which a sign of life is asked for. */
  readonly #heartbeat: number
  /** When the present state began. */
  #since: number
  /** When a sign of life was asked for; 0 if none is awaited. */
  #pinged = 0
  /** By the wall clock: when the certificate runs out, and when it is to be seen to. */
  #validUntil = Number.POSITIVE_INFINITY
  #lookAt = Number.POSITIVE_INFINITY

  constructor(living: Living, options: PeerLifeOptions) {
    this.#living = living
    this.#options = options
    this.#since = options.wheel.now()
    const { heartbeat } = options.settings
    this.#heartbeat = living.session.side === 'dialler' ? heartbeat * EAGERNESS : heartbeat
  }

  /** Another state has begun. */
  begin(): void {
    this.#since = this.#options.wheel.now()
    this.#pinged = 0
    this.#wait()
  }

  /** The certificate on the link. @param validUntil by the wall clock. */
  shown(validUntil: number): void {
    const { wall, renewal } = this.#options
    const left = validUntil - wall()
    this.#validUntil = left > 0 ? validUntil : Number.POSITIVE_INFINITY
    // half of what is left where that is less: a short life is no reason to dial without end
    const ahead = left > LAST ? Math.min(renewal, left / 2) : 0
    this.#lookAt = this.#validUntil - ahead
  }

  /** Something came: any of it is a sign of life. */
  heard(): void {
    const { session } = this.#living
    if (this.#pinged > 0 && session.state === 'live') {
      this.#pinged = 0
      this.#options.observer.heartbeat?.(session.roundTrip)
      this.#wait()
    } else {
      this.moved()
    }
  }

  /** The session may be due earlier than it was. */
  moved(): void {
    if (this.#living.session.due < this.#timer.at) this.#wait()
  }

  end(): void {
    this.#options.wheel.clear(this.#timer)
  }

  expired(): void {
    const { settings, wheel } = this.#options
    const { session, linked } = this.#living
    const now = wheel.now()
    session.tick(now)
    if (!linked) {
      if (now - this.#since >= settings.hold) this.#living.close(SESSION_EXPIRED)
    } else if (session.state === 'greeting') {
      if (now - this.#since >= settings.handshake) this.#living.drop(GREETING_TIMEOUT)
    } else {
      this.#look()
      if (!session.over) this.#listen(now)
    }
    if (!session.over) this.#wait()
  }

  /** Is it time to see to the certificate? */
  #look(): void {
    const { wall } = this.#options
    if (wall() >= this.#validUntil) this.#living.check()
    else if (wall() >= this.#lookAt) {
      this.#lookAt = this.#validUntil
      this.#living.renew()
    }
  }

  /** Is the peer still there? */
  #listen(now: number): void {
    const { settings, observer } = this.#options
    const { session, name } = this.#living
    // after a stand-still of this process what the peer has said may wait to be read
    const isStalled = now - this.#timer.at > STALL
    const isQuiet = this.#pinged === 0 && now - session.heard >= this.#heartbeat
    if (isQuiet || (this.#pinged > 0 && isStalled)) {
      this.#pinged = now
      session.ping(now)
    } else if (this.#pinged > 0 && now - this.#pinged >= settings.heartbeatTimeout) {
      observer.heartbeatMissed?.(name)
      this.#living.drop(HEARTBEAT_LOST)
    }
  }

  /** Sets the timer to what is due next. */
  #wait(): void {
    const { wheel } = this.#options
    const now = wheel.now()
    wheel.set(this.#timer, this.#due(now) - now)
  }

  #due(now: number): number {
    const { settings, wall } = this.#options
    const { session, linked } = this.#living
    if (!linked) return Math.min(session.due, this.#since + settings.hold)
    if (session.state === 'greeting') return this.#since + settings.handshake
    const sign =
      this.#pinged > 0 ? this.#pinged + settings.heartbeatTimeout : session.heard + this.#heartbeat
    const look = now + Math.max(0, this.#lookAt - wall()) + 1
    return Math.min(session.due, sign, look)
  }
}
