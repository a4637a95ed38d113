/** Paths of `sapwood.v1` that the pipe itself reads or says, and updates that it makes. */
import { jsonMessage, Update } from '@sapwood/core'

export const HELLO = '::hello'
export const BYE = '::bye'
export const ERROR = '::error'
export const GAP = '::gap'

/** Why a session of updates ends while its pipe goes on. */
export interface LastWord {
  /** A reason of a hub, in lower case, or the code of a mistake. */
  readonly reason: string
  readonly detail?: string
  /** Milliseconds after which another hello makes sense; without it none does. */
  readonly retryAfter?: number
}

/** Of a listener without a hub. */
export const UPDATES_UNSUPPORTED = 'UPDATES_UNSUPPORTED'

export function byeUpdate(last: LastWord): Update {
  return new Update(BYE, jsonMessage(last))
}
