import assert from 'node:assert/strict'
import type { Timed } from '@sapwood/core'
import { Timer, Wheel } from '@sapwood/core'
import { FakeClock } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'

const TICK = 20

/** A target that records when it was called. */
class Probe implements Timed {
  readonly clock: FakeClock
  readonly times: number[] = []
  readonly timer: Timer = new Timer(this)
  whenFired: () => void = () => undefined

  constructor(clock: FakeClock) {
    this.clock = clock
  }

  expired(): void {
    this.times.push(this.clock.now())
    this.whenFired()
  }
}

function setUp(now = 0) {
  const clock = new FakeClock(now)
  return { clock, wheel: new Wheel(clock, TICK), probe: new Probe(clock) }
}

test('a timer fires once, at its time', async (t) => {
  const { clock, wheel, probe } = setUp()
  wheel.set(probe.timer, 100)
  t.ok(probe.timer.pending)
  t.equal(wheel.pending, 1)
  clock.advance(99)
  t.same(probe.times, [])
  clock.advance(1)
  t.same(probe.times, [100])
  t.notOk(probe.timer.pending)
  t.equal(wheel.pending, 0)
  clock.advance(60_000)
  t.same(probe.times, [100])
})

test('a timer without end waits for as long as a timer of the platform can', async (t) => {
  const { clock, wheel, probe } = setUp()
  wheel.set(probe.timer, Number.POSITIVE_INFINITY)
  t.equal(wheel.pending, 1)
  clock.jump(2 ** 31 - 2)
  t.same(probe.times, [])
  clock.advance(TICK)
  t.equal(probe.times.length, 1)
})

test('a timer that is set again is moved, and one that is cleared does not fire', async (t) => {
  const { clock, wheel, probe } = setUp()
  wheel.set(probe.timer, 100)
  clock.advance(80)
  wheel.set(probe.timer, 100)
  t.equal(wheel.pending, 1)
  clock.advance(99)
  t.same(probe.times, [])
  clock.advance(TICK)
  t.same(probe.times, [180])
  wheel.set(probe.timer, 40)
  wheel.clear(probe.timer)
  wheel.clear(probe.timer)
  t.equal(wheel.pending, 0)
  clock.advance(1_000)
  t.equal(probe.times.length, 1)
})

test('a timer fires within one tick, wherever in a tick the wheel began', async (t) => {
  for (let phase = 0; phase < TICK; phase++) {
    for (let ms = 0; ms < 2 * TICK; ms++) {
      const { clock, wheel, probe } = setUp(phase)
      wheel.set(probe.timer, ms)
      clock.advance(200)
      const late = (probe.times[0] ?? Number.NaN) - phase - ms
      if (!(late >= 0 && late <= TICK)) t.fail(`set at ${phase} for ${ms} ms: ${late} ms late`)
    }
  }
})

test('a wait of many turns of the wheel ends in the right one', async (t) => {
  const { clock, wheel, probe } = setUp()
  const turn = 512 * TICK
  wheel.set(probe.timer, 5 * turn + 30)
  clock.advance(5 * turn + 29)
  t.same(probe.times, [])
  clock.advance(TICK)
  t.same(probe.times, [5 * turn + 40])
})

test('a wheel with nothing to do sets no timer of the clock', async (t) => {
  const { clock, wheel, probe } = setUp()
  t.equal(clock.pending, 0)
  wheel.set(probe.timer, 50)
  t.equal(clock.pending, 1)
  clock.advance(500)
  t.equal(clock.pending, 0)
})

test('the clock wakes the wheel for what is set, and not in between', async (t) => {
  const { clock, wheel, probe } = setUp()
  const sooner = new Probe(clock)
  wheel.set(probe.timer, 5_000)
  t.equal(clock.untilNext, 5_000)
  wheel.set(sooner.timer, 100)
  t.equal(clock.untilNext, 100, 'what is due sooner is not waited past')
  wheel.set(sooner.timer, 6_000)
  clock.advance(100)
  t.equal(clock.untilNext, 4_900, 'put off: woken once for nothing')
  clock.advance(4_900)
  t.same([probe.times, clock.untilNext], [[5_000], 1_000])
  wheel.clear(sooner.timer)
  t.equal(clock.pending, 0, 'nothing keeps the process up for a timer that is cleared')
})

test('after a long pause what is due fires at once and what is not does not', async (t) => {
  const { clock, wheel, probe } = setUp()
  const [late, early] = [new Probe(clock), new Probe(clock)]
  wheel.set(probe.timer, 100)
  wheel.set(early.timer, 3_600_000 - 5)
  wheel.set(late.timer, 3_600_000 + 100)
  clock.jump(3_600_000)
  t.same(probe.times, [3_600_000])
  clock.advance(TICK)
  t.equal(early.times.length, 1)
  t.same(late.times, [])
  clock.advance(100)
  t.same(late.times, [3_600_100])
})

test('a target may set its own timer, and others, anew', async (t) => {
  const { clock, wheel, probe } = setUp()
  const other = new Probe(clock)
  probe.whenFired = () => {
    wheel.set(probe.timer, 0)
    wheel.set(other.timer, 100)
  }
  wheel.set(probe.timer, 40)
  wheel.set(other.timer, 40)
  clock.advance(39)
  t.same(other.times, [])
  clock.advance(101)
  t.same(probe.times, [40, 60, 80, 100, 120, 140])
  t.same(other.times, [], 'put off each time')
})

