import assert from 'node:assert/strict'
import { cuts } from '@sapwood/testkit'
import type { Framer } from '@sapwood/wire'
import { CobsFramer, DelimitedFramer, FramingFault, InputBuffer, LineFramer } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'

const TOO_LONG = 'LINE_TOO_LONG'

function pull(frame: Uint8Array | FramingFault): string {
  return frame instanceof FramingFault ? frame.code : Buffer.from(frame).toString('latin1')
}

/** All that a framer makes of a stream, up to a final fault. */
function frames(framer: Framer<Uint8Array>, chunks: readonly Uint8Array[]): string[] {
  const input = new InputBuffer()
  const seen: string[] = []
  const isDone = (): boolean => {
    for (let frame = framer.decode(input); frame !== undefined; frame = framer.decode(input)) {
      seen.push(pull(frame))
      if (frame instanceof FramingFault && frame.final) return true
    }
    return false
  }
  for (const chunk of chunks) {
    input.push(chunk)
    if (isDone()) return seen
  }
  const last = framer.finish(input)
  if (last !== undefined) seen.push(pull(last))
  assert.equal(input.length, 0, 'nothing is left behind')
  return seen
}

/** The same said plainly over the whole stream. */
function modelLines(stream: string, limit: number): string[] {
  const lines = stream.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
    .map((line) => line.replace(/\r$/, ''))
    .map((line) => (line.length > limit ? TOO_LONG : line))
}

const stream = fc
  .array(fc.constantFrom('a', 'bc', 'def', '\r', '\n', '\r\n', '\n\n', '\r\r\n'), { maxLength: 30 })
  .map((pieces) => pieces.join(''))

test('lines are those between their ends, too long ones are told once, however the stream is cut', async () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 0, max: 8 }), fc.integer(), (stream, limit, seed) => {
      const expected = modelLines(stream, limit)
      const fatal = expected.includes(TOO_LONG)
        ? expected.slice(0, expected.indexOf(TOO_LONG) + 1)
        : expected
      for (const { name, chunks } of cuts(stream, { random: 5, seed })) {
        const where = `${name} of ${JSON.stringify(stream)}, at most ${limit}`
        assert.deepEqual(
          frames(new LineFramer({ limit, tooLong: 'error' }), chunks),
          expected,
          where,
        )
        assert.deepEqual(frames(new LineFramer({ limit }), chunks), fatal, where)
      }
    }),
    { numRuns: 500 },
  )
})

test('bare line feeds, empty lines and a last line without an end count', async (t) => {
  const bytes = Buffer.from('frame1\r\n\nframe2\n\r\nlast')
  t.same(frames(new LineFramer({ limit: 10 }), [bytes]), ['frame1', '', 'frame2', '', 'last'])
})

test('a line of the greatest length passes with either end, one byte more does not', async (t) => {
  for (const end of ['\n', '\r\n', '']) {
    const framer = () => new LineFramer({ limit: 4, tooLong: 'skip' })
    t.same(frames(framer(), [Buffer.from(`abcd${end}`)]), ['abcd'])
    t.same(frames(framer(), [Buffer.from(`abcde${end}`)]), [TOO_LONG])
  }
})

test('a line that never ends is refused before it is held', async (t) => {
  const chunk = new Uint8Array(1_000).fill(97)
  for (const tooLong of ['skip', 'error', 'close'] as const) {
    const framer = new LineFramer({ limit: 4_096, tooLong })
    const input = new InputBuffer()
    let faults = 0
    for (let i = 0; i < 1_000; i++) {
      input.push(chunk)
      if (framer.decode(input) instanceof FramingFault) faults++
      if (tooLong !== 'close') assert.ok(input.length <= 5_096)
      else if (faults > 0) break
    }
    t.equal(faults, 1, tooLong)
    t.ok(input.length <= 5_096)
  }
})

test('what was too long at the end of one datagram takes nothing of the next one', async (t) => {
  for (const make of [
    () => new LineFramer({ limit: 4, tooLong: 'error' }),
    () => new DelimitedFramer({ delimiter: Uint8Array.of(10), limit: 4, tooLong: 'error' }),
    () => new CobsFramer({ limit: 4, tooLong: 'error' }),
  ]) {
    const framer = make()
    const input = new InputBuffer()
    input.push(new Uint8Array(2_000).fill(97))
    t.ok(framer.finish(input) instanceof FramingFault)
    t.equal(framer.finish(input), undefined)
    const frame = Buffer.from('abcd')
    input.push(framer.encode(frame))
    t.same(Buffer.from(framer.decode(input) as Uint8Array), frame, framer.constructor.name)
  }
})

