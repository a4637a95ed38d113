/** The server itself: health, metrics, limits, what is not HTTP, readers that stop, draining, closing. */
import { connect as netConnect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { serveHttp } from '@sapwood/http'
import { hub as makeHub } from '@sapwood/hub'
import { test } from 'tap'
import { listening, NO_BUFFERS } from '../listening.ts'
import type { Stand } from './support.ts'
import {
  call,
  eventually,
  open,
  pause,
  publish,
  Raw,
  read,
  StreamClient,
  serve,
  WsClient,
  within,
} from './support.ts'

test('errors of accepting are counted and told in the log, and however many do not end the server', async (t) => {
  const servers = listening(t)
  const told: object[] = []
  const nothing = (): void => undefined
  const warn = (fields: object): void => void told.push(fields)
  const stand = await serve(t, {
    hub: { log: { debug: nothing, info: nothing, error: nothing, warn } },
  })
  for (let i = 0; i < 3; i++) servers[0]?.emit('error', NO_BUFFERS)
  t.same(told, Array(3).fill({ code: 'ACCEPT_FAILED', reason: 'accept ENOBUFS' }))
  t.equal(stand.hub.counters.faults.get('ACCEPT_FAILED'), 3)
  t.equal((await call(stand, '/health/live')).status, 200)
})

test('health and metrics', async (t) => {
  const stand = await serve(t)
  for (const what of ['live', 'ready']) {
    const answer = await call(stand, `/health/${what}`)
    t.equal(answer.status, 200)
    t.same(answer.json, { status: what })
  }
  const client = new WsClient(stand)
  await client.hello()
  await client.subscribe('a')
  await publish(stand, 'a', 1)
  await client.path('a')
  await call(stand, '/nowhere')
  const metrics = await call(stand, '/metrics')
  t.match(metrics.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const lines = metrics.text.split('\n')
  const value = (name: string): number =>
    Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1])
  t.equal(value('sapwood_sessions'), 1)
  t.equal(value('sapwood_opened_total'), 1)
  t.ok(value('sapwood_updates_total') >= 1)
  t.ok(value('sapwood_deliveries_total') >= 1)
  t.equal(value('sapwood_history_updates'), 1)
  t.equal(value('sapwood_faults_total{code="NOT_FOUND"}'), 1)
  t.ok(value('process_resident_memory_bytes') > 1e6)
  for (const line of lines) {
    t.match(
      line,
      /^$|^# (HELP|TYPE) [a-z_]+ .+$|^[a-z_]+(\{code="[A-Z0-9_]+"\})? [0-9.e+-]+$/,
      line,
    )
  }
})

test('GET /client lists who is connected, for trusted callers', async (t) => {
  const stand = await serve(t)
  t.same((await call(stand, '/client')).json, [])
  const client = new WsClient(stand)
  const { id } = (await client.hello({ name: 'me' })).message
  await client.subscribe('a', 'b/**')
  const view = await StreamClient.open(stand, '/stream?path=c')
  await view.path('::connected')
  const answer = await call(stand, '/client')
  t.equal(answer.headers['cache-control'], 'no-store')
  t.match(answer.json, [
    {
      id,
      name: 'me',
      transport: 'ws',
      connected: true,
      patterns: ['a', 'b/**'],
      address: '127.0.0.1',
      questions: 0,
    },
    { transport: 'stream', connected: true, patterns: ['c'] },
  ])
  client.socket.terminate()
  view.close()
  await eventually(() => stand.hub.sessions.size === 1, 'the view ended')
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
  t.match((await call(stand, '/client')).json, [{ id, connected: false }])
})

