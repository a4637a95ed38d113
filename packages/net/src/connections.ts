/**
 * The connections of one transport at one endpoint: who comes in, who is dialled, who is there (TN-01 to TN-08).
 * Invariant: opens nothing before `listen` or `connect`; after `shutdown` no socket, timer or connection is left.
 */
import type { Duplex } from 'node:stream'
import { SapwoodError, Wheel } from '@sapwood/core'
import { type Address, checkAddress, formatAddress, isPath } from './address.ts'
import type { Acceptor } from './application.ts'
import type { Connection } from './connection.ts'
import { ConnectionTable } from './connection-table.ts'
import type { AdoptOptions, ConnectionsOptions, ConnectOptions } from './connections-options.ts'
import type { NetCounters } from './counters.ts'
import { dialWithin } from './dial.ts'
import { SHUTDOWN } from './faults.ts'
import type { ConnectionLimits } from './limits.ts'
import type { Link } from './link.ts'
import { nodeClock } from './node-clock.ts'
import { addressesOf, countWhileOpen, StreamLink } from './stream-link.ts'
import type { TransportEndpoint } from './transport.ts'
import { findTransport } from './transports.ts'

/** One endpoint in use by this process has one `Connections` (TN-03). */
const ENDPOINTS = new Map<string, Connections>()
/** All that may have connections. Held until shut down: none vanishes while it is in use. */
const LIVE = new Set<Connections>()

let adopted = 0

/**
 * The connections of a transport, by its name: `tcp`, `tls`, `unix`, `udp`, `memory`, or one that was registered.
 * @throws SapwoodError TRANSPORT_UNKNOWN, ENDPOINT_TAKEN, ADDRESS_INVALID, WRAP_UNSUPPORTED
 * @example
 * const lines = connections('tcp', { endpoint: { host: '127.0.0.1', port: 7 } })
 * await lines.listen(() => ({ received: (line, connection) => connection.send(line) }))
 */
export function connections(transport: string, options: ConnectionsOptions = {}): Connections {
  return new Connections(transport, options)
}

