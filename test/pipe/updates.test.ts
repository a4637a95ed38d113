/** Publishing and subscribing over the pipe: nothing is lost, doubled or out of order, whatever breaks (W6, surface 5). */
import type { Receipt } from '@sapwood/client'
import { RefusedUpdates } from '@sapwood/pipe/updates'
import { randomNumbers } from '@sapwood/testkit'
import { test } from 'tap'
import { type Json, type RawPeer, UpdateWorld } from './update-twin.ts'

test('a client publishes, and gets the receipt; subscribers hear of it, with its publisher as origin', async (t) => {
  const world = new UpdateWorld()
  const [alpha, beta] = [world.client('alpha'), world.client('beta')]
  const heard: unknown[] = []
  const senders: string[] = []
  world.hub.subscribe('orders/*', (_message, _path, sender) => senders.push(sender.principal.id))
  beta.updates.subscribe('orders/*', (message, { path }) => heard.push([path, message]))
  await world.settle()
  const receipt = await alpha.updates.publish('orders/42', { state: 'paid' })
  t.match(receipt, { id: String, at: String, matched: 2 })
  await world.settle()
  t.strictSame(heard, [['orders/42', { state: 'paid' }]])
  t.strictSame(senders, ['cert:alpha'])
  await t.rejects(alpha.updates.publish('not//legal', 1), { code: 'PATH_INVALID' })
  await world.close()
})

/** One random life of a publisher and a subscriber. */
async function live(seed: number): Promise<string | undefined> {
  const random = randomNumbers(seed)
  const world = new UpdateWorld()
  const [alpha, beta] = [world.client('alpha'), world.client('beta')]
  const clients = [alpha, beta]
  const heard: number[] = []
  const gaps: unknown[] = []
  const receipts: Promise<Receipt | Error>[] = []
  beta.updates.on('gap', (gap) => gaps.push(gap))
  beta.updates.subscribe('n/*', (message) => heard.push(message as number))
  await world.settle()
  for (let step = 0; step < 60; step++) {
    const choice = random()
    const client = clients[random() < 0.5 ? 0 : 1] as typeof alpha
    if (choice < 0.45) {
      for (let i = random() * 6; i > 0; i--) {
        const message = receipts.length
        receipts.push(alpha.updates.publish(`n/${message % 3}`, message).catch((thrown) => thrown))
      }
    } else if (choice < 0.6) client.pipe?.cut()
    else if (choice < 0.65) client.pipe?.cut(true)
    else if (choice < 0.7) client.pipe?.redial()
    else if (choice < 0.75) client.end()
    else if (choice < 0.85) client.begin()
    else if (choice < 0.9) await world.advance(random() * 12_000)
    else for (let i = random() * 5; i > 0; i--) await new Promise(setImmediate)
  }
  for (const client of clients) {
    if (client.pipe === undefined) client.begin()
    else client.pipe.cut()
  }
  for (let i = 0; i < 10; i++) await world.advance(1_000)
  const given = await Promise.all(receipts)
  await world.settle()
  await world.close()
  const failed = given.find((receipt) => receipt instanceof Error)
  if (failed !== undefined) return `a publish failed: ${failed}`
  const ids = new Set(given.map((receipt) => (receipt as Receipt).at))
  if (ids.size !== given.length) return 'two have one position'
  if (gaps.length > 0) return `a gap: ${JSON.stringify(gaps)}`
  const expected = given.map((_, i) => i)
  return `${heard}` === `${expected}` ? undefined : `${heard} came instead of ${expected.length}`
}

test('whatever breaks, links or sessions: each update comes once, in order, and each receipt too', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const fault = await live(seed)
    if (fault !== undefined) t.fail(`life ${seed}: ${fault}`)
  }
  t.pass()
})

