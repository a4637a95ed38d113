/**
 * What a follower did besides reading on, and what its client may not have seen yet: patterns joined behind the
 * cursor, or something was told as lost. Between them they say who was given what beyond the cursor, and they can be
 * taken back, since a client that comes back from a position before one of them knows nothing of it.
 * Invariant: a position is told with a step exactly where its offset alone would not say whether the step was before
 * it; at most `MOST` steps are kept, and who comes back from before one that was forgotten is told so.
 */
import { matches } from '@sapwood/core'
import type { GapReason } from './control.ts'

/** Patterns of which something was asked that nobody knows any more, to be told as a gap. */
export interface Unknown {
  /** The position that the client said. */
  readonly text: string
  readonly reason: GapReason
  readonly patterns: Set<string>
}

/** What was given before, as offsets above `from` up to `to`. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** A pattern that is followed from behind the cursor on. */
export interface Joined {
  after: number
  /** What was given of it before. */
  readonly held: Range | undefined
}

export interface Step {
  readonly id: number
  /** Where the cursor stood: whoever was seen further on has seen this step. */
  readonly cursor: number
  /** What was told below this was told after this step. */
  readonly least: number
  readonly joined: Map<string, Joined>
  /** Patterns that were told as lost, with the offset from which on each was owed before. */
  readonly lost: Map<string, number>
  readonly unknown: Unknown | undefined
}

/** Where a follower stands. */
export interface Place {
  readonly cursor: number
  /** The lowest position from which its client may come back. */
  readonly lowest: number
}

/** Steps that are kept. */
const MOST = 16

export class Steps {
  readonly #patterns: Map<string, number>
  #steps: Step[] = []
  #count = 0
  /** The last step that was forgotten though its client may not have seen it, and where it stood at most. */
  #forgotten: { readonly id: number; readonly least: number; readonly cursor: number } | undefined

  /** @param patterns those of the follower, each with the offset from which on it is owed. */
  constructor(patterns: Map<string, number>) {
    this.#patterns = patterns
  }

  /** No place for a further step. */
  get full(): boolean {
    return this.#steps.length >= MOST
  }

  /** The step that a position at `offset` is told with, if it needs one. */
  stepAt(offset: number): number | undefined {
    for (const { cursor, least } of this.#steps) {
      if (least <= offset && offset <= cursor) return this.#steps.at(-1)?.id
    }
    return undefined
  }

  /** Notes that `pattern` is followed from `after` on, in front of what it was followed from before. */
  join(pattern: string, after: number, place: Place): void {
    const step = after < place.cursor ? this.#add(place) : this.#steps.at(-1)
    const from = this.#patterns.get(pattern)
    const joined = step?.joined.get(pattern)
    if (joined !== undefined) joined.after = after
    else {
      const to = Math.max(this.givenTo(pattern), place.cursor)
      step?.joined.set(pattern, { after, held: from === undefined ? undefined : { from, to } })
    }
    this.#patterns.set(pattern, after)
  }

  /** Notes that these are told as lost up to `end`, from where on they are owed again. */
  lose(patterns: readonly string[], end: number, place: Place): void {
    const { lost } = this.#add(place)
    for (const pattern of patterns) {
      lost.set(pattern, this.#patterns.get(pattern) ?? end)
      this.#patterns.set(pattern, end)
    }
  }

  /** Notes that these are told as a gap. */
  tell(unknown: Unknown, place: Place): void {
    this.#add(place, unknown)
  }

  /** Forgets the oldest. False while that still says what was given beyond the cursor. */
  forgetOldest(cursor: number): boolean {
    const oldest = this.#steps[0]
    if (oldest === undefined || oldest.cursor > cursor) return false
    this.#steps.shift()
    const { least = oldest.least, cursor: highest = 0 } = this.#forgotten ?? {}
    this.#forgotten = {
      id: oldest.id,
      least: Math.min(least, oldest.least),
      cursor: Math.max(highest, oldest.cursor),
    }
    return true
  }

  /** All is told anew. */
  clear(): void {
    this.#steps = []
  }

  forgetPattern(pattern: string): void {
    for (const { joined, lost, unknown } of this.#steps) {
      joined.delete(pattern)
      lost.delete(pattern)
      unknown?.patterns.delete(pattern)
    }
  }

  /** How far `pattern` was given, whatever the cursor says. */
  givenTo(pattern: string): number {
    let to = 0
    for (let i = this.#steps.length - 1; i >= 0; i--) {
      const step = this.#steps[i] as Step
      if (step.joined.has(pattern)) break
      if (step.cursor > to) to = step.cursor
    }
    return to
  }

  /** Was there a step when the cursor stood at `offset` or further on? */
  isBeyond(offset: number): boolean {
    return this.#steps.some(({ cursor }) => offset <= cursor)
  }

  /** Was it given before something joined behind it? */
  wasGiven(offset: number, path: string): boolean {
    if (!this.isBeyond(offset)) return false
    for (const [pattern, from] of this.#patterns) {
      if (from < offset && offset <= this.givenTo(pattern) && matches(pattern, path)) return true
    }
    for (const { joined } of this.#steps) {
      for (const [pattern, { held }] of joined) {
        const inside = held !== undefined && held.from < offset && offset <= held.to
        if (inside && matches(pattern, path)) return true
      }
    }
    return false
  }

  /** The client has seen everything up to `offset`. False if that does not say which steps it has seen. */
  confirm(offset: number): boolean {
    if (this.isBeyond(offset)) return false
    this.#steps = []
    if (this.#forgotten !== undefined && this.#forgotten.cursor < offset)
      this.#forgotten = undefined
    return true
  }

  /**
   * Takes back what a client at this position has not seen. Returns it, oldest first, or undefined if nobody knows
   * that any more.
   */
  undo(offset: number, id: number | undefined): readonly Step[] | undefined {
    const isUnseen = (step: Pick<Step, 'id' | 'least' | 'cursor'>): boolean =>
      id === undefined ? step.least <= offset && offset <= step.cursor : step.id > id
    if (this.#forgotten !== undefined && isUnseen(this.#forgotten)) return undefined
    const first = this.#steps.findIndex(isUnseen)
    if (first < 0) return []
    const undone = this.#steps.splice(first)
    for (const { joined, lost } of undone.toReversed()) {
      for (const [pattern, { held }] of joined) {
        if (held === undefined) this.#patterns.delete(pattern)
        else this.#patterns.set(pattern, held.from)
      }
      for (const [pattern, from] of lost) this.#patterns.set(pattern, from)
    }
    return undone
  }

  #add({ cursor, lowest }: Place, unknown?: Unknown): Step {
    if (this.full) this.forgetOldest(cursor)
    const step: Step = {
      id: ++this.#count,
      cursor,
      least: lowest,
      joined: new Map(),
      lost: new Map(),
      unknown,
    }
    this.#steps.push(step)
    return step
  }
}
