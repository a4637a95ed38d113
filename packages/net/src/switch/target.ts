/**
 * Where a connection goes once its first bytes have told what it wants: a service of this process, or another one.
 * Invariant: a target is given a socket that nobody reads, and what was read of it already, so the first byte that it
 * sees is the first byte that came, and each byte comes once.
 */
import type { Socket } from 'node:net'
import type { Fault, Wheel } from '@sapwood/core'
import type { SwitchCounters } from './switch-counters.ts'

/** What a target may need of whoever hands it a connection. */
export interface Switchboard {
  readonly wheel: Wheel
  readonly counters: SwitchCounters
  /**
   * Says no to a client: an HTTP answer with the fault's status for a client that speaks HTTP/1, an end without a word
   * for any other. Counts the fault.
   * @param replay what was read of the socket, by which the client is known.
   */
  refuse(socket: Socket, replay: Uint8Array, fault: Fault): void
}

export interface Target {
  /**
   * Takes a connection over. From here on it is the target's to end.
   * @param socket nobody reads it; it may have come to its end already, which its next reader will be told.
   * @param replay what was read, from the first byte; never written to again.
   */
  take(socket: Socket, replay: Uint8Array, board: Switchboard): void
}

/**
 * Hands sockets to a service of this process: what was read goes back into the socket, and the switch is out of the way.
 * @param service an error that it throws, or that its promise ends with, ends this connection only.
 * @example serviceTarget((socket) => socket.pipe(socket))
 */
export function serviceTarget(service: (socket: Socket) => unknown): Target {
  return {
    take(socket, replay, board) {
      const failed = (): void => {
        board.counters.fault('SERVICE_FAILED')
        socket.destroy()
      }
      giveBack(socket, replay)
      try {
        const result = service(socket)
        if (result instanceof Promise) result.catch(failed)
      } catch {
        failed()
      }
    },
  }
}

/** Whatever takes sockets by the event `connection`: `http.Server`, `https.Server`, `tls.Server`, `net.Server`. */
interface ConnectionServer {
  emit(event: 'connection', socket: Socket): boolean
}

/**
 * Hands sockets to a server of this process; it needs no listener of its own (TB-01, TB-03).
 * @example serverTarget(http.createServer((request, response) => response.end('hello')))
 */
export function serverTarget(server: ConnectionServer): Target {
  return serviceTarget((socket) => void server.emit('connection', socket))
}

/** Puts what was read back in front of what will be. */
export function giveBack(socket: Socket, replay: Uint8Array): void {
  if (replay.length > 0) socket.unshift(replay)
}
