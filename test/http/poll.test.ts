/** Long polls in the Roots form (DB-16 to DB-19, OR-06), and the acceptance scenarios of the system that had them. */
import { FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import type { Polled } from './clients.ts'
import { anyClient, PollClient, poll, Upstream } from './clients.ts'
import type { Stand } from './support.ts'
import {
  call,
  eventually,
  grant,
  pause,
  publish,
  StreamClient,
  serve,
  WsClient,
  within,
} from './support.ts'

const AT_ONCE = { bundle: 0, hold: 10_000, expire: 10_000 }

async function batch(stand: Stand, ...frames: object[]): Promise<void> {
  const answer = await call(stand, '/update', { body: JSON.stringify(frames) })
  if (answer.status !== 200) throw new Error(answer.text)
}

function plain({ updates }: Polled): unknown[] {
  return updates.filter(({ path }) => !path.startsWith('::')).map(({ message }) => message)
}

function number({ reconnectWith }: Polled): number {
  return Number(reconnectWith.split('/')[1])
}

test('scenario 1: the first poll answers at once with an id of three parts', async (t) => {
  const stand = await serve(t)
  const raw = await call(stand, '/poll')
  t.equal(raw.headers['content-type'], 'application/json')
  t.ok(raw.text.endsWith('\r\n\r\n'), 'DB-17: two line ends close it')
  t.match(raw.json, {
    updates: [],
    id: /^hub-[^-]+-\d+$/,
    reconnectWith: /^[A-Za-z0-9_-]{20,}\/0$/,
  })
  t.notOk(raw.json.reconnectWith.includes(raw.json.id), 'knowing an id is not owning the session')
  const named = await poll(stand, '/poll?path=a&path=b/*')
  t.same(
    named.updates.map(({ path, message }) => [path, message.pattern]),
    [
      ['::connected', 'a'],
      ['::connected', 'b/*'],
    ],
  )
  t.equal(number(named), 2)
  const mixed = await poll(stand, '/poll?path=a&path=a//b')
  t.match(mixed.updates, [
    { path: '::connected', message: { pattern: 'a' } },
    { path: '::error', message: { code: 'PATTERN_INVALID', pattern: 'a//b' } },
  ])
  t.equal((await call(stand, '/poll?path=a//b')).status, 400)
})

test('scenarios 2 and 3: the back end subscribes; what comes within the bundle time is one answer', async (t) => {
  const stand = await serve(t, { http: { poll: { ...AT_ONCE, bundle: 250 } } })
  const first = await poll(stand, '/poll')
  await batch(stand, { path: '::connect', message: `${first.id}->my/data` })
  const second = await poll(stand, `/poll/${first.reconnectWith}`)
  t.match(second.updates, [{ path: '::connected', message: { pattern: 'my/data' } }])
  const waiting = poll(stand, `/poll/${second.reconnectWith}`)
  await pause(30)
  const since = performance.now()
  await batch(stand, { path: 'my/data', message: '1' }, { path: 'my/data', message: '2' })
  await pause(50)
  await batch(stand, { path: 'my/data', message: '3' })
  const third = await waiting
  const took = performance.now() - since
  t.same(plain(third), ['1', '2', '3'])
  t.ok(took >= 245 && took < 600, `${took} ms`)
  t.equal(number(third), number(second) + 3)
  t.match(third.updates[0], { path: 'my/data', message: '1', at: /-1$/ })
  t.match(third.at, /-3$/)
})

test('scenario 4: a confirmed number repeats nothing, an old one loses nothing', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE } })
  const first = await poll(stand, '/poll?path=a')
  for (const i of [1, 2, 3]) await publish(stand, 'a', i)
  const second = await poll(stand, `/poll/${first.reconnectWith}`)
  t.same(plain(second), [1, 2, 3])
  for (let repeat = 0; repeat < 3; repeat++) {
    const again = await poll(stand, `/poll/${first.reconnectWith}`)
    t.same(plain(again), [1, 2, 3], 'the answer was lost: it comes again')
    t.equal(number(again), number(second))
  }
  await publish(stand, 'a', 4)
  const third = await poll(stand, `/poll/${second.reconnectWith}`)
  t.same(plain(third), [4])
  await publish(stand, 'a', 5)
  const old = await poll(stand, `/poll/${first.reconnectWith}`)
  t.same(plain(old), [4, 5], 'what was confirmed stays so, what was not comes')
  const token = first.reconnectWith.split('/')[0]
  const part = await poll(stand, `/poll/${token}/${number(third)}`)
  t.same(plain(part), [5])
  await publish(stand, 'a', 6)
  t.same(
    plain(await poll(stand, `/poll/${token}/99999`)),
    [5, 6],
    'a number that was never told confirms nothing',
  )
  for (const wrong of ['x', '-1', '', '1.5', '1e3', '9'.repeat(30)]) {
    const answer = await call(stand, `/poll/${token}/${wrong}`)
    t.equal(answer.status, 400, wrong)
    t.equal(answer.json.code, 'POLL_NUMBER_INVALID')
  }
  t.equal((await call(stand, `/poll/${token}`)).status, 400)
})

