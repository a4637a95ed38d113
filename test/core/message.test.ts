import assert from 'node:assert/strict'
import type { Codec } from '@sapwood/core'
import {
  Backoff,
  BYTES_TYPE,
  bodyValue,
  JSON_TYPE,
  jsonMessage,
  Mark,
  message,
  NO_META,
  Receipt,
  reasonOf,
  SapwoodError,
  sizeOf,
  TEXT_TYPE,
  textOf,
  Update,
} from '@sapwood/core'
import { randomNumbers } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'

test('a JavaScript value becomes JSON, or bytes, and comes back', async (t) => {
  for (const value of [null, true, 0, 'a', ['b'], { c: { d: 1.5 } }]) {
    const made = jsonMessage(value)
    t.equal(made.type, JSON_TYPE)
    t.same(bodyValue(made), value)
  }
  const bytes = Uint8Array.of(1, 2)
  t.match(jsonMessage(bytes), { type: BYTES_TYPE, body: bytes })
  t.equal(bodyValue(jsonMessage(bytes)), bytes)
  t.equal(jsonMessage(undefined).body, 'null')
  t.equal(jsonMessage(1).meta, NO_META)
  t.same(jsonMessage(1, { id: 'x' }).meta, { id: 'x' })
})

test('what JSON cannot say is refused at the call', async (t) => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  for (const value of [() => 1, Symbol('a'), 1n, cycle]) {
    t.throws(() => jsonMessage(value), TypeError)
  }
})

test('any value that JSON can say survives', async () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(bodyValue(jsonMessage(value)), JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('text and bytes are given as they are', async (t) => {
  t.equal(bodyValue(message('{"a"', TEXT_TYPE)), '{"a"')
  t.equal(bodyValue(message('{"a":1}', TEXT_TYPE)), '{"a":1}')
  t.equal(message('1').type, JSON_TYPE)
})

test('the text of a control message is the JSON string or the body itself', async (t) => {
  t.equal(textOf(jsonMessage('id->a')), 'id->a')
  t.equal(textOf(message('id->a', TEXT_TYPE)), 'id->a')
  t.equal(textOf(message('id->a')), 'id->a', 'no JSON')
  t.equal(textOf(jsonMessage({ a: 1 })), '{"a":1}')
  t.equal(textOf(jsonMessage(7)), '7')
  t.equal(textOf(message(Uint8Array.of(65), BYTES_TYPE)), '')
})

test('a size is the length of text and the bytes of bytes', async (t) => {
  t.equal(sizeOf('abc'), 3)
  t.equal(sizeOf(new Uint8Array(7)), 7)
  t.equal(
    sizeOf({ [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: 0 }) }) }),
    0,
  )
})

/** A codec that counts how often it has to work. */
class Counting implements Codec<string> {
  readonly slot: number
  made = 0

  constructor(slot: number) {
    this.slot = slot
  }

  encode(update: Update): string {
    return `${this.slot} ${update.path} ${update.mark} ${++this.made}`
  }
}

test('an update is encoded once per codec, however many ask', async (t) => {
  const update = new Update('a', jsonMessage(1), 3, 'epoch-3')
  const [one, other] = [new Counting(0), new Counting(5)]
  for (let i = 0; i < 3; i++) {
    t.equal(update.encoded(one), '0 a 0 1')
    t.equal(update.encoded(other), '5 a 0 1')
  }
  update.forget()
  t.equal(update.encoded(one), '0 a 0 2', 'made again after it was freed')
})

test("the publisher's own copy is marked and encoded by itself, once", async (t) => {
  const update = new Update('a', message('1', TEXT_TYPE, { id: 'x' }), 3, 'epoch-3')
  const codec = new Counting(0)
  update.encoded(codec)
  t.equal(update.own(), update.own())
  t.equal(update.own().encoded(codec), '0 a 1 2')
  t.equal(update.own().encoded(codec), '0 a 1 2')
  t.match(update.own(), { path: 'a', body: '1', type: TEXT_TYPE, offset: 3, at: 'epoch-3' })
  t.same(update.own().meta, { id: 'x' })
  update.forget()
  t.equal(update.own().encoded(codec), '0 a 1 3')
  t.equal(update.mark, Mark.none)
})

test('marks add up', async (t) => {
  const update = new Update('a', jsonMessage(1))
  t.equal(update.marked(Mark.replay).mark, Mark.replay)
  t.equal(update.own().marked(Mark.replay).mark, Mark.own | Mark.replay)
  t.equal(update.marked(Mark.replay).own().mark, Mark.own | Mark.replay)
})

test('an update counts its body, its path and what is around them', async (t) => {
  const small = new Update('a', jsonMessage(1)).size
  t.equal(new Update('a/bc', jsonMessage(1)).size, small + 3)
  t.equal(new Update('a', jsonMessage('x'.repeat(98))).size, small + 99)
  t.ok(small > 2)
})

test('a receipt is JSON, and says so when it is a repeat', async (t) => {
  const odd = 'an "id"\n'
  t.same(bodyValue(new Receipt(odd, 'e-1', 2)), { id: odd, at: 'e-1', matched: 2 })
  t.same(bodyValue(new Receipt('i', 'e-1', 0, true)), {
    id: 'i',
    at: 'e-1',
    matched: 0,
    duplicate: true,
  })
  t.match(new Receipt('i', '', 0), { type: JSON_TYPE, meta: NO_META })
})

test('an error carries a code, what happened and the HTTP status that fits', async (t) => {
  const cause = new Error('below')
  const error = new SapwoodError('A_CODE', 'what happened', { status: 409, cause })
  t.match(error, {
    code: 'A_CODE',
    detail: 'what happened',
    status: 409,
    cause,
    name: 'SapwoodError',
  })
  t.equal(new SapwoodError('A', 'b').status, 400)
  t.notOk('cause' in new SapwoodError('A', 'b'))
  t.equal(reasonOf(error), 'what happened')
  t.equal(reasonOf('text'), 'text')
  t.equal(reasonOf(undefined), 'undefined')
})

test('the wait before an attempt is anything below a ceiling that doubles', async (t) => {
  const highest = new Backoff({ first: 100, highest: 1_000, random: () => 0.999_999 })
  t.same(
    [1, 2, 3, 4, 5, 6].map(() => highest.next()),
    [99, 199, 399, 799, 999, 999],
  )
  const least = new Backoff({ random: () => 0 })
  t.same([least.next(), least.next(5_000)], [0, 5_000])
  t.equal(least.attempts, 2)
  highest.reset()
  t.equal(highest.attempts, 0)
  t.equal(highest.next(), 99)
})

test('what the other side asks for counts only where it is a time', async (t) => {
  const backoff = new Backoff({ random: () => 0.5 })
  t.same(
    [Number.NaN, -5_000, 1_500].map((least) => backoff.next(least)),
    [125, 250, 2_000],
  )
})

test('waits stay within their bounds for ever', async () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 5_000 }), fc.nat({ max: 3_000 }), (seed, first, least) => {
      const backoff = new Backoff({ first, highest: 20_000, random: randomNumbers(seed) })
      for (let i = 0; i < 100; i++) {
        const ceiling = Math.min(20_000, first * 2 ** i)
        const ms = backoff.next(least)
        assert.ok(ms >= least && ms <= least + ceiling, `${ms} at attempt ${i}`)
      }
    }),
  )
})
