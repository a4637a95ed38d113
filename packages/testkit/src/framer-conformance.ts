/**
 * What every framer with frames of its own promises: its frames come back however the stream is cut, it takes not one
 * byte of what follows, and of bytes that are no frames it says the same however they come, within bounded memory.
 * (Framers whose frames are the pieces as they come, such as identity, cannot keep this contract.)
 */
import type { Framer } from '@sapwood/wire'
import { FramingFault, InputBuffer } from '@sapwood/wire'
import { cuts } from './cuts.ts'
import { randomNumbers } from './random.ts'
import type { TestLike } from './test-like.ts'

export interface FramerCase {
  /** A new framer. */
  make(): Framer<Uint8Array>
  /** A frame that it can carry, within its limit. */
  frame(random: () => number): Uint8Array
  /** Pieces of which bytes are made that look like its framing. */
  readonly noise: readonly Uint8Array[]
  /** How many bytes it may hold back while it waits for more, apart from the chunk that came last. */
  readonly holds: number
  /**
   * How many frames go to and fro at random; 40,000 by default. 0 leaves good frames out, for a variant that differs in
   * what becomes of bad ones only.
   */
  readonly roundTrips?: number
}

/** A stream of a round trip. */
const FRAMES = 20
/** How many streams are cut at every place, and the frames of each. */
const STREAMS = 3
const FRAMES_TO_CUT = 4
const NOISES = 150

/**
 * Runs the contract.
 * @example framerConformance(t, 'a netstring', { make: () => new NetstringFramer({ limit: 50 }), … })
 */
export function framerConformance(t: TestLike, name: string, one: FramerCase): void {
  const trips = one.roundTrips ?? 40_000
  if (trips > 0) goodFrames(t, name, one, trips)

  t.test(`${name}: of any bytes it says the same at any cut, in bounded memory`, async (t) => {
    const random = randomNumbers(4)
    const check = checker(t)
    for (let i = 0; i < NOISES; i++) {
      const stream = noise(one, random)
      const expected = outcomes(one.make(), [stream])
      const bytes = Array.from(stream, (_, at) => stream.subarray(at, at + 1))
      check(outcomes(one.make(), bytes, one.holds), expected, stream)
      check(outcomes(one.make(), pieces(stream, random), one.holds), expected, stream)
    }
    check.end()
  })

  t.test(`${name}: behind an input that ended it is as new`, async (t) => {
    const random = randomNumbers(5)
    const check = checker(t)
    for (let i = 0; i < NOISES; i++) {
      const [framer, input] = [one.make(), new InputBuffer()]
      const [first, next] = [noise(one, random), noise(one, random)]
      outcomes(framer, [first], Infinity, input)
      // nothing comes behind a final fault
      if (framer.decode(input) !== undefined) continue
      check(outcomes(framer, [next], Infinity, input), outcomes(one.make(), [next]), first)
    }
    check.end()
  })
}

function goodFrames(t: TestLike, name: string, one: FramerCase, trips: number): void {
  t.test(`${name}: ${trips} random frames come back, however they are cut`, async (t) => {
    const random = randomNumbers(1)
    const check = checker(t)
    for (let i = 0; i < trips / FRAMES; i++) {
      const frames = framesOf(one, FRAMES, random)
      const stream = encoded(one, frames)
      check(outcomes(one.make(), i % 10 === 0 ? [stream] : pieces(stream, random)), frames, stream)
    }
    check.end()
  })

  t.test(`${name}: a stream means the same at every cut`, async (t) => {
    const random = randomNumbers(2)
    const check = checker(t)
    for (let i = 0; i < STREAMS; i++) {
      const frames = framesOf(one, FRAMES_TO_CUT, random)
      for (const { name, chunks } of cuts(encoded(one, frames), { seed: i })) {
        check(outcomes(one.make(), chunks), frames, name)
      }
    }
    check.end()
  })

  t.test(`${name}: another framer goes on behind any frame, at every cut (TN-15)`, async (t) => {
    const random = randomNumbers(3)
    const check = checker(t)
    for (let i = 0; i < STREAMS; i++) {
      const frames = framesOf(one, FRAMES_TO_CUT, random)
      const expected = frames.flatMap((frame) => [frame, otherBytes(one, random)])
      const sender = one.make()
      const parts = expected.map((part, i) => (i % 2 === 0 ? sender.encode(part) : part))
      for (const { name, chunks } of cuts(joined(parts), { seed: i })) {
        check(inTurn(one.make(), chunks), expected, name)
      }
    }
    check.end()
  })
}

interface Checker {
  (found: readonly Outcome[], expected: readonly Outcome[], where: Uint8Array | string): void
  end(): void
}

