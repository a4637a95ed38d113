/** Subscriptions, cursor, resume, publishing and asking: what is said to the hub, and said again. */
import { thisPlatform } from '@sapwood/client'
import { test } from 'tap'
import { type Json, settle, TwinTransport, twin } from './twin.ts'

test('subscriptions made before the hello go out in one frame behind it', async (t) => {
  const { client, ws } = twin()
  client.subscribe('a', () => undefined)
  client.subscribe('b/*', () => undefined)
  await settle()
  t.strictSame(ws.last.sent, [])
  ws.last.hello()
  t.strictSame(ws.last.sent, [{ path: '::connect', message: ['a', 'b/*'] }])
})

test('subscriptions of one turn are one frame, and one that is taken back in the same turn is none', async (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  client.subscribe('a', () => undefined)
  client.subscribe('b', () => undefined)
  client.subscribe('c', () => undefined)()
  await settle()
  t.strictSame(ws.last.sent, [{ path: '::connect', message: ['a', 'b'] }])
})

test('PM-03: callbacks of a pattern are one subscription; the first connects, the last disconnects', async (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const calls: string[] = []
  const once = () => calls.push('once')
  const offs = [
    client.subscribe('a', () => calls.push('first')),
    client.subscribe('a', once),
    // the same again is ignored, but wants to be taken back as well
    client.subscribe('a', once),
  ]
  await settle()
  t.equal(ws.last.sent.length, 1)
  ws.last.down({ path: '::connected', message: { pattern: 'a', at: 'e-0' }, at: 'e-0' })
  ws.last.down({ path: 'a', message: 1 })
  t.strictSame(calls, ['first', 'once'])
  offs[1]?.()
  offs[1]?.()
  ws.last.down({ path: 'a', message: 2 })
  t.strictSame(calls, ['first', 'once', 'first', 'once'])
  offs[0]?.()
  await settle()
  t.equal(ws.last.sent.length, 1)
  offs[2]?.()
  await settle()
  t.strictSame(ws.last.on('::disconnect'), [{ path: '::disconnect', message: ['a'] }])
  ws.last.down({ path: 'a', message: 3 })
  t.equal(calls.length, 4)
})

test('an update reaches every callback whose pattern matches, once each, with what is said about it', (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const calls: unknown[] = []
  client.subscribe('a/**', (message, update) => calls.push(['rest', message, update.path]))
  client.subscribe('a/*', (message, { at, own, replay, id }) =>
    calls.push([message, at, own, replay, id]),
  )
  client.subscribe('a/b', (message) => calls.push(['exact', message]))
  client.subscribe('b', () => calls.push('never'))
  ws.last.down({ path: 'a/b', message: { n: 1 }, at: 'e-3', own: true, replay: true, id: 'x' })
  t.strictSame(
    calls.map((call) => JSON.stringify(call)).sort(),
    ['["exact",{"n":1}]', '["rest",{"n":1},"a/b"]', '[{"n":1},"e-3",true,true,"x"]'].sort(),
  )
  t.end()
})

test('texts come as strings and bytes as bytes', (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const calls: unknown[] = []
  client.subscribe('**', (message, { type }) => calls.push([message, type]))
  ws.last.down({ path: 'a', message: 'no json {', type: 'text/plain' })
  ws.last.down({ path: 'a', message: null })
  t.strictSame(calls, [
    ['no json {', 'text/plain'],
    [null, undefined],
  ])
  t.end()
})

test('a callback that throws hinders nobody, and is told as an error', (t) => {
  const { client, ws, events } = twin()
  ws.last.hello()
  const calls: unknown[] = []
  client.subscribe('a', () => {
    throw new Error('mine')
  })
  client.subscribe('a', (message) => calls.push(message))
  ws.last.down({ path: 'a', message: 1 })
  t.strictSame(calls, [1])
  t.match(events('error'), [{ code: 'CALLBACK_THREW', detail: /mine/, cause: new Error('mine') }])
  t.end()
})

test('a callback may take back itself and others while it runs', (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const calls: string[] = []
  const off = client.subscribe('a', () => {
    calls.push('first')
    off()
    offSecond()
    client.subscribe('a', () => calls.push('third'))
  })
  const offSecond = client.subscribe('a', () => calls.push('second'))
  ws.last.down({ path: 'a' })
  t.strictSame(calls, ['first'])
  ws.last.down({ path: 'a' })
  t.strictSame(calls, ['first', 'third'])
  t.end()
})

