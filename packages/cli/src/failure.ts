/**
 * What can go wrong with a command, and how it is told: a stable code, cause and place, next step, exit status.
 * Invariant: nobody sees a stack trace for a mistake that has a name.
 */
import { reasonOf, SapwoodError } from '@sapwood/core'

/** 1: it failed. 2: wrong usage or configuration, nothing was tried. */
const EXIT_STATUS = {
  USAGE_INVALID: 2,
  CONFIG_INVALID: 2,
  CONFIG_UNREADABLE: 2,
  NOBODY_CAN_PUBLISH: 2,
  DEV_NOT_LOOPBACK: 2,
  TLS_INVALID: 2,
  FRONT_OPEN: 2,
  HANDLERS_INVALID: 2,
  HANDLERS_UNREADABLE: 2,
  RULE_INVALID: 2,
  TARGET_URL_INVALID: 2,
  FILE_EXISTS: 1,
  FILE_NOT_WRITTEN: 1,
  HUB_UNREACHABLE: 1,
  HUB_REFUSED: 1,
  ANSWER_NOT_ZERO: 1,
  INTERNAL: 1,
} as const

export type FailureCode = keyof typeof EXIT_STATUS

/**
 * @param cause what happened, and where.
 * @param next what to do about it.
 * @example throw failure('FILE_EXISTS', 'a.toml is there already', 'name another file')
 */
export function failure(
  code: FailureCode,
  cause: string,
  next: string,
  options: { cause?: unknown } = {},
): SapwoodError {
  return new SapwoodError(code, `${cause}\n  ${next}`, options)
}

/** The lines for stderr. Only who asks for it sees the stack of what nobody foresaw. */
export function failureText(
  thrown: unknown,
  env: Readonly<Record<string, string | undefined>> = {},
): string {
  if (thrown instanceof SapwoodError) return `sapwood: ${thrown.code}: ${thrown.detail}\n`
  const text = `sapwood: INTERNAL: ${reasonOf(thrown)}\n`
  if (env.SAPWOOD_DEBUG && thrown instanceof Error) return `${text}${thrown.stack}\n`
  return `${text}  this is a mistake in sapwood; please report it, with what SAPWOOD_DEBUG=1 shows\n`
}

export function exitStatus(thrown: unknown): number {
  const code = thrown instanceof SapwoodError ? thrown.code : 'INTERNAL'
  return Object.hasOwn(EXIT_STATUS, code) ? EXIT_STATUS[code as FailureCode] : 1
}
