/**
 * Bearer keys: whoever holds one is trusted with everything.
 * Invariant: keys are compared by digest in constant time and named by a fingerprint, so that neither the time
 * of a refusal nor a log line says anything about a key.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Principal } from '@sapwood/core'
import type { Checker, Credential } from './portal.ts'

/**
 * A checker of keys.
 * @example new Portal([keyChecker(['s3cret'])])
 */
export function keyChecker(keys: readonly string[]): Checker {
  const known = keys.map((key) => {
    const digest = digestOf(key)
    const principal: Principal = { id: `key:${digest.toString('hex').slice(0, 8)}`, trusted: true }
    return { digest, principal }
  })
  return {
    check(credential: Credential, done): void {
      const digest = digestOf(credential.value)
      let found: Principal | undefined
      for (const key of known) if (timingSafeEqual(digest, key.digest)) found = key.principal
      done(found)
    },
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
