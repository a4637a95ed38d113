import assert from 'node:assert/strict'
import type { Component, Message } from '@sapwood/core'
import { jsonMessage, Mailbox, NO_ID, SYSTEM } from '@sapwood/core'
import fc from 'fast-check'
import { test } from 'tap'

const sender: Component = { id: NO_ID, principal: SYSTEM, update: () => undefined }
const nothing: Message = jsonMessage(null)

/** A mailbox whose deliveries post what `script` says, and whose later turns are run by hand. */
function setUp(
  script: (path: string) => readonly string[],
  options: { burst?: number; hops?: number } = {},
) {
  const delivered: string[] = []
  const looped: string[] = []
  const turns: (() => void)[] = []
  let depth = 0
  const mailbox = new Mailbox(
    (_sender, path) => {
      assert.equal(++depth, 1, 'a delivery began within another')
      delivered.push(path)
      for (const next of script(path)) mailbox.post(sender, next, nothing)
      depth--
    },
    { ...options, defer: (run) => turns.push(run), onLoop: (_sender, path) => looped.push(path) },
  )
  const post = (path: string): void => mailbox.post(sender, path, nothing)
  return { delivered, looped, turns, post }
}

test('an update made during an update waits until that one is done', async (t) => {
  const { delivered, post } = setUp((path) => (path.length < 3 ? [`${path}1`, `${path}2`] : []))
  post('a')
  t.same(delivered, ['a', 'a1', 'a2', 'a11', 'a12', 'a21', 'a22'])
  post('z12')
  t.equal(delivered.at(-1), 'z12')
})

test('after a burst the event loop gets its turn, and order still holds', async (t) => {
  const many = Array.from({ length: 25 }, (_, i) => `b${i}`)
  const { delivered, turns, post } = setUp((path) => (path === 'a' ? many : []), { burst: 10 })
  post('a')
  t.equal(delivered.length, 10)
  t.equal(turns.length, 1)
  post('from outside')
  t.equal(delivered.length, 10, 'what comes meanwhile waits behind what came before')
  turns.shift()?.()
  t.same(delivered, ['a', ...many, 'from outside'])
  t.equal(turns.length, 0)
  post('after')
  t.equal(delivered.at(-1), 'after', 'and then everything is at once again')
})

test('what comes faster than bursts is handled a turn later: no more waits than one turn brought', (t) => {
  const { delivered, turns, post } = setUp((path) => (path === 'in' ? ['out'] : []), { burst: 10 })
  for (let turn = 0; turn < 50; turn++) {
    const before = delivered.length
    for (let i = 0; i < 100; i++) post('in')
    turns.shift()?.()
    if (turn > 2) t.equal(delivered.length - before, 200)
  }
  t.end()
})

test('the burst is 1,024 unless said otherwise', async (t) => {
  const many = Array<string>(3_000).fill('b')
  const { delivered, turns, post } = setUp((path) => (path === 'a' ? many : []))
  post('a')
  t.equal(delivered.length, 1_024)
  turns.shift()?.()
  t.equal(delivered.length, 3_001, 'what waited meanwhile')
})

test('updates that cause each other end after sixteen hops, and it is told', async (t) => {
  const { delivered, looped, post } = setUp((path) => [`${path}.`])
  post('a')
  t.equal(delivered.length, 17)
  t.same(looped, [`a${'.'.repeat(17)}`])
  post('b')
  t.equal(delivered.length, 34, 'the next one begins to count anew')
})

test('a loop is counted over a pause as well', async (t) => {
  const { delivered, looped, turns, post } = setUp(() => ['a'], { burst: 2, hops: 5 })
  post('a')
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn()
  t.equal(delivered.length, 6)
  t.equal(looped.length, 1)
})

test('any tree of updates is delivered breadth first, none lost, whatever the burst', async () => {
  const tree = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(tree, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 3 }), (...args) => {
      const [children, burst, roots] = args
      // node n has children[n] children, numbered in the order in which they are posted
      let posted = 0
      const give = (count: number): string[] =>
        Array.from({ length: count }, () => String(posted++))
      const script = (path: string): string[] => give(children[Number(path)] ?? 0)
      const { delivered, looped, turns, post } = setUp(script, { burst, hops: 1_000 })
      for (let i = 0; i < roots; i++) for (const root of give(1)) post(root)
      for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
        const before = delivered.length
        const waiting = posted - before
        turn()
        assert.ok(delivered.length - before <= Math.max(burst, waiting))
      }
      assert.deepEqual(
        delivered,
        Array.from({ length: posted }, (_, i) => String(i)),
      )
      assert.deepEqual(looped, [])
    }),
  )
})
