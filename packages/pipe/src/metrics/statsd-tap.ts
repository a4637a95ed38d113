/**
 * Sends what was counted to a statsd, once a second, over UDP (RP-41).
 * Invariant: it costs nothing while nothing happens, and whether somebody listens makes no difference.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { Timed } from '@sapwood/core'
import { Timer, type Wheel } from '@sapwood/core'
import type { HostAddress } from '@sapwood/net'
import type { PipeCounters } from './pipe-counters.ts'
import { StatsdLines } from './statsd-lines.ts'

export interface StatsdTapOptions {
  readonly to: HostAddress
  /** Before each name; `sapwood.` by default. */
  readonly prefix?: string
  /** Milliseconds between two looks: 1,000. */
  readonly interval?: number
  readonly wheel: Wheel
}

/** What goes through any network in one piece. */
const DATAGRAM = 1_432
const INTERVAL = 1_000

/**
 * @example
 * const tap = new StatsdTap(counters, { to: { host: '127.0.0.1', port: 8125 }, wheel })
 * await tap.close()
 */
export class StatsdTap implements Timed {
  readonly #counters: PipeCounters
  readonly #options: StatsdTapOptions
  readonly #lines: StatsdLines
  readonly #timer: Timer = new Timer(this)
  readonly #socket: Socket

  constructor(counters: PipeCounters, options: StatsdTapOptions) {
    this.#counters = counters
    this.#options = options
    this.#lines = new StatsdLines(options.prefix ?? 'sapwood.')
    this.#socket = createSocket(options.to.host.includes(':') ? 'udp6' : 'udp4')
    // a receiver that is away is nobody's trouble
    this.#socket.on('error', () => undefined)
    this.#socket.unref()
    this.#wait()
  }

  expired(): void {
    this.#send()
    this.#wait()
  }

  /** Sends the rest. */
  async close(): Promise<void> {
    this.#options.wheel.clear(this.#timer)
    await new Promise<void>((resolve) => {
      const last = this.#send()
      const done = (): void => {
        this.#socket.close(() => resolve())
      }
      if (last === undefined) done()
      else last.then(done)
    })
  }

  #wait(): void {
    this.#options.wheel.set(this.#timer, this.#options.interval ?? INTERVAL)
  }

  /** @returns done when all of it has left; undefined if there was nothing. */
  #send(): Promise<unknown> | undefined {
    const lines = this.#lines.since(this.#counters)
    if (lines.length === 0) return undefined
    const { host, port } = this.#options.to
    const sendings = datagramsOf(lines).map(
      (text) => new Promise((resolve) => this.#socket.send(text, port, host, resolve)),
    )
    return Promise.all(sendings)
  }
}

function datagramsOf(lines: readonly string[]): readonly string[] {
  const datagrams: string[] = []
  let text = ''
  for (const line of lines) {
    if (text !== '' && text.length + line.length + 1 > DATAGRAM) {
      datagrams.push(text)
      text = ''
    }
    text += text === '' ? line : `\n${line}`
  }
  return text === '' ? datagrams : [...datagrams, text]
}
