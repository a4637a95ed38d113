/** The transport `tcp`. */
import { connect, createServer } from 'node:net'
import { SapwoodError } from '@sapwood/core'
import { LineFramer } from '@sapwood/wire'
import { type Address, familyOf, type HostAddress, isPath } from './address.ts'
import { dialStream } from './dial-stream.ts'
import { STREAM_LIMITS } from './limits.ts'
import { addressesOf } from './stream-link.ts'
import { StreamServer } from './stream-server.ts'
import type { Transport } from './transport.ts'

/** The longest line of the framer that stands where nobody sets another. */
const LINE_LIMIT = 65_536

export const tcpTransport: Transport = {
  limits: STREAM_LIMITS,
  framer: defaultFramer,
  endpoint(host) {
    const place = hostAddress(host.endpoint)
    let server: StreamServer | undefined
    const found: { local?: Address } = {}
    return {
      get local() {
        return found.local
      },
      async listen() {
        const node = createServer(SOCKET)
        server = new StreamServer(node, host, { place, address: place, addresses: addressesOf })
        await server.listen()
        const { address, port } = node.address() as { address: string; port: number }
        found.local = { host: address, port }
        return found.local
      },
      dial(target, { local }, signal) {
        const to = { ...dialled(target, local), ...SOCKET }
        return dialStream(connect(to), 'connect', target, host, signal, addressesOf)
      },
      async stop() {
        server?.stop()
      },
      async close() {
        server?.close()
      },
    }
  },
}

/** How every TCP socket is set: frames leave in one write anyway, so nothing is gained by waiting for more. */
export const SOCKET: { noDelay: boolean; keepAlive: boolean; keepAliveInitialDelay: number } = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
}

/** Lines, with CRLF at their ends as line protocols have it (TN-12, TN-18). */
export function defaultFramer(): LineFramer {
  return new LineFramer({ limit: LINE_LIMIT, end: '\r\n' })
}

/** @throws SapwoodError ADDRESS_INVALID for a path. */
export function hostAddress(endpoint: Address | undefined): HostAddress {
  if (endpoint === undefined) return { host: '127.0.0.1', port: 0 }
  if (!isPath(endpoint)) return endpoint
  throw new SapwoodError('ADDRESS_INVALID', 'this transport needs a host and a port, not a path')
}

/** What Node wants to know to dial `target`. */
export function dialled(
  target: Address,
  local: Address | undefined,
): { host: string; port: number; localAddress?: string; localPort?: number } {
  const { host, port } = hostAddress(target)
  if (local === undefined) return { host, port }
  const from = hostAddress(local)
  checkFamily(from, { host, port })
  return { host, port, localAddress: from.host, localPort: from.port }
}

/** @throws SapwoodError ADDRESS_FAMILY if one is IPv4 and the other IPv6 (TN-07). */
export function checkFamily(local: Address, target: Address): void {
  const [from, to] = [familyOf(local), familyOf(target)]
  if (from === to || from === 0 || to === 0) return
  throw new SapwoodError('ADDRESS_FAMILY', 'IPv4 and IPv6 do not reach each other; use one of them')
}
