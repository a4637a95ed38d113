/** Two sessions of the pipe and the links between them, as a network may carry them: in pieces, slowly, and cut anywhere. */
import type { Fault } from '@sapwood/core'
import type {
  FieldList,
  PipeEvents,
  PipeLimits,
  PipeStream,
  RequestHead,
  ResponseHead,
} from '@sapwood/wire'
import { isFault, NO_FIELDS, PipeFramer, PipeLink, PipeSession, refusal } from '@sapwood/wire'

export const ID: Uint8Array = new Uint8Array(16).fill(7)
export const SECRET: Uint8Array = new Uint8Array(32).fill(9)

export const GET: RequestHead = {
  method: 'GET',
  target: '/time',
  headers: NO_FIELDS,
  timeout: 0,
  trace: '',
  hops: 0,
}
export const OK: ResponseHead = { status: 200, headers: NO_FIELDS, code: 0 }

/** One whole frame. */
export function frame(
  type: number,
  stream: number,
  payload: Uint8Array | readonly number[],
  ends = false,
): Buffer {
  const bytes = Uint8Array.from(payload)
  const { length } = bytes
  const whole = { type, stream, ends, payload: bytes, length, first: true, last: true }
  return Buffer.from(new PipeFramer().encode(whole))
}

/** The eight bytes of a count. */
export function wide(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

/** One end: what it was told, in words, and the bodies that came. */
export class End implements PipeEvents {
  readonly session: PipeSession
  readonly said: string[] = []
  readonly bodies: Map<number, Uint8Array[]> = new Map()
  readonly updates: Uint8Array[] = []
  readonly #streams: Map<number, PipeStream> = new Map()
  /** Whether what comes is taken at once. */
  takes = true
  /** What is done with a request when it has ended. */
  answer: (stream: PipeStream) => void = () => {}
  asks = 0

  constructor(side: 'dialler' | 'listener', limits: Partial<PipeLimits> = {}, name = '') {
    const options = { side, id: ID, secret: SECRET, instance: side, limits, name }
    this.session = new PipeSession(options, this)
  }

  /** All bytes of a stream's body. */
  body(stream: number): Buffer {
    return Buffer.concat(this.bodies.get(stream) ?? [])
  }

  /** The stream of the peer with this id. */
  stream(id: number): PipeStream {
    const stream = this.#streams.get(id)
    if (stream === undefined) throw new Error(`no stream ${id}`)
    return stream
  }

  /** What was said, and forgets it. */
  heard(): string[] {
    return this.said.splice(0)
  }

  output(): void {
    this.asks++
  }

  live(resumed: boolean): void {
    this.said.push(resumed ? 'resumed' : 'live')
  }

  request(stream: PipeStream, head: RequestHead): void {
    this.#streams.set(stream.id, stream)
    this.said.push(`${stream.id} ${head.method} ${head.target}`)
  }

  response(stream: PipeStream, head: ResponseHead): void {
    this.said.push(`${stream.id} ${head.status}`)
  }

  data(stream: PipeStream, part: Uint8Array): void {
    // a copy: what was handed on must not change, and the test would not see it
    const parts = this.bodies.get(stream.id)
    if (parts === undefined) this.bodies.set(stream.id, [part.slice()])
    else parts.push(part.slice())
    if (this.takes) this.session.took(stream, part.length, this.session.now)
  }

  ended(stream: PipeStream, trailers: FieldList | undefined): void {
    this.said.push(`${stream.id} ended${trailers === undefined ? '' : ` ${trailers.join()}`}`)
    if (!stream.own) this.answer(stream)
  }

  reset(stream: PipeStream, fault: Fault, undelivered: boolean): void {
    this.said.push(`${stream.id} ${fault.code}${undelivered ? ' undelivered' : ''}`)
  }

  drained(stream: PipeStream): void {
    this.said.push(`${stream.id} drained`)
  }

  writable(): void {
    this.said.push('writable')
  }

  update(bytes: Uint8Array): void {
    this.updates.push(bytes.slice())
  }

  goaway(fault: Fault, retryAfter: number): void {
    this.said.push(`goaway ${fault.code} ${retryAfter}`)
  }

  fault(fault: Fault): void {
    this.said.push(`fault ${fault.code}`)
  }

  refused(fault: Fault, retryAfter: number): void {
    this.said.push(`refused ${fault.code} ${retryAfter}`)
  }

  closed(fault: Fault): void {
    this.said.push(`closed ${fault.code}`)
  }
}

/** What travels one way on one connection. */
class Wire {
  readonly #bytes: Uint8Array[] = []
  length = 0

  write(bytes: Uint8Array): void {
    // a copy, as a network makes: the slabs are written again
    this.#bytes.push(bytes.slice())
    this.length += bytes.length
  }

  /** Up to `most` of the bytes that are under way. */
  take(most: number): Uint8Array {
    const all = Buffer.concat(this.#bytes.splice(0))
    if (all.length > most) this.#bytes.push(all.subarray(most))
    this.length = Math.max(0, all.length - most)
    return all.subarray(0, most)
  }
}

/** One connection between the two. */
export class Connection {
  readonly dialler: PipeLink
  readonly listener: PipeLink = new PipeLink()
  readonly up: Wire = new Wire()
  readonly down: Wire = new Wire()
  accepted = false

  constructor(dialler: PipeLink) {
    this.dialler = dialler
  }
}

/** Everything that may be under way on a link. */
const ALL = Number.MAX_SAFE_INTEGER
const ROOM = 131_072

export class Pair {
  readonly near: End
  far: End
  now = 1_000
  connection: Connection

  constructor(near: Partial<PipeLimits> = {}, far: Partial<PipeLimits> = near) {
    this.near = new End('dialler', near)
    this.far = new End('listener', far)
    this.connection = this.dial()
  }

  /** A new connection; the former is not served any more. */
  dial(): Connection {
    this.connection = new Connection(this.near.session.dial(this.now))
    return this.connection
  }

  /** The connection breaks: what is under way is lost. */
  cut(): void {
    this.near.session.cut(this.connection.dialler)
    this.far.session.cut(this.connection.listener)
  }

  /** Both ends write what they have. */
  flush(room = ROOM): void {
    const { connection, near, far, now } = this
    near.session.flush(connection.dialler, room - connection.up.length, connection.up, now)
    if (connection.accepted) {
      far.session.flush(connection.listener, room - connection.down.length, connection.down, now)
    }
  }

  /** Up to so many bytes arrive at the listener. */
  carryUp(most = ALL): void {
    this.toListener(this.connection.up.take(most))
  }

  /** Up to so many bytes arrive at the dialler. */
  carryDown(most = ALL): void {
    const { connection, near, now } = this
    near.session.receive(connection.dialler, connection.down.take(most), now)
  }

  /** Bytes arrive at the listener, whoever wrote them. */
  toListener(bytes: Uint8Array): void {
    const { connection, far, now } = this
    if (connection.accepted) return far.session.receive(connection.listener, bytes, now)
    const hello = connection.listener.greet(bytes)
    if (hello === undefined) return
    const fault = isFault(hello) ? hello : far.session.accept(connection.listener, hello, now)
    connection.accepted = fault === undefined
    if (fault !== undefined) connection.down.write(refusal(fault, fault.code === 'SESSION_UNKNOWN'))
  }

  /** Carries all that there is, both ways, until nothing comes any more. */
  settle(room = ROOM): void {
    for (let i = 0; i < 1_000; i++) {
      this.flush(room)
      if (this.connection.up.length + this.connection.down.length === 0) return
      this.carryUp()
      this.carryDown()
    }
    throw new Error('the two never come to rest')
  }

  /** Time passes. */
  wait(ms: number): void {
    this.now += ms
    for (const { session } of [this.near, this.far]) {
      if (session.due <= this.now) session.tick(this.now)
    }
  }
}

/** What `pattern` repeats, which no turn of bodies does. */
const PERIOD = 65_521

/** Bytes of which each place tells where it is. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  const first = Math.min(length, PERIOD)
  for (let i = 0; i < first; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + seed) & 255
  for (let at = PERIOD; at < length; at *= 2) bytes.copyWithin(at, 0, at)
  return bytes
}
