/**
 * Where a session stands in the log. Live, it takes what is published; behind, it ignores that and reads the log from
 * its cursor until it has caught up. One cursor serves all patterns: one that joins with an earlier cursor takes it
 * back, and the others, which have what lies between, are passed over until it is where it was.
 *
 *     state    connect+after   rewind()   resume()   read to the head
 *     live     behind          behind     behind     -
 *     behind   behind          behind     behind     live
 *
 * Invariant: `watermark` is never beyond something that this session is owed and was not given, and whatever cannot
 * be given any more is told as a gap, to a client that may not have seen that it was told once more.
 */
import type { Update } from '@sapwood/core'
import { GAP, RESUMED } from '@sapwood/core'
import type { GapReason } from './control.ts'
import type { Engine, Interest, ReadRequest, ReadResult } from './engine.ts'
import type { Position } from './position.ts'
import { formatPosition, parsePosition } from './position.ts'
import type { Step, Unknown } from './steps.ts'
import { Steps } from './steps.ts'

/** Where a follower puts what its session is to send. */
export interface FollowerOutput {
  control(path: string, message: unknown, at: string): void
  replay(update: Update, at: string): void
}

export class Follower {
  /** Each pattern with the offset from which on it is owed. */
  readonly patterns: Map<string, number> = new Map()
  readonly #engine: Engine
  readonly #output: FollowerOutput
  readonly #resumable: boolean
  #live = true
  /** True until the client was told a position. */
  #fresh = true
  #cursor: number
  #confirmed: number
  /** The lowest position from which the client may come back. */
  #lowest: number
  #steps: Steps | undefined
  /** What is to be told as a gap before anything else is read. */
  #unknown: Unknown[] | undefined
  #announce: string | undefined
  /** The read that waits for its answer. */
  #asked: ReadRequest | undefined
  #reason: GapReason = 'evicted'

  /** @param resumable false for one whose client never comes back: its positions need no steps. */
  constructor(engine: Engine, output: FollowerOutput, resumable = true) {
    this.#engine = engine
    this.#output = output
    this.#resumable = resumable
    this.#cursor = this.#confirmed = this.#lowest = engine.head
  }

  /** True when it takes what is published as it comes. */
  get live(): boolean {
    return this.#live
  }

  /** All that is owed up to here was given. */
  get watermark(): string {
    return this.#at(this.#place)
  }

