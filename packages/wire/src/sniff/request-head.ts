/**
 * The head of the first HTTP/1 request of a connection, as far as it has come (RFC 9112 sections 2 to 5). Only as strict
 * as it takes to tell it from other protocols and not to be led astray: the target judges the rest.
 * Invariant: what is known stays as it is when more comes.
 */
import { TOKEN } from '../token.ts'
import { startsWith } from './first-bytes.ts'
import { ascii, latin1 } from './latin1.ts'
import { remembered } from './sniffed.ts'

/** What is not there yet is undefined. */
export interface RequestLine {
  readonly method: string | undefined
  /** As it was sent, one character a byte. */
  readonly target: string | undefined
  /** Where the headers begin: behind the line end. */
  readonly end: number | undefined
}

export interface RequestHeaders {
  /** All values of a header by its lower-case name, in order; empty if it was not sent. */
  all(name: string): readonly string[]
}

/** One line of a head. */
export interface HeadLine {
  readonly start: number
  /** Before its line end, and behind it. */
  readonly end: number
  readonly next: number
}

const SPACE = 32
const DELETE = 127
const COLON = 58
const ZERO = 48
const NINE = 57
const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const VERSION = ascii('HTTP/1.')
const NOTHING: RequestLine = { method: undefined, target: undefined, end: undefined }

/** 1 for each byte that may stand there. */
const TOKEN_BYTES = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(TOKEN.test(String.fromCharCode(byte))),
)
/** All but controls and space: real clients send raw UTF-8, and real servers take it. */
const TARGET_BYTES = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(byte > SPACE && byte !== DELETE),
)

/**
 * The request line, `no` as soon as a byte cannot belong to one. Empty lines before it are passed over, as servers
 * should (RFC 9112 section 2.2).
 */
export const requestLine: (bytes: Uint8Array) => RequestLine | 'no' = remembered(readRequestLine)

/** All headers once the head is whole; `no` if a line of it is none, since then nobody knows what the target reads. */
export const requestHeaders: (bytes: Uint8Array) => RequestHeaders | 'more' | 'no' =
  remembered(readHeaders)

/** The header lines from `start` on, the last one empty, or `more` if that one is not there yet. */
export function headLines(bytes: Uint8Array, start: number): readonly HeadLine[] | 'more' {
  // most questions come before it is there: they are answered without making anything
  if (!hasEmptyLine(bytes, start)) return 'more'
  const lines: HeadLine[] = []
  for (let at = start; ; ) {
    const found = bytes.indexOf(LINE_FEED, at)
    const end = found > at && bytes[found - 1] === CARRIAGE_RETURN ? found - 1 : found
    lines.push({ start: at, end, next: found + 1 })
    if (end === at) return lines
    at = found + 1
  }
}

function hasEmptyLine(bytes: Uint8Array, start: number): boolean {
  for (let at = start, lineStart = start; at < bytes.length; at++) {
    if (bytes[at] !== LINE_FEED) continue
    const length = at - lineStart
    if (length === 0 || (length === 1 && bytes[lineStart] === CARRIAGE_RETURN)) return true
    lineStart = at + 1
  }
  return false
}

function readRequestLine(bytes: Uint8Array): RequestLine | 'no' {
  const start = firstLine(bytes)
  if (start === 'no') return 'no'
  const methodEnd = spanEnd(bytes, start, TOKEN_BYTES)
  if (methodEnd === bytes.length) return NOTHING
  if (methodEnd === start || bytes[methodEnd] !== SPACE) return 'no'
  const method = latin1(bytes, start, methodEnd)
  const targetEnd = spanEnd(bytes, methodEnd + 1, TARGET_BYTES)
  if (targetEnd === bytes.length) return { ...NOTHING, method }
  if (targetEnd === methodEnd + 1 || bytes[targetEnd] !== SPACE) return 'no'
  const target = latin1(bytes, methodEnd + 1, targetEnd)
  const end = versionEnd(bytes, targetEnd + 1)
  return end === 'no' ? 'no' : { method, target, end }
}

/** Where the first line begins that is not empty. */
function firstLine(bytes: Uint8Array): number | 'no' {
  const { length } = bytes
  let at = 0
  while (at < length) {
    const byte = bytes[at]
    if (byte === CARRIAGE_RETURN) {
      if ((bytes[at + 1] ?? LINE_FEED) !== LINE_FEED) return 'no'
    } else if (byte !== LINE_FEED) return at
    at++
  }
  return length
}

/** Behind the bytes from `start` on that are of the table. */
function spanEnd(bytes: Uint8Array, start: number, table: Uint8Array): number {
  const { length } = bytes
  let at = start
  while (at < length && table[bytes[at] as number] === 1) at++
  return at
}

/** Behind the version that begins at `start` and its line end; undefined if it is not there whole. */
function versionEnd(bytes: Uint8Array, start: number): number | 'no' | undefined {
  const version = startsWith(bytes.subarray(start), VERSION)
  if (version !== 'yes') return version === 'no' ? 'no' : undefined
  const at = start + VERSION.length
  const digit = bytes[at] ?? ZERO
  if (digit < ZERO || digit > NINE) return 'no'
  if (bytes[at + 1] === LINE_FEED) return at + 2
  if ((bytes[at + 1] ?? CARRIAGE_RETURN) !== CARRIAGE_RETURN) return 'no'
  if ((bytes[at + 2] ?? LINE_FEED) !== LINE_FEED) return 'no'
  return at + 2 < bytes.length ? at + 3 : undefined
}

function readHeaders(bytes: Uint8Array): RequestHeaders | 'more' | 'no' {
  const line = requestLine(bytes)
  if (line === 'no') return 'no'
  const lines = line.end === undefined ? 'more' : headLines(bytes, line.end)
  if (lines === 'more') return 'more'
  const headers = new Map<string, string[]>()
  for (const { start, end } of lines.slice(0, -1)) {
    const colon = spanEnd(bytes, start, TOKEN_BYTES)
    if (colon === start || bytes[colon] !== COLON) return 'no'
    const name = latin1(bytes, start, colon).toLowerCase()
    const value = latin1(bytes, colon + 1, end).replace(/^[ \t]+|[ \t]+$/g, '')
    const values = headers.get(name)
    if (values === undefined) headers.set(name, [value])
    else values.push(value)
  }
  return { all: (name) => headers.get(name) ?? [] }
}
