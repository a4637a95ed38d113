/** What all requests meet, whatever they ask: how long a body may be, methods, routes, offers of other protocols. */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { curl } from './curl.ts'
import { call, pause, Raw, read, StreamClient, serve, WsClient } from './support.ts'

const THIS = new URL(import.meta.url)

test('frames by POST may be as long as frames of a WebSocket', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 1_000 } } })
  const client = new WsClient(stand)
  const { resume } = (await client.hello()).message
  const frames = (length: number): string => {
    const empty = JSON.stringify([{ path: 'a', message: '' }])
    return empty.replace('""', JSON.stringify('x'.repeat(length - empty.length)))
  }
  const most = 1_000 + 64 * 1024
  const expect = { expect: '100-continue' }
  for (const [number, length, status, headers] of [
    [1, most, 200, {}],
    [2, most + 1, 413, {}],
    [2, most, 200, expect],
    [3, most + 1, 413, expect],
  ] as const) {
    const answer = await call(stand, `/session/${resume}/${number}`, {
      body: frames(length),
      headers,
    })
    t.equal(answer.status, status, `${number}: ${length}`)
    if (status === 413) t.equal(answer.json.code, 'BODY_TOO_LARGE')
  }
})

test('what comes by POST for a session that has ended meanwhile is not taken', async (t) => {
  const stand = await serve(t)
  const { hub } = stand
  const seen: string[] = []
  hub.subscribe('**', (_message, path) => seen.push(path))
  const stream = await StreamClient.open(stand, '/events?path=a')
  const { id, resume } = (await stream.frames.find(({ path }) => path === '::hello')).message
  t.ok(id)
  const view = [...hub.sessions][0]
  const frames = JSON.stringify([
    { path: '::hello', message: { name: 'printer' } },
    { path: 'late', message: 1 },
  ])
  const raw = new Raw(stand)
  raw.write(`POST /session/${resume}/1 HTTP/1.1\r\nHost: localhost\r\n`)
  raw.write(`Content-Length: ${frames.length}\r\n\r\n${frames.slice(0, 10)}`)
  await call(stand, '/health/live')
  view?.end()
  raw.write(frames.slice(10))
  await raw.got('SESSION_UNKNOWN')
  t.match(raw.text, /^HTTP\/1\.1 404 /)
  t.same(
    seen.filter((path) => path === 'late'),
    [],
  )
  t.equal(hub.controller.named('printer'), undefined, 'nobody who is gone has the name')
})

test('a body over limits.body is a 413, with and without Expect; a slow one a 408', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 1_000, bodyTime: 100 } } })
  const body = 'x'.repeat(2_000)
  for (const target of ['/update/a', '/update', '/client/x/y', '/connect/x', '/session/x/1']) {
    const told = await call(stand, target, { body })
    const expected = target === '/session/x/1' ? 404 : 413
    t.equal(told.status, expected, target)
    if (expected === 413) t.equal(told.json.code, 'BODY_TOO_LARGE')
    if (expected === 413) t.equal(told.headers['content-type'], 'application/problem+json')
    const chunked = await call(stand, target, { body, headers: { 'transfer-encoding': 'chunked' } })
    t.equal(chunked.status, expected, `${target} chunked`)
  }
  let continued = false
  const request = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update/a',
    method: 'POST',
    headers: { expect: '100-continue', 'content-length': 2_000 },
    agent: false,
  })
  request.on('error', () => undefined)
  request.on('continue', () => {
    continued = true
  })
  const early = new Promise<IncomingMessage>((resolve) => request.on('response', resolve))
  request.flushHeaders()
  const answer = await read(await early)
  t.equal(answer.status, 413)
  t.equal(continued, false, 'the body was never asked for')
  request.destroy()
  const small = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update/a',
    method: 'POST',
    headers: { expect: '100-continue', 'content-length': 1 },
    agent: false,
  })
  const taken = new Promise<IncomingMessage>((resolve) => small.on('response', resolve))
  small.on('continue', () => small.end('1'))
  small.flushHeaders()
  t.equal((await read(await taken)).status, 200)
  const slow = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update/a',
    method: 'POST',
    headers: { 'content-length': 10 },
    agent: false,
  })
  slow.on('error', () => undefined)
  const late = new Promise<IncomingMessage>((resolve) => slow.on('response', resolve))
  slow.write('123')
  const timeout = await read(await late)
  t.equal(timeout.status, 408)
  t.equal(timeout.json.code, 'BODY_TIMEOUT')
  slow.destroy()
  t.match((await call(stand, '/metrics')).text, /sapwood_faults_total\{code="BODY_TIMEOUT"\} 1/)
})

test(
  'a body far over the limit gets its 413 too, by node, by fetch and by curl',
  requires('curl'),
  async (t) => {
    const stand = await serve(t)
    const body = Buffer.alloc(20 * 1024 * 1024, 'x')
    const answer = await call(stand, '/update/a', { body })
    t.equal(answer.status, 413)
    const fetched = await fetch(`${stand.url}/update/a`, { method: 'POST', body }).catch(
      () => undefined,
    )
    t.ok(fetched === undefined || fetched.status === 413, 'undici may see the end first')
    const args = ['-o', '/dev/null', '-w', '%{http_code}', '--data-binary', '@-']
    t.equal(await curl([...args, `${stand.url}/update/a`], body), '413')
    t.equal(await curl([...args, '-H', 'Expect:', `${stand.url}/update/a`], body), '413')
  },
)

