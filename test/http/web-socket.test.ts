/** What is said over a WebSocket: hello, frames, names, mistakes. */
import { test } from 'tap'
import {
  call,
  eventually,
  pause,
  publish,
  Raw,
  StreamClient,
  serve,
  WsClient,
  within,
} from './support.ts'
import { masked, upgrade } from './web-socket-by-hand.ts'

test('hello: id, secret, version, heartbeat, position; then frames are taken', async (t) => {
  const stand = await serve(t, { hub: { heartbeat: { interval: 1_234 } } })
  const before = await publish(stand, 'a', 0)
  const client = new WsClient(stand)
  const hello = await client.hello()
  t.same(Object.keys(hello.message).sort(), [
    'at',
    'heartbeat',
    'id',
    'patterns',
    'resume',
    'resumed',
    'version',
  ])
  t.match(hello.message, {
    version: 1,
    heartbeat: 1_234,
    resumed: false,
    patterns: [],
    at: before.at,
  })
  t.match(hello.message.id, /^hub-[^-]+-\d+$/, 'DB-04: an id of three parts')
  t.not(hello.message.id, hello.message.resume)
  t.equal(client.socket.protocol, 'sapwood.v1')
  t.equal(client.socket.extensions, '', 'no compression')
  client.send({ path: '::connect', message: ['a', 'b/**'] }, { path: '::connect', message: 'c' })
  const connected = await client.frames.count(3, ({ path }) => path === '::connected')
  t.same(
    connected.map(({ message }) => message.pattern),
    ['a', 'b/**', 'c'],
  )
  t.ok(connected.every(({ message, at }) => message.at === at))
  client.socket.send(
    '[{"path":"a","message":1},{"path":"b/c","message":2},{"path":"other","message":3}]',
  )
  const got = await client.frames.count(2, ({ own }) => own === true)
  t.same(
    got.map(({ path, message }) => [path, message]),
    [
      ['a', 1],
      ['b/c', 2],
    ],
  )
  client.send({ path: '::hello', message: { version: 1 } })
  t.equal((await client.path('::error')).message.code, 'HELLO_TWICE')
  client.send({ path: '::disconnect', message: ['b/**'] })
  t.match(await client.path('::disconnected'), { message: { pattern: 'b/**' } })
})

test('a client that starts with anything else is taken to have said hello', async (t) => {
  const stand = await serve(t)
  const client = await new WsClient(stand).opened()
  client.send({ path: '::connect', message: 'a' })
  await client.path('::connected')
  t.equal(client.frames.all[0]?.path, '::hello')
  const other = await new WsClient(stand).opened()
  other.send({ path: 'a', message: 'hi', unknown: { field: true } })
  t.match(await client.path('a'), { message: 'hi' })
  t.equal((await other.path('::hello')).message.resumed, false)
})

test('frames behind a pending hello wait their turn', async (t) => {
  let decide: (() => void) | undefined
  const checker = {
    check: (_: unknown, done: (who?: { id: string; trusted: boolean }) => void) => {
      decide = () => done({ id: 'user:slow', trusted: true })
    },
  }
  const stand = await serve(t, { http: { dev: false, checkers: [checker] } })
  const client = await new WsClient(stand).opened()
  client.send(
    { path: '::hello', message: { version: 1, token: 'x', name: 'slow' } },
    { path: '::connect', message: ['a'] },
    { path: 'a', message: 1 },
    { path: 'a', message: 2 },
  )
  await eventually(() => decide !== undefined, 'the checker was asked')
  t.equal(client.frames.all.length, 0)
  decide?.()
  const got = await client.frames.count(4)
  t.same(
    got.map(({ path }) => path),
    ['::hello', '::connected', 'a', 'a'],
  )
  t.equal([...stand.hub.sessions][0]?.principal.id, 'user:slow')
})

test('what waits for a hello is bounded', async (t) => {
  const checker = { check: () => undefined }
  const stand = await serve(t, {
    http: { dev: false, checkers: [checker], limits: { body: 10_000 } },
  })
  for (const [count, size] of [
    [2_000, 1],
    [20, 1_000],
  ] as const) {
    const client = await new WsClient(stand).opened()
    client.send({ path: '::hello', message: { version: 1, token: 'x' } })
    for (let i = 0; i < count; i++) client.send({ path: 'a', message: 'x'.repeat(size) })
    await client.frames.ended()
    t.same([client.code, client.reason], [1008, 'LIMIT_WAITING'])
  }
})

