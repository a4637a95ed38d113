/**
 * What connections that node:http reads still owe to their clients. It hands a connection over as soon as it has read an
 * offer of another protocol, or something broken, though answers to requests before may not be there yet.
 * Invariant: on each connection answers leave in the order of the requests (RFC 9112 section 9.3.2).
 */
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

export class OwedAnswers {
  /** The last one of each connection: it leaves when all before it have. */
  readonly #last = new WeakMap<Duplex, ServerResponse>()
  /** Connections that node:http has let go of and nobody has taken yet. */
  readonly #waiting = new Set<Duplex>()

  /** A request came on this connection. */
  note(socket: Duplex, response: ServerResponse): void {
    this.#last.set(socket, response)
  }

  /** Goes on with `next` when nothing is owed any more; never, if the connection ends before. */
  settle(socket: Duplex, next: () => void): void {
    const last = this.#last.get(socket)
    if (last === undefined || last.closed) return next()
    this.#waiting.add(socket)
    socket.once('close', () => this.#waiting.delete(socket))
    last.once('close', () => {
      this.#waiting.delete(socket)
      if (!socket.destroyed) next()
    })
  }

  /** Ends the connections that wait. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy()
  }
}
