/** What happens to who does not read: policies at the limit of an outbox, budgets, bounds. */
import type { Update } from '@sapwood/core'
import { bodyValue, jsonMessage, Update as MadeUpdate, Mark } from '@sapwood/core'
import type { HubOptions, Policy } from '@sapwood/hub'
import { GAP, parsePosition } from '@sapwood/hub'
import { test } from 'tap'
import type { Client } from './hub-under-test.ts'
import { HubUnderTest, offsetsOf } from './hub-under-test.ts'

interface Gap {
  readonly patterns: string[]
  readonly after: string
  readonly at: string
  readonly reason: string
}

const SIZE = new MadeUpdate('a', jsonMessage(`1 ${'x'.repeat(100)}`)).size

function setUp(policy: Policy, outbox: number, options: HubOptions = {}) {
  const it = new HubUnderTest({
    ...options,
    session: { outbox, policies: [{ path: 'a/**', policy }], ...options.session },
  })
  const client = it.subscriber('a/**')
  client.pipe.capacity = 0
  return { it, client }
}

/** Lets the client read again, and says what came. */
function drain(client: Client): Update[] {
  client.pipe.capacity = Number.POSITIVE_INFINITY
  client.session.drained()
  return client.take()
}

function gapsOf(updates: readonly Update[]): Gap[] {
  return updates.filter(({ path }) => path === GAP).map((update) => bodyValue(update) as Gap)
}

test('catch-up: at the limit the outbox is emptied, and history gives everything later', async (t) => {
  const { it, client } = setUp('catch-up', 10 * SIZE)
  it.count('a', 100, 100)
  t.ok(it.hub.budget.used <= 10 * SIZE, `${it.hub.budget.used} bytes wait`)
  t.ok(it.hub.counters.overflows > 0)
  const came = drain(client)
  t.same(
    offsetsOf(came),
    Array.from({ length: 100 }, (_, i) => i + 1),
  )
  t.same(gapsOf(came), [], 'nothing is lost')
  t.ok(
    came.every(({ mark }) => (mark & Mark.replay) !== 0),
    'all of it out of history',
  )
  it.count('a', 1)
  t.same(offsetsOf(client.take()), [101], 'and then it is live')
  await it.hub.close()
})

test('catch-up: what history has let go of in the meantime is a gap, reason slow', async (t) => {
  const { it, client } = setUp('catch-up', 10 * SIZE, { history: { count: 30 } })
  it.count('a', 100, 100)
  const came = drain(client)
  const epoch = it.hub.engine.epoch
  t.same(gapsOf(came), [
    { patterns: ['a/**'], after: `${epoch}-0`, at: `${epoch}-100`, reason: 'slow' },
  ])
  t.same(offsetsOf(came), [])
  t.equal(it.hub.counters.gaps, 1)
  it.count('a', 2)
  t.same(offsetsOf(client.take()), [101, 102])
  await it.hub.close()
})

test('catch-up: a slow client keeps its control updates, in front of what is read again', async (t) => {
  const { it, client } = setUp('catch-up', 10 * SIZE)
  it.count('a', 5, 100)
  client.session.tell('::error', { code: 'SOMETHING' })
  it.count('a', 20, 100)
  const came = drain(client)
  t.equal(came[0]?.path, '::error')
  t.same(parsePosition(came[0]?.at ?? '')?.offset, 0, 'at a position that claims nothing')
  t.same(
    offsetsOf(came),
    Array.from({ length: 25 }, (_, i) => i + 1),
  )
  await it.hub.close()
})

test('conflate: the newest of a key takes the place behind everything, the older one goes', async (t) => {
  const { it, client } = setUp('conflate', 1e6)
  it.publish('a/1', 'one', { key: 'k' })
  it.publish('a/2', 'other path', { key: 'k' })
  it.publish('a/1', 'no key')
  it.publish('a/1', 'other key', { key: 'j' })
  it.publish('a/1', 'two', { key: 'k' })
  const came = drain(client)
  t.same(came.map(bodyValue), ['other path', 'no key', 'other key', 'two'])
  t.same(offsetsOf(came), [2, 3, 4, 5])
  it.publish('a/1', 'three', { key: 'k' })
  t.same(client.take().map(bodyValue), ['three'], 'what was sent is not replaced')
  await it.hub.close()
})

test('conflate: a thousand updates of ten keys take the room of ten', async (t) => {
  const { it, client } = setUp('conflate', 1e6)
  for (let i = 0; i < 1_000; i++) it.publish('a', `${i} ${'x'.repeat(100)}`, { key: `k${i % 10}` })
  t.ok(it.hub.budget.used <= 11 * SIZE, `${it.hub.budget.used} bytes wait`)
  t.equal(it.hub.counters.overflows, 0)
  t.same(
    offsetsOf(drain(client)),
    Array.from({ length: 10 }, (_, i) => 991 + i),
  )
  t.equal(it.hub.budget.used, 0)
  await it.hub.close()
})

