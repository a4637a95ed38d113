import assert from 'node:assert/strict'
import { jsonMessage } from '@sapwood/core'
import { cuts, FakeClock, RecordingComponent, randomLetters, randomNumbers } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'

test('a fake clock runs what falls due in the order of due times, at exactly that time', async (t) => {
  const clock = new FakeClock(1_000)
  const ran: [name: string, at: number][] = []
  const run = (name: string) => (): void => {
    ran.push([name, clock.now()])
  }
  clock.after(30, run('c'))
  clock.after(10, () => {
    run('a')()
    clock.after(5, run('b'))
    clock.after(0, run('a, at once'))
  })
  clock.after(30, run('d'))
  clock.after(-4, run('now'))
  clock.advance(0)
  t.same(ran, [['now', 1_000]])
  t.equal(clock.untilNext, 10)
  clock.advance(29)
  clock.advance(1)
  t.same(ran.slice(1), [
    ['a', 1_010],
    ['a, at once', 1_010],
    ['b', 1_015],
    ['c', 1_030],
    ['d', 1_030],
  ])
  t.equal(clock.now(), 1_030)
  t.equal(clock.pending, 0)
  t.equal(clock.untilNext, undefined)
})

test('a fake clock forgets what was undone, also by another run of the same moment', async (t) => {
  const clock = new FakeClock()
  const undos: (() => void)[] = []
  clock.after(10, () => undos[0]?.())
  undos.push(clock.after(10, () => t.fail('undone')))
  const undo = clock.after(20, () => t.fail('undone'))
  undo()
  undo()
  clock.advance(100)
  undos[0] = clock.after(5, () => t.fail('undone'))
  clock.after(3, () => undos[0]?.())
  clock.jump(10)
  t.equal(clock.pending, 0)
})

test('a jump runs everything late, at its end', async (t) => {
  const clock = new FakeClock()
  const times: number[] = []
  clock.after(10, () => times.push(clock.now()))
  clock.after(20, () => times.push(clock.now()))
  clock.after(200, () => times.push(clock.now()))
  clock.jump(100)
  t.same(times, [100, 100])
})

test('a fake clock refuses to go back, and what never ends', async (t) => {
  const clock = new FakeClock()
  t.throws(() => clock.advance(-1), RangeError)
  t.throws(() => clock.jump(Number.NaN), RangeError)
  t.throws(() => clock.after(Number.NaN, () => undefined), RangeError)
  const again = (): void => {
    clock.after(0, again)
  }
  again()
  t.throws(() => clock.advance(1), /endless/)
})

test('every cut joined gives the bytes, and each chunk is its own copy', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), (bytes, seed) => {
      const names = new Set<string>()
      for (const { name, chunks } of cuts(bytes, { seed, random: 5 })) {
        names.add(name)
        assert.deepEqual(Buffer.concat(chunks), Buffer.from(bytes), name)
        for (const chunk of chunks) assert.notEqual(chunk.buffer, bytes.buffer)
      }
      assert.equal(names.size, 2 + Math.max(0, bytes.length - 1) + 5)
      assert.deepEqual([...cuts(bytes, { seed })], [...cuts(bytes, { seed })])
    }),
  )
})

test('text is cut as UTF-8, also within a character', async (t) => {
  const found = [...cuts('ä', { random: 0 })]
  t.same(
    found.map(({ name, chunks }) => [name, chunks.map((chunk) => [...chunk])]),
    [
      ['whole', [[0xc3, 0xa4]]],
      ['byte by byte', [[0xc3], [0xa4]]],
      ['at 1', [[0xc3], [0xa4]]],
    ],
  )
})

test('long bytes get as many two-way cuts as were asked for, spread from end to end', async (t) => {
  const found = [...cuts(new Uint8Array(1_001), { random: 0, twoWay: 10 })].slice(2)
  t.same(
    found.map(({ chunks }) => chunks[0]?.length),
    [1, 101, 201, 301, 401, 501, 601, 701, 801, 901],
  )
})

test('numbers and letters are the same for the same seed', async (t) => {
  const [a, b, c] = [randomNumbers(1), randomNumbers(1), randomNumbers(2)]
  const first = Array.from({ length: 1_000 }, a)
  t.same(Array.from({ length: 1_000 }, b), first)
  t.notSame(Array.from({ length: 1_000 }, c), first)
  t.ok(first.every((number) => number >= 0 && number < 1))
  t.equal(new Set(first).size, 1_000)
  t.match(randomLetters(1)(32), /^[A-Za-z0-9]{32}$/)
  t.equal(randomLetters(7)(9), randomLetters(7)(9))
})

test('a recording component keeps what it was told', async (t) => {
  const probe = new RecordingComponent('probe')
  probe.update(probe, 'a', jsonMessage({ n: 1 }))
  probe.update(probe, 'b', jsonMessage(2))
  t.same(probe.paths, ['a', 'b'])
  t.same(probe.lines, ['a {"n":1}', 'b 2'])
  t.same(probe.values(), [{ n: 1 }, 2])
  t.same(probe.values('b'), [2])
  t.equal(probe.take().length, 2)
  t.same(probe.received, [])
})
