/**
 * Run to completion: an update made during an update waits until that one is done, so nobody is called while
 * it is still running and the order from one sender to one receiver holds.
 * Invariant: after `burst` updates in one go the event loop gets its turn, and then everything that waits by then is
 * handled, so no more ever waits than one turn brought; an update that updates caused more than `hops` deep is
 * dropped and told, so a loop of components ends.
 */
import type { Component } from './component.ts'
import type { Message } from './message.ts'

export interface MailboxOptions {
  /** Runs its argument in a later turn of the event loop (`setImmediate`). */
  readonly defer: (run: () => void) => void
  /** Updates handled before the event loop gets its turn. */
  readonly burst?: number
  /** How deep a chain of updates that cause each other may go. */
  readonly hops?: number
  /** Told of an update that went too deep. */
  readonly onLoop?: (sender: Component, path: string) => void
}

interface Waiting {
  readonly sender: Component
  readonly path: string
  readonly message: Message
  readonly hops: number
}

export class Mailbox {
  readonly #deliver: (sender: Component, path: string, message: Message) => void
  readonly #options: MailboxOptions
  readonly #burst: number
  readonly #limit: number
  #queue: Waiting[] = []
  #head = 0
  #busy = false
  #deferred = false
  #hops = 0

  /** @param deliver handles one update; it must not throw. */
  constructor(
    deliver: (sender: Component, path: string, message: Message) => void,
    options: MailboxOptions,
  ) {
    this.#deliver = deliver
    this.#options = options
    this.#burst = options.burst ?? 1024
    this.#limit = options.hops ?? 16
  }

  post(sender: Component, path: string, message: Message): void {
    if (this.#busy) {
      if (this.#hops >= this.#limit) this.#options.onLoop?.(sender, path)
      else this.#queue.push({ sender, path, message, hops: this.#hops + 1 })
      return
    }
    if (this.#deferred) {
      // what came first goes first
      this.#queue.push({ sender, path, message, hops: 0 })
      return
    }
    this.#busy = true
    this.#hops = 0
    this.#deliver(sender, path, message)
    this.#drain(this.#burst - 1)
  }

  #drain(most: number): void {
    for (let left = most; this.#head < this.#queue.length && left > 0; left--) {
      const next = this.#queue[this.#head++] as Waiting
      this.#hops = next.hops
      this.#deliver(next.sender, next.path, next.message)
    }
    this.#busy = false
    if (this.#head < this.#queue.length) {
      // a queue that is never quite empty must not keep what was handled long ago
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
      this.#deferred = true
      this.#options.defer(() => {
        this.#deferred = false
        this.#busy = true
        this.#drain(Math.max(this.#burst, this.#queue.length))
      })
    } else if (this.#head > 0) {
      this.#queue = []
      this.#head = 0
    }
  }
}
