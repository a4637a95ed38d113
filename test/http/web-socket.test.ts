/** WebSockets, spoken by `ws`, `websocket` and by hand: hello, frames, names, resume, closing. */
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'tap'
import type { Connection } from 'websocket'
import websocket from 'websocket'
import {
  call,
  eventually,
  grant,
  pause,
  publish,
  Raw,
  StreamClient,
  serve,
  WsClient,
  within,
} from './support.ts'

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

test('resume takes the session at once: 4002 for the former, rotated secret, what was missed', async (t) => {
  const stand = await serve(t)
  const first = new WsClient(stand)
  const hello = (await first.hello()).message
  await first.subscribe('a')
  await publish(stand, 'a', 1)
  const seen = await first.path('a')
  first.socket.pause()
  await publish(stand, 'a', 2)
  const second = new WsClient(stand)
  const again = (await second.hello({ resume: hello.resume, after: seen.at })).message
  t.match(again, { id: hello.id, resumed: true, patterns: ['a'] })
  t.not(again.resume, hello.resume)
  first.socket.resume()
  await first.frames.ended()
  t.same([first.code, first.reason], [4002, 'replaced'])
  t.same(first.frames.all.at(-1)?.message, { reason: 'replaced' })
  await publish(stand, 'a', 3)
  await second.frames.count(2, ({ path }) => path === 'a')
  t.same(
    second.frames.all.map(({ path, message, replay }) => (path === 'a' ? [message, replay] : path)),
    ['::hello', '::resumed', [2, true], [3, undefined]],
  )
  const third = new WsClient(stand)
  const former = (await third.hello({ resume: hello.resume })).message
  t.equal(former.resumed, true, 'the former secret works until the first frame')
  await third.sync()
  await second.frames.ended()
  for (const dead of [hello.resume, again.resume]) {
    const late = new WsClient(stand)
    const fresh = (await late.hello({ resume: dead })).message
    t.equal(fresh.resumed, false, 'a used secret leads to a new session')
    t.not(fresh.id, hello.id)
    t.same(fresh.patterns, [])
  }
  t.notOk(third.frames.over, 'and takes nothing from the real one')
})

test('kept control frames follow the hello, then what was missed, then live ones', async (t) => {
  const stand = await serve(t)
  const first = new WsClient(stand)
  const { id, resume } = (await first.hello()).message
  await first.subscribe('a')
  await first.sync()
  first.socket.terminate()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
  await publish(stand, 'a', 1)
  await grant(stand, id, 'b')
  await publish(stand, 'b', 2)
  await grant(stand, id, 'c')
  await publish(stand, 'a', 3)
  const second = new WsClient(stand)
  await second.hello({ resume, after: first.frames.all.at(-1)?.at })
  await publish(stand, 'c', 4)
  await second.frames.find(({ message }) => message === 4)
  t.same(
    second.frames.all.map(({ path, message }) => [
      path,
      message.pattern ?? (path.length === 1 ? message : ''),
    ]),
    [
      ['::hello', ''],
      ['::connected', 'b'],
      ['::connected', 'c'],
      ['::resumed', ''],
      ['a', 1],
      ['b', 2],
      ['a', 3],
      ['c', 4],
    ],
  )
  const offsets = second.frames.all
    .slice(3)
    .map(({ at }) => Number(at?.split('-')[1]?.split('.')[0]))
  t.same(
    offsets,
    offsets.toSorted((a, b) => a - b),
    'positions never go back',
  )
})

test('::connect with a position brings what was missed since, or a gap', async (t) => {
  const stand = await serve(t)
  const before = await publish(stand, 'b', 0)
  for (const i of [1, 2]) await publish(stand, 'a', i)
  const client = new WsClient(stand)
  await client.hello()
  await client.subscribe('b')
  client.send({ path: '::connect', message: 'a', after: before.at })
  await client.frames.count(2, ({ path }) => path === 'a')
  await publish(stand, 'a', 3)
  const got = await client.frames.count(3, ({ path }) => path === 'a')
  t.same(
    got.map(({ message, replay }) => [message, replay]),
    [
      [1, true],
      [2, true],
      [3, undefined],
    ],
  )
  t.match((await client.path('::resumed')).message, { after: before.at, count: 2 })
  client.send({ path: '::connect', message: 'c', after: '0123456789abcdef-1' })
  t.match((await client.path('::gap')).message, { patterns: ['c'], reason: 'restart' })
  client.send({ path: '::connect', message: 'd', after: 'nonsense' })
  await client.frames.count(2, ({ path }) => path === '::gap')
  t.equal((await publish(stand, 'd', 1)).matched, 1, 'it is subscribed all the same')
})

test('an empty resume without a cursor begins where the client confirmed', async (t) => {
  const stand = await serve(t, { hub: { heartbeat: { interval: 40, timeout: 2_000 } } })
  const first = new WsClient(stand)
  const { resume } = (await first.hello()).message
  await first.subscribe('a')
  await publish(stand, 'a', 1)
  await first.path('::ping')
  await pause(100)
  first.socket.terminate()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
  await publish(stand, 'a', 2)
  const second = new WsClient(stand)
  await second.hello({ resume })
  await second.path('a')
  t.same(
    second.frames.all.filter(({ path }) => path === 'a').map(({ message }) => message),
    [2],
    'a pong confirmed the first',
  )
})

