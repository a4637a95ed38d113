/** Who may do what: rules, grants of the back end, inboxes, vetoes. */
import assert from 'node:assert/strict'
import type { Component, Principal } from '@sapwood/core'
import {
  ANYONE,
  bodyValue,
  CONNECT,
  CONNECTED,
  covers,
  DISCONNECT,
  DISCONNECTED,
  GONE,
  inboxPattern,
  jsonMessage,
  SYSTEM,
} from '@sapwood/core'
import type { Action, Rule } from '@sapwood/hub'
import { ERROR, Gate } from '@sapwood/hub'
import { componentConformance, RecordingComponent } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'
import { anyPath, anyPattern, matchesPlainly } from '../core/arbitraries.ts'
import { HubUnderTest } from './hub-under-test.ts'

const USER: Principal = { id: 'user:ann', trusted: false }
const ACTIONS: readonly Action[] = ['publish', 'subscribe', 'ask', 'answer', 'control']

function gate(rules: readonly Rule[], next: Component = new RecordingComponent('next')): Gate {
  return new Gate(next, rules, { find: () => undefined, reply: () => undefined })
}

test('a gate is a component', async (t) => {
  componentConformance(t, 'a gate', () => {
    const forwardsTo = new RecordingComponent('next')
    const rules: Rule[] = [{ who: 'anyone', may: ACTIONS, path: '**' }]
    return { component: gate(rules, forwardsTo), forwardsTo }
  })
})

test('nobody may do anything, unless trusted', async (t) => {
  for (const action of ACTIONS) {
    t.notOk(gate([]).allows(ANYONE, action, 'a'))
    t.notOk(gate([]).allows(USER, action, '**'))
    t.ok(gate([]).allows(SYSTEM, action, '::gone'))
  }
})

test('a rule is for whom it names, for what it names', async (t) => {
  const allows = (who: string, principal: Principal): boolean =>
    gate([{ who, may: ['publish'], path: 'a/*' }]).allows(principal, 'publish', 'a/b')
  const key: Principal = { id: 'key:0af3', trusted: false }
  t.ok(allows('anyone', ANYONE))
  t.ok(allows('anyone', USER))
  t.ok(allows('user:ann', USER))
  t.notOk(allows('user:an', USER))
  t.notOk(allows('user:anna', USER))
  t.ok(allows('user:*', USER))
  t.ok(allows('*:ann', USER))
  t.ok(allows('*', USER))
  t.notOk(allows('user:*', key))
  t.ok(allows('key:*', key))
  t.notOk(allows('user.ann', USER), 'a dot is a dot')
  t.notOk(allows('user:.*', USER))
  t.ok(allows('signed-in', USER))
  t.notOk(allows('signed-in', ANYONE))
  const rules: Rule[] = [{ who: 'anyone', may: ['subscribe', 'ask'], path: 'a/*' }]
  t.notOk(gate(rules).allows(USER, 'publish', 'a/b'))
  t.ok(gate(rules).allows(USER, 'ask', 'a/b'))
  t.notOk(gate(rules).allows(USER, 'ask', 'a/b/c'))
})

test('a subscription is allowed only if one rule covers every path that it could match', async () => {
  fc.assert(
    fc.property(
      fc.array(anyPattern, { maxLength: 4 }),
      anyPattern,
      anyPath,
      (open, pattern, path) => {
        const rules = open.map((each): Rule => ({ who: 'anyone', may: ['subscribe'], path: each }))
        const allowed = gate(rules).allows(ANYONE, 'subscribe', pattern)
        assert.equal(
          allowed,
          open.some((rule) => covers(rule, pattern)),
        )
        if (allowed && matchesPlainly(pattern, path)) {
          assert.ok(
            open.some((rule) => matchesPlainly(rule, path)),
            `${pattern} reaches ${path}`,
          )
        }
      },
    ),
    { numRuns: 2_000 },
  )
})

