/** Who is believed: keys, this machine in `dev`, pages by their origin, proxies for addresses only; and no secret leaks. */
import { test } from 'tap'
import type { Answer, Stand } from './support.ts'
import { call, eventually, publish, Raw, StreamClient, serve, WsClient } from './support.ts'

const put = (stand: Stand, headers: Record<string, string>): Promise<Answer> =>
  call(stand, '/update/a', { method: 'POST', body: '1', headers })

test('dev: a peer on this machine needs no key, under a loopback name only', async (t) => {
  const stand = await serve(t)
  for (const host of [
    'localhost',
    'LOCALHOST:1',
    'app.localhost',
    '127.0.0.1:9',
    '127.1.2.3',
    '[::1]:80',
  ]) {
    t.equal((await put(stand, { host })).status, 200, host)
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.168.0.1',
    'evil.example:80',
  ]) {
    for (const target of [
      '/update/a',
      '/health/live',
      '/events?path=a',
      '/client/x/y',
      '/sapwood.js',
    ]) {
      const answer = await call(stand, target, { headers: { host } })
      t.equal(answer.status, 421, `${host} ${target}`)
      t.equal(answer.json.code, 'HOST_FOREIGN')
    }
    const socket = new WsClient(stand, { headers: { host } })
    await t.rejects(socket.opened(), `WebSocket at ${host}`)
  }
  const raw = new Raw(stand)
  raw.write('GET /health/live HTTP/1.0\r\n\r\n')
  t.match(await raw.ended(), /^HTTP\/1\.1 400 .*HOST_MISSING/s)
  const twice = new Raw(stand)
  twice.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n')
  await twice.got('HOST_TWICE')
  t.match(twice.text, /^HTTP\/1\.1 400 /)
  twice.socket.destroy()
})

test('dev: trust is not lent to foreign pages, to null, or to what was forwarded', async (t) => {
  const stand = await serve(t)
  const rows: [Record<string, string>, number][] = [
    [{ origin: `http://localhost:${stand.port}` }, 200],
    [{ origin: 'http://127.0.0.1:3000' }, 200],
    [{ origin: 'https://app.localhost' }, 200],
    [{ origin: 'http://[::1]:5173' }, 200],
    [{ origin: 'null' }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'http://localhost.evil.example' }, 403],
    [{ origin: 'http://localhost@evil.example' }, 403],
    [{ origin: 'http://localhost/' }, 403],
    [{ origin: 'file://' }, 403],
    [{ origin: 'chrome-extension://abc' }, 403],
    [{ origin: '' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ 'sec-fetch-site': 'none' }, 200],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: 'http://localhost:3000' }, 200],
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
    [{ forwarded: 'for=1.2.3.4' }, 403],
    [{ 'x-forwarded-for': '127.0.0.1' }, 403],
    [{ 'X-Forwarded-Host': 'localhost' }, 403],
    [{ 'x-forwarded-proto': 'https' }, 403],
    [{ 'x-forwarded-anything': '' }, 403],
    [{ via: '1.1 proxy' }, 403],
  ]
  for (const [headers, status] of rows) {
    const answer = await put(stand, headers)
    t.equal(answer.status, status, JSON.stringify(headers))
    if (status === 403) t.match(answer.json.code, /^(ORIGIN_FOREIGN|FORWARDED)$/)
  }
  for (const target of [
    '/events?path=a',
    '/stream?path=a',
    '/poll',
    '/client',
    '/client/x/y',
    '/connect/x',
    '/update',
  ]) {
    const method = /connect|update/.test(target) ? 'POST' : 'GET'
    for (const headers of [{ origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { via: 'x' }]) {
      t.equal((await call(stand, target, { method, headers })).status, 403, target)
    }
  }
  const client = new WsClient(stand)
  const { resume } = (await client.hello()).message
  const foreign = { body: '[]', headers: { origin: 'https://evil.example' } }
  t.equal((await call(stand, `/session/${resume}/1`, foreign)).status, 403)
})

