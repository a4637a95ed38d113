/**
 * Reads what a client sends over a WebSocket (RFC 6455 section 5): masked frames in, messages and control frames out.
 *
 *     state           between messages    between fragments    ended
 *     text, binary    begins              FRAME_FRAGMENT       -
 *     continuation    FRAME_FRAGMENT      goes on              -
 *     ping, pong      told                told                 -
 *     close           ended               ended                -
 *
 * Invariant: however the stream is cut, the same comes out; what a header announces is refused before any of it is
 * held; about twice what has come is the most that is held, and between messages it is nothing: an idle decoder is
 * four fields.
 */
import { OpenMessage, unmask } from './web-socket-message.ts'

/** What a client may have done wrong, and what to close with then (section 7.4.1). */
const FAULTS = {
  /** A reserved bit is set: an extension that nobody agreed to. */
  FRAME_RESERVED: 1002,
  /** A reserved opcode. */
  FRAME_OPCODE: 1002,
  /** Not masked. */
  FRAME_MASK: 1002,
  /** A control frame in fragments, or with more than 125 bytes. */
  FRAME_CONTROL: 1002,
  /** A continuation of nothing, or a new message before the end of the last. */
  FRAME_FRAGMENT: 1002,
  /** The length is written with more bytes than it needs (section 5.2). */
  FRAME_LENGTH: 1002,
  /** A close with half a code, or with one that must not be sent. */
  FRAME_CLOSE: 1002,
  /** A message or the reason of a close is not valid UTF-8. */
  UTF8_INVALID: 1007,
  /** The message has more bytes than the limit. */
  FRAME_TOO_LARGE: 1009,
} as const

export type WebSocketFaultCode = keyof typeof FAULTS

/** Who is told; one per connection or one for all. It throws nothing. Payloads of pings are valid during the call. */
export interface WebSocketHandler {
  /** A whole message; its UTF-8 was valid. */
  text(value: string): void
  /** A whole message. Its bytes are the chunk's, or memory of their own: the decoder does not touch them again. */
  binary(bytes: Uint8Array): void
  /** To be answered by a pong with the same payload, up to 125 bytes. */
  ping(payload: Uint8Array): void
  pong(payload: Uint8Array): void
  /** The last that is told, unless there was a fault. @param code as the client gave it, 1005 if it gave none. */
  closed(code: number, reason: string): void
  /**
   * The client broke the protocol; nothing is read any more.
   * @param closeCode what to close with: 1002, 1007 or 1009.
   */
  fault(closeCode: number, code: WebSocketFaultCode): void
}

/** A close frame without a code (section 7.1.5). */
const NO_CODE = 1005

const TEXT = 1
const CLOSE = 8
const PING = 9
/** What a control frame may carry (section 5.5). */
const CONTROL_LIMIT = 125

type Step = 'data' | 'control' | 'FRAME_FRAGMENT' | 'FRAME_OPCODE'
type Row = readonly [betweenMessages: Step, betweenFragments: Step]

const CONTINUATION_ROW: Row = ['FRAME_FRAGMENT', 'data']
const DATA_ROW: Row = ['data', 'FRAME_FRAGMENT']
const CONTROL_ROW: Row = ['control', 'control']
const RESERVED_ROW: Row = ['FRAME_OPCODE', 'FRAME_OPCODE']

/** What is done with a frame, by its opcode and by whether a message is open. */
const STEPS: readonly Row[] = [
  CONTINUATION_ROW,
  ...[DATA_ROW, DATA_ROW],
  ...[RESERVED_ROW, RESERVED_ROW, RESERVED_ROW, RESERVED_ROW, RESERVED_ROW],
  ...[CONTROL_ROW, CONTROL_ROW, CONTROL_ROW],
  ...[RESERVED_ROW, RESERVED_ROW, RESERVED_ROW, RESERVED_ROW, RESERVED_ROW],
]

export class WebSocketDecoder {
  readonly #limit: number
  /** The first bytes of a frame whose header, or if it is a control frame whose end, has not come: at most 130. */
  #held: Uint8Array | undefined
  #message: OpenMessage | undefined
  #ended = false

