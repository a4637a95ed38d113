/**
 * The life of a connection as a table: what happens in which state, where it leads and what is to be done. All
 * else about a connection is in the doing; an event that a state does not name is ignored there.
 *
 *     disconnected ──due──▶ connecting ──hello──▶ connected ──taken──▶ moving ──hello──▶ connected
 *          ▲                    │                     │                   │
 *          └───────lost─────────┴────────lost─────────┴────────lost───────┘     `end` leads to closed from each
 */
export type ConnectionState =
  /** No link; a timer runs. */
  | 'disconnected'
  /** A link is being opened, no other has the session. */
  | 'connecting'
  /** The hub said hello. */
  | 'connected'
  /** A better transport has taken the session over and waits for its hello. */
  | 'moving'
  | 'closed'

export type ConnectionEvent = 'due' | 'hello' | 'taken' | 'lost' | 'end'

export type ConnectionAction =
  /** Open the transport whose turn it is. */
  | 'dial'
  /** The link is good: watch it, and plan to try a better one. */
  | 'settle'
  /** Let go of the former link: the new one has the session. */
  | 'takeOver'
  /** Choose transport and delay of the next attempt. */
  | 'retreat'
  /** Leave nothing behind. */
  | 'finish'

type Row = Readonly<Partial<Record<ConnectionEvent, readonly [ConnectionState, ConnectionAction]>>>

export const CONNECTION_TABLE: Readonly<Record<ConnectionState, Row>> = {
  disconnected: { due: ['connecting', 'dial'], end: ['closed', 'finish'] },
  connecting: {
    hello: ['connected', 'settle'],
    lost: ['disconnected', 'retreat'],
    end: ['closed', 'finish'],
  },
  connected: {
    // another tab's link was renewed underneath this one
    hello: ['connected', 'settle'],
    taken: ['moving', 'takeOver'],
    lost: ['disconnected', 'retreat'],
    end: ['closed', 'finish'],
  },
  moving: {
    hello: ['connected', 'settle'],
    lost: ['disconnected', 'retreat'],
    end: ['closed', 'finish'],
  },
  closed: {},
}
