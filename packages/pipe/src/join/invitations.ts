/**
 * The open invitations of a CA: `DIR/invitations/HASH`, a file each, named by the SHA-256 of the secret, which itself is
 * kept nowhere.
 * Invariant: an invitation is spent by taking its file away, which succeeds for one only, whoever else tries.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readdir, readFile, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { SapwoodError } from '@sapwood/core'
import { checkName } from '../pki/subject-names.ts'
import { writeFiles } from '../pki/write-files.ts'
import { hashOf, SECRET_BYTES } from './join-token.ts'

export interface Invitation {
  readonly name: string
  /** Milliseconds of the wall clock. */
  readonly until: number
}

const FOLDER = 'invitations'
const MOST = 1000
const HASH = /^[0-9a-f]{64}$/

/**
 * @example
 * const secret = await invitations.add({ name: 'alpha', until: Date.now() + 600_000 })
 * await invitations.spend(secret) // { name: 'alpha', until }
 * await invitations.spend(secret) // undefined
 */
export class Invitations {
  readonly #folder: string
  readonly #now: () => number

  /** @param dir that of the CA. */
  constructor(dir: string, now: () => number = Date.now) {
    this.#folder = join(dir, FOLDER)
    this.#now = now
  }

  /**
   * Those that ran out are thrown away on this occasion.
   * @returns the secret.
   * @throws SapwoodError NAME_INVALID, INVITATIONS_TOO_MANY, FILE_NOT_WRITTEN
   */
  async add({ name, until }: Invitation): Promise<Uint8Array> {
    checkName(name)
    await this.#remove((each) => each === undefined || each.until <= this.#now())
    if ((await this.#hashes()).length >= MOST) {
      const detail = `${MOST} invitations are open; wait for some to run out, or remove files in ${this.#folder}`
      throw new SapwoodError('INVITATIONS_TOO_MANY', detail)
    }
    const secret = new Uint8Array(randomBytes(SECRET_BYTES))
    const file = join(this.#folder, hashOf(secret).toString('hex'))
    await writeFiles([{ file, text: `${JSON.stringify({ name, until })}\n`, isSecret: true }])
    return secret
  }

  /** The invitation that this secret is of, which is gone then; undefined if there is none, or it ran out. */
  async spend(secret: Uint8Array): Promise<Invitation | undefined> {
    const wanted = hashOf(secret)
    let found: string | undefined
    for (const hash of await this.#hashes()) {
      // all of them, each in the same time
      if (timingSafeEqual(Buffer.from(hash, 'hex'), wanted)) found = hash
    }
    if (found === undefined) return undefined
    const invitation = await this.#read(found)
    try {
      await unlink(join(this.#folder, found))
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw thrown
    }
    return invitation !== undefined && invitation.until > this.#now() ? invitation : undefined
  }

  /**
   * Takes back what was offered to `name`.
   * @returns how many there were.
   */
  takeBack(name: string): Promise<number> {
    return this.#remove((each) => each?.name.toLowerCase() === name.toLowerCase())
  }

  async #remove(isMeant: (invitation: Invitation | undefined) => boolean): Promise<number> {
    let count = 0
    for (const hash of await this.#hashes()) {
      if (!isMeant(await this.#read(hash))) continue
      await rm(join(this.#folder, hash), { force: true })
      count++
    }
    return count
  }

  async #hashes(): Promise<string[]> {
    const files = await readdir(this.#folder).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return []
      throw thrown
    })
    return files.filter((file) => HASH.test(file))
  }

  async #read(hash: string): Promise<Invitation | undefined> {
    try {
      const text = await readFile(join(this.#folder, hash), 'utf8')
      const { name, until } = JSON.parse(text) as Invitation
      return typeof name === 'string' && typeof until === 'number' ? { name, until } : undefined
    } catch {
      return undefined
    }
  }
}
