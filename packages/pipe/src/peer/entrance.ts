/**
 * Where connections come in: TCP with TLS 1.3, a certificate asked of everybody, and the protocol that both ends agree on.
 * Invariant: whoever comes in counts until the socket is closed, and no more than the limits allow are there; a certificate,
 * ticket keys or authorities that change hold for the next handshake.
 */
import type { Duplex } from 'node:stream'
import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import { createServer } from 'node:tls'
import { reasonOf } from '@sapwood/core'
import type { Address, HostAddress, Link, StreamServerHost } from '@sapwood/net'
import { Admission, addressesOf, formatAddress, isPath, StreamServer } from '@sapwood/net'
import type { PeerObserver } from './peer-observer.ts'
import type { PeerSettings } from './peer-settings.ts'
import { PIPE_ALPN } from './peer-settings.ts'
import type { TicketKeys } from './ticket-keys.ts'
import type { TrustSource } from './trust-source.ts'

export interface EntranceOptions {
  readonly address: HostAddress
  readonly trust: TrustSource
  readonly tickets: TicketKeys
  readonly settings: PeerSettings
  readonly observer: PeerObserver
  /** Who takes connections of other protocols, by ALPN. */
  readonly others?: Readonly<Record<string, (socket: TLSSocket) => void>>
  /** Who takes all others; what they agreed on may be anything. */
  readonly arrived: (stream: Link, socket: TLSSocket) => void
}

/** Tickets hold only for listeners of the pipe. */
const SESSION_CONTEXT = 'sapwood'

export class Entrance implements StreamServerHost {
  readonly options: EntranceOptions & { readonly backlog?: number }
  readonly #server: Server
  readonly #streams: StreamServer
  readonly #admission: Admission
  /** Those that are open, handshakes included. */
  #sockets = 0
  #emptied: (() => void) | undefined

  constructor(options: EntranceOptions) {
    this.options = options
    const { settings, address, others = {}, observer } = options
    this.#admission = new Admission(settings, {
      fault: (code) => observer.fault?.({ code, detail: 'a connection found no room' }),
    })
    this.#server = createServer({
      ...this.#context(),
      requestCert: true,
      // the reason is told to the peer, and to the log here, by whoever checks the certificate
      rejectUnauthorized: false,
      ALPNProtocols: [PIPE_ALPN, ...Object.keys(others)],
      handshakeTimeout: settings.handshake,
      noDelay: true,
      allowHalfOpen: true,
    })
    const place = { place: address, address, addresses: addressesOf }
    this.#streams = new StreamServer(this.#server, this, place, true)
  }

  /** @throws SapwoodError PORT_IN_USE, PORT_FORBIDDEN, ADDRESS_INVALID, LISTEN_FAILED */
  async listen(): Promise<HostAddress> {
    await this.#streams.listen()
    const { address, port } = this.#server.address() as { address: string; port: number }
    return { host: address, port }
  }

  /** Takes a connection that came in elsewhere, with its first bytes unread: a handshake is next. */
  take(socket: Duplex): void {
    this.#server.emit('connection', socket)
  }

  /** Lets nobody in any more. */
  stop(): void {
    this.#streams.stop()
  }

  /** Ends what is there without a word, handshakes too. */
  close(): void {
    this.#streams.close()
  }

  /** Done when no socket is left. */
  async closed(): Promise<void> {
    if (this.#sockets > 0) await new Promise<void>((resolve) => (this.#emptied = resolve))
  }

  /** Certificate or authorities are others now. */
  renew(): void {
    this.#server.setSecureContext(this.#context())
  }

  /** No ticket until now is worth anything. */
  forgetTickets(): void {
    const { tickets, observer } = this.options
    const told = tickets.rotate()
    this.#server.setTicketKeys(tickets.keys)
    told.catch((thrown) => observer.fault?.({ code: 'FILE_NOT_WRITTEN', detail: reasonOf(thrown) }))
  }

  admit(remote: Address): boolean {
    if (!this.#admission.admit(remote)) return false
    this.#sockets++
    return true
  }

  left(remote: Address): void {
    this.#admission.left(remote)
    if (--this.#sockets === 0) this.#emptied?.()
  }

  mishap(code: string, cause?: unknown, remote?: Address): void {
    const reason = cause === undefined ? 'a connection did not come about' : reasonOf(cause)
    // of one that is gone already nobody knows where it came from
    const from = remote === undefined || isPath(remote) ? '' : `${formatAddress(remote)}: `
    this.options.observer.fault?.({ code, detail: from + reason })
  }

  arrived(stream: Link): void {
    const socket = stream.socket as TLSSocket
    const { others, arrived } = this.options
    const protocol = socket.alpnProtocol || ''
    const other = others && Object.hasOwn(others, protocol) ? others[protocol] : undefined
    if (other === undefined) arrived(stream, socket)
    else other(socket)
  }

  /** All that a context of TLS is made of: what is not said again is lost when it changes. */
  #context(): TlsOptions {
    const { trust, tickets } = this.options
    const { key, cert } = trust.identity
    return {
      key,
      cert,
      ca: [...trust.trust.ca],
      minVersion: 'TLSv1.3',
      ticketKeys: tickets.keys,
      sessionIdContext: SESSION_CONTEXT,
    }
  }
}
