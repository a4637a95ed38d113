/** The hub as a whole: control by updates, receipts, sessions that come and go, heartbeats, the end. */
import type { Component, Message, Principal, Update } from '@sapwood/core'
import {
  ANYONE,
  BYTES_TYPE,
  bodyValue,
  CONNECT,
  CONNECTED,
  DISCONNECT,
  DISCONNECTED,
  GONE,
  jsonMessage,
  Mark,
  message,
  NO_ID,
  RECEIPT,
  SYSTEM,
  TEXT_TYPE,
} from '@sapwood/core'
import type { Engine, EngineEvents, Log, ReadRequest, ReadResult } from '@sapwood/hub'
import { BYE, ERROR, HELLO, HUB_DEFAULTS, hub, logger, PING, REPLY } from '@sapwood/hub'
import { RecordingComponent } from '@sapwood/testkit'
import { lineText } from '@sapwood/wire'
import { test } from 'tap'
import { HubUnderTest, offsetsOf } from './hub-under-test.ts'

interface Told {
  readonly id: string
  readonly at: string
  readonly matched: number
  readonly duplicate?: boolean
}

function receipts(component: RecordingComponent): Told[] {
  return component.values(RECEIPT) as Told[]
}

test('DB-07: `id->pattern` subscribes a client, and it is told at once', async (t) => {
  const it = new HubUnderTest()
  const client = it.client()
  t.same(client.paths(), [HELLO])
  it.hub.update(it.backEnd, CONNECT, message(`${client.session.id}->a/*`, TEXT_TYPE))
  t.same(client.lines(), [
    `${CONNECTED} ${JSON.stringify({ pattern: 'a/*', at: it.hub.position })}`,
  ])
  it.publish('a/b', { state: 'paid' })
  it.publish('a', 'elsewhere')
  t.same(client.lines(), ['a/b {"state":"paid"}'])
  await it.hub.close()
})

test('DB-07, DB-08: an unknown id and a wrong message are ignored, counted, and matched by nobody', async (t) => {
  const it = new HubUnderTest()
  for (const path of [CONNECT, DISCONNECT]) {
    for (const text of ['nobody->a', 'nonsense', 'a->b->c', '->', '']) {
      it.hub.update(it.backEnd, path, message(text, TEXT_TYPE))
    }
  }
  t.equal(it.hub.counters.ignored, 10)
  t.ok(receipts(it.backEnd).every(({ matched }) => matched === 0))
  await it.hub.close()
})

test('DB-08: `::disconnect` is told once, and nothing comes any more', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  it.disconnect(client, 'a')
  it.disconnect(client, 'a')
  it.publish('a', 1)
  t.same(client.paths(), [DISCONNECTED])
  await it.hub.close()
})

test('DB-09, W1: `::gone` after the end of a session, and nothing of it is left', async (t) => {
  const it = new HubUnderTest({ session: { expire: 10_000 } })
  const gone: unknown[] = []
  it.hub.subscribe(GONE, (said) => gone.push(bodyValue(said)))
  const client = it.subscriber('a')
  client.pipe.cut()
  it.clock.advance(9_900)
  t.same(gone, [])
  it.publish('a', 1)
  t.equal(receipts(it.backEnd).at(-1)?.matched, 1, 'one that may come back counts')
  it.clock.advance(200)
  t.same(gone, [client.session.id])
  t.ok(client.session.ended)
  it.publish('a', 1)
  t.equal(receipts(it.backEnd).at(-1)?.matched, 0)
  t.equal(it.hub.controller.get(client.session.id), undefined)
  t.equal(it.hub.dispatcher.patternsOf(client.session.id), undefined)
  t.equal(it.hub.sessions.find(client.session.secret), undefined)
  await it.hub.close()
})

