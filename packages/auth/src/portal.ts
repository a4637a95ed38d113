/**
 * The one door for credentials. A checker says whom a credential proves; the portal asks the checkers in turn.
 * Invariant: a credential that was offered and proves nobody is a refusal, never a quiet `anyone`.
 */
import type { Fault, Principal } from '@sapwood/core'

/** What somebody offers to prove who they are. */
export interface Credential {
  /** How it was offered: the `Authorization: Bearer` of a request, or the `token` of a client. */
  readonly kind: 'bearer' | 'token'
  readonly value: string
}

/** Says whom a credential proves, or that it is not one of its own. It may take its time. */
export interface Checker {
  check(credential: Credential, done: (principal: Principal | undefined) => void): void
}

export const CREDENTIAL_INVALID: Fault = Object.freeze({
  code: 'CREDENTIAL_INVALID',
  detail:
    'nobody is known by this key or token; check it against the one that the hub was started with',
  status: 401,
})

export class Portal {
  readonly #checkers: readonly Checker[]

  constructor(checkers: readonly Checker[]) {
    this.#checkers = checkers
  }

  /**
   * Finds the principal of `credential` and calls `done` once, in the same call where the checkers can say at once.
   * @example portal.login({ kind: 'bearer', value: 'k' }, (fault, principal) => …)
   */
  login(
    credential: Credential,
    done: (fault: Fault | undefined, principal?: Principal) => void,
  ): void {
    const ask = (index: number): void => {
      const checker = this.#checkers[index]
      if (checker === undefined) done(CREDENTIAL_INVALID)
      else checker.check(credential, (found) => (found ? done(undefined, found) : ask(index + 1)))
    }
    ask(0)
  }
}
