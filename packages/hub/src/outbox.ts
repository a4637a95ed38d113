/**
 * What waits for one session, in the order in which it leaves, within a bound in bytes. Updates of the log can be
 * dropped, since history has them; what has no offset (control, questions, answers) cannot.
 * Invariant: `bytes` is the sum of the sizes of what waits, and every entry is held in the process budget.
 */
import type { Update } from '@sapwood/core'
import type { Budget } from './budget.ts'

/** Shared by all that are empty, and never written to. */
const EMPTY: (Update | undefined)[] = []

export class Outbox {
  readonly #budget: Budget
  readonly #limit: number
  /** Undefined where a conflated entry stood. */
  #queue: (Update | undefined)[] = EMPTY
  #holes = 0
  #bytes = 0
  #keys: Map<string, number> | undefined

  constructor(budget: Budget, limit: number) {
    this.#budget = budget
    this.#limit = limit
  }

  get bytes(): number {
    return this.#bytes
  }

  get empty(): boolean {
    return this.#queue.length === this.#holes
  }

  /** More than this session, or all sessions together, may hold. */
  get exceeded(): boolean {
    return this.#bytes > this.#limit || this.#budget.exceeded
  }

  /** The oldest update of the log that waits. */
  get firstUpdate(): Update | undefined {
    return this.#queue.find((update) => update !== undefined && update.offset > 0)
  }

  add(update: Update): void {
    // most sessions get one update a turn: an array that grows by itself would begin with room for seventeen
    if (this.#queue.length === 0) this.#queue = [update]
    else this.#queue.push(update)
    this.#bytes += update.size
    this.#budget.take(update)
  }

  /** Puts these in front of everything that waits. */
  addFirst(updates: readonly Update[]): void {
    const rest = this.#all()
    this.#reset()
    for (const update of updates) this.add(update)
    this.#queue = this.#queue.length === 0 ? rest : this.#queue.concat(rest)
    for (const update of rest) this.#bytes += update.size
  }

  /** Adds it in place of an older one of the same path and key. */
  conflate(update: Update): void {
    const key = `${update.path}\n${update.meta.key}`
    const keys = this.#keysByPlace()
    const place = keys.get(key)
    if (place !== undefined) {
      const old = this.#queue[place] as Update
      this.#queue[place] = undefined
      this.#holes++
      this.#bytes -= old.size
      this.#budget.release(old)
    }
    keys.set(key, this.#queue.length)
    this.add(update)
    if (this.#holes > 64 && this.#holes * 2 > this.#queue.length) this.#compact()
  }

  /** Drops the oldest updates until the rest fits, or the oldest may not go. Returns what it dropped. */
  dropOldest(mayGo: (update: Update) => boolean): Update[] {
    const dropped: Update[] = []
    for (let i = 0; i < this.#queue.length && this.exceeded; i++) {
      const update = this.#queue[i]
      if (update === undefined || update.offset === 0) continue
      if (!mayGo(update)) break
      dropped.push(update)
      this.#queue[i] = undefined
      this.#holes++
      this.#bytes -= update.size
      this.#budget.release(update)
    }
    this.#compact()
    return dropped
  }

  /** Drops all updates of the log; `keep` says what becomes of each other entry, undefined drops it too. */
  dropUpdates(keep: (control: Update) => Update | undefined): void {
    const all = this.#all()
    this.#reset()
    for (const update of all) {
      const kept = update.offset === 0 ? keep(update) : undefined
      if (kept !== undefined) this.add(kept)
      this.#budget.release(update)
    }
  }

  /** Takes from the front what fits into `room` bytes, at least one. The array is the caller's. */
  take(room: number): Update[] {
    let batch: Update[]
    if (this.#bytes <= room) {
      batch = this.#all()
      this.#reset()
    } else {
      this.#compact()
      const queue = this.#queue as Update[]
      let size = 0
      let count = 0
      while (
        count < queue.length &&
        (count === 0 || size + (queue[count] as Update).size <= room)
      ) {
        size += (queue[count++] as Update).size
      }
      batch = queue.splice(0, count)
      this.#bytes -= size
      this.#keys = undefined
    }
    for (let i = 0; i < batch.length; i++) this.#budget.release(batch[i] as Update)
    return batch
  }

  clear(): void {
    for (const update of this.#all()) this.#budget.release(update)
    this.#reset()
  }

  #all(): Update[] {
    return (
      this.#holes === 0 ? this.#queue : this.#queue.filter((update) => update !== undefined)
    ) as Update[]
  }

  #reset(): void {
    this.#queue = EMPTY
    this.#holes = 0
    this.#bytes = 0
    this.#keys = undefined
  }

  #compact(): void {
    if (this.#holes === 0) return
    this.#queue = this.#all()
    this.#holes = 0
    this.#keys = undefined
  }

  #keysByPlace(): Map<string, number> {
    if (this.#keys !== undefined) return this.#keys
    const keys = new Map<string, number>()
    for (const [place, update] of this.#queue.entries()) {
      if (update?.meta.key !== undefined) keys.set(`${update.path}\n${update.meta.key}`, place)
    }
    this.#keys = keys
    return keys
  }
}
