/**
 * Lines over UDP: each datagram holds one or more whole lines. Who only publishes is nobody that is remembered: its
 * connection ends with its datagram. Who echoes the cookie that answers `::hello` has proved its address, and is a
 * session until it is silent for too long.
 *
 *     state      ::hello          ::hello with cookie    ::exit   other line             silence
 *     unproved   cookie           session, hello; proved -        published              -
 *     proved     hello            hello                  unproved taken                  unproved
 *
 * Invariant: before its address is proved a datagram is answered with no more bytes than it has; `::key` counts for
 * its own datagram.
 */
import type {
  CarriedSession,
  Downstream,
  Farewell,
  Fault,
  Principal,
  Timed,
  Update,
} from '@sapwood/core'
import { jsonMessage, Timer, textOf } from '@sapwood/core'
import { FramingFault, lineForm, parseLine } from '@sapwood/wire'
import { formatAddress, sourceOf } from '../address.ts'
import type { Application } from '../application.ts'
import type { Connection } from '../connection.ts'
import { applicationFault, SHUTDOWN } from '../faults.ts'
import { checkKey } from './check-key.ts'
import type { Cookies } from './cookies.ts'
import { addressesFull, CHECKS, LIMIT_CHECKS, updateTooLarge } from './datagram-faults.ts'
import type { LineEncoder } from './line-encoder.ts'
import type { LineHost } from './line-host.ts'
import { LineReading } from './line-reading.ts'
import {
  answerable,
  BYE,
  ERROR,
  EXIT,
  HELLO,
  helloWords,
  KEY,
  KEY_MISSING,
  told,
} from './line-words.ts'
import { LONGEST_PACKET, sendPackets } from './packets.ts'

/** What all addresses of one port share. */
export interface LineDatagramsShared<Session extends CarriedSession> {
  readonly host: LineHost<Session>
  readonly encoder: LineEncoder
  readonly cookies: Cookies
  /** Bytes of a line. */
  readonly length: number
  /** Milliseconds of silence after which an address is forgotten. */
  readonly idle: number
  /** Addresses that may be sessions at a time. */
  readonly addresses: number
  /** Those that are. */
  readonly proved: Set<LineDatagrams<Session>>
  /** Keys that are being checked. */
  checking: number
}

