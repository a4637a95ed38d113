/** What the counters are called outside, once: in Prometheus, and in statsd, where the names are RestPipe's (RP-41). */
import type { PipeCounters, Timing } from './pipe-counters.ts'

/** A number that grows. */
export interface Tick {
  readonly name: string
  readonly help: string
  /** Its name in statsd, where it has one. */
  readonly statsd?: string
  readonly read: (counters: PipeCounters) => number
}

/** How often something took how long. */
export interface Duration {
  readonly name: string
  readonly help: string
  readonly statsd: string
  readonly read: (counters: PipeCounters) => Timing
}

export const TICKS: readonly Tick[] = [
  {
    name: 'connects',
    help: 'Attempts to connect.',
    statsd: 'client.connect.new.tick',
    read: ({ connects }) => connects,
  },
  {
    name: 'connected',
    help: 'Links that were made.',
    statsd: 'client.connect.connected.tick',
    read: ({ connected }) => connected,
  },
  {
    name: 'broken',
    help: 'Links that broke.',
    statsd: 'client.connect.broken.tick',
    read: ({ broken }) => broken,
  },
  {
    name: 'heartbeats',
    help: 'Heartbeats that were answered.',
    statsd: 'client.connect.heartbeat.success.tick',
    read: ({ heartbeats }) => heartbeats,
  },
  {
    name: 'heartbeats_missed',
    help: 'Heartbeats that were not answered in time.',
    statsd: 'client.connect.heartbeat.fail.tick',
    read: ({ heartbeatsMissed }) => heartbeatsMissed,
  },
  {
    name: 'sent',
    help: 'Requests sent to peers.',
    statsd: 'message.send.tick',
    read: ({ sent }) => sent,
  },
  {
    name: 'received',
    help: 'Requests received from peers.',
    statsd: 'message.receive.tick',
    read: ({ received }) => received,
  },
  { name: 'resumed', help: 'Sessions taken up again.', read: ({ resumed }) => resumed },
  { name: 'failed', help: 'Requests that ended early.', read: ({ failed }) => failed },
  { name: 'joined', help: 'Machines that joined by an invitation.', read: ({ joined }) => joined },
  {
    name: 'joins_refused',
    help: 'Attempts to join that were refused.',
    read: ({ joinsRefused }) => joinsRefused,
  },
]

export const DURATIONS: readonly Duration[] = [
  {
    name: 'connect',
    help: 'Making a link.',
    statsd: 'client.connect.new.attempt.timing',
    read: ({ connecting }) => connecting,
  },
  {
    name: 'heartbeat',
    help: 'Round trips of heartbeats.',
    statsd: 'client.connect.heartbeat.timing',
    read: ({ heartbeat }) => heartbeat,
  },
  {
    name: 'send',
    help: 'From a request to the end of its answer.',
    statsd: 'message.send.timing',
    read: ({ sending }) => sending,
  },
  {
    name: 'handle',
    help: "From a peer's request to the end of the answer.",
    statsd: 'message.receive.handle.timing',
    read: ({ handling }) => handling,
  },
]

/** Of one handler. */
export const HANDLER_STATSD = 'message.received.handle'
