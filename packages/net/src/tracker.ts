/** Those that look after a channel: what it needs of them, and what it tells them. */
import type { Wheel } from '@sapwood/core'
import type { Framer } from '@sapwood/wire'
import type { Channel } from './channel.ts'
import type { NetCounters } from './counters.ts'
import type { ConnectionLimits } from './limits.ts'

export interface Tracker {
  readonly transport: string
  readonly datagrams: boolean
  readonly limits: ConnectionLimits
  readonly wheel: Wheel
  readonly counters: NetCounters
  /** Makes the framer of one direction where nobody sets another. */
  readonly framer: () => Framer<unknown>
  /** It is not to be found any more. */
  closing(channel: Channel): void
  gone(channel: Channel): void
  /** An application threw. */
  thrown(thrown: unknown): void
}