test('what is no pattern or path throws where it is said', async (t) => {
  const { client } = twin()
  t.throws(() => client.subscribe('a//b', () => undefined), { code: 'PATTERN_INVALID' })
  await t.rejects(client.publish('a/*', 1), { code: 'PATH_INVALID' })
  await t.rejects(client.ask('fileserver/cat'), { code: 'PATH_INVALID' })
  await t.rejects(
    client.publish('a', () => 1),
    TypeError,
  )
  await t.rejects(client.publish('a', 1n), TypeError)
  await t.rejects(client.publish('a', { n: 1 }, { type: 'text/plain' }), TypeError)
  await t.rejects(client.publish('a', 1, { id: 'ü'.repeat(257) }), { code: 'FRAME_INVALID' })
})

test('a session that goes on: only what the hub does not hold is asked for, what it holds too much is left', async (t) => {
  const { client, clock, ws } = twin()
  const offs = ['a', 'b', 'c'].map((pattern) => client.subscribe(pattern, () => undefined))
  ws.last.hello({ resume: 's1' })
  for (const pattern of ['a', 'b']) {
    ws.last.down({ path: '::connected', message: { pattern, at: 'e-4' }, at: 'e-4' })
  }
  ws.last.lose()
  offs[1]?.()
  client.subscribe('d', () => undefined)
  clock.advance(500)
  t.match(ws.last.open(), { id: 'hub-1', resume: 's1', after: 'e-4' })
  ws.last.hello({ resume: 's2', resumed: true, patterns: ['a', 'b', 'from the back end'] })
  t.strictSame(ws.last.sent, [
    { path: '::connect', message: ['c', 'd'] },
    { path: '::disconnect', message: ['b'] },
  ])
  t.strictSame(ws.last.bundles, [2])
})

test('PM-02: after a lost session all patterns go out in one frame, with the cursor for those that were held', async (t) => {
  const { client, clock, ws, events } = twin()
  client.subscribe('a', () => undefined)
  client.subscribe('b/*', () => undefined)
  ws.last.hello({ id: 'hub-1' })
  for (const pattern of ['a', 'b/*']) {
    ws.last.down({ path: '::connected', message: { pattern, at: 'e-1' }, at: 'e-1' })
  }
  ws.last.down({ path: 'a', message: 1, at: 'e-9' })
  ws.last.lose()
  client.subscribe('new', () => undefined)
  clock.advance(500)
  ws.last.hello({ id: 'hub-2', at: 'f-0' })
  t.strictSame(ws.last.sent, [
    { path: '::connect', message: ['a', 'b/*'], after: 'e-9' },
    { path: '::connect', message: ['new'] },
  ])
  t.strictSame(ws.last.bundles, [2])
  t.equal(client.id, 'hub-2')
  t.match(events('state').at(-1), { state: 'connected', resumed: false })
})

test('what a lost session missed is asked for until the hub has answered, over however many links', async (t) => {
  const ws = new TwinTransport('ws')
  const { client, clock } = twin({ transports: [ws] })
  client.subscribe('a', () => undefined)
  ws.last.hello({ id: 'hub-1' })
  ws.last.down({ path: '::connected', message: { pattern: 'a' }, at: 'e-9' })
  ws.last.lose()
  clock.advance(500)
  ws.last.hello({ id: 'hub-2', at: 'e-20' })
  t.match(ws.last.sent, [{ after: 'e-9' }])
  ws.last.lose()
  clock.advance(1_000)
  // it did not get through: the second session goes on without the pattern
  ws.last.hello({ id: 'hub-2', resumed: true, patterns: [] })
  t.strictSame(ws.last.sent, [{ path: '::connect', message: ['a'], after: 'e-9' }])
  ws.last.lose()
  clock.advance(2_000)
  ws.last.hello({ id: 'hub-3', at: 'e-30' })
  t.strictSame(ws.last.sent, [{ path: '::connect', message: ['a'], after: 'e-9' }])
  ws.last.down({ path: '::connected', message: { pattern: 'a' }, at: 'e-9' })
  ws.last.lose()
  clock.advance(4_000)
  ws.last.hello({ id: 'hub-3', resumed: true, patterns: ['a'] })
  t.strictSame(ws.last.sent, [])
})

