/**
 * The one framer interface of the house: a stream of bytes in frames, and back. Pulled: the connection pushes what
 * it received into its `InputBuffer` and asks the framer for frames until it gives none.
 * Invariant: "need more" is `undefined`, not an exception; a framer takes from the input only what it gave as
 * frames or refused, so another may go on behind any frame and no byte is lost; it holds back no more than
 * its limit before it refuses.
 *
 * @example
 * input.push(chunk)
 * for (;;) {
 *   const frame = framer.decode(input)
 *   if (frame === undefined) break
 *   if (frame instanceof FramingFault) {
 *     tell(frame)
 *     if (frame.final) return close()
 *   } else receive(frame)   // may switch `framer`: the next round goes on with the other one
 * }
 */
import type { Fault } from '@sapwood/core'
import type { InputBuffer } from './input-buffer.ts'

/** A peer's mistake in the framing. */
export class FramingFault implements Fault {
  readonly code: string
  readonly detail: string
  /** True if nothing behind it can be read: the framer answers with the same fault from now on. */
  readonly final: boolean

  constructor(code: string, detail: string, final: boolean) {
    this.code = code
    this.detail = detail
    this.final = final
  }
}

/** One direction of one connection: a framer is used with one input for life. */
export interface Framer<Frame> {
  /** The next frame, a fault, or undefined if more bytes are needed. */
  decode(input: InputBuffer): Frame | FramingFault | undefined
  /** The same when no more bytes will come: what is left counts as the last frame, or is a fault. */
  finish(input: InputBuffer): Frame | FramingFault | undefined
  /**
   * The bytes of a frame.
   * @throws SapwoodError for a frame that this framing cannot carry.
   */
  encode(frame: Frame): Uint8Array
}
