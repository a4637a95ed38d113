/** The memory engine against the plainest history: a list of everything, with what each bound takes from it. */
import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { jsonMessage, matches, Update } from '@sapwood/core'
import type { Interest, ReadResult } from '@sapwood/hub'
import { MemoryEngine } from '@sapwood/hub'
import { FakeClock, RecordingComponent } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'
import { anyPattern, plainPath } from '../core/arbitraries.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

interface Limits {
  readonly age: number
  readonly count: number
  readonly pathCount: number
  readonly bytes: number
}

interface Entry {
  readonly offset: number
  readonly path: string
  readonly size: number
  readonly time: number
}

const ROOMY: Limits = { age: 1e9, count: 1e9, pathCount: 1e9, bytes: 1e9 }
const EPOCH = '0123456789abcdef'
const publisher = new RecordingComponent('publisher')

function setUp(limits: Partial<Limits> = {}) {
  const clock = new FakeClock(5_000)
  const engine = new MemoryEngine(clock, { epoch: EPOCH, ...ROOMY, ...limits })
  const append = (path: string, size = 0): void =>
    engine.append(publisher, path, jsonMessage('x'.repeat(size)))
  const read = (
    interests: readonly Interest[],
    { after = 0, bytes = Number.POSITIVE_INFINITY } = {},
  ): ReadResult => {
    const results: ReadResult[] = []
    engine.read({ interests, after, bytes }, (result) => results.push(result))
    assert.equal(results.length, 1)
    return results[0] as ReadResult
  }
  return { clock, engine, append, read }
}

/** A list of everything that is retained, and of everything that is not any more. */
class Books {
  readonly #limits: Limits
  kept: Entry[] = []
  gone: Entry[] = []
  /** The highest offset that a bound of the whole log has taken, or stepped over. */
  oldest = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  append(entry: Entry): void {
    this.kept.push(entry)
    const ofPath = this.kept.filter(({ path }) => path === entry.path)
    if (ofPath.length > this.#limits.pathCount) this.#drop(ofPath[0] as Entry)
    this.trim(entry.time)
  }

  trim(now: number): void {
    const { count, bytes, age } = this.#limits
    for (;;) {
      const first = this.kept[0]
      if (first === undefined) break
      const size = this.kept.reduce((sum, each) => sum + each.size, 0)
      if (this.kept.length <= count && size <= bytes && first.time >= now - age) break
      this.#drop(first)
      this.oldest = first.offset
    }
  }

  /** Is something gone that this interest wants? */
  misses({ pattern, since }: Interest): boolean {
    return this.gone.some(({ offset, path }) => offset > since && matches(pattern, path))
  }

  #drop(entry: Entry): void {
    this.kept = this.kept.filter((each) => each !== entry)
    this.gone.push(entry)
  }
}

const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      path: fc.oneof(fc.constantFrom('a', 'a/b', 'b'), plainPath),
      size: fc.nat({ max: 60 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat({ max: 400 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      interests: fc.array(fc.record({ pattern: anyPattern, since: fc.nat({ max: 60 }) }), {
        maxLength: 4,
      }),
      after: fc.nat({ max: 60 }),
      bytes: fc.constantFrom(1, 300, Number.POSITIVE_INFINITY),
    }),
  },
)
const anyLimits = fc.record({
  age: fc.constantFrom(500, 1e9),
  count: fc.constantFrom(0, 1, 8, 1e9),
  pathCount: fc.constantFrom(0, 1, 3, 1e9),
  bytes: fc.constantFrom(300, 2_000, 1e9),
})

