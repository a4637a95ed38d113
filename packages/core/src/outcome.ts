/**
 * How a question can end, and the error of one that nobody answered.
 * Invariant: a code below `Code.refused` is the handler's own, and the reserved ones keep their meaning for ever.
 */
import { SapwoodError } from './errors.ts'

/** The codes that callers have always seen in `X-Event-Return-Code` (RP-15); a handler's own are 1 to 248. */
export const Code = {
  ok: 0,
  refused: 249,
  cancelled: 250,
  threw: 251,
  absent: 252,
  timeout: 253,
  lost: 254,
  unhandled: 255,
} as const
export type Code = (typeof Code)[keyof typeof Code]

/** How long a question may wait for whoever is to answer, and for the answer, in milliseconds: a day. */
export const LONGEST_WAIT = 86_400_000

/** The errors of those who asked, by the codes that say that nobody answered. */
const UNANSWERED: Readonly<Record<number, string>> = {
  [Code.refused]: 'NOT_ALLOWED',
  [Code.cancelled]: 'ANSWER_CANCELLED',
  [Code.absent]: 'CLIENT_ABSENT',
  [Code.timeout]: 'ANSWER_TIMEOUT',
  [Code.lost]: 'CONNECTION_LOST',
}

/** Does this code say that nobody answered? */
export function isUnanswered(code: number): boolean {
  return UNANSWERED[code] !== undefined
}

/** What came instead of an answer. */
export interface NoAnswer {
  readonly code?: number | undefined
  readonly status?: number | undefined
  /** A problem with `code` and `detail`, where whoever tells of it has said one. */
  readonly message?: unknown
}

/**
 * The error of a question without an answer, in the words of whoever tells of it, if there are any.
 * @example throw unanswered({ code: Code.absent, status: 404, message: { detail: 'nobody called "a" was here' } })
 */
export function unanswered({ code = 0, status = 502, message }: NoAnswer): SapwoodError {
  const said = Object(message) as { readonly code?: unknown; readonly detail?: unknown }
  const detail = String(said.detail ?? `no answer (code ${code || status})`)
  return new SapwoodError(UNANSWERED[code] ?? String(said.code ?? 'UNANSWERED'), detail, { status })
}