test('dev: cross-site without Origin is refused, also with the Origin of another site', async (t) => {
  const stand = await serve(t)
  // a listed page of another site is what [http] origins is for
  const listed = await serve(t, { http: { origins: ['https://app.example.org'] } })
  const headers = { origin: 'https://app.example.org', 'sec-fetch-site': 'cross-site' }
  t.equal((await put(stand, headers)).status, 403)
  t.equal((await put(listed, headers)).status, 200)
  t.equal((await put(listed, { origin: 'http://localhost:3000' })).status, 403, 'the list replaces')
})

test('keys: 401 for nobody or a bad one, and a key is enough from anywhere', async (t) => {
  const stand = await serve(t, { http: { dev: false, keys: ['right', 'other'] } })
  const nobody = await put(stand, {})
  t.equal(nobody.status, 401)
  t.equal(nobody.json.code, 'NOT_ALLOWED')
  t.match(nobody.headers['www-authenticate'], /^Bearer/)
  for (const authorization of [
    'Bearer wrong',
    'Bearer',
    'Bearer  ',
    'Basic cmlnaHQ=',
    'right',
    'Bearer right,',
  ]) {
    const answer = await put(stand, { authorization })
    t.equal(answer.status, 401, authorization)
    t.equal(answer.json.code, 'CREDENTIAL_INVALID', authorization)
  }
  for (const headers of [
    { authorization: 'Bearer right' },
    { authorization: 'bearer   other ' },
    { authorization: 'Bearer right', host: 'hub.example.org' },
    { authorization: 'Bearer right', via: 'x', 'x-forwarded-for': '1.2.3.4' },
    { authorization: 'Bearer right', origin: 'https://evil.example' },
  ]) {
    t.equal((await put(stand, headers)).status, 200, JSON.stringify(headers))
  }
  for (const [method, target] of [
    ['POST', '/update'],
    ['POST', '/connect/x'],
    ['GET', '/client'],
    ['GET', '/client/x/y'],
    ['GET', '/events?path=a'],
    ['GET', '/stream?path=a'],
    ['GET', '/poll?path=a'],
  ] as const) {
    const body = method === 'POST' ? '[{"path":"a"}]' : undefined
    const ask = { method, ...(body && { body }) }
    t.equal((await call(stand, target, ask)).status, 401, `${method} ${target}`)
    const headers = { authorization: 'Bearer wrong' }
    t.equal((await call(stand, target, { ...ask, headers })).status, 401, `${method} ${target}`)
  }
})

test('rules: 403 for somebody without the right, what a rule allows is allowed', async (t) => {
  const checker = {
    check: ({ value }: { value: string }, done: (who?: { id: string; trusted: boolean }) => void) =>
      done(value === 'alice' ? { id: 'user:alice', trusted: false } : undefined),
  }
  const rules = [{ who: 'user:*', may: ['publish', 'subscribe'] as const, path: 'rooms/*' }]
  const stand = await serve(t, {
    hub: { rules, public: ['news/**'] },
    http: { dev: false, checkers: [checker] },
  })
  const authorization = 'Bearer alice'
  const at = (path: string): Promise<Answer> =>
    call(stand, `/update/${path}`, { body: '1', headers: { authorization } })
  t.equal((await at('rooms/1')).status, 200)
  t.equal((await at('rooms/1/2')).status, 403)
  t.equal((await at('rooms/1/2')).json.code, 'NOT_ALLOWED')
  t.equal((await at('::connect')).status, 403)
  t.equal((await call(stand, '/client', { headers: { authorization } })).status, 403)
  const batch = JSON.stringify([{ path: 'rooms/1' }, { path: 'other' }])
  const refused = await call(stand, '/update', { body: batch, headers: { authorization } })
  t.equal(refused.status, 403)
  t.match(refused.json.detail, /item 1/)
  const lines = await call(stand, '/update', {
    body: '{"path":"rooms/1"}\n{"path":"other"}\n{"path":"rooms/2"}\n',
    headers: { authorization, 'content-type': 'application/x-ndjson' },
  })
  t.same(
    lines.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).code),
    [undefined, 'NOT_ALLOWED', undefined],
  )
  const asked = await call(stand, '/client/hub/time', { headers: { authorization } })
  t.equal(asked.status, 403)
  t.equal(asked.headers['x-event-return-code'], '249')
  const query = 'path=rooms/1&path=secret/x&path=news/a'
  const stream = await StreamClient.open(stand, `/events?${query}&token=alice`)
  const problem = await stream.path('::error')
  t.equal(problem.message.pattern, 'secret/x')
  await stream.frames.count(2, ({ path }) => path === '::connected')
  stream.close()
  for (const target of [
    '/events?path=secret/x',
    '/stream?path=**',
    '/poll?path=secret/x&path=@a/b',
  ]) {
    t.equal((await call(stand, target, { headers: { authorization } })).status, 403, target)
  }
  const anyone = await StreamClient.open(stand, '/events?path=news/a')
  await anyone.path('::connected')
  anyone.close()
  t.equal((await call(stand, '/poll?path=news/a')).status, 200)
  const wide = new WsClient(stand, { query: '?token=alice' })
  await wide.hello()
  for (const pattern of ['**', '::connect', '@x/**', '::inbox/x/**', 'rooms/**']) {
    wide.send({ path: '::connect', message: pattern })
    await wide.frames.find(({ path, message }) => path === '::error' && message.pattern === pattern)
  }
  t.equal((await publish(await serve(t), 'a', 1)).matched, 0)
})

