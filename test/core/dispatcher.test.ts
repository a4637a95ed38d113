import type { Component, Message } from '@sapwood/core'
import {
  CONNECT,
  CONNECTED,
  Controller,
  connection,
  DISCONNECT,
  DISCONNECTED,
  Found,
  GONE,
  jsonMessage,
  Mark,
  message,
  parseConnection,
  RECEIPT,
  Router,
  TEXT_TYPE,
  Update,
} from '@sapwood/core'
import { RecordingComponent, randomLetters } from '@sapwood/testkit'
import { test } from 'tap'
import { doing, setUp } from './router-stage.ts'

/** What a component got that is neither a receipt nor a confirmation. */
function updatesOf(component: RecordingComponent): string[] {
  const own = [RECEIPT, CONNECTED, DISCONNECTED]
  return component.paths.filter((path) => !own.includes(path))
}

test('DB-06: an update reaches who is subscribed to its path, from its sender', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const [one, two] = [add('one'), add('two')]
  t.ok(dispatcher.subscribe(one, 'orders/42'))
  t.notOk(dispatcher.subscribe(one, 'orders/42'))
  dispatcher.subscribe(two, 'orders/7')
  const said = jsonMessage({ state: 'paid' })
  router.update(publisher, 'orders/42', said)
  t.equal(one.received.length, 1)
  t.equal(one.received[0]?.sender, publisher)
  t.equal(one.received[0]?.message, said)
  t.same(two.received, [])
  t.ok(dispatcher.unsubscribe(one, 'orders/42'))
  t.notOk(dispatcher.unsubscribe(one, 'orders/42'))
  router.update(publisher, 'orders/42', said)
  t.equal(one.received.length, 1)
})

test('a component gets an update once however many of its patterns match', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const one = add('one')
  for (const pattern of ['a/b', 'a/*', 'a/**', '*/b', '**']) dispatcher.subscribe(one, pattern)
  router.update(publisher, 'a/b', jsonMessage(1))
  t.same(one.paths, ['a/b'])
  t.same(publisher.values(RECEIPT), [{ id: '', at: '', matched: 1 }])
})

test('subscribers are those who hold something, with what they hold', async (t) => {
  const { dispatcher, add } = setUp()
  const one = add('one')
  t.equal(dispatcher.subscribers.size, 0)
  t.equal(dispatcher.subscribers.get('one')?.patterns, undefined)
  dispatcher.subscribe(one, 'a')
  dispatcher.subscribe(one, 'b/*')
  t.equal(dispatcher.subscribers.size, 1)
  t.same([...(dispatcher.subscribers.get('one')?.patterns ?? [])], ['a', 'b/*'])
  dispatcher.unsubscribe(one, 'a')
  dispatcher.unsubscribe(one, 'b/*')
  t.equal(dispatcher.subscribers.size, 0)
  t.equal(dispatcher.subscribers.get('one')?.patterns, undefined)
})

test('DB-07: `::connect` subscribes and is confirmed; again it is confirmed again', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const one = add('one')
  router.update(publisher, CONNECT, connection('one', 'a/*'))
  router.update(publisher, CONNECT, message('one->a/*', TEXT_TYPE))
  t.same(one.lines, [`${CONNECTED} a/*`, `${CONNECTED} a/*`])
  t.equal(one.received[0]?.sender, router)
  t.same([...(dispatcher.subscribers.get('one')?.patterns ?? [])], ['a/*'])
  router.update(publisher, 'a/b', jsonMessage(1))
  t.same(updatesOf(one), ['a/b'])
})

test('DB-07: the confirmation carries the position that was asked for', async (t) => {
  const { router, add, publisher } = setUp()
  const one = add('one')
  router.update(publisher, CONNECT, connection('one', 'a', '0123456789abcdef-7'))
  t.equal(one.received[0]?.message.meta.after, '0123456789abcdef-7')
})