test('W1: ten thousand clients that came and went leave nothing behind', async (t) => {
  const it = new HubUnderTest({
    session: { expire: 1_000 },
    limits: { sessionsPerAddress: 100_000 },
    rules: [{ who: 'anyone', may: ['answer'], path: '@shop/**' }],
  })
  const counts = () => ({
    sessions: it.hub.sessions.size,
    subscribers: it.hub.dispatcher.size,
    timers: it.hub.wheel.pending,
    budget: it.hub.budget.used,
    named: it.hub.controller.named('shop')?.size ?? 0,
    waiting: it.hub.directory.waiting,
    alarms: it.clock.pending,
  })
  it.clock.advance(100)
  const before = counts()
  const ids: string[] = []
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 100; i++) {
      const client = it.client({ address: `10.0.0.${i}`, view: i % 10 === 0 })
      ids.push(client.session.id)
      it.connect(client, `a/${i}`)
      it.connect(client, 'a/*')
      it.connect(client, 'b/**', `${it.hub.engine.epoch}-0`)
      it.hub.claim(client.session, 'shop')
      client.pipe.capacity = i % 3 === 0 ? 0 : 1e9
      it.hub.outlet.flush()
      client.pipe.cut(i % 2 === 0)
    }
    it.publish('a/1', round)
    it.clock.advance(1_500)
  }
  it.clock.advance(1_000)
  it.hub.outlet.flush()
  t.same(counts(), before)
  t.equal(new Set(ids).size, 10_000)
  t.ok(ids.every((id) => it.hub.controller.get(id) === undefined))
  t.equal(it.hub.counters.opened, 10_000)
  t.equal(it.hub.counters.ended, 10_000)
  await it.hub.close()
})

test('DB-10: who subscribes control paths sees control after it took effect', async (t) => {
  const it = new HubUnderTest()
  const seen: string[] = []
  for (const path of [CONNECT, DISCONNECT, GONE]) {
    it.hub.subscribe(path, (said, at, sender) => seen.push(`${at} ${bodyValue(said)} ${sender.id}`))
  }
  const client = it.subscriber('a')
  client.say(CONNECT, 'b')
  it.disconnect(client, 'a')
  client.session.end()
  const { id } = client.session
  t.same(seen, [
    `${CONNECT} ${id}->a back end`,
    `${CONNECT} ${id}->b ${id}`,
    `${DISCONNECT} ${id}->a back end`,
    `${GONE} ${id} hub`,
  ])
  await it.hub.close()
})

test('a receipt says where the update stands and how many it is for', async (t) => {
  const it = new HubUnderTest()
  const away = it.subscriber('a')
  away.pipe.cut()
  it.subscriber('a')
  it.subscriber('**')
  const stop = it.hub.subscribe('*', () => undefined)
  it.backEnd.take()
  it.publish('a', 1)
  it.publish('b', 1, { id: 'mine' })
  stop()
  it.publish('a', 1)
  const told = receipts(it.backEnd)
  t.same(
    told.map(({ at, matched }) => [at, matched]),
    [
      [`${it.hub.engine.epoch}-1`, 4],
      [`${it.hub.engine.epoch}-2`, 2],
      [`${it.hub.engine.epoch}-3`, 3],
    ],
  )
  t.equal(told[1]?.id, 'mine')
  t.equal(new Set(told.map(({ id }) => id)).size, 3)
  await it.hub.close()
})

test('a repeat of an id gets the first receipt and reaches nobody, within the window', async (t) => {
  const it = new HubUnderTest({ history: { age: 10_000 } })
  const client = it.subscriber('a')
  it.backEnd.take()
  it.publish('a', 1, { id: 'one' })
  it.subscriber('a')
  it.backEnd.take().length = 0
  it.publish('a', 2, { id: 'one' })
  it.publish('b', 3, { id: 'one' })
  const first = { id: 'one', at: `${it.hub.engine.epoch}-1`, matched: 1, duplicate: true }
  t.same(receipts(it.backEnd), [first, first])
  t.same(client.values('a'), [1])
  t.equal(it.hub.counters.duplicates, 2)
  const other = new RecordingComponent('other', { id: 'key:two', trusted: true })
  it.hub.update(other, 'a', jsonMessage(4, { id: 'one' }))
  t.match(
    receipts(other),
    [{ id: 'one', at: `${it.hub.engine.epoch}-2` }],
    'ids are their publisher’s',
  )
  it.clock.advance(10_100)
  it.publish('a', 5, { id: 'one' })
  t.same(client.values('a'), [4, 5])
  await it.hub.close()
})

test('ids that are remembered are bounded', async (t) => {
  const it = new HubUnderTest({ history: { count: 3 } })
  it.backEnd.take()
  for (const id of ['a', 'b', 'c', 'd', 'b', 'a']) it.publish('x', 1, { id })
  t.same(
    receipts(it.backEnd).map(({ id, duplicate }) => [id, duplicate ?? false]),
    [
      ['a', false],
      ['b', false],
      ['c', false],
      ['d', false],
      ['b', true],
      ['a', false],
    ],
  )
  await it.hub.close()
})

