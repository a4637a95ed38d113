/**
 * What the transport suite needs of a transport: a hub behind it, a client in front of it, and a way to wait until
 * nothing is under way.
 */
import type { Hub, HubOptions, Session } from '@sapwood/hub'
import type { Frame } from '@sapwood/wire'

/** The client's end of one connection. */
export interface TransportClient {
  /** What has arrived, in order, `::hello` included where the transport says it. */
  readonly frames: readonly Frame[]
  /** The session that it is a view of. */
  readonly session: Session
  /** True once it is over, whoever ended it. */
  readonly closed: boolean
  /** Stops reading, as a program that is busy does: what is sent fills the buffers between. */
  pause(): void
  resume(): void
  /** Leaves in good order. */
  close(): void
  /** Is cut off: what is on the way is lost, and nobody says good-bye. */
  break(): void
}

/** How a client comes back. */
export interface ComeBack {
  readonly secret: string
  /** The last position that it saw. */
  readonly after?: string
}

export interface TransportCase {
  readonly hub: Hub
  /** Opens a connection, for a new session or the one that `comeBack` names. */
  connect(comeBack?: ComeBack): Promise<TransportClient>
  /** Resolves when everything that can arrive has arrived. */
  settle(): Promise<void>
  /** Lets time pass on the clock of the hub. */
  advance(ms: number): Promise<void>
  /** Ends hub and transport; leaves nothing behind. */
  close(): Promise<void>
}

/** Makes a case of its own for each test; `options` are those of its hub. */
export type MakeTransport = (options: HubOptions) => TransportCase | Promise<TransportCase>
