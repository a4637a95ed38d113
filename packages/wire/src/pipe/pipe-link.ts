/**
 * One connection that carries a session, from the greeting on. A listener makes one for each that comes and reads the
 * greeting with it, to find out which session it belongs to; a dialler gets one of its session.
 * Invariant: what came behind the greeting waits here, unread, until the session has accepted the link.
 */
import type { Fault } from '@sapwood/core'
import { FramingFault } from '../framing/framer.ts'
import { InputBuffer } from '../framing/input-buffer.ts'
import { ControlQueue } from './control-queue.ts'
import { LINK_STALE, MESSAGE_INVALID, OUT_OF_ORDER } from './pipe-faults.ts'
import { FRAME_HEAD, FrameType, writeFrameHead } from './pipe-frame.ts'
import { PipeFramer } from './pipe-framer.ts'
import type { SessionMessage } from './session-messages.ts'
import { readGoaway, readSession, writeGoaway } from './session-messages.ts'

/** Bytes behind a greeting that may come before it is accepted; whoever is slower pauses its socket. */
const EARLY = 65_536

/** `live` while frames flow, `greeting` until both ends have greeted, `closed` when nothing follows. */
export type LinkState = 'greeting' | 'live' | 'closed'

export class PipeLink {
  /** @internal what follows belongs to the session. */
  state: LinkState = 'greeting'
  readonly control: ControlQueue = new ControlQueue()
  readonly input: InputBuffer
  readonly framer: PipeFramer = new PipeFramer()
  #hello: SessionMessage | undefined

  /** @param allocate makes room where chunks have to be joined; on Node `Buffer.allocUnsafeSlow`. */
  constructor(allocate?: (size: number) => Uint8Array) {
    this.input = allocate === undefined ? new InputBuffer() : new InputBuffer(allocate)
  }

  /**
   * Of a listener: takes what came, until it is clear which session is meant. Then `accept` or `refusal`.
   * @returns the greeting, or undefined if more has to come, or what is wrong with it.
   * @example
   * const hello = link.greet(chunk)
   * if (hello === undefined) return
   * if (isFault(hello)) return socket.end(refusal(hello))
   * const fault = (sessions.find(name, hello.id) ?? sessions.make(name, hello)).accept(link, hello, now())
   */
  greet(chunk: Uint8Array): SessionMessage | Fault | undefined {
    const { input, framer } = this
    input.push(chunk)
    if (this.#hello !== undefined) return input.length > EARLY ? OUT_OF_ORDER : undefined
    const frame = framer.decode(input)
    if (frame === undefined || frame instanceof FramingFault) return frame
    if (frame.stream !== 0) return OUT_OF_ORDER
    // a dialler says so that does not trust this end
    if (frame.type === FrameType.goaway) return readGoaway(frame.payload) ?? MESSAGE_INVALID
    if (frame.type !== FrameType.session) return OUT_OF_ORDER
    this.#hello = readSession(frame.payload, false)
    return this.#hello ?? MESSAGE_INVALID
  }
}

/**
 * The last bytes of a link that a listener does not accept.
 * @param ends whether the session is over, rather than welcome on another link; by default as the fault of `greet` or
 *   `accept` wants it.
 * @param retryAfter milliseconds after which it is.
 */
export function refusal(
  fault: Fault,
  ends: boolean = endsSession(fault),
  retryAfter = 0,
): Uint8Array {
  const { code, detail } = fault
  const message = writeGoaway({ last: 0, code, detail, ends, retryAfter })
  return controlFrame(FrameType.goaway, message)
}

function endsSession(fault: Fault): boolean {
  return fault !== LINK_STALE
}

/** A frame that is not numbered. */
export function controlFrame(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEAD + payload.length)
  writeFrameHead(bytes, 0, type, 0, payload.length)
  bytes.set(payload, FRAME_HEAD)
  return bytes
}
