/** RP-18 to RP-24, RP-44, W6, W7, W9: streams, credit, turns, life and what a bad peer gets. */
import { cuts, randomNumbers } from '@sapwood/testkit'
import { FrameType, PIPE_LIMITS, PipeLink, PipeSession } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { Connection, End, frame, GET, ID, OK, Pair, pattern, SECRET, wide } from './pipe-pair.ts'

/** A pair whose greeting is done and forgotten. */
function live(...limits: ConstructorParameters<typeof Pair>): Pair {
  const pair = new Pair(...limits)
  pair.settle()
  pair.near.heard()
  pair.far.heard()
  return pair
}

const REQUEST = [0x0a, 3, 71, 69, 84, 0x12, 1, 47]

test('a request and its answer, both bodies at once, trailers, interim heads; from both sides', async (t) => {
  const pair = live()
  const { near, far } = pair
  for (const [asker, answerer, id] of [
    [near, far, 1],
    [far, near, 2],
  ] as const) {
    answerer.answer = (stream) => answerer.session.finish(stream, ['sum', '42'])
    const stream = asker.session.open({ ...GET, headers: ['x', 'ü'] }, false)
    asker.session.send(stream, pattern(10), false)
    pair.settle()
    t.equal(stream.state, 'open')
    const theirs = answerer.stream(id)
    answerer.session.respond(theirs, { ...OK, status: 100 }, false)
    answerer.session.respond(theirs, OK, false)
    answerer.session.send(theirs, pattern(70_000), false)
    pair.settle()
    asker.session.send(stream, pattern(5), true)
    t.equal(stream.state, 'half-closed (local)')
    pair.settle()
    t.equal(stream.state, 'closed')
    const told = answerer.heard().filter((said) => said !== `${id} drained`)
    t.strictSame(told, [`${id} GET /time`, `${id} ended`])
    t.strictSame(asker.heard(), [`${id} 100`, `${id} 200`, `${id} ended sum,42`])
    t.equal(answerer.body(id).length, 15)
    t.ok(asker.body(id).equals(pattern(70_000)))
    t.equal(near.session.streams + far.session.streams, 0)
  }
})

test('an exchange says the same however its bytes are cut', async (t) => {
  const script = (): { bytes: Buffer; got: unknown[] } => {
    const pair = live()
    const { near, far } = pair
    const stream = near.session.open(GET, false)
    near.session.send(stream, pattern(90), false)
    near.session.update(pattern(20))
    near.session.finish(stream, ['a', 'b'])
    near.session.reset(near.session.open(GET, false), { code: 'CANCELLED', detail: 'x' })
    near.session.ping(pair.now)
    near.session.flush(pair.connection.dialler, 1e6, pair.connection.up, pair.now)
    const bytes = Buffer.from(pair.connection.up.take(1e6))
    pair.toListener(bytes)
    return { bytes, got: got(far) }
  }
  const got = (far: End): unknown[] => [...far.heard(), far.body(1), Buffer.concat(far.updates)]
  const expected = script()
  t.strictSame(expected.got, [
    '1 GET /time',
    '1 ended a,b',
    '3 GET /time',
    '3 CANCELLED',
    Buffer.from(pattern(90)),
    Buffer.from(pattern(20)),
  ])
  for (const { name, chunks } of cuts(expected.bytes, { random: 50 })) {
    const { far, connection, now } = live()
    for (const chunk of chunks) far.session.receive(connection.listener, chunk, now)
    t.strictSame(got(far), expected.got, name)
  }
})

test('who does not take a body stops its sender: no more than the windows waits anywhere', async (t) => {
  const pair = live()
  const { near, far } = pair
  far.takes = false
  const stream = near.session.open(GET, false)
  t.equal(near.session.send(stream, pattern(30_000_000), true), false)
  pair.settle()
  t.equal(far.body(1).length, PIPE_LIMITS.streamWindow)
  const theirs = far.stream(1)
  t.equal(theirs.untaken, PIPE_LIMITS.streamWindow)
  far.session.took(theirs, 100_000, pair.now)
  pair.settle()
  t.equal(far.body(1).length, PIPE_LIMITS.streamWindow, 'less than half a window is not told')
  far.session.took(theirs, 31_072, pair.now + 10)
  pair.settle()
  t.equal(far.body(1).length, PIPE_LIMITS.streamWindow + 131_072)
  t.throws(
    () => near.session.send(near.session.open(GET, false), new Uint8Array(40_000_000), false),
    { code: 'QUEUE_FULL' },
  )
})

