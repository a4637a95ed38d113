/**
 * One at a time: commands, and a server that signs for those who join, change the files of one CA.
 * Invariant: work that takes less than `STALE` is never disturbed, and a process that died holds up nobody for longer. A
 * lock is removed by who wrote it; that of the dead only by who holds the lock for clearing it, so nobody clears the lock
 * of somebody who took it meanwhile.
 */
import { randomUUID } from 'node:crypto'
import { open, readFile, rm, stat } from 'node:fs/promises'
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
  const owner = randomUUID()
  for (let attempt = 0; !(await take(file, owner)); attempt++) {
    if (attempt === ATTEMPTS) {
      const detail = `another command works in ${dir}; try again, or remove ${file} if there is none`
      throw new SapwoodError('PKI_BUSY', detail)
    }
    await clear(file, owner)
    await sleep(RETRY)
  }
  try {
    return await work()
  } finally {
    await release(file, owner)
  }
}

async function take(file: string, owner: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(owner)
    } finally {
      await handle.close()
    }
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new SapwoodError('FILE_NOT_WRITTEN', `cannot write ${file}: ${reasonOf(thrown)}`)
  }
}

/** Who worked so long that another took their lock over leaves it to them. */
async function release(file: string, owner: string): Promise<void> {
  const found = await readFile(file, 'utf8').catch(() => undefined)
  if (found === owner) await rm(file, { force: true })
}

/**
 * Removes the lock of somebody who died. What one saw of it counts only under the lock for clearing: the next who clears
 * might else remove what somebody took in the place of it. Who died while they cleared is cleared in the same way.
 */
async function clear(file: string, owner: string): Promise<void> {
  if (!(await isOfTheDead(file))) return
  const clearing = `${file}.clear`
  if (!(await take(clearing, owner))) return clear(clearing, owner)
  if (await isOfTheDead(file)) await rm(file, { force: true })
  await release(clearing, owner)
}

async function isOfTheDead(file: string): Promise<boolean> {
  const look = await stat(file).catch(() => undefined)
  return look !== undefined && Date.now() - look.mtimeMs >= STALE
}
