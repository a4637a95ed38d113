/**
 * Whatever came together is one frame: the framing of datagrams, and of streams that are only passed on.
 * Invariant: no byte is held back, so there is no limit to give.
 */
import type { Framer } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'

/** All that waits, as one frame. Nothing is added on sending. (TN-16) */
export class IdentityFramer implements Framer<Uint8Array> {
  decode(input: InputBuffer): Uint8Array | undefined {
    return input.length === 0 ? undefined : input.take(input.length)
  }

  finish(input: InputBuffer): Uint8Array | undefined {
    return this.decode(input)
  }

  encode(frame: Uint8Array): Uint8Array {
    return frame
  }
}