test('a gap is told and moves the cursor', (t) => {
  const { client, clock, ws, events } = twin()
  ws.last.hello()
  const gap = { patterns: ['a'], after: 'e-1', at: 'f-7', reason: 'restart' }
  ws.last.down({ path: '::gap', message: gap })
  t.strictSame(events('gap'), [gap])
  ws.last.lose()
  clock.advance(500)
  t.match(ws.last.open(), { after: 'f-7' })
  t.equal(client.state, 'connecting')
  t.end()
})

test('a position handed in is asked for with every pattern that is wanted before the first hello', async (t) => {
  const { client, ws } = twin({ after: 'e-3' })
  client.subscribe('a', () => undefined)
  ws.last.hello({ at: 'e-8' })
  t.strictSame(ws.last.sent, [{ path: '::connect', message: ['a'], after: 'e-3' }])
  client.subscribe('b', () => undefined)
  await settle()
  t.strictSame(ws.last.sent[1], { path: '::connect', message: ['b'] })
})

test('a refused pattern is told, not asked for again in this session, but by its next subscriber', async (t) => {
  const { client, clock, ws, events } = twin()
  const off = client.subscribe('a', () => undefined)
  ws.last.hello()
  ws.last.down({ path: '::error', message: { code: 'NOT_ALLOWED', detail: 'no', pattern: 'a' } })
  t.match(events('error'), [{ code: 'NOT_ALLOWED', pattern: 'a' }])
  ws.last.lose()
  clock.advance(500)
  ws.last.hello({ resumed: true })
  t.strictSame(ws.last.sent, [])
  off()
  await settle()
  t.strictSame(ws.last.sent, [])
  client.subscribe('a', () => undefined)
  await settle()
  t.strictSame(ws.last.sent, [{ path: '::connect', message: ['a'] }])
})

test('a pattern that the hub takes away is told, and not retaken in the same session', async (t) => {
  const { client, ws, events } = twin()
  client.subscribe('a', () => undefined)
  ws.last.hello()
  ws.last.down({ path: '::connected', message: { pattern: 'a', at: 'e-0' } })
  ws.last.down({ path: '::disconnected', message: { pattern: 'a' } })
  await settle()
  t.match(events('subscribed'), [{ pattern: 'a' }])
  t.match(events('unsubscribed'), [{ pattern: 'a' }])
  t.equal(ws.last.sent.length, 1)
})

test('subscribing, leaving and subscribing again while the hub has not answered ends subscribed', async (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const off = client.subscribe('a', () => undefined)
  await settle()
  off()
  await settle()
  t.strictSame(ws.last.on('::disconnect'), [], 'one request at a time')
  client.subscribe('a', () => undefined)()
  client.subscribe('a', () => undefined)
  ws.last.down({ path: '::connected', message: { pattern: 'a' } })
  await settle()
  t.equal(ws.last.sent.length, 1)
})

test('publish: resolves with the receipt, under an id and a reply of its own', async (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const one = client.publish('chat/1', { text: 'hi' })
  const two = client.publish('chat/2', 'text', { type: 'text/plain', key: 'k', exclude: true })
  const three = client.publish('chat/3', new Uint8Array([1, 255]), { id: 'mine' })
  await settle()
  const [a, b, c] = ws.last.sent as [Json, Json, Json]
  t.match(a, { path: 'chat/1', message: { text: 'hi' }, id: 'id-1' })
  t.match(b, { message: 'text', type: 'text/plain', key: 'k', exclude: true, id: 'id-2' })
  t.match(c, { message: 'Af8=', encoding: 'base64', id: 'mine' })
  t.equal(new Set([a.reply, b.reply, c.reply]).size, 3)
  t.strictSame(ws.last.bundles, [3])
  const receipt = { id: 'mine', at: 'e-5', matched: 2 }
  ws.last.down({ path: '::reply', reply: c.reply, code: 0, message: receipt })
  t.strictSame(await three, receipt)
  ws.last.down({
    path: '::error',
    message: { code: 'NOT_ALLOWED', detail: 'no', status: 403, reply: a.reply, pattern: 'chat/1' },
  })
  await t.rejects(one, { code: 'NOT_ALLOWED', status: 403 })
  const refusal = { code: 'NOT_ALLOWED', detail: 'not you', status: 403 }
  ws.last.down({ path: '::reply', reply: b.reply, code: 249, status: 403, message: refusal })
  await t.rejects(two, { code: 'NOT_ALLOWED', detail: 'not you', status: 403 })
})