test('what a client may not do is told, counted, and has no effect', async (t) => {
  const it = new HubUnderTest({ public: ['news/**'] })
  const observer = new RecordingComponent()
  it.hub.controller.register(observer)
  for (const path of [CONNECT, 'news/**', 'a']) it.hub.dispatcher.subscribe(observer, path)
  const client = it.client()
  client.take()
  client.say(CONNECT, ['news/*', 'orders/*', '**'])
  client.say('news/1', 'mine')
  t.same(
    client
      .take()
      .map(({ path, body }) => [
        path,
        JSON.parse(String(body)).code,
        JSON.parse(String(body)).pattern,
      ]),
    [
      [CONNECTED, undefined, 'news/*'],
      [ERROR, 'NOT_ALLOWED', 'orders/*'],
      [ERROR, 'NOT_ALLOWED', '**'],
      [ERROR, 'NOT_ALLOWED', 'news/1'],
    ],
  )
  t.same(observer.values(CONNECT), [`${client.session.id}->news/*`], 'observers see no refused one')
  t.same(observer.values('news/1'), [])
  t.equal(it.hub.counters.refused, 3)
  t.equal(it.hub.engine.head, 0)
  t.same([...client.session.patterns.keys()], ['news/*'])
  await it.hub.close()
})

test('a refusal names the reply of the update that it refuses', async (t) => {
  const it = new HubUnderTest()
  const client = it.client()
  client.take()
  client.say('a', 1, { reply: 'r1' })
  client.say('@hub/time', 1, { reply: 'r2' })
  const [publication, question] = client.take()
  t.equal(publication?.path, ERROR)
  t.match(JSON.parse(String(publication?.body)), { code: 'NOT_ALLOWED', reply: 'r1' })
  t.equal(question?.path, '::reply')
  t.match(question?.meta, { reply: 'r2', code: 249, status: 403 })
  await it.hub.close()
})

test('DB-21: a client speaks of itself only, and sends no control update but its own', async (t) => {
  const it = new HubUnderTest()
  const [one, two] = [it.client(), it.client()]
  one.take()
  two.take()
  one.say(CONNECT, `${two.session.id}->a`)
  one.say(GONE, two.session.id)
  one.say('::connected', 'a')
  one.say('::inbox/x/0.1', 'an answer')
  t.same(
    one.values(ERROR).map((fault) => (fault as { code: string }).code),
    ['PATTERN_INVALID', 'PATH_CONTROL', 'PATH_CONTROL', 'PATH_CONTROL'],
  )
  t.same(two.take(), [])
  t.notOk(two.session.ended)
  await it.hub.close()
})

test('only who may control connects others, and a delegate in front may veto that', async (t) => {
  const stranger = new RecordingComponent('stranger', ANYONE)
  const it = new HubUnderTest({ public: [] })
  const client = it.client()
  client.take()
  it.connect(client, 'a', undefined, stranger)
  t.match(stranger.values(ERROR), [{ code: 'NOT_ALLOWED', status: 403 }])
  t.same(client.take(), [])
  const ruled = new HubUnderTest({
    rules: [{ who: 'user:ann', may: ['control'], path: CONNECT }],
  })
  const other = ruled.client()
  other.take()
  const ann = new RecordingComponent('ann', USER)
  ruled.connect(other, 'a', undefined, ann)
  t.same(other.paths(), [CONNECTED])
  ruled.hub.update(ann, GONE, jsonMessage(other.session.id))
  t.match(ann.values(ERROR), [{ code: 'NOT_ALLOWED' }], 'that only')
  await it.hub.close()
  await ruled.hub.close()
})

test('DB-22: a grant lets a client drop and retake what it covers, until it is taken back', async (t) => {
  const it = new HubUnderTest({ public: [] })
  const client = it.client()
  client.take()
  client.say(CONNECT, 'rooms/1')
  t.same(client.paths(), [ERROR])
  it.connect(client, 'rooms/*')
  t.same(client.paths(), [CONNECTED])
  client.say(DISCONNECT, 'rooms/*')
  client.say(CONNECT, 'rooms/1')
  client.say(CONNECT, 'rooms/*')
  t.same(client.paths(), [DISCONNECTED, CONNECTED, CONNECTED])
  client.say(CONNECT, 'rooms/1/private')
  t.same(client.paths(), [ERROR], 'not what it does not cover')
  it.disconnect(client, 'rooms/*')
  client.take()
  client.say(CONNECT, 'rooms/*')
  t.same(client.paths(), [ERROR])
  await it.hub.close()
})

