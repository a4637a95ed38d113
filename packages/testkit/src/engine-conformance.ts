/**
 * What every Engine promises: each update gets the next offset, is delivered once and in order, and a read gives
 * back all that came after a cursor or names what is lost. Checked by examples and by random scripts.
 */
import type { Component, Message } from '@sapwood/core'
import { BYTES_TYPE, jsonMessage, message, TEXT_TYPE, Update } from '@sapwood/core'
import { EngineScript } from './engine-script.ts'
import type { EngineCase, EngineLimits } from './opened-engine.ts'
import { EVERYTHING, OpenedEngine } from './opened-engine.ts'
import { RecordingComponent } from './recording-component.ts'
import type { TestLike } from './test-like.ts'

const ROOMY: EngineLimits = { age: 60_000, count: 1_000, pathCount: 1_000, bytes: 1_000_000 }

/**
 * Runs the contract on what `make` gives.
 * @example engineConformance(t, 'memory', (limits) => ({ engine: new MemoryEngine(clock, …), … }))
 */
export function engineConformance(
  t: TestLike,
  name: string,
  make: (limits: EngineLimits) => EngineCase | Promise<EngineCase>,
): void {
  const setUp = async (limits: Partial<EngineLimits> = {}): Promise<OpenedEngine> =>
    new OpenedEngine(await make({ ...ROOMY, ...limits }))

  t.test(`${name}: offsets grow by one and deliveries leave in their order`, async (t) => {
    const it = await setUp()
    const first = it.engine.head + 1
    const senders = [new RecordingComponent('one'), new RecordingComponent('two')]
    for (let i = 0; i < 20; i++) {
      it.engine.append(senders[i % 2] as Component, `a/${i % 3}`, jsonMessage(i))
    }
    await it.settle()
    t.same(
      it.delivered.map(({ sender, update }) => [
        sender.id,
        update.path,
        update.offset,
        update.body,
      ]),
      Array.from({ length: 20 }, (_, i) => [
        i % 2 ? 'two' : 'one',
        `a/${i % 3}`,
        first + i,
        `${i}`,
      ]),
    )
    t.same(it.refused, [])
    t.equal(it.engine.head, first + 19)
    it.engine.close()
  })

  t.test(`${name}: an update is what was appended, with its position`, async (t) => {
    const it = await setUp()
    const bytes = Uint8Array.of(0, 255, 10)
    const all: Message[] = [
      message('{"a": 1e400}', undefined, { id: 'i', key: 'k', origin: 'o' }),
      message('text\nof two lines', TEXT_TYPE),
      message(bytes, BYTES_TYPE),
      message(''),
    ]
    for (const each of all) await it.append('a/ä 😀', each)
    const { updates } = await it.read([{ pattern: 'a/*', since: 0 }])
    for (const found of [it.delivered.map(({ update }) => update), updates]) {
      t.equal(found.length, all.length)
      for (const [i, update] of found.entries()) {
        t.equal(update.path, 'a/ä 😀')
        t.same(update.body, all[i]?.body)
        t.equal(update.type, all[i]?.type)
        t.same(update.meta, all[i]?.meta)
        t.equal(update.at, `${it.engine.epoch}-${update.offset}`)
      }
    }
    it.engine.close()
  })

  t.test(`${name}: an epoch is 16 hex digits and no two starts share one`, async (t) => {
    const [one, two] = [await setUp(), await setUp()]
    t.ok(/^[0-9a-f]{16}$/.test(one.engine.epoch), one.engine.epoch)
    t.ok(one.engine.epoch !== two.engine.epoch || one.engine.head > 0)
    one.engine.close()
    two.engine.close()
  })

  t.test(
    `${name}: a read gives each update once, in order, from each interest's own point`,
    async (t) => {
      const it = await setUp()
      for (const path of ['a/1', 'b/1', 'a/2', 'a/1', 'b/2', '::c', 'a/1']) {
        await it.append(path, jsonMessage(path))
      }
      const first = it.engine.head - 6
      const offsets = async (
        ...interests: [pattern: string, since: number][]
      ): Promise<number[]> => {
        const wanted = interests.map(([pattern, since]) => ({ pattern, since: first - 1 + since }))
        return (await it.read(wanted)).updates.map(({ offset }) => offset - first + 1)
      }
      t.same(await offsets(['a/1', 0]), [1, 4, 7])
      t.same(await offsets(['a/1', 1]), [4, 7])
      t.same(await offsets(['a/*', 0], ['a/1', 0], ['**', 0]), [1, 2, 3, 4, 5, 7])
      t.same(await offsets(['a/*', 3], ['b/**', 0]), [2, 4, 5, 7])
      t.same(await offsets(['b/**', 6], ['::c', 0]), [6])
      t.same(await offsets(['nothing/like/it', 0]), [])
      t.same(await offsets(), [])
      it.engine.close()
    },
  )

  t.test(`${name}: a read that stops at its bytes goes on where it stopped`, async (t) => {
    const it = await setUp()
    for (let i = 0; i < 50; i++) await it.append(`a/${i % 5}`, jsonMessage('x'.repeat(i * 7)))
    for (const bytes of [1, 500, 3_000, EVERYTHING]) {
      const found: number[] = []
      let after = it.engine.head - 50
      for (let turn = 0; turn < 60; turn++) {
        const interests = [{ pattern: 'a/*', since: 0 }]
        const { updates, until, count } = await it.read(interests, { after, bytes })
        const rest = 50 - found.length
        t.equal(count, rest)
        t.equal(updates.length > 0, rest > 0, 'at least one')
        found.push(...updates.map(({ offset }) => offset))
        after = until
        if (found.length === 50) break
        t.equal(until, found.at(-1))
      }
      t.equal(after, it.engine.head)
      t.same(found, [...new Set(found)])
      t.equal(found.length, 50)
    }
    it.engine.close()
  })

  t.test(`${name}: what an update causes while it is delivered comes behind it`, async (t) => {
    const it = await setUp()
    const seen: number[] = []
    it.whenDelivered = (update) => {
      if (update.path === 'cause') it.engine.append(it.sender, 'effect', jsonMessage(1))
      it.engine.read(
        { interests: [{ pattern: '**', since: update.offset - 1 }], after: 0, bytes: EVERYTHING },
        ({ updates }) => seen.push(...updates.slice(0, 1).map(({ offset }) => offset)),
      )
    }
    await it.append('cause', jsonMessage(1))
    await it.append('other', jsonMessage(1))
    t.same(
      it.delivered.map(({ update }) => update.path),
      ['cause', 'effect', 'other'],
    )
    t.same(
      seen.sort(),
      it.delivered.map(({ update }) => update.offset),
      'and can be read by then',
    )
    it.engine.close()
  })

  t.test(`${name}: what is too old, too many or too much is let go, and told`, async (t) => {
    const size = new Update('a', jsonMessage(1)).size
    const bounds: [what: string, limits: Partial<EngineLimits>][] = [
      ['count', { count: 5 }],
      ['of one path', { pathCount: 5 }],
      ['bytes', { bytes: 5 * size }],
    ]
    for (const [what, limits] of bounds) {
      const it = await setUp(limits)
      for (let i = 0; i < 9; i++) await it.append('a', jsonMessage(i))
      const from = it.engine.head - 9
      const at = async (cursor: number): Promise<[string[], number]> => {
        const { lost, updates } = await it.read([{ pattern: 'a', since: from + cursor }])
        return [[...lost], updates.length]
      }
      t.same(await at(4), [[], 5], `${what}: nothing is lost behind the bound`)
      t.same(await at(9), [[], 0], what)
      t.same((await at(3))[0], ['a'], `${what}: one is lost`)
      t.same((await at(0))[0], ['a'], what)
      t.ok(it.engine.count <= 5, `${what}: ${it.engine.count} retained`)
      t.ok(it.engine.bytes <= 5 * size, `${what}: ${it.engine.bytes} bytes retained`)
      it.engine.close()
    }
  })

  t.test(`${name}: age ends what is retained`, async (t) => {
    const it = await setUp({ age: 1_000 })
    await it.append('a', jsonMessage(1))
    await it.advance(600)
    await it.append('a', jsonMessage(2))
    await it.advance(300)
    const from = it.engine.head - 2
    t.equal((await it.read([{ pattern: 'a', since: from }])).updates.length, 2)
    await it.advance(200)
    t.same((await it.read([{ pattern: 'a', since: from }])).lost, ['a'])
    t.equal((await it.read([{ pattern: 'a', since: from + 1 }])).updates.length, 1)
    await it.advance(1_000)
    t.same(
      (await it.read([{ pattern: 'a', since: from + 2 }])).lost,
      [],
      'a cursor at the head lost nothing',
    )
    t.equal(it.engine.count, 0)
    t.equal(it.engine.bytes, 0)
    it.engine.close()
  })

  t.test(`${name}: a path that lost something costs others nothing`, async (t) => {
    const it = await setUp({ pathCount: 2 })
    await it.append('quiet', jsonMessage(1))
    for (let i = 0; i < 9; i++) await it.append('loud', jsonMessage(i))
    const since = it.engine.head - 10
    const interests = ['quiet', 'loud', '*', 'other/**'].map((pattern) => ({ pattern, since }))
    const { lost, updates } = await it.read(interests)
    t.same([...lost].sort(), ['*', 'loud'])
    t.ok(updates.some(({ path }) => path === 'quiet'))
    it.engine.close()
  })

  t.test(`${name}: a closed engine delivers nothing`, async (t) => {
    const it = await setUp()
    await it.append('a', jsonMessage(1))
    it.engine.close()
    it.engine.append(it.sender, 'a', jsonMessage(2))
    await it.settle()
    t.equal(it.delivered.length, 1)
    it.engine.close()
  })

  t.test(
    `${name}: reads agree with a list of everything, whatever was appended when`,
    async (t) => {
      for (let seed = 1; seed <= 150; seed++) {
        const fault = await new EngineScript(seed).run(make)
        if (fault !== undefined) t.ok(false, `script ${seed}: ${fault}`)
      }
      t.ok(true)
    },
  )
}
