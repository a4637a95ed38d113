/**
 * The line form on the network (DB-11, DB-12): TCP and UDP on one port number, or a Unix socket, and whatever sockets
 * somebody else accepted, inside TLS or on a shared port.
 * Invariant: opens nothing before `listen`; after `close` no socket, timer or session is left.
 */
import { Socket } from 'node:net'
import type { CarriedSession } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import { IdentityFramer, tls } from '@sapwood/wire'
import type { Address } from '../address.ts'
import { isPath } from '../address.ts'
import { Admission } from '../admission.ts'
import type { Acceptor } from '../application.ts'
import { RejectConnection } from '../application.ts'
import type { Connections } from '../connections.ts'
import { connections } from '../connections.ts'
import type { ConnectionLimits } from '../limits.ts'
import { countWhileOpen } from '../stream-link.ts'
import { portSwitch } from '../switch/port-switch.ts'
import { serviceTarget, type Target } from '../switch/target.ts'
import { type TlsTargetOptions, tlsTarget } from '../switch/tls-target.ts'
import { Cookies } from './cookies.ts'
import { CHECKS } from './datagram-faults.ts'
import { LineClient, type LineClientOptions } from './line-client.ts'
import type { LineDatagramsShared } from './line-datagrams.ts'
import { LineDatagrams } from './line-datagrams.ts'
import { LineEncoder } from './line-encoder.ts'
import { LineFormFramer } from './line-form-framer.ts'
import type { LineHost } from './line-host.ts'

export interface LineIngressOptions {
  /** Bytes of a line without its end. 64,000. */
  readonly length?: number
  /** Milliseconds for a connection to say its first line, and of silence after which a UDP address is forgotten. 60,000. */
  readonly idle?: number
  /** Connections at a time, 0 for no limit. 10,000. */
  readonly connections?: number
  /** The same from one host. 1,000. */
  readonly perAddress?: number
  /** Addresses that may follow something over UDP at a time. 1,024. */
  readonly addresses?: number
  /** Take `GET /<path;message>` as a line, too (DB-13). Off. */
  readonly get?: boolean
  /** Serve TLS, too, on the port for TCP. A client's certificate that is signed by `ca` names its holder. */
  readonly tls?: TlsTargetOptions
  /** Hears what the listeners survived; all of it is counted as well. */
  readonly report?: (code: string, cause: unknown) => void
}

/** The defaults, which `LineIngressOptions` documents. */
export const LINE_DEFAULTS: Required<Omit<LineIngressOptions, 'tls' | 'report'>> = {
  length: 64_000,
  idle: 60_000,
  connections: 10_000,
  perAddress: 1_000,
  addresses: 1024,
  get: false,
}

/** How often the kernel asks after a silent TCP peer, in milliseconds. */
const KEEP_ALIVE = 30_000
/** Who follows something may be silent for ever; how many there are is limited across all endpoints. */
const STREAMS: Partial<ConnectionLimits> = { idle: 0, connections: 0, perAddress: 0 }
/** Milliseconds that no drain takes. */
const FOR_EVER = 24 * 3_600_000
/** A free port of TCP may be taken for UDP: so many are tried. */
const ATTEMPTS = 16

/** What was opened, and has to be closed. */
type Listener = Pick<Connections, 'stop' | 'shutdown'>

export class LineIngress<Session extends CarriedSession = CarriedSession> {
  readonly #host: LineHost<Session>
  readonly #options: LineIngressOptions
  readonly #shared: LineDatagramsShared<Session>
  readonly #client: LineClientOptions
  readonly #admission: Admission
  readonly #open = new Set<Listener>()
  readonly #forget: () => void
  #adopting: Connections | undefined

  constructor(host: LineHost<Session>, options: LineIngressOptions = {}) {
    const { length, idle, addresses, get, connections, perAddress } = {
      ...LINE_DEFAULTS,
      ...options,
    }
    const encoder = new LineEncoder()
    const cookies = new Cookies(() => host.wheel.now())
    this.#host = host
    this.#options = options
    const proved = new Set<LineDatagrams<Session>>()
    this.#shared = { host, encoder, cookies, length, idle, addresses, proved, checking: 0 }
    this.#client = { idle, get }
    this.#admission = new Admission({ connections, perAddress }, host)
    this.#forget = host.onFlushed(() => encoder.release())
  }

