/** Questions as requests say them, and answers as responses: targets, bodies, codes (RP-03 to RP-16). */
import { test } from 'tap'
import { requires } from '../requires.ts'
import { curl } from './curl.ts'
import { outcome } from './outcome.ts'
import { call, Raw, serve, WsClient } from './support.ts'

test('a body that says JSON and is none is a 400, and nobody is asked', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  const bad = await call(stand, '/client/alpha/x', {
    body: '{broken',
    headers: { 'content-type': 'application/json' },
  })
  t.same(outcome(bad), [400, '251', 'BODY_INVALID'])
  await client.sync()
  t.notOk(client.frames.all.some(({ path }) => path.startsWith('@')))
})

test('RP-13: an empty body is none, also where it is typed JSON', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  const headers = { 'content-type': 'application/json', 'content-length': '0' }
  const asked = call(stand, '/client/alpha/x', { method: 'POST', headers })
  const { message, reply } = await client.frames.find(({ path }) => path === '@alpha/x')
  t.equal(message, '')
  client.send({ path: '::reply', reply, message: 1 })
  t.equal((await asked).status, 200)
})

test('dots, encoded or not, names and durations that are none are a 400', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  for (const tail of [
    '/.',
    '/..',
    '/a/../b',
    '/%2e%2E',
    '/.%2e/x',
    '/a//../b',
    '/x?wait=soon',
    '/x?timeout=-1',
    '/x?timeout=',
  ]) {
    const answer = await call(stand, `/client/alpha${tail}`)
    t.equal(answer.status, 400, tail)
    t.equal(answer.headers['content-type'], 'application/problem+json')
  }
  for (const target of ['/client//x', '/client/a%20b/x', `/client/${'x'.repeat(129)}/x`]) {
    t.equal((await call(stand, target)).status, 400, target)
  }
  const asked = call(stand, '/client/alpha/x?a=/../&b=..')
  const question = await client.path('@alpha/x')
  t.equal(question.query, 'a=/../&b=..', 'behind the ? they are data')
  client.send({ path: '::reply', reply: question.reply })
  t.equal((await asked).status, 200)
})

test('a tail that is no path reaches the client as @name/**, and its noun beside it', async (t) => {
  const handlers = { 'GET a/b': () => 'slash', 'GET ': ({ noun }: { noun: string }) => [noun] }
  const stand = await serve(t, { http: { handlers } })
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  const long = 'x'.repeat(600)
  for (const [tail, noun] of [
    ['/a%2Fb', 'a/b'],
    ['', ''],
    ['/', ''],
    ['/a/*', 'a/*'],
    ['/%FF', '%FF'],
    ['/a/', 'a/'],
    ['/%01', '\u0001'],
    [`/${long}`, long],
    ['/a/b', undefined],
  ] as const) {
    const seen = client.frames.all.length
    const asked = call(stand, `/client/alpha${tail}`)
    await client.frames.count(seen + 1)
    const question = client.frames.all.at(-1)
    t.equal(question?.path, noun === undefined ? '@alpha/a/b' : '@alpha/**', tail)
    t.equal(question?.noun, noun, tail)
    client.send({ path: '::reply', reply: question?.reply, message: 1 })
    t.equal((await asked).status, 200)
  }
  t.same((await call(stand, '/client/hub/a%2Fb')).json, 'slash', 'the hub hears it, too')
  t.same((await call(stand, '/client/hub')).json, [''])
  client.send({ path: '@alpha/a', noun: 'other', reply: 'q', message: 1 })
  const own = await client.frames.find(({ path }) => path === '@alpha/a')
  t.equal(own.noun, undefined, 'who says one beside a path is not believed')
})

test('a handler without a noun is asked once per question, and not by receipts', async (t) => {
  let calls = 0
  const handlers = { 'GET ': () => ++calls, 'GET time': () => 'now' }
  const stand = await serve(t, { http: { handlers } })
  t.equal((await call(stand, '/client/hub')).json, 1)
  t.equal((await call(stand, '/client/hub/time')).json, 'now')
  t.equal((await call(stand, '/client/hub')).json, 2)
})

