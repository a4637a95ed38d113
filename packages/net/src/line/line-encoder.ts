/**
 * Updates as lines, in one piece. An update is encoded once however many receive it, and sessions whose batches are
 * equal share the bytes.
 * Invariant: what was encoded is let go of at `release`, after each flush.
 */
import type { Update } from '@sapwood/core'
import { lineForm } from '@sapwood/wire'

export class LineEncoder {
  #last: readonly Update[] = []
  #bytes: Uint8Array = new Uint8Array(0)
  #encoded: Update[] = []

  /** The lines of `batch`, each with its end. */
  encode(batch: readonly Update[]): Uint8Array {
    const last = this.#last
    let same = batch.length === last.length && batch.length > 0
    for (let i = 0; same && i < batch.length; i++) same = batch[i] === last[i]
    if (same) return this.#bytes
    this.#last = batch
    this.#bytes = Buffer.concat(batch.map((update) => this.line(update)))
    return this.#bytes
  }

  /** The line of one update with its end. */
  line(update: Update): Uint8Array {
    this.#encoded.push(update)
    return update.encoded(lineForm)
  }

  /** Frees what the flush shared. */
  release(): void {
    if (this.#encoded.length === 0) return
    for (const update of this.#encoded) update.forget()
    this.#encoded = []
    this.#last = []
    this.#bytes = NOTHING
  }
}

const NOTHING = new Uint8Array(0)