test('a read gives exactly what is there, or names the pattern of which something is lost', async () => {
  fc.assert(
    fc.property(anyLimits, fc.array(act, { minLength: 20, maxLength: 80 }), (limits, acts) => {
      const { clock, engine, append, read } = setUp(limits)
      const books = new Books(limits)
      for (const each of acts) {
        if (each.do === 'pass') clock.advance(each.ms)
        else if (each.do === 'append') {
          append(each.path, each.size)
          const { size } = new Update(each.path, jsonMessage('x'.repeat(each.size)))
          books.append({ offset: engine.head, path: each.path, size, time: clock.now() })
        } else {
          books.trim(clock.now())
          judge(books, engine, each.interests, each, read(each.interests, each))
        }
        assert.ok(engine.oldest <= engine.head)
      }
      books.trim(clock.now())
      engine.trim()
      assert.equal(engine.count, books.kept.length)
      assert.equal(
        engine.bytes,
        books.kept.reduce((sum, { size }) => sum + size, 0),
      )
    }),
    { numRuns: 1_000 },
  )
})

function judge(
  books: Books,
  engine: MemoryEngine,
  interests: readonly Interest[],
  { after, bytes }: { readonly after: number; readonly bytes: number },
  { updates, until, count, lost }: ReadResult,
): void {
  const wanted = interests.map(({ pattern, since }) => ({
    pattern,
    since: Math.max(since, after),
  }))
  for (const interest of wanted) {
    const told = lost.includes(interest.pattern)
    const same = wanted.filter(({ pattern }) => pattern === interest.pattern)
    if (books.misses(interest)) assert.ok(told, `${interest.pattern} is lost in silence`)
    const mayBeTold = same.some((each) => books.misses(each) || each.since < engine.oldest)
    assert.ok(!told || mayBeTold, `${interest.pattern} is told as lost, but nothing is`)
  }
  assert.ok(engine.oldest >= books.oldest)
  const kept = wanted.filter(({ pattern }) => !lost.includes(pattern))
  const found = books.kept.filter(({ offset, path }) =>
    kept.some(({ pattern, since }) => offset > since && matches(pattern, path)),
  )
  assert.equal(count, found.length)
  const given = updates.map(({ offset }) => offset)
  assert.deepEqual(
    given,
    found.slice(0, given.length).map(({ offset }) => offset),
  )
  if (given.length === found.length) assert.equal(until, engine.head)
  else {
    assert.equal(until, given.at(-1))
    assert.ok(updates.reduce((sum, { size }) => sum + size, 0) >= bytes, 'stopped too early')
  }
}

test('a path that is gone leaves nothing behind', async (t) => {
  const { engine, append, read } = setUp({ count: 10 })
  for (let i = 0; i < 5_000; i++) append(`orders/${i}/status`)
  t.equal(engine.count, 10)
  t.equal(engine.oldest, 4_990)
  const { updates } = read([{ pattern: 'orders/*/status', since: 4_990 }])
  t.equal(updates.length, 10)
  append('quiet')
  for (let i = 0; i < 10; i++) append('loud')
  t.same(read([{ pattern: 'orders/**', since: engine.oldest }]).updates, [])
  t.equal(read([{ pattern: '*', since: engine.oldest }]).updates.length, 10)
})

test('what a reader has not finished is read on from where it stopped, while more comes', async (t) => {
  const { engine, append, read } = setUp()
  for (let i = 0; i < 300; i++) append(`a/${i % 7}`, i % 50)
  const found: number[] = []
  for (let after = 0; after < engine.head; ) {
    const { updates, until } = read([{ pattern: 'a/**', since: 0 }], { after, bytes: 2_000 })
    found.push(...updates.map(({ offset }) => offset))
    after = until
    if (found.length < 200) append(`a/${found.length % 9}`)
  }
  t.same(
    found,
    Array.from({ length: engine.head }, (_, i) => i + 1),
  )
})

