/**
 * Unmasked WebSocket frames (RFC 6455 section 5.2) as a server sends them: one text frame per update, made once
 * and written as it is to every socket; and headers for bytes that only pass through.
 * Invariant: every frame is final and whole, without extension bits.
 */
import type { Codec } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import { envelopeText } from './envelope.ts'
import { Slot } from './slots.ts'
import { utf8 } from './utf8.ts'

const FINAL_TEXT = 0x81
const FINAL_BINARY = 0x82
const FINAL_CLOSE = 0x88
const FINAL_PING = 0x89
const FINAL_PONG = 0x8a
/** What a control frame may carry (section 5.5). */
const CONTROL_LIMIT = 125
const LONGEST_HEADER = 10

/** An update as a text frame. */
export const webSocketFrame: Codec<Uint8Array> = {
  slot: Slot.webSocketFrame,
  encode: (update) => textFrame(envelopeText(update)),
}

/** A text frame of `text`. The bytes share their ArrayBuffer with others: they are for writing only. */
export function textFrame(text: string): Uint8Array {
  return utf8(text, LONGEST_HEADER, textHeader)
}

/**
 * The header of a binary frame. Its payload is to follow as it is: what only passes through need not be copied.
 * @param length of the payload, in bytes.
 * @example socket.write(binaryHeader(chunk.length)); socket.write(chunk)
 */
export function binaryHeader(length: number): Uint8Array {
  const bytes = new Uint8Array(LONGEST_HEADER)
  return bytes.subarray(writeHeader(bytes, LONGEST_HEADER, FINAL_BINARY, length))
}

function textHeader(bytes: Uint8Array, end: number, length: number): number {
  return writeHeader(bytes, end, FINAL_TEXT, length)
}

/** Writes a header that ends at `end`. @returns where it begins. */
function writeHeader(bytes: Uint8Array, end: number, first: number, length: number): number {
  let at = end
  if (length <= 125) bytes[--at] = length
  else if (length <= 0xffff) {
    bytes[--at] = length
    bytes[--at] = length >> 8
    bytes[--at] = 126
  } else {
    for (let left = length; at > end - 8; left = Math.floor(left / 256)) bytes[--at] = left
    bytes[--at] = 127
  }
  bytes[--at] = first
  return at
}

/**
 * A ping; the other side answers with the same payload.
 * @throws SapwoodError `PAYLOAD_TOO_LARGE` above 125 bytes.
 */
export function pingFrame(payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (payload.length > CONTROL_LIMIT) {
    throw new SapwoodError('PAYLOAD_TOO_LARGE', `a ping carries at most ${CONTROL_LIMIT} bytes`)
  }
  return controlFrame(FINAL_PING, payload)
}

/** The answer to a ping: its payload, as it came. */
export function pongFrame(payload: Uint8Array): Uint8Array {
  return controlFrame(FINAL_PONG, payload)
}

/**
 * A close with its code; a reason above 123 bytes is cut between two characters.
 * @example closeFrame(4002, 'replaced')
 */
export function closeFrame(code: number, reason = ''): Uint8Array {
  const text = utf8(reason)
  let length = Math.min(text.length, CONTROL_LIMIT - 2)
  // not in the middle of a character: its further bytes begin with the bits 10
  while (length < text.length && length > 0 && ((text[length] as number) & 0xc0) === 0x80) length--
  const payload = new Uint8Array(2 + length)
  payload[0] = code >> 8
  payload[1] = code
  payload.set(text.subarray(0, length), 2)
  return controlFrame(FINAL_CLOSE, payload)
}

function controlFrame(first: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + payload.length)
  frame[0] = first
  frame[1] = payload.length
  frame.set(payload, 2)
  return frame
}
