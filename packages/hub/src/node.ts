/** What Node gives a hub: time, randomness, a later turn of the event loop. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '@sapwood/core'

export const nodeClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const POOL = 8192
let pool: Buffer = Buffer.alloc(0)
let used = 0

/** `length` random letters and digits. Random bytes are drawn in bulk: a storm of handshakes needs many. */
export function randomLetters(length: number): string {
  let text = ''
  while (text.length < length) {
    if (used >= pool.length) {
      pool = randomBytes(POOL)
      used = 0
    }
    const byte = pool[used++] as number
    // 248 = 4 × 62: every letter is equally likely
    if (byte < 248) text += LETTERS[byte % 62]
  }
  return text
}

/** 64 random bits in hexadecimal. */
export function randomEpoch(): string {
  return randomBytes(8).toString('hex')
}