/** Puts a line between both ends, with this delay each way and so many bytes a millisecond. @returns what lets time pass. */
function line(pair: Pair, delay: number, rate: number): (milliseconds: number) => void {
  const { near, connection } = pair
  const [up, down]: [Uint8Array[], Uint8Array[]] = [[], []]
  return (milliseconds) => {
    for (let i = 0; i < milliseconds; i++) {
      pair.flush()
      up.push(connection.up.take(rate))
      down.push(connection.down.take(rate))
      pair.wait(1)
      if (up.length < delay) continue
      pair.toListener(up.shift() as Uint8Array)
      near.session.receive(connection.dialler, down.shift() as Uint8Array, pair.now)
    }
  }
}

test('a window grows while half of it is taken within a round trip, up to 16 MiB', async (t) => {
  const pair = live()
  const { near, far } = pair
  const stream = near.session.open(GET, false)
  const bytes = new Uint8Array(1_000_000)
  const pass = line(pair, 100, 300_000)
  for (let i = 0; i < 2_500; i++) {
    if (stream.queued < bytes.length) near.session.send(stream, bytes, false)
    pass(1)
  }
  t.equal(far.stream(1).window?.window, PIPE_LIMITS.streamWindowMost)
  const slow = live()
  const other = slow.near.session.open(GET, false)
  slow.far.takes = false
  slow.near.session.send(other, pattern(3_000_000), true)
  for (let i = 0; i < 20; i++) {
    slow.settle()
    slow.wait(20)
    slow.far.session.took(slow.far.stream(1), 131_072, slow.now)
  }
  t.equal(slow.far.stream(1).window?.window, PIPE_LIMITS.streamWindow)
})

test('a window grows to fit a long line at either end, though no end asks for signs of life', async (t) => {
  for (const [sender, receiver] of [
    ['near', 'far'],
    ['far', 'near'],
  ] as const) {
    const pair = new Pair()
    // 200 ms there and back at 20 Mbit/s: half a megabyte is under way
    const pass = line(pair, 100, 2_500)
    pass(500)
    const receiving = pair[receiver]
    const stream = pair[sender].session.open(GET, false)
    pair[sender].session.send(stream, pattern(30_000_000), true)
    pass(3_000)
    const before = receiving.body(stream.id).length
    pass(1_000)
    const rate = (receiving.body(stream.id).length - before) / 1_000
    t.ok(rate > 2_300, `${receiver}: ${rate} of 2,500 bytes a millisecond`)
    t.ok(receiving.session.roundTrip >= 200, `${receiving.session.roundTrip} ms`)
  }
})

test('a window fits the way, not the jams on it; another way is believed after a minute', async (t) => {
  const { far, near, now } = live()
  const { session } = far
  for (const milliseconds of [40, 4, 300]) session.measured(milliseconds)
  t.equal(session.roundTrip, 300)
  t.equal(session.shortestTrip, 4)
  for (let seconds = 1; seconds <= 60; seconds++) {
    session.now = now + seconds * 1_000
    session.measured(300)
  }
  t.equal(session.shortestTrip, 300)
  near.session.measured(1)
  near.session.dial(now)
  t.equal(near.session.shortestTrip, 0, 'of another link nothing is known')
})

test('a thousand stalled readers: memory is flat, small messages and pings pass', async (t) => {
  const pair = live()
  const { near, far } = pair
  far.takes = false
  const body = pattern(200_000)
  for (let i = 0; i < 1_000; i++) near.session.send(near.session.open(GET, false), body, true)
  pair.settle(4_000_000)
  let held = 0
  for (const parts of far.bodies.values()) for (const part of parts) held += part.length
  t.ok(held <= PIPE_LIMITS.sessionWindow + 1_000 * 16_384, `${held}`)
  t.ok(held >= PIPE_LIMITS.sessionWindow, `${held}`)
  far.heard()
  far.answer = (stream) => {
    far.session.respond(stream, OK, false)
    far.session.send(stream, pattern(100), true)
  }
  const small = near.session.open(GET, false)
  near.session.send(small, pattern(9_000), true)
  pair.settle()
  t.equal(small.state, 'closed')
  for (let id = 1; id < 2_000; id += 2)
    far.session.reset(far.stream(id), { code: 'CANCELLED', detail: '' })
  pair.settle()
  t.equal(near.session.streams, 0)
  far.takes = true
  const large = near.session.open(GET, false)
  near.session.send(large, pattern(3_000_000), true)
  pair.settle()
  t.equal(large.state, 'closed', 'what was given up counts as taken')
})