test('scenario 5: without news a poll ends empty; without a poll the session ends and ::gone tells it', async (t) => {
  const stand = await serve(t, { http: { poll: { bundle: 20, hold: 100, expire: 150 } } })
  const gone: unknown[] = []
  stand.hub.subscribe('::gone', (message) => gone.push(message.body))
  const first = await poll(stand, '/poll?path=my/data')
  const since = performance.now()
  const empty = await poll(stand, `/poll/${first.reconnectWith}`)
  const held = performance.now() - since
  t.same(empty.updates, [])
  t.ok(held >= 98 && held < 400, `${held} ms`)
  t.equal(empty.reconnectWith, first.reconnectWith)
  t.equal((await publish(stand, 'my/data', 1)).matched, 1, 'between polls it is subscribed')
  await eventually(() => gone.length === 1, '::gone')
  t.same(gone, [JSON.stringify(first.id)])
  t.equal((await publish(stand, 'my/data', 1)).matched, 0)
  t.equal((await grant(stand, first.id, 'a')).status, 404)
  const dead = await poll(stand, `/poll/${empty.reconnectWith}`)
  t.not(dead.id, first.id, 'a new id shows that the old one is gone')
  t.same(dead.updates, [])
  t.equal(number(dead), 0)
  const resubscribed = await poll(stand, `/poll/${first.reconnectWith}?path=my/data`)
  t.match(resubscribed.updates, [{ path: '::connected' }])
})

test('four hundred dead sessions leave nothing behind', async (t) => {
  const stand = await serve(t, { http: { poll: { bundle: 0, hold: 50, expire: 60 } } })
  for (let i = 0; i < 20; i++)
    await Promise.all(Array.from({ length: 20 }, () => poll(stand, '/poll?path=a')))
  await eventually(() => stand.hub.sessions.size === 0, 'all ended')
  for (let i = 0; i < 100; i++) t.equal((await publish(stand, 'a', i)).matched, 0)
  t.equal(stand.hub.budget.used, 0)
})

test('scenario 8: disconnect is told and nothing comes after it', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE } })
  const first = await poll(stand, '/poll?path=a')
  await batch(stand, { path: '::disconnect', message: `${first.id}->a` }, { path: 'a', message: 1 })
  const second = await poll(stand, `/poll/${first.reconnectWith}`)
  t.match(second.updates, [{ path: '::disconnected', message: { pattern: 'a' } }])
  t.equal(second.updates.length, 1)
})

test('a second poll ends the first with an empty answer, and loses nothing', async (t) => {
  const stand = await serve(t, { http: { poll: { ...AT_ONCE, bundle: 150 } } })
  const first = await poll(stand, '/poll?path=a')
  const waiting = poll(stand, `/poll/${first.reconnectWith}`)
  await pause(30)
  const second = poll(stand, `/poll/${first.reconnectWith}`)
  const ended = await within(waiting, 'the first', 120)
  t.same(ended.updates, [])
  t.equal(ended.reconnectWith, first.reconnectWith)
  await publish(stand, 'a', 1)
  await pause(20)
  // the second collects news; a third takes its place
  const third = poll(stand, `/poll/${first.reconnectWith}`)
  const bundling = await within(second, 'the second', 120)
  t.same(bundling.updates, [], 'also while it collects')
  t.equal(bundling.reconnectWith, first.reconnectWith, 'so nothing counts as given')
  t.not(bundling.at, undefined)
  t.ok(offset(bundling.at) < offset((await third).at), 'its position is one from before the news')
  t.same(plain(await third), [1])
  const next = await poll(stand, `/poll/${bundling.reconnectWith}`)
  t.same(plain(next), [1])
})

test('a poll that is cut off loses nothing; the next one gets it at once', async (t) => {
  const stand = await serve(t, { http: { poll: { ...AT_ONCE, bundle: 50 } } })
  const first = await poll(stand, '/poll?path=a')
  const cut = new PollClient(stand)
  await cut.start(first.reconnectWith)
  await pause(20)
  cut.stop()
  await pause(20)
  await publish(stand, 'a', 1)
  const since = performance.now()
  const next = await poll(stand, `/poll/${first.reconnectWith}`)
  t.same(plain(next), [1])
  t.ok(performance.now() - since < 200, 'what was queued while away is sent at once')
})

