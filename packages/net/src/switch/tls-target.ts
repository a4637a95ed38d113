/**
 * TLS ends here, and what is inside is looked at again: clear and secured connections share one port.
 * Invariant: what was read before the handshake is part of it, and a client that never finishes it is let go.
 */
import type { TLSSocket } from 'node:tls'
import { createServer } from 'node:tls'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { Choice } from './chooser.ts'
import { Chooser } from './chooser.ts'
import type { Target } from './target.ts'
import { giveBack } from './target.ts'

export interface TlsTargetOptions {
  /** The certificate with its chain, PEM. */
  readonly cert: string | Uint8Array
  /** Its private key, PEM. */
  readonly key: string | Uint8Array
  /** Whose certificates clients may show. None is asked for without it; with it, one that is not theirs is refused. */
  readonly ca?: string | Uint8Array
  /** What is spoken inside, the favourite first. */
  readonly alpn?: readonly string[]
  /** How long a handshake may take, in milliseconds. 10 s. */
  readonly handshake?: number
}

const HANDSHAKE = 10_000

/**
 * @param inside who gets what is said inside.
 * @throws SapwoodError `TLS_INVALID` for a certificate or key that cannot be used.
 * @example tlsTarget({ cert, key }, { routes: [], otherwise: serverTarget(httpServer) })
 */
export function tlsTarget(options: TlsTargetOptions, inside: Choice): Target {
  let chooser: Chooser | undefined
  const server = makeServer(options)
  server.on('secureConnection', (secure: TLSSocket) => {
    secure.on('error', ignore)
    if (!isForeign(secure)) return chooser?.take(secure)
    chooser?.counters.fault('CERTIFICATE_REFUSED')
    secure.destroy()
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, secure: TLSSocket) => {
    // after a time-out Node leaves it to the listener to close
    secure.destroy()
    chooser?.counters.fault(isLate(error) ? 'HANDSHAKE_TIMEOUT' : 'HANDSHAKE_FAILED')
  })
  return {
    take(socket, replay, board) {
      chooser ??= new Chooser(board, inside)
      giveBack(socket, replay)
      server.emit('connection', socket)
    },
  }
}

function makeServer({ cert, key, ca, alpn, handshake }: TlsTargetOptions) {
  try {
    return createServer({
      cert: bytesOf(cert),
      key: bytesOf(key),
      ...(ca === undefined ? {} : { ca: bytesOf(ca), requestCert: true }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      // who shows no certificate is served as nobody; who shows a wrong one is not served
      rejectUnauthorized: false,
      handshakeTimeout: handshake ?? HANDSHAKE,
    })
  } catch (thrown) {
    const detail = `the certificate and its key cannot be used: ${reasonOf(thrown)}; both are PEM and belong together`
    throw new SapwoodError('TLS_INVALID', detail, { cause: thrown })
  }
}

function isLate({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ERR_TLS_HANDSHAKE_TIMEOUT'
}

/** Has the client shown a certificate of somebody unknown? */
function isForeign(secure: TLSSocket): boolean {
  return !secure.authorized && secure.getPeerX509Certificate() !== undefined
}

function bytesOf(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem)
}

function ignore(): void {}