test('a publish without receipt is sent again on each new link, same id and reply, until its time is up', async (t) => {
  const { client, clock, ws } = twin()
  const early = client.publish('a', 1, { timeout: 50_000 })
  ws.last.hello()
  const [first] = ws.last.on('a')
  ws.last.lose()
  clock.advance(500)
  ws.last.hello({ resumed: true })
  t.strictSame(ws.last.on('a'), [first])
  ws.last.lose()
  clock.advance(2_000)
  ws.last.hello({ id: 'hub-2' })
  t.strictSame(ws.last.on('a'), [first], 'also in a new session')
  clock.advance(25_000)
  ws.last.down({ path: '::ping' })
  clock.advance(22_500)
  await t.rejects(early, { code: 'RECEIPT_TIMEOUT' })
  // too late: nobody waits
  ws.last.down({ path: '::reply', reply: first?.reply, message: {} })
})

test('a time limit that no timer can wait is not over at once, and is told to the hub as a day', async (t) => {
  // real timers: those of the twin can wait for ever
  const { clock } = thisPlatform()
  const { client, ws } = twin({}, { clock })
  ws.last.hello()
  const { POSITIVE_INFINITY: timeout } = Number
  const waiting = [
    client.publish('a', 1, { timeout }),
    client.publish('a', 2, { timeout: 2 ** 31 }),
    client.ask('@b/c', { timeout }),
  ].map((one: Promise<unknown>) => t.rejects(one, { code: 'CLIENT_CLOSED' }))
  await new Promise((resolve) => clock.after(1, () => resolve(undefined)))
  t.match(ws.last.on('@b/c'), [{ deadline: 86_400_000 }])
  await client.close()
  await Promise.all(waiting)
})

test('ask: resolves with code, type and message of whatever was answered', async (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const answers = [
    client.ask('@fileserver/cat', { args: ['a', ''], query: 'x=1', timeout: 5_000 }),
    client.ask('@fileserver/put', { verb: 'PUT', message: { n: 1 } }),
    client.ask('@fileserver/none'),
  ]
  await settle()
  const [a, b, c] = ws.last.sent as [Json, Json, Json]
  t.match(a, {
    path: '@fileserver/cat',
    verb: 'GET',
    args: ['a', ''],
    query: 'x=1',
    deadline: 5_000,
    message: '',
  })
  t.match(b, { verb: 'PUT', message: { n: 1 } })
  ws.last.down({
    path: '::reply',
    reply: a.reply,
    code: 0,
    type: 'text/plain',
    message: 'contents',
  })
  ws.last.down({ path: '::reply', reply: b.reply, code: 17, status: 201, message: [1] })
  ws.last.down({ path: '::reply', reply: c.reply, code: 255, type: 'text/plain', message: '' })
  t.same(await Promise.all(answers), [
    { code: 0, type: 'text/plain', message: 'contents', status: undefined },
    { code: 17, type: 'application/json', message: [1], status: 201 },
    { code: 255, type: 'text/plain', message: '', status: undefined },
  ])
})

test('ask: rejects when nobody answered, by the code that says why', async (t) => {
  const { client, clock, ws } = twin()
  ws.last.hello()
  const cases = [
    [252, 'CLIENT_ABSENT'],
    [253, 'ANSWER_TIMEOUT'],
    [254, 'CONNECTION_LOST'],
    [249, 'NOT_ALLOWED'],
  ] as const
  for (const [code, expected] of cases) {
    const answer = client.ask('@a/b')
    await settle()
    const { reply } = ws.last.sent.at(-1) as Json
    const message = { code: 'X', detail: 'in the words of the hub', status: 404 }
    ws.last.down({ path: '::reply', reply, code, status: 404, message })
    await t.rejects(answer, { code: expected, detail: 'in the words of the hub', status: 404 })
  }
  const late = client.ask('@a/b', { timeout: 1_000 })
  await settle()
  clock.advance(1_000)
  await t.rejects(late, { code: 'ANSWER_TIMEOUT' })
  const controller = new AbortController()
  const given = client.ask('@a/c', { signal: controller.signal })
  await settle()
  controller.abort(new Error('changed my mind'))
  await t.rejects(given, { message: 'changed my mind' })
  await settle()
  t.strictSame(
    ws.last.on('::cancel').map(({ reply }) => reply),
    ws.last.sent
      .filter(({ path }) => path === '@a/c' || path === '@a/b')
      .slice(-2)
      .map(({ reply }) => reply),
    'the hub is told that nobody waits',
  )
  await t.rejects(client.ask('@a/d', { signal: controller.signal }), { message: 'changed my mind' })
  t.strictSame(ws.last.on('@a/d'), [])
})