test('CORS: preflight and exposed headers on every route, for listed pages only', async (t) => {
  const stand = await serve(t, {
    http: { origins: ['https://app.example.org'], limits: { body: 1_000 } },
  })
  const origin = 'https://app.example.org'
  const targets = [
    '/update/a',
    '/update',
    '/connect/x',
    '/disconnect/x',
    '/events?path=a',
    '/stream?path=a',
    '/poll',
    '/session/x/1',
    '/client',
    '/client/x/y',
    '/health/live',
    '/metrics',
    '/nowhere',
  ]
  for (const target of targets) {
    const preflight = await call(stand, target, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization, sapwood-id',
      },
    })
    t.equal(preflight.status, 204, target)
    t.equal(preflight.headers['access-control-allow-origin'], origin)
    t.match(preflight.headers['access-control-allow-methods'], /PUT/)
    t.match(preflight.headers['access-control-allow-headers'], /sapwood-id/)
    const foreign = await call(stand, target, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'PUT' },
    })
    t.equal(foreign.status, 403, target)
    t.equal(foreign.headers['access-control-allow-origin'], undefined)
    const method = /update|connect|session/.test(target) ? 'POST' : 'GET'
    if (/events|stream/.test(target)) {
      const stream = await StreamClient.open(stand, target, { origin })
      t.equal(stream.response.headers['access-control-allow-origin'], origin, target)
      stream.close()
      continue
    }
    const body = method === 'POST' ? '[]' : ''
    const answer = await call(stand, target, { method, headers: { origin }, body })
    t.equal(answer.headers['access-control-allow-origin'], origin, target)
    t.match(
      answer.headers['access-control-expose-headers'],
      /X-Event-Return-Code.*Sapwood-/,
      target,
    )
    t.match(answer.headers.vary, /Origin/, target)
    if (method === 'GET') continue
    const large = await call(stand, target, {
      method,
      headers: { origin },
      body: 'x'.repeat(2_000),
    })
    t.equal(large.headers['access-control-allow-origin'], origin, `${large.status} of ${target}`)
  }
  const early = await call(stand, '/update/a', {
    method: 'POST',
    body: 'x'.repeat(2_000),
    headers: { origin, expect: '100-continue' },
  })
  t.equal(early.status, 413)
  t.equal(early.headers['access-control-allow-origin'], origin, 'an early 413')
  const plain = await call(stand, '/update/a', { method: 'OPTIONS' })
  t.equal(plain.status, 405, 'OPTIONS that is no preflight')
  t.match(plain.headers.vary ?? '', /^$|Origin/)
})

test('/sapwood.js is for every page, the demo page for its own', async (t) => {
  const file = new URL(import.meta.url)
  const stand = await serve(t, { http: { assets: { page: file, sdk: file } } })
  const sdk = await call(stand, '/sapwood.js', { headers: { origin: 'https://evil.example' } })
  t.equal(sdk.status, 200)
  t.equal(sdk.headers['access-control-allow-origin'], '*')
  t.match(sdk.headers['content-type'], /^text\/javascript/)
  const tag = sdk.headers.etag as string
  const again = await call(stand, '/sapwood.js', { headers: { 'if-none-match': tag } })
  t.equal(again.status, 304)
  const page = await call(stand, '/')
  t.match(page.headers['content-type'], /^text\/html/)
  t.match(page.headers['content-security-policy'], /frame-ancestors 'none'/)
  t.equal((await call(stand, '/?x=1')).status, 200)
})