test('conflate: a place that was sent is not replaced, and keys work across partial sends', async (t) => {
  const { it, client } = setUp('conflate', 1e6)
  for (let i = 0; i < 6; i++) it.publish('a', i, { key: `k${i % 3}` })
  client.pipe.capacity = 1
  client.session.drained()
  it.hub.outlet.flush()
  client.pipe.capacity = 0
  it.publish('a', 6, { key: 'k0' })
  it.publish('a', 7, { key: 'k1' })
  const came = [...client.pipe.arrive(), ...drain(client)]
  t.same(came.map(bodyValue), [3, 5, 6, 7])
  await it.hub.close()
})

test('drop-oldest: keeps the newest, and tells which paths lost something, once', async (t) => {
  const { it, client } = setUp('drop-oldest', 10 * SIZE)
  for (let i = 0; i < 5; i++) {
    it.count('a', 10, 100)
    it.hub.outlet.flush()
  }
  it.count('a/quiet', 1, 100)
  t.ok(it.hub.budget.used <= 10 * SIZE)
  const came = drain(client)
  const offsets = offsetsOf(came)
  t.equal(offsets.at(-1), 51)
  t.ok(offsets.length >= 8 && offsets.length <= 10, `${offsets.length} came`)
  t.same(
    offsets,
    [...offsets].sort((a, b) => a - b),
  )
  const epoch = it.hub.engine.epoch
  const first = offsets[0] as number
  t.equal(came[0]?.path, GAP, 'in front of what is left')
  t.same(gapsOf(came), [
    { patterns: ['a'], after: `${epoch}-0`, at: `${epoch}-${first - 1}`, reason: 'dropped' },
  ])
  it.count('a', 1)
  t.same(
    client.take().map(({ path }) => path),
    ['a'],
  )
  await it.hub.close()
})

test('drop-oldest: what waits on a path of another policy does not go', async (t) => {
  const { it } = setUp('drop-oldest', 10 * SIZE)
  const client = it.subscriber('**')
  client.pipe.capacity = 0
  it.count('a', 4, 100)
  it.count('kept', 3, 100)
  it.count('a', 20, 100)
  t.ok(it.hub.budget.used <= 10 * SIZE, `${it.hub.budget.used} bytes wait`)
  const came = drain(client)
  const kept = came.filter(({ path }) => path === 'kept')
  t.same(offsetsOf(kept), [5, 6, 7])
  t.ok(gapsOf(came).every(({ patterns }) => patterns.join() === 'a'))
  const [gap] = gapsOf(came)
  const until = parsePosition(gap?.at ?? '')?.offset ?? 0
  const missing = Array.from({ length: 27 }, (_, i) => i + 1).filter(
    (offset) => !offsetsOf(came).includes(offset),
  )
  t.same(missing, [1, 2, 3, 4], 'the oldest went')
  t.equal(until, 4, 'and the gap is about those')
  await it.hub.close()
})

