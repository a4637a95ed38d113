/**
 * The limits of connections: every wait and every queue has one. Times in milliseconds, sizes in bytes, 0 is none.
 * Invariant: what a limit ends is ended with a fault that names it.
 */
export interface ConnectionLimits {
  /** Without a byte in either direction (`IDLE_TIMEOUT`). */
  readonly idle: number
  /** For the rest of a frame that has begun (`READ_TIMEOUT`). */
  readonly read: number
  /** For the peer to take the next 64 KiB of what waits for it (`WRITE_TIMEOUT`). */
  readonly write: number
  /** Of the whole connection (`LIFE_TIMEOUT`). */
  readonly life: number
  /** For wrappers, so for a TLS handshake (`HANDSHAKE_TIMEOUT`). */
  readonly handshake: number
  /** For a connection that this end opens (`CONNECT_TIMEOUT`). */
  readonly connect: number
  /** Bytes that may wait to be sent, before the frame that goes beyond (`QUEUE_FULL`). */
  readonly queue: number
  /** The longest datagram, either way (`DATAGRAM_TOO_LARGE`). */
  readonly datagram: number
  /** Connections at a time (`LIMIT_CONNECTIONS`). Over UDP the one that was silent longest makes room. */
  readonly connections: number
  /** The same from one host (`LIMIT_CONNECTIONS_PER_ADDRESS`). */
  readonly perAddress: number
}

export const STREAM_LIMITS: ConnectionLimits = {
  idle: 300_000,
  read: 30_000,
  write: 30_000,
  life: 0,
  handshake: 10_000,
  connect: 10_000,
  queue: 1_048_576,
  datagram: 0,
  connections: 10_000,
  perAddress: 1_000,
}

export const DATAGRAM_LIMITS: ConnectionLimits = {
  ...STREAM_LIMITS,
  idle: 60_000,
  datagram: 65_507,
}
