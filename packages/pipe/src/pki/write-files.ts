/**
 * Writes files so that nobody ever reads half of one, and a failure leaves the old ones as they were.
 * Invariant: all are on the disk under other names before the first takes its place, and what a file replaces has another
 * name until the last has taken its own; keys are for their owner alone from the first byte on. A process that dies
 * while they take their places leaves the first of them new.
 */
import { randomBytes } from 'node:crypto'
import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { reasonOf, SapwoodError } from '@sapwood/core'

export interface NewFile {
  readonly file: string
  readonly text: string
  /** What only its owner may read: mode 0600, else 0644. */
  readonly isSecret?: boolean
}

/** A file on its way. */
interface Step {
  readonly file: string
  /** Where the new one waits. */
  readonly next: string
  /** Where the old one stays, if there is one. */
  readonly former: string
  isDone: boolean
}

/**
 * Writes all of them, or none where one cannot be written; directories are made. They take their places in this order.
 * @throws SapwoodError FILE_NOT_WRITTEN
 */
export async function writeFiles(files: readonly NewFile[]): Promise<void> {
  const steps: Step[] = []
  try {
    for (const { file, text, isSecret = false } of files) {
      await makeDirectory(dirname(file))
      const other = `${file}.${randomBytes(6).toString('hex')}`
      const step = { file, next: `${other}.new`, former: `${other}.old`, isDone: false }
      steps.push(step)
      await writeNew(step.next, text, isSecret ? 0o600 : 0o644)
    }
    // behind the last one nothing can fail
    for (const step of steps.slice(0, -1)) await keepFormer(step)
    for (const step of steps) {
      await rename(step.next, step.file)
      step.isDone = true
    }
  } catch (thrown) {
    for (const step of steps.toReversed()) await takeBack(step)
    throw notWritten(files.map(({ file }) => file).join(', '), thrown)
  }
  await Promise.all(steps.map(({ former }) => remove(former)))
}

/**
 * Makes a directory and what it lies in; it holds keys, so it is for its owner alone.
 * @throws SapwoodError FILE_NOT_WRITTEN
 */
export async function makeDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((thrown: unknown) => {
    throw notWritten(dir, thrown)
  })
}

async function writeNew(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode)
  try {
    await handle.writeFile(text)
    // a key must have this mode under any umask; a certificate may be read by all
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A second name for it, or a copy where a file system has one name for each. */
async function keepFormer({ file, former }: Step): Promise<void> {
  try {
    await link(file, former).catch(() => copyFile(file, former))
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown
  }
}

async function takeBack({ file, next, former, isDone }: Step): Promise<void> {
  if (!isDone) {
    await remove(next)
    return remove(former)
  }
  try {
    await rename(former, file)
  } catch (thrown) {
    if (isMissing(thrown)) await remove(file)
  }
}

async function remove(file: string): Promise<void> {
  await rm(file, { force: true }).catch(() => undefined)
}

function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ENOENT'
}

function notWritten(what: string, thrown: unknown): SapwoodError {
  if (thrown instanceof SapwoodError) return thrown
  const detail = `cannot write ${what}: ${reasonOf(thrown)}; choose a directory that you may write to`
  return new SapwoodError('FILE_NOT_WRITTEN', detail, { cause: thrown })
}