test('a listener without a hub says so at once: nothing waits for ever, and the next may be a hub', async (t) => {
  const world = new UpdateWorld()
  const alpha = world.client('alpha')
  const hub = alpha.taker
  alpha.taker = new RefusedUpdates()
  alpha.begin()
  const errors: unknown[] = []
  const heard: unknown[] = []
  alpha.updates.on('error', ({ code }) => errors.push(code))
  alpha.updates.subscribe('a', (message) => heard.push(message))
  const waiting = [1, 2].map((n) => alpha.updates.publish('a', n))
  for (const each of waiting) await t.rejects(each, { code: 'UPDATES_UNSUPPORTED', status: 404 })
  t.strictSame(errors, ['UPDATES_UNSUPPORTED'], 'who subscribed before is told')
  t.match(alpha.faults, [{ code: 'UPDATES_UNSUPPORTED', detail: /hub --pipe/ }])
  await t.rejects(alpha.updates.publish('a', 3), { code: 'UPDATES_UNSUPPORTED' })
  t.throws(() => alpha.updates.subscribe('b', () => undefined), { code: 'UPDATES_UNSUPPORTED' })
  alpha.pipe?.cut()
  await world.advance(70_000)
  await t.rejects(
    alpha.updates.publish('a', 4),
    { code: 'UPDATES_UNSUPPORTED' },
    'also after a cut',
  )
  t.equal(alpha.faults.length, 1, 'it is asked once')
  alpha.taker = hub
  alpha.begin()
  await world.settle()
  t.match(await alpha.updates.publish('a', 5), { matched: 1 })
  await world.settle()
  t.strictSame(heard, [5], 'what was subscribed before is subscribed there')
  await world.close()
})

test('what is published while nobody is there waits, and is published once; at its limit it is given up', async (t) => {
  const world = new UpdateWorld()
  const alpha = world.client('alpha')
  alpha.end()
  const waiting = alpha.updates.publish('a', 'early')
  await world.advance(30_000)
  alpha.begin()
  await world.settle()
  t.match(await waiting, { at: /-1$/ })
  alpha.end()
  const late = alpha.updates.publish('a', 'late')
  const rejected = t.rejects(late, { code: 'RECEIPT_TIMEOUT', status: 504 })
  for (let i = 0; i < 7; i++) await world.advance(10_000)
  await rejected
  const given = new AbortController()
  const aborted = alpha.updates.publish('a', 'never', { signal: given.signal })
  given.abort(new Error('not any more'))
  await t.rejects(aborted, { message: 'not any more' })
  await world.close()
  t.throws(() => alpha.updates.subscribe('a', () => undefined), { code: 'CLIENT_CLOSED' })
  await t.rejects(alpha.updates.publish('a', 1), { code: 'CLIENT_CLOSED', status: 503 })
})

test('what the gate refuses is told to whoever asked: a publish fails, a subscription is an error event', async (t) => {
  const rules = [
    { who: 'cert:alpha', may: ['publish'], path: 'a/**' },
    { who: 'cert:https://example.org/x', may: ['subscribe'], path: 'a/**' },
  ] as const
  const world = new UpdateWorld({ rules, public: ['news'] })
  const alpha = world.client('alpha')
  const errors: Json[] = []
  alpha.updates.on('error', (error) => errors.push(error as unknown as Json))
  for (const pattern of ['a/b', 'news']) alpha.updates.subscribe(pattern, () => undefined)
  await t.rejects(alpha.updates.publish('b', 1), { code: 'NOT_ALLOWED', status: 403 })
  t.match(await alpha.updates.publish('a/b', 1), { matched: 0 })
  t.match(errors, [{ code: 'NOT_ALLOWED', pattern: 'a/b' }])
  const [session] = [...world.hub.sessions]
  t.strictSame([...(session?.patterns.keys() ?? [])], ['news'])
  t.match(session, { principal: { id: 'cert:alpha', trusted: false }, address: '192.0.2.7' })
  // a certificate that says more
  const far = alpha.pipe?.far
  if (far !== undefined) far.principal = { ...far.principal, also: ['cert:https://example.org/x'] }
  alpha.pipe?.cut()
  await world.settle()
  alpha.updates.subscribe('a/c', () => undefined)
  await world.settle()
  t.ok(session?.patterns.has('a/c'), 'rights are those of now')
  if (far !== undefined) far.principal = { id: 'cert:alpha', trusted: false }
  alpha.pipe?.cut()
  await world.settle()
  t.notOk(session?.patterns.has('a/c'), 'and are taken back')
  await world.close()
})