test('what comes on a stream that was given up counts as taken, and the stream ends', async (t) => {
  const pair = live({ sessionWindow: 100_000 })
  const { near, far } = pair
  for (let id = 1; id < 40; id += 2) {
    const stream = near.session.open(GET, false)
    pair.settle()
    near.session.send(stream, pattern(90_000), id % 4 === 1)
    pair.flush()
    // the body is on its way
    far.session.reset(far.stream(id), { code: 'CANCELLED', detail: '' })
    pair.settle()
    t.equal(near.heard().at(-1), `${id} CANCELLED`)
    t.equal(near.session.streams + far.session.streams, 0)
  }
  near.session.send(near.session.open(GET, false), pattern(90_000), true)
  far.takes = false
  pair.settle()
  t.equal(far.body(41).length, 90_000, 'all of the credit has come back')
})

test('bodies take turns, small messages pass them, and no more than there is room for is written', async (t) => {
  const pair = live()
  const { near, connection } = pair
  const [one, two] = [near.session.open(GET, false), near.session.open(GET, false)]
  near.session.send(one, pattern(250_000), true)
  near.session.send(two, pattern(250_000), true)
  const given = near.session.flush(connection.dialler, 131_072, connection.up, pair.now)
  t.ok(given >= 131_072 && given < 131_072 + 16_500, `${given}`)
  t.ok(Math.abs(one.sent - two.sent) <= 16_384, `${one.sent} ${two.sent}`)
  t.ok(near.session.pending)
  t.equal(near.session.flush(connection.dialler, 0, connection.up, pair.now), 0)
  near.session.ping(pair.now)
  t.equal(near.session.flush(connection.dialler, 0, connection.up, pair.now), 18, 'control')
  const small = near.session.open(GET, false)
  near.session.send(small, pattern(100), true)
  pair.carryUp()
  const before = one.sent
  near.session.flush(connection.dialler, 300, connection.up, pair.now)
  pair.carryUp()
  t.equal(one.sent - before < 20_000, true)
  t.ok(pair.far.said.includes(`${small.id} ended`))
})

test('GOAWAY: what is open goes on, new streams are refused and known to be undelivered', async (t) => {
  const pair = live()
  const { near, far } = pair
  const open = near.session.open(GET, true)
  pair.settle()
  far.session.goaway({ code: 'RESTART', detail: 'a moment' }, 500)
  // passes the other on its way
  const late = near.session.open(GET, false)
  near.session.send(late, pattern(50_000), false)
  pair.settle()
  t.strictSame(near.heard(), ['goaway RESTART 500', `${late.id} PIPE_DRAINING undelivered`])
  t.throws(() => near.session.open(GET, true), { code: 'PIPE_DRAINING' })
  t.equal(near.session.available, 0)
  far.session.respond(far.stream(open.id), OK, true)
  far.session.open(GET, true)
  pair.settle()
  t.strictSame(near.heard(), ['1 200', '1 ended', '2 GET /time', '2 ended'])
  pair.cut()
  pair.dial()
  pair.settle()
  t.throws(() => near.session.open(GET, true), { code: 'PIPE_DRAINING' })
})

test('a session is idle when its answers are acknowledged, at once to who has said GOAWAY', async (t) => {
  const pair = live()
  const { near, far } = pair
  for (const isLeaving of [false, true]) {
    if (isLeaving) near.session.open(GET, true)
    const stream = near.session.open(GET, true)
    pair.settle()
    t.equal(far.session.idle, false, 'a stream is open')
    if (isLeaving) far.session.goaway({ code: 'RESTART', detail: 'a moment' }, 500)
    pair.cut()
    far.session.respond(far.stream(stream.id), OK, true)
    if (isLeaving) far.session.respond(far.stream(stream.id - 2), OK, true)
    t.strictSame([far.session.streams, far.session.idle], [0, false], 'nobody has the answer')
    pair.dial()
    pair.settle()
    t.equal(far.session.idle, isLeaving)
    pair.wait(100)
    pair.settle()
    t.equal(far.session.idle, true)
  }
  near.session.close({ code: 'SHUTDOWN', detail: 'enough' })
  t.equal(near.session.idle, true)
})

