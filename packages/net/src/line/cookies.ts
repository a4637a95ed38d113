/**
 * Cookies: what proves that somebody receives what is sent to an address. Nothing is kept of an address until it has
 * been proved; who can read the answer can send it back.
 * Invariant: a cookie is valid for one address and for one to two minutes, and says nothing about the secret.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Milliseconds after which cookies change; the one before is good still. */
const PERIOD = 60_000
/**
 * Letters of a cookie, six random bits each: as short as the shortest hello, since no more bytes may go back than came.
 * Two to the 42nd guesses within two minutes are more than a network carries.
 */
const LENGTH = 7

export class Cookies {
  readonly #secret = randomBytes(32)
  readonly #now: () => number

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** @param address host and port, as text. */
  make(address: string): string {
    return this.#make(address, this.#period())
  }

  check(address: string, cookie: string): boolean {
    const period = this.#period()
    const given = Buffer.from(cookie)
    if (given.length !== LENGTH) return false
    const fresh = timingSafeEqual(given, Buffer.from(this.#make(address, period)))
    const former = timingSafeEqual(given, Buffer.from(this.#make(address, period - 1)))
    return fresh || former
  }

  #period(): number {
    return Math.floor(this.#now() / PERIOD)
  }

  #make(address: string, period: number): string {
    const digest = createHmac('sha256', this.#secret).update(`${period} ${address}`).digest()
    return digest.toString('base64url', 0, 6).slice(0, LENGTH)
  }
}