test('DB-07, DB-08: what names nobody or no pattern is ignored and counted', async (t) => {
  const { router, dispatcher, add, publisher, ignored } = setUp()
  const one = add('one')
  const texts = [
    'one',
    'one->',
    '->a',
    'one->a->b',
    'nobody->a',
    'one->a//b',
    'one->**/a',
    '',
    '{"a":1}',
  ]
  for (const path of [CONNECT, DISCONNECT]) {
    for (const text of texts) router.update(publisher, path, message(text, TEXT_TYPE))
    router.update(publisher, path, jsonMessage({ id: 'one' }))
    router.update(publisher, path, message(Uint8Array.of(1)))
  }
  t.equal(ignored.length, 2 * (texts.length + 2))
  t.same(one.received, [])
  t.equal(dispatcher.subscribers.size, 0)
  for (const receipt of publisher.values(RECEIPT)) t.has(receipt, { matched: 0 })
})

test('DB-08: `::disconnect` unsubscribes, is confirmed once, and nothing comes any more', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const one = add('one')
  dispatcher.subscribe(one, 'a/*')
  router.update(publisher, DISCONNECT, connection('one', 'a/b'))
  t.same(one.take(), [], 'another pattern than the one it holds')
  router.update(publisher, DISCONNECT, connection('one', 'a/*'))
  router.update(publisher, DISCONNECT, connection('one', 'a/*'))
  router.update(publisher, 'a/b', jsonMessage(1))
  t.same(one.lines, [`${DISCONNECTED} a/*`])
  t.same(
    publisher.values(RECEIPT).map((receipt) => (receipt as { matched: number }).matched),
    [0, 1, 0, 0],
  )
})

test('DB-09, W1: `::gone` drops everything of an id that the registry has forgotten', async (t) => {
  const { router, dispatcher, components, add, publisher } = setUp()
  const [one, two] = [add('one'), add('two')]
  for (const pattern of ['a', 'a/*', '**']) dispatcher.subscribe(one, pattern)
  dispatcher.subscribe(two, 'a')
  components.delete('one')
  router.update(publisher, GONE, jsonMessage('one'))
  t.equal(dispatcher.subscribers.size, 1)
  t.equal(dispatcher.subscribers.get('one')?.patterns, undefined)
  one.take()
  router.update(publisher, 'a', jsonMessage(1))
  router.update(publisher, 'a/b', jsonMessage(1))
  t.same(one.received, [])
  t.same(updatesOf(two), ['a'])
  const again = add('one')
  dispatcher.subscribe(again, 'c')
  router.update(publisher, 'a', jsonMessage(1))
  t.same(again.received, [], 'a new component of that id has only what it subscribed to')
})

test('DB-10: observers see control updates after they took effect', async (t) => {
  const { router, dispatcher, components, add, publisher } = setUp()
  add('one')
  const seen: [path: string, held: string[]][] = []
  const observer = doing('observer', (path) => {
    seen.push([path, [...(dispatcher.subscribers.get('one')?.patterns ?? [])]])
  })
  components.set('observer', observer)
  for (const path of [CONNECT, DISCONNECT, GONE]) dispatcher.subscribe(observer, path)
  router.update(publisher, CONNECT, connection('one', 'a'))
  router.update(publisher, CONNECT, connection('one', 'b'))
  router.update(publisher, DISCONNECT, connection('one', 'a'))
  router.update(publisher, GONE, jsonMessage('one'))
  t.same(seen, [
    [CONNECT, ['a']],
    [CONNECT, ['a', 'b']],
    [DISCONNECT, ['b']],
    [GONE, []],
  ])
})

test('wildcards at the front see neither control nor direct updates', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const [all, some] = [add('all'), add('some')]
  dispatcher.subscribe(all, '**')
  dispatcher.subscribe(some, '*/**')
  router.update(publisher, '::anything/else', jsonMessage(1))
  router.update(publisher, '@name/noun', jsonMessage(1))
  router.update(publisher, CONNECT, connection('all', 'b'))
  t.same(updatesOf(all), [])
  t.same(updatesOf(some), [])
})

test('what goes to a name goes to `direct` and to no subscriber', async (t) => {
  const asked: string[] = []
  const { router, dispatcher, add, publisher } = setUp({
    direct: (_sender, path) => {
      asked.push(path)
      return 2
    },
  })
  const one = add('one')
  dispatcher.subscribe(one, '@name/noun')
  router.update(publisher, '@name/noun', jsonMessage(1))
  t.same(asked, ['@name/noun'])
  t.same(one.received, [])
  t.has(publisher.values(RECEIPT)[0], { matched: 2 })
})

