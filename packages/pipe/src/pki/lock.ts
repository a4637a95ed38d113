/**
 * One at a time: commands, and a server that signs for those who join, change the files of one CA.
 * Invariant: work that takes less than `STALE` is never disturbed, and a process that died holds up nobody for longer.
 */
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { reasonOf, SapwoodError } from '@sapwood/core'

const FILE = 'lock'
/** Milliseconds after which a lock is of somebody who died: the work behind one takes a few. */
const STALE = 10_000
const RETRY = 20
const ATTEMPTS = 1000

/** @throws SapwoodError PKI_BUSY, FILE_NOT_WRITTEN, and what `work` throws. */
export async function withLock<Result>(dir: string, work: () => Promise<Result>): Promise<Result> {
  const file = join(dir, FILE)
  for (let attempt = 0; !(await take(file)); attempt++) {
    if (attempt === ATTEMPTS) {
      const detail = `another command works in ${dir}; try again, or remove ${file} if there is none`
      throw new SapwoodError('PKI_BUSY', detail)
    }
    await dropStale(file)
    await sleep(RETRY)
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function take(file: string): Promise<boolean> {
  try {
    await (await open(file, 'wx', 0o600)).close()
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new SapwoodError('FILE_NOT_WRITTEN', `cannot write ${file}: ${reasonOf(thrown)}`)
  }
}

async function dropStale(file: string): Promise<void> {
  const look = await stat(file).catch(() => undefined)
  if (look === undefined || Date.now() - look.mtimeMs < STALE) return
  // renamed first: of several that find it stale only one gets it, so a lock taken meanwhile stays
  const gone = `${file}.${process.pid}`
  await rename(file, gone).catch(() => undefined)
  await rm(gone, { force: true })
}
