/**
 * Writes the hot messages of proto/pipe.proto by hand, straight into the bytes that go out; a property shows them equal
 * to what protobufjs writes. Text is ASCII as a rule and is then written in one pass.
 * Invariant: nothing is written behind `from` and the size that the `…Most` function told.
 */
import { utf8Length } from '../utf8.ts'
import type { FieldList, RequestHead, ResponseHead } from './stream-head.ts'
import { Tag } from './stream-head.ts'

/** A tag and a length, or a tag and a number. */
const FIELD = 6

/** How many bytes a list of texts takes at most. */
export function fieldsMost(fields: FieldList): number {
  let most = 0
  for (let i = 0; i < fields.length; i++) most += (fields[i] as string).length * 3 + FIELD
  return most
}

/** How many bytes a list of texts takes, exactly: dearer than `fieldsMost`. */
export function fieldsLength(fields: FieldList): number {
  let sum = 0
  for (const text of fields) {
    const length = utf8Length(text)
    let size = 2
    for (let rest = length >>> 7; rest > 0; rest >>>= 7) size++
    sum += size + length
  }
  return sum
}

export function requestMost({ method, target, headers, trace }: RequestHead): number {
  return (method.length + target.length + trace.length) * 3 + 5 * FIELD + fieldsMost(headers)
}

export function responseMost({ headers }: ResponseHead): number {
  return 2 * FIELD + fieldsMost(headers)
}

/** Writes a Request. @returns where it ends. */
export function writeRequest(bytes: Uint8Array, from: number, head: RequestHead): number {
  let at = writeText(bytes, from, Tag.method, head.method)
  at = writeText(bytes, at, Tag.target, head.target)
  at = writeText(bytes, at, Tag.trace, head.trace)
  at = writeFields(bytes, at, Tag.headers, head.headers)
  at = writeNumber(bytes, at, Tag.timeout, head.timeout)
  return writeNumber(bytes, at, Tag.hops, head.hops)
}

/** Writes a Response. @returns where it ends. */
export function writeResponse(bytes: Uint8Array, from: number, head: ResponseHead): number {
  let at = writeNumber(bytes, from, Tag.status, head.status)
  at = writeFields(bytes, at, Tag.responseHeaders, head.headers)
  return writeNumber(bytes, at, Tag.code, head.code)
}

/** Writes Trailers. @returns where they end. */
export function writeTrailers(bytes: Uint8Array, from: number, fields: FieldList): number {
  return writeFields(bytes, from, Tag.fields, fields)
}

function writeFields(bytes: Uint8Array, from: number, tag: number, fields: FieldList): number {
  let at = from
  for (let i = 0; i < fields.length; i++) {
    const text = fields[i] as string
    if (text !== '') {
      at = writeText(bytes, at, tag, text)
      continue
    }
    // an item of a list is never left out
    bytes[at++] = tag
    bytes[at++] = 0
  }
  return at
}

function writeNumber(bytes: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at
  bytes[at] = tag
  return writeVarint(bytes, at + 1, value)
}

function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128
  bytes[at++] = rest
  return at
}

function writeText(bytes: Uint8Array, from: number, tag: number, text: string): number {
  const { length } = text
  if (length === 0) return from
  bytes[from] = tag
  const start = writeVarint(bytes, from + 1, length)
  let at = start
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 127) return writeUtf8(bytes, from + 1, text)
    bytes[at++] = unit
  }
  return at
}

let encoder: TextEncoder | undefined

function writeUtf8(bytes: Uint8Array, from: number, text: string): number {
  encoder ??= new TextEncoder()
  const start = writeVarint(bytes, from, utf8Length(text))
  return start + encoder.encodeInto(text, bytes.subarray(start)).written
}
