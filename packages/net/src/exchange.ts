/**
 * Requests and their replies on one connection, told apart by a key in the frames: an id, or id and question as DNS
 * has it. It is the connection's application.
 * Invariant: every request is answered once or rejected once; no more wait than `limit`; what matches no request is
 * a stranger's and goes to `otherwise`.
 */
import { type Fault, SapwoodError, type Timed, Timer } from '@sapwood/core'
import type { FramingFault } from '@sapwood/wire'
import type { Application } from './application.ts'
import type { Connection } from './connection.ts'

export interface ExchangeOptions<Frame> {
  /** What a request and its reply have in common, and no two requests at a time; undefined if it is neither. */
  readonly key: (frame: Frame) => string | number | undefined
  /** Milliseconds that a reply may take; each attempt has as long. */
  readonly timeout?: number
  /** How often a request is sent in all: more than once over UDP, where it may be lost. */
  readonly attempts?: number
  /** Requests that may wait at a time. */
  readonly limit?: number
  /** Gets what is no reply. */
  readonly otherwise?: Application<Frame>
}

const TIMEOUT = 5_000
const LIMIT = 1_024

/**
 * @example
 * const connection = await connections('udp').connect(server, (one) => new Exchange(one, { key: idOf, attempts: 3 }))
 * const reply = await connection.application.request(query)
 */
export class Exchange<Frame> implements Application<Frame> {
  readonly #connection: Connection
  readonly #options: ExchangeOptions<Frame>
  readonly #waiting = new Map<string | number, Request<Frame>>()

  constructor(connection: Connection, options: ExchangeOptions<Frame>) {
    this.#connection = connection
    this.#options = options
  }

  /** Requests without a reply so far. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Sends a request and gives its reply.
   * @throws SapwoodError REPLY_MISSING, REQUEST_UNMATCHED (no key, or one that waits already), REQUESTS_FULL,
   *   CONNECTION_CLOSED
   */
  request(frame: Frame): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const { limit = LIMIT, attempts = 1 } = this.#options
      const key = this.#options.key(frame)
      if (key === undefined || this.#waiting.has(key)) {
        const detail = 'a request needs a key that no other one waits with'
        throw new SapwoodError('REQUEST_UNMATCHED', detail)
      }
      if (this.#waiting.size >= limit) {
        throw new SapwoodError('REQUESTS_FULL', `${limit} requests wait for their replies`)
      }
      if (!this.#connection.open) throw closed()
      const request = new Request(this, key, frame, attempts, resolve, reject)
      this.#send(request)
      this.#waiting.set(key, request)
    })
  }

  /** Closes the connection; requests that wait are rejected. Closing only the connection lets them wait in vain. */
  close(): void {
    this.#connection.close()
    this.#reject(null)
  }

  received(frame: Frame, connection: Connection): unknown {
    const key = this.#options.key(frame)
    const request = key === undefined ? undefined : this.#waiting.get(key)
    if (request === undefined) return this.#options.otherwise?.received(frame, connection)
    this.#forget(request)
    request.resolve(frame)
    return undefined
  }

  /** The reply to one attempt did not come. */
  late(request: Request<Frame>): void {
    if (request.left > 0 && this.#connection.open) {
      this.#send(request)
      return
    }
    this.#forget(request)
    const { timeout = TIMEOUT, attempts = 1 } = this.#options
    const detail = `no reply within ${timeout} ms, ${attempts} time(s); the other end may be gone or busy`
    request.reject(new SapwoodError('REPLY_MISSING', detail, { status: 504 }))
  }

  misframed(fault: FramingFault, connection: Connection): void {
    this.#options.otherwise?.misframed?.(fault, connection)
  }

  drained(connection: Connection): void {
    this.#options.otherwise?.drained?.(connection)
  }

  closed(reason: Fault | null, connection: Connection): void {
    this.#reject(reason)
    this.#options.otherwise?.closed?.(reason, connection)
  }

  #reject(reason: Fault | null): void {
    for (const request of [...this.#waiting.values()]) {
      this.#forget(request)
      request.reject(closed(reason))
    }
  }

  /** @throws SapwoodError for a frame that the framer cannot carry. */
  #send(request: Request<Frame>): void {
    this.#connection.send(request.frame)
    request.left--
    this.#connection.wheel.set(request.timer, this.#options.timeout ?? TIMEOUT)
  }

  #forget(request: Request<Frame>): void {
    this.#connection.wheel.clear(request.timer)
    this.#waiting.delete(request.key)
  }
}

class Request<Frame> implements Timed {
  readonly #exchange: Exchange<Frame>
  readonly key: string | number
  readonly frame: Frame
  readonly timer: Timer
  readonly resolve: (reply: Frame) => void
  readonly reject: (error: SapwoodError) => void
  /** Attempts that may still be made. */
  left: number

  constructor(
    exchange: Exchange<Frame>,
    key: string | number,
    frame: Frame,
    attempts: number,
    resolve: (reply: Frame) => void,
    reject: (error: SapwoodError) => void,
  ) {
    this.#exchange = exchange
    this.key = key
    this.frame = frame
    this.left = attempts
    this.resolve = resolve
    this.reject = reject
    this.timer = new Timer(this)
  }

  expired(): void {
    this.#exchange.late(this)
  }
}

function closed(reason?: Fault | null): SapwoodError {
  const why = reason ? `: ${reason.code}, ${reason.detail}` : ''
  return new SapwoodError('CONNECTION_CLOSED', `the connection is closed${why}`, { status: 502 })
}
