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
import { FramingFault, InputBuffer, isFault, LineFramer, parseFrames } from '@sapwood/wire'
import type { Call } from './call.ts'
import { coalesceWrites } from './coalesce.ts'
import { itemMessage } from './item.ts'
import { fault } from './problem.ts'
import { refusal } from './refusal.ts'

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
  // what is joined is a Buffer like the chunks are, so every line is one
  readonly #input: InputBuffer = new InputBuffer(Buffer.allocUnsafeSlow)
  readonly #framer: LineFramer
  #out = ''
  #open = 0
  #number = 0
  #read = 0
  #ended = false
  #noted = false

  constructor(call: Call, principal: Principal) {
    this.#call = call
    this.principal = principal
    const { body } = call.context.settings.limits
    this.#framer = new LineFramer({ limit: body, tooLong: 'error' })
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
    this.#input.push(chunk)
    this.#pull(() => this.#framer.decode(this.#input))
    this.#note()
  }

  end(): void {
    this.#ended = true
    this.#call.context.hub.wheel.clear(this.#timer)
    this.#pull(() => this.#framer.finish(this.#input))
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

  #pull(next: () => Uint8Array | FramingFault | undefined): void {
    for (let line = next(); line !== undefined; line = next()) {
      this.#number++
      if (line instanceof FramingFault) this.#wrong(TOO_LONG)
      else if (line.length > 0) this.#take(line as Buffer)
    }
  }

  #take(line: Buffer): void {
    if (isAscii(line)) this.#line(line.toString('latin1'))
    else if (isUtf8(line)) this.#line(line.toString('utf8'))
    else this.#wrong(NOT_UTF8)
  }

  #line(line: string): void {
    const { hub } = this.#call.context
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

const TOO_LONG = fault('LINE_TOO_LONG', 'the line is longer than limits.body', 413)
const NOT_UTF8 = fault('LINE_INVALID', 'not valid UTF-8')
