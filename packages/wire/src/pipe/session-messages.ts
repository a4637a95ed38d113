/**
 * The rare messages of the pipe: SESSION, GOAWAY and RESET, read and written by protobufjs, checked here.
 * Invariant: whatever comes, a reader answers with a message whose fields are within their limits, or with undefined.
 */
import type { Fault } from '@sapwood/core'
import type { Wide } from './gen/message-root.ts'
import { sapwood } from './gen/messages.ts'

const { Session, Goaway, Reset } = sapwood.pipe

/** The versions of the protocol that this end speaks. */
export const PIPE_VERSION = 1
export const OLDEST_PIPE_VERSION = 1

const ID = 16
const SECRET = 32
const NAME = 128
/** Texts that a peer sends for people to read. */
const DETAIL = 512

/** What SESSION says; see proto/pipe.proto. */
export interface SessionMessage {
  readonly version: number
  readonly oldest: number
  readonly id: Uint8Array
  readonly secret: Uint8Array
  readonly link: number
  readonly received: number
  readonly resumed: boolean
  readonly instance: string
  readonly streamWindow: number
  readonly sessionWindow: number
  readonly streams: number
  /** Of the dialler: which of its names it goes by; '' for the first in its certificate. */
  readonly name: string
}

export interface GoawayMessage extends Fault {
  readonly last: number
  readonly ends: boolean
  readonly retryAfter: number
}

export interface ResetMessage extends Fault {
  readonly refused: boolean
}

export function writeSession(message: SessionMessage): Uint8Array {
  return Session.encode(message).finish()
}

/** @param isAnswer that of the listener, which has no secret in it. */
export function readSession(bytes: Uint8Array, isAnswer: boolean): SessionMessage | undefined {
  const read = attempt(() => Session.decode(bytes))
  if (read === undefined) return undefined
  const link = numberOf(read.link)
  const received = numberOf(read.received)
  const isGood =
    read.id.length === ID &&
    read.secret.length === (isAnswer ? 0 : SECRET) &&
    Number.isSafeInteger(link) &&
    Number.isSafeInteger(received) &&
    read.instance.length <= DETAIL &&
    read.name.length <= NAME
  if (!isGood) return undefined
  return {
    version: read.version,
    oldest: read.oldest,
    // of their own: they outlive what was received
    id: read.id.slice(),
    secret: read.secret.slice(),
    link,
    received,
    resumed: read.resumed,
    instance: read.instance,
    streamWindow: read.streamWindow,
    sessionWindow: read.sessionWindow,
    streams: read.streams,
    name: read.name,
  }
}

export function writeGoaway(message: GoawayMessage): Uint8Array {
  return Goaway.encode({ ...message, detail: message.detail.slice(0, DETAIL) }).finish()
}

export function readGoaway(bytes: Uint8Array): GoawayMessage | undefined {
  const read = attempt(() => Goaway.decode(bytes))
  if (read === undefined || !isCode(read.code)) return undefined
  const last = numberOf(read.last)
  if (!Number.isSafeInteger(last)) return undefined
  const { code, detail, ends, retryAfter } = read
  return { code, detail: detail.slice(0, DETAIL), last, ends, retryAfter }
}

export function writeReset({ code, detail, refused }: ResetMessage): Uint8Array {
  return Reset.encode({ code, detail: detail.slice(0, DETAIL), refused }).finish()
}

export function readReset(bytes: Uint8Array): ResetMessage | undefined {
  const read = attempt(() => Reset.decode(bytes))
  if (read === undefined || !isCode(read.code)) return undefined
  return { code: read.code, detail: read.detail.slice(0, DETAIL), refused: read.refused }
}

/** Are they the same? It takes as long whether they differ early or late. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= (one[i] as number) ^ (other[i] as number)
  return difference === 0
}

function isCode(text: string): boolean {
  return /^[A-Z][A-Z0-9_]{0,63}$/.test(text)
}

function numberOf(value: Wide): number {
  return typeof value === 'number' ? value : value.toNumber()
}

/** protobufjs throws at what it cannot read. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
