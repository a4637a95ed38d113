/** Where a client stands in the log: replays, subscriptions from positions of their own, gaps, lost connections. */
import type { Update } from '@sapwood/core'
import { bodyValue, CONNECTED, isPlainPath } from '@sapwood/core'
import { GAP, HELLO, parsePosition, RESUMED } from '@sapwood/hub'
import { test } from 'tap'
import type { Client } from './hub-under-test.ts'
import { HubUnderTest, offsetsOf } from './hub-under-test.ts'

interface Gap {
  readonly patterns: string[]
  readonly after: string
  readonly at: string
  readonly reason: string
}

function gapsOf(updates: readonly Update[]): Gap[] {
  return updates.filter(({ path }) => path === GAP).map((update) => bodyValue(update) as Gap)
}

/** Comes back after the last of these, or the last of an earlier time. */
function resume(client: Client, seen: readonly Update[]): Update[] {
  client.pipe.cut()
  client.resume({}, { after: seen.at(-1)?.at ?? '' })
  return client.take()
}

function at(it: HubUnderTest, offset: number): string {
  return `${it.hub.engine.epoch}-${offset}`
}

test('in a plain life every position is that of the receipt', async (t) => {
  const it = new HubUnderTest()
  const client = it.client()
  const seen = client.take()
  it.connect(client, 'a/**')
  it.count('a/b', 2)
  seen.push(...client.take())
  it.count('b', 1)
  it.count('a', 1)
  seen.push(...client.take())
  t.same(
    seen.map(({ path, at }) => [path, at]),
    [
      [HELLO, at(it, 0)],
      [CONNECTED, at(it, 0)],
      ['a/b', at(it, 1)],
      ['a/b', at(it, 2)],
      ['a', at(it, 4)],
    ],
  )
  await it.hub.close()
})