test('a message over the limit fails alone: what was said beside it is published', async (t) => {
  const world = new UpdateWorld({}, 50_000)
  const alpha = world.client('alpha')
  await alpha.updates.publish('a', 0)
  const said = [1, 'x'.repeat(200_000), 3, 'y'.repeat(3_000_000), 5].map((message) =>
    alpha.updates.publish('a', message).then(
      ({ matched }) => matched,
      ({ code, status }) => `${code} ${status}`,
    ),
  )
  for (let i = 0; i < 6; i++) await world.advance(5_000)
  const large = 'MESSAGE_TOO_LARGE 413'
  t.strictSame(await Promise.all(said), [0, large, 0, large, 0])
  t.equal(world.hub.engine.head, 4)
  await world.close()
})

test('what can be had no more is told as a gap; an update that no frame of the pipe holds, too', async (t) => {
  const world = new UpdateWorld({ history: { count: 5 } })
  const alpha = world.client('alpha')
  const gaps: Json[] = []
  const heard: unknown[] = []
  alpha.updates.on('gap', (gap) => gaps.push(gap as unknown as Json))
  alpha.updates.subscribe('a', (message) => heard.push(message))
  await world.settle()
  alpha.end()
  await world.settle()
  for (let i = 0; i < 10; i++) world.hub.publish('a', i)
  alpha.begin()
  await world.settle()
  t.match(gaps, [{ patterns: ['a'], reason: 'evicted' }])
  world.hub.publish('a', 'after')
  await world.settle()
  t.equal(heard.at(-1), 'after')
  world.hub.publish('a', '\u0001'.repeat(400_000))
  world.hub.publish('a', 'behind')
  await world.settle()
  t.match(gaps[1], { patterns: ['a'], after: /-11$/, at: /-12$/, reason: 'too-long' })
  t.equal(heard.at(-1), 'behind')
  await world.close()
})

const HELLO = { path: '::hello', message: { version: 1 } }

async function greeted(world: UpdateWorld, peer: RawPeer, message: Json = {}): Promise<Json> {
  peer.say({ path: '::hello', message: { version: 1, ...message } })
  await world.settle()
  return peer.messages('::hello').at(-1) as Json
}

test('a session is resumed by the next pipe of a certificate of the same name, and by nobody else', async (t) => {
  const world = new UpdateWorld()
  const first = world.peer('alpha')
  const { id, resume } = await greeted(world, first)
  first.say({ path: '::connect', message: ['a'] })
  await world.settle()
  const { at } = first.on('::connected')[0] as Json
  first.pipe.end()
  await world.settle()
  t.equal(world.hub.sessions.size, 1, 'it waits')
  world.hub.publish('a', 'missed')
  const other = await greeted(world, world.peer('beta'), { resume, after: at })
  t.notOk(other.resumed, 'the secret alone is not enough')
  t.equal(world.hub.sessions.find(resume as string), undefined, 'nor is it for a WebSocket')
  const second = world.peer('alpha')
  const hello = await greeted(world, second, { resume, after: at })
  t.match(hello, { id, resumed: true, patterns: ['a'] })
  t.not(hello.resume, resume)
  t.match(second.on('a'), [{ message: 'missed', replay: true }])
  second.say({ path: '::disconnect', message: 'a' })
  await world.settle()
  second.pipe.end()
  const third = await greeted(world, world.peer('alpha'), { resume })
  t.notOk(third.resumed, 'the former secret is worth nothing once the new link was used')
  await world.advance(61_000)
  t.equal(world.hub.sessions.find(hello.resume as string, 'cert:alpha'), undefined, 'it expires')
  await world.close()
})

test('a session of the pipe has one of the hub: another hello goes on with it, or ends it', async (t) => {
  const world = new UpdateWorld()
  const peer = world.peer('alpha')
  peer.say({ path: '::connect', message: 'a' }, { path: 'a', message: 1, reply: 'r' })
  await world.settle()
  t.match(peer.heard[0], { path: '::hello', message: { resumed: false } }, 'taken as said')
  t.match(peer.on('::reply'), [{ reply: 'r', code: 0, message: { matched: 1 } }])
  const { id, resume } = peer.messages('::hello')[0] as Json
  const { at } = peer.on('a')[0] as Json
  t.match(await greeted(world, peer, { resume, after: at }), { id, resumed: true, patterns: ['a'] })
  t.equal(peer.on('::bye').length, 0, 'nobody was replaced')
  world.hub.publish('a', 2)
  await world.settle()
  t.strictSame(peer.messages('a'), [1, 2])
  const fresh = await greeted(world, peer)
  t.not(fresh.id, id)
  t.equal(world.hub.sessions.size, 1, 'who begins anew keeps nothing')
  peer.say({ path: '::bye' }, { path: 'a', message: 3 })
  await world.settle()
  t.equal(world.hub.sessions.size, 0, 'the client ends it')
  t.equal(world.hub.engine.head, 2, "what is said behind that is nobody's")
  t.match(await greeted(world, peer, { name: 'printer' }), { resumed: false })
  t.match(peer.on('::error'), [{ message: { code: 'NOT_ALLOWED', name: 'printer' } }])
  await world.close()
})

