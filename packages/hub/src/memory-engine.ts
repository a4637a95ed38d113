/**
 * The engine of one process: a log in memory, bounded by age, count and bytes in all and by count per path, and
 * indexed by path, so that ten thousand sessions that resume at once do not scan it ten thousand times.
 * Invariant: what has arrived and is still there stands in the log of its path.
 */
import type { Clock, Component, Message, Positions } from '@sapwood/core'
import { Mark, matches, Update } from '@sapwood/core'
import type { Engine, EngineEvents, Interest, ReadRequest, ReadResult } from './engine.ts'
import type { PathLog } from './path-log.ts'
import { PathLogs } from './path-logs.ts'
import { formatPosition } from './position.ts'
import { RetainedUpdates } from './retained-updates.ts'

export interface MemoryEngineOptions {
  /** 16 hex digits that no former start has used. */
  readonly epoch: string
  /** Milliseconds that an update is retained. */
  readonly age: number
  /** Updates retained in all. */
  readonly count: number
  /** Updates retained of one path. */
  readonly pathCount: number
  /** Bytes retained in all: of texts, paths and what each takes beside them. */
  readonly bytes: number
}

/** Paths that have lost something and hold nothing any more, beyond as many as updates are retained. */
const SPARE = 1024

export class MemoryEngine implements Engine, Positions {
  readonly epoch: string
  readonly #options: MemoryEngineOptions
  readonly #clock: Pick<Clock, 'now'>
  readonly #paths = new PathLogs()
  /** Paths that lost something while older updates of others are still here. */
  readonly #trimmed = new Set<PathLog>()
  #events: EngineEvents | undefined
  readonly #retained = new RetainedUpdates(this)
  /** The highest offset of which nothing is known any more. */
  #oldest = 0
  #head = 0

  constructor(clock: Pick<Clock, 'now'>, options: MemoryEngineOptions) {
    this.epoch = options.epoch
    this.#clock = clock
    this.#options = options
  }

  get head(): number {
    return this.#head
  }

  get oldest(): number {
    return this.#oldest
  }

  get count(): number {
    return this.#retained.count
  }

  get bytes(): number {
    return this.#retained.bytes
  }

  open(events: EngineEvents): void {
    this.#events = events
  }

  append(sender: Component, path: string, message: Message): void {
    const offset = ++this.#head
    const log = this.#paths.open(path)
    // the log's own copy of the path: what a publisher sent is not kept once per update
    const update = new Update(log.path, message, offset, this, Mark.none, log)
    this.#store(log, update)
    this.#events?.deliver(sender, update)
  }

  positionOf(offset: number): string {
    return formatPosition(this.epoch, offset)
  }

  read(request: ReadRequest, done: (result: ReadResult) => void): void {
    this.trim()
    const { interests, after } = request
    const bytes = Math.max(1, request.bytes)
    const wanted = interests.map(({ pattern, since }) => ({
      pattern,
      since: Math.max(since, after),
    }))
    const lost = wanted.filter((interest) => this.#hasLost(interest)).map(({ pattern }) => pattern)
    const kept =
      lost.length === 0 ? wanted : wanted.filter(({ pattern }) => !lost.includes(pattern))
    const found: number[] = []
    const count = this.#find(kept, bytes, found)
    const updates: Update[] = []
    let size = 0
    for (let i = 0; i < found.length && (i === 0 || size < bytes); i++) {
      const offset = found[i] as number
      // what was found of each path is as much as this, by the same measure: none is passed over
      size += this.#retained.sizeOf(offset)
      updates.push(this.#retained.get(offset))
    }
    const until = updates.length === count ? this.#head : (updates.at(-1) as Update).offset
    done({ updates, until, count, lost })
  }

  close(): void {
    this.#events = undefined
  }

  /** Lets go of what is too old. Called at each read and append; call it now and then when nothing happens. */
  trim(now: number = this.#clock.now()): void {
    const { age, count, bytes } = this.#options
    while (this.#retained.exceeds(count, bytes, now - age)) this.#evictFirst()
  }

  #store(log: PathLog, update: Update): void {
    const now = this.#clock.now()
    this.#retained.push(log, update, now)
    const { pathCount } = this.#options
    if (log.most > pathCount && this.#retained.countOf(log) > pathCount) this.#evictOf(log)
    this.trim(now)
  }

  #evictOf(log: PathLog): void {
    this.#retained.takeOut(log)
    // in the order of what they have lost
    this.#trimmed.delete(log)
    this.#trimmed.add(log)
    if (log.most === 0) this.#forget(log)
    if (this.#trimmed.size > this.#options.count + SPARE) this.#forgetTrimmed()
  }

  /** There is no end of paths: of the first that lost something not even that is known from now on. */
  #forgetTrimmed(): void {
    for (const log of this.#trimmed) {
      this.#oldest = Math.max(this.#oldest, log.evicted)
      this.#trimmed.delete(log)
      return
    }
  }

  #evictFirst(): void {
    const { firstOffset } = this.#retained
    this.#oldest = Math.max(this.#oldest, firstOffset)
    const emptied = this.#retained.shift()
    if (emptied !== undefined) this.#forget(emptied)
  }

  #forget(log: PathLog): void {
    this.#paths.drop(log)
    // with a path limit of 0 the log itself must remember; otherwise `oldest` has passed what was lost
    if (log.evicted <= this.oldest) this.#trimmed.delete(log)
  }

