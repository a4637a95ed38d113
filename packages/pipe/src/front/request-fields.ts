/**
 * The head of a caller's request, read in one pass over its raw headers: what goes to the peer, and what the front looks
 * at itself.
 * Invariant: nothing goes on that belongs to the caller's connection, that its `Connection` names, or that tells of
 * proxies; what the front needs is added by whoever has found out about it.
 */
import type { Fault } from '@sapwood/core'
import { traceParent } from '@sapwood/http'
import { isHopByHop } from '@sapwood/wire'

export class RequestFields {
  /** What travels: names in lower case and values in turn. */
  fields: string[] = []
  /** What proxies say, in the same form: it travels only where it is believed. */
  proxied: string[] | undefined = undefined
  host: string | undefined = undefined
  /** More than one `Host`: servers may take either. */
  isHostRepeated = false
  origin: string | undefined = undefined
  'sec-fetch-site': string | undefined = undefined
  authorization: string | undefined = undefined
  'proxy-authorization': string | undefined = undefined
  'content-length': string | undefined = undefined
  'transfer-encoding': string | undefined = undefined
  expect: string | undefined = undefined
  upgrade: string | undefined = undefined
  traceparent: string | undefined = undefined
  'sapwood-wait': string | undefined = undefined
  'sapwood-timeout': string | undefined = undefined
  'sapwood-hops': string | undefined = undefined
  'x-forwarded-for': string | undefined = undefined

  /** Has the request a body, of however many bytes? */
  get hasBody(): boolean {
    if (this['transfer-encoding'] !== undefined) return true
    return this['content-length'] !== undefined && Number(this['content-length']) > 0
  }
}

/** Headers that are looked at. `own` ones do not travel as they are. */
type Seen = Exclude<
  keyof RequestFields,
  'fields' | 'proxied' | 'isHostRepeated' | 'hasBody' | 'host' | 'connection'
>
type Kind = 'travels' | 'stays' | 'proxied' | 'host' | 'connection' | 'also' | 'own'

interface Name {
  readonly lower: string
  readonly kind: Kind
}

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['host', 'host'],
  ['connection', 'connection'],
  ['origin', 'also'],
  ['sec-fetch-site', 'also'],
  ['content-length', 'also'],
  ['authorization', 'own'],
  ['proxy-authorization', 'own'],
  ['transfer-encoding', 'own'],
  ['upgrade', 'own'],
  ['traceparent', 'own'],
  ['sapwood-wait', 'own'],
  ['sapwood-timeout', 'own'],
  ['sapwood-hops', 'own'],
  ['expect', 'own'],
  ['forwarded', 'proxied'],
  ['x-real-ip', 'proxied'],
])

/** Names as they come in most often, so that few are lower-cased. Filled from what comes, within a bound. */
const SEEN = new Map<string, Name>()
const SEEN_MOST = 512

/** In proxy form the target says whose host it is, whatever the `Host` header says (RFC 9112, 3.2.2). */
export function nameHost(head: RequestFields, host: string): void {
  head.host = host
  head.isHostRepeated = false
  head.fields = without(head.fields, 'host', NONE)
  head.fields.push('host', host)
}

/** Reads `rawHeaders`. The first of a repeated header that is looked at counts. */
export function readFields(raw: readonly string[]): RequestFields {
  const head = new RequestFields()
  const { fields } = head
  let named: string | undefined
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const { lower, kind } = nameOf(raw[i] as string)
    const value = raw[i + 1] as string
    if (kind === 'travels') fields.push(lower, value)
    else if (kind === 'host') {
      head.isHostRepeated ||= head.host !== undefined
      head.host ??= value
      fields.push(lower, value)
    } else if (kind === 'connection') named = named === undefined ? value : `${named},${value}`
    else if (kind === 'proxied') {
      head.proxied ??= []
      head.proxied.push(lower, value)
      if (lower === 'x-forwarded-for') head['x-forwarded-for'] ??= value
    } else if (kind !== 'stays') {
      head[lower as Seen] ??= value
      if (kind === 'also') fields.push(lower, value)
    }
  }
  if (named !== undefined && !/^(?:keep-alive|close|upgrade)$/i.test(named)) {
    head.fields = without(fields, named)
  }
  return head
}

function nameOf(raw: string): Name {
  const seen = SEEN.get(raw)
  if (seen !== undefined) return seen
  const lower = raw.toLowerCase()
  const name: Name = { lower, kind: kindOf(lower) }
  if (SEEN.size < SEEN_MOST) SEEN.set(raw, name)
  return name
}

function kindOf(lower: string): Kind {
  const known = KINDS.get(lower)
  if (known !== undefined) return known
  if (lower.startsWith('x-forwarded-')) return 'proxied'
  return isHopByHop(lower) ? 'stays' : 'travels'
}

/** What must not be taken away by being named: it says what the request is. */
const KEPT: ReadonlySet<string> = new Set(['content-length', 'content-type', 'host'])

const NONE: ReadonlySet<string> = new Set()

function without(
  fields: readonly string[],
  connection: string,
  protectedNames: ReadonlySet<string> = KEPT,
): string[] {
  const named = new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (!named.has(name) || protectedNames.has(name)) kept.push(name, fields[i + 1] as string)
  }
  return kept
}

/** Could two programs read the length of the body in two ways? Node has refused most of what could. */
export function isAmbiguous(head: RequestFields): boolean {
  const encoding = head['transfer-encoding']
  if (encoding === undefined) return false
  return head['content-length'] !== undefined || !/^chunked$/i.test(encoding)
}

/** What travels of the trailers of a request: no connection's business, and nothing that only a head may say. */
export function requestTrailers(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const { lower, kind } = nameOf(raw[i] as string)
    if (kind === 'travels' && !KEPT.has(lower)) kept.push(lower, raw[i + 1] as string)
  }
  return kept
}

/** The caller's W3C trace parent, or '' where it is none. */
export function traceOf({ traceparent }: RequestFields): string {
  return traceParent(traceparent) ?? ''
}

/** Relays that a request may pass. */
const HOPS_MOST = 16

const WENT_IN_CIRCLES: Fault = {
  code: 'RELAY_LOOP',
  detail: `the request has passed ${HOPS_MOST} relays; does the --target of a peer lead back to this front?`,
  status: 508,
}

/** How many relays it has passed: a peer that hands it to a server of its machine says so. */
export function hopsOf(head: RequestFields): number {
  const said = head['sapwood-hops']
  return said !== undefined && /^\d{1,4}$/.test(said) ? Number(said) : 0
}

/** Why a request is not relayed once more. */
export function hopsFault(head: RequestFields): Fault | undefined {
  return hopsOf(head) > HOPS_MOST ? WENT_IN_CIRCLES : undefined
}
