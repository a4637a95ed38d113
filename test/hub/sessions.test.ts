/** Sessions that come, come back and go: hello and resume, limits, heartbeats, the end of the hub. */
import { ANYONE, CONNECTED, jsonMessage } from '@sapwood/core'
import { HELLO, HUB_DEFAULTS, hub, PING } from '@sapwood/hub'
import { RecordingComponent } from '@sapwood/testkit'
import { test } from 'tap'
import { HubUnderTest } from './hub-under-test.ts'

test('hello says who the client is, how to come back, and what it has', async (t) => {
  const it = new HubUnderTest({ heartbeat: { interval: 7_000 } })
  it.count('a', 3)
  const client = it.client()
  const [hello] = client.values(HELLO)
  t.same(hello, {
    id: client.session.id,
    resume: client.session.secret,
    version: 1,
    heartbeat: 7_000,
    at: it.hub.position,
    patterns: [],
    resumed: false,
  })
  t.match(client.session.id, /^hub-[0-9A-Za-z]{32}-[0-9]+$/)
  t.not(client.session.id, client.session.secret)
  it.connect(client, 'a "quoted"\u2028')
  client.take()
  client.resume()
  t.match(client.values(HELLO), [{ resumed: true, patterns: ['a "quoted"\u2028'] }])
  await it.hub.close()
})

test('a resume replaces the former connection, whose end then means nothing', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  const former = client.pipe
  client.resume()
  t.match(former.farewell, { reason: 'replaced' })
  former.cut(true)
  t.ok(client.session.attached)
  it.publish('a', 1)
  t.same(client.values('a'), [1])
  t.equal(it.hub.counters.resumed, 1)
  await it.hub.close()
})

test('control that was not sent follows the hello of a resume, once', async (t) => {
  for (const confirms of [false, true]) {
    const it = new HubUnderTest()
    const client = it.client({ confirms })
    client.take()
    it.connect(client, 'a')
    it.hub.outlet.flush()
    it.connect(client, 'b')
    client.session.tell(PING, {})
    client.resume({ confirms })
    const came = client.paths()
    const connected = came.filter((path) => path === CONNECTED).length
    t.equal(connected, confirms ? 2 : 1, 'what a transport knows not to have arrived as well')
    t.same([came[0], came.at(-1)], [HELLO, '::resumed'])
    t.notOk(came.includes(PING))
    await it.hub.close()
  }
})

test('a secret works until the client has used its successor', async (t) => {
  const it = new HubUnderTest()
  const { sessions } = it.hub
  const { session } = it.client()
  const first = session.secret
  sessions.rotate(session, first)
  const second = session.secret
  t.not(first, second)
  t.equal(sessions.find(first), session)
  t.equal(sessions.find(second), session)
  sessions.rotate(session, first)
  const third = session.secret
  t.equal(sessions.find(first), session, 'who never heard of the second comes back with the first')
  t.equal(sessions.find(second), undefined)
  sessions.rotate(session, third)
  t.equal(sessions.find(first), undefined)
  t.equal(sessions.find(third), session)
  sessions.forgetFormer(session)
  t.equal(sessions.find(third), undefined)
  t.equal(sessions.find(session.secret), session)
  session.end()
  t.equal(sessions.find(session.secret), undefined)
  await it.hub.close()
})

test('so many clients, and so many of one address, and no more', async (t) => {
  const it = new HubUnderTest({ limits: { sessions: 3, sessionsPerAddress: 2 } })
  const { sessions } = it.hub
  const one = it.client({ address: '10.0.0.1' })
  it.client({ address: '10.0.0.1' })
  t.match(sessions.full('10.0.0.1'), { code: 'LIMIT_SESSIONS_PER_ADDRESS', status: 503 })
  t.equal(sessions.full('10.0.0.2'), undefined)
  it.client({ address: '10.0.0.2' })
  t.match(sessions.full('10.0.0.2'), { code: 'LIMIT_SESSIONS', status: 503 })
  one.session.end()
  t.equal(sessions.full('10.0.0.1'), undefined)
  await it.hub.close()
})

test('a quiet client gets a ping that moves its cursor, a busy one needs none', async (t) => {
  const it = new HubUnderTest({ heartbeat: { interval: 1_000, timeout: 400 } })
  const quiet = it.subscriber('a')
  const busy = it.subscriber('b')
  for (let i = 0; i < 10; i++) {
    it.publish('b', i)
    it.hub.outlet.flush()
    it.clock.advance(300)
  }
  it.clock.advance(400)
  const pings = quiet.take()
  t.ok(pings.length >= 2 && pings.every(({ path }) => path === PING), `${pings.length} pings`)
  t.equal(pings.at(-1)?.at, `${it.hub.engine.epoch}-10`)
  t.notOk(busy.paths().includes(PING))
  const [no] = [it.client({ pings: false })]
  no.take()
  it.clock.advance(5_000)
  t.same(no.take(), [], 'nor one whose transport has no use for it')
  await it.hub.close()
})

test('a dead peer is dropped after the interval and the timeout, an alive one never', async (t) => {
  const it = new HubUnderTest({ heartbeat: { interval: 1_000, timeout: 400 } })
  const alive = it.subscriber('a', { alive: true })
  const dead = it.subscriber('a', { alive: false })
  const mute = it.subscriber('a')
  for (let i = 0; i < 13; i++) {
    it.clock.advance(100)
    it.hub.outlet.flush()
  }
  t.ok(dead.session.attached)
  it.clock.advance(200)
  t.notOk(dead.session.attached)
  t.match(dead.pipe.farewell, { reason: 'dead' })
  t.notOk(dead.session.ended, 'it may come back')
  for (let i = 0; i < 100; i++) {
    it.clock.advance(100)
    it.hub.outlet.flush()
  }
  t.ok(alive.session.attached)
  t.ok(mute.session.attached, 'one that cannot be asked is not missed')
  await it.hub.close()
})

