/** Random lives of a client against the plainest books. */
import type { Policy } from '@sapwood/hub'
import fc from 'fast-check'
import { test } from 'tap'
import type { After, Life, Step } from './session-life.ts'
import { EPOCH, PATHS, PATTERNS, SessionLife } from './session-life.ts'

const after: fc.Arbitrary<After> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<After>({ from: 'now' }) },
  { weight: 3, arbitrary: fc.nat({ max: 20 }).map((back): After => ({ from: 'seen', back })) },
  { weight: 3, arbitrary: fc.nat({ max: 40 }).map((back): After => ({ from: 'log', back })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('nonsense', '00000000000000bb-3', `${EPOCH}-99999999`)
      .map((text): After => ({ from: 'nowhere', text })),
  },
)

const publish: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('publish' as const),
  path: fc.nat({ max: PATHS.length - 1 }),
  count: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 12 })),
  size: fc.constantFrom(0, 10, 400),
  mine: fc.oneof(
    { weight: 6, arbitrary: fc.constant('no' as const) },
    { weight: 1, arbitrary: fc.constantFrom('own' as const, 'exclude' as const) },
  ),
})
const connect: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('connect' as const),
  pattern: fc.nat({ max: PATTERNS.length - 1 }),
  after,
})
const plainConnect: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('connect' as const),
  pattern: fc.nat({ max: PATTERNS.length - 1 }),
  after: fc.constant<After>({ from: 'now' }),
})
const disconnect: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('disconnect' as const),
  pattern: fc.nat({ max: 4 }),
})
const flush: fc.Arbitrary<Step> = fc.constant({ do: 'flush' })
const answer: fc.Arbitrary<Step> = fc.constant({ do: 'answer' })
const arrive: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('arrive' as const),
  count: fc.oneof(fc.nat({ max: 6 }), fc.constant(1_000)),
})
const room: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('room' as const),
  capacity: fc.constantFrom(0, 300, 2_000, 1e9),
})
const resume: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('resume' as const),
  cut: fc.oneof(fc.nat({ max: 6 }), fc.constant(1_000)),
  over: fc.boolean(),
  bare: fc.oneof(
    { weight: 8, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
})
const renew: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('renew' as const),
  cut: fc.nat({ max: 6 }),
})
const pass: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('pass' as const),
  ms: fc.nat({ max: 800 }),
})

function lives(joins: boolean): fc.Arbitrary<Life> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: publish },
    { weight: 4, arbitrary: joins ? connect : plainConnect },
    { weight: 1, arbitrary: disconnect },
    { weight: 6, arbitrary: flush },
    { weight: 3, arbitrary: answer },
    { weight: 4, arbitrary: arrive },
    { weight: 2, arbitrary: room },
    { weight: 3, arbitrary: resume },
    { weight: joins ? 1 : 0, arbitrary: renew },
    { weight: 1, arbitrary: pass },
  )
  const roomy = { count: 100_000, pathCount: 100_000, age: 1e9 }
  return fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 40 }),
    history: fc.oneof(
      fc.constant(roomy),
      fc.record({
        count: fc.constantFrom(15, 40, 100_000),
        pathCount: fc.constantFrom(3, 10, 100_000),
        age: fc.constantFrom(1_000, 1e9),
      }),
    ),
    outbox: fc.constantFrom(2_000, 1_000_000),
    policy: fc.constantFrom<Policy>('catch-up', 'catch-up', 'drop-oldest', 'disconnect'),
    capacity: fc.constantFrom(0, 300, 2_000, 1e9),
    late: fc.boolean(),
    confirms: fc.boolean(),
  })
}

const runs = Number(process.env.LIVES ?? 400)

async function check(joins: boolean): Promise<void> {
  await fc.assert(
    fc.asyncProperty(lives(joins), (life) => new SessionLife(life).run()),
    { numRuns: runs },
  )
}

test('a client that comes and goes gets each update once, or is told of a gap', async () => {
  await check(false)
})

test('so does one that subscribes from positions of its own', async () => {
  await check(true)
})