/** Shows the first that is wrong and counts the others: tens of thousands of assertions would take minutes. */
function checker(t: TestLike): Checker {
  let wrong = 0
  const check = (
    found: readonly Outcome[],
    expected: readonly Outcome[],
    where: Uint8Array | string,
  ): void => {
    if (isSame(found, expected) || wrong++ > 0) return
    t.same(shown(found), shown(expected), typeof where === 'string' ? where : hex(where))
  }
  return Object.assign(check, { end: () => t.equal(wrong, 0) })
}

function framesOf(one: FramerCase, count: number, random: () => number): Uint8Array[] {
  return Array.from({ length: count }, () => one.frame(random))
}

function encoded(one: FramerCase, frames: readonly Uint8Array[]): Uint8Array {
  const sender = one.make()
  return joined(frames.map((frame) => sender.encode(frame)))
}

/** What stands behind a frame for somebody else looks like the framing too. */
function otherBytes(one: FramerCase, random: () => number): Uint8Array {
  return joined([pick(one.noise, random), RAW]).subarray(0, RAW.length)
}

const RAW = Uint8Array.of(0, 255, 13, 10, 46)

/** A frame, or a fault in words. */
type Outcome = Uint8Array | string

/** All that a framer makes of a stream; `input` is the one that it had before, if any. */
function outcomes(
  framer: Framer<Uint8Array>,
  chunks: readonly Uint8Array[],
  holds: number = Infinity,
  input: InputBuffer = new InputBuffer(),
): Outcome[] {
  const seen: Outcome[] = []
  for (const chunk of chunks) {
    input.push(chunk)
    for (let next = framer.decode(input); next !== undefined; next = framer.decode(input)) {
      seen.push(told(next))
      if (isFinal(next)) return seen.concat(framer.decode(input) === next ? [] : 'not final')
    }
    if (input.length > holds) return seen.concat(`holds ${input.length} bytes`)
  }
  for (let next = framer.finish(input); next !== undefined; next = framer.finish(input)) {
    seen.push(told(next))
    if (isFinal(next)) return seen.concat(framer.finish(input) === next ? [] : 'not final')
  }
  return input.length === 0 ? seen : seen.concat(`leaves ${input.length} bytes`)
}

/** The same while five bytes behind every frame are for somebody else. */
function inTurn(framer: Framer<Uint8Array>, chunks: readonly Uint8Array[]): Outcome[] {
  const input = new InputBuffer()
  const seen: Outcome[] = []
  let isOther = false
  for (const chunk of chunks) {
    input.push(chunk)
    for (;;) {
      const next = isOther ? raw(input) : framer.decode(input)
      if (next === undefined) break
      seen.push(told(next))
      isOther = !isOther
    }
  }
  return seen
}

function raw(input: InputBuffer): Uint8Array | undefined {
  return input.length < RAW.length ? undefined : input.take(RAW.length)
}

function told(next: Uint8Array | FramingFault): Outcome {
  if (!(next instanceof FramingFault)) return next
  return `${next.code}${next.final ? ', final' : ''}${next.quiet ? ', quiet' : ''}`
}

function isFinal(next: Uint8Array | FramingFault): boolean {
  return next instanceof FramingFault && next.final
}

/** Frames, parts of frames, and what looks like them. */
function noise(one: FramerCase, random: () => number): Uint8Array {
  const parts: Uint8Array[] = []
  const sender = one.make()
  for (let i = Math.floor(random() * 12); i >= 0; i--) {
    const kind = random()
    if (kind < 0.7) parts.push(pick(one.noise, random))
    else if (kind < 0.8) parts.push(Uint8Array.of(Math.floor(random() * 256)))
    else {
      const bytes = sender.encode(one.frame(random))
      parts.push(kind < 0.9 ? bytes : bytes.subarray(0, Math.floor(random() * bytes.length)))
    }
  }
  return joined(parts)
}

function pieces(bytes: Uint8Array, random: () => number): Uint8Array[] {
  const chunks: Uint8Array[] = []
  const most = 1 + Math.floor(random() * Math.max(2, bytes.length))
  for (let at = 0; at < bytes.length; ) {
    const length = Math.floor(random() * (most + 1))
    chunks.push(bytes.subarray(at, at + length))
    at += length
  }
  return chunks
}

function pick(list: readonly Uint8Array[], random: () => number): Uint8Array {
  return list[Math.floor(random() * list.length)] as Uint8Array
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function isSame(found: readonly Outcome[], expected: readonly Outcome[]): boolean {
  return found.length === expected.length && found.every((one, i) => isEqual(one, expected[i]))
}

function isEqual(found: Outcome, expected: Outcome | undefined): boolean {
  if (typeof found === 'string' || !(expected instanceof Uint8Array)) return found === expected
  if (found.length !== expected.length) return false
  for (let i = 0; i < found.length; i++) if (found[i] !== expected[i]) return false
  return true
}

function shown(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((one) => (typeof one === 'string' ? one : hex(one)))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