test('errors: 405 with Allow, 404, all as problem documents with a code', async (t) => {
  const stand = await serve(t)
  for (const [method, target, status, code] of [
    ['GET', '/update/a', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/update', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/connect/x', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/events?path=a', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/stream?path=a', 405, 'METHOD_NOT_ALLOWED'],
    ['PUT', '/poll', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/session/x/1', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/client', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/health/live', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/metrics', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/ws', 426, 'UPGRADE_REQUIRED'],
    ['GET', '/nowhere', 404, 'NOT_FOUND'],
    ['GET', '/Update/a', 404, 'NOT_FOUND'],
    ['GET', '/health/else', 404, 'NOT_FOUND'],
    ['GET', '//update/a', 404, 'NOT_FOUND'],
    ['GET', '/constructor', 404, 'NOT_FOUND'],
    ['POST', '/connect', 404, 'NOT_FOUND'],
    ['GET', '/', 404, 'NOT_FOUND'],
  ] as const) {
    const answer = await call(stand, target, { method })
    t.equal(answer.status, status, `${method} ${target}`)
    t.equal(answer.headers['content-type'], 'application/problem+json')
    t.equal(answer.json.code, code)
    t.equal(answer.json.status, status)
    if (status === 405) t.ok(answer.headers.allow)
  }
})

test('HEAD is answered like GET, without the body', async (t) => {
  const stand = await serve(t, { http: { assets: { page: THIS, sdk: THIS } } })
  for (const target of [
    ...['/', '/sapwood.js', '/client', '/metrics'],
    ...['/health/live', '/health/ready', '/health/else'],
  ]) {
    const got = await call(stand, target)
    const head = await call(stand, target, { method: 'HEAD' })
    t.equal(head.status, got.status, target)
    t.equal(head.text, '', target)
    for (const name of ['content-type', 'content-length'] as const) {
      if (target !== '/metrics') t.equal(head.headers[name], got.headers[name], target)
    }
  }
})

test('what stands behind a number or a token is no route', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  const { resume } = (await client.hello()).message
  for (const target of [
    ...[`/poll/${resume}/0/2`, '/poll/none/1/2', '/poll/none/1/'],
    ...[`/events/${resume}/1`, `/stream/${resume}/1`, `/session/${resume}/1/2`],
    '/health/live/1',
  ]) {
    const method = target.startsWith('/session') ? 'POST' : 'GET'
    const answer = await call(stand, target, { method })
    t.equal(answer.status, 404, target)
    t.equal(answer.json.code, 'NOT_FOUND', target)
  }
  client.send({ path: 'a', reply: '1', message: 1 })
  await client.path('::reply')
  t.equal(stand.hub.sessions.size, 1, 'nobody was sent away, and nobody came')
})

test('an offer of another protocol is passed over, and the request answered', async (t) => {
  const stand = await serve(t)
  const taken: string[] = []
  stand.hub.subscribe('**', ({ body }, path) => taken.push(`${path} ${body}`))
  const offer =
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
  const post = (path: string, more: string): string =>
    `POST /update/${path} HTTP/1.1\r\nHost: localhost\r\n${offer}Content-Length: 5\r\n\r\n${more}`
  const whole = new Raw(stand)
  whole.write(post('whole', '12345') + post('next', '67890'))
  await whole.got('"matched":1}HTTP/1.1 200')
  const parts = new Raw(stand)
  parts.write(post('parts', '12'))
  await pause(20)
  parts.write(`345GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  t.match(await parts.ended(), /"matched":1}.*"status":"live"/s)
  const secure = new Raw(stand)
  secure.write(
    'GET /health/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: TLS/1.3\r\nConnection: upgrade\r\n\r\n',
  )
  await secure.got('"live"')
  const chat = new Raw(stand)
  chat.write(
    'GET /health/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: irc/6.9\r\nConnection: upgrade, close\r\n\r\n',
  )
  t.match(await chat.ended(), /"live"/, 'and what else the connection was to do is kept')
  for (const raw of [whole, secure]) raw.socket.destroy()
  t.same(taken, ['whole 12345', 'next 67890', 'parts 12345'])
})

test('curl offers HTTP/2, and is answered', requires('curl'), async (t) => {
  const stand = await serve(t)
  t.match(await curl(['--http2', '-d', '{"a":1}', `${stand.url}/update/a`]), /"matched":0/)
  t.match(await curl(['--http2', `${stand.url}/client/hub/cat//a`]), /"a"/)
})

test('what is asked of no server of this kind is a problem with a code, too', async (t) => {
  const stand = await serve(t)
  const raw = async (text: string): Promise<string> => {
    const one = new Raw(stand)
    one.write(text)
    return one.ended()
  }
  const expects = await raw('POST /update/a HTTP/1.1\r\nHost: localhost\r\nExpect: more\r\n\r\n')
  t.match(expects, /^HTTP\/1\.1 417 .*application\/problem\+json.*EXPECTATION_UNKNOWN/s)
  const tunnel = await raw('CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n')
  t.match(tunnel, /^HTTP\/1\.1 405 .*application\/problem\+json.*METHOD_NOT_ALLOWED/s)
})
