/** What is published: receipts, repeats, engines that take their time, and what comes back to who published. */
import type { Component, Message, Update } from '@sapwood/core'
import { bodyValue, jsonMessage, Mark, message, TEXT_TYPE } from '@sapwood/core'
import type { Engine, EngineEvents, ReadRequest, ReadResult } from '@sapwood/hub'
import { ERROR, REPLY } from '@sapwood/hub'
import { RecordingComponent } from '@sapwood/testkit'
import { test } from 'tap'
import { HubUnderTest, KEY, receipts } from './hub-under-test.ts'

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

test('a repeat of what was sent to one client reaches it once, a question as often as it is asked', async (t) => {
  const it = new HubUnderTest()
  const alice = it.client()
  it.hub.claim(alice.session, 'alice', KEY)
  alice.take()
  it.backEnd.take()
  it.publish('@alice/note', 1, { id: 'one' })
  it.publish('@alice/note', 1, { id: 'one' })
  it.publish('a', 1, { id: 'one' })
  const { position } = it.hub
  const first = { id: 'one', at: position, matched: 1 }
  const again = { ...first, duplicate: true }
  t.same(receipts(it.backEnd), [first, again, again])
  t.same(alice.values('@alice/note'), [1])
  for (const _ of [1, 2]) {
    const message = jsonMessage(2, { id: 'two' })
    it.hub.ask({ path: '@alice/ask', message, timeout: 1_000, sender: it.backEnd }, () => undefined)
  }
  t.same(alice.values('@alice/ask'), [2, 2])
  it.clock.advance(1_000)
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
