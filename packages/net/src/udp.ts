/**
 * The transport `udp`: one socket, its peers told apart by their address (TN-28). Best effort, as UDP is: what cannot
 * be sent is dropped and counted.
 * Invariant: a datagram is delivered and sent whole or not at all.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { SapwoodError } from '@sapwood/core'
import { IdentityFramer } from '@sapwood/wire'
import { type Address, formatAddress, type HostAddress } from './address.ts'
import { DatagramLink, type DatagramPort } from './datagram-link.ts'
import { DatagramTable } from './datagram-table.ts'
import { DATAGRAM_LIMITS } from './limits.ts'
import { listenFault } from './listen-fault.ts'
import { checkFamily, hostAddress } from './tcp.ts'
import type { DialOptions, Transport, TransportEndpoint, TransportHost } from './transport.ts'

const LOOPBACK: HostAddress = { host: '127.0.0.1', port: 0 }

/** Bytes that may wait in the socket; behind them datagrams are dropped. */
const SEND_QUEUE = 1_048_576

export const udpTransport: Transport = {
  datagrams: true,
  limits: DATAGRAM_LIMITS,
  framer: () => new IdentityFramer(),
  endpoint: (host) => new DatagramEndpoint(host),
}

class DatagramEndpoint implements TransportEndpoint, DatagramPort {
  local: HostAddress | undefined
  readonly #host: TransportHost
  readonly #endpoint: HostAddress | undefined
  readonly #table: DatagramTable = new DatagramTable()
  readonly #sent: (error: Error | null) => void
  #socket: Socket | undefined
  #bound: Promise<HostAddress> | undefined

  constructor(host: TransportHost) {
    this.#host = host
    this.#endpoint = host.endpoint && hostAddress(host.endpoint)
    this.#sent = (error) => {
      if (error !== null) host.mishap('DATAGRAM_UNSENT', error)
    }
  }

  async listen(): Promise<Address> {
    const local = await this.#bind(this.#endpoint ?? LOOPBACK)
    if (this.#endpoint !== undefined || local.host === LOOPBACK.host) return local
    const detail = `it dials from ${formatAddress(local)}; give an endpoint to do both, or make another`
    throw new SapwoodError('LISTENING', detail)
  }

  async dial(
    target: Address,
    { local: wanted }: DialOptions,
    signal: AbortSignal,
  ): Promise<DatagramLink> {
    const { host, port } = hostAddress(target)
    if (wanted !== undefined) {
      throw new SapwoodError('ADDRESS_INVALID', 'UDP sends from its endpoint; set that instead')
    }
    const from = this.local ?? this.#endpoint
    if (from !== undefined) checkFamily(from, target)
    const remote = { host: isIP(host) === 0 ? await resolve(host, from, signal) : host, port }
    const local = await this.#bind(this.#endpoint ?? anyOf(remote))
    if (this.#table.find(remote.host, port) !== undefined) {
      const detail = `there is a connection to ${formatAddress(remote)} already; use that one`
      throw new SapwoodError('CONNECTED', detail)
    }
    const link = this.#add(remote, local, true)
    if (link !== undefined) return link
    throw new SapwoodError('LIMIT_CONNECTIONS', 'there are as many connections as the limits allow')
  }

  /** Strangers are not heard any more; the socket stays for those who are there. */
  async stop(): Promise<void> {}

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined) return
    await new Promise<void>((closed) => socket.close(closed))
  }

  send(bytes: Uint8Array, { host, port }: HostAddress): boolean {
    const socket = this.#socket
    if (socket === undefined) return false
    const { datagram } = this.#host.limits
    if (datagram > 0 && bytes.length > datagram) {
      const detail = `a datagram may have ${datagram} bytes (limits.datagram), this has ${bytes.length}`
      throw new SapwoodError('DATAGRAM_TOO_LARGE', detail)
    }
    if (socket.getSendQueueSize() > SEND_QUEUE) {
      this.dropped()
      return false
    }
    socket.send(bytes, port, host, this.#sent)
    return true
  }

  forget(link: DatagramLink): void {
    this.#table.remove(link)
    this.#host.left(link.remote)
  }

  dropped(): void {
    this.#host.mishap('DATAGRAM_DROPPED')
  }

  #bind(place: HostAddress): Promise<HostAddress> {
    this.#bound ??= this.#open(place).catch((fault) => {
      this.#bound = undefined
      this.#socket?.close()
      this.#socket = undefined
      throw fault
    })
    return this.#bound
  }

  async #open({ host, port }: HostAddress): Promise<HostAddress> {
    const type = isIP(host) === 6 ? 'udp6' : 'udp4'
    const socket = createSocket({ type, lookup: lookupSoon as typeof lookup })
    this.#socket = socket
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => reject(listenFault(error, { host, port })))
      socket.once('close', () => reject(new SapwoodError('STOPPED', 'it was shut down')))
      socket.bind({ address: host, port }, resolve)
    })
    socket.removeAllListeners('error').removeAllListeners('close')
    socket.on('error', (error) => this.#host.mishap('SOCKET_FAILED', error))
    socket.on('message', (bytes, info) => this.#came(bytes, info))
    const { address, port: taken } = socket.address()
    this.local = { host: address, port: taken }
    return this.local
  }

  #came(bytes: Uint8Array, { address, port }: RemoteInfo): void {
    const { datagram } = this.#host.limits
    if (datagram > 0 && bytes.length > datagram) {
      return this.#host.mishap('DATAGRAM_TOO_LARGE')
    }
    let link = this.#table.find(address, port)
    if (link === undefined) {
      // without an acceptor strangers are ignored (TN-04)
      if (!this.#host.listening || this.local === undefined) return
      link = this.#add({ host: address, port }, this.local, false)
      if (link === undefined) return
      this.#host.arrived(link)
    } else link.lively = true
    link.receive(bytes)
  }

  #add(remote: HostAddress, local: Address, dialled: boolean): DatagramLink | undefined {
    const full = this.#host.full(remote)
    if (full === 'perAddress') this.#table.evictOldest(remote.host)
    else if (full === 'connections') this.#table.evictSilent()
    if (!this.#host.admit(remote)) return undefined
    const link = new DatagramLink(this, local, remote, dialled)
    this.#table.add(link)
    return link
  }
}

/** An address needs no look-up: Node would take a turn of the event loop for each datagram. */
function lookupSoon(
  host: string,
  options: number | { family?: number },
  done: (error: Error | null, address: string, family: number) => void,
): void {
  const family = isIP(host)
  if (family !== 0) return done(null, host, family)
  lookup(host, typeof options === 'number' ? { family: options } : options, (error, address, of) =>
    done(error, address as string, of ?? 4),
  )
}

/**
 * The address of a name, of the family of where it is dialled from if that is known.
 * @param signal what gives it up: a look-up goes on for as long as the system wants, and nobody may wait for it.
 */
function resolve(
  host: string,
  from: HostAddress | undefined,
  signal: AbortSignal,
): Promise<string> {
  const family = from === undefined ? 0 : isIP(from.host)
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort)
    lookup(host, { family }, (error, address) => {
      signal.removeEventListener('abort', abort)
      if (error) reject(error)
      else resolve(address)
    })
  })
}

/** Where to send from if nobody said: strangers are not listened to, so it may be any address. */
function anyOf({ host }: HostAddress): HostAddress {
  return { host: isIP(host) === 6 ? '::' : '0.0.0.0', port: 0 }
}