test('WebSocket: the handshake of a foreign page is refused', async (t) => {
  const stand = await serve(t)
  for (const origin of ['null', 'https://evil.example']) {
    await t.rejects(new WsClient(stand, { origin }).opened(), origin)
  }
  const own = new WsClient(stand, { origin: `http://127.0.0.1:${stand.port}` })
  await own.hello()
  for (const headers of [{ via: 'x' }, { 'x-forwarded-for': '127.0.0.1' }]) {
    await t.rejects(new WsClient(stand, { headers }).opened(), JSON.stringify(headers))
  }
  const closed = await serve(t, { http: { dev: false, keys: ['key'] }, hub: { public: ['a'] } })
  const page = new WsClient(closed, { origin: `http://127.0.0.1:${closed.port}` })
  await page.hello()
  t.pass('the page of the hub itself, without a credential')
  await t.rejects(new WsClient(closed, { origin: 'https://evil.example' }).opened())
  await t.rejects(new WsClient(closed, { query: '?token=wrong' }).opened(), 'a bad token')
  const keyed = new WsClient(closed, { headers: { authorization: 'Bearer key' } })
  await keyed.hello()
  await keyed.subscribe('anything')
  const told = new WsClient(closed)
  await told.hello({ token: 'key' })
  await told.subscribe('anything')
  const wrong = new WsClient(closed)
  await wrong.opened()
  wrong.send({ path: '::hello', message: { version: 1, token: 'wrong' } })
  t.equal((await wrong.path('::error')).message.code, 'CREDENTIAL_INVALID')
  await wrong.frames.ended()
  t.equal(wrong.code, 4000)
})

test('trusted_proxies name the peer for limits and the list, never for trust', async (t) => {
  const stand = await serve(t, {
    hub: { limits: { sessionsPerAddress: 1 }, public: ['**'] },
    http: { dev: false, keys: ['key'], trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] },
  })
  const from = (told: string): Promise<StreamClient> =>
    StreamClient.open(stand, '/events?path=a', { 'x-forwarded-for': told })
  const one = await from('203.0.113.7')
  const two = await from('203.0.113.8, 10.1.2.3')
  await one.path('::connected')
  await two.path('::connected')
  const third = await from('1.1.1.1, 203.0.113.7')
  t.equal(
    (await third.path('::bye')).message.reason,
    'full',
    'what the peer says itself is not believed',
  )
  const list = await call(stand, '/client', { headers: { authorization: 'Bearer key' } })
  t.same(
    list.json.map(({ address }: { address: string }) => address),
    ['203.0.113.7', '203.0.113.8'],
  )
  one.close()
  two.close()
  for (const nonsense of [
    'unknown',
    '',
    ',',
    '10.1.1.1, unknown, 10.2.2.2',
    '::ffff:10.1.2.3, 10.1.2.3',
    '1.2.3.4:80',
  ]) {
    const odd = await call(stand, '/poll', { headers: { 'x-forwarded-for': nonsense } })
    t.ok(odd.status === 200 || odd.status === 503, nonsense)
  }
  const dev = await serve(t, { http: { trustedProxies: ['127.0.0.1'] } })
  t.equal((await put(dev, { 'x-forwarded-for': '127.0.0.1' })).status, 403)
  const metrics = await call(stand, '/metrics', { headers: { 'x-forwarded-for': '127.0.0.1' } })
  t.equal(metrics.status, 401, 'metrics are not for who was forwarded')
})