test('W6: the end of a session ends every stream at once, and tells which were never delivered', async (t) => {
  const pair = live()
  const { near, far } = pair
  near.session.open(GET, true)
  pair.settle()
  far.heard()
  near.session.open(GET, true)
  far.session.close({ code: 'REVOKED', detail: 'by the operator' })
  pair.settle()
  t.strictSame(far.heard(), ['1 REVOKED', 'closed REVOKED'])
  t.strictSame(near.heard(), ['1 REVOKED', '3 REVOKED undelivered', 'closed REVOKED'])
  t.ok(near.session.over)
  t.throws(() => near.session.open(GET, true), { code: 'PIPE_CLOSED' })
  t.throws(() => near.session.update(pattern(1)), { code: 'PIPE_CLOSED' })
  t.throws(() => near.session.dial(pair.now), { code: 'PIPE_CLOSED' })
})

test('more streams than the peer allows: none is opened, and one that comes is refused', async (t) => {
  const pair = live({}, { streams: 2 })
  const { near, far } = pair
  near.session.open(GET, true)
  near.session.open(GET, true)
  t.equal(near.session.available, 0)
  t.throws(() => near.session.open(GET, true), { code: 'STREAMS_FULL', status: 503 })
  pair.settle()
  far.heard()
  pair.toListener(frame(FrameType.headers, 5, REQUEST, true))
  pair.toListener(frame(FrameType.headers, 7, REQUEST))
  t.strictSame(far.heard(), ['fault STREAMS_FULL', 'fault STREAMS_FULL'])
  pair.toListener(frame(FrameType.headers, 9, REQUEST))
  pair.toListener(frame(FrameType.headers, 11, REQUEST))
  t.equal(far.heard().at(-1), 'closed PIPE_FLOOD')
})

test('a mistake on a stream resets that stream; others, and the session, go on', async (t) => {
  const cases: readonly (readonly [string, Buffer[], string[]])[] = [
    ['a head that is none', [frame(5, 1, [1])], ['fault HEAD_INVALID']],
    [
      'a second head',
      [frame(5, 1, REQUEST), frame(5, 1, REQUEST)],
      ['1 GET /', 'fault STREAM_OUT_OF_ORDER', '1 STREAM_OUT_OF_ORDER'],
    ],
    [
      'data behind the end',
      [frame(5, 1, REQUEST, true), frame(6, 1, [1])],
      ['1 GET /', '1 ended', 'fault STREAM_OUT_OF_ORDER', '1 STREAM_OUT_OF_ORDER'],
    ],
    [
      'trailers that are none',
      [frame(5, 1, REQUEST), frame(7, 1, [0x0a, 9])],
      ['1 GET /', 'fault HEAD_INVALID', '1 HEAD_INVALID'],
    ],
    [
      'more than the credit',
      [frame(5, 1, REQUEST), ...Array.from({ length: 5 }, () => frame(6, 1, pattern(65_536)))],
      ['1 GET /', 'fault CREDIT_EXCEEDED', '1 CREDIT_EXCEEDED'],
    ],
    [
      'a frame of a stream that is over',
      [frame(5, 3, REQUEST, true), frame(6, 1, [1]), frame(7, 1, []), frame(5, 1, REQUEST)],
      ['3 GET /', '3 ended', ...Array.from({ length: 3 }, () => 'fault STREAM_CLOSED')],
    ],
    [
      'credit and reset of one',
      [frame(5, 3, REQUEST), frame(8, 1, wide(9)), frame(9, 1, [10, 1, 65])],
      ['3 GET /'],
    ],
  ]
  for (const [why, frames, said] of cases) {
    const pair = live()
    pair.far.takes = false
    for (const bytes of frames) pair.toListener(bytes)
    t.strictSame(pair.far.heard(), said, why)
    pair.toListener(frame(5, 9, REQUEST, true))
    t.strictSame(pair.far.heard(), ['9 GET /', '9 ended'], why)
  }
})

