/**
 * Where a session stands in the log. Live, it takes what is published; behind, it ignores that and reads the
 * log from its cursor until it has caught up. One cursor serves all patterns: a pattern that joins with a cursor of
 * its own is read alone first, while the others stand `ahead`.
 *
 *     state    connect+after   behind()   resume()   read to the head
 *     live     behind          behind     behind     -
 *     behind   behind          behind     behind     next join, or live
 *
 * Invariant: `watermark` is never beyond something that this session is owed and was not given, and whatever
 * cannot be given any more is told as a gap, in front of everything that has a higher position: whoever saw such a
 * position saw the gap as well, and to anybody else it is told again.
 */
import type { Update } from '@sapwood/core'
import { matches } from '@sapwood/core'
import type { GapReason } from './control.ts'
import { GAP, RESUMED } from './control.ts'
import type { Engine, ReadRequest, ReadResult } from './engine.ts'
import type { Position } from './position.ts'
import { formatPosition, parsePosition } from './position.ts'

/** Where a follower puts what its session is to send. */
export interface FollowerOutput {
  control(path: string, message: unknown, at: string): void
  replay(update: Update, at: string): void
}

/** Patterns that are to be read from a cursor of their own. */
interface Join {
  /** The cursor as the client said it. */
  readonly text: string
  /** Undefined when nothing is known of that cursor. */
  readonly after: number | undefined
  readonly reason: GapReason
  readonly patterns: Set<string>
}

/** While a join is read: where the other patterns stand, and what it is that lags. */
interface Ahead {
  readonly offset: number
  readonly join: Join
}

/** The losses that were told but may not have arrived. */
interface Told {
  /** Where the cursor stood: who has seen more has seen the gap. */
  readonly cursor: number
  /** Who is at this cursor but `ahead` has seen the gap, too; undefined where that says nothing about it. */
  readonly ahead: number | undefined
  /** From where on they were owed before. */
  readonly starts: Map<string, number>
}

export class Follower {
  /** Each pattern with the offset from which on it is owed. */
  readonly patterns: Map<string, number> = new Map()
  readonly #engine: Engine
  readonly #output: FollowerOutput
  #live = true
  #cursor: number
  #confirmed: number
  #ahead: Ahead | undefined
  #joins: Join[] | undefined
  #announce: string | undefined
  #told: Told | undefined
  #reason: GapReason = 'evicted'

  constructor(engine: Engine, output: FollowerOutput) {
    this.#engine = engine
    this.#output = output
    this.#cursor = this.#confirmed = engine.head
  }

  /** True when it takes what is published as it comes. */
  get live(): boolean {
    return this.#live
  }

  /** All that is owed up to here was given. */
  get watermark(): string {
    return this.#at(this.#live ? this.#engine.head : this.#cursor)
  }