test('after a final fault nothing is read any more', async (t) => {
  const framer = new LineFramer({ limit: 2 })
  const input = new InputBuffer()
  input.push(Buffer.from('abc\nd\n'))
  const fault = framer.decode(input)
  t.match(fault, { code: TOO_LONG, final: true })
  t.equal(framer.decode(input), fault)
  t.equal(framer.finish(input), fault)
})

test('a line goes out with the end that was chosen and comes back in', async (t) => {
  const line = Buffer.from('frame1')
  t.equal(pull(new LineFramer({ limit: 6 }).encode(line)), 'frame1\n')
  t.equal(pull(new LineFramer({ limit: 6, end: '\r\n' }).encode(line)), 'frame1\r\n')
  const framer = new LineFramer({ limit: 6 })
  t.throws(() => framer.encode(Buffer.from('a\nb')), { code: 'LINE_INVALID' })
  t.throws(
    () => framer.encode(Buffer.from('a\r')),
    { code: 'LINE_INVALID' },
    'the CR would be lost',
  )
  t.throws(() => framer.encode(Buffer.from('too long')), { code: TOO_LONG })
})

/** Takes a fixed number of bytes at a time. */
function fixed(size: number): Framer<Uint8Array> {
  const decode = (input: InputBuffer) => (input.length < size ? undefined : input.take(size))
  return { decode, finish: decode, encode: (frame) => frame }
}

test('framers are switched behind any frame and no byte is lost, in one packet too (TN-15)', async () => {
  const dialogue = 'HELO\r\nDATA\r\n12345DATA\n\n\n\n\n\nNOOP\nDATA\r\nabc\nd'
  const expected = ['HELO', 'DATA', '12345', 'DATA', '\n\n\n\n\n', 'NOOP', 'DATA', 'abc\nd']
  for (const { name, chunks } of cuts(dialogue)) {
    const lines = new LineFramer({ limit: 100 })
    const input = new InputBuffer()
    const seen: string[] = []
    let framer: Framer<Uint8Array> = lines
    for (const chunk of chunks) {
      input.push(chunk)
      for (let frame = framer.decode(input); frame !== undefined; frame = framer.decode(input)) {
        seen.push(pull(frame))
        framer = seen.at(-1) === 'DATA' ? fixed(5) : lines
      }
    }
    assert.deepEqual(seen, expected, name)
  }
})

test('bytes that were taken never change', async () => {
  const piece = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 300 }))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const input = new InputBuffer()
      const taken: Uint8Array[] = []
      let pushed = 0
      for (const [chunk, count] of pieces) {
        input.push(chunk)
        pushed += chunk.length
        const before = input.length
        taken.push(input.take(count))
        assert.equal(input.length, Math.max(0, before - count))
        assert.equal(input.taken + input.length, pushed)
      }
      taken.push(input.take(input.length))
      const whole = Buffer.concat(pieces.map(([chunk]) => chunk))
      assert.deepEqual(Buffer.concat(taken), whole)
    }),
  )
})

test('a byte is found among those that wait, not among those gone or not yet come', async (t) => {
  const input = new InputBuffer()
  input.push(Uint8Array.of(1, 2, 3))
  input.push(Uint8Array.of(2, 4))
  input.skip(2)
  t.equal(input.indexOf(2), 1)
  t.equal(input.indexOf(1), -1)
  t.equal(input.indexOf(2, 2), -1)
  t.equal(input.indexOf(0), -1, 'spare room is not content')
  t.same([input.at(-1), input.at(0), input.at(2), input.at(3)], [undefined, 3, 4, undefined])
  t.same([input.find(Uint8Array.of(2, 4), 0), input.find(Uint8Array.of(4, 5), 0)], [1, 2])
  t.equal(input.find(Uint8Array.of(5), 0), 3, 'nowhere')
  t.same([...input.take(9)], [3, 2, 4])
  t.equal(input.at(0), undefined)
})
