/** TLS, told by the ClientHello: by its beginning, or by the server name and the protocols in it. */
import { beginsClientHello, readClientHello } from './client-hello.ts'
import { hostPattern } from './host-pattern.ts'
import type { Matcher } from './sniffed.ts'
import { remembered } from './sniffed.ts'

export interface TlsWhen {
  /** The server name wanted: `app.example.org`, or `*.example.org` for all names one label longer. */
  readonly sni?: string
  /** A protocol that must be among those offered. */
  readonly alpn?: string
}

/** The application protocol of a pipe. */
export const PIPE_PROTOCOL = 'sapwood/1'
/** That of a machine which joins, and is to have a pipe. */
export const PIPE_JOIN_PROTOCOL = 'sapwood-join/1'

const helloOf = remembered(readClientHello)

/**
 * A TLS client (OR every record and packet cut). Without conditions it says yes at the first bytes of a hello.
 * @throws SapwoodError `EDGE_INVALID` for a server name that cannot be.
 * @example decide([{ match: tls({ sni: '*.example.org', alpn: 'h2' }) }], sniffed)
 */
export function tls({ sni, alpn }: TlsWhen = {}): Matcher {
  if (sni === undefined && alpn === undefined) return ({ bytes }) => beginsClientHello(bytes)
  const isServer = sni === undefined ? undefined : hostPattern(sni)
  return ({ bytes }) => {
    const hello = helloOf(bytes)
    if (typeof hello === 'string') return hello
    if (isServer !== undefined && !isServer(hello.serverName ?? '')) return 'no'
    return alpn === undefined || hello.protocols.includes(alpn) ? 'yes' : 'no'
  }
}

/** A pipe, or who joins to have one: TLS that offers `sapwood/1` or `sapwood-join/1`. */
export const pipe: Matcher = ({ bytes }) => {
  const hello = helloOf(bytes)
  if (typeof hello === 'string') return hello
  const { protocols } = hello
  const isPipe = protocols.includes(PIPE_PROTOCOL) || protocols.includes(PIPE_JOIN_PROTOCOL)
  return isPipe ? 'yes' : 'no'
}
