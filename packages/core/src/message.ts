/**
 * What an update says: a body with its media type, and what the publisher said about it.
 * Invariant: nothing changes after it is made, so one message may be shared by all receivers. A JSON body
 * is text that was checked once, at the door; nothing behind the door parses it again.
 */
import type { CancelSignal } from './cancel.ts'

/** The media type of a body that is JSON text. Doors normalise parameters away: `===` decides. */
export const JSON_TYPE = 'application/json'
/** The media type of a text body that says no other. */
export const TEXT_TYPE = 'text/plain'
/** The media type of bytes that say no other. */
export const BYTES_TYPE = 'application/octet-stream'

/** Chunks that one consumer reads once. Legal on direct and inbox paths only. */
export type BodyStream = AsyncIterable<Uint8Array>

/** JSON and text are strings, everything else bytes, or a stream of them. */
export type Body = string | Uint8Array | BodyStream

/** What a publisher, asker or answerer says about a message; each field only where it was said. */
export interface Meta {
  /** The publisher's id: a repeat within the window is told so and reaches nobody. */
  readonly id?: string
  /** Under a `conflate` policy the newest of a key replaces the older ones. */
  readonly key?: string
  /** The session that this came from: its own copy is marked. */
  readonly origin?: string
  /** With `origin`: that session gets no copy at all. */
  readonly exclude?: boolean
  /** The path that an answer goes to. */
  readonly reply?: string
  readonly verb?: string
  readonly args?: readonly string[]
  readonly query?: string
  /** What is asked for, where it is no part of a legal path: that ends in `**` then. */
  readonly noun?: string
  /** When the asker stops waiting, in milliseconds of the hub's clock. */
  readonly deadline?: number
  /** How long an absent target is waited for, in milliseconds. */
  readonly wait?: number
  /** Of an answer: 0, the handler's own 1-248, or one of the reserved ones. */
  readonly code?: number
  /** Of an answer: the HTTP status that fits. */
  readonly status?: number
  /** On `::connect`: replay what was missed since this position. */
  readonly after?: string
  /** W3C trace parent. */
  readonly trace?: string
  /** What wire's ask grammar made of a request or an answer; opaque to everything between. */
  readonly head?: unknown
  /** Tells the answerer that nobody waits any more. */
  readonly cancel?: CancelSignal
}

export const NO_META: Meta = Object.freeze({})

export interface Message {
  readonly body: Body
  readonly type: string
  readonly meta: Meta
}

class PlainMessage implements Message {
  readonly body: Body
  readonly type: string
  readonly meta: Meta

  constructor(body: Body, type: string, meta: Meta) {
    this.body = body
    this.type = type
    this.meta = meta
  }
}

/** Makes a message of a body that is already in its wire form (JSON text, text, bytes or a stream). */
export function message(body: Body, type: string = JSON_TYPE, meta: Meta = NO_META): Message {
  return new PlainMessage(body, type, meta)
}

/**
 * Makes a message of a JavaScript value: JSON, or bytes for a `Uint8Array`.
 * @throws TypeError for what JSON cannot say (functions, symbols, cycles, big integers).
 * @example jsonMessage({ state: 'paid' })
 */
export function jsonMessage(value: unknown, meta: Meta = NO_META): Message {
  if (value instanceof Uint8Array) return new PlainMessage(value, BYTES_TYPE, meta)
  const text = JSON.stringify(value === undefined ? null : value)
  if (text === undefined) throw new TypeError(`a ${typeof value} cannot be sent as JSON`)
  return new PlainMessage(text, JSON_TYPE, meta)
}

/** The JavaScript value of a message: JSON parsed, text as a string, bytes as they are. */
export function bodyValue(message: Message): unknown {
  if (message.type !== JSON_TYPE || typeof message.body !== 'string') return message.body
  return JSON.parse(message.body)
}

/** The text of a control message: the JSON string it holds, or the body itself. */
export function textOf(message: Message): string {
  const { body, type } = message
  if (typeof body !== 'string') return ''
  if (type !== JSON_TYPE) return body
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'string' ? value : body
  } catch {
    return body
  }
}

/** Is this body a stream: chunks that one consumer reads once? */
export function isStream(body: Body): body is BodyStream {
  return typeof body !== 'string' && !(body instanceof Uint8Array)
}

/** How much of a budget a body takes: characters of text, bytes of bytes. */
export function sizeOf(body: Body): number {
  if (typeof body === 'string') return body.length
  return body instanceof Uint8Array ? body.byteLength : 0
}
