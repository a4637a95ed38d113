/**
 * A known number of bytes, passed on in the pieces in which they come; then the framer is switched.
 * Invariant: no piece reaches beyond the last of these bytes, and no more than `limit` bytes behind it wait for the
 * switch.
 */
import { checkOption } from './frame-limit.ts'
import type { Framer } from './framer.ts'
import { FRAME_CUT, FramingFault } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'

export interface ChunkFramerOptions {
  /** How many bytes are passed on. */
  readonly size: number
  /** How many bytes behind them may wait until the framer is switched; at least one read of the transport. */
  readonly limit: number
}

/**
 * Passes `size` bytes on, then waits to be replaced. (TN-17)
 * @example
 * received(piece, connection) {
 *   write(piece)
 *   if (body.left === 0) connection.receiveFramer = lines
 * }
 */
export class ChunkFramer implements Framer<Uint8Array> {
  readonly #limit: number
  #left: number
  #fault: FramingFault | undefined

  constructor({ size, limit }: ChunkFramerOptions) {
    checkOption(Number.isSafeInteger(size) && size >= 0, 'size is a number of bytes')
    checkOption(Number.isSafeInteger(limit) && limit >= 0, 'limit is a number of bytes')
    this.#limit = limit
    this.#left = size
  }

  /** How many bytes are still to be passed on. At 0 it is time to switch. */
  get left(): number {
    return this.#left
  }

  decode(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const { length } = input
    if (this.#fault !== undefined) return this.#fault
    if (this.#left === 0) return length > this.#limit ? this.#unclaimed(input) : undefined
    if (length === 0) return undefined
    const piece = input.take(Math.min(length, this.#left))
    this.#left -= piece.length
    return piece
  }

  finish(input: InputBuffer): Uint8Array | FramingFault | undefined {
    const piece = this.decode(input)
    if (piece !== undefined) return piece
    if (this.#left > 0) this.#fault = FRAME_CUT
    else if (input.length > 0) return this.#unclaimed(input)
    return this.#fault
  }

  /** Adds nothing and counts nothing: `size` is about what comes in. */
  encode(piece: Uint8Array): Uint8Array {
    return piece
  }

  #unclaimed(input: InputBuffer): FramingFault {
    input.skip(input.length)
    this.#fault = new FramingFault(
      'FRAME_TOO_LONG',
      `more came than was announced, and no other framer took over within ${this.#limit} bytes`,
      true,
    )
    return this.#fault
  }
}
