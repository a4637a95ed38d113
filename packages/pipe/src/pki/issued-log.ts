/**
 * The certificates that a CA has issued, a line each: `SERIAL UNTIL NAME[,NAME…]`. Revoking a name needs them all, since
 * one machine may hold several, and their files may be elsewhere.
 * Invariant: a certificate is written down before anybody gets it.
 */
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf, SapwoodError } from '@sapwood/core'

export interface Issued {
  /** Upper-case hex. */
  readonly serial: string
  /** Milliseconds of the wall clock. */
  readonly until: number
  readonly names: readonly string[]
}

const FILE = 'issued'
const LINE = /^([0-9A-F]+) (\S+Z) (\S+)$/

/** @throws SapwoodError FILE_NOT_WRITTEN */
export async function noteIssued(dir: string, { serial, until, names }: Issued): Promise<void> {
  const file = join(dir, FILE)
  const line = `${serial} ${new Date(until).toISOString()} ${names.join(',')}\n`
  await appendFile(file, line, { mode: 0o600 }).catch((thrown: unknown) => {
    const detail = `cannot write ${file}: ${reasonOf(thrown)}; nothing was issued`
    throw new SapwoodError('FILE_NOT_WRITTEN', detail, { cause: thrown })
  })
}

/** All of them; a line that was cut off by a crash is of a certificate that nobody got. */
export async function readIssued(dir: string): Promise<Issued[]> {
  const file = join(dir, FILE)
  const text = await readFile(file, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return ''
    throw new SapwoodError('FILE_UNREADABLE', `cannot read ${file}: ${thrown.message}`)
  })
  const issued: Issued[] = []
  for (const line of text.split('\n')) {
    const [, serial, until = '', names = ''] = LINE.exec(line) ?? []
    if (serial === undefined) continue
    issued.push({ serial, until: Date.parse(until), names: names.split(',') })
  }
  return issued
}
