/**
 * All subscribers of one measurement. They connect all at once or so many at a time, count together, and one that is
 * lost ends the measurement: a figure made without it would be wrong.
 */
import type { Mark } from './frame-counter.ts'
import type { Script } from './peer.ts'
import type { Progress } from './progress.ts'
import { Subscriber } from './subscriber.ts'

export class Audience {
  readonly subscribers: Subscriber[] = []
  /** Updates counted by all together. */
  received = 0
  readonly #progress: Progress
  readonly #port: number
  readonly #mark: Mark
  #ready = 0

  constructor(progress: Progress, port: number, mark: Mark) {
    this.#progress = progress
    this.#port = port
    this.#mark = mark
  }

  /**
   * Adds a subscriber per script and waits until each has its subscriptions.
   * @param atOnce how many may be on their way at a time.
   */
  async join(scripts: readonly Script[], atOnce = 500): Promise<void> {
    const before = this.#ready
    let next = 0
    await this.#progress.until('connections', () => {
      while (next < scripts.length && next - (this.#ready - before) < atOnce) {
        const script = scripts[next++] as Script
        this.subscribers.push(new Subscriber(this, this.#port, script, this.#mark))
      }
      return this.#ready - before === scripts.length
    })
  }

  /** Breaks all connections. */
  leave(): void {
    for (const subscriber of this.subscribers.splice(0)) subscriber.break()
  }

  ready(): void {
    this.#ready++
    this.#progress.notify()
  }

  counted(updates: number): void {
    this.received += updates
    this.#progress.notify()
  }

  lost(reason: string): void {
    this.#progress.fail(`a subscriber was lost: ${reason}`)
  }
}
