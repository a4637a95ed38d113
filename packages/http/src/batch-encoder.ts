/**
 * Turns a batch of updates into the bytes of one write. Sessions whose batches are equal share the bytes: with
 * a thousand subscribers on one path the copying is done once per turn, not once per subscriber.
 * Invariant: what was encoded is let go of at the end of the flush.
 */
import type { Codec, Update } from '@sapwood/core'
import { Mark } from '@sapwood/core'
import { envelopeText, jsonLine, serverSentEvent, textFrame, webSocketFrame } from '@sapwood/wire'

export class BatchEncoder {
  readonly #codec: Codec<Uint8Array>
  readonly #listed: boolean
  #last: readonly Update[] = []
  #bytes: Uint8Array = new Uint8Array(0)
  #touched: Update[] = []

  /**
   * @param listed this form can say several updates in one JSON array. What a resume brings is said so: nobody
   * else gets the same, and one long text costs a tenth of a hundred short ones.
   */
  constructor(codec: Codec<Uint8Array>, listed = false) {
    this.#codec = codec
    this.#listed = listed
  }

  /** The batch as one piece, which nobody may change: others may be given it, too. */
  encode(batch: readonly Update[]): Uint8Array {
    const last = this.#last
    let same = batch.length === last.length
    for (let i = 0; same && i < batch.length; i++) same = batch[i] === last[i]
    if (same) return this.#bytes
    this.#last = batch
    this.#bytes = this.#join(batch)
    return this.#bytes
  }

  /** Called after each flush: frees what the flush shared. */
  release(): void {
    if (this.#touched.length === 0) return
    for (const update of this.#touched) update.forget()
    this.#touched = []
    this.#last = []
  }

  #join(batch: readonly Update[]): Uint8Array {
    if (batch.length === 1) return this.#one(batch[0] as Update)
    const parts: Uint8Array[] = []
    let size = 0
    for (let i = 0; i < batch.length; ) {
      const end = this.#listed ? endOfReplay(batch, i) : i
      const part = end > i + 1 ? textFrame(list(batch, i, end)) : this.#one(batch[i] as Update)
      parts.push(part)
      size += part.length
      i = Math.max(end, i + 1)
    }
    return Buffer.concat(parts, size)
  }

  #one(update: Update): Uint8Array {
    this.#touched.push(update)
    return update.encoded(this.#codec)
  }
}

/** Where the run of replayed updates ends that begins at `start`; `start` itself if none does. */
function endOfReplay(batch: readonly Update[], start: number): number {
  let end = start
  while (end < batch.length && ((batch[end] as Update).mark & Mark.replay) !== 0) end++
  return end
}

function list(batch: readonly Update[], start: number, end: number): string {
  let text = `[${envelopeText(batch[start] as Update)}`
  for (let i = start + 1; i < end; i++) text += `,${envelopeText(batch[i] as Update)}`
  return `${text}]`
}

/** One encoder per wire form. */
export class BatchEncoders {
  readonly webSocket: BatchEncoder = new BatchEncoder(webSocketFrame, true)
  readonly events: BatchEncoder = new BatchEncoder(serverSentEvent)
  readonly lines: BatchEncoder = new BatchEncoder(jsonLine)

  release(): void {
    this.webSocket.release()
    this.events.release()
    this.lines.release()
  }
}
