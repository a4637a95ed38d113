/**
 * The frames of the pipe out of received bytes, by the framer interface of the house.
 * Invariant: a length or type that cannot be is refused when the head is there; DATA is passed on in the parts in which
 * it comes, without being joined, so a body of any size waits nowhere here.
 */
import type { Framer } from '../framing/framer.ts'
import { FRAME_CUT, FramingFault } from '../framing/framer.ts'
import type { InputBuffer } from '../framing/input-buffer.ts'
import type { PipeFrame } from './pipe-frame.ts'
import {
  END_FLAG,
  FRAME_HEAD,
  FrameType,
  LEAST_PAYLOAD,
  PAYLOAD_LIMITS,
  writeFrameHead,
} from './pipe-frame.ts'

const NOTHING = new Uint8Array(0)
/** Where the type stands: what is no frame is refused as soon as that is there. */
const TYPE = 3

const NO_FRAME = new FramingFault(
  'FRAME_INVALID',
  'what came is no frame of the pipe protocol; the peer speaks another one',
  true,
)

/**
 * Reads and writes frames of the pipe. One for each link, since a part of DATA may be all that has come.
 * @example
 * input.push(chunk)
 * for (let frame = framer.decode(input); frame !== undefined; frame = framer.decode(input)) { … }
 */
export class PipeFramer implements Framer<PipeFrame> {
  readonly #frame: Frame = new Frame()
  /** Bytes of a DATA frame that are still to come. */
  #left = 0
  #fault: FramingFault | undefined

  decode(input: InputBuffer): PipeFrame | FramingFault | undefined {
    const frame = this.#frame
    if (this.#left > 0) return this.#part(input, frame, false)
    if (this.#fault !== undefined) return this.#fault
    const available = input.length
    if (available <= TYPE) {
      // it is a view, and would keep all that was received with it until the next frame
      frame.payload = NOTHING
      return undefined
    }
    const first = input.at(TYPE) as number
    const type = first & ~END_FLAG
    const limit = PAYLOAD_LIMITS[type] ?? -1
    if (limit < 0) return this.#fail(NO_FRAME)
    const length = word(input, 0) >>> 8
    if (length > limit) return this.#fail(tooLong(type, limit))
    if (length < (LEAST_PAYLOAD[type] as number)) return this.#fail(NO_FRAME)
    const isData = type === FrameType.data
    // a part of DATA has at least a byte, unless there is none
    const needed = isData ? Math.min(length, 1) : length
    if (available < FRAME_HEAD + needed) return undefined
    const low = word(input, 6)
    const high = word(input, 2) & 0xffff
    frame.type = type
    frame.ends = first >= END_FLAG
    frame.stream = high === 0 ? low : high * 0x1_0000_0000 + low
    frame.length = length
    input.skip(FRAME_HEAD)
    this.#left = length
    return this.#part(input, frame, true)
  }

  finish(input: InputBuffer): PipeFrame | FramingFault | undefined {
    const frame = this.decode(input)
    if (frame !== undefined || (input.length === 0 && this.#left === 0)) return frame
    input.skip(input.length)
    this.#left = 0
    return this.#fail(FRAME_CUT)
  }

  encode(frame: PipeFrame): Uint8Array {
    const { type, ends, stream, payload } = frame
    const bytes = new Uint8Array(FRAME_HEAD + payload.length)
    writeFrameHead(bytes, 0, ends ? type | END_FLAG : type, stream, payload.length)
    bytes.set(payload, FRAME_HEAD)
    return bytes
  }

  /** What has come of the payload; of all frames but DATA that is all of it. */
  #part(input: InputBuffer, frame: Frame, first: boolean): PipeFrame | undefined {
    const length = Math.min(this.#left, input.length)
    if (length === 0 && this.#left > 0) return undefined
    frame.payload = length === 0 ? NOTHING : input.take(length)
    this.#left -= length
    frame.first = first
    frame.last = this.#left === 0
    return frame
  }

  #fail(fault: FramingFault): FramingFault {
    this.#fault = fault
    return fault
  }
}

class Frame implements PipeFrame {
  type = 0
  ends = false
  stream = 0
  length = 0
  payload: Uint8Array = NOTHING
  first = true
  last = true
}

function tooLong(type: number, limit: number): FramingFault {
  return new FramingFault(
    'FRAME_TOO_LONG',
    `a frame of type ${type} has more than ${limit} bytes; the peer speaks another protocol`,
    true,
  )
}

function word(input: InputBuffer, at: number): number {
  return (
    (((input.at(at) as number) << 24) |
      ((input.at(at + 1) as number) << 16) |
      ((input.at(at + 2) as number) << 8) |
      (input.at(at + 3) as number)) >>>
    0
  )
}
