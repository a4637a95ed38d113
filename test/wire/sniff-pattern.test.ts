import assert from 'node:assert/strict'
import { bytesPattern, isAnchored } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { outcome, sniffed, verdictOf } from './sniffing.ts'

const INVALID = { code: 'BYTES_PATTERN_INVALID' }

/** Few characters, so that random texts match now and then: two of words, two others. */
const LETTERS = ['a', 'b', ' ', '\n'] as const

const atom = fc.constantFrom(
  ...['a', 'b', ' ', '\\n', '.', '\\w', '\\W', '\\d', '\\D', '\\s', '\\S', '\\x61', '\\u0062'],
  ...['[ab]', '[^a]', '[a-b\\n]', '[^]', '[]', '[\\]\\w]', '[^\\b ]', '\\cJ', '\\0', '\\-', '€'],
)
const assertion = fc.constantFrom('^', '$', '\\b', '\\B')
const sign = fc.constantFrom(
  '',
  '',
  '*',
  '+',
  '?',
  '*?',
  '+?',
  '??',
  '{2}',
  '{0,2}',
  '{1,}?',
  '{0}',
)

const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  pattern: fc
    .array(fc.array(tie('piece'), { maxLength: 4 }), { minLength: 1, maxLength: 3 })
    .map((choices) => choices.map((pieces) => pieces.join('')).join('|')),
  piece: fc.oneof(
    // deeper ones take the engine itself for ever, since it goes back and forth
    { maxDepth: 1 },
    fc.tuple(atom, sign).map((parts) => parts.join('')),
    assertion,
    fc
      .tuple(fc.constantFrom('(', '(?:'), tie('pattern'), sign)
      .map(([opening, inner, sign]) => `${opening}${inner})${sign}`),
  ),
}))
const text = fc.array(fc.constantFrom(...LETTERS), { maxLength: 7 }).map((some) => some.join(''))

/** The matcher, or undefined if nothing matches the pattern. */
function matcherOf(pattern: string) {
  try {
    return bytesPattern(pattern)
  } catch (error) {
    assert.match(String(error), /no bytes match it/, pattern)
    return undefined
  }
}

test('at the end of the stream a pattern says what RegExp says, before it nothing that could change', async () => {
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 6 }), (pattern, texts) => {
      const matcher = matcherOf(pattern)
      const engine = new RegExp(pattern)
      for (const text of texts) {
        const expected = engine.test(text)
        if (matcher === undefined) assert.equal(expected, false, `/${pattern}/ of nothing`)
        else {
          const where = `/${pattern}/ of ${JSON.stringify(text)}`
          assert.equal(verdictOf(matcher, text), expected ? 'yes' : 'no', where)
        }
      }
    }),
    { numRuns: 1_500 },
  )
})

test('any byte is the character of its number', async () => {
  const one = fc.constantFrom(
    '.',
    '\\w',
    '\\s',
    '\\S',
    '[^\\x80-\\xff]',
    '[ä-ö]',
    '\\xe4',
    '\\u00e4',
  )
  const bytes = fc.uint8Array({ maxLength: 4 })
  fc.assert(
    fc.property(one, one, bytes, (first, second, bytes) => {
      const pattern = `^${first}+${second}$`
      const expected = new RegExp(pattern).test(Buffer.from(bytes).toString('latin1'))
      const verdict = verdictOf(bytesPattern(pattern), bytes)
      assert.equal(verdict, expected ? 'yes' : 'no', pattern)
    }),
    { numRuns: 1_000 },
  )
})

/** All texts of at most `length` letters, the shortest first. */
function* texts(length: number): Generator<string> {
  let last = ['']
  for (let i = 0; i <= length; i++) {
    yield* last
    last = last.flatMap((text) => LETTERS.map((letter) => text + letter))
  }
}
const CONTINUATIONS = [...texts(4)]

test('no comes as soon as nothing that follows could match any more', async () => {
  const simple = fc.constantFrom('a', 'b', ' ', '.', '\\w', '[^a]')
  const some = fc.tuple(simple, fc.constantFrom('', '', '*', '?', '+')).map((p) => p.join(''))
  const piece = fc.oneof({ arbitrary: some, weight: 3 }, { arbitrary: assertion, weight: 1 })
  const flat = fc
    .array(fc.array(piece, { maxLength: 3 }), { minLength: 1, maxLength: 2 })
    .map((choices) => choices.map((pieces) => `^${pieces.join('')}`).join('|'))
  fc.assert(
    fc.property(flat, text, (pattern, text) => {
      const matcher = matcherOf(pattern)
      const engine = new RegExp(pattern)
      for (let length = 0; length <= Math.min(2, text.length); length++) {
        const prefix = text.slice(0, length)
        const hopeful = CONTINUATIONS.some((rest) => engine.test(prefix + rest))
        const verdict = matcher?.(sniffed(prefix)) ?? 'no'
        const where = `/${pattern}/ after ${JSON.stringify(prefix)}`
        assert.equal(verdict !== 'no', hopeful, where)
        if (verdict === 'yes') {
          assert.ok(CONTINUATIONS.every((rest) => engine.test(prefix + rest)))
        }
      }
    }),
    { numRuns: 1_500 },
  )
})

