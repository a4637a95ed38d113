/**
 * Updates as the pipe carries them, encoded once however many peers receive one.
 * Invariant: what was encoded is let go of at `release`, after each flush.
 */
import type { Update } from '@sapwood/core'
import { jsonLine } from '@sapwood/wire'

export class UpdateEncoder {
  #encoded: Update[] = []

  /** One frame of `sapwood.v1`. The line feed at its end is white space to JSON, and so the bytes are those of NDJSON. */
  encode(update: Update): Uint8Array {
    this.#encoded.push(update)
    return update.encoded(jsonLine)
  }

  release(): void {
    if (this.#encoded.length === 0) return
    for (const update of this.#encoded) update.forget()
    this.#encoded = []
  }
}
