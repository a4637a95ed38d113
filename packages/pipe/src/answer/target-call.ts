/**
 * A request on its way through a target: both bodies stream, each as fast as its reader takes it.
 *
 *     state       waits for                          limit                at the limit
 *     asking      a connection                       limits.connect       502 TARGET_UNREACHABLE
 *                 the peer's next bytes              limits.bodyTime      408 BODY_TIMEOUT
 *                 the target to read, or to answer   what the asker waits 504 ANSWER_TIMEOUT
 *     answering   the peer to take the answer        the asker's
 *     over        nothing; the target's connection is free, or closed, or a `TargetSwitch` has it after 101
 *
 * Invariant: a body that is longer or shorter than was said closes the connection, so that nothing of it is taken for the
 * next request; whoever stops waiting closes it too.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Fault, Timed } from '@sapwood/core'
import { Code, Timer } from '@sapwood/core'
import { countChunk } from '@sapwood/net'
import type { FieldList } from '@sapwood/wire'
import type { AnswerExchange, RequestListener } from '../exchange.ts'
import { flushHead } from '../flush-head.ts'
import { gatherWrites } from '../gather-writes.ts'
import {
  LENGTH_WRONG,
  largerThan,
  TARGET_LATE,
  TARGET_LOST,
  TOO_EARLY,
  TOO_LATE,
  unreachable,
} from './answer-faults.ts'
import { sendFault } from './replies.ts'
import type { RoutedRequest } from './route.ts'
import type { TargetRequest } from './target-head.ts'
import { addTrailers, answerFields, trailerFields } from './target-head.ts'
import type { TargetDeps } from './target-route.ts'
import { TargetSwitch } from './target-switch.ts'

/** Interim heads that a peer takes. */
const INTERIM_MOST = 16
/** May be asked again when a kept connection turns out to be closed: nothing was done, or doing it twice is the same. */
const REPEATABLE: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
])
/** How a closed connection shows: to who reads, and to who writes to a Unix socket. */
const CLOSED: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE'])

export class TargetCall implements RequestListener, Timed {
  readonly #options: TargetRequest
  readonly #routed: Pick<RoutedRequest, 'head' | 'ends'>
  readonly #exchange: AnswerExchange
  readonly #most: number
  readonly #deps: TargetDeps
  readonly #timer: Timer = new Timer(this)
  #state: 'asking' | 'answering' | 'over' = 'asking'
  #request: ClientRequest | undefined
  #response: IncomingMessage | undefined
  #switched: TargetSwitch | undefined
  #connected = false
  #repeated = false
  #interims = 0
  #size = 0
  /** Whether all of the peer's body has come. */
  #whole: boolean
  /** Bytes that the target has not taken, and the peer was not told of. */
  #owed = 0

  constructor(
    options: TargetRequest & RequestOptions,
    routed: Pick<RoutedRequest, 'head' | 'ends'>,
    exchange: AnswerExchange,
    most: number,
    deps: TargetDeps,
  ) {
    this.#options = options
    this.#routed = routed
    this.#exchange = exchange
    this.#most = most
    this.#deps = deps
    this.#whole = routed.ends
  }

