/**
 * The listening side of transports that Node serves by a `net.Server` or `tls.Server`.
 * Invariant: an error of accepting is counted by its name and survived; a handshake neither delays others nor lasts
 * longer than its limit, and counts as a connection while it lasts.
 */
import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Address } from './address.ts'
import { listenFault } from './listen-fault.ts'
import { StreamLink } from './stream-link.ts'
import type { TransportHost } from './transport.ts'

/** Connections that the kernel keeps (TN-27). */
const BACKLOG = 1024

/** What it finds above it. */
export type StreamServerHost = Pick<TransportHost, 'admit' | 'left' | 'arrived' | 'mishap'> & {
  readonly options: { readonly backlog?: number }
}

export interface StreamServerOptions {
  /** What to listen on. */
  readonly place: { host: string; port: number; ipv6Only?: boolean } | { path: string }
  /** Where that is, for errors. */
  readonly address: Address
  /** The addresses of a socket that came in. */
  addresses(socket: Socket): { local: Address; remote: Address }
}

export class StreamServer {
  readonly #server: Server
  readonly #host: StreamServerHost
  readonly #options: StreamServerOptions
  /**
   * Of TLS, the sockets below it until they are closed, which is when TLS above them is: it holds them itself, so behind the
   * handshake they cost no more than their place here.
   */
  readonly #raw = new Set<Socket>()
  #open = false

  /** @param secure the server is a `tls.Server`. */
  constructor(
    server: Server,
    host: StreamServerHost,
    options: StreamServerOptions,
    secure = false,
  ) {
    this.#server = server
    this.#host = host
    this.#options = options
    server.on('connection', (socket) => this.#came(socket, secure))
    if (!secure) return
    server.on('secureConnection', (socket: TLSSocket) => this.#arrived(socket))
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const { remote } = options.addresses(socket)
      // after a time-out Node leaves it to the listener to close
      socket.destroy()
      host.mishap(isLate(error) ? 'HANDSHAKE_TIMEOUT' : 'HANDSHAKE_FAILED', error, remote)
    })
  }

  async listen(): Promise<void> {
    const { place, address } = this.#options
    const server = this.#server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(listenFault(error, address)))
      server.listen({ ...place, backlog: this.#host.options.backlog ?? BACKLOG }, resolve)
    })
    this.#open = true
    server.removeAllListeners('error')
    // no more file handles, for instance: the next one may fare better
    server.on('error', (error) => this.#host.mishap('ACCEPT_FAILED', error))
  }

  /** Accepts nobody any more. */
  stop(): void {
    if (!this.#open) return
    this.#open = false
    this.#server.close()
  }

  /** Of TLS, ends what is there without a word, handshakes too. */
  close(): void {
    for (const socket of this.#raw) socket.destroy()
  }

  #came(socket: Socket, secure: boolean): void {
    // it is gone already
    if (socket.destroyed) return
    const { remote } = this.#options.addresses(socket)
    if (!this.#host.admit(remote)) return void socket.destroy()
    if (secure) this.#raw.add(socket)
    // one listener for both: ten thousand idle sockets hold what each of them has
    socket.on('close', () => {
      this.#raw.delete(socket)
      this.#host.left(remote)
    })
    if (!secure) this.#arrived(socket)
  }

  #arrived(socket: Socket): void {
    const { local, remote } = this.#options.addresses(socket)
    this.#host.arrived(new StreamLink(socket, local, remote))
  }
}

function isLate({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ERR_TLS_HANDSHAKE_TIMEOUT'
}
