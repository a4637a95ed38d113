/**
 * The port below a connection: one end of a pipe of bytes, or of an exchange of datagrams. `StreamLink` makes one of
 * any Duplex, so a transport that has streams needs none of its own.
 * Invariant: after `gone` nothing is said any more; `gone` is said once, after `destroy` too.
 */
import type { Duplex } from 'node:stream'
import type { Fault } from '@sapwood/core'
import type { Address } from './address.ts'
import type { Security } from './security.ts'
import type { Wrapper, Wrapping } from './wrapper.ts'

/** What a link tells. */
export interface LinkOwner {
  /** Bytes came in; the link will not change them. Of a link of datagrams: one of them, whole. */
  arrived(bytes: Uint8Array): void
  /** All that was written has left: `waiting` is 0 again. Said after `waiting` had reached `limit`. */
  emptied(): void
  /** The peer sends no more. */
  finished(): void
  /** It broke; `gone` follows. */
  failed(reason: Error | Fault): void
  gone(): void
}

export interface Link {
  readonly local: Address
  readonly remote: Address
  /** What TLS has found out, if it is there. */
  readonly secure: Security | undefined
  /** The stream beneath, if there is one. */
  readonly socket: Duplex | undefined
  /** Bytes written that have not left. */
  readonly waiting: number
  /** No more is to be written while `waiting` is at or above this. */
  readonly limit: number
  /** Begins to tell. Nothing is told before. */
  open(owner: LinkOwner): void
  /** False if a datagram was dropped. */
  write(bytes: Uint8Array): boolean
  /** Tells no bytes until `resume`; what comes meanwhile is bounded. */
  pause(): void
  resume(): void
  /** Lets what was written leave, then says that no more comes. */
  end(): void
  /** Ends at once. */
  destroy(): void
  /** Puts something around it, and is of no use itself from then on. Datagrams have none. */
  wrap?(wrapper: Wrapper, wrapping: Wrapping): Promise<Link>
}