test('a mistake of the session ends it, by name, at both ends', async (t) => {
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'FRAME_INVALID'],
    ['a long frame', Buffer.from('7fffff06800000000001', 'hex'), 'FRAME_TOO_LONG'],
    ['a second greeting', frame(1, 0, []), 'PIPE_OUT_OF_ORDER'],
    ['a stream with the id of the other end', frame(5, 2, REQUEST), 'PIPE_OUT_OF_ORDER'],
    ['stream 0', frame(5, 0, REQUEST), 'PIPE_OUT_OF_ORDER'],
    ['data of a stream that never was', frame(6, 7, [1]), 'PIPE_OUT_OF_ORDER'],
    ['credit of one', frame(8, 7, wide(1)), 'PIPE_OUT_OF_ORDER'],
    ['a reset of one', frame(9, 7, [10, 1, 65]), 'PIPE_OUT_OF_ORDER'],
    ['a ping on a stream', frame(3, 1, wide(1)), 'PIPE_OUT_OF_ORDER'],
    ['an update on a stream', frame(10, 1, [], true), 'PIPE_OUT_OF_ORDER'],
    ['an ACK of what was not sent', frame(2, 0, wide(1)), 'ACK_INVALID'],
    ['an ACK of 2^63', frame(2, 0, Buffer.from('8000000000000000', 'hex')), 'ACK_INVALID'],
    ['credit of 2^63', frame(8, 0, Buffer.from('8000000000000000', 'hex')), 'CREDIT_INVALID'],
    ['a short ACK', frame(2, 0, [1]), 'FRAME_INVALID'],
    ['a GOAWAY that is none', frame(4, 0, [255]), 'PIPE_MESSAGE_INVALID'],
    ['a RESET that is none', frame(9, 1, [10, 1, 97]), 'PIPE_MESSAGE_INVALID'],
  ]
  for (const [why, bytes, code] of cases) {
    for (const { name, chunks } of cuts(bytes, { random: 3 })) {
      const pair = live()
      for (const chunk of chunks) pair.toListener(chunk)
      t.equal(pair.far.heard().at(-1), `closed ${code}`, `${why} ${name}`)
      pair.settle()
      t.equal(pair.near.heard().at(-1), `closed ${code}`, `${why} ${name}`)
    }
  }
  const pair = live()
  pair.near.session.open(GET, true)
  pair.settle()
  pair.toListener(frame(8, 1, wide(16 * 1_024 * 1_024 + 1)))
  t.equal(pair.far.heard().at(-1), 'closed CREDIT_INVALID', 'credit beyond any window')
})

test('more data than the credit of the session ends it', async (t) => {
  const pair = live({ sessionWindow: 100_000 })
  pair.far.takes = false
  pair.toListener(frame(5, 1, REQUEST))
  for (let i = 0; i < 2; i++) pair.toListener(frame(6, 1, pattern(65_536)))
  t.equal(pair.far.heard().at(-1), 'closed CREDIT_INVALID')
})

test('floods of pings, resets and stray frames end the session; as many as the limits do not', async (t) => {
  const floods: readonly (readonly [string, (i: number) => Buffer])[] = [
    ['oddities', () => frame(3, 0, wide(1))],
    ['oddities', () => frame(6, 1, [1])],
    ['resets', () => frame(9, 1, [10, 1, 65])],
    ['oddities', () => frame(4, 0, [18, 1, 65])],
  ]
  for (const [limit, make] of floods) {
    const pair = live({ [limit]: 20 })
    pair.toListener(frame(5, 1, REQUEST, true))
    pair.toListener(frame(9, 1, [10, 1, 65]))
    pair.wait(20_000)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) pair.toListener(make(i))
      t.notOk(pair.far.session.over, limit)
      pair.wait(10_000)
    }
    for (let i = 0; i < 21; i++) pair.toListener(make(i))
    t.equal(pair.far.heard().at(-1), 'closed PIPE_FLOOD', limit)
  }
})

