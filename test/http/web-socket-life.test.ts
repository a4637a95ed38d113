/** What becomes of the session of a WebSocket: it is resumed, closed, pinged and let go. */
import { test } from 'tap'
import { eventually, grant, pause, publish, Raw, serve, WsClient, within } from './support.ts'
import { HELLO, masked, upgrade } from './web-socket-by-hand.ts'

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
