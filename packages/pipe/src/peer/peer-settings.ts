/** The times and limits of peers, each with its default. Times in milliseconds. */
import type { PipeLimits } from '@sapwood/wire'
import { PIPE_PROTOCOL } from '@sapwood/wire'

export interface PeerSettings {
  /** Silence after which a peer is asked for a sign of life: 5 s. */
  readonly heartbeat: number
  /** How long that may take, before the link counts as broken: 10 s. */
  readonly heartbeatTimeout: number
  /** How long a session without a link is kept: 60 s. */
  readonly hold: number
  /** For a handshake, and for a greeting behind it: 10 s each. */
  readonly handshake: number
  /** How long `close` waits for what is open: 10 s. */
  readonly drain: number
  /** Connections of a listener, handshakes included: 10,000. */
  readonly connections: number
  /** The same from one address; 0 is none: 0. */
  readonly perAddress: number
  /** Instances of one name at a time: 64. */
  readonly perName: number
  /** Questions that wait for somebody to come: 10,000. */
  readonly waiting: number
  /** Limits of each session, see `PIPE_LIMITS`. */
  readonly session: Partial<PipeLimits>
}

export const PEER_SETTINGS: PeerSettings = Object.freeze({
  heartbeat: 5_000,
  heartbeatTimeout: 10_000,
  hold: 60_000,
  handshake: 10_000,
  drain: 10_000,
  connections: 10_000,
  perAddress: 0,
  perName: 64,
  waiting: 10_000,
  session: {},
})

/** The protocol of links, as TLS calls it. */
export const PIPE_ALPN: typeof PIPE_PROTOCOL = PIPE_PROTOCOL
