import assert from 'node:assert/strict'
import { Code, isName, jsonMessage, message, nameFault, outcome } from '@sapwood/core'
import type { Ask, AskHeaders } from '@sapwood/wire'
import {
  endToEnd,
  exceptionReply,
  fieldOf,
  findHandler,
  handlerInput,
  handlerName,
  httpAnswer,
  isFault,
  parseAsk,
  parseTail,
  replyOf,
  responseHead,
  unhandledReply,
} from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'

function ask(rest: string, headers?: AskHeaders): Ask {
  const parsed = parseAsk(rest, headers)
  assert.ok(!isFault(parsed), `${rest}: ${JSON.stringify(parsed)}`)
  return parsed
}

test('a question is read from its URL (RP-03, RP-10, RP-11)', async (t) => {
  t.same(ask('/fileserver/cat//hello%20/world?wait=1s&x=y'), {
    name: 'fileserver',
    tail: '/cat//hello%20/world?x=y',
    noun: 'cat',
    args: ['hello ', 'world'],
    query: 'x=y',
    wait: 1_000,
    path: '@fileserver/cat',
  })
})

test('noun and arguments are split before they are decoded, empty arguments are kept (RP-11)', async (t) => {
  const cases: readonly (readonly [rest: string, noun: string, args: readonly string[]])[] = [
    ['/a', '', []],
    ['/a/', '', []],
    ['/a?x', '', []],
    ['/a/time', 'time', []],
    ['/a/time/utc', 'time/utc', []],
    ['/a/time//', 'time', ['']],
    ['/a/time///', 'time', ['', '']],
    ['/a/cat//x//y', 'cat', ['x', '', 'y']],
    ['/a/cat//x/y/', 'cat', ['x', 'y', '']],
    ['/a/cat//a%2Fb/%2e%2e%2e', 'cat', ['a/b', '...']],
    ['/a/cat//%0A/+', 'cat', ['\n', '+']],
    ['/a/cat//%ff/%zz', 'cat', ['%ff', '%zz']],
    ['/a//x', '', ['x']],
    ['/a/caf%C3%A9', 'café', []],
    ['/a/cat//x?y//z', 'cat', ['x']],
  ]
  for (const [rest, noun, args] of cases) {
    t.match(ask(rest), { noun, args }, rest)
    t.equal(ask(rest).args.length, args.length, rest)
  }
})

test('the gate is asked about exactly the noun, or about everything of that name', async (t) => {
  const wide = [
    '/a',
    '/a/',
    '/a//x',
    '/a/b/',
    '/a/*',
    '/a/b/**',
    '/a/b%2Fc',
    '/a/%00',
    `/a/${'x'.repeat(600)}`,
  ]
  for (const rest of wide) t.equal(ask(rest).path, '@a/**', rest.slice(0, 20))
  t.equal(ask('/a/b/c//*').path, '@a/b/c')
  t.equal(ask('/a/%62').path, '@a/b')
})

test('what lies behind the name travels verbatim', async (t) => {
  const verbatim = [
    '/x/%2fy/%E4//a+b;c',
    '/x?',
    '/x?a=%20&&b',
    '//',
    '/x?waiting=1&timeouts=2',
    '/x?y=wait=1s',
  ]
  for (const tail of verbatim) t.equal(ask(`/a${tail}`).tail, tail)
  t.equal(ask('/a').tail, '/')
  t.equal(ask('/a?x=1').tail, '/?x=1')
  t.equal(ask('/a/x?b=1&wait=2s&a=%20&timeout=3s').tail, '/x?b=1&a=%20', 'in place')
  t.equal(ask('/a/x?wait=2s').tail, '/x')
})

test('any tail without dots survives, less what the gateway takes', async () => {
  const tail = fc.string({
    unit: fc.constantFrom('/', 'a', '%2F', '%', '?', '&', '=', 'wait', '*'),
  })
  fc.assert(
    fc.property(tail, (text) => {
      const target = `/${text}`
      const parsed = parseTail('a', target)
      if (isFault(parsed)) return assert.match(target, /[?&]wait(?:&|=|$)/)
      if (parsed.wait === undefined) assert.equal(parsed.tail, target)
      assert.ok(parsed.path === '@a/**' || parsed.path === `@a/${parsed.noun}`)
    }),
    { numRuns: 2_000 },
  )
})

