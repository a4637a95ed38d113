/**
 * Writes files so that nobody ever reads half of one, and a failure leaves the old ones as they were.
 * Invariant: all are on the disk under other names before the first takes its place; keys are for their owner alone
 * from the first byte on.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { reasonOf, SapwoodError } from '@sapwood/core'

export interface NewFile {
  readonly file: string
  readonly text: string
  /** What only its owner may read: mode 0600, else 0644. */
  readonly isSecret?: boolean
}

/**
 * Writes all of them, or none where one cannot be written; directories are made. They take their places in this order.
 * @throws SapwoodError FILE_NOT_WRITTEN
 */
export async function writeFiles(files: readonly NewFile[]): Promise<void> {
  const waiting: [from: string, to: string][] = []
  try {
    for (const { file, text, isSecret = false } of files) {
      await makeDirectory(dirname(file))
      const other = `${file}.${randomBytes(6).toString('hex')}.new`
      waiting.push([other, file])
      await writeNew(other, text, isSecret ? 0o600 : 0o644)
    }
    for (const [from, to] of waiting) await rename(from, to)
  } catch (thrown) {
    await Promise.all(waiting.map(([from]) => rm(from, { force: true }).catch(() => undefined)))
    throw notWritten(files.map(({ file }) => file).join(', '), thrown)
  }
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

function notWritten(what: string, thrown: unknown): SapwoodError {
  if (thrown instanceof SapwoodError) return thrown
  const detail = `cannot write ${what}: ${reasonOf(thrown)}; choose a directory that you may write to`
  return new SapwoodError('FILE_NOT_WRITTEN', detail, { cause: thrown })
}
