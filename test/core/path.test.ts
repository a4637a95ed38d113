import assert from 'node:assert/strict'
import {
  covers,
  hasWildcard,
  isControlPath,
  isDirectPath,
  isPlainPath,
  matches,
  nameOf,
  nounOf,
  pathFault,
  patternFault,
} from '@sapwood/core'
import fc from 'fast-check'
import { test } from 'tap'
import { anyPath, anyPattern, matchesPlainly } from './arbitraries.ts'

test('a path is segments joined by slashes, and says what is wrong with it', async (t) => {
  const cases: readonly (readonly [path: string, pathSays: RegExp | undefined])[] = [
    ['a', undefined],
    ['orders/42/status', undefined],
    ['::connect', undefined],
    ['@name/noun', undefined],
    ['with space/and ; and ->', undefined],
    ['a*/b', undefined],
    ['***', undefined],
    ['ä/日本/😀', undefined],
    ['', /is empty/],
    ['/', /empty segment/],
    ['/a', /empty segment/],
    ['a/', /empty segment/],
    ['a//b', /empty segment/],
    ['a/*', /wildcard/],
    ['*', /wildcard/],
    ['a/**', /wildcard/],
    ['a\u0000b', /control character/],
    ['a\nb', /control character/],
    ['a/\u001f', /control character/],
    ['a\u007f', /control character/],
    ['a/\u0080', /control character/],
    ['a\u009f/b', /control character/],
    ['a\u00a0b', undefined],
    ['a/\ud800', /Unicode/],
    ['\udc00/a', /Unicode/],
    ['\ud800a', /Unicode/],
  ]
  for (const [path, says] of cases) {
    const fault = pathFault(path)
    if (says === undefined) t.equal(fault, undefined, JSON.stringify(path))
    else t.match(fault, says, JSON.stringify(path))
  }
})

test('a pattern may have `*` anywhere and `**` at the end only', async (t) => {
  for (const pattern of ['a', '*', '**', 'a/*', '*/a/*', 'a/**', '*/**', '::c/**', '@n/*']) {
    t.equal(patternFault(pattern), undefined, pattern)
  }
  t.match(patternFault('**/a'), /before its last/)
  t.match(patternFault('a/**/b'), /before its last/)
  t.match(patternFault('a//**'), /empty segment/)
  t.match(patternFault('a/\u0001/*'), /control character/)
})

test('a character is refused as a control character exactly if it is one to Unicode', async () => {
  const character = fc.oneof(
    fc.integer({ min: 0, max: 0x17f }).map((code) => String.fromCharCode(code)),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  )
  fc.assert(
    fc.property(character, fc.boolean(), (one, wildcards) => {
      const fault = wildcards ? patternFault(`a${one}b/*`) : pathFault(`a${one}b`)
      const said = fault === 'has a control character'
      assert.equal(said, /\p{Cc}/u.test(one))
    }),
  )
})

test('limits count UTF-8 bytes and segments', async (t) => {
  t.equal(pathFault('x'.repeat(512)), undefined)
  t.match(pathFault('x'.repeat(513)), /longer than 512/)
  t.equal(pathFault('ä'.repeat(256)), undefined)
  t.match(pathFault(`${'ä'.repeat(256)}x`), /longer than 512/)
  t.equal(pathFault('日'.repeat(170)), undefined)
  t.match(pathFault('日'.repeat(171)), /longer than 512/)
  t.equal(pathFault('😀'.repeat(128)), undefined)
  t.match(pathFault(`${'😀'.repeat(128)}x`), /longer than 512/)
  t.equal(pathFault(Array(32).fill('a').join('/')), undefined)
  t.match(pathFault(Array(33).fill('a').join('/')), /more than 32 segments/)
  t.match(pathFault('abc', { bytes: 2, segments: 9 }), /longer than 2/)
  t.match(patternFault('a/**', { bytes: 9, segments: 1 }), /more than 1 segments/)
})

test('a fault depends on bytes as an encoder counts them', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), (text) => {
      const path = text.replaceAll('/', '-').replaceAll('*', '-')
      const bytes = new TextEncoder().encode(path).length
      const tooLong = pathFault(path, { bytes: bytes - 1, segments: 9 })
      assert.match(tooLong ?? '', /longer than/)
      assert.doesNotMatch(pathFault(path, { bytes, segments: 9 }) ?? '', /longer than/)
    }),
  )
})

