/**
 * A target in absolute form, `http://hub.example/ws`, as proxies send it: any request may have one (RFC 9112 section 3.2.2),
 * that of a WebSocket too.
 * Invariant: what is made of it is in origin form, and the name that it says outdoes the `Host` header.
 */

export interface AbsoluteTarget {
  /** The name that the request is for, with its port. */
  readonly host: string
  /** Path and query, with the leading slash, as they were sent. */
  readonly target: string
}

/** The parts of a target in absolute form; undefined for one in another form. */
export function readAbsolute(url: string | undefined): AbsoluteTarget | undefined {
  if (url === undefined || url.charCodeAt(0) === SLASH) return undefined
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  if (match === null) return undefined
  const [, host, rest] = match as unknown as [string, string, string]
  return { host, target: rest.startsWith('/') ? rest : `/${rest}` }
}

const SLASH = 47