test('a target that clears one which is due as well keeps it from firing', async (t) => {
  const { clock, wheel } = setUp()
  const probes = [new Probe(clock), new Probe(clock)] as const
  probes[0].whenFired = () => wheel.clear(probes[1].timer)
  probes[1].whenFired = () => wheel.clear(probes[0].timer)
  for (const probe of probes) wheel.set(probe.timer, 40)
  clock.advance(200)
  t.equal(probes[0].times.length + probes[1].times.length, 1)
  t.equal(wheel.pending, 0)
})

test('a target that throws hinders no other, and the mistake is seen', async (t) => {
  const { clock, wheel, probe } = setUp()
  const [behind, later] = [new Probe(clock), new Probe(clock)]
  probe.whenFired = () => {
    throw new Error('mistake')
  }
  wheel.set(probe.timer, 40)
  wheel.set(behind.timer, 40)
  wheel.set(later.timer, 80)
  t.throws(() => clock.advance(200), { message: 'mistake' })
  clock.advance(200)
  t.same(behind.times, [40])
  t.same(later.times, [80])
})

test('`after` runs once and can be undone', async (t) => {
  const { clock, wheel } = setUp()
  let runs = 0
  wheel.after(40, () => runs++)
  const undo = wheel.after(40, () => runs++)
  undo()
  clock.advance(200)
  undo()
  t.equal(runs, 1)
})

test('a closed wheel fires nothing and leaves no timer of the clock', async (t) => {
  const { clock, wheel, probe } = setUp()
  wheel.set(probe.timer, 40)
  wheel.close()
  wheel.close()
  t.equal(clock.pending, 0)
  wheel.set(probe.timer, 40)
  wheel.after(40, () => t.fail('ran after the end'))
  clock.advance(1_000)
  t.same(probe.times, [])
  t.equal(clock.pending, 0)
})

test('who waits for the end of a wheel hears of it once, unless they forgot it', async (t) => {
  const { wheel } = setUp()
  const heard: string[] = []
  wheel.whenClosed(() => heard.push('waited'))
  wheel.whenClosed(() => heard.push('forgot'))()
  wheel.close()
  wheel.close()
  t.same(heard, ['waited'])
})

test('a target may close the wheel', async (t) => {
  const { clock, wheel, probe } = setUp()
  const other = new Probe(clock)
  probe.whenFired = () => wheel.close()
  wheel.set(probe.timer, 40)
  wheel.set(other.timer, 60)
  clock.advance(1_000)
  t.same([probe.times, other.times], [[40], []])
  t.equal(clock.pending, 0)
})

test('ten thousand timers cost one timer of the clock', async (t) => {
  const { clock, wheel } = setUp()
  const probes = Array.from({ length: 10_000 }, () => new Probe(clock))
  for (const [i, probe] of probes.entries()) wheel.set(probe.timer, i)
  t.equal(clock.pending, 1)
  clock.advance(10_000 + TICK)
  t.ok(probes.every((probe) => probe.times.length === 1))
})

const wait = fc.oneof(
  fc.nat({ max: 100 }),
  fc.nat({ max: 30_000 }),
  // parts of milliseconds whose sums are exact, so that late by nothing is not late by a rounding
  fc.nat({ max: 4800 }).map((sixteenths) => sixteenths / 16),
  fc.constantFrom(-5, 20, 40, 512 * TICK, 513 * TICK),
)

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('set'), who: fc.nat({ max: 5 }), ms: wait }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('clear'), who: fc.nat({ max: 5 }), ms: wait }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('advance'), who: fc.nat(), ms: wait }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump'), who: fc.nat(), ms: wait }) },
)

test('whatever is set, moved and cleared: never early, at most a tick late, each once', async () => {
  fc.assert(
    fc.property(fc.nat({ max: 100 }), fc.array(step, { maxLength: 40 }), (start, steps) => {
      const clock = new FakeClock(start)
      const wheel = new Wheel(clock, TICK)
      const due = new Map<Probe, number>()
      // nothing can fire while the event loop stands still, so lateness counts from there
      let stoodStill = start
      const probes = Array.from({ length: 6 }, () => {
        const probe = new Probe(clock)
        probe.whenFired = () => {
          const at = due.get(probe)
          assert.ok(at !== undefined, 'fired without being set')
          assert.ok(clock.now() >= at, `${at - clock.now()} ms early`)
          const late = clock.now() - Math.max(at, stoodStill)
          // an alarm is set in whole milliseconds
          assert.ok(late < TICK + 1, `${late} ms late`)
          due.delete(probe)
        }
        return probe
      })
      for (const { kind, who, ms } of steps) {
        const probe = probes[who % probes.length] as Probe
        if (kind === 'set') {
          wheel.set(probe.timer, ms)
          due.set(probe, clock.now() + Math.max(0, ms))
        } else if (kind === 'clear') {
          wheel.clear(probe.timer)
          due.delete(probe)
        } else if (kind === 'advance') clock.advance(Math.max(0, ms))
        else {
          stoodStill = clock.now() + Math.max(0, ms)
          clock.jump(Math.max(0, ms))
        }
        assert.equal(wheel.pending, due.size)
        for (const each of probes) assert.equal(each.timer.pending, due.has(each))
      }
      clock.advance(60_000)
      assert.equal(due.size, 0, 'one never fired')
      assert.equal(clock.pending, 0)
    }),
    { numRuns: 1_000 },
  )
})
