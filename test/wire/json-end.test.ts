import { isDeepStrictEqual } from 'node:util'
import { isSurelyJson, jsonEnd, parseFrames, readFrames, readFramesAt } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { jsonText } from './arbitraries.ts'

/** What `JSON.parse` says of a text. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 })

/** JSON with space between its tokens, of few levels. */
const spaced: fc.Arbitrary<string> = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1, '\t', '\r\n '), space, space)
  .map(([value, indent, before, behind]) => before + JSON.stringify(value, null, indent) + behind)

/** Objects of many members that hold no others, as programs of several languages write them, and some between that do. */
const wide: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('ä', 'a"b', '\\')),
        fc.oneof(
          { weight: 20, arbitrary: fc.oneof(fc.double(), fc.integer(), fc.string(), fc.boolean()) },
          { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
        ),
      ),
      { maxLength: 80 },
    ),
    fc.constantFrom(',', ', ', ' ,', ',\n  '),
    fc.constantFrom(':', ': ', ' :', ':  '),
  )
  .map(([members, comma, colon]) => {
    const said = members.map(([key, value]) => JSON.stringify(key) + colon + JSON.stringify(value))
    return `{${said.join(comma)}}`
  })

/** What is put into a text to break it, or not. */
const piece = fc.constantFrom(
  ...['"', '\\', '\\u', '\\u00e', '\\u00E9', '\\x', '\\/', ',', ':', '[', ']', '{', '}', '-', '.'],
  ...['0', '01', '1.', '1e', '1e+', 'E5', '+', 'true', 'nul', '\u0000', '\n', '\u001f', '\u00a0'],
  ...['\u2028', '\ud800', '\ufeff', '"a":', '"path"', ' '],
)

const broken: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(spaced, wide, jsonText),
    fc.array(fc.tuple(fc.nat(), fc.nat(3), piece), { maxLength: 3 }),
  )
  .map(([text, edits]) =>
    edits.reduce((former, [place, removed, added]) => {
      const at = place % (former.length + 1)
      return former.slice(0, at) + added + former.slice(at + removed)
    }, text),
  )

test('what is surely JSON is what JSON.parse takes, whatever was done to it', async (t) => {
  fc.assert(
    fc.property(fc.oneof(spaced, wide, jsonText, broken, broken), (text) => {
      if (isSurelyJson(text) !== isJson(text)) throw new Error(`${isJson(text)}: ${text}`)
    }),
    { numRuns: 3000 },
  )
  t.pass('for all of them')
})

test('a value ends where it ends, whatever follows', async (t) => {
  fc.assert(
    fc.property(
      fc.oneof(jsonText, wide),
      fc.constantFrom('', ',', ']', '}', ' ', '"'),
      (text, rest) => {
        const trimmed = text.trim()
        return jsonEnd(`[${trimmed}${rest}`, 1) === 1 + trimmed.length
      },
    ),
  )
  t.equal(jsonEnd(' 1', 0), -1, 'it begins where it is said to')
  t.equal(jsonEnd('', 0), -1)
})

test('what is nested too deeply to be sure of is left to JSON.parse', async (t) => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  t.ok(isSurelyJson(nested(30)))
  t.notOk(isSurelyJson(nested(31)))
  const frames = readFrames(`{"path":"a","message":${nested(1000)}}`)
  t.match(frames, [{ path: 'a', message: { body: nested(1000) } }])
})

test('no text is too long to be read: neither many members, nor one that is long', async (t) => {
  t.ok(isSurelyJson(`{${'"a": 1.5, '.repeat(3_000_000)}"a":1}`))
  t.ok(isSurelyJson(`{"a":"${'b'.repeat(30_000_000)}"}`))
  t.ok(isSurelyJson(`{"a":${'1'.repeat(30_000_000)}}`))
  t.notOk(isSurelyJson(`{"a":"${'b'.repeat(30_000_000)}`), 'an end that is missing')
})

const framed: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('{"path"', '{ "path"', '{"Path"', '[{"path"'),
    space,
    fc.oneof(fc.string(), fc.constantFrom('a/b', '::hello', 'ä', 'a"b', 'a\\u0041', 'a\tb')),
    fc.boolean(),
    space,
    fc.oneof(jsonText, broken),
    fc.constantFrom('}', ' }\r', '},', ',"id":"1"}', ',"message":2}', '}]', ''),
  )
  .map(([head, gap, path, isQuoted, other, body, end]) => {
    const said = isQuoted ? JSON.stringify(path) : `"${path}"`
    return `${head}${gap}:${other}${said}${other},${gap}"message"${other}:${gap}${body}${end}`
  })

test('frames read without being built are those that parsing gives', async (t) => {
  let plain = 0
  fc.assert(
    fc.property(framed, (text) => {
      const read = readFrames(text)
      if (Array.isArray(read)) plain++
      if (!isDeepStrictEqual(read, parseFrames(text))) throw new Error(text)
    }),
    { numRuns: 1000 },
  )
  t.ok(plain > 100, `${plain} of them were frames`)
})

test('a frame that stands in a longer text is read as if it stood alone', async (t) => {
  let plain = 0
  const around = fc.constantFrom(
    '',
    '\n',
    '}\n',
    '{"path"',
    '\n{"path":"a","message":[',
    ']}',
    '}',
    ' ',
  )
  fc.assert(
    fc.property(around, framed, around, (before, text, behind) => {
      const whole = before + text + behind
      const places: (readonly [number, number])[] = []
      const source = {
        slice(start: number, end: number): string {
          places.push([start, end])
          return whole.slice(start, end)
        },
      }
      const read = readFramesAt(whole, before.length, before.length + text.length, source)
      if (!isDeepStrictEqual(read, parseFrames(text))) throw new Error(whole)
      // all others are cut out whole
      if (places.some(([start, end]) => end - start < text.length)) plain++
      for (const [start, end] of places) {
        if (start < before.length || end > before.length + text.length) throw new Error(whole)
      }
    }),
    { numRuns: 4000 },
  )
  t.ok(plain > 50, `${plain} of them were plain`)
})
