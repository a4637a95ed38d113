/**
 * What stands between a transport and its connections: who may come in, who accepts them, who is there.
 * Invariant: nothing that one connection does or throws ends the listener or another connection (TN-26); a connection
 * is in the table from before its acceptor sees it until its link is gone.
 */
import { type Fault, SapwoodError, type Wheel } from '@sapwood/core'
import type { Framer } from '@sapwood/wire'
import { type Address, formatAddress } from './address.ts'
import { Admission, type AdmissionLimits } from './admission.ts'
import { type Acceptor, RejectConnection } from './application.ts'
import { Channel } from './channel.ts'
import type { Connection } from './connection.ts'
import type { ConnectionsOptions } from './connections-options.ts'
import { NetCounters } from './counters.ts'
import type { ConnectionLimits } from './limits.ts'
import type { Link } from './link.ts'
import type { Tracker } from './tracker.ts'
import type { Transport, TransportHost } from './transport.ts'
import type { Wrapper } from './wrapper.ts'

export class ConnectionTable implements Tracker, TransportHost {
  readonly transport: string
  readonly datagrams: boolean
  readonly limits: ConnectionLimits
  readonly wheel: Wheel
  readonly counters: NetCounters = new NetCounters()
  readonly options: ConnectionsOptions
  /** Decides about strangers; without one they are sent away. */
  acceptor: Acceptor | undefined
  /** Called each time that the last one has gone. */
  onEmpty: (() => void) | undefined
  readonly framer: () => Framer<unknown>
  readonly #admission: Admission
  /** All that are there, closing ones included. */
  readonly #all = new Set<Channel>()
  readonly #open = new Map<string, Channel>()

  constructor(name: string, transport: Transport, options: ConnectionsOptions, wheel: Wheel) {
    this.transport = name
    this.datagrams = transport.datagrams ?? false
    this.limits = { ...transport.limits, ...options.limits }
    this.framer = () => transport.framer()
    this.options = options
    this.wheel = wheel
    this.#admission = new Admission(this.limits, this.counters)
  }

  get endpoint(): Address | undefined {
    return this.options.endpoint
  }

  get listening(): boolean {
    return this.acceptor !== undefined
  }

  get size(): number {
    return this.#all.size
  }

  *[Symbol.iterator](): Iterator<Connection> {
    for (const { connection } of this.#all) yield connection
  }

  find(local: Address, remote: Address): Connection | undefined {
    return this.#open.get(keyOf(local, remote))?.connection
  }

  full(remote: Address): keyof AdmissionLimits | undefined {
    return this.#admission.full(remote)
  }

  admit(remote: Address): boolean {
    return this.#admission.admit(remote)
  }

  left(remote: Address): void {
    this.#admission.left(remote)
  }

  arrived(link: Link): void {
    const { acceptor } = this
    if (acceptor === undefined) return link.destroy()
    const channel = this.#add(link, 'server')
    const { wrapper } = this.options
    if (wrapper === undefined) return this.#offer(channel, acceptor)
    // why a wrapper failed is counted with the connection's end
    channel.connection.wrap(wrapper).then(
      () => this.#offer(channel, acceptor),
      () => {},
    )
  }

  /**
   * Lets `acceptor` decide about a link that this end wanted. Undefined if it does not want the connection.
   * @throws why the wrapper failed, or what the acceptor throws, if that is no rejection; the connection is then over.
   */
  async dialled(
    link: Link,
    host: string | undefined,
    acceptor: Acceptor,
    wrapper: Wrapper | undefined,
  ): Promise<Connection | undefined> {
    const channel = this.#add(link, 'client', host)
    if (wrapper !== undefined) await channel.connection.wrap(wrapper)
    return this.#accept(channel, acceptor)
  }

  /** The same for a link that somebody handed over. */
  adopted(link: Link, acceptor: Acceptor): Connection | undefined {
    return this.#accept(this.#add(link, 'server'), acceptor)
  }

  closing(channel: Channel): void {
    const { local, remote } = channel.link
    const key = keyOf(local, remote)
    // the pair may be in use again
    if (this.#open.get(key) === channel) this.#open.delete(key)
  }

  gone(channel: Channel): void {
    this.closing(channel)
    this.#all.delete(channel)
    this.counters.closed++
    if (this.#all.size === 0) this.onEmpty?.()
  }

  /** Ends all that are there. */
  end(reason: Fault): void {
    for (const channel of [...this.#all]) channel.cut(reason)
  }

  mishap(code: string, cause?: unknown): void {
    this.counters.fault(code)
    if (cause !== undefined) this.#report(code, cause)
  }

  thrown(thrown: unknown): void {
    // the connection's end counts it; a program's own mistake must not go unseen
    this.#report('APPLICATION_FAILED', thrown)
  }

  #add(link: Link, side: 'server' | 'client', host?: string): Channel {
    const channel = new Channel(this, link, side, host)
    this.counters.opened++
    this.#all.add(channel)
    this.#open.set(keyOf(link.local, link.remote), channel)
    return channel
  }

  #accept(channel: Channel, acceptor: Acceptor): Connection | undefined {
    try {
      channel.start(acceptor(channel.connection))
      return channel.connection
    } catch (thrown) {
      channel.connection.destroy()
      if (!(thrown instanceof RejectConnection)) throw thrown
      this.counters.rejected++
      return undefined
    }
  }

  #offer(channel: Channel, acceptor: Acceptor): void {
    try {
      this.#accept(channel, acceptor)
    } catch (thrown) {
      this.mishap('ACCEPTOR_FAILED', thrown)
    }
  }

  #report(code: string, cause: unknown): void {
    try {
      this.options.report?.(code, cause)
    } catch (thrown) {
      this.counters.fault('REPORT_FAILED')
      process.emitWarning(thrown instanceof SapwoodError ? thrown.detail : String(thrown))
    }
  }
}

function keyOf(local: Address, remote: Address): string {
  return `${formatAddress(local)} ${formatAddress(remote)}`
}