test('DB-22: with a grant goes all that the client took because of it', async (t) => {
  const it = new HubUnderTest({ public: ['news/**'] })
  const client = it.client()
  it.connect(client, 'rooms/*')
  it.connect(client, 'rooms/2')
  client.say(CONNECT, ['rooms/1', 'news/*'])
  client.say(DISCONNECT, 'rooms/*')
  client.take()
  it.disconnect(client, 'rooms/*')
  const came = client.lines()
  t.same([...client.session.patterns.keys()].sort(), ['news/*', 'rooms/2'])
  t.equal(came.filter((line) => line.startsWith(DISCONNECTED)).length, 1)
  t.equal(came.filter((line) => line.startsWith(ERROR)).length, 1, 'and it is told why')
  it.publish('rooms/1', 'secret')
  t.same(client.take(), [])
  it.publish('rooms/2', 'open')
  t.same(client.paths(), ['rooms/2'])
  await it.hub.close()
})

test('DB-22: of each pattern that goes with a grant the client is told once', async (t) => {
  const it = new HubUnderTest({ public: [] })
  const client = it.client()
  it.connect(client, 'rooms/**')
  it.connect(client, 'other/*')
  client.say(CONNECT, ['rooms/1', 'rooms/2', 'rooms/3'])
  client.take()
  // both at once, as from a back end that sends many
  const stop = it.hub.subscribe('now', () => {
    it.disconnect(client, 'rooms/**')
    it.disconnect(client, 'other/*')
  })
  it.hub.publish('now', 1)
  stop()
  const told = client.take().map(({ path, body }) => `${path} ${JSON.parse(String(body)).pattern}`)
  t.same(told.sort(), [
    ...['other/*', 'rooms/**', 'rooms/1', 'rooms/2', 'rooms/3'].map(
      (one) => `${DISCONNECTED} ${one}`,
    ),
    ...['rooms/1', 'rooms/2', 'rooms/3'].map((one) => `${ERROR} ${one}`),
  ])
  await it.hub.close()
})

test('DB-22: grants survive a resume, and are looked at again together with the rights of then', async (t) => {
  const it = new HubUnderTest({
    public: [],
    rules: [{ who: 'user:ann', may: ['subscribe'], path: 'ann/**' }],
  })
  const client = it.client({ principal: USER })
  it.connect(client, 'rooms/1')
  client.say(CONNECT, 'ann/mail')
  client.take()
  client.pipe.cut()
  client.resume({}, { principal: ANYONE })
  const came = client.take()
  t.same([...client.session.patterns.keys()], ['rooms/1'])
  t.match(came.filter(({ path }) => path === ERROR).map(bodyValue), [
    { code: 'NOT_ALLOWED', pattern: 'ann/mail' },
  ])
  it.publish('ann/mail', 1)
  it.publish('rooms/1', 1)
  t.same(client.paths(), ['rooms/1'])
  await it.hub.close()
})

test('an inbox is read by its owner and by nobody else, whatever the rules say', async (t) => {
  const it = new HubUnderTest({
    public: ['::inbox/**', '::inbox/*/**', '**'],
    rules: [{ who: '*', may: ['subscribe'], path: '::inbox/**' }],
  })
  const [one, two] = [it.client(), it.client()]
  one.take()
  two.take()
  one.say(CONNECT, [
    inboxPattern(two.session.id),
    `::inbox/${two.session.id}/0.1`,
    '::inbox/*/0.1',
    '::inbox/**',
    '::inbox/*/**',
    `::inbox/${two.session.id}`,
  ])
  const errors = one.take()
  t.equal(errors.length, 6)
  t.ok(errors.every(({ path }) => path === ERROR))
  one.say(CONNECT, [inboxPattern(one.session.id), '**'])
  t.same(one.paths(), [CONNECTED, CONNECTED])
  it.hub.update(it.backEnd, `::inbox/${one.session.id}/0.1`, jsonMessage('for one'))
  it.hub.update(it.backEnd, `::inbox/${two.session.id}/0.1`, jsonMessage('for two'))
  t.same(one.lines(), [`::inbox/${one.session.id}/0.1 "for one"`])
  await it.hub.close()
})