test('an answer whose status has no body says no length of one', async (t) => {
  const statuses = [204, 205, 304]
  const answer = ({ query }: { query: string }): object => ({ status: Number(query), data: 'x' })
  const stand = await serve(t, { http: { handlers: { 'GET status': answer } } })
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  for (const status of statuses) {
    const own = await call(stand, `/client/hub/status?${status}`)
    const asked = call(stand, '/client/alpha/status')
    const question = await client.frames.find(({ path }) => path === '@alpha/status')
    client.frames.all.length = 0
    client.send({ path: '::reply', reply: question.reply, message: '', status })
    for (const answered of [own, await asked]) {
      const { headers } = answered
      t.same([answered.status, answered.text], [status, ''])
      t.equal(headers['content-length'], status === 205 ? '0' : undefined, `${status}`)
      t.equal(headers['transfer-encoding'], undefined)
      t.equal(headers['x-event-return-code'], '0')
    }
  }
})

test('HEAD: the head of the answer without its body', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  const asked = call(stand, '/client/alpha/x', { method: 'HEAD' })
  const question = await client.path('@alpha/x')
  t.equal(question.verb, 'HEAD')
  client.send({ path: '::reply', reply: question.reply, message: 'abc' })
  const answer = await asked
  t.equal(answer.status, 200)
  t.equal(answer.text, '')
  t.equal(answer.headers['content-length'], '5')
  t.equal(answer.headers['x-event-return-code'], '0')
  const raw = new Raw(stand)
  raw.write('HEAD /client/nobody/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  t.match(await raw.ended(), /^HTTP\/1\.1 404 .*\r\n\r\n$/s)
})

test(
  'the hub answers under its own name: time and cat (RP-13, RP-32)',
  requires('curl'),
  async (t) => {
    const stand = await serve(t)
    const time = await call(stand, '/client/hub/time')
    t.ok(Math.abs(time.json.time_from_server - Date.now() / 1000) < 5)
    const cat = await curl(['-i', `${stand.url}/client/hub/cat//hello%20/world`])
    t.match(
      cat,
      /^HTTP\/1\.1 200 .*x-event-return-code: 0.*\{"result_from_server":"hello world"\}/is,
    )
    t.same(outcome(await call(stand, '/client/hub/nothing')), [404, '255', ''])
    t.same(outcome(await call(stand, '/client/hub/time', { method: 'POST' })), [404, '255', ''])
    t.same(outcome(await call(stand, '/client/hub/constructor')), [404, '255', ''])
    const head = await call(stand, '/client/hub/time', { method: 'HEAD' })
    t.same([head.status, head.text], [200, ''], 'RP-04: HEAD as GET')
  },
)

test('a request with two lengths is refused, what is between is not passed on', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  const raw = new Raw(stand)
  raw.write(
    'POST /client/alpha/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  )
  t.match(await raw.ended(), /^HTTP\/1\.1 400 /)
  await client.sync()
  t.notOk(client.frames.all.some(({ path }) => path.startsWith('@')))
})

test('RP-06: every refusal of a question carries a return code, and is no page', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 100 } } })
  const rows: [string, object, number, string][] = [
    ['/client/hub/cat//../x', {}, 400, '249'],
    ['/client/bad%20name/cat', {}, 400, '249'],
    ['/client/hub/cat?wait=abc', {}, 400, '249'],
    ['/client/hub/cat', { headers: { origin: 'http://foreign.example' } }, 403, '249'],
    ['/client/hub/cat', { headers: { host: 'foreign.example' } }, 421, '249'],
    ['/client/hub/cat', { method: 'POST', body: 'x'.repeat(101) }, 413, '249'],
  ]
  for (const [target, options, status, code] of rows) {
    const answer = await call(stand, target, options)
    t.equal(answer.status, status, target)
    t.match(answer.headers, {
      'x-event-return-code': code,
      'x-content-type-options': 'nosniff',
      'content-security-policy': 'sandbox',
    })
  }
  const other = await call(stand, '/nowhere')
  t.notOk('x-event-return-code' in other.headers, 'of others none')
})
