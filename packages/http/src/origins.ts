/**
 * Which pages may call. A browser says the page's origin; everybody else says none.
 * Invariant: `null`, an origin that does not parse and one that is not listed are foreign.
 */
import type { Headers } from './problem.ts'

/** Is this host name, without a port, one of this machine's loopback names? */
export function isLoopbackName(name: string): boolean {
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    name === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(name)
  )
}

/** Is this the address of a peer on this machine? */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  return plain === '::1' || plain.startsWith('127.')
}

/** The name in a `Host` header, without its port, in lower case. */
export function hostName(host: string): string {
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':')
  return (end > 0 ? host.slice(0, end) : host).toLowerCase()
}

export class Origins {
  readonly #listed: ReadonlySet<string>
  readonly #loopback: boolean

  /**
   * @param listed origins as browsers write them, `https://app.example.org`.
   * @param loopback every origin on this machine may call, too.
   */
  constructor(listed: readonly string[], loopback: boolean) {
    this.#listed = new Set(listed.map((origin) => origin.toLowerCase().replace(/\/$/, '')))
    this.#loopback = loopback
  }

  /** May a page of `origin` call a hub that it reached as `host`? */
  allows(origin: string, host: string | undefined): boolean {
    const asked = origin.toLowerCase()
    if (this.#listed.has(asked)) return true
    let url: URL
    try {
      url = new URL(asked)
    } catch {
      return false
    }
    if (url.origin !== asked || (url.protocol !== 'http:' && url.protocol !== 'https:'))
      return false
    if (this.#loopback && isLoopbackName(url.hostname)) return true
    return this.#listed.size === 0 && host !== undefined && url.host === host.toLowerCase()
  }
}

/** Headers that a page may read of an answer. */
const EXPOSED = 'X-Event-Return-Code, Sapwood-Id, Sapwood-Key, Sapwood-Origin, Retry-After'
const NO_HEADERS: Headers = []

/** The headers that let a page of a good origin read an answer. */
export function corsHeaders(
  origins: Origins,
  { origin, host }: { readonly origin: string | undefined; readonly host: string | undefined },
): Headers {
  if (origin === undefined) return NO_HEADERS
  if (!origins.allows(origin, host)) return ['Vary', 'Origin']
  return [
    'Access-Control-Allow-Origin',
    origin,
    'Access-Control-Expose-Headers',
    EXPOSED,
    'Vary',
    'Origin',
  ]
}
