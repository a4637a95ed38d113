/**
 * Reads the hot messages of proto/pipe.proto by hand, as protobufjs would: unknown fields and known ones of another wire
 * type are passed over, of a repeated single field the last counts.
 * Two passes: the first finds where the texts are, then all of them are decoded in one go, since a decoder's call costs more
 * than what it decodes, and cut out of that.
 * Invariant: whatever the bytes are, it ends in a head or in undefined, and never reads behind them. Groups, which proto3
 * does not have, are refused.
 */
import { LastHead } from './last-head.ts'
import type { FieldList, RequestHead, ResponseHead } from './stream-head.ts'
import { NO_FIELDS, Tag } from './stream-head.ts'

/** Reads a Request; undefined if it is none, has no method or target, or headers without values. */
export function readRequest(bytes: Uint8Array): RequestHead | undefined {
  return lastRequest.read(bytes)
}

/** Reads a Response; undefined if it is none, its status is not 100 to 999, or headers have no values. */
export function readResponse(bytes: Uint8Array): ResponseHead | undefined {
  return lastResponse.read(bytes)
}

const lastRequest = new LastHead(parseRequest)
const lastResponse = new LastHead(parseResponse)

function parseRequest(bytes: Uint8Array): RequestHead | undefined {
  open(bytes)
  let method = NONE
  let target = NONE
  let trace = NONE
  let timeout = 0
  let hops = 0
  while (at < end) {
    const tag = fieldTag()
    if (tag === Tag.method) method = span()
    else if (tag === Tag.target) target = span()
    else if (tag === Tag.headers) items[count++] = span()
    else if (tag === Tag.timeout) timeout = varint()
    else if (tag === Tag.trace) trace = span()
    else if (tag === Tag.hops) hops = varint()
    else skip(tag)
  }
  decode()
  const head = {
    method: text(method),
    target: text(target),
    trace: text(trace),
    headers: texts(),
    timeout,
    hops,
  }
  return close() && head.method !== '' && head.target !== '' ? head : undefined
}

function parseResponse(bytes: Uint8Array): ResponseHead | undefined {
  open(bytes)
  let status = 0
  let code = 0
  while (at < end) {
    const tag = fieldTag()
    if (tag === Tag.status) status = varint()
    else if (tag === Tag.responseHeaders) items[count++] = span()
    else if (tag === Tag.code) code = varint()
    else skip(tag)
  }
  decode()
  const headers = texts()
  return close() && status >= 100 && status <= 999 ? { status, headers, code } : undefined
}

/** Reads Trailers; undefined if they are none, or have names without values. */
export function readTrailers(bytes: Uint8Array): FieldList | undefined {
  open(bytes)
  while (at < end) {
    const tag = fieldTag()
    if (tag === Tag.fields) items[count++] = span()
    else skip(tag)
  }
  decode()
  const fields = texts()
  return close() ? fields : undefined
}

// What the reader remembers: a message is read in one go, and an object for each would cost as much as the reading.
const NOTHING = new Uint8Array(0)
let source: Uint8Array = NOTHING
let at = 0
let end = 0
let bad = false
/** Where texts begin and end, in turn, and which of them are items of the list; so many are in use. */
const spans: number[] = []
let places = 0
const items: number[] = []
let count = 0
/** All of them and what is between, if each byte is a character; where that begins. */
let whole: string | undefined
let base = 0

/** A text that is not there. */
const NONE = -1

function open(bytes: Uint8Array): void {
  source = bytes
  at = 0
  end = bytes.length
  bad = false
  places = count = 0
}

/** Forgets the bytes. @returns whether all was well. */
function close(): boolean {
  source = NOTHING
  whole = undefined
  return !bad && count % 2 === 0
}

/** No more can be read: the message is malformed. */
function fail(): void {
  bad = true
  at = end
}

/** A varint of up to ten bytes, its lower 32 bits. */
function varint(): number {
  let value = 0
  for (let shift = 0; shift < 70 && at < end; shift += 7) {
    const byte = source[at++] as number
    if (shift < 32) value |= (byte & 127) << shift
    if (byte < 128) return value >>> 0
  }
  fail()
  return 0
}

/** A number and a wire type, which are 32 bits: a longer one is none. */
function fieldTag(): number {
  const from = at
  const value = varint()
  const size = at - from
  if (size > 5 || (size === 5 && (source[at - 1] as number) > 15)) fail()
  return value
}

/** Passes over a text. @returns which it is. */
function span(): number {
  const length = varint()
  if (bad || length > end - at) {
    fail()
    return NONE
  }
  const which = places
  spans[places++] = at
  at += length
  spans[places++] = at
  return which
}

/** Passes over a field that is not known here. */
function skip(tag: number): void {
  const wireType = tag & 7
  if (bad || tag < 8) return fail()
  if (wireType === 0) varint()
  else if (wireType === 1) at += 8
  else if (wireType === 5) at += 4
  else if (wireType === 2) skipBytes()
  else fail()
  if (at > end) fail()
}

function skipBytes(): void {
  const length = varint()
  at += length
}

let decoder: TextDecoder | undefined
let strict: TextDecoder | undefined
/** What stands where UTF-8 is none. */
const REPLACEMENT = '\uFFFD'

/** Decodes everything from the first text to the last. */
function decode(): void {
  if (bad || places === 0) return
  base = spans[0] as number
  const bytes = source.subarray(base, spans[places - 1])
  decoder ??= new TextDecoder('utf-8', { ignoreBOM: true })
  const decoded = decoder.decode(bytes)
  // of as many characters as bytes each is a byte, if none is a replacement: then places are the same
  if (decoded.length === bytes.length && !decoded.includes(REPLACEMENT)) whole = decoded
}

function text(which: number): string {
  if (bad || which === NONE) return ''
  const from = spans[which] as number
  const to = spans[which + 1] as number
  if (whole !== undefined) return whole.slice(from - base, to - base)
  strict ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return strict.decode(source.subarray(from, to))
  } catch {
    fail()
    return ''
  }
}

function texts(): FieldList {
  if (count === 0) return NO_FIELDS
  const fields: string[] = []
  for (let i = 0; i < count; i++) fields.push(text(items[i] as number))
  return fields
}