test('clients of whom nothing is known do not use up each other’s ids', async (t) => {
  const it = new HubUnderTest({ rules: [{ who: 'anyone', may: ['publish'], path: 'a' }] })
  const seen = it.subscriber('a')
  const [one, two] = [it.client(), it.client()]
  one.say('a', 'one', { id: '1' })
  two.say('a', 'two', { id: '1' })
  one.say('a', 'one again', { id: '1' })
  t.same(seen.values('a'), ['one', 'two'])
  await it.hub.close()
})

test('what a client is told again after a cut is what it was told: receipts, and answers of any type', async (t) => {
  const it = new HubUnderTest({ rules: [{ who: 'anyone', may: ['publish'], path: 'a' }] })
  const client = it.subscriber('b')
  const after = it.hub.position
  it.publish('b', 0)
  client.say('a', 1, { reply: 'r' })
  client.session.tellMessage(REPLY, message('as it is', TEXT_TYPE, { reply: 'text' }))
  client.session.tellMessage(REPLY, jsonMessage({ at: 'noon' }, { reply: 'json' }))
  client.pipe.cut()
  client.resume({}, { after })
  const replies = client.take().filter(({ path }) => path === REPLY)
  t.match(
    replies.map((update) => bodyValue(update)),
    [{ at: `${it.hub.engine.epoch}-2`, matched: 0 }, 'as it is', { at: 'noon' }],
  )
  await it.hub.close()
})

/** Takes what is appended when it is told to, or refuses it. */
class SlowEngine implements Engine {
  readonly epoch = '00000000000000ee'
  readonly oldest = 0
  readonly count = 0
  readonly bytes = 0
  head = 0
  readonly #waiting: [sender: Component, path: string, message: Message][] = []
  #events: EngineEvents | undefined

  open(events: EngineEvents): void {
    this.#events = events
  }
  append(sender: Component, path: string, said: Message): void {
    this.#waiting.push([sender, path, said])
  }
  settle(make: (path: string, message: Message, offset: number) => Update | undefined): void {
    for (const [sender, path, said] of this.#waiting.splice(0)) {
      const update = make(path, said, this.head + 1)
      if (update === undefined) {
        this.#events?.refused(sender, said, { code: 'ENGINE_AWAY', detail: 'try again' })
      } else {
        this.head++
        this.#events?.deliver(sender, update)
      }
    }
  }
  read(_request: ReadRequest, done: (result: ReadResult) => void): void {
    done({ updates: [], until: this.head, count: 0, lost: [] })
  }
  close(): void {}
}

test('an engine that answers later: repeats wait for the first receipt, a refusal may be tried again', async (t) => {
  const engine = new SlowEngine()
  const { Update } = await import('@sapwood/core')
  const make = (path: string, said: Message, offset: number): Update =>
    new Update(path, said, offset, `${engine.epoch}-${offset}`)
  const it = new HubUnderTest({ engine })
  const client = it.subscriber('a')
  it.backEnd.take()
  it.publish('a', 1, { id: 'one' })
  it.publish('a', 1, { id: 'one' })
  t.same(receipts(it.backEnd), [], 'nothing is told before it is true')
  t.same(client.values('a'), [])
  engine.settle(make)
  t.same(
    receipts(it.backEnd).map(({ id, duplicate }) => [id, duplicate]),
    [
      ['one', true],
      ['one', undefined],
    ].reverse(),
  )
  t.same(client.values('a'), [1])
  it.publish('a', 2, { id: 'two' })
  it.publish('a', 2, { id: 'two' })
  engine.settle(() => undefined)
  t.match(it.backEnd.values(ERROR), [{ code: 'ENGINE_AWAY' }, { code: 'ENGINE_AWAY' }])
  it.publish('a', 3, { id: 'two' })
  engine.settle(make)
  t.same(client.values('a'), [3])
  await it.hub.close()
})

