/**
 * The best transport: one WebSocket carries both directions. Frames that come after the hub's hello are handed on
 * as they are; what is no frame ends the link, since nothing behind it could be trusted to be complete.
 */
import { reasonOf } from '@sapwood/core'
import { CLOSE_FOR_GOOD, CLOSE_TO_RETURN, closingOf, lost } from './closing.ts'
import { type Frame, frameText, readFrames } from './frame.ts'
import { type Link, type LinkListener, type Transport, takeBundle } from './transport.ts'

export const PROTOCOL = 'sapwood.v1'
/** The version of the protocol that this client speaks. */
const VERSION = 1

/** A WebSocket as far as a link needs it; Node and browsers each bring one. */
export interface Socket {
  send(text: string): void
  /** Begins the closing handshake. */
  close(code: number): void
  /** Ends it at once, where that is possible. */
  destroy(): void
}

/** Whom a socket tells; nothing after `closed`. */
export interface SocketListener {
  opened(): void
  received(data: unknown): void
  closed(code: number, reason: string): void
}

export type OpenSocket = (url: string, protocol: string, listener: SocketListener) => Socket

/** Milliseconds that the other end has to answer a close. */
const FAREWELL = 1_000

/** @param url where the hub is, `http…` or `https…`, without a slash at the end. */
export function webSocketTransport(url: string, openSocket: OpenSocket): Transport {
  const address = `${url.replace(/^http/, 'ws')}/ws`
  return { name: 'ws', open: (listener) => new WebSocketLink(address, listener, openSocket) }
}

class WebSocketLink implements Link, SocketListener {
  readonly #listener: LinkListener
  readonly #socket: Socket
  #over = false
  #gone: (() => void) | undefined

  constructor(address: string, listener: LinkListener, openSocket: OpenSocket) {
    this.#listener = listener
    this.#socket = openSocket(address, PROTOCOL, this)
  }

  send(frames: readonly string[]): void {
    const waiting = [...frames]
    while (waiting.length > 0) this.#socket.send(takeBundle(waiting))
  }

  close(forGood: boolean): Promise<void> {
    return this.#end(forGood ? CLOSE_FOR_GOOD : CLOSE_TO_RETURN)
  }

  opened(): void {
    if (this.#over) return
    const { token, name, resume, after } = this.#listener.greet()
    const message = { version: VERSION, token, name, resume, after }
    this.#socket.send(frameText({ path: '::hello', message }))
  }

  received(data: unknown): void {
    if (this.#over) return
    let frames: readonly Frame[]
    try {
      frames = readFrames(data as string)
    } catch (thrown) {
      void this.#end(CLOSE_TO_RETURN)
      return this.#listener.closed(lost(reasonOf(thrown)))
    }
    this.#listener.frames(frames)
  }

  closed(code: number, reason: string): void {
    this.#gone?.()
    if (this.#over) return
    this.#over = true
    this.#listener.closed(closingOf(code, reason))
  }

  #end(code: number): Promise<void> {
    if (this.#over) return Promise.resolve()
    this.#over = true
    return new Promise((resolve) => {
      // real time whatever the clock: this is about handles of the process
      const timer = setTimeout(() => this.#socket.destroy(), FAREWELL)
      this.#gone = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#socket.close(code)
    })
  }
}
