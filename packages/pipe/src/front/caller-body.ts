/**
 * The body of a caller, on its way to the peer that is asked.
 *
 *     state    meaning                                      goes on with
 *     unread   nobody has read any of it                    `sendTo`
 *     coming   read while it comes                          the caller
 *     full     held up by the peer, or there is none now    `drained`, `sendTo`
 *     whole    read to its end                              -
 *
 * Invariant: the caller is read only while the peer takes, and no further than the limit; the first bytes are kept until
 * an answer comes, or they are too many, so that they can be said again.
 */
import type { IncomingMessage } from 'node:http'
import type { Wheel } from '@sapwood/core'
import { WholeRequest } from '@sapwood/http'
import { countChunk } from '@sapwood/net'
import type { Exchange } from '../exchange.ts'
import { requestTrailers } from './request-fields.ts'

/** How many bytes are kept in case the peer must be asked again. */
const KEPT = 65_536

const BODY: unique symbol = Symbol('body')
type Request = IncomingMessage & { [BODY]?: CallerBody }

/** Whose body it is. */
export interface BodyOwner {
  /** It is read for the first time. */
  bodyWanted(): void
  /** It has more bytes than it may. */
  bodyTooLarge(): void
}

export class CallerBody {
  readonly #request: Request | WholeRequest
  readonly #owner: BodyOwner
  readonly #wheel: Pick<Wheel, 'now'>
  #exchange: Exchange | undefined = undefined
  #state: 'unread' | 'coming' | 'full' | 'whole' = 'unread'
  /** How many bytes have not come, where that is known. */
  #left: number
  /** How many may still come. */
  #room: number
  #moved = 0
  #kept: Uint8Array[] | undefined = []
  #keptBytes = 0

  /**
   * @param length bytes that it says it has; NaN where it does not say.
   * @param most bytes that it may have.
   */
  constructor(
    request: IncomingMessage | WholeRequest,
    owner: BodyOwner,
    length: number,
    most: number,
    wheel: Pick<Wheel, 'now'>,
  ) {
    this.#request = request
    this.#owner = owner
    this.#left = length
    this.#room = most
    this.#wheel = wheel
  }

  /** Does it say more bytes than it may have? */
  get isTooLong(): boolean {
    return this.#left > this.#room
  }

  /** When the caller last gave something, or was asked for it. */
  get moved(): number {
    return this.#moved
  }

  /** Is it the caller who is waited for? */
  get isComing(): boolean {
    return this.#state === 'coming'
  }

  get isWhole(): boolean {
    return this.#state === 'whole'
  }

  /** Can all that was read be said again? */
  get isKept(): boolean {
    return this.#kept !== undefined
  }

  /** Sends it to a peer, from its first byte. */
  sendTo(exchange: Exchange): void {
    this.#exchange = exchange
    this.#moved = this.#wheel.now()
    if (this.#state === 'unread') return this.#read()
    for (const chunk of this.#kept ?? []) exchange.write(chunk)
    if (this.#state === 'whole') this.#end()
    else this.drained()
  }

  /** The peer takes it again. */
  drained(): void {
    if (this.#state !== 'full') return
    this.#state = 'coming'
    this.#moved = this.#wheel.now()
    this.#request.resume()
  }

  /** The peer is gone, another may be found: what comes until then has nowhere to go. */
  hold(): void {
    this.#exchange = undefined
    if (this.#state === 'coming') this.#pause()
  }

  /** An answer comes: nothing will have to be said again. */
  forget(): void {
    this.#kept = undefined
  }

  /** Nobody wants it any more. */
  stop(): void {
    this.#exchange = undefined
    this.#kept = undefined
  }

  /** @internal of the listeners: a part came. */
  take(chunk: Uint8Array): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#room -= chunk.length
    if (this.#room < 0) return this.#owner.bodyTooLarge()
    this.#keep(chunk)
    this.#moved = this.#wheel.now()
    this.#left -= chunk.length
    if (this.#left === 0) {
      // its end is known before Node tells it, and can go with it
      this.#state = 'whole'
      return exchange.endWith(chunk)
    }
    if (!exchange.write(chunk) && this.#state === 'coming') this.#pause()
  }

  /** @internal of the listeners: it has ended. */
  whole(): void {
    if (this.#state === 'whole') return
    this.#state = 'whole'
    this.#end()
  }

  #read(): void {
    const request = this.#request
    this.#state = 'coming'
    if (request instanceof WholeRequest) return this.take(request.body as Buffer)
    request[BODY] = this
    request.on('data', onData)
    request.on('end', onEnd)
    this.#owner.bodyWanted()
  }

  #end(): void {
    const { rawTrailers } = this.#request
    this.#moved = this.#wheel.now()
    this.#exchange?.end(rawTrailers.length > 0 ? requestTrailers(rawTrailers) : undefined)
  }

  #pause(): void {
    this.#state = 'full'
    this.#request.pause()
  }

  #keep(chunk: Uint8Array): void {
    if (this.#kept === undefined) return
    this.#keptBytes += chunk.length
    if (this.#keptBytes > KEPT) this.#kept = undefined
    else this.#kept.push(chunk)
  }
}

function onData(this: Request, chunk: Buffer): void {
  countChunk(chunk.length)
  this[BODY]?.take(chunk)
}

function onEnd(this: Request): void {
  this[BODY]?.whole()
}