test('patterns of real protocols decide at the first byte that tells', async (t) => {
  const cases: [pattern: string, bytes: string, verdict: string, at: number | undefined][] = [
    ['^\\*\\d+\\r\\n\\$', '*1\r\n$4\r\nPING\r\n', 'yes', 5],
    ['^\\*\\d+\\r\\n\\$', 'PING\r\n', 'no', 1],
    ['^\\x00\\x00\\x00\\x08\\x04\\xd2\\x16\\x2f', '\0\0\0\x08\x04\xd2\x16\x2f', 'yes', 8],
    ['^[^]{2}MQTT|^\\x10[^]\\0\\x04MQTT', '\x10\x1a\0\x04MQTT\x04', 'yes', 8],
    ['^\\x05[\\x01-\\x04]', '\x05\x09', 'no', 2],
    ['^(?:EHLO|HELO) ', 'EHLO example.org\r\n', 'yes', 5],
    ['^(?:EHLO|HELO) ', 'EXPN x\r\n', 'no', 2],
    ['^STATS\\r\\n$', 'STATS\r\n', 'yes', undefined],
    ['^STATS\\r\\n$', 'STATS\r\nx', 'no', 8],
    ['^[a-z]+\\b', 'stats more', 'yes', 6],
    ['', '', 'yes', 0],
    ['b', 'aab', 'yes', 3],
    ['b', 'aaa', 'no', undefined],
  ]
  for (const [pattern, bytes, verdict, at] of cases) {
    t.same(outcome(bytesPattern(pattern), bytes), { verdict, at }, `${pattern} ${bytes}`)
  }
  t.equal(bytesPattern('^a$')(sniffed('a', { late: true })), 'more', 'late is not the end')
})

test('look-around, back-references and what is easily misread are refused at the start', async (t) => {
  const refused = [
    ...[
      '(?=a)',
      '(?!a)',
      '(?<=a)',
      '(?<!a)',
      'a(?:b(?=c))',
      '(a)\\1',
      '(?<n>a)\\k<n>',
      '\\k',
      '\\2',
    ],
    ...['(', 'a{2,1}', '*', '[b-a]', '(?<n', '\\', 'a**'],
    ...['\\p{L}', '\\x4', '\\u{61}', '\\c1', '\\07', '\\i', '\\N', '[\\p]', '[\\1]', '[\\B]'],
    ...['^€', 'a^', '$a', '[]', '^a\\b\\B', 'a{2001}', '(a{100}){100}', '(?:(?:a?){99}){99}'],
  ]
  for (const pattern of refused) t.throws(() => bytesPattern(pattern), INVALID, pattern)
  t.throws(() => bytesPattern('^a(?=b)'), { message: /\^a\(\?=b\)`: at 3 .*look-around/ })
  t.doesNotThrow(() => bytesPattern('(?<name>a)(?:b)(?:){1000000000}c{0,900}'))
})

test('a pattern that may begin anywhere is told, since it never says no', async (t) => {
  for (const pattern of ['^a', '^', '(?:^a|^b)c', '^a|^b', '(^|^x)y', 'a*^b', '(?:)^a']) {
    t.equal(isAnchored(pattern), true, pattern)
  }
  for (const pattern of ['a', '^a|b', '(?:^)?a', '\\ba', '', 'a*']) {
    t.equal(isAnchored(pattern), false, pattern)
  }
  t.throws(() => isAnchored('('), INVALID)
})

test('no pattern is slow: neither nested repeats nor many states', async (t) => {
  const nested = bytesPattern('^(a+)+(a*)*\\n')
  t.equal(nested(sniffed('a'.repeat(16_384))), 'more')
  t.equal(nested(sniffed(`${'a'.repeat(16_383)}b`)), 'no')
  // its states are all the places of `a` among the last fourteen bytes: more than are kept
  const many = '[ab]a[ab]{13}c'
  const matcher = bytesPattern(many)
  let seed = 1
  const letters = Array.from({ length: 16_000 }, () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % 2 === 0 ? 'a' : 'b'
  })
  for (const end of ['', 'c', 'ca']) {
    const text = letters.join('') + end
    const expected = new RegExp(many).test(text) ? 'yes' : 'no'
    t.equal(matcher(sniffed(text, { ended: true })), expected, end)
  }
})
