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

/** The last update that a client gets. */
export function bye(farewell: Farewell, at: string): Update {
  const { reason, retryAfter } = farewell
  const message = retryAfter === undefined ? { reason } : { reason, retryAfter }
  return new Update(BYE, jsonMessage(message), 0, at)
}
