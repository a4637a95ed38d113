import assert from 'node:assert/strict'
import {
  formatDuration,
  formatSize,
  fromBase64,
  mediaType,
  parseDuration,
  parseSize,
  toBase64,
  utf8,
  utf8Length,
} from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'

test('base64 is what everybody else writes, and reads back', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = toBase64(bytes)
      assert.equal(text, Buffer.from(bytes).toString('base64'))
      assert.deepEqual(fromBase64(text), bytes)
    }),
  )
})

test('only the one base64 text of some bytes is taken', async () => {
  for (const text of [
    'A',
    'QQ',
    'QQ=',
    'QR==',
    'QUJ=',
    'Q Q=',
    '=QQ=',
    '====',
    'QQ==QQ==',
    'Q_-A',
    'QQ\n=',
  ]) {
    assert.equal(fromBase64(text), undefined, text)
  }
  const letters = fc.string({
    unit: fc.constantFrom('A', 'Q', 'w', '/', '+', '=', '-', 'é'),
    maxLength: 12,
  })
  fc.assert(
    fc.property(letters, (text) => {
      const bytes = fromBase64(text)
      if (bytes === undefined) assert.notEqual(Buffer.from(text, 'base64').toString('base64'), text)
      else assert.equal(toBase64(bytes), text)
    }),
    { numRuns: 2_000 },
  )
})

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('x'.repeat(8_193), 'ä'.repeat(8_192), '😀'.repeat(4_097)),
)

/** Writes its length and a mark in front: in five bytes at most, of which it may need fewer. */
function mark(bytes: Uint8Array, end: number, length: number): number {
  const start = length % 2 === 0 ? end - 5 : end - 3
  bytes.fill(length, start, end)
  return start
}

test('text becomes the UTF-8 that everybody else writes, behind what is put in front', async () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const expected = Buffer.from(text)
      const { length } = expected
      assert.deepEqual(Buffer.from(utf8(text)), expected)
      assert.equal(utf8Length(text), length)
      const front = Buffer.alloc(length % 2 === 0 ? 5 : 3, length)
      assert.deepEqual(Buffer.from(utf8(text, 5, mark)), Buffer.concat([front, expected]))
    }),
  )
})

test('bytes that were made stay as they are when others are made', async () => {
  fc.assert(
    fc.property(fc.array(anyText, { minLength: 2, maxLength: 50 }), (texts) => {
      const made = texts.map((text) => utf8(text))
      for (const [i, bytes] of made.entries()) {
        assert.deepEqual(Buffer.from(bytes), Buffer.from(texts[i] as string))
      }
    }),
  )
})

test('where there is no Buffer, a TextEncoder writes the same', async () => {
  const { Buffer: nodes } = globalThis
  const file = import.meta.resolve('@sapwood/wire').replace('index.js', 'utf8.js?elsewhere')
  Reflect.deleteProperty(globalThis, 'Buffer')
  const elsewhere: { utf8: typeof utf8 } = await import(file)
  globalThis.Buffer = nodes
  fc.assert(
    fc.property(anyText, (text) => {
      const bytes = elsewhere.utf8(text, 5, mark)
      assert.ok(!(bytes instanceof Buffer))
      assert.deepEqual(Buffer.from(bytes), Buffer.from(utf8(text, 5, mark)))
    }),
  )
})

test('media types are compared without parameters and case (RP-05)', async (t) => {
  t.equal(mediaType('Application/JSON ; charset=utf-8'), 'application/json')
  t.equal(mediaType('text/plain'), 'text/plain')
  t.equal(mediaType(undefined), '')
})

test('durations and sizes are read as people write them', async (t) => {
  const durations = {
    '250ms': 250,
    '30s': 30_000,
    '5m': 300_000,
    '1h': 3_600_000,
    '1.5s': 1_500,
    '20': 20_000,
    '0': 0,
  }
  for (const [text, ms] of Object.entries(durations)) t.equal(parseDuration(text), ms, text)
  const sizes = {
    '64kB': 64_000,
    '64KiB': 65_536,
    '1MiB': 1_048_576,
    '2GB': 2e9,
    '17': 17,
    '17B': 17,
    '1 MB': 1e6,
  }
  for (const [text, bytes] of Object.entries(sizes)) t.equal(parseSize(text), bytes, text)
  for (const text of [
    '',
    's',
    '-1s',
    '1d',
    '1e3',
    '1 s ',
    'toString',
    '1constructor',
    '9'.repeat(16),
    '1,5s',
  ]) {
    t.equal(parseDuration(text), undefined, text)
    t.equal(parseSize(text), undefined, text)
  }
  t.equal(parseDuration('999999999999999h'), undefined, 'more than a number can say')
})

test('durations and sizes are written in the largest unit that is exact', async (t) => {
  t.same([0, 250, 1_500, 90_000, 120_000, 3_600_000].map(formatDuration), [
    '0',
    '250ms',
    '1500ms',
    '90s',
    '2m',
    '1h',
  ])
  t.same([0, 17, 64_000, 1_048_576, 2_048].map(formatSize), ['0', '17B', '64kB', '1MiB', '2KiB'])
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 15 - 1 }), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value)
      assert.equal(parseSize(formatSize(value)), value)
    }),
  )
})
