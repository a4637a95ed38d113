/**
 * Request bodies: collected within a limit in bytes and in time, then read as what they are.
 * Invariant: never more than the limit is held; a body that is late or too large gets its answer and the
 * connection is closed.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault, Message, Meta, Timed, Wheel } from '@sapwood/core'
import { BYTES_TYPE, JSON_TYPE, message, NO_META, TEXT_TYPE, Timer } from '@sapwood/core'
import { isFault, isJson, isSurelyJson, mediaType, singleLine } from '@sapwood/wire'
import { LINGER } from './end-socket.ts'
import { fault } from './problem.ts'
import { STOPPED } from './unanswered.ts'

/** What takes a body when it is complete. */
export interface BodyTaker {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Bytes that it may have beyond the limit; none, if nothing is said. */
  readonly more?: number
  /** @param body undefined when there was none. */
  take(body: Buffer | undefined): void
  /** It will not come: too large, too late, cut off. */
  refuse(fault: Fault): void
}

interface Collecting {
  readonly taker: BodyTaker
  first: Buffer | undefined
  more: Buffer[] | undefined
  size: number
  since: number
}

const COLLECTING: unique symbol = Symbol('collecting')
type Request = IncomingMessage & { [COLLECTING]?: Collecting }

const TOO_LATE = fault('BODY_TIMEOUT', 'the body did not come within limits.body_time', 408)
/** How often late bodies are looked for, in milliseconds. */
const LOOK = 250

export class Bodies implements Timed {
  readonly #wheel: Wheel
  readonly #limit: number
  readonly #time: number
  readonly #timer: Timer
  readonly #open = new Set<Collecting>()
  readonly #onData: (this: Request, chunk: Buffer) => void
  readonly #onEnd: (this: Request) => void
  readonly #onClose: (this: Request) => void