test('close codes: 1000 keeps the session for a resume, 4000 to 4099 end it', async (t) => {
  const stand = await serve(t, { hub: { session: { expire: 10_000 } } })
  for (const [code, kept] of [
    [1000, true],
    [1001, true],
    [4100, true],
    [4000, false],
    [4099, false],
  ] as const) {
    const client = new WsClient(stand)
    const { resume } = (await client.hello()).message
    client.socket.close(code)
    await client.frames.ended()
    t.equal(client.code, code, 'the close is echoed')
    const back = new WsClient(stand)
    t.equal((await back.hello({ resume })).message.resumed, kept, `${code}`)
    back.socket.close(4000)
    await back.frames.ended()
  }
})

test('bye before a close: drain 4100, closed 4103, revoked 4001, slow 4101, full 4102', async (t) => {
  for (const [reason, code] of [
    ['drain', 4100],
    ['closed', 4103],
    ['revoked', 4001],
    ['slow', 4101],
  ] as const) {
    const stand = await serve(t)
    const client = new WsClient(stand)
    await client.hello()
    for (const session of [...stand.hub.sessions]) session.end({ reason, retryAfter: 7 })
    await client.frames.ended()
    t.same(client.frames.all.at(-1)?.message, { reason, retryAfter: 7 })
    t.same([client.code, client.reason], [code, reason])
  }
  const stand = await serve(t, { hub: { limits: { sessions: 1 } } })
  await new WsClient(stand).hello()
  const refused = await new WsClient(stand).opened()
  refused.send({ path: '::connect', message: 'a' })
  await refused.frames.ended()
  t.equal(refused.code, 4102)
  t.match(refused.frames.all.at(-1), { path: '::bye', message: { reason: 'full' } })
  t.ok(refused.frames.all.at(-1)?.message.retryAfter > 0)
})

test('a session that is over, or was taken over, takes nothing from its former socket', async (t) => {
  const stand = await serve(t)
  const watcher = new WsClient(stand)
  await watcher.hello()
  await watcher.subscribe('a')
  const text = '{"path":"a","message":"from the grave"}'
  for (const way of ['ended', 'taken']) {
    const raw = new Raw(stand)
    raw.write(upgrade())
    await raw.got('101 Switching')
    raw.write(masked(HELLO))
    await raw.got('"resume":"')
    const resume = /"resume":"([^"]+)"/.exec(raw.text)?.[1]
    const session = [...stand.hub.sessions].at(-1)
    if (way === 'ended') session?.end({ reason: 'revoked' })
    else await new WsClient(stand).hello({ resume })
    await raw.got('::bye')
    raw.write(masked(text))
    raw.socket.destroy()
  }
  await publish(stand, 'a', 'end')
  await watcher.frames.find(({ message }) => message === 'end')
  t.same(
    watcher.frames.all.filter(({ path }) => path === 'a').map(({ message }) => message),
    ['end'],
  )
})

test('pings: ours are answered, theirs confirm, silence ends the socket and keeps the session', async (t) => {
  const stand = await serve(t, { hub: { heartbeat: { interval: 60, timeout: 60 } } })
  const client = new WsClient(stand)
  await client.hello()
  client.socket.ping('abc')
  const answer = new Promise((resolve) =>
    client.socket.once('pong', (data) => resolve(String(data))),
  )
  t.equal(await within(answer, 'the pong'), 'abc')
  const ping = await client.path('::ping')
  t.same(ping.message, {})
  t.match(ping.at, /-\d+$/)
  await client.frames.count(3, ({ path }) => path === '::ping')
  t.notOk(client.frames.over, 'a client that answers stays')
  const dead = new Raw(stand)
  dead.write(upgrade())
  await dead.got('101 Switching')
  dead.write(masked(HELLO))
  const all = await dead.ended()
  t.match(all, /::ping/)
  t.equal(stand.hub.sessions.size, 2, 'its session waits for it')
})

test('who sends pings and does not read the answers is owed few of them, and is let go', async (t) => {
  const stand = await serve(t, { hub: { heartbeat: { interval: 200, timeout: 200 } } })
  const greedy = new Raw(stand)
  greedy.write(upgrade())
  await greedy.got('101 Switching')
  greedy.write(masked(HELLO))
  await greedy.got('::hello')
  const [session] = stand.hub.sessions
  greedy.socket.pause()
  const pings = Buffer.concat(Array.from({ length: 1000 }, () => masked('x'.repeat(125), 0x89)))
  let owed = 0
  for (let i = 0; session?.attached === true && i < 1000; i++) {
    greedy.write(pings)
    await pause(2)
    owed = Math.max(owed, -(session.downstream?.room ?? 0))
  }
  t.ok(owed < 1000, 'a frame more than its socket has room for, at most')
  t.equal(session?.attached, false)
  greedy.socket.destroy()
})

