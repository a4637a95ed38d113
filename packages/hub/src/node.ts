/** What Node gives a hub: time, randomness, a later turn of the event loop, an end of streams. */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import type { BodyStream, Clock } from '@sapwood/core'

export const nodeClock: Clock = {
  // whole milliseconds: V8 keeps those in the object that notes them, and any others somewhere else in memory
  now: () => Math.floor(performance.now()),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/** Random bytes are drawn in bulk: a storm of handshakes needs many. */
const POOL = 8192
let pool: Buffer = Buffer.alloc(0)
let used = 0

/** `length` random letters and digits, four random bits each. */
export function randomLetters(length: number): string {
  return draw('hex', Math.ceil(length / 2)).slice(0, length)
}

/** A secret of 192 random bits that can stand in a URL. */
export function randomSecret(): string {
  return draw('base64url', 24)
}

function draw(encoding: 'hex' | 'base64url', bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(POOL)
    used = 0
  }
  used += bytes
  return pool.toString(encoding, used - bytes, used)
}

/** 64 random bits in hexadecimal. */
export function randomEpoch(): string {
  return randomBytes(8).toString('hex')
}

/** Tells who makes `stream` that nobody will read it. */
export function endStream(stream: BodyStream): void {
  if (stream instanceof Readable) stream.destroy()
}