test('a proxy that tells the port of a caller, too, means the same caller', async (t) => {
  const stand = await serve(t, {
    hub: { limits: { sessionsPerAddress: 1 }, public: ['**'] },
    http: { dev: false, keys: ['key'], trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] },
  })
  const from = (told: string): Promise<StreamClient> =>
    StreamClient.open(stand, '/events?path=a', { 'x-forwarded-for': told })
  const [four, six] = [await from('203.0.113.7:50001'), await from('[2001:db8::1]:443, 10.1.1.1:9')]
  await four.path('::connected')
  await six.path('::connected')
  const again = [
    await from('203.0.113.7:50002'),
    await from('[2001:db8::1]'),
    await from('2001:db8::1'),
  ]
  for (const one of again) t.equal((await one.path('::bye')).message.reason, 'full')
  const list = await call(stand, '/client', { headers: { authorization: 'Bearer key' } })
  const addresses = list.json.map(({ address }: { address: string }) => address)
  t.same(addresses, ['203.0.113.7', '2001:db8::1'])
  four.close()
  six.close()
})

test('secrets: no key, token or resume secret in any answer, metric or log', async (t) => {
  const logged: string[] = []
  const write = (fields: object, text: string): void => {
    logged.push(JSON.stringify(fields) + text)
  }
  const log = { debug: write, info: write, warn: write, error: write }
  const key = 'PLANTED-key-9f3a'
  const wrong = 'PLANTED-wrong-key-11'
  const stand = await serve(t, { hub: { log }, http: { keys: [key] } })
  const seen: string[] = []
  const note = async (answer: Promise<Answer>): Promise<void> => {
    const { text, headers } = await answer
    seen.push(JSON.stringify(headers), text)
  }
  stand.hub.subscribe('boom', () => {
    throw new Error('a subscriber threw')
  })
  for (const secret of [key, wrong]) {
    const headers = { authorization: `Bearer ${secret}` }
    for (const target of [
      '/update/a',
      '/update/*',
      '/connect/x',
      '/client/x/y',
      '/client/hub/nothing',
      '/session/x/1',
      '/nowhere',
      '/update/boom',
      '/poll/x/y',
    ]) {
      await note(call(stand, target, { body: '1', headers }))
      await note(call(stand, target, { headers }))
    }
    for (const target of [
      `/poll?token=${secret}&bogus=1`,
      `/events?token=${secret}&path=**/a`,
      `/events?token=${secret}`,
      `/ws?token=${secret}`,
    ]) {
      await note(call(stand, target))
    }
    await note(call(stand, '/update/a', { body: '1', headers: { authorization: secret } }))
  }
  const client = new WsClient(stand)
  const { resume, id } = (await client.hello({ name: 'me' })).message
  const other = new WsClient(stand)
  await other.hello()
  await other.subscribe('**')
  other.send({ path: '::hello', message: { version: 1, token: wrong } })
  await note(call(stand, '/client'))
  await note(call(stand, `/session/${resume}/7`, { body: '[]' }))
  await note(call(stand, `/session/${resume}/1`, { body: '{broken' }))
  await note(call(stand, `/poll/${resume}/x`))
  const asked = call(stand, '/client/me/anything', { headers: { authorization: `Bearer ${key}` } })
  const question = await client.path('@me/anything')
  seen.push(JSON.stringify(question))
  client.send({ path: '::reply', reply: question.reply, message: 1 })
  await note(asked)
  const refused = new WsClient(stand)
  await refused.opened()
  refused.send({ path: '::hello', message: { version: 1, token: wrong, resume } })
  await refused.frames.ended()
  await other.sync()
  await note(call(stand, '/metrics'))
  seen.push(
    ...[...other.frames.all, ...refused.frames.all].slice(1).map((frame) => JSON.stringify(frame)),
  )
  t.match(seen.join('\n'), id, 'ids are public')
  for (const secret of [key, wrong, resume]) {
    t.notOk(seen.join('\n').includes(secret), `an answer tells ${secret}`)
    t.notOk(logged.join('\n').includes(secret), `the log tells ${secret}`)
  }
  await eventually(() => logged.some((line) => line.includes('COMPONENT_THREW')), 'a log line')
})

test('answers with a token in them are not stored', async (t) => {
  const stand = await serve(t)
  const polled = await call(stand, '/poll')
  t.equal(polled.headers['cache-control'], 'no-store')
  const stream = await StreamClient.open(stand, '/events?path=a')
  t.equal(stream.response.headers['cache-control'], 'no-store')
  stream.close()
  const [token] = polled.json.reconnectWith.split('/')
  const sent = await call(stand, `/session/${token}/1`, { body: '[]' })
  t.equal(sent.headers['cache-control'], 'no-store')
})