test('a question is sent again while its session goes on, and lost with it', async (t) => {
  const { client, clock, ws } = twin()
  ws.last.hello()
  const asked = client.ask('@a/b')
  await settle()
  const [first] = ws.last.on('@a/b')
  ws.last.lose()
  const unsaid = client.ask('@a/c')
  clock.advance(500)
  ws.last.hello({ resumed: true })
  t.strictSame(ws.last.on('@a/b'), [first])
  ws.last.lose()
  const never = client.ask('@a/d')
  clock.advance(2_000)
  ws.last.hello({ id: 'hub-2' })
  await t.rejects(asked, { code: 'CONNECTION_LOST' })
  await t.rejects(unsaid, { code: 'CONNECTION_LOST' })
  t.equal(ws.last.on('@a/d').length, 1, 'what was never said waits on')
  ws.last.down({ path: '::reply', reply: ws.last.on('@a/d')[0]?.reply, code: 0, message: 1 })
  t.match(await never, { message: 1 })
})

test('what waits is bounded in number and size', async (t) => {
  const { client } = twin({ limits: { count: 2, size: 1_000 } })
  const kept: Promise<unknown>[] = [client.publish('a', 1), client.ask('@a/b')]
  await t.rejects(client.publish('a', 2), { code: 'QUEUE_FULL' })
  const small = twin({ limits: { size: 200 } })
  await t.rejects(small.client.publish('a', 'x'.repeat(200)), { code: 'QUEUE_FULL' })
  kept.push(small.client.publish('a', 'x'))
  await Promise.all([client.close(), small.client.close()])
  for (const one of kept) await t.rejects(one, { code: 'CLIENT_CLOSED' })
})

test('a frame that is too large for the hub is refused, and does not keep the others waiting for ever', async (t) => {
  const ws = new TwinTransport('ws')
  const { client, clock } = twin({ transports: [ws] })
  ws.last.hello()
  const small = client.publish('a', 'x')
  const large = client.publish('b', 'x'.repeat(10_000))
  await settle()
  ws.last.lose({ code: 'MESSAGE_TOO_LARGE' })
  await t.rejects(large, { code: 'MESSAGE_TOO_LARGE', status: 413 })
  clock.advance(500)
  ws.last.hello({ resumed: true })
  t.match(ws.last.sent, [{ path: 'a' }])
  ws.last.down({ path: '::reply', reply: ws.last.sent[0]?.reply, message: { matched: 0 } })
  await small
})

test('control updates that are not for the session go to who subscribed to them', (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const seen: unknown[] = []
  client.subscribe('::connect', (message) => seen.push(message))
  ws.last.down({ path: '::connect', message: 'hub-2->a' })
  ws.last.down({ path: 'toString', message: 'not a word of the protocol' })
  t.strictSame(seen, ['hub-2->a'])
  t.end()
})

test('events are isolated from each other, and taken back', (t) => {
  const { client, ws, events } = twin()
  const seen: string[] = []
  client.on('gap', () => {
    throw new Error('mine')
  })
  const off = client.on('gap', ({ reason }) => seen.push(reason))
  ws.last.hello()
  ws.last.down({ path: '::gap', message: { patterns: [], after: '', at: '', reason: 'slow' } })
  off()
  off()
  ws.last.down({ path: '::gap', message: { patterns: [], after: '', at: '', reason: 'again' } })
  t.strictSame(seen, ['slow'])
  t.match(events('error')[0], { code: 'CALLBACK_THREW' })
  t.end()
})

test('a handler of errors that throws is heard of on the console, and only there', (t) => {
  const { client, ws } = twin()
  const { error } = console
  const written: unknown[] = []
  console.error = (...words: unknown[]) => written.push(...words)
  t.teardown(() => {
    console.error = error
  })
  client.on('error', () => {
    throw new Error('mine')
  })
  ws.last.hello()
  ws.last.down({ path: '::error', message: { code: 'X', detail: '' } })
  t.match(written, [new Error('mine')])
  t.end()
})
