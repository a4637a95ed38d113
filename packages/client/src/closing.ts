/**
 * What the end of a link means for the next one. Close codes say it in ranges: 4000-4099 do not come back,
 * 4100-4199 come back after a while, 4200-4299 at once; anything else is an accident.
 */
import type { Values } from './frame.ts'
import type { Closing } from './transport.ts'

/** The client ends its session with this code. */
export const CLOSE_FOR_GOOD = 4000
/** The client means to come back: the hub keeps the session, and what was asked of it. */
export const CLOSE_TO_RETURN = 4200
/** A frame was larger than the hub takes (RFC 6455, 7.4.1). */
const TOO_LARGE = 1009

const RANGES: Readonly<Record<number, Pick<Closing, 'code' | 'comeBack'>>> = {
  40: { code: 'CONNECTION_ENDED', comeBack: 'never' },
  41: { code: 'HUB_UNAVAILABLE', comeBack: 'later' },
  42: { code: 'CONNECTION_MOVED', comeBack: 'now' },
}

/** What a WebSocket's close code says. */
export function closingOf(code: number, reason: string): Closing {
  const closing = lost(`closed with ${code} ${reason}`)
  if (code === TOO_LARGE) return { ...closing, code: 'MESSAGE_TOO_LARGE' }
  return { ...closing, ...RANGES[Math.floor(code / 100)] }
}

/** An accident: nobody said why. */
export function lost(detail: string): Closing {
  return { code: 'CONNECTION_LOST', detail }
}

/**
 * The hub said `::bye` before the link ended, which may say more than the end itself: without a time to come back
 * at it means not to.
 */
export function withBye(closing: Closing, { reason, retryAfter }: Values): Closing {
  if (reason === undefined) return closing
  const told = { ...closing, detail: `bye: ${reason}` }
  if (typeof retryAfter === 'number') return { ...told, retryAfter }
  return closing.comeBack ? told : { ...told, ...RANGES[40] }
}