test('wait and timeout are durations, the last one counts', async (t) => {
  t.match(ask('/a/x?wait=250ms&timeout=5m'), { wait: 250, timeout: 300_000, query: '' })
  t.match(ask('/a/x?wait=2&wait=3'), { wait: 3_000 })
  t.match(ask('/a/x?wait=0'), { wait: 0 })
  for (const bad of ['wait=', 'wait', 'wait=soon', 'timeout=-1s', 'timeout=25h', 'wait=1%73']) {
    t.match(parseAsk(`/a/x?${bad}`), { code: 'DURATION_INVALID', status: 400 }, bad)
  }
})

test('a header says it instead, and then the query is not touched', async (t) => {
  const asked = ask('/a/x?wait=mine&timeout=2s', { wait: '1s' })
  t.match(asked, { wait: 1_000, timeout: 2_000, tail: '/x?wait=mine', query: 'wait=mine' })
  t.match(parseAsk('/a/x', { timeout: 'never' }), { code: 'DURATION_INVALID' })
})

test('dot segments and impossible names are refused', async (t) => {
  const dots = ['.', '..', '%2e', '%2E%2e', '.%2e', '%2e.']
  for (const dot of dots) {
    for (const rest of [`/a/${dot}`, `/a/x/${dot}/y`, `/a/x//${dot}`]) {
      t.match(parseAsk(rest), { code: 'TARGET_INVALID', status: 400 }, rest)
    }
    t.match(parseAsk(`/${dot}/x`), { code: 'NAME_INVALID', status: 400 }, dot)
  }
  t.equal(ask('/a/x?../.').query, '../.')
  for (const rest of ['', '/', '//x', '/a%2Fb/x', '/a b/x', `/${'x'.repeat(129)}`, '/%zz/x']) {
    t.match(parseAsk(rest), { code: 'NAME_INVALID', status: 400 }, rest.slice(0, 20))
  }
  const id = `hub-${'x'.repeat(32)}-17`
  t.equal(ask(`/${id}/time`).path, `@${id}/time`)
})

test('who may have a name can be asked by it, and nobody else', async (t) => {
  const names = ['a', 'A.b-c_d', '.a', '...', 'hub', 'x'.repeat(128), 'x'.repeat(129), 'ä', 'a\n']
  for (const name of [...names, '', '.', '..', 'a b', 'a/b', '@a', '%']) {
    t.equal(isFault(parseAsk(`/${encodeURIComponent(name)}/x`)), !isName(name), name)
    t.equal(isName(name), nameFault(name, '') === undefined, name)
  }
})

test('the handler of a verb and a noun is an own function of the table (RP-10)', async (t) => {
  t.equal(handlerName('GET', 'time'), 'get_time')
  t.equal(handlerName('GET', 'time/utc'), 'get_time_utc')
  const named = () => 1
  const exact = () => 2
  const table = { get_time_utc: named, 'GET time/utc': exact, put_x: 'no function' as never }
  t.equal(findHandler(table, 'get', 'time/utc'), exact)
  t.equal(findHandler(table, 'GET', 'time_utc'), named)
  t.equal(findHandler(table, 'POST', 'time/utc'), undefined)
  t.equal(findHandler(table, 'PUT', 'x'), undefined)
  const inherited = Object.create({ get_time: named })
  t.equal(findHandler(inherited, 'GET', 'time'), undefined)
  t.equal(findHandler({}, '__proto__', ''), undefined)
})

test('a handler gets JSON as a value, text as text, nothing as the empty string (RP-13)', async (t) => {
  t.same(handlerInput(jsonMessage({ a: 1 })), ['application/json', { a: 1 }])
  t.same(handlerInput(message('', 'application/json')), ['application/json', ''])
  t.same(handlerInput(message('[1]', 'text/plain')), ['text/plain', '[1]'])
  const bytes = Uint8Array.of(1)
  t.same(handlerInput(jsonMessage(bytes)), ['application/octet-stream', bytes])
})

