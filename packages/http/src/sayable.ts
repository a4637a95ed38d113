/** What may be said of anything that a handler throws, whatever it is. */
import { reasonOf } from '@sapwood/core'

/** What was thrown, or the name of its kind where it has no text. */
export function sayable(thrown: unknown): unknown {
  return typeof thrown !== 'object' || thrown instanceof Object ? thrown : typeof thrown
}

/** Why a stream broke off, for the log on the side where it was made: nobody else is told. */
export function breakReason(thrown: unknown): string {
  return thrown === undefined ? 'it was closed before its end' : reasonOf(sayable(thrown))
}
