/**
 * RP-24, W6: a session outlives its links. Two sessions, joined by links that lose what is under way at any byte, say
 * what two on one good link would: no frame is lost, none is handled twice.
 */
import { randomNumbers } from '@sapwood/testkit'
import type { PipeStream } from '@sapwood/wire'
import { PipeFramer } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { GET, OK, Pair, pattern } from './pipe-pair.ts'

/** What may happen, with numbers to choose by. */
const step = fc.tuple(
  fc.constantFrom(
    'ask',
    'ask',
    'ask',
    'answerAsk',
    'update',
    'cancel',
    'carryUp',
    'carryUp',
    'carryDown',
    'carryDown',
    'flush',
    'flush',
    'wait',
    'take',
    'ping',
    'cut',
    'move',
  ),
  fc.nat(),
)

interface Expected {
  readonly stream: PipeStream
  readonly body: Uint8Array
  cancelled: boolean
}

/** Runs the steps, then lets everything arrive, and compares. */
function run(steps: readonly (readonly [string, number])[], isSlow: boolean): string[] {
  const limits = { streamWindow: 40_000, sessionWindow: 100_000, replay: 300_000 }
  const pair = new Pair(limits)
  const { near, far } = pair
  const asked: [Expected[], Expected[]] = [[], []]
  const updates: [Uint8Array[], Uint8Array[]] = [[], []]
  near.takes = far.takes = !isSlow
  const untaken: (readonly [typeof near, PipeStream, number])[] = []
  for (const end of [near, far]) {
    const { data } = end
    end.data = (stream, part) => {
      data.call(end, stream, part)
      if (isSlow) untaken.push([end, stream, part.length])
    }
    end.answer = (stream) => {
      end.session.respond(stream, { ...OK, status: 103 }, false)
      end.session.respond(stream, OK, false)
      const body = end.body(stream.id)
      end.session.send(stream, body.subarray(0, body.length >> 1), false)
      end.session.send(stream, body.subarray(body.length >> 1), false)
      end.session.finish(stream, body.length % 2 === 0 ? ['sum', `${body.length}`] : undefined)
    }
  }
  pair.settle()
  const take = (): void => {
    for (const [end, stream, length] of untaken.splice(0))
      end.session.took(stream, length, pair.now)
  }
  const ask = (side: 0 | 1, number: number): void => {
    const { session } = side === 0 ? near : far
    if (asked[side].length > 40 || session.state !== 'live') return
    const body = pattern(number % 5 === 0 ? number % 120_000 : number % 900, number)
    const stream = session.open({ ...GET, target: `/${body.length}` }, false)
    session.send(stream, body, true)
    asked[side].push({ stream, body, cancelled: false })
  }
  for (const [name, number] of steps) {
    if (name === 'ask') ask(0, number)
    else if (name === 'answerAsk') ask(1, number)
    else if (name === 'update' && updates[0].length < 10) {
      const bytes = pattern(number % 3 === 0 ? number % 150_000 : number % 300, number)
      const side = number % 2 === 0 ? 0 : 1
      ;(side === 0 ? near : far).session.update(bytes)
      updates[side].push(bytes)
    } else if (name === 'cancel') {
      const one = asked[0][number % Math.max(1, asked[0].length)]
      if (one === undefined || one.stream.state === 'closed') continue
      one.cancelled = true
      near.session.reset(one.stream, { code: 'CANCELLED', detail: '' })
    } else if (name === 'carryUp') pair.carryUp(number % 70_000)
    else if (name === 'carryDown') pair.carryDown(number % 70_000)
    else if (name === 'flush') pair.flush(number % 2 === 0 ? 131_072 : number % 5_000)
    else if (name === 'wait') pair.wait(number % 300)
    else if (name === 'take') take()
    else if (name === 'ping') near.session.ping(pair.now)
    else if (name === 'cut') {
      // what is under way arrives in part, or not at all
      pair.carryUp(number % 3 === 0 ? number % 2_000 : 0)
      pair.cut()
      pair.dial()
    } else if (name === 'move') {
      // a new link while the old one lives: what was under way on it is left out
      const old = pair.connection
      pair.dial()
      near.session.receive(old.dialler, old.down.take(number % 1_000), pair.now)
      if (old.accepted) far.session.receive(old.listener, old.up.take(number % 1_000), pair.now)
    }
  }
  for (let i = 0; i < 300; i++) {
    pair.flush()
    pair.carryUp()
    pair.carryDown()
    take()
    if (i % 20 === 19) pair.wait(150)
  }
  const wrong: string[] = []
  const sides = [
    [asked[0], near, far, updates[0]],
    [asked[1], far, near, updates[1]],
  ] as const
  for (const [list, asker, answerer, sent] of sides) {
    for (const { stream, body, cancelled } of list) {
      const { id } = stream
      const times = (text: string, end: typeof near): number =>
        end.said.filter((said) => said === text).length
      if (stream.state !== 'closed') wrong.push(`${id} is ${stream.state}`)
      if (times(`${id} GET /${body.length}`, answerer) !== 1) wrong.push(`${id} was not told once`)
      if (cancelled) continue
      if (times(`${id} 200`, asker) !== 1 || times(`${id} 103`, asker) !== 1)
        wrong.push(`${id} heads`)
      if (!answerer.body(id).equals(body)) wrong.push(`${id} came as another`)
      if (!asker.body(id).equals(body)) wrong.push(`${id} came back as another`)
      const trailers = body.length % 2 === 0 ? ` sum,${body.length}` : ''
      if (times(`${id} ended${trailers}`, asker) !== 1) wrong.push(`${id} end`)
    }
    const same =
      sent.length === answerer.updates.length &&
      sent.every((bytes, i) => Buffer.compare(bytes, answerer.updates[i] as Uint8Array) === 0)
    if (!same) wrong.push(`${sent.length} updates, ${answerer.updates.length} came`)
    const { session } = asker
    if (session.streams !== 0) wrong.push(`${session.streams} streams left`)
    if (session.kept !== 0) wrong.push(`${session.kept} bytes left`)
    wrong.push(...asker.said.filter((said) => /^(fault|closed|refused)/.test(said)))
  }
  return wrong
}

