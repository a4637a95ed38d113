/**
 * The response to a request that came whole (RFC 9112, section 6), with the headers that node:http adds to its own.
 *
 *     state     writeHead   write, flushHeaders   end
 *     none      headed      -                     -
 *     headed    -           body                  over, in one piece with the head
 *     body      -           written               over
 *     over      -           -                     -
 *
 * Invariant: a body has the length that was said, or comes in chunks; nothing is written that is no header.
 */
import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'
import type { Socket } from 'node:net'
import type { WholeHead } from '@sapwood/wire'
import type { HttpResponse } from '../http-message.ts'

/** Whose response it is. */
export interface ResponseOwner {
  readonly socket: Socket
  /** Milliseconds that the connection stays open without a request. */
  readonly keepAlive: number
  /** Writes text, a byte a character, as soon as it may. */
  send(text: string): void
  /** Writes bytes behind all that was sent. @returns false if the connection has no room. */
  write(data: Uint8Array): boolean
  /** The response is written. */
  answered(response: WholeResponse): void
}

export class WholeResponse implements HttpResponse {
  shouldKeepAlive: boolean
  readonly #owner: ResponseOwner
  readonly #isHead: boolean
  #state: 'none' | 'headed' | 'body' | 'over' = 'none'
  /** Status line and fields, until they are sent. */
  #head = ''
  #status = 0
  #hasLength = false
  #hasDate = false
  #isChunked = false
  #trailers = ''
  #onDrain: (() => void) | undefined = undefined

  constructor(owner: ResponseOwner, head: Pick<WholeHead, 'method' | 'keepsAlive'>) {
    this.#owner = owner
    this.#isHead = head.method === 'HEAD'
    this.shouldKeepAlive = head.keepsAlive
  }

  get headersSent(): boolean {
    return this.#state !== 'none'
  }

  get socket(): Socket {
    return this.#owner.socket
  }

  writeHead(status: number, headers: readonly string[]): void {
    let head = statusLine(status)
    let hasLength = false
    let hasDate = false
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = headers[i] as string
      const value = headers[i + 1] as string
      const kind = kindOf(name)
      if (kind === 'length') hasLength = true
      else if (kind === 'date') hasDate = true
      validateHeaderValue(name, value)
      head += `${name}: ${value}\r\n`
    }
    this.#head = head
    this.#hasLength = hasLength
    this.#hasDate = hasDate
    this.#status = status
    this.#state = 'headed'
  }

  flushHeaders(): void {
    if (this.#state !== 'headed') return
    this.#state = 'body'
    this.#isChunked = !this.#hasLength && !this.#isBare
    this.#owner.send(this.#headText(this.#isChunked ? 'Transfer-Encoding: chunked\r\n' : ''))
  }

  write(part: Uint8Array): boolean {
    this.flushHeaders()
    if (this.#state !== 'body' || this.#isBare || part.length === 0) return true
    const owner = this.#owner
    if (!this.#isChunked) return owner.write(part)
    owner.socket.cork()
    owner.send(`${part.length.toString(16)}\r\n`)
    const hasRoom = owner.write(part)
    owner.send('\r\n')
    owner.socket.uncork()
    return hasRoom
  }

  addTrailers(trailers: readonly [string, string][]): void {
    for (const [name, value] of trailers) {
      kindOf(name)
      validateHeaderValue(name, value)
      this.#trailers += `${name}: ${value}\r\n`
    }
  }

  end(body: Uint8Array | string = '', encoding: 'latin1' | 'utf8' = 'utf8'): void {
    if (this.#state === 'headed') this.#endWhole(this.#isBare ? '' : body, encoding)
    else if (this.#state === 'body') this.#endBody(body, encoding)
    else return
    this.#state = 'over'
    this.#owner.answered(this)
  }

  writeContinue(): void {
    this.#owner.send('HTTP/1.1 100 Continue\r\n\r\n')
  }

  writeProcessing(): void {
    this.#owner.send('HTTP/1.1 102 Processing\r\n\r\n')
  }

  writeEarlyHints(hints: Record<string, string[]>): void {
    let text = 'HTTP/1.1 103 Early Hints\r\n'
    for (const [name, values] of Object.entries(hints)) {
      kindOf(name)
      for (const value of values) {
        validateHeaderValue(name, value)
        text += `${name}: ${value}\r\n`
      }
    }
    this.#owner.send(`${text}\r\n`)
  }

  on(_event: 'drain', listener: () => void): void {
    this.#onDrain = listener
  }

  /** @internal of the connection: it has room again. */
  drained(): void {
    if (this.#state === 'body') this.#onDrain?.call(this)
  }

  cork(): void {
    this.#owner.socket.cork()
  }

  uncork(): void {
    this.#owner.socket.uncork()
  }

  destroy(): void {
    this.#owner.socket.destroy()
  }

  /** Has the response no body, whatever its head says? */
  get #isBare(): boolean {
    return this.#isHead || this.#status === 204 || this.#status === 304
  }

  #endWhole(body: Uint8Array | string, encoding: 'latin1' | 'utf8'): void {
    const bytes = Buffer.byteLength(body, encoding)
    const needsLength = !this.#hasLength && !this.#isBare
    const head = this.#headText(needsLength ? `Content-Length: ${bytes}\r\n` : '')
    // each character is a byte: head and body leave as one text
    if (typeof body === 'string' && body.length === bytes) return this.#owner.send(head + body)
    this.#owner.send(head)
    this.#owner.write(typeof body === 'string' ? Buffer.from(body, encoding) : body)
  }

  #endBody(body: Uint8Array | string, encoding: 'latin1' | 'utf8'): void {
    if (body.length > 0) this.write(typeof body === 'string' ? Buffer.from(body, encoding) : body)
    if (this.#isChunked) this.#owner.send(`0\r\n${this.#trailers}\r\n`)
  }

  #headText(length: string): string {
    const { keepAlive } = this.#owner
    const connection = this.shouldKeepAlive
      ? `keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAlive / 1000)}`
      : 'close'
    const date = this.#hasDate ? '' : `Date: ${dateNow()}\r\n`
    return `${this.#head}${date}Connection: ${connection}\r\n${length}\r\n`
  }
}

const LINES = new Map<number, string>()

function statusLine(status: number): string {
  const known = LINES.get(status)
  if (known !== undefined) return known
  if (!Number.isInteger(status) || status < 200 || status > 999) {
    throw new RangeError(`${status} is no status of an answer`)
  }
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
  LINES.set(status, line)
  return line
}

type Kind = 'length' | 'date' | 'field'

/** Names that were found good, so that each is looked at once. */
const KINDS = new Map<string, Kind>()
const KINDS_MOST = 512

/** @throws TypeError of what is no name. */
function kindOf(name: string): Kind {
  const known = KINDS.get(name)
  if (known !== undefined) return known
  validateHeaderName(name)
  const lower = name.toLowerCase()
  const kind = lower === 'content-length' ? 'length' : lower === 'date' ? 'date' : 'field'
  if (KINDS.size < KINDS_MOST) KINDS.set(name, kind)
  return kind
}

let second = 0
let date = ''

function dateNow(): string {
  const now = Math.floor(Date.now() / 1000)
  if (now !== second) {
    second = now
    date = new Date(now * 1000).toUTCString()
  }
  return date
}
