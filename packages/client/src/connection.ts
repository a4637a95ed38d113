/**
 * Keeps one link to the hub: opens it, falls back to other transports and comes back to better ones, and tries
 * again with full jitter when it is lost. It does what `connection-table.ts` says; what is spoken over the link is
 * its owner's.
 * Invariant: at most one link has the session; once another was greeted, nothing of the former is heard.
 */
import { Backoff, type Clock } from '@sapwood/core'
import { Attempt, type AttemptOwner } from './attempt.ts'
import { withBye } from './closing.ts'
import {
  CONNECTION_TABLE,
  type ConnectionAction,
  type ConnectionEvent,
  type ConnectionState,
} from './connection-table.ts'
import { type Frame, type Values, valuesOf } from './frame.ts'
import { Ladder, STABLE } from './ladder.ts'
import type { Closing, Greeting, Transport } from './transport.ts'

export interface ConnectionDeps {
  readonly clock: Clock
  readonly random: () => number
  /** The best one first; at least one. */
  readonly transports: readonly Transport[]
  /** Milliseconds until a hello is given up. */
  readonly helloTimeout: number
  /** Calls back when the network is there again. Returns its undo. */
  readonly onOnline?: ((run: () => void) => () => void) | undefined
}

export interface ConnectionOwner {
  /** What is to be said first. */
  greet(): Greeting
  /** The hub said hello. */
  greeted(hello: Values): void
  /** A frame came that is no hello. */
  heard(frame: Frame): void
  /** A link is being opened, and no other is there. */
  connecting(): void
  /** The link is lost. @param retryIn milliseconds until the next attempt; none if the hub wants no other. */
  lost(closing: Closing, retryIn?: number): void
}

/** How long the hub may be silent, where it promised nothing, in milliseconds. */
const HEARTBEAT = 25_000
/** How long it may be silent beyond its promise. */
const GRACE = 10_000
/** The least delay after the hub said that it is not to be had for a while. */
const LATER = 1_000

export class Connection implements AttemptOwner {
  readonly #owner: ConnectionOwner
  readonly #deps: ConnectionDeps
  readonly #ladder: Ladder
  readonly #backoff: Backoff
  readonly #stopOnline: (() => void) | undefined
  #state: ConnectionState = 'disconnected'
  #current: Attempt | undefined
  #probe: Attempt | undefined
  #stopTimer: (() => void) | undefined
  #bye: Values = {}
  #ended: Promise<unknown> | undefined

  constructor(owner: ConnectionOwner, deps: ConnectionDeps) {
    this.#owner = owner
    this.#deps = deps
    this.#ladder = new Ladder(deps.transports.length)
    this.#backoff = new Backoff({ first: 500, random: deps.random })
    this.#stopOnline = deps.onOnline?.(() => this.#step('due'))
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** What carries it, once the hub said hello. */
  get transport(): Transport | undefined {
    const current = this.#current
    return current?.greeted ? this.#deps.transports[current.rung] : undefined
  }

  start(): void {
    this.#step('due')
  }

  send(frames: readonly string[]): void {
    this.#current?.send(frames)
  }

  /** Ends it, and the session at the hub with it; resolves when no handle is left. */
  async close(): Promise<void> {
    this.#step('end')
    await this.#ended
  }

  // what attempts tell

  greet(attempt: Attempt): Greeting {
    if (attempt === this.#probe) this.#step('taken')
    return this.#owner.greet()
  }

  heard(frame: Frame): void {
    if (frame.path === '::hello') this.#step('hello', valuesOf(frame))
    else if (frame.path === '::bye') this.#bye = valuesOf(frame)
    else this.#owner.heard(frame)
  }

  ended(attempt: Attempt, closing: Closing): void {
    if (attempt === this.#probe) {
      this.#probe = undefined
      this.#planProbe()
    } else if (attempt === this.#current) {
      const told = withBye(closing, this.#bye)
      this.#step(told.comeBack === 'never' ? 'end' : 'lost', {}, told)
    }
  }

  #step(event: ConnectionEvent, hello: Values = {}, closing?: Closing): void {
    const next = CONNECTION_TABLE[this.#state][event]
    if (next === undefined) return
    const [state, action] = next
    this.#state = state
    this.#actions[action](hello, closing)
  }

  readonly #actions: Readonly<
    Record<ConnectionAction, (hello: Values, closing?: Closing) => void>
  > = {
    dial: () => {
      this.#wait()
      this.#current = this.#open(this.#ladder.rung)
      this.#owner.connecting()
    },

    settle: (hello) => {
      const current = this.#current as Attempt
      current.settle((Number(hello.heartbeat) || HEARTBEAT) + GRACE)
      this.#ladder.reached(current.rung)
      this.#planProbe()
      this.#owner.greeted(hello)
    },

    takeOver: () => {
      void this.#current?.abandon(false)
      this.#current = this.#probe
      this.#probe = undefined
      this.#bye = {}
    },

    retreat: (_, closing) => {
      const { lived } = this.#current as Attempt
      this.#drop(false)
      if (lived >= STABLE) this.#backoff.reset()
      const retryIn = this.#ladder.failed(lived) ? 0 : this.#delay(closing as Closing)
      this.#wait(retryIn, () => this.#step('due'))
      this.#owner.lost(closing as Closing, retryIn)
    },

    finish: (_, closing) => {
      this.#stopOnline?.()
      this.#drop(true)
      if (closing !== undefined) this.#owner.lost(closing)
    },
  }

  #delay({ comeBack, retryAfter = 0 }: Closing): number {
    const isFirst = this.#backoff.attempts === 0
    const delay = this.#backoff.next(Math.max(retryAfter, comeBack === 'later' ? LATER : 0))
    return comeBack === 'now' && isFirst ? 0 : delay
  }

  #open(rung: number): Attempt {
    const { transports, clock, helloTimeout } = this.#deps
    return new Attempt(this, transports[rung] as Transport, rung, clock, helloTimeout)
  }

  /** Below the best transport: has a better one tried in a while. */
  #planProbe(): void {
    this.#wait(this.#ladder.probeDelay, () => {
      this.#probe = this.#open(this.#ladder.probe())
    })
  }

  #drop(forGood: boolean): void {
    this.#wait()
    this.#ended = Promise.all([this.#current?.abandon(forGood), this.#probe?.abandon(false)])
    this.#current = this.#probe = undefined
    this.#bye = {}
  }

  /** Runs `run` after `ms` milliseconds instead of what was to be run before; nothing without. */
  #wait(ms?: number, run: () => void = () => undefined): void {
    this.#stopTimer?.()
    this.#stopTimer = ms === undefined ? undefined : this.#deps.clock.after(ms, run)
  }
}
