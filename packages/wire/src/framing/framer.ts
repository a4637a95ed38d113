/**
 * The one framer interface of the house: a stream of bytes in frames, and back. Pulled: the connection pushes what
 * it received into its `InputBuffer` and asks the framer for frames until it gives none.
 * Invariant: "need more" is `undefined`, not an exception; a framer takes from the input only what it gave as
 * frames or refused, so another may go on behind any frame and no byte is lost; it holds back no more than
 * its limit before it refuses. Frames are views on what was received, not copies, where the framing allows it.
 *
 * @example
 * input.push(chunk)
 * for (;;) {
 *   const frame = framer.decode(input)
 *   if (frame === undefined) break
 *   if (frame instanceof FramingFault) {
 *     if (!frame.quiet) tell(frame)
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
  /** True if it is to be counted only: what was left out is none of the application's concern. */
  readonly quiet: boolean

  constructor(code: string, detail: string, final: boolean, quiet = false) {
    this.code = code
    this.detail = detail
    this.final = final
    this.quiet = quiet
  }
}

/** The stream ended inside a frame: what had come of it is gone. */
export const FRAME_CUT: FramingFault = new FramingFault(
  'FRAME_CUT',
  'the stream ended inside a frame; the sender closed too early or was cut off, send the frame again',
  true,
)

/** One direction of one connection: a framer is used with one input for life. */
export interface Framer<Frame> {
  /** The next frame, a fault, or undefined if more bytes are needed. */
  decode(input: InputBuffer): Frame | FramingFault | undefined
  /**
   * The same when no more bytes will come, to be asked until it gives undefined or a final fault: what is left
   * counts as the last frame, or is a fault. After undefined it is as new: each datagram is an input that ends.
   */
  finish(input: InputBuffer): Frame | FramingFault | undefined
  /**
   * The bytes of a frame; they may share memory with it.
   * @throws SapwoodError for a frame that this framing cannot carry.
   */
  encode(frame: Frame): Uint8Array
}
