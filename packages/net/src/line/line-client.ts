/**
 * A session over a connection of lines: TCP, TLS or a Unix socket (DB-12).
 *
 *     state    HTTP request     ::key              ::exit   any other line    end of file                 silence
 *     first    ended, unread    checked; open      ended    session; open     ended                       ended
 *     open     taken            checked            ended    session, taken    what waits is sent; ended   -
 *     over     -                -                  -        -                 -                           -
 *
 * The session begins with the first line that needs one, so that a port scanner or a lost browser is none.
 * Invariant: a line is taken when everything before it is, a key that is being checked included; the session ends
 * with the connection.
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
import { type FramingFault, lineForm, parseLine } from '@sapwood/wire'
import { sourceOf } from '../address.ts'
import type { Application } from '../application.ts'
import type { Connection } from '../connection.ts'
import { SHUTDOWN } from '../faults.ts'
import { checkKey } from './check-key.ts'
import type { LineEncoder } from './line-encoder.ts'
import { isLineGet, LineGet } from './line-get.ts'
import type { LineHost } from './line-host.ts'
import {
  answerable,
  BYE,
  ERROR,
  EXIT,
  HELLO,
  helloWords,
  isRequestLine,
  KEY,
  KEY_MISSING,
  told,
} from './line-words.ts'

export interface LineClientOptions {
  /** Milliseconds for the first line to come. */
  readonly idle: number
  /** Takes a line in an HTTP request, too. */
  readonly get: boolean
}

export class LineClient<Session extends CarriedSession>
  implements Application<string>, Downstream, Timed
{
  readonly kind = 'line'
  readonly greets = false
  readonly pings = false
  readonly #host: LineHost<Session>
  readonly #encoder: LineEncoder
  readonly #connection: Connection
  readonly #get: boolean
  readonly #silence: Timer = new Timer(this)
  #principal: Principal
  #session: Session | undefined
  #state: 'first' | 'open' | 'over' = 'first'
  /** The peer has said all; what waits for it has not left yet. */
  #ending = false

  constructor(
    host: LineHost<Session>,
    encoder: LineEncoder,
    connection: Connection,
    { idle, get }: LineClientOptions,
  ) {
    this.#host = host
    this.#encoder = encoder
    this.#connection = connection
    this.#get = get
    this.#principal = host.identify(connection)
    host.wheel.set(this.#silence, idle)
  }

  get room(): number {
    return this.#connection.room
  }

  received(line: string): Promise<void> | undefined {
    if (this.#state === 'first') this.#first(line)
    if (this.#state === 'over') return undefined
    this.#session?.seen()
    if (line === '') return undefined
    const { path, message } = parseLine(line)
    if (path === EXIT) this.#leave()
    else if (path === KEY) return this.#login(textOf(message))
    else if (path === HELLO) this.#hello(textOf(message))
    else {
      const session = this.#opened()
      if (session !== undefined) this.#host.receive(session, path, message)
    }
    return undefined
  }

  misframed(fault: FramingFault): void {
    // what ends the connection is counted with its end
    if (fault.final) return this.#over()
    this.#host.fault(fault.code)
    if (this.#state === 'over') return
    this.#begin()
    this.#tell(fault)
  }

  drained(): void {
    if (this.#ending) this.ended()
    else this.#session?.drained()
  }

  /** The peer sends no more: it gets what it is owed, then the connection ends. */
  ended(): void {
    this.#ending = true
    this.#session?.flush(this.#host.wheel.now())
    if (this.room > 0) this.#leave()
  }

  closed(reason: Fault | null): void {
    if (reason !== null && reason !== SHUTDOWN) this.#host.fault(reason.code)
    this.#over()
  }

  /** Not a line came: a port scanner, or somebody who keeps connections from others. */
  expired(): void {
    this.#host.fault(HELLO_TIMEOUT)
    this.#over()
    this.#connection.destroy()
  }

  send(updates: readonly Update[]): void {
    this.#connection.send(this.#encoder.encode(answerable(updates, this.#session)))
  }

  /** TCP looks after silent peers itself; one that takes nothing any more shows by being full. */
  probe(): boolean {
    return false
  }

  close(farewell: Farewell): readonly Update[] {
    if (this.#state === 'over') return []
    this.#state = 'over'
    if (farewell.reason === 'dead') this.#connection.destroy()
    else this.#end(told(BYE, farewell))
    return []
  }

  #first(line: string): void {
    if (isRequestLine(line)) this.#request(line)
    else this.#begin()
  }

  #begin(): void {
    this.#state = 'open'
    this.#host.wheel.clear(this.#silence)
  }

  /** A browser, or a program that has a line in its request. */
  #request(line: string): void {
    this.#over()
    const connection = this.#connection
    if (this.#get && isLineGet(line)) {
      connection.application = new LineGet(this.#host, connection, line) as Application
    } else {
      this.#host.fault('HTTP_ON_LINE_PORT')
      connection.destroy()
    }
  }

  #hello(text: string): void {
    const session = this.#opened()
    if (session === undefined) return
    session.tell(HELLO, { id: session.id })
    const [name] = helloWords(text)
    if (name !== undefined) this.#host.receive(session, HELLO, jsonMessage({ name }))
  }

  #login(key: string): Promise<void> | undefined {
    if (key === '') {
      this.#host.fault(KEY_MISSING.code)
      this.#tell(KEY_MISSING)
      return undefined
    }
    return checkKey(this.#host, key, (principal, fault) => this.#identified(principal, fault))
  }

  #identified(principal: Principal | undefined, fault: Fault): void {
    if (this.#state === 'over') return
    if (principal === undefined) return this.#refuse(fault)
    this.#principal = principal
    if (this.#session !== undefined) this.#host.promote(this.#session, principal)
  }

  #opened(): Session | undefined {
    if (this.#session !== undefined) return this.#session
    const address = sourceOf(this.#connection.remote)
    const refusal = this.#host.refusal(address)
    if (refusal !== undefined) {
      this.#refuse(refusal)
      return undefined
    }
    const session = this.#host.open(this.#principal, address)
    this.#session = session
    session.attach(this)
    return session
  }

  #tell(fault: Fault): void {
    if (this.#session === undefined) this.#write(told(ERROR, fault))
    else this.#session.tell(ERROR, fault)
  }

  /** Says why, and ends. */
  #refuse(fault: Fault): void {
    this.#host.fault(fault.code)
    this.#session?.flush(this.#host.wheel.now())
    this.#over()
    this.#end(told(ERROR, fault))
  }

  /** Ends in good order. */
  #leave(): void {
    this.#session?.flush(this.#host.wheel.now())
    this.#over()
    this.#connection.close()
  }

  #end(last: Update): void {
    this.#write(last)
    this.#connection.close()
  }

  #write(update: Update): void {
    this.#connection.send(lineForm.encode(update))
  }

  #over(): void {
    this.#state = 'over'
    this.#host.wheel.clear(this.#silence)
    this.#session?.detach(this)
  }
}

/** As where WebSockets say nothing. */
const HELLO_TIMEOUT = 'HELLO_TIMEOUT'
