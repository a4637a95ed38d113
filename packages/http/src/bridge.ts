/**
 * One splice of a WebSocket and a connection that was dialled for it (OR-01): binary frames and bytes, each as fast
 * as the other end takes them.
 *
 *     state     from either end        ends by
 *     open      goes to the other      a close or end of file of either; FAULT, idle, dead, shut down
 *     closing   is dropped             both ends closed; LINGER is over
 *
 * Invariant: at most `SOCKET_LIMIT`, a message and a chunk wait in each direction; what one end had sent before it
 * left is given to the other first; when one socket is gone, the other will be.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Timed, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import { SOCKET_LIMIT } from '@sapwood/hub'
import { countChunk } from '@sapwood/net'
import type { WebSocketHandler } from '@sapwood/wire'
import { binaryHeader, closeFrame, pingFrame, pongFrame, WebSocketDecoder } from '@sapwood/wire'
import { CLOSE_CODES, closeAnswer, NORMAL, SILENT } from './farewell.ts'

/** Milliseconds in which an end may take what is left for it, and close. */
const LINGER = 10_000
/** The gateway's other side failed (registered with IANA). */
const BAD_GATEWAY = 1014

/** What a bridge is told and what it tells; one for all of them. */
export interface BridgeHost {
  readonly wheel: Wheel
  readonly heartbeat: { readonly interval: number; readonly timeout: number }
  /** Milliseconds in which nothing may move either way; 0 for no limit. */
  readonly idle: number
  /** Bytes of a message that a browser may send. */
  readonly message: number
  /** Bytes came from the browser, or from the target. */
  moved(fromBrowser: number, fromTarget: number): void
  /** A bridge was ended by other than its two ends. */
  fault(code: string): void
  over(bridge: Bridge): void
}

export class Bridge implements WebSocketHandler, Timed {
  readonly #host: BridgeHost
  readonly #browser: Duplex
  readonly #target: Socket
  readonly #decoder: WebSocketDecoder
  readonly #timer: Timer = new Timer(this)
  #state: 'open' | 'closing' | 'over' = 'open'
  /** When bytes last went from one end to the other. */
  #moved: number
  /** When the browser last gave a sign of life. */
  #heard: number
  /** When it was asked for one, 0 if it was not. */
  #probed = 0

  /**
   * @param browser a socket whose handshake is done.
   * @param target connected.
   */
  constructor(host: BridgeHost, browser: Duplex, target: Socket) {
    this.#host = host
    this.#browser = browser
    this.#target = target
    this.#decoder = new WebSocketDecoder(host.message)
    this.#moved = this.#heard = host.wheel.now()
    target.on('data', (chunk: Buffer) => this.#down(chunk))
    target.on('drain', () => this.#browser.resume())
    target.on('end', () => this.#close(NORMAL, ''))
    target.on('error', () => this.#fail(BAD_GATEWAY, 'TARGET_LOST'))
    target.on('close', () => this.#gone())
    this.#wait()
  }

  /** Bytes came from the browser. */
  read(chunk: Uint8Array): void {
    this.#heard = this.#host.wheel.now()
    this.#decoder.push(chunk, this)
  }

  /** A line that a page sends as text is bytes as well; the answers come as bytes. */
  text(text: string): void {
    this.#up(Buffer.from(text))
  }

  binary(bytes: Uint8Array): void {
    this.#up(bytes)
  }

  ping(payload: Uint8Array): void {
    // only the newest needs an answer, so who does not take the answers is owed none
    if (this.#state !== 'open' || this.#browser.writableLength >= SOCKET_LIMIT) return
    this.#browser.write(pongFrame(payload))
  }

  pong(): void {}

  /** The browser closes, or answers our close. */
  closed(code: number): void {
    this.#close(closeAnswer(code), '')
    this.#browser.end()
  }

  fault(code: number, name: string): void {
    this.#fail(code, name)
    // its answer to the close will not be read
    this.#browser.end()
  }

  /** The browser takes bytes again. */
  drained(): void {
    this.#heard = this.#moved = this.#host.wheel.now()
    this.#target.resume()
  }

  /** The browser's socket is gone. */
  ended(): void {
    this.#leave()
    this.#gone()
  }

  /** Ends it now. */
  shut(): void {
    this.#close(CLOSE_CODES.closed, 'closed')
    this.#destroy()
  }

  expired(): void {
    if (this.#state === 'closing') return this.#destroy()
    const { heartbeat, idle, wheel } = this.#host
    const now = wheel.now()
    if (idle > 0 && now - this.#moved >= idle) return this.#fail(SILENT, 'BRIDGE_IDLE')
    // who is not read cannot be heard: then it is for the target to take something, within `idle`
    if (this.#browser.isPaused()) this.#heard = now
    if (this.#heard >= this.#probed) this.#probed = 0
    else if (now - this.#probed >= heartbeat.timeout) return this.#dead()
    if (this.#probed === 0 && now - this.#heard >= heartbeat.interval) this.#probe(now)
    this.#wait()
  }

  #up(bytes: Uint8Array): void {
    if (this.#state !== 'open' || bytes.length === 0) return
    this.#moved = this.#host.wheel.now()
    this.#host.moved(bytes.length, 0)
    this.#target.write(bytes)
    if (this.#target.writableLength >= SOCKET_LIMIT) this.#browser.pause()
  }

  #down(chunk: Buffer): void {
    if (this.#state !== 'open') return
    this.#moved = this.#host.wheel.now()
    this.#host.moved(0, chunk.length)
    countChunk(chunk.length)
    const browser = this.#browser
    browser.cork()
    browser.write(binaryHeader(chunk.length))
    browser.write(chunk)
    browser.uncork()
    if (browser.writableLength >= SOCKET_LIMIT) this.#target.pause()
  }

  #probe(now: number): void {
    this.#probed = now
    // behind a backlog it would only wait; that the backlog moves is sign enough
    if (this.#browser.writableLength < SOCKET_LIMIT) this.#browser.write(pingFrame())
  }

  #dead(): void {
    this.#host.fault('BRIDGE_DEAD')
    this.#leave()
    this.#browser.destroy()
  }

  #fail(code: number, name: string): void {
    if (this.#state === 'open') this.#host.fault(name)
    this.#close(code, name)
  }

  /** Tells the browser that it is over, once; the target gets what is on its way to it. */
  #close(code: number, reason: string): void {
    if (this.#state !== 'open') return
    this.#browser.write(closeFrame(code, reason))
    this.#leave()
  }

  #leave(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#host.wheel.set(this.#timer, LINGER)
    // what still comes is read and dropped, so that both ends get to their end of file
    this.#browser.resume()
    this.#target.resume()
    this.#target.end()
  }

  #gone(): void {
    if (this.#state === 'open') this.#fail(BAD_GATEWAY, 'TARGET_LOST')
    if (this.#state === 'over' || !this.#browser.destroyed || !this.#target.destroyed) return
    this.#state = 'over'
    this.#host.wheel.clear(this.#timer)
    this.#host.over(this)
  }

  #destroy(): void {
    this.#browser.destroy()
    this.#target.destroy()
  }

  #wait(): void {
    const { heartbeat, idle, wheel } = this.#host
    const now = wheel.now()
    const next =
      this.#probed > 0
        ? this.#probed + heartbeat.timeout - now
        : this.#heard + heartbeat.interval - now
    const left = idle > 0 ? this.#moved + idle - now : next
    wheel.set(this.#timer, Math.max(0, Math.min(next, left)))
  }
}
