/**
 * One attempt to reach a listener: TCP, TLS 1.3, and the check of the certificate there, before a byte of the pipe is said.
 * Invariant: it ends once, in a stream that is trusted or in a fault, within its time; of a failed one no socket is left.
 */
import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import type { Fault, Wheel } from '@sapwood/core'
import { reasonOf } from '@sapwood/core'
import type { HostAddress } from '@sapwood/net'
import { addressesOf, StreamLink } from '@sapwood/net'
import { refusal } from '@sapwood/wire'
import type { KeptSession } from '../trust/peer-certificate.ts'
import { peerCertificate } from '../trust/peer-certificate.ts'
import { isForeignService } from './foreign-service.ts'
import { PROTOCOL_UNKNOWN } from './peer-faults.ts'
import { sendAway } from './peer-link.ts'
import { PIPE_ALPN } from './peer-settings.ts'
import type { TrustSource } from './trust-source.ts'

export interface AttemptOptions {
  readonly server: HostAddress
  /** The name that its certificate has to bear. */
  readonly serverName: string
  readonly trust: TrustSource
  /** Made of that trust: a new one for each attempt would cost more than the handshake. */
  readonly context: SecureContext
  /** What the last connection there has left. */
  readonly kept: KeptSession | undefined
  /** Milliseconds. */
  readonly limit: number
  readonly wheel: Wheel
}

export interface AttemptEvents {
  reached(stream: StreamLink, certificate: X509Certificate, attempt: Attempt): void
  failed(fault: Fault): void
  /** The socket is closed, whatever became of it. */
  gone(): void
  /** What the next attempt may begin with. */
  kept(session: KeptSession): void
}

export class Attempt {
  readonly #options: AttemptOptions
  readonly #events: AttemptEvents
  readonly #socket: TLSSocket
  readonly #forget: () => void
  #isOver = false

  constructor(options: AttemptOptions, events: AttemptEvents) {
    this.#options = options
    this.#events = events
    const { server, serverName, context, kept, limit, wheel } = options
    this.#socket = connect({
      ...server,
      secureContext: context,
      ALPNProtocols: [PIPE_ALPN],
      // checked by hand below, so that both ends hear why
      rejectUnauthorized: false,
      ...(isIP(serverName) === 0 && { servername: serverName }),
      ...(kept !== undefined && { session: kept.ticket }),
    })
    // as options of a connection with TLS, Node passes both over
    this.#socket.setNoDelay(true).setKeepAlive(true)
    this.#socket.once('secureConnect', () => this.#check())
    this.#socket.on('error', (error) =>
      this.#fail(isForeignService(error) ? noPipe(server) : unreachable(server, reasonOf(error))),
    )
    this.#socket.once('close', () => {
      this.#fail(unreachable(server, 'the connection was closed'))
      this.#events.gone()
    })
    const late = `no handshake within ${limit} ms`
    this.#forget = wheel.after(limit, () => this.#fail(unreachable(server, late)))
  }

  /** Ends it; nobody hears of it any more. */
  cancel(): void {
    this.#finish()
    this.#socket.destroy()
  }

  #check(): void {
    if (this.#isOver) return
    const socket = this.#socket
    const { server, kept, trust, serverName, wheel } = this.#options
    const { local, remote } = addressesOf(socket)
    const stream = new StreamLink(socket, local, remote)
    const certificate = peerCertificate(socket, kept)
    const fault =
      socket.alpnProtocol === PIPE_ALPN
        ? trust.trust.checkPeer(certificate, { role: 'server', name: serverName })
        : noPipe(server)
    if (fault !== undefined || certificate === undefined) {
      this.#finish()
      sendAway(stream, refusal(fault ?? PROTOCOL_UNKNOWN), wheel)
      return this.#events.failed(fault ?? PROTOCOL_UNKNOWN)
    }
    this.#finish()
    socket.on('session', (ticket: Buffer) => this.#events.kept({ ticket, certificate }))
    this.#events.reached(stream, certificate, this)
  }

  #fail(fault: Fault): void {
    if (this.#isOver) return
    this.cancel()
    this.#events.failed(fault)
  }

  #finish(): void {
    this.#isOver = true
    this.#forget()
  }
}

function noPipe({ host, port }: HostAddress): Fault {
  const detail = `what listens at ${host}:${port} is no pipe (ALPN ${PIPE_ALPN}); name the pipe listener of a server or hub`
  return { ...PROTOCOL_UNKNOWN, detail }
}

function unreachable({ host, port }: HostAddress, why: string): Fault {
  const detail = `cannot reach ${host}:${port}: ${why}; it is tried again`
  return { code: 'SERVER_UNREACHABLE', detail, status: 503 }
}
