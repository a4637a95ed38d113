/**
 * A process of the stress test of the lock: revokes the names that it is given, several at a time, and leaves locks behind
 * as one who died does. Two that work at once lose what one of them revoked.
 */
import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Authority } from '@sapwood/pipe'

const [, , dir = '', ...names] = process.argv
const AT_ONCE = 4
const LONG_AGO = Date.now() / 1000 - 60

/** Takes the lock by hand, if it is free, and never lets go of it. */
function leaveLock(): void {
  const lock = join(dir, 'lock')
  try {
    writeFileSync(lock, '', { flag: 'wx' })
    utimesSync(lock, LONG_AGO, LONG_AGO)
  } catch {
    // somebody has it
  }
}

const authority = await Authority.open(dir)
while (names.length > 0) {
  leaveLock()
  await Promise.all(names.splice(0, AT_ONCE).map((name) => authority.revoke(name)))
}