  /** @param limit the longest message, in bytes, all its fragments together. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Takes what was received and tells `handler` what is in it, before it returns. The chunk is unmasked where it
   * is, so it is of no use to anybody else afterwards; nothing of it is kept.
   * @example socket.on('data', (chunk) => decoder.push(chunk, connection))
   */
  push(chunk: Uint8Array, handler: WebSocketHandler): void {
    let bytes = chunk
    if (this.#held !== undefined) {
      bytes = joined(this.#held, chunk)
      this.#held = undefined
    }
    let at = 0
    while (at < bytes.length && !this.#ended) {
      const message = this.#message
      at =
        message !== undefined && message.left > 0
          ? this.#payload(message, bytes, at, handler)
          : this.#frame(bytes, at, handler)
    }
  }

  /** Takes the frame that begins at `at`, or what has come of it. @returns where to go on. */
  #frame(bytes: Uint8Array, at: number, handler: WebSocketHandler): number {
    const available = bytes.length - at
    if (available < 2) return this.#hold(bytes, at)
    const first = bytes[at] as number
    const second = bytes[at + 1] as number
    const opcode = first & 0x0f
    const isFinal = first >= 0x80
    const step = (STEPS[opcode] as Row)[this.#message === undefined ? 0 : 1]
    const wrong = wrongHead(first, second, step)
    if (wrong !== undefined) return this.#fail(wrong, handler)

    const short = second & 0x7f
    const start = at + (short < 126 ? 6 : short === 126 ? 8 : 14)
    if (bytes.length < start) return this.#hold(bytes, at)
    const length = short < 126 ? short : longLength(bytes, at + 2, start - 4)
    const mask = word(bytes, start - 4)
    const end = start + length
    if (step === 'control') {
      if (bytes.length < end) return this.#hold(bytes, at)
      unmask(bytes, start, end, mask)
      this.#control(opcode, bytes.subarray(start, end), handler)
      return end
    }
    if (length + (this.#message?.length ?? 0) > this.#limit) {
      return this.#fail('FRAME_TOO_LARGE', handler)
    }
    if (short >= 126 && length < (short === 126 ? 126 : 65_536)) {
      return this.#fail('FRAME_LENGTH', handler)
    }
    if (isFinal && this.#message === undefined && end <= bytes.length) {
      unmask(bytes, start, end, mask)
      this.#deliver(opcode, bytes.subarray(start, end), handler)
      return end
    }
    this.#message ??= new OpenMessage(opcode)
    this.#message.begin(length, mask, isFinal)
    return this.#payload(this.#message, bytes, start, handler)
  }

  /** Takes what has come of the payload of a data frame. @returns where to go on. */
  #payload(message: OpenMessage, bytes: Uint8Array, at: number, handler: WebSocketHandler): number {
    const end = Math.min(bytes.length, at + message.left)
    message.take(bytes, at, end, this.#limit)
    if (message.isFinal && message.left === 0) {
      this.#message = undefined
      this.#deliver(message.opcode, message.payload, handler)
    }
    return end
  }

  #deliver(opcode: number, payload: Uint8Array, handler: WebSocketHandler): void {
    if (opcode !== TEXT) return handler.binary(payload)
    const text = decoded(payload)
    if (text === undefined) this.#fail('UTF8_INVALID', handler)
    else handler.text(text)
  }

  #control(opcode: number, payload: Uint8Array, handler: WebSocketHandler): void {
    if (opcode === CLOSE) this.#close(payload, handler)
    else if (opcode === PING) handler.ping(payload)
    else handler.pong(payload)
  }

  #close(payload: Uint8Array, handler: WebSocketHandler): void {
    const code = payload.length === 0 ? NO_CODE : ((payload[0] as number) << 8) | (payload[1] ?? 0)
    const reason = decoded(payload.subarray(2))
    if (payload.length > 0 && (payload.length < 2 || !isCloseCode(code))) {
      this.#fail('FRAME_CLOSE', handler)
    } else if (reason === undefined) this.#fail('UTF8_INVALID', handler)
    else {
      this.#end()
      handler.closed(code, reason)
    }
  }

  #fail(code: WebSocketFaultCode, handler: WebSocketHandler): number {
    this.#end()
    handler.fault(FAULTS[code], code)
    return 0
  }

  #end(): void {
    this.#ended = true
    this.#message = undefined
  }

  /** Keeps what has come of a header or control frame, in a copy: the chunk may be memory that is used again. */
  #hold(bytes: Uint8Array, at: number): number {
    this.#held = new Uint8Array(bytes.length - at)
    this.#held.set(bytes.subarray(at))
    return bytes.length
  }
}

/** What is wrong with the first two bytes of a frame, if anything is. */
function wrongHead(first: number, second: number, step: Step): WebSocketFaultCode | undefined {
  if ((first & 0x70) !== 0) return 'FRAME_RESERVED'
  if (step === 'FRAME_OPCODE') return step
  if (second < 0x80) return 'FRAME_MASK'
  if (step === 'control') {
    return first < 0x80 || (second & 0x7f) > CONTROL_LIMIT ? 'FRAME_CONTROL' : undefined
  }
  return step === 'data' ? undefined : step
}

/** The length in 2 or 8 bytes. Above 2^53 it is rounded, but no limit is as high. */
function longLength(bytes: Uint8Array, from: number, to: number): number {
  let length = 0
  for (let i = from; i < to; i++) length = length * 256 + (bytes[i] as number)
  return length
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

let decoder: TextDecoder | undefined

/** The text of valid UTF-8, byte order marks and all; undefined of anything else. */
function decoded(bytes: Uint8Array): string | undefined {
  decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** May a close frame carry it? Section 7.4, and 1012 to 1014 which were registered later. */
function isCloseCode(code: number): boolean {
  if (code >= 3000) return code < 5000
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)
}
