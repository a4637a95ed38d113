/**
 * The engine of one process: a log in memory, bounded by age, count and bytes in all and by count per path, and
 * indexed by path, so that ten thousand sessions that resume at once do not scan it ten thousand times.
 * Invariant: what has arrived and is still there stands in the log of its path.
 */
import type { Clock, Component, Message, Positions } from '@sapwood/core'
import { matches, Update } from '@sapwood/core'
import { Arrivals } from './arrivals.ts'
import type { Engine, EngineEvents, Interest, ReadRequest, ReadResult } from './engine.ts'
import type { PathLog } from './path-log.ts'
import { PathLogs } from './path-logs.ts'
import { formatPosition } from './position.ts'

export interface MemoryEngineOptions {
  /** 16 hex digits that no former start has used. */
  readonly epoch: string
  /** Milliseconds that an update is retained. */
  readonly age: number
  /** Updates retained in all. */
  readonly count: number
  /** Updates retained of one path. */
  readonly pathCount: number
  /** Bytes retained in all, as `Update.size` counts them. */
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
  readonly #arrivals = new Arrivals()
  /** The highest offset of which nothing is known any more. */
  #oldest = 0
  #head = 0
  #count = 0
  #bytes = 0

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
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  open(events: EngineEvents): void {
    this.#events = events
  }

  append(sender: Component, path: string, message: Message): void {
    const offset = ++this.#head
    const log = this.#paths.open(path)
    // the log's own copy of the path: what a publisher sent is not kept once per update
    const update = new Update(log.path, message, offset, this)
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
    const found: Update[] = []
    const count = this.#find(kept, bytes, found)
    let size = 0
    let taken = 0
    while (taken < found.length && (taken === 0 || size < bytes)) {
      size += (found[taken++] as Update).size
    }
    done({
      updates: taken === found.length ? found : found.slice(0, taken),
      until: taken === count ? this.#head : (found[taken - 1] as Update).offset,
      count,
      lost,
    })
  }

  close(): void {
    this.#events = undefined
  }

  /** Lets go of what is too old. Called at each read and append; call it now and then when nothing happens. */
  trim(now: number = this.#clock.now()): void {
    const oldest = now - this.#options.age
    const arrivals = this.#arrivals
    while (arrivals.places > 0) {
      const over = this.#count > this.#options.count || this.#bytes > this.#options.bytes
      if (!over && arrivals.firstTime >= oldest) break
      this.#evictFirst()
    }
  }

  #store(log: PathLog, update: Update): void {
    const now = this.#clock.now()
    this.#arrivals.push(log, update.offset, now, update.size)
    this.#count++
    this.#bytes += update.size
    log.push(update)
    if (log.size > this.#options.pathCount) this.#evictOf(log)
    this.trim(now)
  }

  #evictOf(log: PathLog): void {
    const { offset, size } = log.first as Update
    this.#arrivals.takeOut(offset)
    this.#letGo(log, offset, size)
    // in the order of what they have lost
    this.#trimmed.delete(log)
    this.#trimmed.add(log)
    if (log.size === 0) this.#forget(log)
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
    const { firstLog: log, firstOffset, firstSize } = this.#arrivals
    this.#arrivals.shift()
    this.#oldest = Math.max(this.#oldest, firstOffset)
    if (log === undefined) return
    this.#letGo(log, firstOffset, firstSize)
    if (log.size === 0) this.#forget(log)
  }

  /** Lets go of the oldest of a path. */
  #letGo(log: PathLog, offset: number, size: number): void {
    log.shift(offset)
    this.#count--
    this.#bytes -= size
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
  #find(interests: readonly Interest[], bytes: number, found: Update[]): number {
    const since = interests.reduce((least, interest) => Math.min(least, interest.since), this.#head)
    if (since >= this.#head) return 0
    if (interests.length === 1) return this.#findOne(interests[0] as Interest, bytes, found)
    const logs = this.#logsOf(interests, this.#head - since)
    if (logs === undefined) return this.#scan(interests, since, bytes, found)
    let count = 0
    for (const [log, from] of logs) count += log.collectAfter(from, bytes, found)
    if (logs.size > 1) found.sort(byOffset)
    return count
  }

  /** The same for one interest, as most readers have: no path can be found twice. */
  #findOne(interest: Interest, bytes: number, found: Update[]): number {
    const { pattern, since } = interest
    const logs = this.#paths.matching(pattern, this.#head - since)
    if (logs === undefined) return this.#scan([interest], since, bytes, found)
    let count = 0
    for (const log of logs) count += log.collectAfter(since, bytes, found)
    if (logs.length > 1) found.sort(byOffset)
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
  #scan(interests: readonly Interest[], since: number, bytes: number, found: Update[]): number {
    let count = 0
    let size = 0
    const from = new Map<PathLog, number>()
    const arrivals = this.#arrivals
    for (let place = arrivals.placeOf(since + 1); place < arrivals.places; place++) {
      const log = arrivals.logAt(place)
      if (log === undefined) continue
      let wanted = from.get(log)
      if (wanted === undefined) {
        wanted = earliest(interests, log.path)
        from.set(log, wanted)
      }
      const offset = arrivals.offsetAt(place)
      if (offset <= wanted) continue
      count++
      if (size >= bytes) continue
      const update = log.get(offset)
      size += update.size
      found.push(update)
    }
    return count
  }
}

function byOffset(a: Update, b: Update): number {
  return a.offset - b.offset
}

function earliest(interests: readonly Interest[], path: string): number {
  let since = Number.POSITIVE_INFINITY
  for (const interest of interests) {
    if (interest.since < since && matches(interest.pattern, path)) since = interest.since
  }
  return since
}