test('bad frames get their error, and the session goes on; those that are too long, and wrong hellos, end it', async (t) => {
  const world = new UpdateWorld({}, 1_000)
  const peer = world.peer('alpha')
  const bad = ['no json', '[1]', '{"path":5}', new Uint8Array([34, 0xff, 34])]
  peer.say(...bad)
  await world.settle()
  t.strictSame(
    peer.messages('::error').map(({ code }) => code),
    bad.map(() => 'FRAME_INVALID'),
  )
  peer.say(HELLO, ...bad, { path: '::connect', message: 'a' })
  await world.settle()
  t.equal(peer.on('::error').length, 8)
  t.equal(peer.on('::connected').length, 1)
  peer.say({ path: 'a', message: 'x'.repeat(70_000) }, { path: 'a', message: 'behind' })
  await world.settle()
  t.match(peer.messages('::bye'), [{ reason: 'MESSAGE_TOO_LARGE', detail: String, retryAfter: 0 }])
  t.equal(world.hub.engine.head, 0)
  for (const [message, reason] of [
    [5, 'HELLO_INVALID'],
    [{ version: 9 }, 'VERSION_UNSUPPORTED'],
    [{ resume: 5 }, 'HELLO_INVALID'],
  ] as const) {
    peer.say({ path: '::hello', message })
    await world.settle()
    const told = peer.messages('::bye').at(-1) as Json
    t.match(told, { reason })
    t.notOk('retryAfter' in told, 'another will not do better')
  }
  t.equal(peer.pipe.far.session.over, false, 'the pipe is unharmed')
  t.ok(world.hub.counters.faults.get('FRAME_INVALID'))
  await world.close()
})

test('a client that gave up a silent link, and then reads on, gets each update once', async (t) => {
  const world = new UpdateWorld()
  const alpha = world.client('alpha')
  const heard: unknown[] = []
  const states: string[] = []
  alpha.updates.subscribe('a', (message) => heard.push(message))
  alpha.updates.on('state', ({ state }) => states.push(state))
  await world.settle()
  world.hub.publish('a', 1)
  await world.settle()
  const { pipe } = alpha
  if (pipe !== undefined) pipe.paused = true
  for (let i = 0; i < 5; i++) {
    world.hub.publish('a', 2 + i)
    await world.advance(8_000)
  }
  t.ok(states.includes('disconnected'))
  pipe?.resume()
  await world.advance(2_000)
  t.equal(states.at(-1), 'connected')
  t.strictSame(heard, [1, 2, 3, 4, 5, 6])
  await world.close()
})

test('a hello that waits for the link is said once, however long that takes', async (t) => {
  const world = new UpdateWorld()
  const alpha = world.client('alpha')
  await world.settle()
  alpha.pipe?.cut(true)
  const waiting = alpha.updates.publish('a', 1, { timeout: 300_000 })
  for (let i = 0; i < 20; i++) await world.advance(10_000)
  alpha.pipe?.redial()
  await world.settle()
  t.match(await waiting, { at: /-1$/ })
  t.equal(world.hub.counters.opened, 1)
  await world.close()
})