  /** Serves a connection: for an endpoint of your own. */
  readonly acceptor: Acceptor = (connection) => {
    const { socket } = connection
    if (socket !== undefined && !countWhileOpen(socket, connection.remote, this.#admission)) {
      throw new RejectConnection('there are as many connections as the limits allow')
    }
    if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE)
    const { encoder, length } = this.#shared
    connection.setFramers(new LineFormFramer(length), new IdentityFramer())
    return new LineClient(this.#host, encoder, connection, this.#client)
  }

  /** Takes sockets of a shared port. */
  readonly target: Target = serviceTarget((socket) => {
    this.#adopting ??= this.#connections('tcp')
    this.#adopting.adopt(socket, this.acceptor)
  })

  /**
   * Listens: on a host for TCP and UDP, on the same port number; on a path for a Unix socket.
   * @returns the address with the port that was taken for 0.
   * @throws SapwoodError `PORT_IN_USE`, `PORT_FORBIDDEN`, `ADDRESS_INVALID`, `LISTEN_FAILED`, `TLS_INVALID`.
   * @example await new LineIngress(host).listen({ host: '127.0.0.1', port: 8007 })
   */
  async listen(address: Address): Promise<Address> {
    if (isPath(address)) return this.#listen(this.#connections('unix', address), this.acceptor)
    for (let attempt = 1; ; attempt++) {
      const [stream, bound] = await this.#listenStream(address)
      try {
        return await this.listenDatagrams(bound)
      } catch (thrown) {
        await this.#end(stream)
        const isTaken = thrown instanceof SapwoodError && thrown.code === 'PORT_IN_USE'
        if (!isTaken || address.port !== 0 || attempt === ATTEMPTS) throw thrown
      }
    }
  }

  /** Listens for UDP only, where TCP comes through a shared port. */
  listenDatagrams(address: Address): Promise<Address> {
    const { idle, addresses } = this.#shared
    // those with a session, those whose key is being checked, and one whose datagram is being read: since there is
    // room for them all, no flood pushes anybody out
    const connections = addresses + CHECKS + 1
    const limits = { idle: idle * 2, connections, perAddress: 0 }
    return this.#listen(
      this.#connections('udp', address, limits),
      (connection) => new LineDatagrams(this.#shared, connection),
    )
  }

  /** Takes nobody new; the hub says good-bye to those who are here. */
  async drain(): Promise<void> {
    await Promise.all([...this.#open].map((each) => each.stop()))
  }

  /** Ends everything now, sessions included. */
  async close(): Promise<void> {
    this.#forget()
    await Promise.all([...this.#open].map((each) => this.#end(each)))
  }

  async #listenStream(address: Address): Promise<[Listener, Address]> {
    const { tls: secured } = this.#options
    if (secured !== undefined) return this.#listenSecured(address, secured)
    const stream = this.#connections('tcp', address)
    return [stream, await this.#listen(stream, this.acceptor)]
  }

  async #listenSecured(listen: Address, secured: TlsTargetOptions): Promise<[Listener, Address]> {
    const otherwise = this.target
    const routes = [{ match: tls(), to: tlsTarget(secured, { routes: [], otherwise }) }]
    const { wheel } = this.#host
    const onFault = (code: string): void => this.#host.fault(code)
    const { report } = this.#options
    const deps = { wheel, onFault, ...(report !== undefined && { report }) }
    const port = await portSwitch({ listen, routes, otherwise }, deps)
    // the hub says good-bye to those who are here, and ends them when its time is up
    const stop = async (): Promise<void> => void port.drain(FOR_EVER)
    const listener = { stop, shutdown: () => port.close() }
    this.#open.add(listener)
    return [listener, port.address]
  }

  #connections(transport: string, endpoint?: Address, limits = STREAMS): Connections {
    const made = connections(transport, {
      wheel: this.#host.wheel,
      limits,
      ...(endpoint !== undefined && { endpoint }),
      report: (code, cause) => this.#report(code, cause),
    })
    this.#open.add(made)
    return made
  }

  #report(code: string, cause: unknown): void {
    this.#host.fault(code)
    this.#options.report?.(code, cause)
  }

  async #listen(each: Connections, acceptor: Acceptor): Promise<Address> {
    try {
      return await each.listen(acceptor)
    } catch (thrown) {
      await this.#end(each)
      throw thrown
    }
  }

  async #end(each: Listener): Promise<void> {
    this.#open.delete(each)
    await each.shutdown()
  }
}