test('W7: a receiver that throws is told, stays, and hinders nobody', async (t) => {
  const { router, dispatcher, add, publisher, thrown } = setUp()
  const mistake = new Error('mistake')
  const broken = doing('broken', () => {
    throw mistake
  })
  const after = add('after')
  dispatcher.subscribe(broken, 'a')
  dispatcher.subscribe(after, 'a')
  router.update(publisher, 'a', jsonMessage(1))
  router.update(publisher, 'a', jsonMessage(2))
  t.same(after.values('a'), [1, 2])
  t.same(thrown, [
    [mistake, broken, 'a'],
    [mistake, broken, 'a'],
  ])
  router.update(broken, 'b', jsonMessage(1))
  t.equal(thrown.length, 3, 'its receipt it may refuse as well')
})

test('W7: who subscribes during an update does not get that one', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const [newcomer, old] = [add('newcomer'), add('old')]
  dispatcher.subscribe(old, 'somewhere/else')
  const host = doing('host', () => {
    for (const pattern of ['a', '*', '**']) {
      dispatcher.subscribe(newcomer, pattern)
      dispatcher.subscribe(old, pattern)
    }
  })
  dispatcher.subscribe(host, 'a')
  dispatcher.subscribe(host, '*')
  dispatcher.subscribe(host, '**')
  router.update(publisher, 'a', jsonMessage(1))
  t.same(newcomer.received, [], 'one without a subscription')
  t.same(old.received, [], 'one with a subscription elsewhere')
  router.update(publisher, 'b', jsonMessage(2))
  t.same([newcomer.paths, old.paths], [['b'], ['b']], 'but the next one')
})

test('W7: who is subscribed and adds a pattern during an update still gets it, once', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const late = add('late')
  const host = doing('host', () => dispatcher.subscribe(late, '**'))
  dispatcher.subscribe(host, 'a')
  dispatcher.subscribe(late, 'a')
  router.update(publisher, 'a', jsonMessage(1))
  t.same(late.paths, ['a'])
})

test('W7: who unsubscribes during an update, before its turn, does not get it', async (t) => {
  const { router, dispatcher, add, publisher } = setUp()
  const [left, dropped, last] = [add('left'), add('dropped'), add('last')]
  const host = doing('host', () => {
    dispatcher.unsubscribe(left, 'a')
    dispatcher.drop('dropped')
  })
  dispatcher.subscribe(host, 'a')
  for (const component of [left, dropped, last]) dispatcher.subscribe(component, 'a')
  router.update(publisher, 'a', jsonMessage(1))
  t.same([left.paths, dropped.paths, last.paths], [[], [], ['a']])
})

test('W7: who leaves and comes back during its own update does not get it twice', async (t) => {
  const { router, dispatcher, publisher } = setUp()
  let calls = 0
  const restless = doing('restless', () => {
    calls++
    dispatcher.unsubscribe(restless, 'a')
    t.ok(dispatcher.subscribe(restless, 'a'))
    t.notOk(dispatcher.subscribe(restless, 'a'))
  })
  dispatcher.subscribe(restless, 'a')
  router.update(publisher, 'a', jsonMessage(1))
  t.equal(calls, 1)
  router.update(publisher, 'a', jsonMessage(1))
  t.equal(calls, 2)
})

for (const found of [undefined, new Found<Component, Message>()]) {
  const where = found === undefined ? '' : ', where those who were found are kept'
  test(`updates do not nest: one within another is a mistake that is told${where}`, async (t) => {
    const { router, dispatcher, add, publisher, thrown } = setUp()
    const [after, other] = [add('after'), add('other')]
    dispatcher.subscribe(
      doing('nesting', () => router.update(publisher, 'b', jsonMessage(1))),
      'a',
    )
    dispatcher.subscribe(after, 'a')
    dispatcher.subscribe(other, 'b')
    router.update(publisher, 'a', new Update('a', jsonMessage(1), 1, '', Mark.none, found))
    t.match(thrown[0]?.[0], { code: 'UPDATE_NESTED' })
    t.same(after.paths, ['a'], 'those behind it get theirs')
    t.same(other.paths, [])
    router.update(publisher, 'b', jsonMessage(1))
    t.same(other.paths, ['b'])
  })
}

