/**
 * A line inside an HTTP request, `GET /<percent-encoded line> HTTP/1.1` (DB-13): for programs that can fetch a URL and
 * nothing else. Only where the operator switches it on, since a GET that changes something can be sent from any page:
 * nobody is trusted here but by the key in `Authorization: Bearer KEY`.
 * Invariant: one request, one answer, then the end, within a limit in lines and in time.
 */
import type { Component, Fault, Message, Principal, Timed } from '@sapwood/core'
import { ANYONE, bodyValue, NO_ID, RECEIPT, Timer } from '@sapwood/core'
import type { FramingFault } from '@sapwood/wire'
import { parseLine } from '@sapwood/wire'
import type { Application } from '../application.ts'
import type { Connection } from '../connection.ts'
import { SHUTDOWN } from '../faults.ts'
import type { LineHost } from './line-host.ts'
import { ERROR } from './line-words.ts'

/** Lines of a head. */
const LINES = 100
/** Milliseconds that it may take. */
const TIME = 10_000

const TITLES: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

const HEADER_TOO_LARGE: Fault = {
  code: 'HEADER_TOO_LARGE',
  detail: `the head has a line that is too long, or more than ${LINES} of them`,
  status: 431,
}
const HEADER_TIMEOUT: Fault = {
  code: 'HEADER_TIMEOUT',
  detail: `the head did not come within ${TIME / 1000} s`,
  status: 408,
}
const TARGET_INVALID: Fault = {
  code: 'TARGET_INVALID',
  detail: 'the target has to be /<path;message>, percent-encoded UTF-8',
  status: 400,
}

/** Is this the first line of a request that this takes? It has three parts. */
export function isLineGet(line: string): boolean {
  return /^GET \/\S* HTTP\/1\.[01]$/.test(line)
}

export class LineGet implements Application<string>, Component, Timed {
  id: string = NO_ID
  principal: Principal = ANYONE
  readonly #host: LineHost
  readonly #connection: Connection
  readonly #target: string
  readonly #timer: Timer = new Timer(this)
  #key: string | undefined
  #lines = 0
  #state: 'head' | 'waiting' | 'over' = 'head'

  /** @param first the first line of the request. */
  constructor(host: LineHost, connection: Connection, first: string) {
    this.#host = host
    this.#connection = connection
    this.#target = first.split(' ')[1] ?? ''
    host.wheel.set(this.#timer, TIME)
  }

  received(line: string): void {
    if (this.#state !== 'head') return
    if (line !== '') this.#header(line)
    else if (this.#key === undefined) this.#publish()
    else {
      this.#state = 'waiting'
      this.#host.login(this.#key, (fault, principal) => {
        // told that it took too long, or gone: nothing may happen on their behalf any more
        if (this.#state === 'over') return
        if (principal === undefined) return this.#refuse({ ...(fault as Fault), status: 401 })
        this.principal = principal
        this.#publish()
      })
    }
  }

  misframed(fault: FramingFault): void {
    if (!fault.final) this.#refuse(HEADER_TOO_LARGE)
  }

  closed(reason: Fault | null): void {
    if (reason !== null && reason !== SHUTDOWN) this.#host.fault(reason.code)
    this.#over()
  }

  expired(): void {
    this.#refuse(HEADER_TIMEOUT)
  }

  update(_sender: Component, path: string, message: Message): void {
    if (path === RECEIPT) this.#answer(200, '{"sent":true}', 'application/json')
    else if (path === ERROR) this.#deny(bodyValue(message) as Fault)
  }

  #header(line: string): void {
    if (++this.#lines > LINES) return this.#refuse(HEADER_TOO_LARGE)
    const [, scheme] = /^authorization:[ \t]*(.*?)[ \t]*$/i.exec(line) ?? []
    // another scheme proves nobody here, and that must be said
    if (scheme !== undefined) this.#key = /^bearer +(\S+)$/i.exec(scheme)?.[1] ?? ''
  }

  #publish(): void {
    this.#state = 'waiting'
    let line: string
    try {
      line = decodeURIComponent(this.#target.slice(1))
    } catch {
      return this.#refuse(TARGET_INVALID)
    }
    const { path, message } = parseLine(line)
    this.#host.publish(this, path, message)
  }

  #refuse(fault: Fault): void {
    this.#host.fault(fault.code)
    this.#deny(fault)
  }

  #deny({ code, detail, status = 400 }: Fault): void {
    const said = status === 403 && this.principal === ANYONE ? 401 : status
    const title = TITLES[said] ?? 'Error'
    const text = JSON.stringify({ type: 'about:blank', title, status: said, code, detail })
    this.#answer(said, text, 'application/problem+json')
  }

  #answer(status: number, text: string, type: string): void {
    if (this.#state === 'over') return
    this.#over()
    const head = [
      `HTTP/1.1 ${status} ${TITLES[status] ?? 'Error'}`,
      `Content-Type: ${type}`,
      `Content-Length: ${Buffer.byteLength(text)}`,
      'Cache-Control: no-store',
      'X-Content-Type-Options: nosniff',
      'Connection: close',
      ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ]
    this.#connection.send(Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`))
    this.#connection.close()
  }

  #over(): void {
    this.#state = 'over'
    this.#host.wheel.clear(this.#timer)
  }
}
