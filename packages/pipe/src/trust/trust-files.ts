/** The files of a directory as a trust set needs them: looked at often, read seldom, none over its limit. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf, SapwoodError } from '@sapwood/core'

/** Bytes that a file may have. Lists of revoked certificates grow with the years. */
const LIMIT = 16 * 1024 * 1024

/** The content of each file by its name; one that is not there is undefined. */
export type FileTexts = Readonly<Record<string, string | undefined>>

/** What a look at the files sees. Another content may hide from one look, and hardly from two. */
export async function lookAt(dir: string, names: readonly string[]): Promise<string> {
  const looks = names.map(async (name) => {
    try {
      const look = await stat(join(dir, name), { bigint: true })
      return `${look.ino}:${look.size}:${look.mtimeNs}:${look.ctimeNs}`
    } catch (thrown) {
      return reasonOf(thrown)
    }
  })
  return (await Promise.all(looks)).join('|')
}

/**
 * @throws SapwoodError FILE_UNREADABLE, FILE_TOO_LARGE
 * @example await readFiles('pki', ['ca.crt.pem', 'crl.pem'])
 */
export async function readFiles(dir: string, names: readonly string[]): Promise<FileTexts> {
  const entries = await Promise.all(
    names.map(async (name) => [name, await readText(join(dir, name))] as const),
  )
  return Object.fromEntries(entries)
}

/** The text of a file that has to be there. */
export function required(texts: FileTexts, dir: string, name: string, next: string): string {
  const text = texts[name]
  if (text !== undefined) return text
  throw new SapwoodError('FILE_MISSING', `${join(dir, name)} is not there; ${next}`)
}

async function readText(file: string): Promise<string | undefined> {
  const look = await orMissing(file, () => stat(file))
  if (look === undefined) return undefined
  if (look.size > LIMIT) {
    const detail = `${file} has ${look.size} bytes, more than ${LIMIT}; is it the right file?`
    throw new SapwoodError('FILE_TOO_LARGE', detail)
  }
  return orMissing(file, () => readFile(file, 'utf8'))
}

async function orMissing<Value>(
  file: string,
  read: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await read()
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    const detail = `cannot read ${file}: ${reasonOf(thrown)}; let this user read it`
    throw new SapwoodError('FILE_UNREADABLE', detail, { cause: thrown })
  }
}
