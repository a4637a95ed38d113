/**
 * What a reply becomes as an HTTP answer: status by its code, the code in `X-Event-Return-Code` (RP-06), type and
 * body as answered.
 * Invariant: an answerer decides about its own answer only: it cannot speak in the name of the hub's origin, and
 * nothing it says runs as a page there.
 */
import type { Body, Message } from '@sapwood/core'
import { Code, JSON_TYPE, TEXT_TYPE } from '@sapwood/core'
import { isHopByHop } from './end-to-end.ts'
import type { ResponseHead } from './pipe/stream-head.ts'

/** What an answer says beside body, type, code and status: `meta.head` of a reply. */
export interface AnswerHead {
  readonly headers?: Readonly<Record<string, string>>
}

export interface HttpAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
}

/** How errors of the house are typed. */
const PROBLEM_TYPE = 'application/problem+json'
/** The code stands here in every answer, also in one of 200. */
const CODE_HEADER = 'x-event-return-code'

/** The status where the answer chose none; any other code is a handler's own. */
const STATUS: Readonly<Record<number, number>> = {
  [Code.refused]: 403,
  [Code.cancelled]: 504,
  [Code.threw]: 500,
  [Code.absent]: 404,
  [Code.timeout]: 504,
  [Code.lost]: 502,
  [Code.unhandled]: 404,
}

/**
 * The HTTP answer for a reply.
 * @example httpAnswer(jsonMessage({ time: 1 }, { code: 0 })).headers['x-event-return-code'] // '0'
 */
export function httpAnswer(reply: Message): HttpAnswer {
  const { code = Code.ok } = reply.meta
  const status = statusOf(reply, code)
  const headers = allowedHeaders((reply.meta.head as AnswerHead | undefined)?.headers)
  headers[CODE_HEADER] = String(code)
  headers['x-content-type-options'] = 'nosniff'
  headers['content-security-policy'] = 'sandbox'
  if (isBodiless(status)) return { status, headers, body: '' }
  const isUnhandled = code === Code.unhandled
  const type = isUnhandled ? TEXT_TYPE : typeOf(reply, code)
  if (type !== '') headers['content-type'] = type
  return { status, headers, body: isUnhandled ? '' : reply.body }
}

/**
 * The head of a reply on its way through a pipe: all that the handler said, less what belongs to a connection. What of it
 * the caller gets is decided at the other end, where the caller is.
 * @param length bytes of the body; undefined if it streams.
 */
export function responseHead(reply: Message, length: number | undefined): ResponseHead {
  const { code = Code.ok, head } = reply.meta
  const status = statusOf(reply, code)
  const headers: string[] = []
  const type = typeOf(reply, code)
  if (type !== '' && !isBodiless(status)) headers.push('content-type', type)
  if (length !== undefined) headers.push('content-length', String(length))
  const said = (head as AnswerHead | undefined)?.headers
  if (said !== undefined) {
    for (const [name, value] of Object.entries(said)) {
      const lower = name.toLowerCase()
      const text = String(value)
      if (isHopByHop(lower) || DECIDED.has(lower)) continue
      if (LOWER_CASE_TOKEN.test(lower) && VALUE.test(text)) headers.push(lower, text)
    }
  }
  return { status, headers, code }
}

/** What of an answer is told by other means. */
const DECIDED: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'content-length',
  'content-type',
  CODE_HEADER,
])

function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

function statusOf({ meta }: Message, code: number): number {
  return isFinal(meta.status) ? meta.status : (STATUS[code] ?? 200)
}

/** Answers of the house carry a status besides their reserved code; their body is a problem document. */
function typeOf({ type, meta }: Message, code: number): string {
  const ofHouse = code >= Code.refused && meta.status !== undefined
  return ofHouse && type === JSON_TYPE ? PROBLEM_TYPE : type
}

function isFinal(status: number | undefined): status is number {
  return status !== undefined && Number.isInteger(status) && status >= 200 && status <= 599
}

const LOWER_CASE_TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** What belongs to the connection, to the hub's origin, or is decided here. */
const REFUSED: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'clear-site-data',
  'connection',
  'content-length',
  'content-security-policy',
  'content-type',
  'keep-alive',
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-content-type-options',
  CODE_HEADER,
])
const REFUSED_PREFIX = /^(?:access-control-|proxy-|sapwood-)/

/**
 * May an answerer say this header, beside those that describe its body? Not what belongs to the connection, to the origin
 * of the gateway, or is decided there.
 * @param name in lower case.
 */
export function mayAnswer(name: string): boolean {
  return !REFUSED.has(name) && !REFUSED_PREFIX.test(name) && LOWER_CASE_TOKEN.test(name)
}

function allowedHeaders(said: Readonly<Record<string, string>> = {}): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(said)) {
    const lower = name.toLowerCase()
    if (!mayAnswer(lower)) continue
    // a handler in JavaScript may have put a number there
    const text = String(value)
    if (VALUE.test(text)) headers[lower] = text
  }
  return headers
}
