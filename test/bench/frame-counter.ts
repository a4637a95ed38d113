/**
 * Counts the updates in what a WebSocket server sends, without looking at more than the head of each frame: the load
 * shares a machine with what it measures, so it must cost little.
 * Invariant: the count does not depend on how the bytes were cut. A frame is one update, or a JSON array of them.
 */

/** What tells an update from anything else a peer sends: one byte of the payload. */
export interface Mark {
  readonly offset: number
  readonly byte: number
}

export class FrameCounter {
  readonly #mark: Mark
  /** Payload bytes of the last frame that have not come yet. */
  #skip = 0
  /** The beginning of a frame whose head is not complete. */
  #held: Buffer | undefined

  constructor(mark: Mark) {
    this.#mark = mark
  }

  /** The number of updates that begin in the first `end` of these `bytes`. */
  count(bytes: Buffer, end: number): number {
    if (this.#held === undefined) return this.#count(bytes, end)
    const joined = Buffer.concat([this.#held, bytes.subarray(0, end)])
    this.#held = undefined
    return this.#count(joined, joined.length)
  }

  #count(bytes: Buffer, end: number): number {
    const { offset, byte } = this.#mark
    let found = 0
    let at = this.#skip
    this.#skip = 0
    while (at < end) {
      if (at + 4 > end) return this.#hold(bytes, at, end, found)
      let length = (bytes[at + 1] as number) & 127
      let payload = at + 2
      if (length === 126) {
        length = bytes.readUInt16BE(at + 2)
        payload = at + 4
      } else if (length === 127) {
        if (at + 10 > end) return this.#hold(bytes, at, end, found)
        // no frame here reaches 4 GiB
        length = bytes.readUInt32BE(at + 6)
        payload = at + 10
      }
      if (length > offset) {
        const whole = bytes[payload] === OPEN_ARRAY ? length : offset + 1
        if (payload + whole > end) return this.#hold(bytes, at, end, found)
        if (bytes[payload] === OPEN_ARRAY) found += this.#items(bytes, payload, payload + length)
        else if (bytes[payload + offset] === byte && ((bytes[at] as number) & 15) === TEXT) found++
      }
      at = payload + length
    }
    this.#skip = at - end
    return found
  }

  #items(bytes: Buffer, from: number, end: number): number {
    const { offset, byte } = this.#mark
    let found = 0
    for (
      let at = bytes.indexOf(ITEM, from);
      at >= 0 && at < end;
      at = bytes.indexOf(ITEM, at + 1)
    ) {
      if (bytes[at + offset] === byte) found++
    }
    return found
  }

  #hold(bytes: Buffer, at: number, end: number, found: number): number {
    this.#held = Buffer.from(bytes.subarray(at, end))
    return found
  }
}

const TEXT = 1
const OPEN_ARRAY = 0x5b
/** How each item of an array begins. */
const ITEM = '{"path":'
