/**
 * A clock that stands still until it is told to go on, so tests say what the time is and never sleep.
 * Invariant: `advance` runs what falls due in the order of due times (of equal ones in the order of setting),
 * with `now` at exactly that time, what they set on the way included.
 */
import type { Clock } from '@sapwood/core'

/** A run that sets the next one without moving time must not hang a test. */
const MOST_RUNS = 1_000_000

interface Alarm {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/**
 * @example
 * const clock = new FakeClock()
 * clock.after(100, () => console.log('due'))
 * clock.advance(100) // due
 */
export class FakeClock implements Clock {
  #now: number
  #order = 0
  readonly #alarms = new Set<Alarm>()

  /** @param now what the time is at first, in milliseconds. */
  constructor(now = 0) {
    this.#now = now
  }

  /** How many runs are still to come. A closed thing should leave none. */
  get pending(): number {
    return this.#alarms.size
  }

  /** Milliseconds until the next run, or undefined if there is none. */
  get untilNext(): number | undefined {
    const next = this.#next()
    return next && next.at - this.#now
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    if (Number.isNaN(ms)) throw new RangeError('a wait of NaN ms: something was reckoned wrongly')
    // as with real timers, a negative wait is none
    const alarm: Alarm = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#alarms.add(alarm)
    return () => {
      this.#alarms.delete(alarm)
    }
  }

  /**
   * Lets `ms` milliseconds pass and runs what falls due.
   * @throws RangeError for time that goes back, Error for runs that set each other without end.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time cannot go on by ${ms} ms`)
    const until = this.#now + ms
    for (let runs = 0; ; runs++) {
      const next = this.#next()
      if (next === undefined || next.at > until) break
      if (runs === MOST_RUNS) throw new Error(`${MOST_RUNS} runs within ${ms} ms: an endless loop`)
      this.#alarms.delete(next)
      this.#now = next.at
      next.run()
    }
    this.#now = until
  }

  /** Lets `ms` milliseconds pass at once, as after a blocked event loop: what falls due runs late, at the end. */
  jump(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time cannot go on by ${ms} ms`)
    this.#now += ms
    const due = [...this.#alarms].filter((alarm) => alarm.at <= this.#now).sort(byTime)
    for (const alarm of due) if (this.#alarms.delete(alarm)) alarm.run()
  }

  #next(): Alarm | undefined {
    let next: Alarm | undefined
    for (const alarm of this.#alarms) {
      if (next === undefined || byTime(alarm, next) < 0) next = alarm
    }
    return next
  }
}

function byTime(a: Alarm, b: Alarm): number {
  return a.at - b.at || a.order - b.order
}