  #hasLost({ pattern, since }: Interest): boolean {
    if (since < this.oldest) return true
    for (const log of this.#trimmed) {
      if (log.evicted <= this.oldest) this.#trimmed.delete(log)
      else if (log.evicted > since && matches(pattern, log.path)) return true
    }
    return false
  }

  /**
   * Puts the first of what the interests want into `found`, at least what fills `bytes`, in the order of offsets.
   * Returns how many there are in all.
   */
  #find(interests: readonly Interest[], bytes: number, found: number[]): number {
    const since = interests.reduce((least, interest) => Math.min(least, interest.since), this.#head)
    if (since >= this.#head) return 0
    if (interests.length === 1) return this.#findOne(interests[0] as Interest, bytes, found)
    const logs = this.#logsOf(interests, this.#head - since)
    if (logs === undefined) return this.#scan(interests, since, bytes, found)
    let count = 0
    for (const [log, from] of logs) count += this.#retained.collectAfter(log, from, bytes, found)
    if (logs.size > 1) found.sort(ascending)
    return count
  }

  /** The same for one interest, as most readers have: no path can be found twice. */
  #findOne(interest: Interest, bytes: number, found: number[]): number {
    const { pattern, since } = interest
    const logs = this.#paths.matching(pattern, this.#head - since)
    if (logs === undefined) return this.#scan([interest], since, bytes, found)
    let count = 0
    for (const log of logs) count += this.#retained.collectAfter(log, since, bytes, found)
    if (logs.length > 1) found.sort(ascending)
    return count
  }

  /** The logs that the interests match, each with the earliest point; undefined when scanning is less work. */
  #logsOf(interests: readonly Interest[], most: number): Map<PathLog, number> | undefined {
    const logs = new Map<PathLog, number>()
    let looked = 0
    for (const { pattern, since } of interests) {
      const matching = this.#paths.matching(pattern, most)
      if (matching === undefined) return undefined
      looked += matching.length
      if (looked > most) return undefined
      for (const log of matching) logs.set(log, Math.min(since, logs.get(log) ?? since))
    }
    return logs
  }

  /** Reads the end of the log; cheaper than the index when a wildcard matches more paths than it has entries. */
  #scan(interests: readonly Interest[], since: number, bytes: number, found: number[]): number {
    let count = 0
    let size = 0
    const from = new Map<PathLog, number>()
    this.#retained.each(since, (log, offset, updateSize) => {
      let wanted = from.get(log)
      if (wanted === undefined) {
        wanted = earliest(interests, log.path)
        from.set(log, wanted)
      }
      if (offset <= wanted) return
      count++
      if (size >= bytes) return
      size += updateSize
      found.push(offset)
    })
    return count
  }
}

function ascending(a: number, b: number): number {
  return a - b
}

function earliest(interests: readonly Interest[], path: string): number {
  let since = Number.POSITIVE_INFINITY
  for (const interest of interests) {
    if (interest.since < since && matches(interest.pattern, path)) since = interest.since
  }
  return since
}
