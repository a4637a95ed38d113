/** What the memory engine keeps of updates: all that was said, in little memory, whichever of them leave first. */
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Message, Update } from '@sapwood/core'
import { jsonMessage, Update as MadeUpdate, message } from '@sapwood/core'
import { MemoryEngine } from '@sapwood/hub'
import { FakeClock, RecordingComponent } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const ROOMY = { epoch: '0123456789abcdef', age: 1e9, count: 1e9, pathCount: 1e9, bytes: 1e9 }
const publisher = new RecordingComponent('publisher')

function engineOf(limits: Partial<typeof ROOMY> = {}): MemoryEngine {
  return new MemoryEngine(new FakeClock(0), { ...ROOMY, ...limits })
}

/** What is there of `pattern` above an offset, of which nothing is lost. */
function allOf(engine: MemoryEngine, pattern: string, since = engine.oldest): readonly Update[] {
  let updates: readonly Update[] = []
  const interests = [{ pattern, since }]
  engine.read({ interests, after: engine.oldest, bytes: Number.POSITIVE_INFINITY }, (result) => {
    assert.deepEqual(result.lost, [])
    updates = result.updates
  })
  return updates
}

/** Bytes that a text takes beyond one for each character, where it is kept as bytes. */
function surplus({ body, type, meta }: Update): number {
  if (typeof body !== 'string' || type !== 'application/json' || meta.id !== undefined) return 0
  return Buffer.byteLength(body) - body.length
}

const said = ({ path, body, type, meta, offset, at, size, mark }: Update) =>
  ({ path, body, type, meta, offset, at, size, mark }) as const

/** Texts of every width, and of lengths around what is kept together and what is kept apart. */
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc
    .tuple(
      fc.constantFrom('x', 'é', '漢', '🌲'),
      fc.constantFrom(300, 10_000, 11_000, 32_765, 33_000, 90_000, 270_000),
    )
    .map(([character, length]) => character.repeat(length)),
)
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  { weight: 6, arbitrary: text.map((value) => jsonMessage(value)) },
  text.map((value) => message(value, 'text/plain')),
  fc.uint8Array({ maxLength: 50 }).map((bytes) => jsonMessage(bytes)),
  text.map((value) => jsonMessage(value, { id: 'one' })),
)

test('what is read is all that was said', async () => {
  const entry = fc.record({ path: fc.constantFrom('a', 'b/c', 'b/d'), message: anyMessage })
  const limits = fc.record({
    count: fc.constantFrom(3, 10, 1e9),
    pathCount: fc.constantFrom(1, 2, 1e9),
    bytes: fc.constantFrom(50_000, 1e9),
  })
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 40 }), limits, (entries, limits) => {
      const engine = engineOf(limits)
      const all = new Map<number, object>()
      const offsets = new Map<string, number[]>()
      for (const { path, message } of entries) {
        engine.append(publisher, path, message)
        all.set(engine.head, said(new MadeUpdate(path, message, engine.head, engine)))
        offsets.set(path, [engine.head, ...(offsets.get(path) ?? [])])
      }
      let count = 0
      let bytes = 0
      for (const [path, newestFirst] of offsets) {
        const since = Math.max(engine.oldest, newestFirst[limits.pathCount] ?? 0)
        for (const update of allOf(engine, path, since)) {
          assert.deepEqual(said(update), all.get(update.offset))
          count++
          bytes += update.size + surplus(update)
        }
      }
      assert.deepEqual([count, bytes], [engine.count, engine.bytes])
    }),
    { numRuns: 150 },
  )
})

test('what is read page by page is all that was said, in whatever script', async () => {
  const entry = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'é', '漢', '🌲'))
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), fc.nat(3_000), (entries, bytes) => {
      const engine = engineOf()
      for (const [path, text] of entries)
        engine.append(publisher, path, jsonMessage(text.repeat(99)))
      const interests = ['a', 'b', 'c'].map((pattern) => ({ pattern, since: 0 }))
      const offsets: number[] = []
      for (let after = 0; after < engine.head; ) {
        engine.read({ interests, after, bytes }, ({ updates, until }) => {
          offsets.push(...updates.map(({ offset }) => offset))
          after = until
        })
      }
      assert.deepEqual(
        offsets,
        entries.map((_, i) => i + 1),
      )
    }),
  )
})