  /** Asks the target. */
  begin(): void {
    const { length } = this.#options
    if (length !== undefined && length > this.#most) return this.#fail(largerThan(this.#most))
    if (length !== undefined && length > 0 && this.#whole) return this.#fail(LENGTH_WRONG)
    this.#ask()
  }

  data(part: Uint8Array): void {
    const { length } = part
    if (this.#switched !== undefined) return this.#switched.data(part)
    if (this.#state === 'over') return this.#exchange.took(length)
    if (this.#options.upgrades) {
      // nothing says how long it is: the target would take it for the next request
      this.#exchange.took(length)
      return this.#fail(TOO_EARLY)
    }
    this.#size += length
    const said = this.#options.length
    if (this.#size > this.#most || (said !== undefined && this.#size > said)) {
      this.#exchange.took(length)
      return this.#fail(this.#size > this.#most ? largerThan(this.#most) : LENGTH_WRONG)
    }
    const request = this.#request as ClientRequest
    gatherWrites(request)
    if (request.write(part)) this.#exchange.took(length)
    else this.#owed += length
    if (this.#state === 'asking' && this.#connected) this.#wait()
  }

  ended(trailers: FieldList | undefined): void {
    this.#whole = true
    if (this.#switched !== undefined) return this.#switched.ended()
    if (this.#state === 'over') return
    const said = this.#options.length
    if (said !== undefined && said !== this.#size) return this.#fail(LENGTH_WRONG)
    const request = this.#request as ClientRequest
    if (trailers !== undefined && said === undefined) addTrailers(request, trailers)
    request.end()
    if (this.#state === 'asking' && this.#connected) this.#wait()
  }

  drained(): void {
    if (this.#switched !== undefined) this.#switched.drained()
    else this.#response?.resume()
  }

  failed(): void {
    this.#switched?.failed()
    this.#over()
  }

  expired(): void {
    if (!this.#connected) this.#fail(unreachable('no connection in time'))
    else if (this.#waitsForPeer) this.#fail(TOO_LATE)
    else this.#fail(TARGET_LATE, Code.timeout)
  }

  #ask(): void {
    const { upgrades } = this.#options
    let request: ClientRequest
    try {
      request = httpRequest(this.#options as RequestOptions)
    } catch (thrown) {
      // what the peer wrote cannot stand in a head
      const detail = `the head of the request cannot be passed on: ${(thrown as Error).message}`
      return this.#fail({ code: 'HEAD_INVALID', detail, status: 400 })
    }
    this.#request = request
    request.on('socket', (socket) => {
      if (!socket.connecting) this.#isConnected()
      else socket.once('connect', () => this.#isConnected())
    })
    request.on('information', ({ statusCode, rawHeaders }) => this.#interim(statusCode, rawHeaders))
    request.on('response', (response) => this.#answered(response))
    if (upgrades)
      request.on('upgrade', (response, socket, head) => this.#switch(response, socket, head))
    request.on('drain', () => this.#taken())
    request.on('error', (fault: NodeJS.ErrnoException) => this.#broke(request, fault))
    request.on('close', () => this.#closed())
    this.#deps.wheel.set(this.#timer, this.#deps.limits.connect)
    if (this.#whole) request.end()
    // the target hears of it before its body comes; a short body that is here already leaves with the head
    else process.nextTick(flushHead, request)
  }

  #isConnected(): void {
    this.#connected = true
    if (this.#state === 'asking') this.#wait()
  }

  /** From the last of the body that moved. */
  #wait(): void {
    const time = this.#waitsForPeer ? this.#deps.limits.bodyTime : this.#routed.head.timeout
    if (time > 0) this.#deps.wheel.set(this.#timer, time)
    else this.#deps.wheel.clear(this.#timer)
  }

  get #waitsForPeer(): boolean {
    return !this.#whole && this.#owed === 0 && !this.#options.upgrades
  }

  #taken(): void {
    const owed = this.#owed
    this.#owed = 0
    if (owed === 0) return
    this.#exchange.took(owed)
    if (this.#state === 'asking') this.#wait()
  }

  #interim(status: number, raw: FieldList): void {
    // 100 is between neighbours, 101 comes by itself
    if (this.#state !== 'asking' || status < 102 || ++this.#interims > INTERIM_MOST) return
    this.#respond(status, answerFields(raw))
  }

  #answered(response: IncomingMessage): void {
    if (this.#state !== 'asking') return void response.destroy()
    this.#deps.wheel.clear(this.#timer)
    if (!this.#respond(response.statusCode ?? 502, answerFields(response.rawHeaders))) return
    this.#state = 'answering'
    this.#response = response
    response.on('data', (part: Buffer) => {
      // Node has read it into one memory and copied it into another
      countChunk(2 * part.length)
      if (this.#state === 'answering' && !this.#exchange.write(part)) response.pause()
    })
    response.on('end', () => this.#finish(response))
    response.on('error', () => this.#lost())
    response.on('close', () => this.#lost())
  }

  #finish(response: IncomingMessage): void {
    if (this.#state !== 'answering') return
    const trailers = trailerFields(response.rawTrailers)
    this.#exchange.end(trailers.length > 0 ? trailers : undefined)
    // what the target did not want to read must not stand before the next request
    if (!this.#whole) return this.#over()
    this.#settle()
  }

  #switch(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#state !== 'asking') return void socket.destroy()
    this.#deps.wheel.clear(this.#timer)
    if (!this.#respond(101, answerFields(response.rawHeaders, true))) return void socket.destroy()
    this.#switched = new TargetSwitch(socket, this.#exchange)
    this.#switched.begin(head)
    this.#settle()
  }

  /** @returns whether the head went out, and somebody waits for more. */
  #respond(status: number, headers: FieldList): boolean {
    try {
      const code = this.#deps.codeOf?.(status) ?? Code.ok
      this.#exchange.respond({ status, headers, code }, false)
      return this.#state === 'asking'
    } catch {
      // more than a frame holds
      this.#fail(unreachable('its head is too long'))
      return false
    }
  }

  #broke(request: ClientRequest, { code, message }: NodeJS.ErrnoException): void {
    if (request !== this.#request) return
    if (this.#state !== 'asking') return this.#lost()
    const { method } = this.#options
    // the target closed a kept connection just when it was taken
    const isStale = request.reusedSocket && !this.#repeated && CLOSED.has(code)
    if (isStale && this.#routed.ends && REPEATABLE.has(method)) {
      this.#repeated = true
      return this.#ask()
    }
    this.#fail(unreachable(code ?? message))
  }

  #closed(): void {
    if (this.#state === 'asking' && this.#request?.destroyed) {
      this.#fail(unreachable('it closed the connection'))
    }
  }

  #lost(): void {
    if (this.#state !== 'answering') return
    this.#exchange.cancel(TARGET_LOST)
    this.#over()
  }

  #fail(fault: Fault, code: Code = Code.threw): void {
    if (this.#state === 'asking') {
      sendFault(this.#exchange, fault, code)
      this.#over()
    } else if (this.#state !== 'over') {
      this.#exchange.cancel(fault)
      this.#over()
    }
  }

  /** Closes the connection to the target. */
  #over(): void {
    this.#settle()
    this.#request?.destroy()
  }

  #settle(): void {
    this.#state = 'over'
    this.#deps.wheel.clear(this.#timer)
    this.#taken()
  }
}
