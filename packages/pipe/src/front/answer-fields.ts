/**
 * The headers that a caller gets of a peer's answer.
 * Invariant: an answerer decides about its own answer only. What belongs to a connection, to this front's origin, or is
 * decided here never passes; in proxy form the origin is the peer's own, and all but the first passes.
 */
import type { FieldList, ResponseHead } from '@sapwood/wire'
import { isHopByHop, mayAnswer } from '@sapwood/wire'

export interface AnswerFields {
  /** Names and values in turn, for `writeHead`. */
  readonly fields: string[]
  /** The `content-length` that the answerer gave, where one may stand; NaN where it is none. */
  readonly length: number | undefined
}

type Kind = 'passes' | 'stays' | 'foreign' | 'length'

const KINDS = new Map<string, Kind>([
  ['content-length', 'length'],
  ['content-type', 'passes'],
  ['x-event-return-code', 'stays'],
])
const KINDS_MOST = 512

/** @param isProxied in proxy form. */
export function answerFields(head: ResponseHead, isProxied: boolean): AnswerFields {
  const { headers, code, status } = head
  const takesLength = status >= 200 && status !== 204
  const fields: string[] = []
  let length: number | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    const kind = KINDS.get(name) ?? kindOf(name)
    if (kind === 'passes' || (kind === 'foreign' && isProxied)) fields.push(name, value)
    else if (kind === 'length' && takesLength) length = lengthOf(value, length)
  }
  fields.push('x-event-return-code', String(code))
  if (!isProxied) {
    fields.push('x-content-type-options', 'nosniff', 'content-security-policy', 'sandbox')
  }
  return { fields, length }
}

/** Whether the answer has no content, whatever its head says of a length (RFC 9110, 6.4.1). */
export function isBare(method: string | undefined, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** What passes of trailers: nothing that says how a message is to be read. */
export function trailerPairs(trailers: FieldList): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const name = trailers[i] as string
    if (mayAnswer(name)) pairs.push([name, trailers[i + 1] as string])
  }
  return pairs
}

function kindOf(name: string): Kind {
  const kind = isHopByHop(name) ? 'stays' : mayAnswer(name) ? 'passes' : 'foreign'
  if (KINDS.size < KINDS_MOST) KINDS.set(name, kind)
  return kind
}

function lengthOf(value: string, before: number | undefined): number {
  const length = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
  return before === undefined || before === length ? length : Number.NaN
}
