/** Whoever comes and leaves during updates: each gets what it is owed, once, and nobody is kept. */
import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Component, Message } from '@sapwood/core'
import { Found, GONE, jsonMessage, Mark, Router, Update } from '@sapwood/core'
import { RecordingComponent } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'
import { anyPath, anyPattern, matchesPlainly } from './arbitraries.ts'
import { doing, goneOf, setUp } from './router-stage.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

interface Act {
  readonly kind: 'subscribe' | 'unsubscribe' | 'drop'
  readonly who: number
  readonly pattern: string
}

/** Components of the property, and what they subscribe to. */
interface Cast {
  readonly who: number
  readonly pattern: fc.Arbitrary<string>
  readonly path: fc.Arbitrary<string>
  /** Acts between two updates at most. */
  readonly acts: number
}

const anyRounds = ({ who, pattern, path, acts }: Cast) => {
  const act: fc.Arbitrary<Act> = fc.record({
    kind: fc.constantFrom('subscribe', 'subscribe', 'subscribe', 'unsubscribe', 'drop'),
    who: fc.nat({ max: who - 1 }),
    pattern,
  })
  /** Between two updates some acts, and at each delivery of an update some others. */
  const round = fc.record({
    before: fc.array(act, { maxLength: acts }),
    during: fc.array(fc.array(act, { maxLength: 3 }), { maxLength: 4 }),
    path,
  })
  return fc.array(round, { minLength: 1, maxLength: 6 })
}
const ANYTHING: Cast = {
  who: 5,
  pattern: anyPattern,
  path: anyPath.filter((path) => !path.startsWith('@')),
  acts: 6,
}
/** So many on so few paths that they are sometimes more than is kept of a path. */
const CROWD: Cast = {
  who: 14,
  pattern: fc.constantFrom('a', 'a', 'a/b', '*', 'a/**'),
  path: fc.constantFrom('a', 'a/b'),
  acts: 24,
}

const CASTS = [
  ['', ANYTHING, false],
  [', where those who were found are kept', ANYTHING, true],
  [', where many are found and kept', CROWD, true],
] as const

for (const [where, cast, keeps] of CASTS) {
  test(`whatever is subscribed and unsubscribed during updates, each gets what it is owed, once${where}`, async () => {
    dispatchProperty(cast, keeps)
  })
}

function dispatchProperty(cast: Cast, keeps: boolean): void {
  fc.assert(
    fc.property(anyRounds(cast), (rounds) => {
      const found = new Map<string, Found<Component, Message>>()
      const messageAt = (path: string): Message => {
        if (!keeps) return jsonMessage(1)
        const known = found.get(path) ?? new Found()
        found.set(path, known)
        return new Update(path, jsonMessage(1), 1, '', Mark.none, known)
      }
      const held = new Map<number, Set<string>>()
      const wants = (who: number, path: string): boolean =>
        [...(held.get(who) ?? [])].some((pattern) => matchesPlainly(pattern, path))
      let got: number[] = []
      let left = new Set<number>()
      let during: Act[][] = []
      const components = Array.from({ length: cast.who }, (_, who) =>
        doing(`component ${who}`, (path) => {
          assert.ok(wants(who, path), `${who} got ${path}, to which it is not subscribed`)
          got.push(who)
          for (const each of during.shift() ?? []) run(each)
        }),
      )
      const router: Router = new Router({
        find: () => undefined,
        onThrow: (thrown) => {
          throw thrown
        },
      })
      const { dispatcher } = router
      const run = ({ kind, who, pattern }: Act): void => {
        const component = components[who] as Component
        const mine = held.get(who) ?? new Set<string>()
        held.set(who, mine)
        if (kind === 'subscribe') {
          assert.equal(dispatcher.subscribe(component, pattern), !mine.has(pattern))
          mine.add(pattern)
          return
        }
        left.add(who)
        if (kind === 'unsubscribe') {
          assert.equal(dispatcher.unsubscribe(component, pattern), mine.delete(pattern))
        } else {
          dispatcher.drop(component.id)
          mine.clear()
        }
      }
      for (const { before, during: acts, path } of rounds) {
        during = []
        before.forEach(run)
        const owed = components.map((_, who) => who).filter((who) => wants(who, path))
        got = []
        left = new Set()
        during = acts.map((each) => [...each])
        router.update(
          doing('publisher', () => undefined),
          path,
          messageAt(path),
        )
        assert.deepEqual(got, [...new Set(got)], 'one got it twice')
        for (const who of got) assert.ok(owed.includes(who), `${who} came later`)
        for (const who of owed) assert.ok(got.includes(who) || left.has(who), `${who} missed it`)
      }
      const holders = [...held.values()].filter((patterns) => patterns.size > 0).length
      assert.equal(dispatcher.subscribers.size, holders)
      for (const [who, patterns] of held) {
        const theirs = dispatcher.subscribers.get(`component ${who}`)?.patterns ?? new Set()
        assert.deepEqual([...theirs].sort(), [...patterns].sort())
      }
    }),
    { numRuns: 1_000 },
  )
}