test('the position of an answer is one that everything before it was given for', async (t) => {
  const clock = new FakeClock(1_000)
  const stand = await serve(t, { hub: { clock }, http: { poll: { ...AT_ONCE, hold: 100 } } })
  const first = await poll(stand, '/poll?path=a')
  const waiting = poll(stand, `/poll/${first.reconnectWith}`)
  await eventually(() => clock.untilNext !== undefined, 'it waits')
  await pause(30)
  stand.hub.publish('a', 1)
  // the time is up in the turn of the publication, before anything was sent
  clock.advance(120)
  const answer = await waiting
  t.same(plain(answer), [1])
  t.equal(offset(answer.at), 1)
})

test('pings come where the heartbeat is well within the hold, and move the cursor', async (t) => {
  const stand = await serve(t, {
    hub: { heartbeat: { interval: 50, timeout: 50 } },
    http: { poll: AT_ONCE },
  })
  const first = await poll(stand, '/poll?path=a')
  await publish(stand, 'elsewhere', 1)
  const ping = await poll(stand, `/poll/${first.reconnectWith}`)
  t.match(ping.updates, [{ path: '::ping', message: {}, at: /-1$/ }])
  t.match(ping.at, /-1$/)
})

test('control updates are in the list: problems, gaps, questions, bye', async (t) => {
  const stand = await serve(t, {
    hub: { public: ['a'] },
    http: { dev: false, keys: ['k'], poll: AT_ONCE },
  })
  const first = await poll(stand, '/poll?path=a&path=secret')
  t.same(first.updates.map(({ path }) => path).sort(), ['::connected', '::error'])
  const gap = await poll(stand, '/poll?path=a&after=0123456789abcdef-7')
  t.match(
    gap.updates.find(({ path }) => path === '::gap'),
    { message: { reason: 'restart', patterns: ['a'] } },
  )
  const waiting = poll(stand, `/poll/${first.reconnectWith}`)
  await pause(30)
  void stand.server.drain()
  const bye = await waiting
  t.match(bye.updates.at(-1), { path: '::bye', message: { reason: 'drain' } })
})

test('a poll that brings a credential goes on with its rights, one without keeps those of the session', async (t) => {
  const stand = await serve(t, {
    hub: { public: ['news/**'] },
    http: { dev: false, keys: ['k'], poll: AT_ONCE },
  })
  const first = await poll(stand, '/poll?path=news/1')
  const asAnyone = await poll(stand, `/poll/${first.reconnectWith}?path=private/1`)
  t.match(asAnyone.updates, [{ path: '::error', message: { code: 'NOT_ALLOWED' } }])
  const withKey = await poll(stand, `/poll/${asAnyone.reconnectWith}?path=private/1&token=k`)
  t.match(withKey.updates, [{ path: '::connected', message: { pattern: 'private/1' } }])
  const after = await poll(stand, `/poll/${withKey.reconnectWith}?path=private/2`)
  t.match(after.updates, [{ path: '::connected', message: { pattern: 'private/2' } }])
  t.equal(after.id, first.id)
})

test('limits: a full hub and a draining one answer 503 with Retry-After', async (t) => {
  const stand = await serve(t, { hub: { limits: { sessions: 1 } }, http: { poll: AT_ONCE } })
  const first = await poll(stand, '/poll')
  for (const target of ['/poll', '/poll/unknown/0']) {
    const full = await call(stand, target)
    t.equal(full.status, 503)
    t.equal(full.json.code, 'LIMIT_SESSIONS')
    t.ok(full.headers['retry-after'])
  }
  t.same(
    (await call(stand, '/client')).json.map(({ id }: { id: string }) => id),
    [first.id],
  )
  stand.hub.drain()
  for (const target of ['/poll', `/poll/${first.reconnectWith}`]) {
    const draining = await call(stand, target)
    t.equal(draining.status, 503, target)
    t.equal(draining.json.code, 'DRAINING')
  }
})

test('limits.patterns holds for what a session follows in all, however it asks', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE }, hub: { limits: { patterns: 2 } } })
  const first = await poll(stand, '/poll?path=a')
  const second = await poll(stand, `/poll/${first.reconnectWith}?path=b&path=c`)
  t.same(
    second.updates.map(({ path, message }) => [path, message.pattern, message.code]),
    [
      ['::connected', 'b', undefined],
      ['::error', 'c', 'LIMIT_PATTERNS'],
    ],
  )
  const token = second.reconnectWith.split('/')[0] ?? ''
  const stream = await StreamClient.open(stand, `/events/${token}?path=d&path=a`)
  await stream.frames.find(({ message }) => message.code === 'LIMIT_PATTERNS')
  const [session] = stand.hub.sessions
  t.same([...(session?.patterns.keys() ?? [])], ['a', 'b'])
  stream.close()
})

