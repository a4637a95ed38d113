/** What TLS has found out about a connection. Read when asked for: most connections are never asked. */
import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

export interface Security {
  /** `TLSv1.3` and so on. */
  readonly protocol: string
  /** What both sides agreed to speak, if they did. */
  readonly alpn: string | undefined
  /** The name that the client asked for. */
  readonly serverName: string | undefined
  /** True if the peer's certificate is signed by a CA that this end trusts (and, for a server, bears its name). */
  readonly authorized: boolean
  /** The peer's certificate, authorized or not. */
  readonly certificate: X509Certificate | undefined
}

/** Of a stream: undefined unless it is TLS with the handshake behind it. */
export function securityOf(socket: Duplex): Security | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  return {
    protocol: socket.getProtocol() ?? '',
    alpn: socket.alpnProtocol || undefined,
    serverName: (socket as { servername?: string | false }).servername || undefined,
    authorized: socket.authorized,
    certificate: socket.getPeerX509Certificate(),
  }
}
