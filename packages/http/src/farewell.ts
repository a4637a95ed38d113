/**
 * How a hub says good-bye: `::bye` with the reason, and on a WebSocket a close code that tells the client what to do.
 * 4000-4099 do not come back, 4100-4199 come back after a while, 4200-4299 at once.
 */
import { jsonMessage, Update } from '@sapwood/core'
import type { Farewell } from '@sapwood/hub'
import { BYE } from '@sapwood/hub'

export const CLOSE_CODES: Readonly<Record<Farewell['reason'], number>> = {
  revoked: 4001,
  replaced: 4002,
  drain: 4100,
  slow: 4101,
  full: 4102,
  closed: 4103,
  dead: 4200,
}

/** The close code of a normal end. */
export const NORMAL = 1000
/** What stands for the close code of a client that gave none; it is never sent. */
export const NO_CODE = 1005
/** The close code where nothing came for too long: the client may come back when it has something to say. */
export const SILENT = 4104
/** Milliseconds that the other end has to answer a close. */
export const CLOSING = 2000

/** The code that answers a close with `code`. */
export function closeAnswer(code: number): number {
  return code === NO_CODE ? NORMAL : code
}

/** For a client that cannot be served now. In one to five seconds it may try again: not all of them at once. */
export function comeBackLater(reason: 'full' | 'drain'): Farewell {
  return { reason, retryAfter: 1000 + Math.floor(Math.random() * 4000) }
}

/** The last update that a client gets. */
export function bye(farewell: Farewell, at: string): Update {
  const { reason, retryAfter } = farewell
  const message = retryAfter === undefined ? { reason } : { reason, retryAfter }
  return new Update(BYE, jsonMessage(message), 0, at)
}
