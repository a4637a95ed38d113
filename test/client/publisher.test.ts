/** The publisher of back ends against the real hub (CN-01), and against one that fails. */
import { getEventListeners } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { publisher, thisPlatform } from '@sapwood/client'
import { FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import { connected, open, serve, until } from './real-hub.ts'
import { settle } from './twin.ts'

const KEY = 'a-key'

test('it publishes with its key, and gets receipts', async (t) => {
  const { url } = await serve(t, { public: ['**'] }, { dev: false, keys: [KEY] })
  const client = open(t, url)
  const heard: unknown[] = []
  let isHeld = false
  client.on('subscribed', () => {
    isHeld = true
  })
  client.subscribe('orders/*', (message, { id, own }) => heard.push([message, id, own]))
  await until('it is held', () => isHeld)
  const back = publisher({ url, key: KEY })
  const receipt = await back.update('orders/42', { state: 'paid' }, { id: 'mine' })
  t.match(receipt, { id: 'mine', at: /-1$/, matched: 1 })
  t.match(await back.update('orders/42', { state: 'paid' }, { id: 'mine' }), { duplicate: true })
  t.match(await back.updates([]), [])
  const origin = client.id as string
  const receipts = await back.updates([
    { path: 'orders/43', message: 1, id: 'b', origin },
    { path: 'orders/44', message: 'text', type: 'text/plain', id: 'c' },
    { path: 'orders/45', message: 2, origin, exclude: true },
  ])
  t.match(receipts, [{ id: 'b' }, { id: 'c' }, { id: /./ }])
  await back.update('orders/46', 'last', { id: 'd' })
  await until('the last came', () => heard.length >= 4)
  t.strictSame(heard, [
    [{ state: 'paid' }, 'mine', undefined],
    [1, 'b', true],
    ['text', 'c', undefined],
    ['last', 'd', undefined],
  ])
  await back.close()
  await t.rejects(back.update('a', 1), { code: 'CLIENT_CLOSED' })
})

test('what the hub refuses is an error with its code', async (t) => {
  const { url } = await serve(t, {}, { dev: false, keys: [KEY] })
  await t.rejects(publisher({ url }).update('a', 1), { code: 'NOT_ALLOWED', status: 401 })
  await t.rejects(publisher({ url, key: 'wrong' }).update('a', 1), {
    code: 'CREDENTIAL_INVALID',
    status: 401,
  })
  const back = publisher({ url, key: KEY })
  await t.rejects(back.update('a//b', 1), { code: 'PATH_INVALID' })
  await t.rejects(back.update('::gone', 'x'), { code: /./, status: 400 })
  await t.rejects(back.connect('nobody', ['a']), { code: 'CLIENT_UNKNOWN', status: 404 })
  await t.rejects(back.update('a', 1n), TypeError)
  await t.rejects(back.ask('till/total'), { code: 'PATH_INVALID' })
  await t.rejects(back.ask('@till/total', { args: ['..'] }), { code: 'ARGUMENT_INVALID' })
  t.throws(() => publisher({ url: 'not a url' }), TypeError)
  t.throws(() => publisher({ url: 'localhost:8787' }), TypeError, 'it lacks its http://')
})

test('a key that no header can carry is told at once, without the key', async (t) => {
  const { url } = await serve(t, {}, { dev: false, keys: [KEY] })
  for (const key of ['planted\nsecret', 'schlüssel-ключ']) {
    const back = publisher({ url, key }, { ...thisPlatform(), clock: new FakeClock() })
    for (const tried of [back.update('a', 1), back.ask('@hub/time')]) {
      const thrown = await tried.catch((reason) => reason)
      t.match(thrown, { code: 'CREDENTIAL_INVALID', status: 401 })
      t.notMatch(thrown.message, /planted|secret|ключ/)
    }
  }
})

test('many updates go in requests that a hub takes, in order', async (t) => {
  const { url } = await serve(t, {}, { limits: { body: 300 * 1024 } })
  const client = open(t, url)
  const heard: number[] = []
  let isHeld = false
  client.on('subscribed', () => {
    isHeld = true
  })
  client.subscribe('n', (message) => heard.push((message as { n: number }).n))
  await until('it is held', () => isHeld)
  const count = 300
  const items = Array.from({ length: count }, (_, n) => ({
    path: 'n',
    message: { n, filler: 'x'.repeat(4_000) },
  }))
  const receipts = await publisher({ url }).updates(items)
  t.equal(receipts.length, count)
  await until('all came', () => heard.length === count)
  t.strictSame(
    heard,
    items.map(({ message }) => message.n),
  )
})

test('it asks clients; what they answer, and why they do not', async (t) => {
  const { url } = await serve(t)
  const till = open(t, url, { name: 'till' })
  till.answer('POST echo', ({ query }, [type, data], ...args) => ({
    status: 202,
    type: 'application/json',
    data: { type, data, args, query },
  }))
  till.answer('GET bytes', () => new Uint8Array([1, 2, 3]))
  till.answer('GET text', () => ['text/plain', 5, 'hi'])
  till.answer('GET slow', () => new Promise(() => undefined))
  await connected(till)
  const back = publisher({ url })
  t.match(
    await back.ask('@till/echo', { verb: 'POST', message: { n: 1 }, args: ['a'], query: 'x=1' }),
    {
      code: 0,
      status: 202,
      message: { type: 'application/json', data: { n: 1 }, args: ['a'], query: 'x=1' },
    },
  )
  t.match(await back.ask('@till/echo', { verb: 'POST', message: 'hi', type: 'text/plain' }), {
    message: { type: 'text/plain', data: 'hi', query: '' },
  })
  t.same((await back.ask('@till/bytes')).message, new Uint8Array([1, 2, 3]))
  t.match(await back.ask('@till/text'), { code: 5, type: 'text/plain', message: 'hi', status: 200 })
  t.match(await back.ask('@till/none'), { code: 255, status: 404, message: '' })
  await t.rejects(back.ask('@till/slow', { timeout: 50, wait: 0 }), {
    code: 'ANSWER_TIMEOUT',
    status: 504,
  })
  await t.rejects(back.ask('@nobody/x'), { code: 'CLIENT_ABSENT', status: 404 })
  const id = till.id as string
  t.match(await back.ask(`@${id}/text`), { code: 5 })
})

test('a hub that is away for a moment gets the update once it is there', async (t) => {
  const first = await serve(t)
  const { port } = new URL(first.url)
  await first.stop()
  const back = publisher({ url: first.url, timeout: 5_000 })
  const receipt = back.update('a', 1)
  await new Promise((resolve) => setTimeout(resolve, 150))
  await serve(t, {}, { port: Number(port) })
  t.match(await receipt, { matched: 0 })
})

test('a hub that stays away is an error that says where it was looked for', async (t) => {
  const gone = await serve(t)
  await gone.stop()
  const { port } = new URL(gone.url)
  await t.rejects(publisher({ url: gone.url, timeout: 300 }).update('a', 1), {
    code: 'HUB_UNREACHABLE',
    detail: new RegExp(`127.0.0.1:${port}`),
  })
  await t.rejects(publisher({ url: gone.url }).ask('@a/b'), { code: 'HUB_UNREACHABLE' })
  const back = publisher({ url: gone.url })
  const given = t.rejects(back.update('a', 1), { code: 'CLIENT_CLOSED' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await back.close()
  await given
})

test('a hub that says to come back later is asked again; one that never answers is given up', async (t) => {
  const bodies: string[] = []
  let answering = true
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString())
      if (!answering) return
      if (bodies.length === 1) response.writeHead(503, { 'retry-after': '0' }).end()
      else if (bodies.length === 2) response.destroy()
      else response.end('{"id":"x","at":"e-1","matched":0}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.match(await publisher({ url }).update('a', 1), { id: 'x' })
  t.equal(new Set(bodies).size, 1, 'the same under the same id')
  answering = false
  await t.rejects(publisher({ url, timeout: 100 }).update('a', 1), { code: 'HUB_UNREACHABLE' })
})

test('an outage leaves nothing behind in a publisher that lives on', async (t) => {
  const clock = new FakeClock()
  const signals = new Set<EventTarget>()
  const { addEventListener } = AbortSignal.prototype
  AbortSignal.prototype.addEventListener = function (this: AbortSignal, ...given: unknown[]) {
    signals.add(this)
    return addEventListener.apply(this, given as Parameters<typeof addEventListener>)
  }
  t.teardown(() => {
    AbortSignal.prototype.addEventListener = addEventListener
  })
  const away = () => Promise.reject(new TypeError('no network in this test'))
  const platform = { ...thisPlatform(), clock, random: () => 0.999, fetch: away }
  const back = publisher({ url: 'http://away', timeout: 1_000 }, platform)
  for (let outage = 0; outage < 3; outage++) {
    const refused = t.rejects(back.update('a', 1), { code: 'HUB_UNREACHABLE' })
    for (let passed = 0; passed < 1_000; passed += 100) {
      await settle()
      clock.advance(100)
    }
    await refused
  }
  t.ok(signals.size > 0)
  for (const signal of signals) t.strictSame(getEventListeners(signal, 'abort'), [])
  t.equal(clock.pending, 0)
})

test('a hub that takes a question and never answers is given up a minute after it should have', async (t) => {
  const clock = new FakeClock()
  const silent = (_url: unknown, { signal }: RequestInit = {}) =>
    new Promise<Response>((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  const platform = { ...thisPlatform(), clock, fetch: silent }
  const back = publisher({ url: 'http://silent' }, platform)
  const cases = [
    { options: {}, limit: 110_000 },
    { options: { timeout: 5_000, wait: 0 }, limit: 65_000 },
    { options: { timeout: Number.POSITIVE_INFINITY, wait: 0 }, limit: 86_460_000 },
  ]
  for (const { options, limit } of cases) {
    let isOver = false
    const given = t
      .rejects(back.ask('@till/total', options), { code: 'HUB_UNREACHABLE', status: 503 })
      .finally(() => {
        isOver = true
      })
    await settle()
    clock.advance(limit - 1)
    await settle()
    t.notOk(isOver)
    clock.advance(1)
    await given
    t.equal(clock.pending, 0)
  }
})
