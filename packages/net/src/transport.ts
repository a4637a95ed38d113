/** The port below the tracker: what carries connections, and what it finds above it. */
import type { Framer } from '@sapwood/wire'
import type { Address } from './address.ts'
import type { ConnectionsOptions } from './connections-options.ts'
import type { ConnectionLimits } from './limits.ts'
import type { Link } from './link.ts'

/** What a transport finds above it. */
export interface TransportHost {
  readonly options: ConnectionsOptions
  readonly limits: ConnectionLimits
  readonly endpoint: Address | undefined
  /** True once an acceptor is there: strangers may come. */
  readonly listening: boolean
  /** Which limit keeps one more away, for who can make room. */
  full(remote: Address): 'connections' | 'perAddress' | undefined
  /**
   * May one more be there? If so it counts, until `left` is called; `countWhileOpen` does both for a stream. A false is
   * counted as a fault, and whoever came is to be sent away.
   */
  admit(remote: Address): boolean
  /** One that was admitted is gone. */
  left(remote: Address): void
  /** A stranger is there and admitted: the acceptor decides. */
  arrived(link: Link): void
  /**
   * Something went wrong that the listener survives: it is counted by its code, and told to `report` if it has a
   * cause. What anybody can send many of has none.
   * @param remote where it came from, if that is known.
   */
  mishap(code: string, cause?: unknown, remote?: Address): void
}

export interface DialOptions {
  /** The address to dial from. */
  readonly local?: Address | undefined
}

/** One endpoint of a transport. Opens nothing before it is told to. */
export interface TransportEndpoint {
  /** Where strangers come in, once they can. */
  readonly local: Address | undefined
  /** @throws SapwoodError if it cannot listen there. */
  listen(): Promise<Address>
  /**
   * Opens a link, which counts as those that come in do.
   * @param signal ends the attempt: the caller limits its time.
   * @throws whatever the system says.
   */
  dial(target: Address, options: DialOptions, signal: AbortSignal): Promise<Link>
  /** Lets nobody in any more; what is open stays. Resolves when the address is free, where it can be. */
  stop(): Promise<void>
  /** Gives everything back; no connection is left. */
  close(): Promise<void>
}

export interface Transport {
  /** Each frame is a datagram: nothing is gathered, wrapped or held back. */
  readonly datagrams?: boolean
  readonly limits: ConnectionLimits
  /** The framer of one direction where the acceptor sets none (TN-12). */
  framer(): Framer<unknown>
  endpoint(host: TransportHost): TransportEndpoint
}
