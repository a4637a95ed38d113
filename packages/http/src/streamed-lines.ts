/**
 * NDJSON as it streams: lines that come over time, for as long as their client likes.
 * Invariant: a client that does not read its receipts is not read either; one that says nothing for too long is told so.
 */
import type { Fault, Principal, Timed } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { Call } from './call.ts'
import { coalesceWrites } from './coalesce.ts'
import { Lines } from './lines.ts'
import { fault } from './problem.ts'
import { STOPPED } from './unanswered.ts'

/** Receipts that may wait in the socket, in bytes, before reading pauses. */
const UNREAD = 256 * 1024

/** Takes the lines of a request, sent by `principal`. */
export function publishLines(call: Call, principal: Principal): void {
  coalesceWrites(call.request.socket)
  const lines = new StreamedLines(call, principal)
  call.request.on('data', (chunk: Buffer) => lines.read(chunk))
  call.request.on('end', () => lines.end())
  call.response.on('close', () => lines.stop())
  call.response.on('drain', () => call.request.resume())
}

/** Lines that come over time: their receipts leave once a turn, as long as they are read. */
class StreamedLines implements Timed {
  readonly #call: Call
  readonly #lines: Lines
  readonly #timer: Timer = new Timer(this)
  #read = 0
  #noted = false

  constructor(call: Call, principal: Principal) {
    this.#call = call
    this.#lines = new Lines(call, principal, () => this.#note())
    call.context.unanswered.add(this)
    this.#wait()
  }

  read(chunk: Buffer): void {
    this.#wait()
    const { stream } = this.#call.context.settings.limits
    this.#read += chunk.length
    if (stream > 0 && this.#read > stream) {
      return this.#break(
        fault('STREAM_TOO_LARGE', `the stream is larger than ${stream} bytes`, 413),
      )
    }
    this.#lines.read(chunk)
    this.#note()
  }

  end(): void {
    this.stop()
    this.#lines.end()
  }

  stop(): void {
    const { hub, unanswered } = this.#call.context
    unanswered.delete(this)
    hub.wheel.clear(this.#timer)
  }

  stopped(): void {
    this.#break(STOPPED)
  }

  /** Nothing came for too long. */
  expired(): void {
    this.#break(fault('BODY_TIMEOUT', 'no line came within limits.body_time', 408))
  }

  #note(): void {
    if (this.#noted) return
    this.#noted = true
    setImmediate(() => {
      this.#noted = false
      this.#flush()
    })
  }

  #flush(): void {
    const { response, request } = this.#call
    if (response.writableEnded || response.destroyed) return
    const out = this.#lines.receipts()
    if (out === '') return
    this.#lines.begin()
    response.write(out)
    if (response.writableLength > UNREAD) request.pause()
    this.#lines.finish()
  }

  #break(problem: Fault): void {
    const { response, request } = this.#call
    this.stop()
    this.#lines.abandon()
    this.#call.context.hub.counters.fault(problem.code)
    response.shouldKeepAlive = false
    if (response.headersSent) response.end(`${this.#lines.receipts()}${JSON.stringify(problem)}\n`)
    else this.#call.problem(problem)
    request.removeAllListeners('data')
    request.resume()
  }

  #wait(): void {
    const { hub, settings } = this.#call.context
    hub.wheel.set(this.#timer, settings.limits.bodyTime)
  }
}