test('what a handler returns becomes its reply (RP-14)', async (t) => {
  const bytes = Uint8Array.of(1)
  const cases: readonly (readonly [result: unknown, body: unknown, type: string, meta: object])[] =
    [
      [{ time: 1 }, '{"time":1}', 'application/json', { code: 0 }],
      ['hi', '"hi"', 'application/json', { code: 0 }],
      [0, '0', 'application/json', { code: 0 }],
      [bytes, bytes, 'application/octet-stream', { code: 0 }],
      [undefined, '', 'text/plain', { code: 0 }],
      [null, '', 'text/plain', { code: 0 }],
      [['text/plain', 7, 'hi'], 'hi', 'text/plain', { code: 7 }],
      [['image/png', 0, bytes], bytes, 'image/png', { code: 0 }],
      [['text/csv', 0, null], '', 'text/csv', { code: 0 }],
      [[null, 3, { a: 1 }], '{"a":1}', 'application/json', { code: 3 }],
      [[null, 3, 'a'], '"a"', 'application/json', { code: 3 }],
      [
        ['application/json', 0, '{"n":1e400,\n"b":1}'],
        '{"n":1e400, "b":1}',
        'application/json',
        { code: 0 },
      ],
      [['application/json; charset=utf-8', 0, [1]], '[1]', 'application/json', { code: 0 }],
      [['application/json', 0, undefined], '', 'text/plain', { code: 0 }],
      [[1, 2, 3], '[1,2,3]', 'application/json', { code: 0 }],
      [['text/plain', 'x', 'y'], '["text/plain","x","y"]', 'application/json', { code: 0 }],
      [
        ['text/plain\r\nX: y', 0, 'x'],
        '["text/plain\\r\\nX: y",0,"x"]',
        'application/json',
        { code: 0 },
      ],
      [{ status: 201, data: { a: 1 } }, '{"a":1}', 'application/json', { code: 0, status: 201 }],
      [{ status: 204 }, '', 'text/plain', { code: 0, status: 204 }],
      [{ type: 'text/html', data: '<p>' }, '<p>', 'text/html', { code: 0 }],
      [
        { status: 303, headers: { location: '/x' } },
        '',
        'text/plain',
        { code: 0, status: 303, head: { headers: { location: '/x' } } },
      ],
      [
        { data: 'a', headers: { 'x-a': '1' } },
        '"a"',
        'application/json',
        { code: 0, head: { headers: { 'x-a': '1' } } },
      ],
      [{ data: 'a' }, '{"data":"a"}', 'application/json', { code: 0 }],
      [{ headers: { a: 1 } }, '{"headers":{"a":1}}', 'application/json', { code: 0 }],
      [{ status: 'ok' }, '{"status":"ok"}', 'application/json', { code: 0 }],
      [{ data: [1] }, '{"data":[1]}', 'application/json', { code: 0 }],
      [
        { type: 'created', data: 1 },
        '{"type":"created","data":1}',
        'application/json',
        { code: 0 },
      ],
      [{ status: 200, more: 1 }, '{"status":200,"more":1}', 'application/json', { code: 0 }],
    ]
  for (const [result, body, type, meta] of cases) {
    t.strictSame({ ...replyOf(result) }, { body, type, meta }, JSON.stringify(result))
  }
})

test('a result that cannot be sent as it says is an error of the handler', async (t) => {
  const bad = [
    ['text/plain', 0, { a: 1 }],
    ['application/json', 0, '{a'],
    [null, 249, 1],
    [null, -1, 1],
    () => 1,
  ]
  for (const result of bad) t.throws(() => replyOf(result), Error, JSON.stringify(result))
})

test('what a handler throws is told with message and class, the stack only where allowed (RP-16)', async (t) => {
  const thrown = new RangeError('too far')
  const told = exceptionReply(thrown)
  t.equal(told.meta.code, Code.threw)
  t.equal(told.body, '{"exception":{"message":"too far","class":"RangeError"}}')
  t.match(JSON.parse(exceptionReply(thrown, true).body as string).exception.traceback, /ask\.test/)
  t.equal(exceptionReply('text').body, '{"exception":{"message":"text","class":"string"}}')
})

