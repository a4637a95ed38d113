/**
 * The keys that a listener seals its TLS session tickets with. They outlive the process, so that a thousand clients come back
 * in a moment after a restart, and they change when somebody who was trusted is not any more.
 * Invariant: a file of them is for its owner alone; one that cannot be read is replaced, never trusted.
 */
import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { writeFiles } from '../pki/write-files.ts'

const LENGTH = 48
/** Bits of the mode by which others could read or write it. */
const OTHERS = 0o077

export class TicketKeys {
  readonly #file: string | undefined
  #keys: Buffer
  #writing: Promise<void> = Promise.resolve()

  private constructor(file: string | undefined, keys: Buffer) {
    this.#file = file
    this.#keys = keys
  }

  /**
   * @param file where they are kept; without one they end with the process.
   * @throws SapwoodError FILE_NOT_WRITTEN
   */
  static async open(file?: string): Promise<TicketKeys> {
    const kept = file === undefined ? undefined : await read(file)
    const keys = new TicketKeys(file, kept ?? randomBytes(LENGTH))
    if (kept === undefined) await keys.#write()
    return keys
  }

  get keys(): Buffer {
    return this.#keys
  }

  /** Makes new ones: no ticket that was given out until now is worth anything. */
  async rotate(): Promise<void> {
    this.#keys = randomBytes(LENGTH)
    await this.#write()
  }

  /** One write after the other, the newest keys last. */
  #write(): Promise<void> {
    const file = this.#file
    if (file === undefined) return Promise.resolve()
    const write = (): Promise<void> =>
      writeFiles([{ file, text: `${this.#keys.toString('base64')}\n`, isSecret: true }])
    this.#writing = this.#writing.then(write, write)
    return this.#writing
  }
}

async function read(file: string): Promise<Buffer | undefined> {
  try {
    if (((await stat(file)).mode & OTHERS) !== 0) return undefined
    const keys = Buffer.from(await readFile(file, 'utf8'), 'base64')
    return keys.length === LENGTH ? keys : undefined
  } catch {
    return undefined
  }
}
