/**
 * The way from a hub's pipe to its HTTP server, which starts a moment later.
 * Invariant: a connection waits until the server is there, and is handed to it once.
 */
import type { Duplex } from 'node:stream'
import type { Principal } from '@sapwood/core'

type Accept = (socket: Duplex, principal: Principal) => void

export class HubDoor {
  #accept: Accept | undefined
  /** As many as peers open requests in that moment. */
  #waiting: (readonly [Duplex, Principal])[] = []

  connect(socket: Duplex, principal: Principal): void {
    if (this.#accept === undefined) this.#waiting.push([socket, principal])
    else this.#accept(socket, principal)
  }

  open(accept: Accept): void {
    this.#accept = accept
    for (const [socket, principal] of this.#waiting.splice(0)) accept(socket, principal)
  }
}
