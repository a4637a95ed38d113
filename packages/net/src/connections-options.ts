/** What those that make, open or take over connections may say. */
import type { ConnectionOptions, TlsOptions } from 'node:tls'
import type { Wheel } from '@sapwood/core'
import type { Address } from './address.ts'
import type { ConnectionLimits } from './limits.ts'
import type { Wrapper } from './wrapper.ts'

export interface ConnectionsOptions {
  /** Where to listen: a free port of 127.0.0.1 by default. Unix sockets need a path, memory takes a name as path. */
  readonly endpoint?: Address
  /** Those that are not named keep the transport's own: `STREAM_LIMITS`, `DATAGRAM_LIMITS`. */
  readonly limits?: Partial<ConnectionLimits>
  /** Put around each connection that comes in, before its acceptor sees it (TN-22). */
  readonly wrapper?: Wrapper
  /** For the transport `tls`, as Node takes them: `key` and `cert` to listen, `ca` to connect. */
  readonly tls?: TlsOptions & ConnectionOptions
  /** Connections that the kernel keeps until they are accepted: 1024. */
  readonly backlog?: number
  /** The mode of the file of a Unix socket: 0o660. */
  readonly mode?: number
  /** The timing wheel to sit on; one of its own by default. */
  readonly wheel?: Wheel
  /** Hears what was survived: failed accepts, acceptors and applications that threw. All of it is counted as well. */
  readonly report?: (code: string, cause: unknown) => void
}

export interface ConnectOptions {
  /** Put around the connection before the acceptor sees it. */
  readonly wrapper?: Wrapper
  /** Where to dial from. */
  readonly local?: Address
  /** Ends the attempt. */
  readonly signal?: AbortSignal
}

export interface AdoptOptions {
  /** What was already read from the socket; it is delivered first. */
  readonly replay?: Uint8Array
  /** Where the peer is, if the socket does not know or a proxy said better. */
  readonly remote?: Address
}