test('who leaves while a checker still thinks leaves nothing behind', async (t) => {
  const decide: (() => void)[] = []
  const checker = {
    check: (_: unknown, done: (who?: { id: string; trusted: boolean }) => void) => {
      decide.push(() => done({ id: 'user:slow', trusted: true }))
    },
  }
  const stand = await serve(t, { http: { dev: false, checkers: [checker] } })
  const client = await new WsClient(stand).opened()
  client.send({ path: '::hello', message: { version: 1, token: 'x' } })
  const socket = new WsClient(stand, { query: '?token=x' })
  const raws = ['/events?path=a&token=x', '/events/new?token=x', '/poll?token=x'].map((target) =>
    new Raw(stand).write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
  )
  await eventually(() => decide.length === 5, 'all were asked')
  client.socket.terminate()
  socket.socket.terminate()
  for (const raw of raws) raw.socket.destroy()
  await pause(30)
  for (const run of decide) run()
  await pause(30)
  t.equal(stand.hub.sessions.size, 0)
})

test('a server that closes ends handshakes that a checker still thinks about', async (t) => {
  let asked = 0
  const checker = {
    check: () => {
      asked++
    },
  }
  const stand = await serve(t, { http: { dev: false, checkers: [checker] } })
  const head = 'GET /ws?token=x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n'
  const rest =
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  const whole = new Raw(stand).write(head + rest)
  const parts = new Raw(stand).write(head)
  await eventually(() => asked === 1, 'the first was asked about')
  parts.write(rest)
  await eventually(() => asked === 2, 'both were asked about')
  await within(stand.server.close(), 'the server closes', 1_000)
  await eventually(() => whole.socket.closed && parts.socket.closed, 'both have ended')
})

test('mistakes are told with a code and hurt nobody', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  await client.hello()
  const rows: [string, string][] = [
    ['{broken', 'FRAME_INVALID'],
    ['7', 'FRAME_INVALID'],
    ['null', 'FRAME_INVALID'],
    ['[{"path":"a"},{"path":7}]', 'FRAME_INVALID'],
    ['{"message":1}', 'FRAME_INVALID'],
    ['{"path":"a","id":7}', 'FRAME_INVALID'],
    [`{"path":"a","reply":"${'x'.repeat(65)}"}`, 'FRAME_INVALID'],
    ['{"path":"a","message":1,"type":"text/plain"}', 'FRAME_INVALID'],
    ['{"path":"a","message":"=","encoding":"base64"}', 'FRAME_INVALID'],
    ['{"path":"","message":1}', 'PATH_INVALID'],
    ['{"path":"a//b"}', 'PATH_INVALID'],
    ['{"path":"a/*"}', 'PATH_INVALID'],
    ['{"path":"::unheard","message":1}', 'PATH_CONTROL'],
    ['{"path":"::gone","message":"x"}', 'PATH_CONTROL'],
    ['{"path":"::connected","message":"x"}', 'PATH_CONTROL'],
    ['{"path":"::constructor"}', 'PATH_CONTROL'],
    ['{"path":"::connect","message":7}', 'PATTERN_INVALID'],
    ['{"path":"::connect","message":"a//b"}', 'PATTERN_INVALID'],
    ['{"path":"::connect","message":"**/a"}', 'PATTERN_INVALID'],
    ['{"path":"::reply","reply":"x","message":1}', 'REPLY_UNKNOWN'],
    ['{"path":"::reply","message":1}', 'REPLY_UNKNOWN'],
  ]
  for (const [index, [text, code]] of rows.entries()) {
    client.socket.send(text)
    const errors = await client.frames.count(index + 1, ({ path }) => path === '::error')
    t.equal(errors.at(-1)?.message.code, code, text.slice(0, 60))
    t.type(errors.at(-1)?.message.detail, 'string')
  }
  await client.subscribe('still')
  t.equal((await publish(stand, 'still', 1)).matched, 1)
  const { text } = await call(stand, '/metrics')
  t.match(text, /sapwood_faults_total\{code="FRAME_INVALID"\} 9/)
})

test('limits.patterns; a refused pattern is told with its name', async (t) => {
  const stand = await serve(t, {
    hub: { limits: { patterns: 2 }, public: ['a', 'b', 'c'] },
    http: { dev: false, keys: ['k'] },
  })
  const client = new WsClient(stand)
  await client.hello()
  client.send({ path: '::connect', message: ['a', 'secret', 'b', 'c', 'a'] })
  await client.frames.count(2, ({ path }) => path === '::error')
  const told = client.frames.all.filter(({ path }) => path === '::error')
  t.same(told.map(({ message }) => [message.code, message.pattern]).sort(), [
    ['LIMIT_PATTERNS', 'c'],
    ['NOT_ALLOWED', 'secret'],
  ])
  client.send({ path: 'a', message: 1, reply: 'r' })
  t.match(
    await client.frames.find(({ path, message }) => path === '::error' && message.reply === 'r'),
    { message: { code: 'NOT_ALLOWED' } },
  )
})

