/**
 * What a session is made of, put together:
 *
 *     frames of a link ── LinkInput ── PipeReceiver ── StreamFrames ─┐
 *                             │                                      ├── StreamTable, ReceiveCredit
 *     calls ── PipeSession ───┼──────── PipeStreams ─────────────────┘
 *                             │              │
 *     bytes for a link ── LinkOutput ──── SentLog, written by FrameWriter and BodySender
 */
import type { LinkOwner } from './link-input.ts'
import { LinkInput } from './link-input.ts'
import { LinkOutput } from './link-output.ts'
import type { PipeEvents } from './pipe-events.ts'
import type { PipeLimits } from './pipe-limits.ts'
import { pipeLimits } from './pipe-limits.ts'
import { PipeReceiver } from './pipe-receiver.ts'
import { PipeStreams } from './pipe-streams.ts'
import { RateLimit } from './rate-limit.ts'
import type { StreamsHost } from './receive-credit.ts'
import type { SentLog } from './sent-log.ts'
import type { SessionIdentity } from './session-greeting.ts'
import { SessionGreeting } from './session-greeting.ts'
import { StreamFrames } from './stream-frames.ts'

export interface PipeSessionOptions extends SessionIdentity {
  readonly side: 'dialler' | 'listener'
  readonly limits?: Partial<PipeLimits>
  /** Makes memory, of any content; on Node `Buffer.allocUnsafeSlow` is the better one. */
  readonly allocate?: (size: number) => Uint8Array
}

export interface SessionParts {
  readonly limits: PipeLimits
  /** Of pings, and of frames that should not come. */
  readonly oddities: RateLimit
  readonly greeting: SessionGreeting
  readonly streams: PipeStreams
  readonly log: SentLog
  readonly frames: StreamFrames
  readonly receiver: PipeReceiver
  readonly output: LinkOutput
  readonly input: LinkInput
}

export function sessionParts(
  session: StreamsHost & LinkOwner,
  options: PipeSessionOptions,
  events: PipeEvents,
): SessionParts {
  const { side, allocate = (size: number): Uint8Array => new Uint8Array(size) } = options
  const limits = pipeLimits(options.limits)
  const oddities = new RateLimit(limits.oddities)
  const streams = new PipeStreams(session, events, limits, side === 'dialler', allocate)
  const { log } = streams
  const greeting = new SessionGreeting(options, limits, log)
  const frames = new StreamFrames(session, events, limits, streams)
  const receiver = new PipeReceiver(frames, events, limits.update)
  const output = new LinkOutput(session, events, streams, limits.replay)
  const parts = { events, greeting, streams, receiver, output, oddities }
  const input = new LinkInput(session, parts)
  return { limits, oddities, greeting, streams, log, frames, receiver, output, input }
}
