/** The transport `tls`: TCP with TLS from the first byte. */
import { isIP } from 'node:net'
import {
  type ConnectionOptions,
  connect,
  createServer,
  type Server,
  type TlsOptions,
} from 'node:tls'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { Address } from './address.ts'
import { dialStream } from './dial-stream.ts'
import { STREAM_LIMITS } from './limits.ts'
import { addressesOf } from './stream-link.ts'
import { StreamServer } from './stream-server.ts'
import { defaultFramer, dialled, hostAddress, SOCKET } from './tcp.ts'
import type { Transport } from './transport.ts'

/** Node wants a limit; this is as good as none. */
const NO_LIMIT = 2_147_483_647

export const tlsTransport: Transport = {
  limits: STREAM_LIMITS,
  framer: defaultFramer,
  endpoint(host) {
    const place = hostAddress(host.endpoint)
    const { tls = {} } = host.options
    let server: StreamServer | undefined
    const found: { local?: Address } = {}
    return {
      get local() {
        return found.local
      },
      async listen() {
        const node = makeServer(tls, host.limits.handshake || NO_LIMIT)
        const options = { place, address: place, addresses: addressesOf }
        server = new StreamServer(node, host, options, true)
        await server.listen()
        const { address, port } = node.address() as { address: string; port: number }
        found.local = { host: address, port }
        return found.local
      },
      dial(target, { local }, signal) {
        const to = dialled(target, local)
        const servername = tls.servername ?? (isIP(to.host) === 0 ? to.host : undefined)
        const socket = connect({
          ...tls,
          ...to,
          ...(servername === undefined ? {} : { servername }),
        } as ConnectionOptions)
        // as options of a connection with TLS, Node passes them over
        socket.setNoDelay(SOCKET.noDelay)
        socket.setKeepAlive(SOCKET.keepAlive, SOCKET.keepAliveInitialDelay)
        return dialStream(socket, 'secureConnect', target, host, signal, addressesOf)
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

/** @throws SapwoodError TLS_INVALID */
function makeServer(tls: TlsOptions, handshakeTimeout: number): Server {
  try {
    return createServer({ ...tls, handshakeTimeout, ...SOCKET })
  } catch (thrown) {
    const detail = `the certificate and its key cannot be used: ${reasonOf(thrown)}; both are PEM and belong together`
    throw new SapwoodError('TLS_INVALID', detail, { cause: thrown })
  }
}