test('faults agree with a plain reading of the grammar', async () => {
  const segment = fc.constantFrom('a', '*', '**', '***', '', 'b*', '\u0000', '\ud800', '😀')
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
      const text = segments.join('/')
      const sound = segments.every((each) => each !== '' && each !== '\u0000' && each !== '\ud800')
      const literal = segments.every((each) => each !== '*' && each !== '**')
      const restLast = segments.slice(0, -1).every((each) => each !== '**')
      assert.equal(pathFault(text) === undefined, sound && literal)
      assert.equal(patternFault(text) === undefined, sound && restLast)
    }),
  )
})

test('the first characters say what a path is for', async (t) => {
  t.ok(isControlPath('::connect'))
  t.notOk(isControlPath(':connect'))
  t.notOk(isControlPath('a::b'))
  t.ok(isDirectPath('@name/noun'))
  t.notOk(isDirectPath('a/@b'))
  t.ok(isPlainPath(':a'))
  t.notOk(isPlainPath('::a'))
  t.notOk(isPlainPath('@a'))
})

test('only a whole segment is a wildcard', async () => {
  fc.assert(
    fc.property(fc.oneof(anyPath, anyPattern), (pattern) => {
      const wild = pattern.split('/').some((segment) => segment === '*' || segment === '**')
      assert.equal(hasWildcard(pattern), wild)
    }),
  )
})

test('matches: one segment for `*`, this level and below for `**`', async (t) => {
  const yes = [
    ['a/*', 'a/b'],
    ['a/**', 'a'],
    ['a/**', 'a/b/c'],
    ['**', 'a'],
    ['*/**', 'a'],
    ['*', ':'],
    ['::c/*', '::c/x'],
    ['@n/**', '@n'],
  ]
  const no = [
    ['a/*', 'a'],
    ['a/*', 'a/b/c'],
    ['a/*/**', 'a'],
    ['ab/**', 'a'],
    ['a/**', 'ab'],
  ]
  for (const [pattern, path] of yes as [string, string][]) t.ok(matches(pattern, path), pattern)
  for (const [pattern, path] of no as [string, string][]) t.notOk(matches(pattern, path), pattern)
})

test('no wildcard reaches control or direct paths', async (t) => {
  for (const path of ['::connect', '::inbox/a/1', '@name', '@name/noun']) {
    for (const pattern of ['*', '**', '*/**', '*/*', '*/noun', '*/a/1', '*/*/*']) {
      t.notOk(matches(pattern, path), `${pattern} and ${path}`)
      t.notOk(covers(pattern, path), `${pattern} over ${path}`)
    }
  }
  t.notOk(covers('**', '::c/**'))
  t.notOk(covers('*/**', '@n/*'))
  t.ok(covers('::c/**', '::c/*'))
})

test('matches agrees with a plain reading of the wildcards', async () => {
  fc.assert(
    fc.property(anyPattern, anyPath, (pattern, path) => {
      assert.equal(matches(pattern, path), matchesPlainly(pattern, path))
    }),
    { numRuns: 2_000 },
  )
})

test('a rule covers a pattern just when it matches every path of the pattern', async () => {
  fc.assert(
    fc.property(anyPattern, anyPattern, (rule, pattern) => {
      const uncovered = pathsOf(pattern).filter((path) => !matchesPlainly(rule, path))
      assert.equal(covers(rule, pattern), uncovered.length === 0, uncovered[0])
    }),
    { numRuns: 5_000 },
  )
})

/**
 * Enough of the paths that a pattern matches to find one that a rule of up to five segments leaves out: `x`
 * stands for a segment that no rule names.
 */
function pathsOf(pattern: string): string[] {
  const segments = pattern.split('/')
  const open = segments.at(-1) === '**'
  if (open) segments.pop()
  const fixed = segments.map((segment) => (segment === '*' ? 'x' : segment))
  const tails = open ? [0, 1, 2, 3, 4, 5, 6].map((length) => Array<string>(length).fill('x')) : [[]]
  return tails.map((tail) => [...fixed, ...tail].join('/')).filter((path) => path !== '')
}

test('a direct path is a name and what is asked for', async (t) => {
  const parts = (path: string): string[] => [nameOf(path), nounOf(path)]
  t.same(parts('@alpha/time/utc'), ['alpha', 'time/utc'])
  t.same(parts('@alpha'), ['alpha', ''])
  t.same(parts('@alpha/'), ['alpha', ''])
  t.same(parts('@/time'), ['', 'time'])
})
