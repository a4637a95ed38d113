/**
 * Frames of `sapwood.v1` as a client has them: plain JSON values, since that is what callbacks get. (What keeps bodies
 * verbatim for those who pass them on is the hub's business, and most of a kilobyte in a browser.)
 */
import { BYTES_TYPE, JSON_TYPE } from '@sapwood/core'
import { failure } from './failure.ts'

/** An update, a question or an answer, with the fields of the protocol; those that are undefined are not sent. */
export interface Frame {
  readonly path: string
  /** A JSON value, a text under a `type` of its own, or bytes. */
  readonly message?: unknown
  readonly type?: string | undefined
  readonly at?: string | undefined
  readonly replay?: boolean | undefined
  readonly own?: boolean | undefined
  readonly id?: string | undefined
  readonly key?: string | undefined
  readonly origin?: string | undefined
  readonly exclude?: boolean | undefined
  readonly reply?: string | undefined
  readonly verb?: string | undefined
  readonly args?: readonly string[] | undefined
  readonly query?: string | undefined
  /** Of a question whose path cannot say it. */
  readonly noun?: string | undefined
  readonly deadline?: number | undefined
  readonly code?: number | undefined
  readonly status?: number | undefined
  readonly after?: string | undefined
}

/** The members of a message that is an object; none of any other. */
export type Values = Readonly<Record<string, unknown>>

/** Characters of a field that names something. The hub takes 512 bytes, and refuses all that was sent with a longer one. */
const WORD = 170

/**
 * The text of a frame.
 * @throws TypeError for what JSON cannot say, and for a message that is no text of its type; SapwoodError
 *   `FRAME_INVALID` for a field that is too long.
 */
export function frameText(frame: Frame): string {
  const { message = null, type } = frame
  if ([frame.id, frame.key, frame.origin, type].some((word = '') => word.length > WORD)) {
    throw failure('FRAME_INVALID', `a field has more than ${WORD} characters`)
  }
  if (message instanceof Uint8Array) {
    return JSON.stringify({ ...frame, message: toBase64(message), encoding: 'base64' })
  }
  const asJson = type === undefined || type === JSON_TYPE
  const kind = typeof message
  if (asJson ? kind === 'function' || kind === 'symbol' : kind !== 'string') {
    throw new TypeError(`a ${kind} cannot be sent as ${type ?? JSON_TYPE}`)
  }
  return JSON.stringify({ ...frame, message, type: asJson ? undefined : type })
}

/** The frames of a text. @throws for what is none. */
export function readFrames(text: string): Frame[] {
  const value: unknown = JSON.parse(text)
  return Array.isArray(value) ? value.map(readFrame) : [readFrame(value)]
}

/** A frame that was parsed already. @throws for what is none. */
export function readFrame(value: unknown): Frame {
  const frame = value as Frame & { readonly encoding?: string }
  if (typeof frame?.path !== 'string') throw new TypeError('the hub sent what is no frame')
  return frame.encoding === undefined ? frame : { ...frame, message: toBytes(frame.message) }
}

/** The media type of a frame's message. */
export function typeOf({ type, message }: Frame): string {
  return type ?? (message instanceof Uint8Array ? BYTES_TYPE : JSON_TYPE)
}

/** The members of a frame's message. */
export function valuesOf({ message }: Frame): Values {
  return Object(message)
}

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

function toBytes(message: unknown): Uint8Array {
  return Uint8Array.from(atob(String(message)), (letter) => letter.charCodeAt(0))
}
