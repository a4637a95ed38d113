/** The hub as a whole: control by updates, what clients may send, what the embedding program does. */
import type { Component, Principal } from '@sapwood/core'
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
  message,
  NO_ID,
  SYSTEM,
  TEXT_TYPE,
} from '@sapwood/core'
import type { Log } from '@sapwood/hub'
import { BYE, ERROR, HELLO, hub, logger } from '@sapwood/hub'
import { lineText } from '@sapwood/wire'
import { test } from 'tap'
import { HubUnderTest, offsetsOf, receipts } from './hub-under-test.ts'

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
  t.equal(it.hub.dispatcher.subscribers.get(client.session.id)?.patterns, undefined)
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
    subscribers: it.hub.dispatcher.subscribers.size,
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