test('more than fits into one answer comes in several, in order', async (t) => {
  const stand = await serve(t, { hub: { session: { outbox: 100_000 } }, http: { poll: AT_ONCE } })
  let last = await poll(stand, '/poll?path=a')
  for (let i = 0; i < 400; i++) stand.hub.publish('a', { i, x: 'x'.repeat(1_000) })
  const got: number[] = []
  while (got.length < 400) {
    last = await poll(stand, `/poll/${last.reconnectWith}`)
    for (const { i } of plain(last) as { i: number }[]) got.push(i)
    t.ok(JSON.stringify(last).length < 200_000)
  }
  t.same(
    got,
    Array.from({ length: 400 }, (_, i) => i),
  )
})

test('a first poll with a position brings what was missed at once', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE } })
  const before = await publish(stand, 'a', 0)
  for (const i of [1, 2]) await publish(stand, 'a', i)
  const first = await poll(stand, `/poll?path=a&after=${before.at}`)
  t.same(plain(first), [1, 2])
  t.ok(first.updates.filter(({ path }) => path === 'a').every(({ replay }) => replay === true))
})

test('a client that polls, or reads a stream, can say its name and be asked by it', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE } })
  for (const kind of ['sse', 'poll'] as const) {
    const client = await anyClient(stand, kind)
    await client.send({ path: '::hello', message: { version: 1, name: kind } })
    const asked = call(stand, `/client/${kind}/x`)
    const question = await client.frames.find(({ path }) => path === `@${kind}/x`)
    await client.send({ path: '::reply', reply: question.reply, message: kind })
    t.equal((await asked).json, kind)
    await client.send({ path: '::hello', message: { version: 1, name: 'hub' } })
    const error = await client.frames.find(({ path }) => path === '::error')
    t.match(error.message.code, /^NAME_/)
    client.cut()
  }
})

test('upstream and polls make a whole client, scenario 13', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE } })
  const [one, two] = [new PollClient(stand), new PollClient(stand)]
  await one.start()
  await two.start()
  const up = new Upstream(stand, one.token)
  await up.send([{ path: '::connect', message: 'chat' }])
  await one.frames.find(({ path }) => path === '::connected')
  await new Upstream(stand, two.token).send([{ path: 'chat', message: 'hello', reply: 'r' }])
  t.match(await one.frames.find(({ path }) => path === 'chat'), {
    message: 'hello',
    origin: two.id,
  })
  t.match(await two.frames.find(({ path }) => path === '::reply'), {
    reply: 'r',
    message: { matched: 1 },
  })
  one.stop()
  two.stop()
})

test('a move to another transport and back, with the old number', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE } })
  const first = await poll(stand, '/poll?path=a')
  const token = first.reconnectWith.split('/')[0] as string
  await publish(stand, 'a', 1)
  const second = await poll(stand, `/poll/${first.reconnectWith}`)
  await publish(stand, 'a', 2)
  const stream = await StreamClient.open(stand, `/events/${token}?after=${second.at}`)
  await stream.path('a')
  const at = stream.frames.all.at(-1)?.at
  await publish(stand, 'a', 3)
  await stream.frames.count(2, ({ path }) => path === 'a')
  stream.close()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
  const back = await poll(stand, `/poll/${second.reconnectWith}?after=${at}`)
  t.same(plain(back), [3])
  const once = await poll(stand, `/poll/${back.reconnectWith.split('/')[0]}/0`)
  t.same(plain(once), [3], 'a number from before the move loses nothing')
  const late = await poll(stand, `/poll/${second.reconnectWith}`)
  t.same(plain(late), [3], 'nor does the one that was told before it')
  const socket = new WsClient(stand)
  await socket.hello({ resume: token, after: back.at })
  await publish(stand, 'a', 4)
  await socket.path('a')
  t.same(
    socket.frames.all.filter(({ path }) => path === 'a').map(({ message }) => message),
    [4],
  )
})

test('a poll that waits while the session goes elsewhere ends empty', async (t) => {
  const stand = await serve(t, { http: { poll: AT_ONCE } })
  const first = await poll(stand, '/poll?path=a')
  const waiting = poll(stand, `/poll/${first.reconnectWith}`)
  await pause(30)
  const socket = new WsClient(stand)
  await socket.hello({ resume: first.reconnectWith.split('/')[0] })
  t.same((await waiting).updates, [])
  socket.socket.close()
})

function offset(at: string): number {
  return Number(at.split('-')[1]?.split('.')[0])
}