test('a peer that never acknowledges is cut off before what is kept has no bound', async (t) => {
  const pair = live({ replay: 1_000_000 })
  const { near, connection } = pair
  const stream = near.session.open(GET, false)
  near.session.send(stream, pattern(20_000_000), false)
  for (let i = 0; i < 100; i++) {
    near.session.flush(connection.dialler, 1e6, { write: () => {} }, pair.now)
    near.session.receive(connection.dialler, frame(8, 1, wide(stream.sent + 1e6)), pair.now)
  }
  t.ok(near.session.kept < 1_100_000, `${near.session.kept}`)
  const big = { ...GET, headers: ['x', 'y'.repeat(60_000)] }
  t.throws(
    () => {
      for (let i = 0; i < 300; i++) near.session.open(big, true)
    },
    { code: 'PIPE_CLOSED' },
  )
  t.equal(near.heard().at(-1), 'closed REPLAY_FULL')
})

test('updates of any length arrive whole and in order; one over the limit ends the session', async (t) => {
  const pair = live({}, { update: 100_000 })
  const sizes = [0, 1, 65_536, 65_537, 100_000]
  for (const size of sizes) pair.near.session.update(pattern(size))
  pair.settle()
  t.strictSame(
    pair.far.updates.map(({ length }) => length),
    sizes,
  )
  t.ok(pair.near.heard().includes('writable'))
  t.throws(() => pair.far.session.update(pattern(100_001)), { code: 'UPDATE_TOO_LONG' })
  pair.near.session.update(pattern(100_001))
  pair.settle()
  t.equal(pair.near.heard().at(-1), 'closed UPDATE_TOO_LONG')
})

test('who does not acknowledge gets no more updates than are kept; there is room again when it does', async (t) => {
  const pair = live({ replay: 200_000 })
  const { near } = pair
  let said = 0
  while (near.session.update(pattern(10_000))) {
    said++
    // it all leaves, and nothing comes back
    pair.flush(Number.MAX_SAFE_INTEGER)
    t.ok(said < 30)
  }
  t.ok(near.session.kept >= 200_000)
  t.notOk(near.heard().includes('writable'))
  pair.settle()
  t.ok(near.heard().includes('writable'))
  pair.wait(200)
  pair.settle()
  t.equal(near.session.kept, 0)
  t.equal(pair.far.updates.length, said + 1)
})

test('mistakes of the caller are thrown at the call; a stream that is over takes everything in silence', async (t) => {
  const pair = live()
  const { near, far } = pair
  const stream = near.session.open(GET, false)
  t.throws(() => near.session.respond(stream, OK, true), { code: 'STREAM_MISUSED' })
  near.session.finish(stream)
  t.throws(() => near.session.send(stream, pattern(1), false), { code: 'STREAM_MISUSED' })
  t.throws(() => near.session.open({ ...GET, target: 'x'.repeat(65_536) }, true), {
    code: 'HEAD_TOO_LONG',
  })
  pair.settle()
  const theirs = far.stream(1)
  t.throws(() => far.session.send(theirs, pattern(1), false), { code: 'STREAM_MISUSED' })
  t.throws(() => far.session.respond(theirs, { ...OK, status: 100 }, true), {
    code: 'STREAM_MISUSED',
  })
  near.session.reset(stream, { code: 'CANCELLED', detail: '' })
  pair.settle()
  t.equal(far.heard().at(-1), '1 CANCELLED')
  far.session.respond(theirs, OK, false)
  t.equal(far.session.send(theirs, pattern(1), true), true)
  far.session.finish(theirs)
  far.session.reset(theirs, { code: 'CANCELLED', detail: '' })
  pair.settle()
  t.equal(near.session.streams + far.session.streams, 0)
  t.equal(near.heard().length, 0)
})

test('trailers that are too long are refused at the call, also behind a body that waits', async (t) => {
  const pair = live()
  const { near, far } = pair
  const longest = 'x'.repeat(65_536 - 8)
  for (const size of [1, 300_000]) {
    const stream = near.session.open(GET, false)
    near.session.send(stream, pattern(size), false)
    t.throws(() => near.session.finish(stream, ['sum', longest]), { code: 'HEAD_TOO_LONG' })
    near.session.finish(stream, ['su', longest])
    pair.settle()
    t.equal(far.heard().at(-1), `${stream.id} ended su,${longest}`)
  }
})

