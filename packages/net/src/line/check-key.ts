/** Has the key of a line `::key;KEY` checked, which may take its time. */
import type { CarriedSession, Fault, Principal } from '@sapwood/core'
import type { LineHost } from './line-host.ts'
import { KEY_MISSING } from './line-words.ts'

/**
 * @param done is called once, in the same call where that is possible.
 * @returns a promise only where it takes time: settled when `done` was called, so that what follows can wait for it.
 */
export function checkKey<Session extends CarriedSession>(
  host: LineHost<Session>,
  key: string,
  done: (principal: Principal | undefined, fault: Fault) => void,
): Promise<void> | undefined {
  let answered = false
  let proceed: (() => void) | undefined
  host.login(key, (fault, principal) => {
    answered = true
    done(principal, fault ?? KEY_MISSING)
    proceed?.()
  })
  if (answered) return undefined
  return new Promise((resolve) => {
    proceed = resolve
  })
}