  /**
   * @param limit bytes of a body.
   * @param time milliseconds that a body may take.
   */
  constructor(wheel: Wheel, limit: number, time: number) {
    this.#wheel = wheel
    this.#limit = limit
    this.#time = time
    this.#timer = new Timer(this)
    const bodies = this
    // shared by all requests: a closure per request would cost more than the work in it
    this.#onData = function (chunk) {
      bodies.#collect(this, chunk)
    }
    this.#onEnd = function () {
      bodies.#complete(this)
    }
    this.#onClose = function () {
      const collecting = this[COLLECTING]
      if (collecting !== undefined) bodies.#open.delete(collecting)
    }
  }

  /** Collects the body of `taker.request`. */
  collect(taker: BodyTaker): void {
    const request = taker.request as Request
    const collecting: Collecting = {
      taker,
      first: undefined,
      more: undefined,
      size: 0,
      since: this.#wheel.now(),
    }
    request[COLLECTING] = collecting
    this.#open.add(collecting)
    if (!this.#timer.pending) this.#wheel.set(this.#timer, LOOK)
    request.on('data', this.#onData)
    request.on('end', this.#onEnd)
    request.on('close', this.#onClose)
  }

  /** Looks for bodies that are late. */
  expired(): void {
    const oldest = this.#wheel.now() - this.#time
    for (const collecting of this.#open) {
      // in the order in which they began
      if (collecting.since > oldest) break
      this.#give(collecting, TOO_LATE)
    }
    if (this.#open.size > 0) this.#wheel.set(this.#timer, LOOK)
  }

  /** What has not come whole by now is refused. */
  close(): void {
    for (const collecting of [...this.#open]) this.#give(collecting, STOPPED)
    this.#wheel.clear(this.#timer)
  }

  #collect(request: Request, chunk: Buffer): void {
    const collecting = request[COLLECTING]
    if (collecting === undefined) return
    collecting.size += chunk.length
    const { more = 0 } = collecting.taker
    if (collecting.size > this.#limit + more) {
      this.#give(collecting, bodyTooLarge(this.#limit, more))
    } else if (collecting.first === undefined) collecting.first = chunk
    else {
      collecting.more ??= [collecting.first]
      collecting.more.push(chunk)
    }
  }

  #complete(request: Request): void {
    const collecting = request[COLLECTING]
    if (collecting === undefined || !this.#open.delete(collecting)) return
    const { taker, first, more, size } = collecting
    taker.take(more === undefined ? first : Buffer.concat(more, size))
  }

  #give(collecting: Collecting, problem: Fault): void {
    const { taker } = collecting
    if (!this.#open.delete(collecting)) return
    const request = taker.request as Request
    delete request[COLLECTING]
    collecting.first = collecting.more = undefined
    taker.response.shouldKeepAlive = false
    taker.refuse(problem)
    // the rest is read and dropped for a moment, so that the answer is not lost in a reset
    request.resume()
    taker.response.once('finish', () => setTimeout(() => request.destroy(), LINGER).unref())
  }
}

/** @param more bytes that it may have beyond the limit. */
export function bodyTooLarge(limit: number, more: number): Fault {
  const beyond = more === 0 ? '' : ` and ${more} bytes more`
  const detail = `the body is larger than limits.body (${limit} bytes)${beyond}`
  return fault('BODY_TOO_LARGE', detail, 413)
}

/** Bytes around a body that are no loss: those of a head. */
const SPARE = 1024
const EMPTY_JSON = '""'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/**
 * Reads a body as its media type says: JSON is checked and kept as it was written, on one line; without a type it is JSON
 * if it parses, else text if it is UTF-8, else bytes.
 */
export function readBody(
  body: Buffer | undefined,
  contentType: string | undefined,
): Message | Fault {
  return readTyped(body, mediaType(contentType), NO_META)
}

/** The same for an update, which is kept, and where the type that curl sends by itself says as little as none. */
export function readUpdate(
  body: Buffer | undefined,
  contentType: string | undefined,
  meta: Meta,
): Message | Fault {
  const type = mediaType(contentType)
  const read = readTyped(body, type === FORM_TYPE ? '' : type, meta)
  if (isFault(read) || !Buffer.isBuffer(read.body)) return read
  return message(ownBytes(read.body), read.type, meta)
}

function readTyped(body: Buffer | undefined, type: string, meta: Meta): Message | Fault {
  if (type === JSON_TYPE) {
    const text = textOf(body)
    if (text === undefined) return fault('BODY_INVALID', 'the body is not valid UTF-8')
    const wrong = isSurelyJson(text) ? undefined : jsonFault(text)
    return wrong ?? message(singleLine(text), JSON_TYPE, meta)
  }
  if (body === undefined) return message(EMPTY_JSON, JSON_TYPE, meta)
  if (type === '') return guessed(body, meta)
  const text = isTextual(type) ? textOf(body) : undefined
  return message(text ?? body, type, meta)
}

function guessed(body: Buffer, meta: Meta): Message {
  const text = textOf(body)
  if (text === undefined) return message(body, BYTES_TYPE, meta)
  return isJson(text) ? message(singleLine(text), JSON_TYPE, meta) : message(text, TEXT_TYPE, meta)
}

/** Bytes that are a small part of what was read with them are copied: kept, they would keep all of that. */
function ownBytes(body: Buffer): Buffer {
  const { length } = body
  const rest = body.buffer.byteLength - length
  if (rest <= SPARE || rest <= length) return body
  const own = Buffer.allocUnsafeSlow(length)
  body.copy(own)
  return own
}

/** What is wrong with it, if it is not JSON. */
function jsonFault(text: string): Fault | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (thrown) {
    return fault('BODY_INVALID', `the body is not valid JSON: ${(thrown as Error).message}`)
  }
}

/** The text of a body, undefined when it is not UTF-8. */
export function textOf(body: Buffer | undefined): string | undefined {
  if (body === undefined) return ''
  if (isAscii(body)) return body.toString('latin1')
  return isUtf8(body) ? body.toString('utf8') : undefined
}

function isTextual(type: string): boolean {
  return (
    type.startsWith('text/') ||
    type.endsWith('+json') ||
    type.endsWith('+xml') ||
    type === 'application/xml' ||
    type === FORM_TYPE ||
    type === 'application/javascript'
  )
}