  /** The watermark just before `update`, which was given. */
  before({ offset, at }: Update): string {
    const { step } = parsePosition(at) ?? {}
    // what has no step though one stands further on was given before that step
    if (step === undefined && !this.#steps?.isBeyond(offset)) return this.#at(offset - 1)
    return formatPosition(this.#engine.epoch, offset - 1, step)
  }

  /** A position is told to the client. */
  told(): void {
    this.#fresh = false
  }

  /** The client is known to have everything up to `offset`. */
  confirm(offset: number): void {
    // an offset that was passed more than once says nothing about what was between
    if (this.#steps !== undefined && !this.#steps.confirm(offset)) return
    if (offset > this.#confirmed) this.#confirmed = this.#lowest = offset
  }

  /**
   * Follows `pattern` from now on, or from the position `after`; what it was given before is not given again.
   * Returns the watermark for the confirmation.
   */
  connect(pattern: string, after?: string): string {
    this.#asked = undefined
    if (after === undefined) {
      if (!this.patterns.has(pattern)) this.patterns.set(pattern, this.#engine.head)
      return this.watermark
    }
    this.#behind(this.#place)
    const { position, reason } = this.#look(after)
    if (position === undefined) this.#pend(pattern, after, reason)
    else {
      this.#announce ??= after
      this.#join(pattern, position.offset)
    }
    return this.watermark
  }

  disconnect(pattern: string): void {
    this.patterns.delete(pattern)
    this.#steps?.forgetPattern(pattern)
    for (const { patterns } of this.#unknown ?? []) patterns.delete(pattern)
    this.#asked = undefined
  }

  /** Nobody listens. */
  detached(): void {
    this.#behind(this.#place)
  }

  /** Takes nothing from now on but what it reads from the log, first `update`, which was given but not sent. */
  rewind(update: Update): void {
    const { offset } = update
    const undone = this.#undo(offset, parsePosition(update.at)?.step)
    if (undone) this.#redo(undone, offset - 1)
    else this.#loseAll(update.at, 'slow')
    this.#reason = 'slow'
  }

  /** Starts again at the position that the client says, or at the last one that it confirmed. */
  resume(after?: string): void {
    const text = after ?? formatPosition(this.#engine.epoch, this.#confirmed)
    const { position, reason } = this.#look(text)
    const undone = position && this.#undo(position.offset, position.step)
    if (position !== undefined && undone !== undefined) {
      this.#lowest = this.#confirmed = position.offset
      this.#redo(undone, position.offset)
      this.#announce = text
    } else this.#loseAll(text, reason)
    this.#reason = 'evicted'
  }

  /** What to read next, or undefined when it is live. */
  next(bytes: number): ReadRequest | undefined {
    if (this.#live) return undefined
    for (const unknown of this.#unknown?.splice(0) ?? []) this.#tell(unknown)
    if (this.#cursor >= this.#engine.head && this.#announce === undefined) {
      this.#caughtUp()
      return undefined
    }
    const interests: Interest[] = []
    for (const [pattern, start] of this.patterns) {
      interests.push({ pattern, since: Math.max(start, this.#steps?.givenTo(pattern) ?? 0) })
    }
    this.#asked = { interests, after: this.#cursor, bytes }
    return this.#asked
  }

  /** Takes what `next` asked for, unless something has changed since. */
  took(request: ReadRequest, result: ReadResult): void {
    if (request !== this.#asked) return
    this.#asked = undefined
    if (this.#announce !== undefined) {
      const until = formatPosition(this.#engine.epoch, this.#engine.head)
      const message = { after: this.#announce, until, count: result.count }
      this.#announce = undefined
      this.#output.control(RESUMED, message, this.watermark)
    }
    if (result.lost.length > 0) this.#lose(result)
    for (const update of result.updates) {
      const { offset } = update
      this.#cursor = offset
      if (this.#steps?.wasGiven(offset, update.path)) continue
      this.#output.replay(update, this.#steps === undefined ? update.at : this.#at(offset))
    }
    this.#cursor = result.until
    if (this.#cursor >= this.#engine.head && !this.#unknown?.length) this.#caughtUp()
  }

  /** How far it is. */
  get #place(): number {
    return this.#live ? this.#engine.head : this.#cursor
  }

  #at(offset: number): string {
    const step = this.#resumable ? this.#steps?.stepAt(offset) : undefined
    return formatPosition(this.#engine.epoch, offset, step)
  }

  #caughtUp(): void {
    this.#live = true
    this.#reason = 'evicted'
  }

  #behind(cursor: number): void {
    this.#live = false
    this.#cursor = cursor
    this.#asked = undefined
  }

  #join(pattern: string, after: number): void {
    const start = this.patterns.get(pattern)
    if (start !== undefined && start <= after) return
    if (this.#fresh && this.patterns.size === 0) {
      // nothing was told that could be mistaken for a position on this way
      this.patterns.set(pattern, after)
      this.#cursor = this.#confirmed = this.#lowest = after
      return
    }
    const cursor = this.#cursor
    if (after >= cursor && this.#steps === undefined) {
      this.patterns.set(pattern, after)
      return
    }
    this.#steps ??= new Steps(this.patterns)
    if (after < cursor && this.#steps.full && !this.#steps.forgetOldest(cursor)) {
      return this.#pend(pattern, formatPosition(this.#engine.epoch, after), 'unknown')
    }
    this.#steps.join(pattern, after, { cursor, lowest: this.#lowest })
    this.#lowest = Math.min(this.#lowest, after)
    this.#cursor = Math.min(cursor, after)
  }

  /** What a client at this position has not seen is taken back. Undefined if nobody knows that any more. */
  #undo(offset: number, step: number | undefined): readonly Step[] | undefined {
    return this.#steps === undefined ? [] : this.#steps.undo(offset, step)
  }

  /** Does again, from `cursor` on, what was taken back. */
  #redo(undone: readonly Step[], cursor: number): void {
    this.#behind(cursor)
    for (const { joined, unknown } of undone) {
      for (const [pattern, { after }] of joined) this.#join(pattern, after)
      for (const pattern of unknown?.patterns ?? []) {
        this.#pend(pattern, (unknown as Unknown).text, (unknown as Unknown).reason)
      }
    }
  }

  /** Has `pattern` told as a gap since the position `text`. */
  #pend(pattern: string, text: string, reason: GapReason): void {
    if (!this.patterns.has(pattern)) this.patterns.set(pattern, this.#engine.head)
    this.#unknown ??= []
    const last = this.#unknown.at(-1)
    if (last?.text === text) last.patterns.add(pattern)
    else this.#unknown.push({ text, reason, patterns: new Set([pattern]) })
  }

  #tell(unknown: Unknown): void {
    if (unknown.patterns.size === 0) return
    this.#steps ??= new Steps(this.patterns)
    this.#steps.tell(unknown, { cursor: this.#cursor, lowest: this.#lowest })
    this.#gap([...unknown.patterns], unknown.text, unknown.reason)
  }

  /** Goes on from the newest, and has everything told as a gap. */
  #loseAll(text: string, reason: GapReason): void {
    this.#behind(this.#engine.head)
    this.#steps?.clear()
    this.#unknown = this.#announce = undefined
    for (const pattern of this.patterns.keys()) this.#pend(pattern, text, reason)
  }

  /** Tells what is gone, and goes on without it: the patterns concerned are owed from the newest on. */
  #lose({ lost, updates, until }: ReadResult): void {
    const after = this.watermark
    const cursor = this.#cursor
    this.#steps ??= new Steps(this.patterns)
    this.#steps.lose(lost, this.#engine.head, { cursor, lowest: this.#lowest })
    if (updates.length === 0) this.#cursor = until
    this.#gap(lost, after, this.#reason)
  }

  #gap(patterns: readonly string[], after: string, reason: GapReason): void {
    const at = this.watermark
    this.#output.control(GAP, { patterns, after, at, reason }, at)
  }

  /** A position in this log, or why there is none. */
  #look(text: string): { position: Position | undefined; reason: GapReason } {
    const position = parsePosition(text)
    if (position === undefined) return { position, reason: 'unknown' }
    if (position.epoch !== this.#engine.epoch) return { position: undefined, reason: 'restart' }
    if (position.offset > this.#engine.head) return { position: undefined, reason: 'unknown' }
    return { position, reason: 'unknown' }
  }
}