test('what is not HTTP gets a clear answer, everybody else goes on', async (t) => {
  const stand = await serve(t, { http: { limits: { headerTime: 150 } } })
  const other = new WsClient(stand)
  await other.hello()
  await other.subscribe('a')
  const rows: [string | Uint8Array, RegExp][] = [
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 .*HTTP_INVALID/s],
    [Buffer.from([0, 1, 2, 3, 255]), /^HTTP\/1\.1 400 .*HTTP_INVALID/s],
    ['my/data;hello\n', /^HTTP\/1\.1 400 .*HTTP_INVALID/s],
    [
      `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      /^HTTP\/1\.1 431 .*HEADER_TOO_LARGE/s,
    ],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['GET /health/live HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET /health/live HTTP/1.1\r\nHost: localhost\r\n', /^HTTP\/1\.1 408 .*HEADER_TIMEOUT/s],
    ['GET', /^HTTP\/1\.1 408 .*HEADER_TIMEOUT/s],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 .*HOST_MISSING/s],
  ]
  for (const [bytes, wanted] of rows) {
    const raw = new Raw(stand)
    raw.write(bytes)
    const text = await raw.ended()
    t.match(text, wanted, JSON.stringify(String(bytes).slice(0, 30)))
    t.match(text, /application\/problem\+json/)
  }
  const slow = new Raw(stand)
  const head = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-A: '
  for (const char of head) {
    slow.write(char)
    await pause(8)
    if (slow.text !== '') break
  }
  t.match(await slow.ended(), /^HTTP\/1\.1 408 /, 'a head that trickles in')
  await publish(stand, 'a', 'fine')
  await other.path('a')
  const { text } = await call(stand, '/metrics')
  for (const code of ['HTTP_INVALID', 'HEADER_TIMEOUT', 'HEADER_TOO_LARGE']) {
    t.match(text, `sapwood_faults_total{code="${code}"}`)
  }
})

test('TLS on the plain port is told so', async (t) => {
  const stand = await serve(t)
  const raw = new Raw(stand)
  raw.write(Buffer.from('16030100c8010000c40303', 'hex')).write(Buffer.alloc(200, 7))
  t.match(await raw.ended(), /^HTTP\/1\.1 400 .*TLS_ON_PLAIN_PORT/s)
  const socket = netConnect(stand.port, '127.0.0.1')
  const secure = tlsConnect({ socket, rejectUnauthorized: false })
  const error = await within(
    new Promise<Error>((resolve) => secure.once('error', resolve)),
    'the failure of the handshake',
  )
  t.ok(error)
  t.equal((await call(stand, '/health/live')).status, 200)
})

test('half requests, half handshakes and resets leave nothing behind', async (t) => {
  const stand = await serve(t, { http: { limits: { headerTime: 300, bodyTime: 300 } } })
  for (const text of [
    '',
    'G',
    'POST /update/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12',
    'POST /update HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"pat',
    'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: web',
    'GET /events?path=a HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET /poll HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ]) {
    for (const way of ['end', 'destroy', 'reset'] as const) {
      const raw = new Raw(stand)
      raw.write(text)
      await pause(5)
      if (way === 'end') raw.socket.end()
      else if (way === 'destroy') raw.socket.destroy()
      else raw.socket.resetAndDestroy()
    }
  }
  await eventually(
    () => [...stand.hub.sessions].every(({ kind }) => kind === 'poll'),
    'views ended',
  )
  t.equal((await publish(stand, 'a', 1)).matched, 0)
  t.equal(stand.hub.engine.count, 1)
})

test('limits.sessions and sessions_per_address, also for a second transport of one session', async (t) => {
  const stand = await serve(t, { hub: { limits: { sessionsPerAddress: 2 } } })
  const one = new WsClient(stand)
  const { resume } = (await one.hello()).message
  const two = new WsClient(stand)
  await two.hello()
  const three = new WsClient(stand)
  await three.opened()
  three.send({ path: '::hello', message: { version: 1 } }, { path: 'a', message: 1 })
  await three.frames.ended()
  t.equal(three.code, 4102)
  t.equal((await call(stand, '/poll')).json.code, 'LIMIT_SESSIONS_PER_ADDRESS')
  const again = new WsClient(stand)
  t.equal((await again.hello({ resume })).message.resumed, true, 'who comes back is not a new one')
  two.socket.close(4000)
  await eventually(() => stand.hub.sessions.size === 1, 'one has gone')
  const four = new WsClient(stand)
  await four.hello()
  const { text } = await call(stand, '/metrics')
  t.match(text, /LIMIT_SESSIONS_PER_ADDRESS/)
})

test('a subscriber that stops reading holds its outbox at most, the others go on', async (t) => {
  const outbox = 200_000
  const stand = await serve(t, { hub: { session: { outbox }, history: { count: 2_000 } } })
  const slow: Raw[] = []
  for (const target of ['/events?path=a', '/stream?path=a']) {
    const raw = new Raw(stand)
    raw.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await raw.got('connected')
    raw.socket.pause()
    slow.push(raw)
  }
  const stalled = new WsClient(stand)
  await stalled.hello()
  await stalled.subscribe('a')
  stalled.socket.pause()
  const quick = new WsClient(stand)
  await quick.hello()
  await quick.subscribe('a')
  const big = 'x'.repeat(10_000)
  const rss = process.memoryUsage().rss
  for (let i = 0; i < 3_000; i++) {
    stand.hub.publish('a', { i, big })
    if (i % 20 === 0) await quick.frames.count(Math.max(0, i - 40), ({ path }) => path === 'a')
    if (i % 300 === 0) {
      t.ok(stand.hub.budget.used <= 3 * outbox + 700_000, `${stand.hub.budget.used} bytes wait`)
    }
  }
  const got = await quick.frames.count(3_000, ({ path }) => path === 'a')
  t.ok(got.every(({ message }, i) => message.i === i))
  t.notOk(quick.frames.all.some(({ path }) => path === '::gap'))
  t.ok(stand.hub.budget.used <= 3 * outbox)
  t.ok(process.memoryUsage().rss - rss < 200e6)
  stalled.socket.resume()
  const gap = await stalled.path('::gap')
  t.match(gap.message, { reason: 'slow', patterns: ['a'] })
  for (const raw of slow) raw.socket.resume()
  await pause(50)
  await publish(stand, 'a', { i: 'afterwards' })
  await stalled.frames.find(({ path, message }) => path === 'a' && message.i === 'afterwards')
  for (const raw of slow) {
    await raw.got('"i":"afterwards"')
    t.match(raw.text, /"reason":"slow"/)
    raw.socket.destroy()
  }
})

test('a flush hands a socket no more than it has room for', async (t) => {
  const stand = await serve(t)
  const { hub } = stand
  const after = hub.position
  for (let i = 0; i < 500; i++) hub.publish('a', { i, big: 'x'.repeat(10_000) })
  const raw = new Raw(stand)
  raw.socket.pause()
  raw.write(`GET /stream?path=a&after=${after} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  const client = new WsClient(stand)
  await client.hello()
  client.socket.pause()
  client.send({ path: '::connect', message: 'a', after })
  const rooms = () => [...hub.sessions].map(({ downstream }) => downstream?.room ?? 1)
  await eventually(
    () => rooms().length === 2 && rooms().every((room) => room <= 0),
    'both are full',
  )
  for (const room of rooms()) t.ok(room > -65_536, `${-room} bytes more than its limit`)
  raw.socket.destroy()
  client.socket.terminate()
})

test('metrics are for programs of this machine, not for pages whose name was made to mean it', async (t) => {
  const stand = await serve(t, { http: { dev: false, keys: ['key'] } })
  t.equal((await call(stand, '/metrics')).status, 200)
  const rebound = { host: 'evil.example' }
  t.equal((await call(stand, '/metrics', { headers: rebound })).status, 401)
  const headers = { ...rebound, authorization: 'Bearer key' }
  t.equal((await call(stand, '/metrics', { headers })).status, 200)
})

test('draining: not ready, sends everybody away with a time to come back, waits for what is open', async (t) => {
  const hub = makeHub()
  const server = await serveHttp(hub, {
    dev: true,
    port: 0,
    poll: { hold: 10_000 },
    drain: { limit: 5_000 },
  })
  const stand: Stand = { hub, server, url: server.url, port: Number(new URL(server.url).port) }
  const client = new WsClient(stand)
  const { id } = (await client.hello({ name: 'alpha' })).message
  const view = await StreamClient.open(stand, '/events?path=a')
  await view.path('::connected')
  const { reconnectWith } = (await call(stand, '/poll')).json
  const waiting = call(stand, `/poll/${reconnectWith}`)
  const body = open(stand, '/update', {
    headers: { 'content-type': 'application/x-ndjson' },
    body: '{"path":"a"}\n',
  })
  t.equal((await read(await body)).status, 200)
  const held = new Raw(stand)
  held.write('POST /update/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n1')
  await pause(30)
  let drained = false
  const draining = server.drain().then(() => {
    drained = true
  })
  t.match((await client.path('::bye')).message, { reason: 'drain', retryAfter: Number })
  await client.frames.ended()
  t.equal(client.code, 4100)
  t.match((await view.path('::bye')).message, { reason: 'drain' })
  t.match((await waiting).json.updates, [{ path: '::bye', message: { reason: 'drain' } }])
  const ready = await call(stand, '/health/ready')
  t.equal(ready.status, 503)
  t.equal(ready.json.code, 'DRAINING')
  t.equal((await call(stand, '/health/live')).status, 200)
  const away = await StreamClient.open(stand, '/events?path=a')
  t.match((await away.path('::bye')).message, { reason: 'drain' })
  t.match(away.text, /^retry: \d+\n/)
  const late = await new WsClient(stand).opened()
  late.send({ path: '::connect', message: 'a' })
  await late.frames.ended()
  t.equal(late.code, 4100)
  t.equal((await call(stand, '/poll')).status, 503)
  t.equal(drained, false, 'a request is open')
  held.write('23')
  await held.got('"matched"')
  await within(draining, 'the drain', 4_000)
  await t.rejects(call(stand, '/health/live'), 'nobody listens any more')
  t.type(id, 'string')
  await hub.close()
})

test('draining: who was asked something may answer first, and who is away is not waited for', async (t) => {
  const stand = await serve(t, { http: { drain: { limit: 5_000 } } })
  const asked = new WsClient(stand)
  await asked.hello({ name: 'asked' })
  const away = new WsClient(stand)
  await away.hello({ name: 'away' })
  const answer = call(stand, '/client/asked/time')
  const lost = call(stand, '/client/away/time')
  const { reply } = await asked.path('@asked/time')
  await away.path('@away/time')
  away.socket.terminate()
  const [, other] = [...stand.hub.sessions]
  await eventually(() => other?.attached === false, 'the other one is away')
  const draining = stand.server.drain()
  t.equal((await within(lost, 'the answer for who is away')).status, 502)
  t.notOk(asked.frames.over)
  asked.send({ path: '::reply', message: 'noon', reply })
  t.equal((await answer).text, '"noon"')
  t.match((await asked.path('::bye')).message, { reason: 'drain' })
  await within(draining, 'the drain', 4_000)
})

test('draining a server whose hub is closed, or closes meanwhile, ends', async (t) => {
  const closed = await serve(t, { http: { drain: { limit: 60_000 } } })
  await closed.hub.close()
  await within(closed.server.drain(), 'the drain of a closed hub')
  const closing = await serve(t, { http: { drain: { limit: 60_000 } } })
  const held = new Raw(closing)
  held.write('POST /update/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n1')
  await pause(30)
  const draining = closing.server.drain()
  await closing.hub.close()
  await within(draining, 'the drain of a hub that closes')
  await held.ended()
})

test('a connection that says nothing does not hold a drain, nor does an idle one', async (t) => {
  const stand = await serve(t, { http: { drain: { limit: 5_000 } } })
  const silent = new Raw(stand)
  const idle = new Raw(stand)
  idle.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await idle.got('live')
  await eventually(() => silent.socket.readyState === 'open', 'connected')
  const since = performance.now()
  await stand.server.drain()
  t.ok(performance.now() - since < 3_000, `${performance.now() - since} ms`)
  await silent.ended()
  await idle.ended()
})

test('draining ends at its limit, whatever is open; a second call is the same', async (t) => {
  const hub = makeHub()
  const server = await serveHttp(hub, { dev: true, port: 0, drain: { limit: 150 } })
  const stand: Stand = { hub, server, url: server.url, port: Number(new URL(server.url).port) }
  const held = new Raw(stand)
  held.write('POST /update/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n1')
  await pause(30)
  const since = performance.now()
  await Promise.all([server.drain(), server.drain()])
  const took = performance.now() - since
  t.ok(took >= 148 && took < 1_500, `${took} ms`)
  await held.ended()
  await Promise.all([server.close(), server.close()])
  await hub.close()
})

test('close leaves no handle; a port that is taken says what to do, and leaves the hub as it was', async (t) => {
  const hub = makeHub()
  const server = await serveHttp(hub, { dev: true, port: 0 })
  const port = Number(new URL(server.url).port)
  await t.rejects(serveHttp(hub, { dev: true, port }), {
    code: 'PORT_IN_USE',
    message: /another port/,
  })
  await t.rejects(serveHttp(hub, { dev: true, port: 0, host: '0.0.0.0' }), {
    code: 'DEV_NOT_LOOPBACK',
  })
  await t.rejects(serveHttp(hub, { port: 0, host: '203.0.113.1' }), { code: 'ADDRESS_INVALID' })
  t.equal(hub.controller.named('hub')?.size, 1, 'the failed ones answer nothing')
  const client = new WsClient({ hub, server, url: server.url, port })
  await client.hello()
  await server.close()
  await client.frames.ended()
  t.equal(client.code, 4103)
  t.equal(hub.sessions.size, 0)
  t.equal(hub.controller.named('hub')?.size ?? 0, 0)
  await hub.close()
})

test('on ::1 too', async (t) => {
  const hub = makeHub()
  let server: Awaited<ReturnType<typeof serveHttp>>
  try {
    server = await serveHttp(hub, { dev: true, port: 0, host: '::1' })
  } catch (thrown) {
    await hub.close()
    t.match(thrown, { code: 'ADDRESS_INVALID' }, 'a machine without IPv6')
    return
  }
  t.match(server.url, /^http:\/\/\[::1\]:\d+$/)
  const answer = await fetch(`${server.url}/update/a`, { method: 'POST', body: '1' })
  t.equal(answer.status, 200)
  await answer.text()
  await server.close()
  await hub.close()
})
