/**
 * NDJSON as it streams: each line is an update, applied when it arrives; its receipt is a line of the answer. A line
 * that is wrong gets its error in its place, the next ones go on.
 * Invariant: at most one line of at most `limits.body` is held, and a client that does not read its receipts is
 * not read either.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Component, Fault, Message, Principal, Timed } from '@sapwood/core'
import { bodyValue, NO_ID, RECEIPT, Timer } from '@sapwood/core'
import { ERROR } from '@sapwood/hub'
import { isFault, parseFrames } from '@sapwood/wire'
import type { Call } from './call.ts'
import { coalesceWrites } from './coalesce.ts'
import { itemMessage } from './item.ts'
import { fault } from './problem.ts'
import { refusal } from './refusal.ts'

const LINE_FEED = 10
/** Receipts that may wait in the socket, in bytes, before reading pauses. */
const UNREAD = 256 * 1024

/** Takes the lines of a request, sent by `principal`. */
export function publishLines(call: Call, principal: Principal): void {
  coalesceWrites(call.request.socket)
  const lines = new Lines(call, principal)
  call.request.on('data', (chunk: Buffer) => lines.read(chunk))
  call.request.on('end', () => lines.end())
  call.response.on('close', () => lines.stop())
  call.response.on('drain', () => call.request.resume())
}

class Lines implements Component, Timed {
  id: string = NO_ID
  readonly principal: Principal
  readonly #call: Call
  readonly #timer: Timer = new Timer(this)
  #rest: Buffer | undefined
  #out = ''
  #open = 0
  #number = 0
  #read = 0
  #skipping = false
  #ended = false
  #noted = false

  constructor(call: Call, principal: Principal) {
    this.#call = call
    this.principal = principal
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
    const last = chunk.lastIndexOf(LINE_FEED)
    if (last < 0) return this.#keep(chunk)
    const head = chunk.subarray(0, last)
    const whole = this.#rest === undefined ? head : Buffer.concat([this.#rest, head])
    this.#rest = undefined
    if (this.#skipping) {
      this.#skipping = false
      const first = whole.indexOf(LINE_FEED)
      if (first >= 0) this.#take(whole.subarray(first + 1))
    } else this.#take(whole)
    if (last + 1 < chunk.length) this.#keep(chunk.subarray(last + 1))
    this.#note()
  }

  end(): void {
    this.#ended = true
    this.#call.context.hub.wheel.clear(this.#timer)
    if (this.#rest !== undefined && !this.#skipping) this.#take(this.#rest)
    this.#rest = undefined
    this.#finish()
  }

  stop(): void {
    this.#call.context.hub.wheel.clear(this.#timer)
  }

  /** Nothing came for too long. */
  expired(): void {
    this.#break(fault('BODY_TIMEOUT', 'no line came within limits.body_time', 408))
  }

  update(_sender: Component, path: string, message: Message): void {
    if (path === RECEIPT) this.#answer(message.body as string)
    else if (path === ERROR) this.#answer(JSON.stringify(bodyValue(message)))
  }

  #take(bytes: Buffer): void {
    if (isAscii(bytes)) this.#lines(bytes.toString('latin1'))
    else if (isUtf8(bytes)) this.#lines(bytes.toString('utf8'))
    else {
      // one bad line must not take its neighbours with it
      for (let start = 0; start <= bytes.length; ) {
        const end = bytes.indexOf(LINE_FEED, start)
        const line = bytes.subarray(start, end < 0 ? bytes.length : end)
        if (isUtf8(line)) this.#line(line.toString('utf8'))
        else {
          this.#number++
          this.#wrong(fault('LINE_INVALID', 'not valid UTF-8'))
        }
        if (end < 0) break
        start = end + 1
      }
    }
  }

  #lines(text: string): void {
    for (let start = 0; start <= text.length; ) {
      const end = text.indexOf('\n', start)
      this.#line(text.slice(start, end < 0 ? text.length : end))
      if (end < 0) break
      start = end + 1
    }
  }

  #line(line: string): void {
    this.#number++
    if (line === '' || line === '\r') return
    const { hub, settings } = this.#call.context
    if (isLonger(line, settings.limits.body)) return this.#wrong(TOO_LONG)
    const frames = parseFrames(line)
    if (isFault(frames)) return this.#wrong({ ...frames, code: 'LINE_INVALID' })
    for (const frame of frames) {
      const wrong = refusal(hub, this.principal, frame)
      if (wrong !== undefined) {
        this.#wrong(wrong)
        continue
      }
      this.#open++
      hub.update(this, frame.path, itemMessage(frame))
    }
  }

  #keep(chunk: Buffer): void {
    const rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    if (rest.length <= this.#call.context.settings.limits.body) {
      this.#rest = rest
      return
    }
    this.#rest = undefined
    if (this.#skipping) return
    this.#skipping = true
    this.#number++
    this.#wrong(TOO_LONG)
  }

  #wrong(problem: Fault): void {
    this.#call.context.hub.counters.fault(problem.code)
    this.#open++
    this.#answer(JSON.stringify({ ...problem, line: this.#number }))
  }

  #answer(text: string): void {
    this.#open--
    this.#out += `${text}\n`
    this.#note()
  }

  /** The receipts of one turn leave in one write. */
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
    if (response.writableEnded || response.destroyed || this.#out === '') return
    this.#begin()
    const out = this.#out
    this.#out = ''
    response.write(out)
    if (response.writableLength > UNREAD) request.pause()
    this.#finish()
  }

  #finish(): void {
    const { response } = this.#call
    if (!this.#ended || this.#open > 0 || response.writableEnded) return
    // when all came in one turn the answer has a length and needs no chunks
    this.#begin(['Content-Length', String(Buffer.byteLength(this.#out))])
    response.end(this.#out)
    this.#out = ''
  }

  #begin(length: readonly string[] = []): void {
    const { response, cors } = this.#call
    if (response.headersSent) return
    response.writeHead(200, ['Content-Type', 'application/x-ndjson', ...length, ...cors])
  }

  #break(problem: Fault): void {
    const { response, request } = this.#call
    this.stop()
    this.#call.context.hub.counters.fault(problem.code)
    response.shouldKeepAlive = false
    if (response.headersSent) response.end(`${this.#out}${JSON.stringify(problem)}\n`)
    else this.#call.problem(problem)
    request.removeAllListeners('data')
    request.resume()
  }

  #wait(): void {
    const { hub, settings } = this.#call.context
    hub.wheel.set(this.#timer, settings.limits.bodyTime)
  }
}

/** Has a text more bytes than that? Counted only where its characters do not say it. */
function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text, 'utf8') > bytes)
}

const TOO_LONG = fault('LINE_TOO_LONG', 'the line is longer than limits.body', 413)
