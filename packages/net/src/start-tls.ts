/**
 * The wrapper that begins TLS on a connection, as either side, when it is dialled or while it lives (TN-22).
 */
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  TLSSocket,
  type TlsOptions,
} from 'node:tls'
import type { Wrapper } from './wrapper.ts'

/**
 * @param options as Node takes them: `key` and `cert` as a server, `ca` and so on as a client. A client verifies the
 *   server's certificate against the name that was dialled, or `servername`.
 * @example await connection.wrap(startTls({ key, cert }))
 */
export function startTls(options: TlsOptions & ConnectionOptions): Wrapper {
  let context: SecureContext | undefined
  return (socket, { side, host }) => {
    if (side === 'client') return asClient(socket, options, host)
    // only a tls.Server verifies the certificates of clients
    if (options.requestCert) return asVerifyingServer(socket, options)
    context ??= createSecureContext(options)
    return asServer(socket, options, context)
  }
}

function asClient(
  socket: Duplex,
  options: ConnectionOptions,
  host: string | undefined,
): Promise<Duplex> {
  const servername =
    options.servername ?? (host !== undefined && isIP(host) === 0 ? host : undefined)
  const secure = connect({
    ...options,
    ...(servername === undefined ? {} : { servername }),
    ...(host === undefined ? {} : { host }),
    socket,
  } as ConnectionOptions)
  return settled(secure, 'secureConnect')
}

function asServer(
  socket: Duplex,
  options: TlsOptions,
  secureContext: SecureContext,
): Promise<Duplex> {
  const { ALPNProtocols, SNICallback } = options
  const secure = new TLSSocket(socket as TLSSocket, {
    isServer: true,
    secureContext,
    ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
    ...(SNICallback === undefined ? {} : { SNICallback }),
  })
  return settled(secure, 'secure')
}

/** A server for one connection: dear, but client certificates behind a STARTTLS are rare. */
function asVerifyingServer(socket: Duplex, options: TlsOptions): Promise<Duplex> {
  const server = createServer(options)
  return new Promise((resolve, reject) => {
    server.once('secureConnection', resolve)
    server.once('tlsClientError', reject)
    server.emit('connection', socket)
  })
}

function settled(secure: TLSSocket, ready: 'secure' | 'secureConnect'): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const broke = (): void => reject(new Error('the peer broke off the handshake'))
    const fail = (error: Error): void => reject(error)
    secure.once('close', broke)
    secure.once('error', fail)
    secure.once(ready, () => {
      secure.off('close', broke).off('error', fail)
      resolve(secure)
    })
  })
}
