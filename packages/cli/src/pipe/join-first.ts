/** Joins by a token before anything else, once: a machine that has its certificate already does not need it. */
import { SapwoodError } from '@sapwood/core'
import type { Log } from '@sapwood/hub'
import { join, TrustStore } from '@sapwood/pipe'
import type { PipePlan } from './pipe-plan.ts'

/** What a new certificate mends. */
const MENDED: ReadonlySet<string> = new Set(['FILE_MISSING', 'CERTIFICATE_EXPIRED'])

/**
 * The same command starts it the first time and ever after.
 * @throws SapwoodError as `join` does, and as `TrustStore.open` for files that are there and no good.
 */
export async function joinFirst(plan: PipePlan, log: Log): Promise<void> {
  const { join: token, dir, name } = plan
  if (token === undefined) return
  if (await hasIdentity(plan)) {
    log.info({ name }, 'there is a certificate already; the token is not needed')
    return
  }
  const { files } = await join(token, { dir })
  log.info({ name, files }, 'joined')
}

async function hasIdentity({ dir, name }: PipePlan): Promise<boolean> {
  try {
    await (await TrustStore.open({ dir, name, role: 'client' })).close()
    return true
  } catch (thrown) {
    if (thrown instanceof SapwoodError && MENDED.has(thrown.code)) return false
    throw thrown
  }
}
