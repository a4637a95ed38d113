/** W9: what a peer gets that is trusted and broken, or bought; and what becomes of whoever asks it, and of the others. */
import { eventually } from '@sapwood/testkit'
import { FrameType, pipeHeads } from '@sapwood/wire'
import { test } from 'tap'
import { frame, wide } from '../wire/pipe-pair.ts'
import { HostilePeer } from './hostile-peer.ts'
import { answer, ask, counted, GARBAGE, HUGE, stand, unharmed } from './hostile-stand.ts'
import { TestAnswerer } from './peer-world.ts'

const BEYOND = wide(2n ** 63n)

/** What ends the session: why, by which code, what is written once a question is there. */
const ENDS: readonly (readonly [string, string, (stream: number) => readonly Uint8Array[]])[] = [
  ['bytes that are no frames', 'FRAME_INVALID', () => [GARBAGE]],
  ['a frame of 8 MiB', 'FRAME_TOO_LONG', () => [Buffer.from('7fffff06800000000001', 'hex')]],
  ['a second greeting', 'PIPE_OUT_OF_ORDER', () => [frame(FrameType.session, 0, [])]],
  ['an ACK of 2^63 frames', 'ACK_INVALID', () => [frame(FrameType.ack, 0, BEYOND)]],
  ['credit of 2^63 bytes', 'CREDIT_INVALID', (id) => [frame(FrameType.credit, id, BEYOND)]],
  ['the same of the session', 'CREDIT_INVALID', () => [frame(FrameType.credit, 0, BEYOND)]],
  [
    'a reset that is none',
    'PIPE_MESSAGE_INVALID',
    (id) => [frame(FrameType.reset, id, [10, ...HUGE])],
  ],
  ['a flood of pings', 'PIPE_FLOOD', () => Array(200).fill(frame(FrameType.ping, 0, wide(1)))],
]

test('W9: a mistake of the session ends it by name, at the caller, at the peer and in the metrics, and nobody else', async (t) => {
  const all = await stand(t, { session: { oddities: 50 } })
  const { world, port, url } = all
  for (const [why, code, bytes] of ENDS) {
    const before = counted(all, code)
    const alpha = await HostilePeer.dial(world, port, 'alpha')
    const asked = ask(url, 'alpha/x')
    alpha.write(...bytes(await alpha.question()))
    const { status, returned, detail } = await asked
    t.same([status, returned], [502, '254'], why)
    t.match(detail, code, why)
    const told = (): string => alpha.heard(FrameType.goaway).join()
    await eventually(`${why}: it is told`, () => told().includes(code))
    t.equal(counted(all, code), before + 1, why)
    t.match(await ask(url, 'alpha/x?wait=0'), { status: 503, code: 'CLIENT_ABSENT' }, why)
    await unharmed(t, all, why)
  }
})

/** What costs one question: why, by which code, what is written instead of an answer. */
const RESETS: readonly (readonly [string, string, (stream: number) => readonly Uint8Array[]])[] = [
  ['lengths of 2^63', 'HEAD_INVALID', (id) => [frame(FrameType.headers, id, [18, ...HUGE])]],
  ['a head that is none', 'HEAD_INVALID', (id) => [frame(FrameType.headers, id, [1])]],
  ['status 99', 'HEAD_INVALID', (id) => [frame(FrameType.headers, id, [8, 99])]],
  ['a body before a head', 'STREAM_OUT_OF_ORDER', (id) => [frame(FrameType.data, id, [1])]],
  ['the end before a head', 'STREAM_OUT_OF_ORDER', (id) => [frame(FrameType.trailers, id, [])]],
  [
    'a reset by a code of its own',
    'MY_OWN',
    (id) => [frame(FrameType.reset, id, [10, 6, ...Buffer.from('MY_OWN')])],
  ],
]

test('W9: a mistake on a stream costs its question; the session goes on, and answers the next', async (t) => {
  const all = await stand(t)
  const { world, port, url } = all
  const alpha = await HostilePeer.dial(world, port, 'alpha')
  for (const [why, code, bytes] of RESETS) {
    const before = counted(all, code)
    const asked = ask(url, 'alpha/x')
    const id = await alpha.question()
    alpha.write(...bytes(id))
    t.match(await asked, { status: 502, returned: '254', code }, why)
    t.ok(counted(all, code) > before, why)
    const next = ask(url, 'alpha/x')
    alpha.write(frame(FrameType.headers, await alpha.question(), answer(200), true))
    t.match(await next, { status: 200, returned: '0' }, `the next, after ${why}`)
  }
  await unharmed(t, all, 'all of them')
})

