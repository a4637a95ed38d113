/**
 * The port behind history and fan-out: take an update, give it its place, deliver it in order, read what came
 * after a cursor. One process uses the memory engine; other engines carry updates between machines.
 * Invariant: offsets grow by one per retained update, deliveries leave in the order of offsets, and whatever a
 * read cannot give back any more it names as lost.
 */
import type { Component, Fault, Message, Update } from '@sapwood/core'

/** What an engine calls. It may do so in the call that caused it, or later. */
export interface EngineEvents {
  /** An update has its place. Called once for each, in the order of offsets. */
  readonly deliver: (sender: Component, update: Update) => void
  /** An update could not be taken. */
  readonly refused: (sender: Component, message: Message, fault: Fault) => void
}

/** One pattern that a reader follows, from its own point on. */
export interface Interest {
  readonly pattern: string
  /** What is wanted has a higher offset. */
  readonly since: number
}

export interface ReadRequest {
  readonly interests: readonly Interest[]
  /** Everything wanted has a higher offset than this, whatever the interests say. */
  readonly after: number
  /** Stop after so many bytes; at least one update is given. */
  readonly bytes: number
}

export interface ReadResult {
  /** In the order of offsets, each once however many interests match it. */
  readonly updates: readonly Update[]
  /** All that was wanted up to this offset is in `updates`, or is lost. */
  readonly until: number
  /** How many there are up to the head, those in `updates` included. */
  readonly count: number
  /** The patterns of which something wanted may be gone. */
  readonly lost: readonly string[]
}

export interface Engine {
  /** 16 hex digits, new whenever offsets start again. */
  readonly epoch: string
  /** The highest offset given so far. */
  readonly head: number
  /** A cursor below this one may have lost something of any pattern. */
  readonly oldest: number
  /** How many updates are retained. */
  readonly count: number
  /** How many bytes they count. */
  readonly bytes: number

  /** Told once, before anything is appended. */
  open(events: EngineEvents): void
  append(sender: Component, path: string, message: Message): void
  /** Reads what came after a cursor and calls `done` once. */
  read(request: ReadRequest, done: (result: ReadResult) => void): void
  close(): void
}
