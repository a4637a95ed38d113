/**
 * The link of any Duplex: a TCP or Unix socket, TLS, one end of a pair in memory. The socket's handlers are shared by
 * all sockets and find their link on the socket, so that ten thousand idle ones hold no closures.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address } from './address.ts'
import { countChunk } from './count-chunk.ts'
import type { Link, LinkOwner } from './link.ts'
import type { Security } from './security.ts'
import { securityOf } from './security.ts'
import type { TransportHost } from './transport.ts'
import type { Wrapper, Wrapping } from './wrapper.ts'

/** Bytes that may sit in a socket. */
const SOCKET_LIMIT = 65_536

const LINK: unique symbol = Symbol('link')
type Linked = Duplex & { [LINK]?: StreamLink }

export class StreamLink implements Link {
  readonly local: Address
  readonly remote: Address
  readonly limit: number
  readonly #socket: Linked
  #owner: LinkOwner | undefined
  #secure: Security | undefined

  constructor(socket: Duplex, local: Address, remote: Address) {
    this.#socket = socket
    this.local = local
    this.remote = remote
    this.limit = Math.max(SOCKET_LIMIT, socket.writableHighWaterMark)
    // who has said all may still listen: the owner decides when this end is over
    socket.allowHalfOpen = true
    // it may break before anybody owns it
    this.#socket[LINK] = this
    socket.on('error', onError)
  }

  get socket(): Duplex {
    return this.#socket
  }

  get secure(): Security | undefined {
    this.#secure ??= securityOf(this.#socket)
    return this.#secure
  }

  get waiting(): number {
    return this.#socket.writableLength
  }

  open(owner: LinkOwner): void {
    const socket = this.#socket
    this.#owner = owner
    socket.on('close', onClose)
    // it may have died while nobody listened
    if (socket.destroyed) return process.nextTick(gone, socket)
    socket.on('drain', onDrain)
    socket.on('end', onEnd)
    socket.on('data', onData)
    socket.resume()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#socket.writable) this.#socket.write(bytes)
    return true
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.on('finish', onDrain)
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async wrap(wrapper: Wrapper, wrapping: Wrapping): Promise<Link> {
    const socket = this.#socket
    socket.pause()
    this.#release()
    return new StreamLink(await wrapper(socket, wrapping), this.local, this.remote)
  }

  /** The owner hears nothing more of this socket. An error of it must still not end the process. */
  #release(): void {
    const socket = this.#socket
    delete socket[LINK]
    socket.off('error', onError).on('error', ignore)
    socket.off('close', onClose).off('drain', onDrain).off('end', onEnd).off('data', onData)
  }

  get owner(): LinkOwner | undefined {
    return this.#owner
  }
}

/** The addresses of a socket, as far as it has any; `path` is said of a Unix socket. */
export function addressesOf(socket: Duplex, path = ''): { local: Address; remote: Address } {
  if (!(socket instanceof Socket) || socket.remoteAddress === undefined) {
    return { local: { path }, remote: { path } }
  }
  const { localAddress = '', localPort = 0, remoteAddress, remotePort = 0 } = socket
  return {
    local: { host: localAddress, port: localPort },
    remote: { host: remoteAddress, port: remotePort },
  }
}

/** Counts a socket until it is closed. False if there is no room for it. */
export function countWhileOpen(
  socket: Duplex,
  remote: Address,
  host: Pick<TransportHost, 'admit' | 'left'>,
): boolean {
  if (!host.admit(remote)) return false
  if (socket.closed) host.left(remote)
  else socket.once('close', () => host.left(remote))
  return true
}

function ignore(): void {}

function gone(socket: Linked): void {
  socket[LINK]?.owner?.gone()
}

function onData(this: Linked, chunk: Uint8Array): void {
  countChunk(chunk.length)
  this[LINK]?.owner?.arrived(chunk)
}

function onDrain(this: Linked): void {
  this[LINK]?.owner?.emptied()
}

function onEnd(this: Linked): void {
  this[LINK]?.owner?.finished()
}

function onError(this: Linked, error: Error): void {
  this[LINK]?.owner?.failed(error)
}

function onClose(this: Linked): void {
  gone(this)
}
