/**
 * Frames as typed objects: a framer of bytes with a parser and a formatter around it.
 * Invariant: a parser that throws at what a peer sent makes a fault of it, and the next frame is read all the same.
 */
import { reasonOf } from '@sapwood/core'
import type { Framer } from './framer.ts'
import { FramingFault } from './framer.ts'
import type { InputBuffer } from './input-buffer.ts'

/** How a frame is read and written. */
export interface FrameMapping<Inner, Outer> {
  /** Reads a frame; for a bad one it throws, or returns a `FramingFault`, which may be final. */
  parse(frame: Inner): Outer | FramingFault
  /** Writes one; it throws for what cannot be said. */
  format(value: Outer): Inner
}

/**
 * A framer whose frames are what `parse` makes of those of `framer`.
 * @example
 * const json = mapFramer(new NetstringFramer({ limit: 65_536 }), {
 *   parse: (bytes): object => JSON.parse(new TextDecoder().decode(bytes)),
 *   format: (value) => new TextEncoder().encode(JSON.stringify(value)),
 * })
 */
export function mapFramer<Inner, Outer extends NonNullable<unknown> | null>(
  framer: Framer<Inner>,
  mapping: FrameMapping<Inner, Outer>,
): Framer<Outer> {
  return new MappedFramer(framer, mapping)
}

class MappedFramer<Inner, Outer> implements Framer<Outer> {
  readonly #framer: Framer<Inner>
  readonly #mapping: FrameMapping<Inner, Outer>
  #fault: FramingFault | undefined

  constructor(framer: Framer<Inner>, mapping: FrameMapping<Inner, Outer>) {
    this.#framer = framer
    this.#mapping = mapping
  }

  decode(input: InputBuffer): Outer | FramingFault | undefined {
    return this.#fault ?? this.#parsed(this.#framer.decode(input))
  }

  finish(input: InputBuffer): Outer | FramingFault | undefined {
    return this.#fault ?? this.#parsed(this.#framer.finish(input))
  }

  encode(value: Outer): Uint8Array {
    return this.#framer.encode(this.#mapping.format(value))
  }

  #parsed(frame: Inner | FramingFault | undefined): Outer | FramingFault | undefined {
    if (frame === undefined) return undefined
    if (frame instanceof FramingFault) return frame
    try {
      const value = this.#mapping.parse(frame)
      if (value instanceof FramingFault && value.final) this.#fault = value
      return value
    } catch (error) {
      return new FramingFault('FRAME_INVALID', `a frame cannot be read: ${reasonOf(error)}`, false)
    }
  }
}
