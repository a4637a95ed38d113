/** Questions and their ends, as whoever asks sees them. */
import { Code, type SapwoodError } from '@sapwood/core'
import { failure } from './failure.ts'
import { type Frame, valuesOf } from './frame.ts'

export interface AskOptions {
  /** `GET` where it is not said. */
  readonly verb?: string
  readonly args?: readonly string[]
  /** A query string without its `?`. */
  readonly query?: string
  readonly message?: unknown
  /** Media type of a text message, or of bytes. */
  readonly type?: string
  /** Milliseconds to wait for the answer. 30 s. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

export interface Answer {
  /** 0, the handler's own 1 to 248, 251 if it threw, 255 if there is none for that verb and noun. */
  readonly code: number
  /** Media type of the message. */
  readonly type: string
  /** JSON decoded, text as a string, bytes as they are. */
  readonly message: unknown
  /** The HTTP status that the handler chose, if it chose one. */
  readonly status?: number | undefined
}

/** How a question ends without an answer, by code. */
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

/** The error of an answer that is none, in the hub's words if it has any. */
export function unanswered(answer: Frame): SapwoodError {
  const { code = 0, status = 502 } = answer
  const said = valuesOf(answer)
  const detail = String(said.detail ?? `nobody answered (code ${code})`)
  return failure(UNANSWERED[code] ?? String(said.code), detail, status)
}