/** Bytes in memory that are held by something. */
async function held(): Promise<{ heap: number; all: number }> {
  // V8 gives memory back behind the collection
  for (let i = 0; i < 3; i++) {
    collect()
    await wait(10)
  }
  const { heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed, all: heapUsed + external }
}

/** What `run` leaves in memory. */
async function left(run: () => void): Promise<{ heap: number; all: number }> {
  const before = await held()
  run()
  const after = await held()
  return { heap: after.heap - before.heap, all: after.all - before.all }
}

test('a hundred thousand updates are hardly anything to V8', async (t) => {
  const engine = engineOf()
  const { heap, all } = await left(() => {
    for (let i = 0; i < 100_000; i++) {
      engine.append(publisher, `s/${i % 1_000}`, jsonMessage({ number: i, pad: 'x'.repeat(200) }))
    }
  })
  t.equal(engine.count, 100_000)
  t.ok(heap < 6e6, `${heap} bytes of heap`)
  t.ok(all < engine.bytes * 1.2, `${all} bytes for what counts ${engine.bytes}`)
})

test('what a bound in bytes leaves takes no more, in whatever script', async (t) => {
  const engine = engineOf({ bytes: 10_000_000 })
  const { all } = await left(() => {
    for (let i = 0; i < 20_000; i++) engine.append(publisher, 'a', jsonMessage('漢'.repeat(1_000)))
  })
  t.ok(engine.count > 3_000, `${engine.count} updates`)
  t.ok(all < 12e6, `${all} bytes`)
})

for (const length of [2_000, 100_000]) {
  test(`what stays keeps nothing of what left before it, of ${length} bytes each`, async (t) => {
    const engine = engineOf({ pathCount: 5 })
    const { all } = await left(() => {
      for (let i = 0; i < 100_000_000 / length; i++) {
        engine.append(publisher, 'busy', jsonMessage('x'.repeat(length)))
        if (i % 10 === 0) engine.append(publisher, `rare/${i}`, jsonMessage(i))
      }
    })
    t.equal(allOf(engine, 'rare/*').length, 10_000_000 / length)
    t.match(allOf(engine, 'rare/0'), [{ body: '0' }])
    t.ok(all < 8e6, `${all} bytes for what counts ${engine.bytes}`)
  })
}

test('short texts between long ones share their room', async (t) => {
  const engine = engineOf()
  const { all } = await left(() => {
    for (let i = 0; i < 300; i++) {
      engine.append(publisher, 'long', jsonMessage('x'.repeat(40_000)))
      engine.append(publisher, 'short', jsonMessage(i))
    }
  })
  t.ok(all < 300 * 41_000, `${all} bytes`)
})

test('paths that come and go leave nothing', async (t) => {
  const engine = engineOf({ count: 1_000 })
  const { heap } = await left(() => {
    for (let i = 0; i < 100_000; i++) engine.append(publisher, `once/${i}`, jsonMessage(i))
  })
  t.equal(engine.count, 1_000)
  t.ok(heap < 4e6, `${heap} bytes of heap`)
})

test('a path that was busy once keeps no room for it', async (t) => {
  const engine = engineOf({ count: 10_000 })
  const { heap } = await left(() => {
    for (let path = 0; path < 200; path++) {
      for (let i = 0; i < 9_000; i++) {
        engine.append(publisher, `busy/${path}`, jsonMessage(i))
        // those before are published at now and then
        if (i % 1_000 === 0) {
          for (let j = 0; j < path; j++) engine.append(publisher, `busy/${j}`, jsonMessage(j))
        }
      }
      allOf(engine, `busy/${path}`)
    }
  })
  t.equal(engine.count, 10_000)
  t.ok(heap < 6e6, `${heap} bytes of heap`)
})