test('W9: frames of a stream that is over change nothing, and are counted; a flood of them ends the session', async (t) => {
  const all = await stand(t, { session: { oddities: 50 } })
  const { world, port, url } = all
  const alpha = await HostilePeer.dial(world, port, 'alpha')
  const asked = ask(url, 'alpha/x')
  const over = await alpha.question()
  const late = [
    frame(FrameType.headers, over, answer(500), true),
    frame(FrameType.data, over, Buffer.from('another body'), true),
    frame(FrameType.trailers, over, []),
  ]
  alpha.write(frame(FrameType.headers, over, answer(200), true), ...late)
  t.match(await asked, { status: 200, returned: '0' })
  await eventually('they are counted', () => counted(all, 'STREAM_CLOSED') === late.length)
  const next = ask(url, 'alpha/x')
  alpha.write(frame(FrameType.headers, await alpha.question(), answer(201), true))
  t.match(await next, { status: 201 })
  alpha.write(...Array(20).fill(Buffer.concat(late)))
  await eventually('it is sent away', () => counted(all, 'PIPE_FLOOD') === 1)
  await unharmed(t, all, 'the flood')
})

test('W9: requests that are reset at once, again and again, are a flood; no handler is left behind', async (t) => {
  const answerer = new TestAnswerer('server')
  const all = await stand(t, { session: { resets: 200 } }, answerer)
  const { world, port } = all
  const alpha = await HostilePeer.dial(world, port, 'alpha')
  const head = { method: 'GET', target: '/wait', headers: [], timeout: 0, trace: '', hops: 0 }
  const bytes = Buffer.alloc(pipeHeads.requestMost(head))
  const request = bytes.subarray(0, pipeHeads.writeRequest(bytes, 0, head))
  const reset = Buffer.from([10, 1, 65])
  for (let id = 1; id < 1_000; id += 2) {
    alpha.write(frame(FrameType.headers, id, request), frame(FrameType.reset, id, reset))
  }
  await eventually('it is sent away', () => counted(all, 'PIPE_FLOOD') === 1)
  const { asked } = answerer
  t.ok(asked.length >= 200 && asked.length < 500, `${asked.length} were begun`)
  t.ok(
    asked.every(({ failure }) => failure !== undefined),
    'each is told to stop',
  )
  await unharmed(t, all, 'the flood')
})

test('W9: no answer of a peer becomes another answer of the front, or a part of its protocol', async (t) => {
  const all = await stand(t)
  const { world, port, url } = all
  const alpha = await HostilePeer.dial(world, port, 'alpha')
  const nonsense: readonly (readonly [status: number, headers: readonly string[], body: string])[] =
    [
      [502, ['x', 'a\r\nset-cookie: stolen=1'], 'ANSWER_INVALID'],
      [502, ['content-length', '-1'], 'ANSWER_INVALID'],
      [502, ['content-length', '9223372036854775808'], 'ANSWER_INVALID'],
      [502, ['content-length', '3'], 'ANSWER_INVALID'],
      // what is no header, and what belongs to a connection, is left out
      [200, ['x\r\nset-cookie: stolen', '1'], 'body'],
      [200, ['bad name', '1'], 'body'],
      [200, ['transfer-encoding', 'chunked, chunked'], 'body'],
      [200, ['connection', 'upgrade', 'upgrade', 'websocket'], 'body'],
    ]
  for (const [status, headers, expected] of nonsense) {
    const why = headers.join()
    const asked = fetch(`${url}/client/alpha/x`)
    const id = await alpha.question()
    alpha.write(
      frame(FrameType.headers, id, answer(200, headers)),
      frame(FrameType.data, id, Buffer.from('body'), true),
    )
    const response = await asked
    t.equal(response.status, status, why)
    t.equal(response.headers.get('set-cookie'), null, why)
    t.match(await response.text(), expected, why)
  }
  const switched = ask(url, 'alpha/x')
  const id = await alpha.question()
  alpha.write(frame(FrameType.headers, id, answer(101, ['upgrade', 'x', 'connection', 'upgrade'])))
  t.match(await switched, { status: 502, code: 'ANSWER_INVALID' }, 'nobody asked for an upgrade')
  await unharmed(t, all, 'all of them')
})
