/**
 * A WebSocket message whose end has not come, and the mask of RFC 6455 section 5.3.
 * Invariant: memory grows with what has come, not with what was announced, so an announcement alone gains nothing.
 */

/** The memory with which a message begins that does not come in one piece. */
const LEAST = 256

export class OpenMessage {
  readonly opcode: number
  /** Bytes that have come. */
  length = 0
  /** Bytes of the current frame that have not; 0 between fragments. */
  left = 0
  /** Of the current frame. */
  isFinal = false
  /** Turned so that it begins with the next byte's. */
  #mask = 0
  #bytes: Uint8Array = new Uint8Array(0)

  constructor(opcode: number) {
    this.opcode = opcode
  }

  get payload(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }

  begin(length: number, mask: number, isFinal: boolean): void {
    this.left = length
    this.#mask = mask
    this.isFinal = isFinal
  }

  take(bytes: Uint8Array, from: number, to: number, limit: number): void {
    const count = to - from
    if (count === 0) return
    unmask(bytes, from, to, this.#mask)
    this.#reserve(count, limit)
    this.#bytes.set(bytes.subarray(from, to), this.length)
    this.length += count
    this.left -= count
    const turn = (count & 3) * 8
    if (turn > 0) this.#mask = (this.#mask << turn) | (this.#mask >>> (32 - turn))
  }

  #reserve(count: number, limit: number): void {
    const needed = this.length + count
    if (needed <= this.#bytes.length) return
    // only the last frame tells how long the message will be; cut to size at each, tiny fragments would copy it each
    const most = this.isFinal ? this.length + this.left : limit
    const grown = new Uint8Array(Math.min(most, Math.max(needed, this.#bytes.length * 2, LEAST)))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
  }
}

/** Unmasks the bytes where they are. @param mask the masking key, its first byte the highest. */
export function unmask(bytes: Uint8Array, from: number, to: number, mask: number): void {
  const first = mask >>> 24
  const second = (mask >>> 16) & 0xff
  const third = (mask >>> 8) & 0xff
  const fourth = mask & 0xff
  const whole = to - ((to - from) & 3)
  let i = from
  for (; i < whole; i += 4) {
    bytes[i] = (bytes[i] as number) ^ first
    bytes[i + 1] = (bytes[i + 1] as number) ^ second
    bytes[i + 2] = (bytes[i + 2] as number) ^ third
    bytes[i + 3] = (bytes[i + 3] as number) ^ fourth
  }
  if (i < to) bytes[i] = (bytes[i] as number) ^ first
  if (i + 1 < to) bytes[i + 1] = (bytes[i + 1] as number) ^ second
  if (i + 2 < to) bytes[i + 2] = (bytes[i + 2] as number) ^ third
}
