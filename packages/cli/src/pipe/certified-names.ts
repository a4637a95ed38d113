/**
 * Watches a directory of certificates for names that are new in it: somebody was issued a certificate, or has joined.
 * Invariant: a name is told once; a directory that cannot be read has no names for the moment.
 */
import { readdir } from 'node:fs/promises'
import type { Timed, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'

/** How often it looks, in milliseconds. */
const LOOK = 2_000
const CERTIFICATE = '.crt.pem'

/** @example new CertifiedNames('pki', wheel, (name) => hub.reclaim(name)) */
export class CertifiedNames implements Timed {
  readonly #dir: string
  readonly #wheel: Wheel
  readonly #added: (name: string) => void
  readonly #timer: Timer = new Timer(this)
  #names: ReadonlySet<string> = new Set()
  #isClosed = false

  /** @param added hears of every name, of those too that are there from the start. */
  constructor(dir: string, wheel: Wheel, added: (name: string) => void) {
    this.#dir = dir
    this.#wheel = wheel
    this.#added = added
    this.expired()
  }

  expired(): void {
    void this.#look().finally(() => {
      if (!this.#isClosed) this.#wheel.set(this.#timer, LOOK)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#wheel.clear(this.#timer)
  }

  async #look(): Promise<void> {
    const files = await readdir(this.#dir).catch(() => [])
    if (this.#isClosed) return
    const before = this.#names
    this.#names = new Set(
      files.flatMap((file) =>
        file.endsWith(CERTIFICATE) ? [file.slice(0, -CERTIFICATE.length)] : [],
      ),
    )
    for (const name of this.#names) if (!before.has(name)) this.#added(name)
  }
}
