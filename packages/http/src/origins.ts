/**
 * Which pages may call. A browser says the page's origin; everybody else says none.
 * Invariant: `null`, an origin that does not parse and one that is not listed are foreign.
 */
import { isLoopbackName } from './loopback.ts'
import type { Headers } from './problem.ts'

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
