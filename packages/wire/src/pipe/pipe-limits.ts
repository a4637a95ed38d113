/** The limits of a session, each with its default. Every one bounds what a peer can make this end hold. */

export interface PipeLimits {
  /** Bytes that the peer may send on a new stream before it gets credit: 256 KiB. */
  readonly streamWindow: number
  /** What that grows to where bandwidth × delay wants it: 16 MiB. */
  readonly streamWindowMost: number
  /** Bytes on all streams together, behind the first 16 KiB of each, that wait for this end to take them: 32 MiB. */
  readonly sessionWindow: number
  /** Bytes that are kept for sending again until the peer has acknowledged them: 32 MiB. DATA waits beyond it. */
  readonly replay: number
  /** Streams that the peer may have open at once: 4,096. */
  readonly streams: number
  /** The longest update, in bytes: 2 MiB. */
  readonly update: number
  /** Bytes of one stream that `send` takes while none can leave: 32 MiB. */
  readonly queue: number
  /** Pings, and frames of streams that are over, in ten seconds: 1,000. */
  readonly oddities: number
  /** Resets in ten seconds: 50,000. */
  readonly resets: number
}

const KIB = 1_024
const MIB = 1_024 * KIB

export const PIPE_LIMITS: PipeLimits = Object.freeze({
  streamWindow: 256 * KIB,
  streamWindowMost: 16 * MIB,
  sessionWindow: 32 * MIB,
  replay: 32 * MIB,
  streams: 4_096,
  update: 2 * MIB,
  queue: 32 * MIB,
  oddities: 1_000,
  resets: 50_000,
})

/** No credit goes further beyond what was sent, whatever a peer says. */
export const CREDIT_MOST: number = 16 * MIB
/** So much of each stream is not counted on the session: nobody who is slow with many bodies stops small messages. */
export const UNCOUNTED: number = 16 * KIB
/** Bytes that a peer may not have heard an ACK for, and milliseconds. */
export const ACK_BYTES: number = 64 * KIB
export const ACK_MS = 100

/** The defaults with other settings in their place; windows as wide as the protocol allows at most. */
export function pipeLimits(settings: Partial<PipeLimits> = {}): PipeLimits {
  const limits = { ...PIPE_LIMITS, ...settings }
  const streamWindow = Math.min(limits.streamWindow, CREDIT_MOST)
  const streamWindowMost = Math.min(limits.streamWindowMost, CREDIT_MOST)
  return { ...limits, streamWindow, streamWindowMost }
}
