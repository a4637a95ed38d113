/**
 * What has been counted since the last time, as lines of statsd: a counter's growth, and the mean of a timing with how
 * many it stands for. Pure; `StatsdTap` sends it.
 * Invariant: what did not change makes no line, so a quiet process is silent.
 */
import type { PipeCounters, Timing } from './pipe-counters.ts'
import { DURATIONS, HANDLER_STATSD, TICKS } from './pipe-series.ts'

/** Characters of a name that statsd takes for its own. */
const SPECIAL = /[^A-Za-z0-9_-]/g

/** @example new StatsdLines('sapwood.').since(counters) // ['sapwood.message.send.tick:3|c', …] */
export class StatsdLines {
  readonly #prefix: string
  readonly #told = new Map<string, { count: number; total: number }>()

  /** @param prefix stands before each name as it is. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  since(counters: PipeCounters): readonly string[] {
    const lines: string[] = []
    for (const { statsd, read } of TICKS) {
      if (statsd !== undefined) this.#tick(lines, statsd, read(counters))
    }
    for (const { statsd, read } of DURATIONS) this.#timing(lines, statsd, read(counters))
    for (const [handler, timing] of counters.handlers) {
      const name = `${HANDLER_STATSD}.${handler.replaceAll(SPECIAL, '_')}`
      this.#tick(lines, `${name}.tick`, timing.count)
      this.#timing(lines, `${name}.timing`, timing)
    }
    return lines
  }

  #tick(lines: string[], name: string, count: number): void {
    const told = this.#toldOf(name)
    if (count > told.count) lines.push(`${this.#prefix}${name}:${count - told.count}|c`)
    told.count = count
  }

  #timing(lines: string[], name: string, { count, total }: Timing): void {
    const told = this.#toldOf(name)
    const more = count - told.count
    if (more > 0) {
      const mean = Number(((total - told.total) / more).toFixed(3))
      // one line for many: a rate of 1/n tells the receiver how many
      const rate = more === 1 ? '' : `|@${Number((1 / more).toPrecision(6))}`
      lines.push(`${this.#prefix}${name}:${mean}|ms${rate}`)
    }
    told.count = count
    told.total = total
  }

  #toldOf(name: string): { count: number; total: number } {
    const known = this.#told.get(name)
    if (known !== undefined) return known
    const made = { count: 0, total: 0 }
    this.#told.set(name, made)
    return made
  }
}