test('only a greeting begins a link', async (t) => {
  const link = (): PipeLink => new PipeLink()
  const hello = new Connection(
    new PipeSession(
      { side: 'dialler', id: ID, secret: SECRET, instance: '' },
      new End('dialler'),
    ).dial(0),
  )
  t.ok(hello)
  for (const [bytes, code] of [
    [frame(5, 1, REQUEST), 'PIPE_OUT_OF_ORDER'],
    [frame(1, 0, [8, 1]), 'PIPE_MESSAGE_INVALID'],
    [frame(1, 0, [255, 255]), 'PIPE_MESSAGE_INVALID'],
    [Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'), 'FRAME_TOO_LONG'],
  ] as const) {
    t.match(link().greet(bytes), { code })
  }
  const pair = new Pair()
  pair.flush()
  const greeting = pair.connection.up.take(1_000)
  const early = link()
  t.equal(early.greet(greeting.subarray(0, 20)), undefined)
  t.match(early.greet(greeting.subarray(20)), { version: 1, link: 1 })
  t.equal(early.greet(new Uint8Array(60_000)), undefined)
  t.match(early.greet(new Uint8Array(60_000)), { code: 'PIPE_OUT_OF_ORDER' })
  const refused = new Pair()
  refused.flush()
  refused.connection.up.take(1_000)
  const { refusal } = await import('@sapwood/wire')
  refused.connection.down.write(refusal({ code: 'DRAINING', detail: '' }, false, 250))
  refused.carryDown()
  t.strictSame(refused.near.heard(), ['refused DRAINING 250'])
  refused.dial()
  refused.settle()
  t.strictSame(refused.near.heard(), ['live'])
})

/** What a session sends in an eventful life, as bytes of one link. */
function corpus(): Buffer {
  const pair = live()
  const { near, far } = pair
  far.answer = (stream) => {
    far.session.respond(stream, OK, false)
    far.session.send(stream, pattern(300), true)
  }
  far.session.open(GET, true)
  pair.settle()
  near.session.respond(near.stream(2), { ...OK, headers: ['a', 'b'] }, false)
  near.session.send(near.stream(2), pattern(500), true)
  const stream = near.session.open({ ...GET, headers: ['host', 'x'] }, false)
  near.session.send(stream, pattern(2_000), false)
  near.session.update(pattern(30))
  near.session.finish(stream, ['t', '1'])
  near.session.reset(near.session.open(GET, false), { code: 'CANCELLED', detail: '' })
  near.session.ping(pair.now)
  near.session.flush(pair.connection.dialler, 1e6, pair.connection.up, pair.now)
  return Buffer.from(pair.connection.up.take(1e6))
}

test('W9: whatever bytes come, the session ends in a fault or goes on; it never throws, nor holds more than it may', async (t) => {
  const good = corpus()
  const random = randomNumbers(3)
  const ends = new Map<string, number>()
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255), fc.nat(3)), {
        minLength: 1,
        maxLength: 6,
      }),
      (changes) => {
        let bytes = Buffer.from(good)
        for (const [at, byte, kind] of changes) {
          if (kind === 0) bytes[at % bytes.length] = byte
          else if (kind === 1)
            bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + byte)])
          else if (kind === 2)
            bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - byte)])
          else
            bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)])
          if (bytes.length === 0) bytes = Buffer.from([byte])
        }
        const pair = live()
        pair.far.session.open(GET, true)
        pair.settle()
        const { far, connection } = pair
        for (let at = 0; at < bytes.length; ) {
          const next = at + 1 + Math.floor(random() * 400)
          far.session.receive(connection.listener, bytes.subarray(at, next), pair.now)
          at = next
        }
        far.session.flush(connection.listener, 1e6, connection.down, pair.now)
        const end = far.said.find((said) => said.startsWith('closed')) ?? 'open'
        ends.set(end, (ends.get(end) ?? 0) + 1)
        if (far.session.streams > 20) throw new Error('too many streams')
        // whatever it was, each stream that was told of is open, or has ended once
        if (end !== 'open' && far.session.streams > 0) throw new Error('a stream is left')
      },
    ),
    { numRuns: 1_000 },
  )
  t.ok(ends.size >= 5, [...ends].join(' '))
})
