import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Matcher } from '@sapwood/core'
import fc from 'fast-check'
import { Qlobber } from 'qlobber'
import { test } from 'tap'
import { anyPath, anyPattern, matchesPlainly, plainPath } from './arbitraries.ts'

type Step = { readonly add: boolean; readonly pattern: string; readonly value: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    add: fc.boolean(),
    pattern: anyPattern,
    value: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 40 },
)

/** Each value that stands under a pattern that matches, once. */
function valuesOf<T>(matcher: Matcher<T>, path: string): Set<T> {
  return new Set(matcher.match(path).flatMap((group) => [...group]))
}

test('values of patterns with and without wildcards are found', async (t) => {
  const matcher = new Matcher<string>()
  t.ok(matcher.add('orders/42', 'exact'))
  t.ok(matcher.add('orders/*', 'one'))
  t.ok(matcher.add('orders/**', 'rest'))
  t.ok(matcher.add('**', 'all'))
  t.same([...valuesOf(matcher, 'orders/42')].sort(), ['all', 'exact', 'one', 'rest'])
  t.same([...valuesOf(matcher, 'orders')].sort(), ['all', 'rest'])
  t.same([...valuesOf(matcher, 'orders/42/status')].sort(), ['all', 'rest'])
  t.same([...valuesOf(matcher, '::orders/42')], [])
})

test('adding twice and removing what is not there say so', async (t) => {
  const matcher = new Matcher<string>()
  for (const pattern of ['a/b', 'a/*', 'a/**', '**']) {
    t.ok(matcher.add(pattern, 'x'))
    t.notOk(matcher.add(pattern, 'x'))
    t.notOk(matcher.remove(pattern, 'y'))
    t.ok(matcher.remove(pattern, 'x'))
    t.notOk(matcher.remove(pattern, 'x'))
  }
  t.notOk(matcher.remove('never/was/*', 'x'))
})

test('patterns named like members of Object are ordinary ones', async (t) => {
  const matcher = new Matcher<string>()
  for (const path of ['__proto__', 'constructor', 'a/__proto__', 'a/hasOwnProperty']) {
    t.same([...valuesOf(matcher, path)], [])
    t.same([...valuesOf(matcher, `${path}/x`)], [])
    matcher.add(`${path}/*`, path)
    t.same([...valuesOf(matcher, `${path}/x`)], [path])
  }
})

test('any sequence of adding and removing leaves what a list of pairs would', async () => {
  fc.assert(
    fc.property(steps, fc.array(anyPath, { minLength: 1, maxLength: 8 }), (script, paths) => {
      const matcher = new Matcher<number>()
      const pairs = new Map<string, Step>()
      for (const step of script) {
        const key = `${step.value} ${step.pattern}`
        const had = pairs.has(key)
        if (step.add) {
          assert.equal(matcher.add(step.pattern, step.value), !had)
          pairs.set(key, step)
        } else {
          assert.equal(matcher.remove(step.pattern, step.value), had)
          pairs.delete(key)
        }
      }
      for (const path of paths) {
        const wanted = new Set<number>()
        for (const { pattern, value } of pairs.values()) {
          if (matchesPlainly(pattern, path)) wanted.add(value)
        }
        assert.deepEqual([...valuesOf(matcher, path)].sort(), [...wanted].sort(), path)
        assert.ok(matcher.match(path).every((group) => group.size > 0))
      }
    }),
    { numRuns: 500 },
  )
})

test('on plain paths the matcher agrees with qlobber', async () => {
  fc.assert(
    fc.property(steps, fc.array(plainPath, { minLength: 1, maxLength: 8 }), (script, paths) => {
      const matcher = new Matcher<number>()
      const oracle = new Qlobber<number>({
        separator: '/',
        wildcard_one: '*',
        wildcard_some: '**',
      })
      for (const { add, pattern, value } of script) {
        if (add && matcher.add(pattern, value)) oracle.add(pattern, value)
        if (!add && matcher.remove(pattern, value)) oracle.remove(pattern, value)
      }
      for (const path of paths) {
        const wanted = [...new Set(oracle.match(path))].sort()
        assert.deepEqual([...valuesOf(matcher, path)].sort(), wanted, path)
      }
    }),
    { numRuns: 500 },
  )
})

test('patterns that were removed leave no memory behind', async (t) => {
  const matcher = new Matcher<string>()
  matcher.add('stays/*/here', 'x')
  const churn = (round: number): void => {
    const patterns: string[] = []
    for (let i = 0; i < 20_000; i++) {
      patterns.push(`a${i}/${round}/*/c`, `${round}/a${i}/**`, `${i}/${round}`, `*/${round}/${i}`)
    }
    for (const pattern of patterns) matcher.add(pattern, 'x')
    for (const pattern of patterns) matcher.remove(pattern, 'x')
  }
  churn(1)
  const before = heapUsed()
  churn(2)
  const grown = heapUsed() - before
  // what one round holds while it lasts is above 30 MB
  t.ok(grown < 2_000_000, `${grown} bytes more`)
  t.same([...valuesOf(matcher, 'stays/a/here')], ['x'])
})

/** Bytes in use after everything that can be collected was. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
