/**
 * What a flush sends to many sockets leaves when all of it is encoded: the kernel's code and ours do not displace each
 * other in the processor's caches once per socket, which costs a tenth of a delivery.
 * Invariant: a socket is corked only while a flush goes on, so nothing is held across turns; its bytes keep their order. At most
 * `HELD` and one batch are held.
 */
import type { Writable } from 'node:stream'

/** Bytes that are gathered: hundreds of short batches, and what processors keep at hand. */
const HELD = 64 * 1024

export class GatheredWrites {
  readonly #flushing: () => boolean
  #corked: Writable[] = []
  #held = 0

  /** @param flushing does a flush go on, behind which `release` is called? */
  constructor(flushing: () => boolean) {
    this.#flushing = flushing
  }

  write(socket: Writable, bytes: Uint8Array): void {
    if (!this.#flushing()) return void socket.write(bytes)
    if (socket.writableCorked === 0) {
      socket.cork()
      this.#corked.push(socket)
    }
    socket.write(bytes)
    this.#held += bytes.length
    if (this.#held >= HELD) this.release()
  }

  /** Lets everything leave. Called after each flush. */
  release(): void {
    if (this.#corked.length === 0) return
    const corked = this.#corked
    this.#corked = []
    this.#held = 0
    for (const socket of corked) socket.uncork()
  }
}