test('who is sent away for good is told so, and tries again on the next session of the pipe', async (t) => {
  const world = new UpdateWorld()
  const alpha = world.client('alpha')
  const heard: unknown[] = []
  const errors: unknown[] = []
  alpha.updates.on('error', ({ code }) => errors.push(code))
  alpha.updates.subscribe('a', (message) => heard.push(message))
  await world.settle()
  const [session] = [...world.hub.sessions]
  session?.end({ reason: 'revoked' })
  const waiting = alpha.updates.publish('a', 1)
  await t.rejects(waiting, { code: 'CONNECTION_ENDED', status: 503, message: /revoked/ })
  t.strictSame(errors, ['CONNECTION_ENDED'])
  await world.advance(100_000)
  await t.rejects(alpha.updates.publish('a', 2), { code: 'CONNECTION_ENDED' })
  t.equal(world.hub.counters.opened, 1, 'it does not insist')
  alpha.begin()
  await world.settle()
  t.match(await alpha.updates.publish('a', 3), { matched: 1 })
  await world.settle()
  t.strictSame(heard, [3])
  await world.close()
})

test('what is published while the link is away does not fill the pipe: questions and bodies go on beside it', async (t) => {
  const world = new UpdateWorld()
  const alpha = world.client('alpha')
  await alpha.updates.publish('a', 'first')
  alpha.pipe?.cut(true)
  const said: Promise<Receipt>[] = []
  for (let i = 0; i < 2_000; i++) {
    said.push(alpha.updates.publish('a', `${i}`.repeat(250)))
    if (i % 2 === 0) await Promise.resolve()
  }
  await world.settle()
  const { kept = 0 } = alpha.pipe?.near.session ?? {}
  t.ok(kept > 0 && kept < 200_000, `${kept} bytes wait in the pipe`)
  alpha.pipe?.redial()
  await world.settle()
  const offsets = (await Promise.all(said)).map(({ at }) => Number(at.split('-')[1]))
  t.strictSame(
    offsets,
    said.map((_, i) => i + 2),
  )
  await world.close()
})

test('a peer that sends rubbish and reads nothing is not told of it for ever', async (t) => {
  const world = new UpdateWorld()
  const peer = world.peer('alpha')
  await world.settle()
  peer.pipe.paused = true
  for (let i = 0; i < 20_000; i++) {
    peer.say('rubbish')
    if (i % 100 === 0) await new Promise(setImmediate)
  }
  await world.settle()
  const { kept } = peer.pipe.far.session
  t.ok(kept < 400_000, `${kept} bytes wait`)
  peer.pipe.resume()
  await world.settle()
  t.match(await greeted(world, peer), { resumed: false })
  await world.close()
})

test('a full or stopping hub sends updates away, and the pipe stays; who may come back does', async (t) => {
  const world = new UpdateWorld({ limits: { sessions: 1 } })
  const [first, second] = [world.peer('alpha'), world.peer('beta')]
  await greeted(world, first)
  await greeted(world, second)
  t.match(second.messages('::bye'), [{ reason: 'full', retryAfter: Number }])
  first.say({ path: '::bye' })
  const client = world.client('gamma')
  const states: unknown[] = []
  client.updates.on('state', ({ state, code }) => states.push(code ?? state))
  await client.updates.publish('a', 1)
  world.hub.drain(0)
  await world.settle()
  t.equal(states.at(-1), 'HUB_UNAVAILABLE')
  t.equal(client.pipe?.near.session.over, false)
  await world.close()
})

test('a link that is away for long is no sign of death: the session of the hub waits with that of the pipe', async (t) => {
  const world = new UpdateWorld({ heartbeat: { interval: 1_000, timeout: 400 } })
  const peer = world.peer('alpha')
  await greeted(world, peer)
  peer.say({ path: '::connect', message: 'a' })
  await world.settle()
  peer.pipe.cut(true)
  for (let i = 0; i < 100; i++) world.hub.publish('a', 'x'.repeat(5_000))
  for (let i = 0; i < 20; i++) await world.advance(500)
  const [session] = [...world.hub.sessions]
  t.ok(session?.attached)
  t.ok(
    peer.pipe.far.session.kept < 200_000,
    'what waits for the link is bounded; history has the rest',
  )
  peer.pipe.redial()
  await world.settle()
  t.equal(peer.on('a').length, 100)
  peer.pipe.paused = true
  for (let i = 0; i < 100; i++) world.hub.publish('a', 'x'.repeat(5_000))
  await world.settle()
  for (let i = 0; i < 8; i++) await world.advance(500)
  t.notOk(session?.attached, 'who has a link and takes nothing is let go')
  peer.pipe.resume()
  await world.settle()
  t.match(peer.messages('::bye'), [{ reason: 'dead', retryAfter: 0 }])
  await world.close()
})
