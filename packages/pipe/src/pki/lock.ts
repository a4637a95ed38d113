/**
 * One at a time: commands, and a server that signs for those who join, change the files of one CA.
 * Invariant: no two work at once as long as each is done within `STALE`, however many find a stale lock at the same time,
 * and a process that died holds up nobody for longer. Work that takes longer may be joined by others, and then leaves
 * their lock alone.
 */
import { randomBytes } from 'node:crypto'
import { link, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { reasonOf, SapwoodError } from '@sapwood/core'

const FILE = 'lock'
/** A lock that was moved away to find out whose it is. */
const MOVED = /^lock\.[0-9a-f]{16}\.moved$/
/** Milliseconds after which a lock is of somebody who died: the work behind one takes a few. */
const STALE = 10_000
const RETRY = 20
const ATTEMPTS = 1000

/** @throws SapwoodError PKI_BUSY, FILE_NOT_WRITTEN, and what `work` throws. */
export async function withLock<Result>(dir: string, work: () => Promise<Result>): Promise<Result> {
  const file = join(dir, FILE)
  const owner = token()
  for (let attempt = 0; !(await take(file, owner)); attempt++) {
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
    await release(file, owner)
  }
}

async function take(file: string, owner: string): Promise<boolean> {
  try {
    await writeFile(file, owner, { flag: 'wx', mode: 0o600 })
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new SapwoodError('FILE_NOT_WRITTEN', `cannot write ${file}: ${reasonOf(thrown)}`)
  }
  if (!(await isMoved(dirname(file)))) return true
  // the place was free only because the lock of somebody who works was moved: it comes back
  await release(file, owner)
  return false
}

/** A lock that is not its owner's any more is left alone. */
async function release(file: string, owner: string): Promise<void> {
  const found = await readFile(file, 'utf8').catch(() => undefined)
  if (found === owner) await rm(file, { force: true })
}

/**
 * Moves a stale lock away and removes it. Another may have done so since it was looked at, and have taken a lock of its
 * own, which was moved then: it is as young as before, by which it is known, and put back.
 */
async function dropStale(file: string): Promise<void> {
  const age = await ageOf(file)
  if (age === undefined || age < STALE) return
  const moved = `${file}.${token()}.moved`
  await rename(file, moved).catch(() => undefined)
  while ((await isFresh(moved)) && !(await isPutBack(moved, file))) await sleep(RETRY)
  await rm(moved, { force: true })
}

/** Is the lock of somebody who works moved away? */
async function isMoved(dir: string): Promise<boolean> {
  const names = (await readdir(dir)).filter((name) => MOVED.test(name))
  const fresh = await Promise.all(names.map((name) => isFresh(join(dir, name))))
  return fresh.includes(true)
}

/** Unless another stands in its place; that one looks for what was moved, and goes. */
function isPutBack(moved: string, file: string): Promise<boolean> {
  return link(moved, file).then(
    () => true,
    () => false,
  )
}

async function isFresh(file: string): Promise<boolean> {
  const age = await ageOf(file)
  return age !== undefined && age < STALE
}

/** Milliseconds; undefined if it is not there. */
async function ageOf(file: string): Promise<number | undefined> {
  const look = await stat(file).catch(() => undefined)
  return look && Date.now() - look.mtimeMs
}

function token(): string {
  return randomBytes(8).toString('hex')
}
