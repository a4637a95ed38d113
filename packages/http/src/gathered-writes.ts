/**
 * What a flush sends to many sockets leaves when all of it is encoded: the kernel's code and ours do not displace each
 * other in the processor's caches once per socket, and whoever reads does not fall asleep between two of them.
 * Invariant: it holds something only while a flush goes on, at most `HELD` and one batch; the bytes of a socket keep
 * their order. Who writes past this during a flush, or ends a socket, calls `release` before.
 */
import type { Writable } from 'node:stream'

/** Bytes that are gathered: hundreds of short batches, and what processors keep at hand. */
const HELD = 64 * 1024

export class GatheredWrites {
  readonly #flushing: () => boolean
  /** Where each of `#batches` goes. */
  #sockets: Writable[] = []
  #batches: Uint8Array[] = []
  #held = 0

  /** @param flushing does a flush go on, behind which `release` is called? */
  constructor(flushing: () => boolean) {
    this.#flushing = flushing
  }

  write(socket: Writable, bytes: Uint8Array): void {
    if (!this.#flushing()) return void socket.write(bytes)
    this.#sockets.push(socket)
    this.#batches.push(bytes)
    this.#held += bytes.length
    if (this.#held >= HELD) this.release()
  }

  /** How much is held of the socket that is written to now. */
  heldOf(socket: Writable): number {
    let held = 0
    for (let i = this.#sockets.length - 1; i >= 0 && this.#sockets[i] === socket; i--) {
      held += (this.#batches[i] as Uint8Array).length
    }
    return held
  }

  /** Lets everything leave. Called after each flush. */
  release(): void {
    if (this.#sockets.length === 0) return
    const sockets = this.#sockets
    const batches = this.#batches
    this.#sockets = []
    this.#batches = []
    this.#held = 0
    for (let i = 0; i < sockets.length; i++) {
      const socket = sockets[i] as Writable
      // several batches of one socket leave as one
      const goesOn = sockets[i + 1] === socket
      const wentOn = sockets[i - 1] === socket
      if (goesOn && !wentOn) socket.cork()
      socket.write(batches[i])
      if (wentOn && !goesOn) socket.uncork()
    }
  }
}