test('who has left is kept by nobody who found it', async (t) => {
  const { router, dispatcher, publisher } = setUp()
  const found = new Found<Component, Message>()
  const publish = (): void => {
    router.update(publisher, 'a', new Update('a', jsonMessage(1), 1, '', Mark.none, found))
  }
  const comeAndGo = (leave: (component: Component) => void): WeakRef<Component> => {
    const component = new RecordingComponent('guest')
    dispatcher.subscribe(component, 'a')
    publish()
    t.equal(component.paths.length, 1)
    leave(component)
    return new WeakRef(component)
  }
  const left = [
    comeAndGo((component) => dispatcher.unsubscribe(component, 'a')),
    comeAndGo(({ id }) => dispatcher.drop(id)),
  ]
  // what a WeakRef has shown stays until the turn has ended
  await new Promise(setImmediate)
  collect()
  t.same(
    left.map((each) => each.deref()),
    [undefined, undefined],
  )
  publish()
})

test('what a path keeps of a crowd does not grow with the crowd', async (t) => {
  const { router, dispatcher, publisher } = setUp()
  for (let i = 0; i < 1_000; i++) dispatcher.subscribe(new RecordingComponent(`${i}`), '**')
  const found = Array.from({ length: 1_000 }, () => new Found<Component, Message>())
  collect()
  const before = process.memoryUsage().heapUsed
  for (const each of found) {
    router.update(publisher, 'a', new Update('a', jsonMessage(1), 1, '', Mark.none, each))
    for (const { receiver } of dispatcher.subscribers.values()) {
      ;(receiver as RecordingComponent).take()
    }
  }
  publisher.take()
  collect()
  const grown = process.memoryUsage().heapUsed - before
  t.ok(grown < 2e6, `${grown} bytes for ${found.length} paths`)
})

test('after everybody left, no update reaches anybody', async () => {
  const grants = fc.array(fc.tuple(fc.nat({ max: 4 }), anyPattern), { maxLength: 20 })
  fc.assert(
    fc.property(grants, anyPath, (subscriptions, path) => {
      const { router, dispatcher, publisher } = setUp()
      const probes = [0, 1, 2, 3, 4].map((who) => new RecordingComponent(`probe ${who}`))
      for (const [who, pattern] of subscriptions) {
        router.dispatcher.subscribe(probes[who] as Component, pattern)
      }
      for (const probe of probes) router.update(publisher, GONE, goneOf(probe))
      router.update(publisher, path, jsonMessage(1))
      assert.equal(dispatcher.subscribers.size, 0)
      assert.deepEqual(
        probes.flatMap((probe) => probe.paths.filter((each) => each !== GONE)),
        [],
      )
    }),
  )
})