test('a publisher’s own copy is marked, or left out, also in a replay', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  const other = it.subscriber('a')
  const origin = client.session.id
  const after = it.hub.position
  const all = (): void => {
    it.publish('a', 'own', { origin })
    it.publish('a', 'excluded', { origin, exclude: true })
    it.publish('a', 'of another', { origin: 'somebody', exclude: true })
  }
  all()
  const live = client.take()
  t.same(
    live.map((update) => [bodyValue(update), update.mark]),
    [
      ['own', Mark.own],
      ['of another', Mark.none],
    ],
  )
  t.equal(other.take().length, 3)
  client.pipe.cut()
  client.resume({}, { after })
  const replayed = client.take().filter(({ path }) => path === 'a')
  t.same(
    replayed.map((update) => [bodyValue(update), update.mark]),
    [
      ['own', Mark.own | Mark.replay],
      ['of another', Mark.replay],
    ],
  )
  await it.hub.close()
})

test('a client publishes with a receipt if it wants one, and subscribers see whose it is', async (t) => {
  const it = new HubUnderTest({ rules: [{ who: 'anyone', may: ['publish'], path: 'a' }] })
  const seen = it.subscriber('a')
  const client = it.client()
  client.take()
  client.say('a', 1)
  t.same(client.take(), [])
  client.say('a', 2, { reply: 'r', id: 'i', key: 'k' })
  const [reply] = client.take()
  t.equal(reply?.path, REPLY)
  t.match(reply?.meta, { reply: 'r', code: 0 })
  t.match(JSON.parse(String(reply?.body)), { id: 'i', at: `${it.hub.engine.epoch}-2`, matched: 1 })
  t.same(
    seen.take().map(({ meta }) => meta),
    [{ origin: client.session.id }, { origin: client.session.id, id: 'i', key: 'k' }],
  )
  await it.hub.close()
})

test('a hub cannot be told to take longer paths than its clients send', async (t) => {
  t.throws(() => new HubUnderTest({ limits: { path: 513 } }), { code: 'CONFIG_INVALID' })
  await new HubUnderTest({ limits: { path: 512 } }).hub.close()
})

test('what a client sends wrongly is told with a code, and nothing else happens', async (t) => {
  const it = new HubUnderTest({ limits: { patterns: 3, path: 20 } })
  const client = it.client()
  client.take()
  const codeOf = (path: string, value: unknown): unknown => {
    client.say(path, value, { reply: 'r' })
    const [first, ...rest] = client.values(ERROR) as { code: string; reply: string }[]
    return rest.length > 0 || first?.reply !== 'r' ? 'not one with its reply' : first.code
  }
  t.equal(codeOf('a//b', 1), 'PATH_INVALID')
  t.equal(codeOf('a/*', 1), 'PATH_INVALID')
  t.equal(codeOf('x'.repeat(21), 1), 'PATH_INVALID')
  t.equal(codeOf('', 1), 'PATH_INVALID')
  t.equal(codeOf('@a//b', 1), 'PATH_INVALID')
  t.equal(codeOf('::nonsense', 1), 'PATH_CONTROL')
  t.equal(codeOf('::toString', 1), 'PATH_CONTROL')
  t.equal(codeOf(CONNECT, 'a/**/b'), 'PATTERN_INVALID')
  t.equal(codeOf(CONNECT, 7), 'PATTERN_INVALID')
  t.equal(codeOf(CONNECT, null), 'PATTERN_INVALID')
  t.equal(codeOf(CONNECT, { pattern: 'a' }), 'PATTERN_INVALID')
  t.equal(codeOf(CONNECT, ['x'.repeat(21)]), 'PATTERN_INVALID')
  client.say(CONNECT, ['a', 'b', 'a', 'c', 'd', 'a'])
  t.same(
    client.take().map(({ path, body }) => [path, JSON.parse(String(body)).code]),
    [
      [CONNECTED, undefined],
      [CONNECTED, undefined],
      [CONNECTED, undefined],
      [CONNECTED, undefined],
      [ERROR, 'LIMIT_PATTERNS'],
      [CONNECTED, undefined],
    ],
  )
  client.say(DISCONNECT, ['a', 'never held'])
  client.say(CONNECT, 'd')
  t.same(client.paths(), [DISCONNECTED, CONNECTED])
  t.equal(it.hub.counters.faults.get('PATH_INVALID'), 5)
  await it.hub.close()
})

test('a trusted client subscribes others, and that is not its own grant', async (t) => {
  const trusted: Principal = { id: 'local', trusted: true }
  const it = new HubUnderTest({ public: [] })
  const master = it.client({ principal: trusted })
  const client = it.client()
  client.take()
  master.say(CONNECT, [`${client.session.id}->a`, 'b'])
  t.same(client.paths(), [CONNECTED])
  t.ok(client.session.granted('a'))
  t.notOk(master.session.granted('b'))
  master.say(DISCONNECT, `${client.session.id}->a`)
  t.same(client.paths(), [DISCONNECTED])
  await it.hub.close()
})

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

