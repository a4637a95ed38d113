/**
 * NDJSON: each line is an update, applied when it is read; its receipt is a line of the answer. A line that is wrong
 * gets its error in its place, the next ones go on.
 * Invariant: at most one line of at most `limits.body` is held.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Component, Fault, Message, Principal } from '@sapwood/core'
import { bodyValue, jsonMessage, NO_ID, RECEIPT } from '@sapwood/core'
import { ERROR } from '@sapwood/hub'
import type { Cuttable, Frame } from '@sapwood/wire'
import {
  FramingFault,
  InputBuffer,
  isFault,
  LineFramer,
  readFrames,
  readFramesAt,
} from '@sapwood/wire'
import type { AnyCall } from './call.ts'
import { forCaller } from './call.ts'
import { itemMessage } from './item.ts'
import { fault } from './problem.ts'
import { refusal } from './refusal.ts'

/** Takes lines that are all there. They are as few as a whole request holds: their receipts leave together. */
export function publishAllLines(call: AnyCall, principal: Principal, body?: Buffer): void {
  new Lines(call, principal).readAll(body ?? NOTHING)
}

/** Applies lines as they are read, keeps their receipts, and ends the answer when each line has had its own. */
export class Lines implements Component {
  id: string = NO_ID
  readonly principal: Principal
  readonly #call: AnyCall
  // what is joined is a Buffer like the chunks are, so every line is one
  readonly #input: InputBuffer = new InputBuffer(Buffer.allocUnsafeSlow)
  readonly #framer: LineFramer
  readonly #noted: (() => void) | undefined
  /** Receipts that are not written yet, and faults in the place of some. */
  #out: Message[] = []
  #open = 0
  #number = 0
  #ended = false
  #isOver = false

  /** @param noted another receipt waits: for who sends them before the lines have ended. */
  constructor(call: AnyCall, principal: Principal, noted?: () => void) {
    this.#call = call
    this.principal = principal
    this.#noted = noted
    const { body } = call.context.settings.limits
    this.#framer = new LineFramer({ limit: body, tooLong: 'error' })
  }

  /** Reads all lines that there are, in place of `read` and `end`. */
  readAll(body: Buffer): void {
    if (isAscii(body)) this.#readText(body)
    else this.read(body)
    this.end()
  }

  read(chunk: Buffer): void {
    if (this.#isOver) return
    this.#input.push(chunk)
    this.#pull(() => this.#framer.decode(this.#input))
  }

  end(): void {
    if (this.#isOver) return
    this.#ended = true
    this.#pull(() => this.#framer.finish(this.#input))
    this.finish()
  }

  /** Takes nothing more, not even the line that has begun: its end will not be known. */
  abandon(): void {
    this.#isOver = true
  }

  /** Takes the receipts that wait, behind the head. */
  receipts(): string {
    const out = this.#out
    this.#out = []
    let text = ''
    for (let i = 0; i < out.length; i++) text += `${(out[i] as Message).body}\n`
    return text
  }

  /** Ends the answer when all lines have had their receipt. */
  finish(): void {
    if (!this.#ended || this.#open > 0 || this.#isOver) return
    this.#isOver = true
    const out = this.receipts()
    // when all came in one turn the answer has a length and needs no chunks
    this.begin(['Content-Length', String(Buffer.byteLength(out))])
    this.#call.response.end(out)
  }

  begin(length: readonly string[] = []): void {
    const { response, cors } = this.#call
    if (response.headersSent) return
    response.writeHead(200, ['Content-Type', 'application/x-ndjson', ...length, ...cors])
  }

  update(_sender: Component, path: string, message: Message): void {
    if (path === RECEIPT) this.#answer(message)
    else if (path === ERROR) this.#answer(jsonMessage(this.#told(bodyValue(message) as Fault)))
  }

  #pull(next: () => Uint8Array | FramingFault | undefined): void {
    for (let line = next(); line !== undefined; line = next()) {
      this.#number++
      if (line instanceof FramingFault) this.#wrong(TOO_LONG)
      else if (line.length > 0) this.#take(line as Buffer)
    }
  }

  /**
   * Finds the lines of a whole body as the framer does, in its text: that is not cut a second time. None is too long, since
   * what is longer than a line may be is not taken whole. All are read before the first is applied: the code for the one
   * and for the other is more than a processor keeps at hand.
   */
  #readText(body: Buffer): void {
    const text = body.toString('latin1')
    const source = new AsciiBytes(body)
    const lines: (readonly Frame[] | Fault)[] = []
    for (let start = 0, next = 0; start < text.length; start = next) {
      const feed = text.indexOf('\n', start)
      next = feed < 0 ? text.length : feed + 1
      let end = feed < 0 ? text.length : feed
      if (end > start && text.charCodeAt(end - 1) === CARRIAGE_RETURN) end--
      lines.push(end > start ? readFramesAt(text, start, end, source) : BLANK)
    }
    for (let i = 0; i < lines.length; i++) {
      this.#number++
      this.#apply(lines[i] as readonly Frame[] | Fault)
    }
  }

  #take(line: Buffer): void {
    if (isUtf8(line)) this.#apply(readFrames(line.toString()))
    else this.#wrong(NOT_UTF8)
  }

  #apply(frames: readonly Frame[] | Fault): void {
    const { hub } = this.#call.context
    if (isFault(frames)) return this.#wrong({ ...frames, code: 'LINE_INVALID' })
    // a line is nearly always one frame, for which an iterator costs as much as a check
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i] as Frame
      const wrong = refusal(hub, this.principal, frame)
      if (wrong !== undefined) {
        this.#wrong(this.#told(wrong))
        continue
      }
      this.#open++
      hub.update(this, frame.path, itemMessage(frame))
    }
  }

  /** Nobody is asked for a credential, somebody is told that it is no use. */
  #told(problem: Fault): Fault {
    return forCaller(problem, this.principal)
  }

  #wrong(problem: Fault): void {
    this.#call.context.hub.counters.fault(problem.code)
    this.#open++
    this.#answer(jsonMessage({ ...problem, line: this.#number }))
  }

  #answer(receipt: Message): void {
    this.#open--
    this.#out.push(receipt)
    if (this.#noted === undefined) this.finish()
    else this.#noted()
  }
}

/** Bytes of which each is a character. What is cut from them keeps nothing else. */
class AsciiBytes implements Cuttable {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  slice(start: number, end: number): string {
    return this.#bytes.toString('latin1', start, end)
  }
}

const NOTHING = Buffer.alloc(0)
const BLANK: readonly Frame[] = []
const CARRIAGE_RETURN = 13
const TOO_LONG = fault('LINE_TOO_LONG', 'the line is longer than limits.body', 413)
const NOT_UTF8 = fault('LINE_INVALID', 'not valid UTF-8')