test('binary closes with 1003, too large with 1009, broken UTF-8 with 1007, each with an error', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 1_000 } } })
  const rows: [(client: WsClient) => void, number, string][] = [
    [({ socket }) => socket.send(Buffer.from('{"path":"a"}')), 1003, 'FRAME_BINARY'],
    [
      ({ socket }) => socket.send(`{"path":"a","message":"${'x'.repeat(80_000)}"}`),
      1009,
      'FRAME_TOO_LARGE',
    ],
    [({ socket }) => socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false }), 1007, ''],
  ]
  for (const [send, code, name] of rows) {
    const client = new WsClient(stand)
    await client.hello()
    send(client)
    await client.frames.ended()
    t.equal(client.code, code)
    const error = client.frames.all.find(({ path }) => path === '::error')
    if (name !== '') t.equal(error?.message.code, name)
    t.ok(error, 'and an error says so')
  }
  const raw = new Raw(stand)
  raw.write(upgrade())
  await raw.got('101 Switching')
  raw.write(masked('{"path":"::connect","message":"a"}'))
  await raw.got('::connected')
  raw.write(masked('{}', 0x82))
  await raw.got('FRAME_BINARY')
  t.equal((await publish(stand, 'a', 'too late')).matched, 1)
  t.notMatch(await raw.ended(), /too late/, 'nothing follows a close')
  const fragments = new WsClient(stand)
  await fragments.hello()
  for (let i = 0; i < 200; i++) fragments.socket.send('x'.repeat(1_000), { fin: false })
  await fragments.frames.ended()
  t.equal(fragments.code, 1009, 'in pieces too')
})

test('names: claimed, taken, released, invalid; the list shows them', async (t) => {
  const checker = {
    check: ({ value }: { value: string }, done: (who?: { id: string; trusted: boolean }) => void) =>
      done({ id: `user:${value}`, trusted: false }),
  }
  const rules = [{ who: 'user:*', may: ['answer'] as const, path: '@shop/**' }]
  const stand = await serve(t, {
    hub: { rules },
    http: { dev: false, keys: ['key'], checkers: [checker] },
  })
  const as = async (who: string, name: string): Promise<WsClient> => {
    const client = new WsClient(stand)
    await client.hello({ token: who, name })
    return client
  }
  const one = await as('alice', 'shop')
  const two = await as('alice', 'shop')
  const bob = await as('bob', 'shop')
  t.match((await bob.path('::error')).message, { code: 'NAME_TAKEN', name: 'shop' })
  const other = await as('alice', 'other')
  t.equal((await other.path('::error')).message.code, 'NOT_ALLOWED')
  const list = (await call(stand, '/client', { headers: { authorization: 'Bearer key' } })).json
  t.same(
    list.map(({ name }: { name?: string }) => name ?? null),
    ['shop', 'shop', null, null],
  )
  t.match(list[0], { transport: 'ws', connected: true, principal: 'user:alice' })
  one.socket.close()
  two.socket.close()
  const dev = await serve(t)
  for (const name of [
    'hub',
    'a b',
    '',
    'x'.repeat(129),
    'ä',
    (await new WsClient(dev).hello()).message.id,
  ]) {
    const client = new WsClient(dev)
    await client.hello({ name })
    t.match((await client.path('::error')).message, { code: /^NAME_(INVALID|TAKEN)$/ }, name)
  }
  const fine = new WsClient(dev)
  await fine.hello({ name: `A-Za.z_0${'x'.repeat(120)}` })
  await fine.sync()
  t.equal(fine.frames.all.filter(({ path }) => path === '::error').length, 1, 'only that of sync')
})

test('two-way push: what one client sends reaches another on any transport, no reply expected', async (t) => {
  const stand = await serve(t)
  const [one, two] = [new WsClient(stand), new WsClient(stand)]
  await one.hello()
  await two.hello()
  await two.subscribe('chat/*')
  const view = await StreamClient.open(stand, '/events?path=chat/1')
  await view.path('::connected')
  one.send({ path: 'chat/1', message: 'hi' })
  t.match(await two.path('chat/1'), { message: 'hi' })
  t.match(await view.path('chat/1'), { message: 'hi' })
  const { id } = (two.frames.all[0] as { message: { id: string } }).message
  one.send({ path: `@${id}/note`, message: 'for you alone' })
  t.match(await two.path(`@${id}/note`), { message: 'for you alone', reply: undefined })
  view.close()
})
