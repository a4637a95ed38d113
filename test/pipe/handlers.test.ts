/** Functions that answer through a pipe (RP-10 to RP-16, RP-32), and who may call them; frames in memory, real sessions. */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { ReadableStream as WebStream } from 'node:stream/web'
import { Wheel } from '@sapwood/core'
import type { HandlerContext } from '@sapwood/http'
import type { AnswerRule } from '@sapwood/pipe'
import { handlerAnswerer } from '@sapwood/pipe'
import { eventually, FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import { pattern } from '../wire/pipe-pair.ts'
import { Asked, ExchangePair } from './exchange-pair.ts'
import type { Table } from './handler-pair.ts'
import { pairOf, streaming } from './handler-pair.ts'

const JSON_BODY = ['content-type', 'application/json; charset=utf-8']
const FORM_BODY = ['content-type', 'application/x-www-form-urlencoded']

test('a handler is found by name or table, and called with peer, data and arguments (RP-10 to RP-13)', async (t) => {
  const calls: unknown[] = []
  const say = (context: HandlerContext, data: unknown, ...args: string[]): string => {
    const { peer, verb, noun, query } = context
    calls.push([peer, verb, noun, query, data, args])
    return 'said'
  }
  const pair = pairOf({ get_time_utc: say, 'PUT a/b': say, post_x: say, get_: say })
  const rows: [string, string, string[], string | Uint8Array | undefined, unknown][] = [
    ['GET', '/time/utc', [], undefined, ['time/utc', '', ['', ''], []]],
    ['GET', '/time/utc//', [], undefined, ['time/utc', '', ['', ''], ['']]],
    ['GET', '/', [], undefined, ['', '', ['', ''], []]],
    [
      'PUT',
      '/a/b//hello%20/w//%2F?wait=1&x',
      JSON_BODY,
      '{"n": [1]}',
      ['a/b', 'wait=1&x', ['application/json', { n: [1] }], ['hello ', 'w', '', '/']],
    ],
    ['POST', '/x', ['content-type', 'text/plain'], 'grüße', ['x', '', ['text/plain', 'grüße'], []]],
    ['POST', '/x', ['content-type', 'text/plain'], '', ['x', '', ['text/plain', ''], []]],
    ['POST', '/x', JSON_BODY, '', ['x', '', ['application/json', ''], []]],
    // a type that nobody said is none, and no body of it is guessed at (RP-05)
    ['POST', '/x', [], '{"n": 1}', ['x', '', ['', '{"n": 1}'], []]],
    ['POST', '/x', [], new Uint8Array([0, 255]), ['x', '', ['', Buffer.from([0, 255])], []]],
    ['POST', '/x', FORM_BODY, '5', ['x', '', ['application/x-www-form-urlencoded', '5'], []]],
    [
      'POST',
      '/x',
      ['content-type', 'application/octet-stream'],
      new Uint8Array([0, 255]),
      ['x', '', ['application/octet-stream', Buffer.from([0, 255])], []],
    ],
  ]
  for (const [method, target, headers, body, wanted] of rows) {
    const asked = await pair.ask({ method, target, headers }, body).end()
    t.same([asked.head?.status, asked.code, asked.text], [200, 0, '"said"'], target)
    const [noun, query, data, args] = wanted as unknown[]
    t.same(calls.pop(), ['alpha', method, noun, query, data, args], target)
  }
  t.equal(pair.near.open, 0)
  t.equal(pair.far.session.streams, 0)
})

test('what a handler returns is the answer (RP-14), its own code too (RP-15)', async (t) => {
  const headers = {
    'X-Mine': 'a',
    'Set-Cookie': 's=1',
    Connection: 'close',
    'Content-Length': '7',
    bad: 'a\nb',
  }
  const results: Record<string, [unknown, number, number, string | undefined, string]> = {
    value: [{ a: 1 }, 200, 0, 'application/json', '{"a":1}'],
    nothing: [undefined, 200, 0, 'text/plain', ''],
    triple: [['text/csv', 7, 'a,b'], 200, 7, 'text/csv', 'a,b'],
    object: [{ status: 201, type: 'text/html', data: '<p>', headers }, 201, 0, 'text/html', '<p>'],
    bytes: [new Uint8Array([65, 66]), 200, 0, 'application/octet-stream', 'AB'],
    bodiless: [{ status: 204, data: 'x' }, 204, 0, undefined, ''],
    promise: [Promise.resolve(5), 200, 0, 'application/json', '5'],
  }
  const table = Object.fromEntries(
    Object.entries(results).map(([name, [result]]) => [`GET ${name}`, () => result]),
  )
  const pair = pairOf(table)
  for (const [name, [, status, code, type, text]] of Object.entries(results)) {
    const asked = await pair.ask({ target: `/${name}` }).end()
    const got = [asked.head?.status, asked.code, asked.header('content-type'), asked.text]
    t.same(got, [status, code, type, text], name)
    const length = status === 204 ? undefined : String(text.length)
    t.equal(asked.header('content-length'), length, name)
  }
  const { head } = await pair.ask({ target: '/object' }).end()
  // what the caller gets of it is the front's to decide
  t.same(head?.headers.slice(4), ['x-mine', 'a', 'set-cookie', 's=1'])
})

test('RP-04: who answers GET answers HEAD, with the head alone', async (t) => {
  let closed = 0
  const verbs: string[] = []
  const pair = pairOf(
    {
      get_a: ({ verb }) => {
        verbs.push(verb)
        return ['text/plain', 3, 'ten bytes!']
      },
      get_long: () => new Uint8Array(1_000_000),
      get_stream: () => new Readable({ read: () => undefined }).on('close', () => closed++),
      get_own: () => 'not this one',
      head_own: () => ({ status: 200, type: 'text/plain', headers: { 'x-own': 'yes' } }),
      post_x: () => 1,
    },
    { allow: [{ method: 'GET' }] },
  )
  const rows = [
    ['a', 3, '10'],
    ['long', 0, '1000000'],
    ['stream', 0, undefined],
    ['own', 0, '0'],
  ] as const
  for (const [noun, code, length] of rows) {
    const asked = await pair.ask({ method: 'HEAD', target: `/${noun}` }).end()
    t.same([asked.head?.status, asked.code, asked.header('content-length')], [200, code, length])
    t.equal(asked.size, 0, noun)
  }
  t.same(verbs, ['HEAD'])
  await eventually('the stream is let go', () => closed === 1)
  t.equal((await pair.ask({ method: 'HEAD', target: '/own' }).end()).header('x-own'), 'yes')
  t.equal((await pair.ask({ method: 'HEAD', target: '/x' }).end()).code, 255)
  t.equal((await pair.ask({ method: 'POST', target: '/x' }, 'x').end()).code, 249)
  t.equal(pair.far.session.streams, 0)
})

test('no handler is 255 with an empty body, for what every object has too (RP-15)', async (t) => {
  const pair = pairOf({ get_a: () => 1 })
  for (const target of ['/nope', '/constructor', '/toString', '/__proto__', '/a/b']) {
    const asked = await pair.ask({ target }).end()
    t.same([asked.head?.status, asked.code, asked.text], [404, 255, ''], target)
  }
  const alone = new ExchangePair(handlerAnswerer({}, { wheel: new Wheel(new FakeClock()) }))
  t.equal((await alone.ask({ target: '/time' }).end()).code, 255)
  for (const target of ['/a/../b', '/%2e', 'a', '*', 'http://x/']) {
    const asked = await pair.ask({ target }).end()
    t.same([asked.head?.status, asked.json.code], [400, 'TARGET_INVALID'], target)
  }
})

test('no method is read as a part of the name of another handler', async (t) => {
  const called: string[] = []
  const say = ({ noun }: HandlerContext): unknown => called.push(noun)
  const pair = pairOf({ get_a_b: say, 'GET a b': say }, { allow: [{ path: 'b' }] })
  for (const method of ['get_a', 'GET_A', 'GET a', 'GET\n', '', 'x'.repeat(33)]) {
    const asked = pair.ask({ target: '/b', method })
    await asked.end()
    t.equal(asked.fault?.code ?? asked.json.code, 'HEAD_INVALID', method)
  }
  t.same(called, [])
})

test('time and cat are built in, by role, behind the handlers and not beside a target (RP-32)', async (t) => {
  for (const role of ['client', 'server'] as const) {
    const pair = pairOf({ get_mine: () => 1 }, { role })
    const { json } = await pair.ask({ target: '/time' }).end()
    t.ok(Math.abs(json[`time_from_${role}`] - Date.now() / 1000) < 60)
    const cat = await pair.ask({ target: '/cat//hello%20/world' }).end()
    t.same(cat.json, { [`result_from_${role}`]: 'hello world' })
    t.equal((await pair.ask({ target: '/mine' }).end()).text, '1')
  }
  const own = pairOf({ get_time: () => 'mine' })
  t.equal((await own.ask({ target: '/time' }).end()).text, '"mine"')
})

test('a throw is 251 with message and class, its stack only if allowed (RP-16)', async (t) => {
  class Odd extends TypeError {}
  const table: Table = {
    get_throws: () => {
      throw new Odd('no')
    },
    get_rejects: async () => {
      throw new Odd('no')
    },
    get_cycle: () => {
      const cycle: unknown[] = []
      cycle.push(cycle)
      return cycle
    },
    get_code: () => ['text/plain', 250, ''],
    get_text: () => Promise.reject('text'),
    get_locked: async () => {
      const stream = new WebStream()
      stream.getReader()
      return stream
    },
    get_nothing: () => {
      throw Object.create(null)
    },
    get_then: () => ({
      // biome-ignore lint/suspicious/noThenProperty: that is what it tests
      get then() {
        throw new Odd('no')
      },
    }),
  }
  for (const traced of [false, true]) {
    const pair = pairOf(table, { traced })
    for (const name of [
      'throws',
      'rejects',
      'cycle',
      'code',
      'text',
      'locked',
      'nothing',
      'then',
    ]) {
      const asked = await pair.ask({ target: `/${name}` }).end()
      t.same([asked.head?.status, asked.code], [500, 251], name)
      const { exception } = asked.json
      if (['throws', 'rejects', 'then'].includes(name)) {
        t.match(exception, { message: 'no', class: 'Odd' })
        t.equal('traceback' in exception, traced)
      }
      t.type(exception.message, 'string')
    }
  }
})

test('a body that is not what its type says, or too large, never reaches the handler', async (t) => {
  let calls = 0
  const pair = pairOf({ post_x: () => ++calls }, { limits: { body: 1_000 } })
  const wrong = await pair.ask({ target: '/x', headers: JSON_BODY }, '{"a":').end()
  t.same([wrong.head?.status, wrong.code, wrong.json.code], [400, 251, 'BODY_INVALID'])
  t.equal(wrong.header('content-type'), 'application/problem+json')
  const found = await pair.ask({ target: '/x' }, pattern(1_001)).end()
  t.same([found.head?.status, found.code, found.json.code], [413, 251, 'BODY_TOO_LARGE'])
  for (const length of ['1001', `${2n ** 63n}`]) {
    const headers = ['content-length', length]
    const said = pair.ask({ target: '/x', headers, method: 'POST' }, undefined)
    t.equal((await said.end()).json.code, 'BODY_TOO_LARGE', length)
  }
  t.equal(calls, 0)
  t.equal((await pair.ask({ target: '/x' }, pattern(1_000)).end()).text, '1')
})

test('a body in many parts, and what comes behind an answer, leaves nothing behind', async (t) => {
  const pair = pairOf({ post_x: (_context, [, data]: [string, Buffer]) => data.length })
  const many = pair.ask({ target: '/x', method: 'POST' }, '')
  await many.end()
  const parts = pair.near.ask(
    { method: 'POST', target: '/x', headers: [], timeout: 0, trace: '', hops: 0 },
    false,
    many,
  )
  for (let i = 0; i < 300; i++) parts.write(pattern(1_000, i))
  parts.end()
  many.done = false
  many.parts.length = 0
  await many.end()
  t.equal(many.text, '300000')
  const refused = pair.ask({ target: '/nope' }, pattern(3_000_000))
  await refused.end()
  t.equal(refused.code, 255)
  await refused.until(() => pair.far.session.streams + pair.near.session.streams === 0)
})

test('one slow handler holds up no other (W5)', async (t) => {
  let finish = (_value: string): void => undefined
  const pair = pairOf({
    get_slow: () => new Promise((resolve) => (finish = resolve)),
    get_fast: () => 'fast',
  })
  const slow = pair.ask({ target: '/slow' })
  t.equal((await pair.ask({ target: '/fast' }).end()).text, '"fast"')
  t.notOk(slow.done)
  t.equal(pair.near.open, 1)
  finish('slow')
  t.equal((await slow.end()).text, '"slow"')
})

test('who gives up, or is gone, aborts the signal; the late answer goes nowhere', async (t) => {
  const signals: AbortSignal[] = []
  const finish: ((value: unknown) => void)[] = []
  const pair = pairOf({
    get_slow: ({ signal }) => {
      signals.push(signal)
      return new Promise((resolve) => finish.push(resolve))
    },
  })
  const [one, two] = [pair.ask({ target: '/slow' }), pair.ask({ target: '/slow' })]
  await one.until(() => signals.length === 2)
  one.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  await one.until(() => signals[0]?.aborted === true)
  t.equal((signals[0]?.reason as { code?: string } | undefined)?.code, 'CANCELLED')
  t.notOk(signals[1]?.aborted)
  let read = false
  finish[0]?.(
    Readable.from(
      (async function* () {
        read = true
        yield 'late'
      })(),
    ),
  )
  await new Promise((resolve) => setImmediate(resolve))
  pair.far.session.close({ code: 'PIPE_CLOSED', detail: 'over' })
  pair.carry()
  t.ok(signals[1]?.aborted)
  finish[1]?.('late')
  await two.until(() => two.fault !== undefined)
  t.notOk(read, 'nothing of a stream that nobody waits for is read')
  t.equal(one.fault, undefined, 'who gave up is told nothing')
})

test('no answer in the time that the asker has is 253 and 504, and the handler is told to stop', async (t) => {
  const clock = new FakeClock()
  let signal: AbortSignal | undefined
  const pair = pairOf(
    {
      get_slow: (context) => {
        signal = context.signal
        return new Promise(() => undefined)
      },
      post_x: () => 1,
    },
    { clock, limits: { bodyTime: 2_000 } },
  )
  const slow = pair.ask({ target: '/slow', timeout: 1_000 })
  const forever = pair.ask({ target: '/slow', timeout: 0 })
  await slow.until(() => signal !== undefined)
  clock.advance(900)
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(slow.done)
  clock.advance(200)
  await slow.end()
  t.same([slow.head?.status, slow.code, slow.json.code], [504, 253, 'ANSWER_TIMEOUT'])
  clock.advance(3_600_000)
  t.notOk(forever.done)
  const late = pair.near.ask(
    { method: 'POST', target: '/x', headers: [], timeout: 500, trace: '', hops: 0 },
    false,
    slow,
  )
  slow.done = false
  slow.parts.length = 0
  late.write(pattern(10))
  await new Promise((resolve) => setTimeout(resolve, 20))
  clock.advance(1_900)
  late.write(pattern(10))
  await new Promise((resolve) => setTimeout(resolve, 20))
  clock.advance(1_900)
  t.notOk(slow.done, 'each part counts')
  clock.advance(2_200)
  await slow.end()
  t.same([slow.head?.status, slow.code, slow.json.code], [408, 251, 'BODY_TIMEOUT'])
})

test('an offer of another protocol is passed over by handlers, which answer at once', async (t) => {
  const read = streaming(async (_context: HandlerContext, [, body]: [string, Readable]) => {
    let size = 0
    for await (const part of body) size += part.length
    return size
  })
  const pair = pairOf({ get_plain: () => 'plain', get_read: read } as Table)
  for (const [target, text] of [
    ['/plain', '"plain"'],
    ['/read', '0'],
  ] as const) {
    const asked = new Asked(pair, { target, headers: ['upgrade', 'websocket'] }, undefined, true)
    t.equal((await asked.end()).text, text)
    t.equal(asked.head?.status, 200)
    asked.exchange.end()
  }
  await eventually('nothing is left of them', () => pair.far.session.streams === 0)
})

test('a stream in an answer that is none is closed, and its error ends nothing', async (t) => {
  let isClosed = false
  const pair = pairOf({
    get_open: () => {
      const stream = new Readable({ read: () => undefined })
      return ['text/plain', -1, stream.on('close', () => (isClosed = true))]
    },
    get_missing: () => ['text/plain', -1, createReadStream('/no/such/file')],
  })
  for (const name of ['open', 'missing']) {
    const asked = await pair.ask({ target: `/${name}` }).end()
    t.same([asked.head?.status, asked.code], [500, 251], name)
  }
  await eventually('it is closed', () => isClosed)
})

test('rules on the side that answers: by peer, method, path and size; refused is 249 and 403', async (t) => {
  const table = { get_time: () => 1, 'PUT files/a': () => 2, 'GET files/a': () => 3 }
  const asks = async (
    allow: readonly AnswerRule[] | undefined,
  ): Promise<(number | undefined)[]> => {
    const pair = pairOf(table, allow === undefined ? {} : { allow })
    const all = [
      pair.ask({ target: '/time' }),
      pair.ask({ target: '/files/a' }),
      pair.ask({ target: '/files/a', method: 'PUT' }, '12345'),
      pair.ask({ target: '/nope' }),
    ]
    return Promise.all(all.map(async (asked) => (await asked.end()).code))
  }
  t.same(await asks(undefined), [0, 0, 0, 255])
  t.same(await asks([]), [249, 249, 249, 249])
  t.same(await asks([{}]), [0, 0, 0, 255])
  t.same(await asks([{ peer: 'alpha', path: 'time' }]), [0, 249, 249, 249])
  t.same(await asks([{ peer: 'al*' }]), [0, 0, 0, 255])
  t.same(await asks([{ peer: 'al' }, { peer: '*b' }, { peer: 'b*' }]), [249, 249, 249, 249])
  t.same(await asks([{ method: 'put' }]), [249, 249, 0, 249])
  t.same(await asks([{ method: ['GET', 'HEAD'], path: '/files/*' }]), [249, 0, 249, 249])
  t.same(await asks([{ path: 'files/**', body: 4 }]), [249, 0, 251, 249])
  t.same(await asks([{ path: 'files/**', body: 5 }]), [249, 0, 0, 249])
  const pair = pairOf(table, { allow: [{ peer: 'beta' }] })
  const refused = await pair.ask({ target: '/time' }).end()
  t.same([refused.head?.status, refused.json.code], [403, 'NOT_ALLOWED'])
  t.match(refused.json.detail, /alpha/)
  const wrong = [
    ...[{ path: 'a//b' }, { path: 'a/**/b' }, { body: -1 }],
    ...[{ peer: '' }, { peer: 'cert:' }, { noun: 'x' }],
  ]
  for (const rule of wrong) {
    t.throws(() => pairOf(table, { allow: [rule as AnswerRule] }), { code: 'RULE_INVALID' })
  }
})

test('a rule may mean any name of a certificate, and its other URIs as cert:URI', async (t) => {
  const allows = async (peer: string): Promise<boolean> => {
    const pair = pairOf({ get_time: () => 1 }, { allow: [{ peer }] })
    pair.far.principal = {
      id: 'cert:alpha',
      also: ['cert:files.example.org', 'cert:spiffe://example.org/a*b'],
      trusted: false,
    }
    return (await pair.ask({ target: '/time' }).end()).code === 0
  }
  const meant = ['alpha', 'files.example.org', '*.example.org', 'cert:alpha', 'cert:files.*']
  for (const peer of [...meant, 'cert:spiffe://example.org/*', 'cert:spiffe*b', 'cert:*', '*']) {
    t.ok(await allows(peer), peer)
  }
  const others = ['spiffe*', '*b', 'cert:spiffe://example.org', 'cert']
  for (const peer of [...others, 'alph', 'certalpha', 'cert:cert:alpha']) {
    t.notOk(await allows(peer), peer)
  }
})
