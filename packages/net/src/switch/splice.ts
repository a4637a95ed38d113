/**
 * Two sockets made into one (SP-05): what a client sends goes to a service of another process and back, with
 * back-pressure and half-close both ways.
 * Invariant: at most one buffer of each direction waits here; when one side is gone, so is the other.
 */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Timed } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { Address } from '../address.ts'
import { countChunk } from '../count-chunk.ts'
import type { Switchboard } from './target.ts'

export interface SpliceLimits {
  /** Milliseconds until the service must have taken the connection. */
  readonly dial: number
  /** Milliseconds without a byte in either direction; 0 for no limit. */
  readonly idle: number
}

/** Read at once from the service. Its answers are the bulk, and large reads are what makes a splice cheap. */
const BUFFER = 64 * 1024

/** How long a connection may be quiet before the kernel asks whether its peer still exists, in milliseconds. */
const KEEP_ALIVE = 60_000

export class Splice implements Timed {
  readonly #client: Socket
  readonly #service: Socket
  readonly #board: Switchboard
  readonly #limits: SpliceLimits
  readonly #replay: Uint8Array
  readonly #timer: Timer = new Timer(this)
  #state: 'dialing' | 'open' | 'over' = 'dialing'
  #moved = 0
  /** The client has not taken all of the buffer yet. */
  #waits = false

  /**
   * @param replay what the client sent so far.
   * @param preface what the service is told before, such as a PROXY header.
   */
  constructor(
    client: Socket,
    replay: Uint8Array,
    preface: Uint8Array | undefined,
    to: Address,
    limits: SpliceLimits,
    board: Switchboard,
  ) {
    this.#client = client
    this.#board = board
    this.#limits = limits
    this.#replay = replay
    const buffer = Buffer.allocUnsafeSlow(BUFFER)
    const onread = { buffer, callback: (count: number): boolean => this.#down(buffer, count) }
    this.#service = connect({ ...to, allowHalfOpen: true, noDelay: true, onread })
    this.#service.on('connect', () => this.#open(preface))
    this.#service.on('error', (error: NodeJS.ErrnoException) => this.#failed(error))
    this.#service.on('close', () => this.#serviceClosed())
    client.on('error', ignore)
    client.on('end', () => this.#clientEnded())
    client.on('close', () => this.#clientClosed())
    board.wheel.set(this.#timer, limits.dial)
  }

  /** Called by the wheel. */
  expired(): void {
    const { wheel, counters } = this.#board
    if (this.#state === 'dialing') {
      this.#refuse('TARGET_TIMEOUT', `did not answer within ${this.#limits.dial} ms`, 504)
      return
    }
    const left = this.#moved + this.#limits.idle - wheel.now()
    if (left > 0) return wheel.set(this.#timer, left)
    counters.fault('SPLICE_IDLE')
    this.#client.destroy()
    this.#service.destroy()
  }

  #open(preface: Uint8Array | undefined): void {
    const client = this.#client
    const service = this.#service
    this.#state = 'open'
    this.#board.counters.spliced++
    this.#touch()
    if (this.#limits.idle > 0) this.#board.wheel.set(this.#timer, this.#limits.idle)
    else this.#board.wheel.clear(this.#timer)
    client.setKeepAlive(true, KEEP_ALIVE)
    service.setKeepAlive(true, KEEP_ALIVE)
    service.cork()
    if (preface !== undefined) service.write(preface)
    this.#up(this.#replay)
    service.uncork()
    if (client.readableEnded) service.end()
    client.on('data', (chunk: Buffer) => this.#up(chunk))
    service.on('drain', () => client.resume())
    service.on('end', () => client.end())
    client.resume()
  }

  #up(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#board.counters.bytesUp += chunk.length
    countChunk(chunk.length)
    this.#touch()
    // a chunk larger than the high-water mark is "full" even when the kernel took it at once
    if (!this.#service.write(chunk) && this.#service.writableLength > 0) this.#client.pause()
  }

  /** The end may come while the service is dialled; then it is passed on behind the replay. */
  #clientEnded(): void {
    if (this.#state === 'open') this.#service.end()
  }

  /** Says whether more may be read: not before the client's socket has let go of the buffer. */
  #down(buffer: Buffer, count: number): boolean {
    this.#board.counters.bytesDown += count
    this.#touch()
    this.#client.write(buffer.subarray(0, count), this.#written)
    this.#waits = this.#client.writableLength > 0
    return !this.#waits
  }

  readonly #written = (): void => {
    if (!this.#waits || this.#client.writableLength > 0) return
    this.#waits = false
    this.#service.resume()
  }

  #touch(): void {
    this.#moved = this.#board.wheel.now()
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#state !== 'dialing') return
    this.#refuse('TARGET_UNREACHABLE', `cannot be reached (${error.code ?? 'unknown cause'})`, 502)
  }

  #refuse(code: string, what: string, status: number): void {
    this.#end()
    this.#service.destroy()
    const fault = { code, detail: `the service behind this port ${what}; try again later`, status }
    this.#board.refuse(this.#client, this.#replay, fault)
  }

  /** What the service sent before it went still reaches the client. */
  #serviceClosed(): void {
    if (this.#state === 'over') return
    if (this.#client.destroyed) this.#end()
    else this.#client.destroySoon()
  }

  /** A client that went in good order has its last bytes delivered, one that broke off does not. */
  #clientClosed(): void {
    if (this.#state === 'over') return
    const service = this.#service
    if (this.#state === 'dialing' || service.destroyed) {
      this.#end()
      service.destroy()
    } else if (this.#client.readableEnded) service.destroySoon()
    else service.destroy()
  }

  #end(): void {
    this.#state = 'over'
    this.#board.wheel.clear(this.#timer)
  }
}

function ignore(): void {}