test('a resume brings hello, what it is about to bring, and that', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a/**')
  it.count('a', 1)
  const seen = client.take()
  client.pipe.cut()
  it.count('a/b', 2)
  it.count('b', 3)
  client.resume({}, { after: seen.at(-1)?.at ?? '' })
  it.count('a', 1)
  const came = client.take()
  t.same(
    came.map(({ path, at }) => [path, at]),
    [
      [HELLO, at(it, 1)],
      [RESUMED, at(it, 1)],
      ['a/b', at(it, 2)],
      ['a/b', at(it, 3)],
      ['a', at(it, 7)],
    ],
  )
  t.same(bodyValue(came[1] as Update), { after: at(it, 1), until: at(it, 7), count: 3 })
  t.match(bodyValue(came[0] as Update), { resumed: true, patterns: ['a/**'], at: at(it, 1) })
  await it.hub.close()
})

test('without a position a resume begins where everything is known to have arrived', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a', { confirms: true })
  it.count('a', 5)
  it.hub.outlet.flush()
  client.pipe.arrive(3)
  client.resume()
  t.same(offsetsOf(client.take()), [4, 5])
  await it.hub.close()
})

test('a subscription from a position brings what was missed since, then what is new', async (t) => {
  const it = new HubUnderTest()
  it.count('a', 5)
  const client = it.client()
  it.connect(client, 'a', at(it, 2))
  it.count('a', 1)
  const came = client.take()
  t.same(
    came.map(({ path }) => path),
    [HELLO, CONNECTED, RESUMED, 'a', 'a', 'a', 'a'],
  )
  t.same(offsetsOf(came), [3, 4, 5, 6])
  t.equal(came[1]?.at, at(it, 2), 'confirmed at the position that it begins with')
  t.same(
    came.slice(3).map(({ at }) => parsePosition(at)?.offset),
    [3, 4, 5, 6],
  )
  await it.hub.close()
})

test('who joins from further back does not make the others come again', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('b')
  it.count('a', 5)
  it.count('b', 5)
  t.same(offsetsOf(client.take()), [6, 7, 8, 9, 10])
  it.connect(client, 'a', at(it, 2))
  it.count('b', 1)
  t.same(offsetsOf(client.take()), [3, 4, 5, 11])
  await it.hub.close()
})

test('what came because of another pattern is not missed and does not come again', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a/*')
  it.count('a/1', 3)
  it.count('a/1/x', 1)
  t.same(offsetsOf(client.take()), [1, 2, 3])
  it.connect(client, 'a/**', at(it, 0))
  t.same(offsetsOf(client.take()), [4])
  it.connect(client, 'a/*', at(it, 0))
  t.same(offsetsOf(client.take()), [], 'nor because of itself')
  await it.hub.close()
})

test('who was cut off before it heard of its subscription gets its replay all the same', async (t) => {
  for (const others of [[], ['b']]) {
    const it = new HubUnderTest()
    it.count('a', 5)
    const client = it.client()
    for (const pattern of others) it.connect(client, pattern)
    const seen = client.take()
    it.connect(client, 'a', at(it, 2))
    it.hub.outlet.flush()
    t.ok(client.pipe.under > 3, 'everything is on its way')
    t.same(offsetsOf(resume(client, seen)), [3, 4, 5])
    await it.hub.close()
  }
})

test('so does who asked for several, from different positions', async (t) => {
  const it = new HubUnderTest()
  for (let i = 0; i < 5; i++) {
    it.count('a', 1)
    it.count('b', 1)
    it.count('c', 1)
  }
  const client = it.subscriber('c')
  it.count('c', 1)
  const seen = client.take()
  it.connect(client, 'a', at(it, 9))
  it.connect(client, 'b', at(it, 3))
  it.hub.outlet.flush()
  t.same(offsetsOf(resume(client, seen)), [5, 8, 10, 11, 13, 14])
  await it.hub.close()
})

test('wherever it is cut, each of several replays comes once', async (t) => {
  for (let cut = 0; cut <= 24; cut++) {
    const it = new HubUnderTest()
    for (let i = 0; i < 6; i++) for (const path of ['a', 'b', 'c']) it.count(path, 1)
    const client = it.subscriber('c')
    it.count('c', 1)
    const seen = client.take()
    it.connect(client, 'a', at(it, 12))
    it.hub.outlet.flush()
    it.connect(client, 'b', at(it, 6))
    it.count('c', 1)
    it.hub.outlet.flush()
    seen.push(...client.pipe.arrive(cut))
    seen.push(...resume(client, seen))
    t.same(
      offsetsOf(seen).sort((x, y) => x - y),
      [8, 11, 13, 14, 16, 17, 19, 20],
      `cut after ${cut}`,
    )
    await it.hub.close()
  }
})

test('a gap that did not arrive is told again, one that did is not', async (t) => {
  const it = new HubUnderTest({ history: { pathCount: 3 } })
  const client = it.subscriber('a')
  it.connect(client, 'b')
  const seen = client.take()
  client.pipe.cut()
  it.count('b', 1)
  it.count('a', 10)
  it.count('b', 1)
  client.resume({}, { after: seen.at(-1)?.at ?? '' })
  it.hub.outlet.flush()
  const before = client.pipe.arrive(2)
  t.same(
    before.map(({ path }) => path),
    [HELLO, RESUMED],
  )
  const again = resume(client, before)
  t.same(gapsOf(again), [
    { patterns: ['a'], after: at(it, 0), at: again[2]?.at, reason: 'evicted' },
  ])
  t.same(offsetsOf(again), [1, 12])
  const rest = resume(client, again.slice(0, 4))
  t.same(gapsOf(rest), [])
  t.same(offsetsOf(rest), [12])
  await it.hub.close()
})

test('a position that nobody has told is a gap of everything, and says why', async (t) => {
  for (const [after, reason] of [
    ['nonsense', 'unknown'],
    ['ffffffffffffffff-1', 'restart'],
    ['EPOCH-99', 'unknown'],
  ] as const) {
    const it = new HubUnderTest()
    const client = it.subscriber('a')
    it.connect(client, 'b/*')
    it.count('a', 3)
    client.take()
    const text = after.replace('EPOCH', it.hub.engine.epoch)
    client.pipe.cut()
    client.resume({}, { after: text })
    it.hub.outlet.flush()
    const seen = client.pipe.arrive(1)
    const came = resume(client, seen)
    t.match(gapsOf(came), [{ patterns: ['a', 'b/*'], after: text, reason }], 'also a moment later')
    it.count('a', 1)
    t.same(offsetsOf(client.take()), [4])
    await it.hub.close()
  }
})

test('a subscription from a position that nobody has told is confirmed, then told as a gap', async (t) => {
  const it = new HubUnderTest()
  it.count('a', 3)
  const client = it.subscriber('b')
  it.connect(client, 'a', 'ffffffffffffffff-1')
  it.count('a', 1)
  const came = client.take()
  t.same(
    came.map(({ path }) => path),
    [CONNECTED, GAP, 'a'],
  )
  t.match(gapsOf(came), [{ patterns: ['a'], after: 'ffffffffffffffff-1', reason: 'restart' }])
  await it.hub.close()
})

test('a subscription from before the oldest is told as a gap of that pattern alone', async (t) => {
  const it = new HubUnderTest({ history: { count: 5 } })
  const client = it.subscriber('b')
  it.count('a', 20)
  it.count('b', 1)
  client.take()
  it.connect(client, 'a', at(it, 3))
  const came = client.take()
  t.match(gapsOf(came), [{ patterns: ['a'], after: at(it, 3), reason: 'evicted' }])
  it.count('a', 1)
  it.count('b', 1)
  t.same(offsetsOf(client.take()), [22, 23])
  await it.hub.close()
})

test('however often it subscribes from further back, what it may have missed is remembered or told', async (t) => {
  const it = new HubUnderTest()
  for (let i = 0; i < 40; i++) it.count(`p/${i}`, 1)
  const client = it.subscriber('b')
  const seen = client.take()
  const first = it.hub.position
  for (let i = 0; i < 40; i++) {
    it.connect(client, `p/${i}`, at(it, 0))
    it.hub.outlet.flush()
  }
  const came = client.pipe.arrive()
  t.equal(offsetsOf(came).length, 40)
  const last = resume(client, came)
  t.same(offsetsOf(last), [])
  t.same(gapsOf(last), [], 'who has seen the last has seen all')
  t.same(seen, [])
  client.pipe.cut()
  client.resume({}, { after: first })
  const gaps = gapsOf(client.take())
  t.equal(gaps.length, 1)
  t.equal(gaps[0]?.patterns.length, 41, 'who has not is told that nobody knows')
  await it.hub.close()
})

test('many subscriptions, each from further back than the one before, and none of them read', async (t) => {
  const it = new HubUnderTest()
  for (let i = 0; i < 40; i++) it.count(`p/${i}`, 1)
  const client = it.client({ capacity: 0 })
  for (let i = 39; i >= 0; i--) it.connect(client, `p/${i}`, at(it, i))
  client.pipe.capacity = Number.POSITIVE_INFINITY
  client.session.drained()
  const came = client.take()
  const told = gapsOf(came).flatMap(({ patterns }) => patterns)
  const got = came.filter(({ path }) => isPlainPath(path)).map(({ path }) => path)
  const all = Array.from({ length: 40 }, (_, i) => `p/${i}`)
  t.same([...told, ...got].sort(), [...all].sort(), 'each came, or was told as a gap')
  t.ok(got.length >= 16)
  await it.hub.close()
})

test('the positions of a view are plain: nobody comes back to it', async (t) => {
  const it = new HubUnderTest()
  it.count('a', 5)
  const view = it.client({ view: true })
  it.connect(view, 'a', at(it, 2))
  it.connect(view, 'b', at(it, 1))
  it.count('a', 1)
  const came = view.take()
  t.same(
    came.filter(({ offset }) => offset > 0).map(({ at }) => at),
    [3, 4, 5, 6].map((offset) => at(it, offset)),
  )
  t.ok(came.every(({ at }) => parsePosition(at)?.step === undefined))
  await it.hub.close()
})

test('a pattern that is dropped takes its replay and its gap with it', async (t) => {
  const it = new HubUnderTest()
  it.count('a', 5)
  it.count('b', 5)
  const client = it.subscriber('c')
  it.connect(client, 'a', at(it, 0))
  it.connect(client, 'b', at(it, 7))
  it.connect(client, 'd', 'nonsense')
  it.disconnect(client, 'a')
  it.disconnect(client, 'd')
  const came = client.take()
  t.same(offsetsOf(came), [8, 9, 10])
  t.same(gapsOf(came), [])
  await it.hub.close()
})

test('no receipt is ever missing: what was answered comes with the resume', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  const seen = client.take()
  const after = seen.at(-1)?.at ?? at(it, 0)
  it.count('a', 3)
  client.pipe.cut()
  it.count('a', 3)
  const told = it.backEnd
    .values('::receipt')
    .map((receipt) => (receipt as { at: string }).at)
    .slice(-6)
  client.resume({}, { after })
  const came = client.take().filter(({ path }) => path === 'a')
  t.same(
    came.map(({ at }) => at),
    told,
  )
  await it.hub.close()
})
