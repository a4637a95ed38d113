/**
 * Publishes as fast as a peer delivers: so many messages may be under way that have not reached everyone. Nothing is
 * gained by answering early or by buffering, and nobody becomes a slow consumer.
 * Invariant: requests of one turn of the event loop leave in one write, so that the load does not decide how
 * much a peer can put together.
 */
import type { Audience } from './audience.ts'
import type { Cost } from './cost.ts'
import { cpuSeconds, pause, stopwatch } from './cost.ts'
import type { Progress } from './progress.ts'
import type { Publisher } from './publisher.ts'

export interface Loop {
  /** Requests to send, over and over. */
  readonly requests: readonly string[]
  /** Messages in each request. */
  readonly messages: number
  /** Deliveries of each message. */
  readonly fanOut: number
  /** Messages that may be under way. */
  readonly window: number
}

/** What a stretch of saturation brought. */
export interface Saturation extends Cost {
  readonly deliveries: number
}

export class ClosedLoop {
  readonly #progress: Progress
  readonly #audience: Audience
  readonly #publisher: Publisher
  readonly #loop: Loop
  #published = 0
  #next = 0
  #due = false
  #stopped = false
  #before = 0

  constructor(progress: Progress, audience: Audience, publisher: Publisher, loop: Loop) {
    this.#progress = progress
    this.#audience = audience
    this.#publisher = publisher
    this.#loop = loop
  }

  /**
   * Saturates the server and measures, after a warm-up. Ends when everything published has arrived.
   * @param warmUp seconds of the server's processor time: its code is compiled when that was used, however little
   *   of the processor it gets. Given up after three times as long.
   * @param seconds to measure.
   */
  async run(pid: number, warmUp: number, seconds: number): Promise<Saturation> {
    this.#before = this.#audience.received
    this.#published = 0
    this.#stopped = false
    const over = this.#progress.until(
      'deliveries',
      () => this.#pump(),
      STALL + (PATIENCE * warmUp + seconds) * 1000,
    )
    const measured = this.#measure(pid, warmUp, seconds)
    await Promise.all([over, measured])
    return measured
  }

  async #measure(pid: number, warmUp: number, seconds: number): Promise<Saturation> {
    const warm = cpuSeconds(pid) + warmUp
    const end = performance.now() + PATIENCE * warmUp * 1000
    while (cpuSeconds(pid) < warm && performance.now() < end) await pause(20)
    const stop = stopwatch(pid)
    const before = this.#audience.received
    await pause(seconds * 1000)
    const cost = stop()
    const deliveries = this.#audience.received - before
    this.#stopped = true
    this.#progress.notify()
    return { ...cost, deliveries }
  }

  /** True when nothing more is to come. */
  #pump(): boolean {
    const { fanOut } = this.#loop
    const delivered = this.#audience.received - this.#before
    if (this.#stopped) return delivered === this.#published * fanOut
    if (!this.#due && this.#room(delivered) > 0) {
      this.#due = true
      setImmediate(() => this.#publish())
    }
    return false
  }

  #room(delivered: number): number {
    const { window, fanOut, messages } = this.#loop
    return Math.floor((window - this.#published + delivered / fanOut) / messages)
  }

  #publish(): void {
    this.#due = false
    if (this.#stopped) return
    const { requests, messages } = this.#loop
    const room = this.#room(this.#audience.received - this.#before)
    let text = ''
    for (let i = 0; i < room; i++) {
      text += requests[this.#next++ % requests.length] as string
    }
    if (text === '') return
    this.#published += room * messages
    this.#publisher.send(text)
  }
}

/** Milliseconds to wait for the last deliveries. */
const STALL = 10_000
/** How much longer than on an idle machine a warm-up may take. */
const PATIENCE = 3