  /** The client is known to have everything up to `offset`. */
  confirm(offset: number): void {
    // an offset that a join was read at says nothing about the other patterns
    if (this.#ahead !== undefined && offset <= this.#ahead.offset) return
    this.#ahead = undefined
    if (offset > this.#confirmed) this.#confirmed = offset
  }

  /** Follows `pattern` from now on, or from the position `after`. Returns the cursor to begin with. */
  connect(pattern: string, after?: string): string {
    const start = this.patterns.get(pattern)
    this.#told?.starts.delete(pattern)
    if (after === undefined) {
      if (start === undefined) this.patterns.set(pattern, this.#engine.head)
      return this.watermark
    }
    const { position, reason } = this.#look(after)
    const from = position?.offset ?? this.#engine.head
    this.patterns.set(pattern, Math.min(start ?? from, from))
    this.#joins ??= []
    const last = this.#joins.at(-1)
    if (last?.text === after) last.patterns.add(pattern)
    else {
      const patterns = new Set([pattern])
      this.#joins.push({ text: after, after: position?.offset, reason, patterns })
    }
    if (this.#live) this.behind(this.#engine.head)
    const joining = this.#joins.reduce((sum, join) => sum + join.patterns.size, 0)
    // nothing else is followed: what was told before that join is not what this client has
    const alone = joining >= this.patterns.size && this.#joins[0]?.after !== undefined
    return alone ? formatPosition(this.#engine.epoch, this.#joins[0]?.after ?? 0) : this.watermark
  }

  disconnect(pattern: string): void {
    this.patterns.delete(pattern)
    this.#told?.starts.delete(pattern)
    for (const join of this.#joins ?? []) join.patterns.delete(pattern)
    this.#ahead?.join.patterns.delete(pattern)
  }

  /** Takes nothing from now on but what it reads from the log after `cursor`. */
  behind(cursor: number, reason: GapReason = 'evicted'): void {
    this.#live = false
    this.#cursor = cursor
    this.#reason = reason
  }

  /** Nobody listens: what was given since the last confirmation counts as not given. */
  detached(): void {
    this.behind(this.#confirmed)
  }

  /** Starts again at the position that the client says, or at the last one that it confirmed. */
  resume(after?: string): void {
    const text = after ?? formatPosition(this.#engine.epoch, this.#confirmed)
    const { position, reason } = this.#look(text)
    if (position === undefined) {
      this.#ahead = this.#joins = this.#told = undefined
      this.behind(this.#engine.head)
      this.#gap([...this.patterns.keys()], text, reason)
      return
    }
    this.#recall(position)
    const ahead = this.#ahead
    if (ahead !== undefined && position.ahead !== ahead.offset) {
      this.#ahead = undefined
      // it has not seen that join at all: do it again
      if (position.offset <= ahead.offset) this.#joins = [ahead.join, ...(this.#joins ?? [])]
    }
    this.behind(position.offset)
    this.#announce = text
  }

  /** What to read next, or undefined when it is live. */
  next(bytes: number): ReadRequest | undefined {
    if (this.#live) return undefined
    while (this.#announce === undefined && this.#cursor >= this.#engine.head) {
      if (!this.#startJoin()) break
    }
    if (this.#cursor >= this.#engine.head && this.#announce === undefined) {
      this.#caughtUp()
      return undefined
    }
    const joining = this.#joins?.flatMap((join) => [...join.patterns])
    const interests = []
    for (const [pattern, start] of this.patterns) {
      if (joining?.includes(pattern)) continue
      const lags = this.#ahead === undefined || this.#ahead.join.patterns.has(pattern)
      const since = lags ? start : Math.max(start, this.#ahead?.offset ?? 0)
      interests.push({ pattern, since })
    }
    return { interests, after: this.#cursor, bytes }
  }

  /** Takes what `next` asked for. */
  took(result: ReadResult): void {
    if (this.#announce !== undefined) {
      const until = formatPosition(this.#engine.epoch, this.#engine.head)
      const message = { after: this.#announce, until, count: result.count }
      this.#announce = undefined
      this.#output.control(RESUMED, message, this.watermark)
    }
    const ahead = this.#ahead
    const joining = ahead !== undefined && this.#cursor < ahead.offset
    // while the others stand ahead only what joins can be told as lost; the rest is read again from there
    const end = joining && result.lost.length > 0 ? ahead.offset : Number.POSITIVE_INFINITY
    if (!joining) this.#lose(result.lost, this.#engine.head, false)
    else
      this.#lose(
        result.lost.filter((each) => ahead.join.patterns.has(each)),
        end,
        true,
      )
    for (const update of result.updates) {
      if (update.offset > end) break
      this.#cursor = update.offset
      if (this.#wasGiven(update)) continue
      this.#output.replay(update, this.#at(update.offset, update.at))
    }
    this.#cursor = Math.min(result.until, end)
    if (this.#cursor >= this.#engine.head && !this.#joins?.length) this.#caughtUp()
  }

  /** Tells what is lost up to `end` and goes on without it: the patterns concerned are owed from there on. */
  #lose(lost: readonly string[], end: number, joining: boolean): void {
    const patterns = lost.filter((pattern) => (this.patterns.get(pattern) ?? end) < end)
    if (patterns.length === 0) return
    const starts = this.#told?.starts ?? new Map<string, number>()
    for (const pattern of patterns) {
      const start = this.patterns.get(pattern) ?? end
      starts.set(pattern, Math.min(start, starts.get(pattern) ?? start))
      this.patterns.set(pattern, end)
    }
    const after = this.#at(this.#cursor)
    const others = [...this.patterns.values()].some((start) => start < end)
    const ahead = others ? formatPosition(this.#engine.epoch, this.#cursor, end) : this.#at(end)
    this.#told = { cursor: this.#cursor, ahead: joining ? undefined : end, starts }
    const at = joining ? after : ahead
    const message = { patterns, after, at, reason: this.#reason }
    this.#output.control(GAP, message, at)
  }

  /** The client is back at `position`: a gap that it cannot have seen is a loss that was not told. */
  #recall(position: Position): void {
    const told = this.#told
    if (told === undefined) return
    this.#told = undefined
    if (
      position.offset > told.cursor ||
      (told.ahead !== undefined && position.ahead === told.ahead)
    ) {
      return
    }
    for (const [pattern, start] of told.starts) this.patterns.set(pattern, start)
  }

  /** During a join: was it given because of a pattern that does not join? */
  #wasGiven(update: Update): boolean {
    const ahead = this.#ahead
    if (ahead === undefined || update.offset > ahead.offset) return false
    for (const [pattern, start] of this.patterns) {
      if (start >= update.offset || ahead.join.patterns.has(pattern)) continue
      const waits = this.#joins?.some((join) => join.patterns.has(pattern)) ?? false
      if (!waits && matches(pattern, update.path)) return true
    }
    return false
  }

  #caughtUp(): void {
    this.#live = true
  }

  /** True if a join was begun, or one was told as lost. */
  #startJoin(): boolean {
    const join = this.#joins?.shift()
    if (join === undefined) return false
    if (join.after === undefined) {
      this.#gap([...join.patterns], join.text, join.reason)
      return true
    }
    const others = [...this.patterns.keys()].some((pattern) => !join.patterns.has(pattern))
    this.#ahead = others ? { offset: this.#cursor, join } : undefined
    this.#cursor = join.after
    this.#announce = join.text
    return true
  }

  #gap(patterns: readonly string[], after: string, reason: GapReason): void {
    if (patterns.length === 0) return
    const at = this.watermark
    this.#output.control(GAP, { patterns, after, at, reason }, at)
  }

  /** A position in this log, or why there is none. */
  #look(text: string): { position: Position | undefined; reason: GapReason } {
    const position = parsePosition(text)
    if (position === undefined) return { position, reason: 'unknown' }
    if (position.epoch !== this.#engine.epoch) return { position: undefined, reason: 'restart' }
    if (position.offset > this.#engine.head) return { position: undefined, reason: 'unknown' }
    return { position, reason: 'evicted' }
  }

  #at(offset: number, plain?: string): string {
    const ahead = this.#ahead
    if (ahead !== undefined && offset <= ahead.offset) {
      return formatPosition(this.#engine.epoch, offset, ahead.offset)
    }
    return plain ?? formatPosition(this.#engine.epoch, offset)
  }
}
