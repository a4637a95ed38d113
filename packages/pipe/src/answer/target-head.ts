/**
 * The heads between the pipe and a target: what of a peer's request becomes a request line and headers, and what of the
 * target's answer goes back.
 * Invariant: how a body is framed is decided here and never by what a peer wrote: one valid length, or chunks.
 */
import type { ClientRequest, RequestOptions } from 'node:http'
import type { Fault } from '@sapwood/core'
import type { FieldList } from '@sapwood/wire'
import { endToEnd, fieldOf, PAYLOAD_LIMIT } from '@sapwood/wire'
import type { RoutedRequest } from './route.ts'
import type { TargetPlace } from './target-route.ts'

export interface TargetRequest extends RequestOptions {
  readonly method: string
  readonly headers: readonly string[]
  /** How many bytes the body has, if the peer has said it. */
  readonly length: number | undefined
  /** Whether another protocol is asked for. */
  readonly upgrades: boolean
}

/** What a gateway says anew, and what the peer must not say of itself. */
const SAID_ANEW: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'host',
  'sapwood-hops',
  'sapwood-peer',
])
/** What the front at the other end has found out about its caller; everything else of the kind is hearsay. */
const FORWARDED = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'] as const

const AMBIGUOUS: Fault = {
  code: 'LENGTH_AMBIGUOUS',
  detail:
    'the request has more than one length, or a length and a transfer coding; send one of them',
  status: 400,
}
const NO_TUNNEL: Fault = {
  code: 'METHOD_NOT_ALLOWED',
  detail: 'CONNECT is not for a target; ask it with another method',
  status: 405,
}

/** What the target is asked, or why it is not. */
export function requestOptions(
  { head, ends }: Pick<RoutedRequest, 'head' | 'ends'>,
  place: TargetPlace,
  peer: string,
): TargetRequest | Fault {
  const { method, target, headers: said, trace, hops } = head
  if (method.toUpperCase() === 'CONNECT') return NO_TUNNEL
  const length = lengthOf(said)
  if (Number.isNaN(length)) return AMBIGUOUS
  const upgrade = fieldOf(said, 'upgrade')
  const headers = ['host', place.authority, ...passing(said)]
  for (const name of FORWARDED) {
    const value =
      fieldOf(said, name) ?? (name === 'x-forwarded-host' ? fieldOf(said, 'host') : undefined)
    if (value !== undefined) headers.push(name, value)
  }
  // where the target hands it on to a front, a request that goes in circles comes to an end
  headers.push('sapwood-peer', peer, 'sapwood-hops', String(hops + 1))
  if (trace !== '' && fieldOf(said, 'traceparent') === undefined) headers.push('traceparent', trace)
  if (upgrade !== undefined) headers.push('connection', 'upgrade', 'upgrade', upgrade)
  else if (length !== undefined) headers.push('content-length', String(length))
  else if (!ends) headers.push('transfer-encoding', 'chunked')
  else if (!BODILESS.has(method)) headers.push('content-length', '0')
  return {
    ...place,
    method,
    path: target,
    headers,
    length,
    upgrades: upgrade !== undefined,
    // as much as a frame can carry
    maxHeaderSize: PAYLOAD_LIMIT,
  }
}

/** Methods that do not speak of a body where they have none. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function passing(said: FieldList): string[] {
  const passed: string[] = []
  const fields = endToEnd(said)
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (SAID_ANEW.has(name) || name === 'forwarded' || name.startsWith('x-forwarded-')) continue
    passed.push(name, fields[i + 1] as string)
  }
  return passed
}

/** The length that was said, NaN if it is none or not the only word on it. */
function lengthOf(said: FieldList): number | undefined {
  let length: number | undefined
  let coded = false
  for (let i = 0; i + 1 < said.length; i += 2) {
    if (said[i] === 'transfer-encoding') coded = true
    if (said[i] !== 'content-length') continue
    if (length !== undefined || !/^\d{1,15}$/.test(said[i + 1] as string)) return Number.NaN
    length = Number(said[i + 1])
  }
  return coded && length !== undefined ? Number.NaN : length
}

/** What goes back of a target's headers. @param upgrades whether they agree to another protocol. */
export function answerFields(raw: FieldList, upgrades = false): string[] {
  const fields = endToEnd(raw)
  if (!upgrades) return fields
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if ((raw[i] as string).toLowerCase() === 'upgrade') fields.push('upgrade', raw[i + 1] as string)
  }
  return fields
}

/** Trailers in lower case, less what a trailer must not say. */
export function trailerFields(raw: FieldList): string[] {
  const fields = endToEnd(raw)
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (!NO_TRAILER.has(name)) kept.push(name, fields[i + 1] as string)
  }
  return kept
}

const NO_TRAILER: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'set-cookie',
])

/** Has a request end with what the peer said behind its body. */
export function addTrailers(request: ClientRequest, trailers: FieldList): void {
  const fields = trailerFields(trailers)
  const pairs: [string, string][] = []
  for (let i = 0; i < fields.length; i += 2) {
    pairs.push([fields[i] as string, fields[i + 1] as string])
  }
  try {
    request.addTrailers(pairs)
  } catch {
    // names or values that HTTP cannot carry: the body is whole without them
  }
}