test('the embedding program publishes, subscribes and answers; its mistakes are thrown or logged', async (t) => {
  const errors: object[] = []
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields) => errors.push(fields),
    error: (fields) => errors.push(fields),
  }
  const it = new HubUnderTest({ log })
  const seen: unknown[] = []
  const stop = it.hub.subscribe('a/*', (said, path) => seen.push([path, bodyValue(said)]))
  it.hub.subscribe('a/*', () => {
    throw new Error('secret of mine')
  })
  it.hub.publish('a/1', { n: 1 })
  it.hub.update(it.backEnd, 'a/2', message(Uint8Array.of(1), BYTES_TYPE))
  stop()
  stop()
  it.hub.publish('a/3', 1)
  t.same(seen, [
    ['a/1', { n: 1 }],
    ['a/2', Uint8Array.of(1)],
  ])
  t.equal(it.hub.counters.thrown, 3)
  t.match(errors[0], { code: 'COMPONENT_THREW', path: 'a/1', reason: 'secret of mine' })
  t.throws(() => it.hub.publish('a//b', 1), { code: 'PATH_INVALID' })
  t.throws(() => it.hub.subscribe('**/a', () => undefined), { code: 'PATTERN_INVALID' })
  t.throws(() => it.hub.publish('a', () => undefined), TypeError)
  it.hub.subscribe('loop', () => it.hub.publish('loop', 1))
  it.hub.publish('loop', 1)
  t.equal(it.hub.counters.loops, 1)
  t.match(errors.at(-1), { code: 'UPDATE_LOOP', path: 'loop' })
  await it.hub.close()
})

test('DB-14: the logger writes `path; message`, of what was asked for and not only of what was allowed', async (t) => {
  const lines: string[] = []
  const it = new HubUnderTest()
  it.hub.controller.delegate(logger((line) => lines.push(line), lineText))
  const stranger: Component = {
    id: NO_ID,
    principal: ANYONE,
    update: () => undefined,
  }
  it.hub.update(stranger, 'a', jsonMessage({ n: 1 }))
  it.hub.update(stranger, 'a', message('two\r\nlines', TEXT_TYPE))
  it.hub.update(stranger, 'a', message(Uint8Array.of(1, 2), BYTES_TYPE))
  t.same(lines, ['a; {"n":1}\n', 'a; two\\r\\nlines\n', 'a; <2 bytes>\n'])
  t.equal(it.hub.counters.updates, 3)
  await it.hub.close()
})

test('what one turn brings is sent in the next, without anybody asking', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('a')
  it.count('a', 3)
  t.same(client.pipe.arrive(), [])
  await new Promise(setImmediate)
  t.same(offsetsOf(client.pipe.arrive()), [1, 2, 3])
  t.equal(it.hub.counters.deliveries, 5)
  await it.hub.close()
})

test('a long cascade of updates gives the event loop its turn and loses nothing', async (t) => {
  const it = new HubUnderTest()
  const client = it.subscriber('b')
  const many: Component = { id: NO_ID, principal: SYSTEM, update: () => undefined }
  it.hub.controller.register(many)
  it.hub.subscribe('a', () => {
    for (let i = 0; i < 3_000; i++) it.hub.publish('b', i)
  })
  it.hub.publish('a', 1)
  t.ok(it.hub.engine.head < 3_001)
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  t.equal(it.hub.engine.head, 3_001)
  t.same(
    client.values('b'),
    Array.from({ length: 3_000 }, (_, i) => i),
  )
  t.notOk(client.pipe.farewell, BYE)
  await it.hub.close()
})

test('a log that throws stops nothing', async (t) => {
  const broken = (): never => {
    throw new Error('no space left on device')
  }
  const it = hub({ log: { debug() {}, info() {}, warn: broken, error: broken } })
  it.subscribe('a', broken)
  const values: unknown[] = []
  it.subscribe('a', ({ body }) => values.push(body))
  it.publish('a', 1)
  it.publish('a', 2)
  t.same(values, ['1', '2'])
  t.equal(it.counters.thrown, 4)
  await it.close()
})
