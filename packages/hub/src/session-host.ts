/** What a session needs from the hub that it lives in. The hub is the one implementation; tests build their own. */
import type { Component, Message, PathLimits, Question, Wheel } from '@sapwood/core'
import type { Budget } from './budget.ts'
import type { Counters } from './counters.ts'
import type { Engine } from './engine.ts'
import type { Outlet } from './outlet.ts'
import type { Session } from './session.ts'

/** What happens at the limit of an outbox. */
export type Policy = 'catch-up' | 'conflate' | 'drop-oldest' | 'disconnect'

export interface SessionSettings {
  /** Bytes that may wait for one session. */
  readonly outbox: number
  /** Milliseconds that a detached session is kept. */
  readonly expire: number
  readonly heartbeat: {
    /** Milliseconds of silence after which a `::ping` is sent. */
    readonly interval: number
    /** Milliseconds that a client has to show a sign of life when asked. */
    readonly timeout: number
  }
  /** Patterns that one session may hold. */
  readonly patterns: number
  readonly path: PathLimits
}

export interface SessionHost {
  readonly engine: Engine
  readonly wheel: Wheel
  readonly outlet: Outlet
  readonly budget: Budget
  readonly counters: Counters
  readonly settings: SessionSettings
  policyOf(path: string): Policy
  positionOf(offset: number): string
  /** Sends an update into the hub. */
  update(sender: Component, path: string, message: Message): void
  /** Asks; returns what gives up. */
  ask(question: Question, answered: (answer: Message) => void): () => void
  /** A session has a transport. */
  arrived(session: Session): void
  /** A client came back: what it may is looked at again. */
  resumed(session: Session): void
  /** A session is over. */
  ended(session: Session): void
}
