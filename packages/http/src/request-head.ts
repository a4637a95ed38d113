/**
 * What the hub looks at in a request's head, read in one pass over the raw headers: building Node's header
 * object costs more than routing the request does.
 * Invariant: a header that is not in the table below is never looked at.
 */
import type { HttpRequest } from './http-message.ts'

export class RequestHead {
  host: string | undefined
  origin: string | undefined
  authorization: string | undefined
  'content-type': string | undefined
  'last-event-id': string | undefined
  'sec-fetch-site': string | undefined
  'sapwood-id': string | undefined
  'sapwood-key': string | undefined
  'sapwood-origin': string | undefined
  'sapwood-exclude': string | undefined
  'sapwood-wait': string | undefined
  'sapwood-timeout': string | undefined
  traceparent: string | undefined
  upgrade: string | undefined
  connection: string | undefined
  'sec-websocket-key': string | undefined
  'sec-websocket-version': string | undefined
  'sec-websocket-protocol': string | undefined
  /** What the nearest proxy says of the peer. */
  'x-forwarded-for': string | undefined
  /** Somebody forwarded this: it does not come from where it seems to come from. */
  forwarded = false
  /** It has two `Host` headers: others may go by the other one. */
  hasTwoHosts = false
}

type Name = Exclude<keyof RequestHead, 'forwarded' | 'hasTwoHosts'>

const NAMES = new Map<string, Name>(
  (
    [
      'host',
      'origin',
      'authorization',
      'content-type',
      'last-event-id',
      'sec-fetch-site',
      'sapwood-id',
      'sapwood-key',
      'sapwood-origin',
      'sapwood-exclude',
      'sapwood-wait',
      'sapwood-timeout',
      'traceparent',
      'upgrade',
      'connection',
      'sec-websocket-key',
      'sec-websocket-version',
      'sec-websocket-protocol',
      'x-forwarded-for',
    ] as const
  ).map((name) => [name, name]),
)
/** Names as they come in most often, so that few are lower-cased. Filled from what comes, within a bound. */
const SEEN = new Map<string, Name | 'forwarded' | ''>()
const SEEN_MOST = 512

/** Reads the head of a request. The first of a repeated header counts. */
export function readHead(request: Pick<HttpRequest, 'rawHeaders'>): RequestHead {
  const head = new RequestHead()
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = nameOf(raw[i] as string)
    if (name === '') continue
    if (name === 'forwarded') head.forwarded = true
    else {
      if (name === 'host' && head.host !== undefined) head.hasTwoHosts = true
      head[name] ??= raw[i + 1] as string
      if (name === 'x-forwarded-for') head.forwarded = true
    }
  }
  return head
}

function nameOf(raw: string): Name | 'forwarded' | '' {
  const seen = SEEN.get(raw)
  if (seen !== undefined) return seen
  const lower = raw.toLowerCase()
  const proxied = lower === 'forwarded' || lower === 'via' || lower.startsWith('x-forwarded-')
  const name = NAMES.get(lower) ?? (proxied ? 'forwarded' : '')
  if (SEEN.size < SEEN_MOST) SEEN.set(raw, name)
  return name
}
