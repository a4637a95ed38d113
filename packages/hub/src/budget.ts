/**
 * What all outboxes together may hold. An update that waits in many of them counts once.
 * Invariant: `used` is the sum of the sizes of the updates that at least one outbox holds.
 */
import type { Update } from '@sapwood/core'

export class Budget {
  readonly #limit: number
  #used = 0

  /** @param limit bytes, as `Update.size` counts them. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get used(): number {
    return this.#used
  }

  get exceeded(): boolean {
    return this.#used > this.#limit
  }

  take(update: Update): void {
    if (update.holders++ === 0) this.#used += update.size
  }

  release(update: Update): void {
    if (--update.holders === 0) this.#used -= update.size
  }
}