test('a socket that never says anything is let go', async (t) => {
  const stand = await serve(t, {
    hub: { heartbeat: { interval: 50, timeout: 50 } },
    http: { limits: { headerTime: 200 } },
  })
  const raw = new Raw(stand)
  raw.write(upgrade())
  await raw.got('101 Switching')
  const wordy = new WsClient(stand)
  await wordy.hello()
  t.match(await raw.ended(), /HELLO_TIMEOUT/)
  t.equal(stand.hub.sessions.size, 1)
  await pause(200)
  t.notOk(wordy.frames.over, 'who said hello may be silent from then on')
})

test('subprotocol: sapwood.v1 is agreed on, none is fine, another is not answered', async (t) => {
  const stand = await serve(t)
  for (const [offer, agreed] of [
    ['', undefined],
    ['Sec-WebSocket-Protocol: sapwood.v1\r\n', 'sapwood.v1'],
    ['Sec-WebSocket-Protocol: other, sapwood.v1\r\n', 'sapwood.v1'],
    ['Sec-WebSocket-Protocol: other\r\n', undefined],
  ] as const) {
    const key = randomBytes(16).toString('base64')
    const raw = new Raw(stand)
    raw.write(upgrade(offer, key))
    await raw.got('\r\n\r\n')
    t.match(raw.text, /^HTTP\/1\.1 101 /)
    t.equal(/Sec-WebSocket-Protocol: (\S+)/i.exec(raw.text)?.[1], agreed)
    const accept = createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    t.equal(/Sec-WebSocket-Accept: (\S+)/i.exec(raw.text)?.[1], accept)
    raw.socket.destroy()
  }
})

test('handshakes that are none: an answer with a code, and the connection ends', async (t) => {
  const stand = await serve(t)
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  const rows: [string, number, string][] = [
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
      400,
      'HANDSHAKE_INVALID',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      400,
      'HANDSHAKE_INVALID',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      400,
      'HANDSHAKE_INVALID',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 8\r\n\r\n`,
      426,
      'HANDSHAKE_VERSION',
    ],
    [
      `POST /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n`,
      405,
      'METHOD_NOT_ALLOWED',
    ],
    [
      `GET /other HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
      404,
      'NOT_FOUND',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
      421,
      'HOST_FOREIGN',
    ],
    [`GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n`, 426, 'UPGRADE_REQUIRED'],
  ]
  for (const [head, status, code] of rows) {
    const raw = new Raw(stand)
    raw.write(head)
    if (code === 'UPGRADE_REQUIRED') await raw.got('}')
    const text = code === 'UPGRADE_REQUIRED' ? raw.text : await raw.ended()
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} .*${code}`, 's'))
    t.match(text, /application\/problem\+json/)
    raw.socket.destroy()
  }
  const unknown = await call(stand, '/events?path=a&x=1')
  t.equal(unknown.json.code, 'QUERY_UNKNOWN')
  await t.rejects(
    new WsClient(stand, { query: '?tokne=x' }).opened(),
    'a misspelt parameter is no silence',
  )
})

test('the handshake byte by byte, with frames right behind it', async (t) => {
  const stand = await serve(t)
  const raw = new Raw(stand)
  const all = Buffer.concat([Buffer.from(upgrade()), masked('{"path":"::connect","message":"a"}')])
  for (const byte of all) {
    raw.write(Buffer.of(byte))
    if (byte === 10) await pause(1)
  }
  await raw.got('::connected')
  const joined = new Raw(stand)
  joined.write(all)
  await joined.got('::connected')
  const half = new Raw(stand)
  half.write(upgrade().slice(0, 60))
  half.socket.end()
  await half.ended()
  t.equal((await publish(stand, 'a', 1)).matched, 2)
})

test('the package `websocket` gets on with it too', async (t) => {
  const stand = await serve(t)
  const client = new websocket.client()
  const connection = await within(
    new Promise<Connection>((resolve, reject) => {
      client.on('connect', resolve)
      client.on('connectFailed', reject)
      client.connect(`ws://127.0.0.1:${stand.port}/ws`, 'sapwood.v1')
    }),
    'the handshake',
  )
  const frames: { path: string; message: unknown }[] = []
  connection.on('message', (message: { type: string; utf8Data: string }) => {
    if (message.type === 'utf8') frames.push(JSON.parse(message.utf8Data))
  })
  connection.sendUTF('{"path":"::connect","message":"**"}')
  await eventually(() => frames.length === 2, 'connected')
  await publish(stand, 'a', { text: 'ä😀'.repeat(30_000) })
  await eventually(() => frames.length === 3, 'the update')
  t.same(frames[2]?.message, { text: 'ä😀'.repeat(30_000) })
  connection.close()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
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

const HELLO = '{"path":"::hello","message":{"version":1}}'

function upgrade(more = '', key = 'AAAAAAAAAAAAAAAAAAAAAA=='): string {
  return `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${more}\r\n`
}

function masked(text: string, first = 0x81): Buffer {
  const payload = Buffer.from(text)
  const mask = randomBytes(4)
  const body = Buffer.from(payload.map((byte, i) => byte ^ (mask[i % 4] as number)))
  return Buffer.concat([Buffer.from([first, 0x80 | payload.length]), mask, body])
}