test('a receipt says id, position and how many it reached', async (t) => {
  const receipts: unknown[] = []
  let made = 0
  const { router, dispatcher, add, publisher } = setUp({
    position: () => 'hub-9',
    nextId: () => `made-${++made}`,
    onReceipt: (_about, receipt) => receipts.push({ ...JSON.parse(receipt.body) }),
  })
  dispatcher.subscribe(add('one'), 'a')
  dispatcher.subscribe(add('two'), '*')
  router.update(publisher, 'a', new Update('a', jsonMessage(1, { id: 'own' }), 5, 'hub-5'))
  router.update(publisher, 'b', new Update('b', jsonMessage(1), 6, 'hub-6'))
  router.update(publisher, '::c', jsonMessage(1))
  t.same(publisher.values(RECEIPT), [
    { id: 'own', at: 'hub-5', matched: 2 },
    { id: 'hub-6', at: 'hub-6', matched: 1 },
    { id: 'made-1', at: 'hub-9', matched: 0 },
  ])
  t.same(receipts, [{ id: 'own', at: 'hub-5', matched: 2 }], 'remembered by a publisher id only')
})

test('an update that is handed on to somebody is not the one that it was: its receipt has an id and a position of its own', async (t) => {
  let made = 0
  const { router, publisher } = setUp({ position: () => 'hub-9', nextId: () => `made-${++made}` })
  const received = new Update('a', jsonMessage(1), 5, 'hub-5')
  router.update(publisher, '@one/noun', received)
  router.update(publisher, '::c', received)
  t.same(publisher.values(RECEIPT), [
    { id: 'made-1', at: 'hub-9', matched: 0 },
    { id: 'made-2', at: 'hub-9', matched: 0 },
  ])
})

test('a receipt is not answered by a receipt', async (t) => {
  const { router, publisher, thrown } = setUp()
  router.update(publisher, RECEIPT, jsonMessage(1))
  router.update(router, 'a', jsonMessage(1))
  t.same(publisher.received, [])
  t.same(thrown, [])
})

test('behind a controller `::gone` takes effect, is seen, and ends there', async (t) => {
  const loops: string[] = []
  const controller = new Controller('hub', {
    random: randomLetters(2),
    defer: (run) => run(),
    onLoop: (_sender, path) => loops.push(path),
    onThrow: (thrown) => t.fail(String(thrown)),
  })
  const log = new RecordingComponent()
  const router = new Router({
    find: (id) => controller.get(id),
    onThrow: (thrown) => t.fail(String(thrown)),
  })
  controller.register(router)
  controller.delegate(log)
  controller.delegate(router)
  const [one, observer] = [new RecordingComponent(), new RecordingComponent()]
  controller.register(one)
  controller.register(observer)
  controller.update(observer, CONNECT, connection(one.id, 'a'))
  controller.update(observer, CONNECT, connection(observer.id, GONE))
  controller.unregister(one)
  controller.update(observer, CONNECT, connection(one.id, 'b'))
  t.same(observer.values(GONE), [one.id])
  t.equal(router.dispatcher.subscribers.get(one.id)?.patterns, undefined)
  t.same(log.paths, [CONNECT, CONNECT, GONE, CONNECT], 'nothing else went round')
  t.same(loops, [])
})

test('parseConnection takes exactly one arrow between an id and a pattern', async (t) => {
  const parse = (text: string) => parseConnection(message(text, TEXT_TYPE))
  t.same(parse('id->a/**'), { id: 'id', pattern: 'a/**' })
  t.same(parse('id with - and >->a'), { id: 'id with - and >', pattern: 'a' })
  const made = connection('id', 'a/**', 'somewhere')
  t.match(parseConnection(made), { id: 'id', pattern: 'a/**' })
  t.equal(made.body, '"id->a/**"', 'observers read it as it always was')
  for (const text of ['', '->', 'a->', '->a', 'a->b->c', 'a>b', 'a->/b', 'a->**/b']) {
    t.equal(parse(text), undefined, text)
  }
})