test('what a busy path has dropped takes no room, and hides nothing of others', async (t) => {
  const { engine, append, read } = setUp({ pathCount: 3 })
  const others: number[] = []
  for (let i = 0; i < 10_000; i++) {
    append('busy')
    if (i % 1_000 !== 500) continue
    append(`other/${i}`)
    others.push(engine.head)
  }
  const offsets = (pattern: string, since: number) =>
    read([{ pattern, since }]).updates.map(({ offset }) => offset)
  t.same(offsets('other/*', 0), others)
  t.same(offsets('*/*', 0), others, 'by scanning, too')
  t.same(offsets('other/*', others[4] as number), others.slice(5))
  const { head } = engine
  t.same(offsets('busy', head - 3), [head - 2, head - 1, head])
  t.same(read([{ pattern: 'busy', since: head - 4 }]).lost, ['busy'])
  t.same(read([{ pattern: '**', since: others[4] as number }]).lost, ['**'])
  t.equal(engine.oldest, 0, 'nothing of all paths is lost')
})

test('what thousands of updates leave is what the bounds leave, however often the log has gone round', async () => {
  const limits = fc.record({
    count: fc.constantFrom(700, 1_024, 1_500, 5_000),
    pathCount: fc.constantFrom(300, 1_100, 1e9),
  })
  fc.assert(
    fc.property(
      limits,
      fc.integer({ min: 1, max: 6_000 }),
      fc.integer({ min: 2, max: 40 }),
      (limits, updates, rare) => {
        const { engine, append, read } = setUp(limits)
        const paths: string[] = []
        for (let i = 0; i < updates; i++) {
          paths.push(i % rare === 0 ? `rare/${i % 3}` : 'busy')
          append(paths[i] as string)
        }
        // the newest of each path, and of those the newest of all
        const counts = new Map<string, number>()
        const kept: number[] = []
        for (let offset = updates; offset > 0 && kept.length < limits.count; offset--) {
          const path = paths[offset - 1] as string
          const count = (counts.get(path) ?? 0) + 1
          counts.set(path, count)
          if (count <= limits.pathCount) kept.unshift(offset)
        }
        assert.equal(engine.count, kept.length)
        const offsets = (pattern: string, since: number): number[] => {
          const { updates, lost } = read([{ pattern, since }])
          assert.deepEqual(lost, [])
          return updates.map(({ offset }) => offset)
        }
        for (const path of counts.keys()) {
          const ofPath = kept.filter((offset) => paths[offset - 1] === path)
          if (ofPath.length > 0) assert.deepEqual(offsets(path, (ofPath[0] as number) - 1), ofPath)
        }
        let gone = updates
        while (gone > 0 && kept.includes(gone)) gone--
        assert.deepEqual(offsets('**', gone), kept.slice(kept.length - updates + gone))
      },
    ),
    { numRuns: 30 },
  )
})

test('memory is bounded however many updates and paths are dropped', async (t) => {
  for (const pathCount of [0, 10]) {
    const { engine, append } = setUp({ pathCount, count: 100 })
    append('busy')
    collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 300_000; i++) append(pathCount === 0 ? `path/${i}` : 'busy')
    collect()
    const grown = process.memoryUsage().heapUsed - before
    t.ok(grown < 2e6, `${grown} bytes for ${engine.count} updates`)
  }
})

test('with bounds of nothing, nothing is retained and everything is told as lost', async (t) => {
  const { engine, append, read } = setUp({ count: 0 })
  append('a')
  append('b')
  t.equal(engine.count, 0)
  t.equal(engine.bytes, 0)
  t.same(read([{ pattern: 'a', since: 1 }]), { updates: [], until: 2, count: 0, lost: ['a'] })
  t.same(read([{ pattern: 'a', since: 2 }]), { updates: [], until: 2, count: 0, lost: [] })
})

test('a clock that stands still and one that jumps far ahead change nothing but the age', async (t) => {
  const { clock, engine, append } = setUp({ age: 1_000 })
  for (let i = 0; i < 3_000; i++) append('a')
  t.equal(engine.count, 3_000)
  clock.advance(1_000)
  engine.trim()
  t.equal(engine.count, 3_000, 'exactly as old as the limit is not too old')
  clock.advance(1e7)
  append('b')
  t.equal(engine.count, 1)
  t.equal(engine.oldest, 3_000)
})