/** The open connection of a transport between two addresses, whoever tracks it (TN-08). */
export function findConnection(
  transport: string,
  local: Address,
  remote: Address,
): Connection | undefined {
  const name = transport.toLowerCase()
  for (const each of LIVE) {
    const found = each.transport === name ? each.find(local, remote) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

export class Connections {
  readonly transport: string
  readonly #table: ConnectionTable
  readonly #endpoint: TransportEndpoint
  readonly #key: string | undefined
  readonly #wheel: Wheel
  readonly #ownWheel: boolean
  /** Attempts to connect. */
  readonly #dials = new Set<AbortController>()
  readonly #over: Promise<void>
  #isOver: () => void = () => {}
  #stopped = false

  constructor(transport: string, options: ConnectionsOptions = {}) {
    const found = findTransport(transport)
    this.transport = transport.toLowerCase()
    const { endpoint, wrapper, wheel } = options
    if (endpoint !== undefined) checkAddress(endpoint)
    if (wrapper !== undefined && found.datagrams) {
      throw new SapwoodError('WRAP_UNSUPPORTED', `nothing can be put around ${this.transport}`)
    }
    this.#ownWheel = wheel === undefined
    this.#wheel = wheel ?? new Wheel(nodeClock)
    this.#table = new ConnectionTable(this.transport, found, options, this.#wheel)
    this.#endpoint = found.endpoint(this.#table)
    this.#key = this.#take(endpoint)
    this.#over = new Promise((resolve) => {
      this.#isOver = resolve
    })
    LIVE.add(this)
  }

  /** Where it listens, with the port that was taken for 0 (TN-06); undefined if it does not. */
  get local(): Address | undefined {
    return this.#table.listening ? this.#endpoint.local : undefined
  }

  get counters(): NetCounters {
    return this.#table.counters
  }

  get limits(): ConnectionLimits {
    return this.#table.limits
  }

  /** The wheel that its connections sit on. */
  get wheel(): Wheel {
    return this.#wheel
  }

  /** Connections that are there, closing ones included. */
  get size(): number {
    return this.#table.size
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#table[Symbol.iterator]()
  }

  /** The open connection between two addresses (TN-08). */
  find(local: Address, remote: Address): Connection | undefined {
    return this.#table.find(local, remote)
  }

  /**
   * Lets strangers in (TN-04). A failing acceptor, however often, and errors of accepting are counted and survived.
   * @returns where they come in.
   * @throws SapwoodError PORT_IN_USE, PORT_FORBIDDEN, ADDRESS_INVALID, LISTEN_FAILED, LISTENING, STOPPED,
   *   TLS_INVALID
   */
  async listen(acceptor: Acceptor): Promise<Address> {
    if (this.#stopped) throw stopped()
    if (this.#table.listening) {
      throw new SapwoodError('LISTENING', `${this.transport} listens already; make another`)
    }
    this.#table.acceptor = acceptor
    try {
      const local = await this.#endpoint.listen()
      if (!this.#stopped) return local
    } catch (error) {
      this.#table.acceptor = undefined
      throw error
    }
    await this.#endpoint.stop()
    throw stopped()
  }

  /**
   * Opens a connection (TN-07). Names are looked up. Over UDP nothing is sent, there is only somebody to send to.
   * @returns undefined if the acceptor rejects it.
   * @throws SapwoodError CONNECT_FAILED, CONNECT_TIMEOUT, CONNECT_ABORTED, ADDRESS_FAMILY, HANDSHAKE_FAILED,
   *   HANDSHAKE_TIMEOUT, LIMIT_CONNECTIONS, WRAP_UNSUPPORTED, STOPPED; and what the acceptor throws.
   */
  async connect(
    target: Address,
    acceptor: Acceptor,
    options: ConnectOptions = {},
  ): Promise<Connection | undefined> {
    if (this.#stopped) throw stopped()
    checkAddress(target)
    const { wrapper, local } = options
    if (wrapper !== undefined && this.#table.datagrams) {
      throw new SapwoodError('WRAP_UNSUPPORTED', `nothing can be put around ${this.transport}`)
    }
    const link = await this.#dial(target, local, options.signal)
    if (this.#stopped) {
      link.destroy()
      throw stopped()
    }
    const host = isPath(target) ? undefined : target.host
    return this.#table.dialled(link, host, acceptor, wrapper)
  }

  /**
   * Takes over a socket that somebody else accepted or read the first bytes of, such as port sharing.
   * @returns undefined if the limits or the acceptor refuse it; it is then destroyed.
   * @throws what the acceptor throws, if that is no rejection.
   */
  adopt(socket: Duplex, acceptor: Acceptor, options: AdoptOptions = {}): Connection | undefined {
    if (this.#stopped) throw stopped()
    const found = addressesOf(socket, `adopted#${++adopted}`)
    const remote = options.remote ?? found.remote
    if (!countWhileOpen(socket, remote, this.#table)) {
      socket.destroy()
      return undefined
    }
    if (options.replay !== undefined && options.replay.length > 0) socket.unshift(options.replay)
    const link = new StreamLink(socket, found.local, remote)
    return this.#table.adopted(link, acceptor)
  }

  /**
   * Lets nobody in any more and dials no more; what is open goes on (TN-05). With the last one the rest is given back
   * too, so nothing is left in the end.
   */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    if (this.#key !== undefined) ENDPOINTS.delete(this.#key)
    this.#table.acceptor = undefined
    for (const attempt of this.#dials) attempt.abort()
    await this.#endpoint.stop()
    if (this.size === 0) await this.#release()
    else this.#table.onEmpty = () => void this.#release()
  }

  /** Ends all now: applications hear `closed` with `SHUTDOWN`, and what waits to be sent is lost (TN-05). */
  async shutdown(): Promise<void> {
    await this.stop()
    this.#table.end(SHUTDOWN)
    await this.#over
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  async #dial(
    target: Address,
    local: Address | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Link> {
    const attempt = new AbortController()
    const dial = (signal: AbortSignal) => this.#endpoint.dial(target, { local }, signal)
    this.#dials.add(attempt)
    try {
      return await dialWithin(dial, target, this.#wheel, this.limits.connect, attempt, signal)
    } finally {
      this.#dials.delete(attempt)
    }
  }

  /** Nobody is there any more, and nobody will come. */
  async #release(): Promise<void> {
    this.#table.onEmpty = undefined
    await this.#endpoint.close()
    if (this.#ownWheel) this.#wheel.close()
    LIVE.delete(this)
    this.#isOver()
  }

  /** An endpoint with a port of its own is taken until `stop`. */
  #take(endpoint: Address | undefined): string | undefined {
    if (endpoint === undefined || (!isPath(endpoint) && endpoint.port === 0)) return undefined
    const key = `${this.transport} ${formatAddress(endpoint)}`
    if (ENDPOINTS.has(key)) {
      throw new SapwoodError('ENDPOINT_TAKEN', `${key} is in use by this process; share that one`)
    }
    ENDPOINTS.set(key, this)
    return key
  }
}

function stopped(): SapwoodError {
  return new SapwoodError('STOPPED', 'these connections are stopped; make others')
}