export class LineDatagrams<Session extends CarriedSession>
  implements Application<Uint8Array>, Downstream, Timed
{
  readonly kind = 'line'
  readonly greets = false
  readonly pings = false
  readonly #shared: LineDatagramsShared<Session>
  readonly #connection: Connection
  readonly #principal: Principal
  #session: Session | undefined
  #idle: Timer | undefined
  /** Datagrams that are not read to their end. */
  #readings = 0

  constructor(shared: LineDatagramsShared<Session>, connection: Connection) {
    this.#shared = shared
    this.#connection = connection
    this.#principal = shared.host.identify(connection)
  }

  get room(): number {
    return this.#connection.room
  }

  /** Each datagram by itself, as on the way here: one whose key is being checked holds no other one up. */
  received(datagram: Uint8Array): void {
    const { host, idle, length } = this.#shared
    if (this.#idle !== undefined) host.wheel.set(this.#idle, idle)
    this.#session?.seen()
    this.#readings++
    this.#read(new LineReading(this.#connection, datagram, length, this.#principal))
  }

  closed(reason: Fault | null): void {
    if (reason !== null && reason !== SHUTDOWN) this.#shared.host.fault(reason.code)
    this.#forget()
  }

  drained(): void {
    this.#session?.drained()
  }

  /** Nothing came for too long. */
  expired(): void {
    this.#forget()
    this.#connection.destroy()
  }

  send(updates: readonly Update[]): void {
    const lines = answerable(updates, this.#session).map((update) => this.#line(update))
    sendPackets(lines, (packet) => this.#connection.send(packet))
  }

  probe(): boolean {
    return false
  }

  close(farewell: Farewell): readonly Update[] {
    if (this.#session === undefined) return []
    this.#connection.send(lineForm.encode(told(BYE, farewell)))
    this.#forget()
    this.#connection.destroy()
    return []
  }

  #read(reading: LineReading): void {
    while (this.#connection.open) {
      const line = reading.next()
      if (line === undefined) break
      if (line instanceof FramingFault) {
        this.#wrong(reading, line)
        if (line.final) break
      } else if (line !== '') {
        const wait = this.#take(reading, line)
        if (wait !== undefined) return this.#readAfter(wait, reading)
      }
    }
    this.#readings--
    // at once: the next datagram of this address may be here already
    if (this.#session === undefined && this.#readings === 0) this.#connection.destroy()
  }

  #readAfter(wait: Promise<void>, reading: LineReading): void {
    wait
      .then(() => this.#read(reading))
      .catch((thrown) => this.#connection.destroy(applicationFault(thrown)))
  }

  #take(reading: LineReading, line: string): Promise<void> | undefined {
    const { host } = this.#shared
    const { path, message } = parseLine(line)
    const session = this.#session
    if (path === KEY) return this.#login(reading, textOf(message))
    if (path === HELLO) this.#hello(reading, helloWords(textOf(message)))
    else if (path === EXIT) this.#exit(reading)
    else if (session === undefined) host.publish(reading.sender, path, message)
    else host.receive(session, path, message, reading.principal)
    return undefined
  }

  #login(reading: LineReading, key: string): Promise<void> | undefined {
    const shared = this.#shared
    const refusal = key === '' ? KEY_MISSING : shared.checking >= CHECKS ? LIMIT_CHECKS : undefined
    if (refusal !== undefined) {
      this.#denied(reading, refusal)
      return undefined
    }
    shared.checking++
    return checkKey(shared.host, key, (principal, fault) => {
      shared.checking--
      if (principal === undefined) this.#denied(reading, fault)
      else reading.principal = principal
    })
  }

  /** What stands behind a key was to be done with its rights. */
  #denied(reading: LineReading, fault: Fault): void {
    this.#wrong(reading, fault)
    reading.skip()
  }

  #hello(reading: LineReading, words: readonly string[]): void {
    const address = formatAddress(this.#connection.remote)
    const { cookies, host } = this.#shared
    const isEcho = cookies.check(address, words.at(-1) ?? '')
    if (this.#session === undefined && !isEcho) return reading.challenge(cookies.make(address))
    const session = this.#session ?? this.#open(reading)
    if (session === undefined) return
    session.tell(HELLO, { id: session.id })
    const name = words[0]
    const isNamed = name !== undefined && !(isEcho && words.length === 1)
    if (isNamed && name !== session.name) {
      host.receive(session, HELLO, jsonMessage({ name }), reading.principal)
    }
  }

  #open(reading: LineReading): Session | undefined {
    const { host, proved, addresses, idle } = this.#shared
    const source = sourceOf(this.#connection.remote)
    const refusal = proved.size >= addresses ? addressesFull(addresses) : host.refusal(source)
    if (refusal !== undefined) {
      this.#wrong(reading, refusal)
      return undefined
    }
    const session = host.open(this.#principal, source)
    this.#session = session
    this.#idle = new Timer(this)
    host.wheel.set(this.#idle, idle)
    proved.add(this)
    session.attach(this)
    return session
  }

  #exit(reading: LineReading): void {
    reading.skip()
    this.#session?.flush(this.#shared.host.wheel.now())
    this.#forget()
  }

  #forget(): void {
    const session = this.#session
    if (session === undefined) return
    this.#session = undefined
    this.#shared.proved.delete(this)
    if (this.#idle !== undefined) this.#shared.host.wheel.clear(this.#idle)
    session.detach(this)
  }

  #wrong(reading: LineReading, fault: Fault): void {
    this.#shared.host.fault(fault.code)
    if (this.#session === undefined) reading.tell(fault)
    else this.#session.tell(ERROR, fault)
  }

  #line(update: Update): Uint8Array {
    const line = this.#shared.encoder.line(update)
    return line.length <= LONGEST_PACKET
      ? line
      : lineForm.encode(told(ERROR, updateTooLarge(update.path)))
  }
}
