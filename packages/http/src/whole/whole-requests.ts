/**
 * Stands in front of an HTTP server of Node and answers what it can of the requests that come whole. Each connection is the
 * server's own from its first other request on.
 * Without a better taker for a request, the server answers it as if nobody had stood there.
 * Invariant: a connection is closed if it is silent for as long as the server would wait, and is in one of two
 * places: here, or with the server.
 */
import type { Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Timed, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { ConnectionOwner } from './whole-connection.ts'
import { WholeConnection } from './whole-connection.ts'
import type { WholeRequest } from './whole-request.ts'
import type { WholeResponse } from './whole-response.ts'

export interface WholeOptions {
  readonly wheel: Wheel
  /** Answers, in this call or later. @returns false to leave the connection to the server; then nothing was done. */
  readonly take: (request: WholeRequest, response: WholeResponse) => boolean
  /**
   * Takes a connection that is to speak another protocol: calls `readBy` or `release`.
   * @param first what came behind the head.
   */
  readonly upgrade: (request: WholeRequest, socket: Socket, first: Buffer) => void
  /** Ends a connection on which nothing came within `headersTimeout` of the server. */
  readonly late: (socket: Socket) => void
}

/** Milliseconds between looks for silent connections, at most and at least. */
const LOOK_MOST = 1000
const LOOK_LEAST = 50

/** How often to look, in milliseconds. @param headTime milliseconds that a head may take. */
export function lookEvery(headTime: number): number {
  return Math.max(LOOK_LEAST, Math.min(LOOK_MOST, headTime / 4))
}

export class WholeRequests implements ConnectionOwner, Timed {
  readonly #server: Server
  readonly #serve: (socket: Duplex) => void
  readonly #options: WholeOptions
  readonly #connections = new Set<WholeConnection>()
  readonly #timer: Timer = new Timer(this)

  constructor(server: Server, options: WholeOptions) {
    this.#server = server
    this.#options = options
    const [serve] = server.listeners('connection') as [(socket: Duplex) => void]
    this.#serve = serve
    server.off('connection', serve)
    server.on('connection', (socket: Duplex) => this.#accept(socket))
  }

  get keepAlive(): number {
    return this.#server.keepAliveTimeout
  }

  /** How many connections are here. */
  get size(): number {
    return this.#connections.size
  }

  take(request: WholeRequest, response: WholeResponse): boolean {
    return this.#options.take(request, response)
  }

  upgrade(connection: WholeConnection, request: WholeRequest, first: Buffer): void {
    this.#connections.delete(connection)
    this.#options.upgrade(request, connection.socket, first)
  }

  leave(connection: WholeConnection): void {
    this.#connections.delete(connection)
    this.#serve.call(this.#server, connection.socket)
  }

  gone(connection: WholeConnection): void {
    this.#connections.delete(connection)
  }

  /** Ends the connections that wait for a request and have had one; the others have as long as the server gives them now. */
  closeIdle(): void {
    const { wheel } = this.#options
    if (this.#timer.at > wheel.now() + this.#look) wheel.set(this.#timer, this.#look)
    for (const connection of this.#connections) {
      if (connection.isIdle && connection.hasSpoken) connection.socket.destroy()
    }
  }

  /** Ends all. */
  close(): void {
    this.#options.wheel.clear(this.#timer)
    for (const { socket } of [...this.#connections]) socket.destroy()
  }

  /** Looks for connections that are silent. */
  expired(): void {
    const look = this.#look
    for (const connection of [...this.#connections]) {
      if (!connection.isIdle) continue
      connection.silence += look
      const { hasSpoken, silence, socket } = connection
      if (hasSpoken && silence > this.keepAlive) socket.destroy()
      else if (!hasSpoken && silence > this.#server.headersTimeout) {
        this.#connections.delete(connection)
        this.#options.late(socket)
      }
    }
    if (this.#connections.size > 0) this.#options.wheel.set(this.#timer, look)
  }

  get #look(): number {
    return lookEvery(this.#server.headersTimeout)
  }

  #accept(socket: Duplex): void {
    // what is no socket has no bytes that could be read in one way or the other
    if (!(socket instanceof Socket)) return this.#serve.call(this.#server, socket)
    this.#connections.add(new WholeConnection(this, socket))
    if (!this.#timer.pending) this.#options.wheel.set(this.#timer, this.#look)
  }
}