test('drop-oldest: who is cut off before it heard of it gets it from history instead', async (t) => {
  const { it, client } = setUp('drop-oldest', 10 * SIZE)
  const after = it.hub.position
  it.count('a', 50, 100)
  client.pipe.cut()
  client.resume({}, { after })
  const came = client.take()
  t.same(
    offsetsOf(came),
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  t.same(gapsOf(came), [], 'nothing is lost')
  await it.hub.close()
})

test('disconnect: the client is sent away with a time to come back at, and then misses nothing', async (t) => {
  const { it, client } = setUp('disconnect', 10 * SIZE)
  it.count('a', 50, 100)
  t.match(client.pipe.farewell, { reason: 'slow', retryAfter: 1_000 })
  t.notOk(client.session.attached)
  t.notOk(client.session.ended)
  t.equal(it.hub.budget.used, 0)
  client.resume({}, { after: `${it.hub.engine.epoch}-0` })
  t.same(
    offsetsOf(client.take()),
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  await it.hub.close()
})

test('disconnect: control that is known not to have arrived waits for the client', async (t) => {
  const { it } = setUp('disconnect', 10 * SIZE)
  const client = it.subscriber('a/**', { confirms: true })
  client.session.tell('::error', { code: 'LOST' })
  it.hub.outlet.flush()
  client.pipe.capacity = 0
  it.count('a', 50, 100)
  t.match(client.pipe.farewell, { reason: 'slow' })
  client.resume({}, { after: `${it.hub.engine.epoch}-0` })
  const came = client.take()
  t.same(
    came.filter(({ path }) => path === '::error').map((update) => bodyValue(update)),
    [{ code: 'LOST' }],
  )
  t.equal(offsetsOf(came).length, 50)
  await it.hub.close()
})

test('a client that much waits for can be given a transport', async (t) => {
  const { it, client } = setUp('conflate', 1e9, { limits: { outbox: 1e9 } })
  const { budget } = it.hub
  for (let i = 0; i < 200_000; i++) client.session.tell('::error', i)
  client.pipe.cut()
  const waiting = budget.used
  client.resume({ capacity: 0 })
  t.ok(budget.used > waiting, 'a hello, in front of all the rest')
  await it.hub.close()
})

test('the first pattern that matches says the policy, and what none matches catches up', async (t) => {
  const { hub } = new HubUnderTest({
    session: {
      policies: [
        { path: 'a/b', policy: 'disconnect' },
        { path: 'a/**', policy: 'conflate' },
        { path: '**', policy: 'drop-oldest' },
      ],
    },
  })
  t.same(
    ['a/b', 'a/c', 'b', '::c'].map((path) => hub.policyOf(path)),
    ['disconnect', 'conflate', 'drop-oldest', 'catch-up'],
  )
  await hub.close()
})

test('control that fills the outbox, which history does not have, ends the session', async (t) => {
  const { it, client } = setUp('catch-up', 5_000)
  for (let i = 0; i < 100; i++) client.session.tell('::error', { code: 'X'.repeat(100) })
  t.ok(client.session.ended)
  t.match(client.pipe.farewell, { reason: 'slow' })
  t.equal(it.hub.budget.used, 0)
  t.equal(it.hub.sessions.size, 0)
  await it.hub.close()
})

test('a detached session holds its control updates only', async (t) => {
  const { it, client } = setUp('catch-up', 1e6)
  it.count('a', 20, 100)
  client.pipe.cut()
  t.equal(it.hub.budget.used, 0)
  it.count('a', 1_000, 100)
  t.equal(it.hub.budget.used, 0)
  await it.hub.close()
})

test('the process budget counts an update once, however many wait for it', async (t) => {
  const it = new HubUnderTest()
  const clients = Array.from({ length: 50 }, () => it.subscriber('a'))
  for (const client of clients) client.pipe.capacity = 0
  it.count('a', 10, 100)
  const { size } = new MadeUpdate('a', jsonMessage(`1 ${'x'.repeat(100)}`))
  t.equal(it.hub.budget.used, 9 * size + size + 1)
  for (const client of clients.slice(1)) drain(client)
  t.equal(it.hub.budget.used, 10 * size + 1, 'as long as one of them waits')
  drain(clients[0] as Client)
  t.equal(it.hub.budget.used, 0)
  await it.hub.close()
})

test('at the budget of the process everybody is left to history, and nobody loses anything', async (t) => {
  const it = new HubUnderTest({ limits: { outbox: 20 * SIZE } })
  const clients = Array.from({ length: 20 }, (_, i) => it.subscriber(`a/${i}`))
  for (const client of clients) client.pipe.capacity = 0
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 20; i++) it.publish(`a/${i}`, `${round} ${'x'.repeat(100)}`)
    t.ok(it.hub.budget.used <= 21 * SIZE, `${it.hub.budget.used} bytes wait`)
  }
  for (const client of clients) {
    const came = drain(client)
    t.equal(came.filter(({ offset }) => offset > 0).length, 10)
    t.same(gapsOf(came), [])
  }
  await it.hub.close()
})

test('a session that ends while updates are on their way to it leaves nothing in the budget', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  const view = it.subscriber('a', { view: true })
  it.hub.subscribe('cause', () => {
    it.hub.publish('a', 'on its way')
    client.session.end()
    view.pipe.cut()
    it.hub.publish('a', 'as well')
  })
  it.hub.publish('cause', 1)
  t.ok(client.session.ended)
  t.ok(view.session.ended)
  t.equal(it.hub.budget.used, 0)
  await it.hub.close()
})

test('a transport that throws is let go of, and hinders nobody', async (t) => {
  const it = new HubUnderTest()
  const clients = [it.subscriber('a'), it.subscriber('a'), it.subscriber('a')]
  const [first, broken, last] = clients as [Client, Client, Client]
  broken.pipe.onSend = () => {
    throw new Error('broken')
  }
  it.count('a', 1)
  it.hub.outlet.flush()
  t.same(offsetsOf(first.pipe.arrive()), [1])
  t.same(offsetsOf(last.pipe.arrive()), [1])
  t.notOk(broken.session.attached)
  t.equal(it.hub.counters.thrown, 1)
  broken.resume({}, { after: `${it.hub.engine.epoch}-0` })
  t.same(offsetsOf(broken.take()), [1], 'and it misses nothing')
  await it.hub.close()
})

test('one flush brings each session one batch of all that the turn brought', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a/**')
  const batches: number[] = []
  client.pipe.onSend = (updates) => batches.push(updates.length)
  for (let i = 0; i < 20; i++) it.count(`a/${i}`, 1)
  await new Promise(setImmediate)
  t.same(batches, [20])
  await it.hub.close()
})
