/**
 * Whom a request is for, by its target.
 *
 *     /server/<noun…>[//<argument>…]           the server, on a front of a client
 *     /client/<name>/<noun…>[//<argument>…]    the peer of that name, on a front of a server
 *     /update/<path>, /events?path=<pattern>   the hub at the other end, on a front of a client
 *     http://<name>/<anything>                 the peer of that name, as a proxy is asked (curl with http_proxy)
 *
 * Invariant: what follows the name travels as it came, less `wait` and `timeout`; in proxy form less nothing. Nothing is
 * looked up or dialled for a name.
 */
import type { Fault } from '@sapwood/core'
import { fault, hostName } from '@sapwood/http'
import type { AskHeaders } from '@sapwood/wire'
import { isFault, parseAsk, parseTail } from '@sapwood/wire'
import { isHubRoute, toHub } from '../updates/hub-target.ts'
import type { RequestFields } from './request-fields.ts'

export interface FrontTarget {
  readonly name: string
  /** Path and query for the peer. */
  readonly tail: string
  readonly wait?: number
  readonly timeout?: number
}

const SLASH = 47
const CLIENT = '/client'
const SERVER = '/server'

const SCHEME_INVALID = fault(
  'TARGET_INVALID',
  'a proxy is asked for http://NAME/…, without a user; the connection to the peer is encrypted all the same',
)

/** Is this a target as proxies are sent it? */
export function isProxyForm(url: string): boolean {
  return url.charCodeAt(0) !== SLASH && url.includes('://')
}

/** The host of a target in proxy form, as it stands there; '' if there is none. */
export function authorityOf(url: string): string {
  return /^http:\/\/([^/?#@]+)(?:[/?]|$)/i.exec(url)?.[1] ?? ''
}

/**
 * @param server whom `/server/…` asks; undefined where `/client/<name>/…` is served.
 * @returns the target, a fault for HTTP 400, or undefined if it is for no peer.
 */
export function readTarget(
  url: string,
  head: RequestFields,
  server: string | undefined,
): FrontTarget | Fault | undefined {
  const said: AskHeaders = { wait: head['sapwood-wait'], timeout: head['sapwood-timeout'] }
  if (isProxyForm(url)) return readProxyTarget(url, said)
  if (server !== undefined && isHubRoute(url)) return readHubTarget(url, server, said)
  const prefix = server === undefined ? CLIENT : SERVER
  if (!url.startsWith(prefix)) return undefined
  const rest = url.slice(prefix.length)
  if (server === undefined)
    return rest[0] === '/' && rest !== '/' ? parseAsk(rest, said) : undefined
  return rest === '' || rest[0] === '/' || rest[0] === '?'
    ? parseTail(server, rest, said)
    : undefined
}

/** The query is the hub's: it knows no durations, and refuses what it does not know. */
function readHubTarget(url: string, server: string, said: AskHeaders): FrontTarget | Fault {
  const asked = parseTail(server, '/', said)
  return isFault(asked) ? asked : { ...asked, tail: toHub(url) }
}

function readProxyTarget(url: string, said: AskHeaders): FrontTarget | Fault {
  const authority = authorityOf(url)
  if (authority === '') return SCHEME_INVALID
  const rest = url.slice('http://'.length + authority.length)
  const mark = rest.indexOf('?')
  const path = mark < 0 ? rest : rest.slice(0, mark)
  const asked = parseAsk(`/${hostName(authority)}${path}`, said)
  return isFault(asked) || mark < 0 ? asked : { ...asked, tail: asked.tail + rest.slice(mark) }
}