test('nothing is lost and nothing handled twice on links that are cut at any byte', async (t) => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 20, maxLength: 160 }),
      fc.boolean(),
      (steps, isSlow) => {
        t.strictSame(run(steps, isSlow), [])
      },
    ),
    { numRuns: 150 },
  )
})

test('the same on a link that is cut every few hundred bytes, for a long time', async (t) => {
  const random = randomNumbers(11)
  const some = (): number => Math.floor(random() * 1e9)
  for (let round = 0; round < 10; round++) {
    const steps: [string, number][] = []
    for (let i = 0; i < 400; i++) {
      const names = ['ask', 'flush', 'carryUp', 'carryDown', 'carryUp', 'flush', 'carryDown', 'cut']
      steps.push([names[i % names.length] as string, some()])
    }
    t.strictSame(run(steps, round % 2 === 0), [])
  }
})

test('what is broken off in the middle of DATA goes on at the next byte', async (t) => {
  const body = pattern(200_000)
  // one cut at each of many places, in the first frame and in later ones
  for (let at = 1; at < 160_000; at = at * 2 + 7) {
    const pair = new Pair()
    pair.settle()
    const stream = pair.near.session.open(GET, false)
    pair.near.session.send(stream, body, true)
    pair.flush()
    pair.carryUp(at)
    pair.cut()
    pair.dial()
    pair.settle()
    t.ok(pair.far.body(1).equals(body), `${at}`)
    const told = pair.far.heard().filter((said) => said.startsWith('1 '))
    t.strictSame(told, ['1 GET /time', '1 ended'])
  }
})

test('a frame that comes again as another ends the session', async (t) => {
  const pair = new Pair()
  pair.settle()
  const stream = pair.near.session.open(GET, false)
  pair.near.session.send(stream, pattern(20_000), true)
  pair.flush()
  pair.carryUp(10_000)
  pair.cut()
  pair.dial()
  pair.flush()
  pair.carryUp()
  const payload = pattern(5)
  const length = payload.length
  const other = { type: 6, ends: false, stream: 1, payload, length, first: true, last: true }
  pair.toListener(new PipeFramer().encode(other))
  t.match(pair.far.heard().at(-1), 'closed REPLAY_INVALID')
})