test('a dead peer is found out also while it is sent something all the time', async (t) => {
  const it = new HubUnderTest({ heartbeat: { interval: 1_000, timeout: 400 } })
  const dead = it.subscriber('a', { alive: false })
  const alive = it.subscriber('a', { alive: true })
  for (let i = 0; i < 20; i++) {
    it.publish('a', i)
    it.hub.outlet.flush()
    it.clock.advance(100)
  }
  t.notOk(dead.session.attached)
  t.ok(alive.session.attached)
  t.ok(alive.pipe.probes <= 2, 'one question per interval')
  await it.hub.close()
})

test('a client that takes nothing any more is dropped, one that is slow is not', async (t) => {
  const it = new HubUnderTest({ heartbeat: { interval: 1_000, timeout: 400 } })
  const stuck = it.subscriber('a')
  const slow = it.subscriber('a')
  for (const { pipe } of [stuck, slow]) pipe.capacity = 300
  for (let i = 0; i < 30; i++) {
    it.publish('a', 'x'.repeat(200))
    it.hub.outlet.flush()
    if (i % 3 === 0) slow.pipe.arrive()
    it.clock.advance(100)
  }
  t.notOk(stuck.session.attached)
  t.ok(slow.session.attached)
  await it.hub.close()
})

test('a sign of life puts off the question for one', async (t) => {
  const it = new HubUnderTest({ heartbeat: { interval: 1_000, timeout: 400 } })
  const client = it.subscriber('a', { alive: true })
  for (let i = 0; i < 30; i++) {
    client.session.seen()
    it.publish('a', i)
    it.hub.outlet.flush()
    it.clock.advance(100)
  }
  t.equal(client.pipe.probes, 0)
  await it.hub.close()
})

test('a view ends with its connection, a session waits', async (t) => {
  const it = new HubUnderTest()
  const view = it.subscriber('a', { view: true })
  const session = it.subscriber('a')
  view.pipe.cut()
  session.pipe.cut()
  t.ok(view.session.ended)
  t.notOk(session.session.ended)
  t.equal(it.hub.sessions.size, 1)
  await it.hub.close()
})

test('a session that nobody attaches expires as well', async (t) => {
  const it = new HubUnderTest({ session: { expire: 1_000 } })
  const session = it.hub.open({ principal: ANYONE })
  it.clock.advance(1_100)
  t.ok(session.ended)
  t.equal(it.hub.sessions.size, 0)
  await it.hub.close()
})

test('drain sends everybody away, each at a time of its own, and sessions wait', async (t) => {
  const it = new HubUnderTest()
  const clients = Array.from({ length: 50 }, () => it.subscriber('a'))
  const view = it.subscriber('a', { view: true })
  t.notOk(it.hub.draining)
  it.hub.drain(1_000)
  t.ok(it.hub.draining)
  const times = new Set(clients.map(({ pipe }) => pipe.farewell?.retryAfter))
  t.ok(times.size > 10, 'they do not come all at once')
  for (const { pipe, session } of clients) {
    t.equal(pipe.farewell?.reason, 'drain')
    t.ok((pipe.farewell?.retryAfter ?? -1) >= 0 && (pipe.farewell?.retryAfter ?? 1_001) <= 1_000)
    t.notOk(session.attached || session.ended)
  }
  t.ok(view.session.ended)
  await it.hub.close()
})

test('close ends every session with a farewell, and leaves no timer', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  const away = it.subscriber('a')
  away.pipe.cut()
  it.hub.ask({ path: '@nobody/a', message: jsonMessage(1), timeout: 5_000 }, () => undefined)
  const stopped: string[] = []
  it.hub.controller.onStop(() => stopped.push('stopped'))
  await it.hub.close()
  t.match(client.pipe.farewell, { reason: 'closed', retryAfter: 1_000 })
  t.ok(client.session.ended && away.session.ended)
  t.equal(it.hub.sessions.size, 0)
  t.equal(it.clock.pending, 0)
  t.same(stopped, ['stopped'])
  t.same(client.take(), [])
  it.publish('a', 1)
  await it.hub.close()
  t.equal(it.clock.pending, 0)
  t.same(stopped, ['stopped'])
})

test('a hub ends as a whole, also where an asker and a hook throw, and tells what was first', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  it.hub.answer('one', new RecordingComponent())
  it.hub.ask({ path: '@one/a', message: jsonMessage(1), timeout: 5_000 }, () => {
    throw new Error('an asker threw')
  })
  it.hub.controller.onStop(() => {
    throw new Error('a hook threw')
  })
  await t.rejects(it.hub.close(), { message: 'an asker threw' })
  t.match(client.pipe.farewell, { reason: 'closed' })
  t.equal(it.hub.sessions.size, 0)
  t.equal(it.clock.pending, 0)
  await it.hub.close()
})

test('a hub with the clock of Node keeps no process alive after its end', async (t) => {
  const one = hub()
  const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  one.publish('a', 1)
  await one.close()
  const after = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  t.ok(after < before)
  t.same(one.all, HUB_DEFAULTS)
})

test('a session that has ended takes no transport', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  const timers = it.hub.wheel.pending
  client.session.end()
  client.resume()
  t.match(client.pipe.farewell, { reason: 'closed' })
  t.notOk(client.session.attached)
  t.equal(it.hub.wheel.pending, timers - 1)
  t.same(client.take(), [])
  await it.hub.close()
})