test('each outcome has its code and its status', async (t) => {
  const house = (code: Code, status: number) => outcome(code, status, 'SOME_CODE', 'why')
  const cases = [
    [replyOf({ a: 1 }), 200, 'application/json', '0'],
    [replyOf([null, 17, 'x']), 200, 'application/json', '17'],
    [replyOf({ status: 201, type: 'text/plain', data: 'x' }), 201, 'text/plain', '0'],
    [house(Code.refused, 403), 403, 'application/problem+json', '249'],
    [exceptionReply(new Error('x')), 500, 'application/json', '251'],
    [house(Code.threw, 400), 400, 'application/problem+json', '251'],
    [house(Code.absent, 404), 404, 'application/problem+json', '252'],
    [house(Code.absent, 503), 503, 'application/problem+json', '252'],
    [house(Code.timeout, 504), 504, 'application/problem+json', '253'],
    [house(Code.lost, 502), 502, 'application/problem+json', '254'],
    [message('1', undefined, { code: Code.lost }), 502, 'application/json', '254'],
    [unhandledReply(), 404, 'text/plain', '255'],
  ] as const
  for (const [reply, status, type, code] of cases) {
    const answer = httpAnswer(reply)
    t.match(answer, { status, headers: { 'content-type': type, 'x-event-return-code': code } })
    t.equal(answer.body, reply.body)
  }
  t.equal(httpAnswer(message('told anyway', 'text/plain', { code: Code.unhandled })).body, '')
})

test('an answer that has no body by its status gets none, and an impossible status is not sent', async (t) => {
  for (const status of [204, 205, 304]) {
    const answer = httpAnswer(message('x', 'text/plain', { status }))
    t.equal(answer.body, '')
    t.notOk('content-type' in answer.headers)
  }
  t.equal(httpAnswer(message('x', '', { status: 101 })).status, 200)
  t.notOk('content-type' in httpAnswer(message('x', '')).headers)
})

test('a handler cannot speak for the hub or its origin', async (t) => {
  const headers = {
    Location: '/x',
    'X-Own': 'y',
    'Set-Cookie': 'a=b',
    'Access-Control-Allow-Origin': '*',
    'Sapwood-Id': '1',
    'X-Event-Return-Code': '0',
    'Content-Security-Policy': '',
    'Content-Length': '7',
    Connection: 'upgrade',
    'Transfer-Encoding': 'chunked',
    'bad name': 'x',
    'X-Split': 'a\r\nSet-Cookie: a=b',
  }
  const { headers: sent } = httpAnswer(
    replyOf({ status: 200, type: 'text/html', data: '<p>', headers }),
  )
  t.same(sent, {
    location: '/x',
    'x-own': 'y',
    'x-event-return-code': '0',
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
    'content-type': 'text/html',
  })
})

test('through a pipe goes all that a handler said, less what belongs to a connection', async (t) => {
  const headers = { 'X-A': 1, 'Set-Cookie': 'a=b', Connection: 'x', 'Content-Length': '9', te: 'x' }
  const reply = replyOf({ status: 201, type: 'text/html', data: '<p>', headers })
  t.same(responseHead(reply, 3), {
    status: 201,
    headers: ['content-type', 'text/html', 'content-length', '3', 'x-a', '1', 'set-cookie', 'a=b'],
    code: 0,
  })
  t.same(responseHead(unhandledReply(), undefined), {
    status: 404,
    headers: ['content-type', 'text/plain'],
    code: 255,
  })
})

test('hop-by-hop headers, and what Connection names, stay behind', async (t) => {
  t.same(endToEnd(['Connection', 'close, X-A', 'X-A', '1', 'X-B', '2', 'TE', 'x']), ['x-b', '2'])
  const twice = ['X-A', '1', 'connection', 'x-b', 'X-B', '2', 'Connection', 'x-a,, Content-Length']
  t.same(endToEnd([...twice, 'Content-Length', '5', 'odd']), ['content-length', '5'])
  t.equal(fieldOf(['a', 'b', 'b', 'c'], 'b'), 'c')
  t.equal(fieldOf(['a', 'b'], 'c'), undefined)
})

test('what the house says of a question for nobody is a problem document, an unhandled one has no body', (t) => {
  const { headers } = responseHead(outcome(Code.unhandled, 404, 'NOT_FOUND', 'why'), 3)
  t.same(headers.slice(0, 2), ['content-type', 'application/problem+json'])
  t.same(responseHead(unhandledReply(), 0).headers.slice(0, 2), ['content-type', 'text/plain'])
  t.end()
})