test('a link with a number that is not greater is refused, and does no harm', async (t) => {
  const pair = new Pair()
  pair.flush()
  const first = pair.connection.up.take(1_000)
  pair.toListener(first)
  pair.settle()
  const { far, connection } = pair
  pair.connection = Object.assign(Object.create(connection), { accepted: false })
  const { PipeLink } = await import('@sapwood/wire')
  const late = new PipeLink()
  const hello = late.greet(first)
  if (hello === undefined || 'code' in hello) throw new Error('no greeting')
  t.match(far.session.accept(late, hello, pair.now), { code: 'LINK_STALE' })
  const secret = new Uint8Array(32)
  t.match(far.session.accept(late, { ...hello, link: 2, secret }, pair.now), {
    code: 'SESSION_UNKNOWN',
  })
  t.match(far.session.accept(late, { ...hello, link: 2, oldest: 2, version: 3 }, pair.now), {
    code: 'VERSION_UNSUPPORTED',
  })
  pair.connection = connection
  pair.near.session.open(GET, true)
  pair.settle()
  t.strictSame(far.heard(), ['live', '1 GET /time', '1 ended'])
  t.match(far.session.accept(late, { ...hello, link: 2, received: 1 }, pair.now), {
    code: 'ACK_INVALID',
  })
  t.strictSame(far.heard(), ['1 ACK_INVALID', 'closed ACK_INVALID'])
})

test('a session that the listener does not know ends at the dialler; what was written is not proven', async (t) => {
  const pair = new Pair()
  pair.settle()
  pair.near.session.open(GET, true)
  pair.flush()
  pair.cut()
  // never flushed: nobody can have heard of it
  pair.near.session.open(GET, true)
  const { far } = new Pair()
  pair.far = far
  pair.dial()
  pair.flush()
  pair.carryUp()
  pair.carryDown()
  t.strictSame(pair.near.heard(), [
    'live',
    '1 SESSION_UNKNOWN',
    '3 SESSION_UNKNOWN undelivered',
    'closed SESSION_UNKNOWN',
  ])
})

test('a listener whose answer was lost is found again, with what it had sent', async (t) => {
  const pair = new Pair()
  pair.flush()
  pair.carryUp()
  pair.far.session.open(GET, true)
  pair.flush()
  pair.cut()
  pair.dial()
  pair.settle()
  t.strictSame(pair.near.heard(), ['resumed', '2 GET /time', '2 ended'])
})

test('ACK comes after 64 KiB, or 100 ms, and frees what was kept', async (t) => {
  const pair = new Pair()
  pair.settle()
  const { near, far } = pair
  const stream = near.session.open(GET, false)
  near.session.send(stream, pattern(1_000), false)
  pair.settle()
  t.ok(near.session.kept > 1_000)
  t.equal(far.session.due, pair.now + 100)
  pair.wait(49)
  pair.settle()
  t.ok(near.session.kept > 0)
  pair.wait(51)
  pair.settle()
  t.equal(near.session.kept, 0)
  near.session.send(stream, pattern(70_000), false)
  pair.settle()
  t.ok(near.session.kept < 66_000, `${near.session.kept}`)
})

test('what is kept stays as it was while memory is used again: long and short frames, ACK by ACK', async (t) => {
  const pair = new Pair({ streamWindow: 4_000_000 })
  pair.settle()
  const { near, far } = pair
  const random = randomNumbers(5)
  const stream = near.session.open(GET, false)
  const sent: Uint8Array[] = []
  for (let i = 0; i < 8_000; i++) {
    const bytes = pattern(
      random() < 0.05 ? 4_096 + Math.floor(random() * 900) : 1 + Math.floor(random() * 700),
      i,
    )
    near.session.send(stream, bytes, false)
    sent.push(bytes)
    if (i % 5 > 0) continue
    pair.flush()
    pair.carryUp(Math.floor(random() * 4_000))
    if (i % 10 === 0) pair.wait(100)
    pair.flush()
    pair.carryDown()
    if (i % 200 !== 0) continue
    pair.cut()
    pair.dial()
    pair.flush()
    pair.carryUp()
    pair.carryDown()
  }
  pair.settle()
  t.ok(far.body(1).equals(Buffer.concat(sent)))
})

test('an ACK of frames that were written to a former link only ends the session', async (t) => {
  const pair = new Pair()
  pair.settle()
  pair.near.session.open(GET, true)
  pair.flush()
  pair.cut()
  pair.dial()
  pair.near.session.flush(pair.connection.dialler, 0, pair.connection.up, pair.now)
  pair.carryUp()
  pair.far.session.flush(pair.connection.listener, 1e6, pair.connection.down, pair.now)
  pair.carryDown()
  const payload = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1)
  const ack = { type: 2, ends: false, stream: 0, payload, length: 8, first: true, last: true }
  pair.near.session.receive(pair.connection.dialler, new PipeFramer().encode(ack), pair.now)
  t.strictSame(pair.near.heard(), ['live', 'resumed', '1 ACK_INVALID', 'closed ACK_INVALID'])
})
