/** The client against the real hub, over all three transports and through a proxy that refuses and cuts. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Client, type Gap, type Locks, publisher, type Received } from '@sapwood/client'
import { test } from 'tap'
import { connected, faster, Middle, open, serve, until } from './real-hub.ts'

const TRANSPORTS = ['ws', 'sse', 'poll'] as const
const POLL = { poll: { bundle: 10, hold: 1_000 } }

/** What came on a pattern, once the hub holds it. */
async function listen(client: Client, pattern: string): Promise<[unknown, Received][]> {
  const heard: [unknown, Received][] = []
  let isHeld = false
  const off = client.on('subscribed', (event) => {
    isHeld ||= event.pattern === pattern
  })
  client.subscribe(pattern, (message, update) => heard.push([message, update]))
  await until(`${pattern} is held`, () => isHeld)
  off()
  return heard
}

function messages(heard: readonly [unknown, Received][]): unknown[] {
  return heard.map(([message]) => message)
}

for (const transport of TRANSPORTS) {
  test(`${transport}: what is published arrives, in order, as it was said`, async (t) => {
    const { url } = await serve(t, {}, POLL)
    const client = open(t, url, { transports: [transport] })
    const heard = await listen(client, 'news/**')
    t.equal(client.transport, transport)
    const back = publisher({ url })
    await back.update('news/a', { n: 1 })
    await back.update('news/b/c', 'a text', { type: 'text/plain' })
    await back.update('news', new Uint8Array([0, 255]), { key: 'k' })
    await back.update('other', 'not for us')
    await back.updates(Array.from({ length: 100 }, (_, n) => ({ path: 'news/many', message: n })))
    await until('all came', () => heard.length === 103)
    t.strictSame(messages(heard).slice(0, 2), [{ n: 1 }, 'a text'])
    t.same(heard[2]?.[0], new Uint8Array([0, 255]))
    t.match(heard[2]?.[1], { path: 'news', key: 'k' })
    t.strictSame(
      messages(heard).slice(3),
      Array.from({ length: 100 }, (_, n) => n),
    )
  })

  test(`${transport}: clients publish, ask and answer each other`, async (t) => {
    const { url } = await serve(t, {}, POLL)
    const asker = open(t, url, { transports: [transport] })
    const answerer = open(t, url, { transports: [transport] })
    const heard = await listen(answerer, 'chat/*')
    const own = await listen(asker, 'chat/*')
    const receipt = await asker.publish('chat/1', { text: 'hi' })
    t.match(receipt, { matched: 2, id: /./ })
    await until('it came to both', () => heard.length + own.length === 2)
    t.match([heard[0]?.[1].own, own[0]?.[1].own], [undefined, true])
    answerer.answer('GET cat', (_, __, ...args) => args.join('+'))
    answerer.answer('POST sum', (_, [, numbers]) => {
      const sum = (numbers as number[]).reduce((a, b) => a + b)
      if (sum > 9) throw new RangeError('too much')
      return ['application/json', 3, { sum }]
    })
    const id = answerer.id as string
    t.match(await asker.ask(`@${id}/cat`, { args: ['a b', '', 'ü'] }), {
      code: 0,
      type: 'application/json',
      message: 'a b++ü',
    })
    t.match(await asker.ask(`@${id}/sum`, { verb: 'POST', message: [1, 2] }), {
      code: 3,
      message: { sum: 3 },
    })
    t.match(await asker.ask(`@${id}/sum`, { verb: 'POST', message: [5, 5] }), {
      code: 251,
      message: { exception: { class: 'RangeError' } },
    })
    t.match(await asker.ask(`@${id}/none`), { code: 255, message: '' })
    await t.rejects(asker.ask('@nobody/there'), { code: 'CLIENT_ABSENT', status: 404 })
    const back = publisher({ url })
    t.match(await back.ask(`@${id}/cat`, { args: ['x', 'y/z'] }), { code: 0, message: 'x+y/z' })
    await answerer.close()
    // only a WebSocket has a way to say that it is gone for good
    if (transport !== 'ws') return
    await t.rejects(asker.ask(`@${id}/cat`, { timeout: 2_000 }), { code: 'CLIENT_ABSENT' })
  })

  test(`${transport}: a cut loses nothing and repeats nothing`, async (t) => {
    const { url } = await serve(t, {}, POLL)
    const proxy = await Middle.to(t, url)
    const client = open(t, proxy.url, { transports: [transport] })
    const heard = await listen(client, 'n')
    const { id } = client
    const back = publisher({ url })
    for (let n = 0; n < 60; n++) {
      if (n % 20 === 10) proxy.cut()
      await back.update('n', n)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await until('the last came', () => messages(heard).includes(59))
    t.strictSame(
      messages(heard),
      Array.from({ length: 60 }, (_, n) => n),
    )
    t.equal(client.id, id, 'the same session')
  })

  test(`${transport}: a publish whose receipt was lost is published once`, async (t) => {
    const { url, hub } = await serve(t, { heartbeat: { interval: 200 } }, POLL)
    const proxy = await Middle.to(t, url)
    const client = open(t, proxy.url, { transports: [transport] })
    const watcher = open(t, url)
    const heard = await listen(watcher, 'once')
    await connected(client)
    proxy.deaf = true
    const receipt = client.publish('once', 1)
    await until('it is at the hub', () => heard.length === 1)
    proxy.cut()
    proxy.deaf = false
    t.match(await receipt, { matched: 1 })
    await watcher.publish('once', 2)
    await until('the next came', () => heard.length > 1)
    t.strictSame(messages(heard), [1, 2])
    t.ok(hub.position)
  })

  test(`${transport}: a hub that restarts: subscribed again to everything, and told that something may be lost`, async (t) => {
    const first = await serve(t, {}, POLL)
    const proxy = await Middle.to(t, first.url)
    const client = open(t, proxy.url, { transports: [transport] })
    const gaps: Gap[] = []
    client.on('gap', (gap) => gaps.push(gap))
    const heard = [await listen(client, 'a'), await listen(client, 'b/*')]
    await publisher({ url: first.url }).update('a', 1)
    await until('it came', () => heard[0]?.length === 1)
    await first.stop()
    await publisher({ url: first.url, timeout: 50 })
      .update('a', 'lost')
      .catch(() => undefined)
    const second = await serve(t, {}, POLL)
    proxy.target = second.url
    await until('gaps are told', () => gaps.flatMap(({ patterns }) => patterns).length === 2)
    t.match(gaps[0], { reason: 'restart' })
    const back = publisher({ url: second.url })
    await back.update('a', 2)
    await back.update('b/c', 3)
    await until('both came', () => heard.flat().length === 3)
    t.strictSame(heard.map(messages), [[1, 2], [3]])
  })
}

test('what a client missed beyond the history is told as a gap', async (t) => {
  const { url } = await serve(t, { history: { count: 10 } })
  const proxy = await Middle.to(t, url)
  const client = open(t, proxy.url)
  const gaps: Gap[] = []
  client.on('gap', (gap) => gaps.push(gap))
  const heard = await listen(client, 'n')
  const back = publisher({ url })
  await back.update('n', 'before')
  await until('it came', () => heard.length === 1)
  proxy.refused.add('ws').add('poll').add('events')
  proxy.cut()
  await back.updates(Array.from({ length: 50 }, (_, n) => ({ path: 'n', message: n })))
  proxy.refused.clear()
  await until('a gap is told', () => gaps.length > 0)
  t.match(gaps, [{ patterns: ['n'], reason: 'evicted' }])
  await back.update('n', 'after')
  await until('it goes on', () => messages(heard).includes('after'))
})

test('a refused WebSocket: it falls back by itself, comes back when it can, and nothing is lost on the way', async (t) => {
  const { url } = await serve(t, { heartbeat: { interval: 100 } }, POLL)
  const proxy = await Middle.to(t, url)
  proxy.refused.add('ws').add('events')
  const client = open(t, proxy.url, {}, faster(30))
  const seen: unknown[] = []
  client.on('state', ({ state, transport }) => {
    if (state === 'connected') seen.push(transport)
  })
  const heard = await listen(client, 'n')
  t.equal(client.transport, 'poll')
  const { id } = client
  const back = publisher({ url })
  let n = 0
  let isOver = false
  t.teardown(() => {
    isOver = true
  })
  // one after the other: requests that are open together may overtake each other
  const publishing = (async () => {
    while (!isOver) {
      await back.update('n', n++)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  publishing.catch(() => undefined)
  proxy.refused.delete('events')
  await until('it moved to the event stream', () => client.transport === 'sse', 15_000)
  proxy.refused.delete('ws')
  await until('it moved to the WebSocket', () => client.transport === 'ws', 15_000)
  isOver = true
  await publishing
  const last = n - 1
  await until('the last came', () => messages(heard).includes(last))
  t.strictSame(
    messages(heard),
    Array.from({ length: n }, (_, index) => index),
  )
  t.equal(client.id, id, 'the same session throughout')
  t.match(seen.slice(0, 1), ['poll'])
  t.equal(await client.publish('m', 1).then(({ matched }) => matched), 0)
})

test('DB-22: an application decides who may subscribe, with a key that pages never see', async (t) => {
  const key = 'the-key-of-the-application'
  const { url } = await serve(t, {}, { dev: false, keys: [key], ...POLL })
  const back = publisher({ url, key })
  const posts: { readonly route: string; readonly patterns: string[] }[] = []
  // the whole of what an application needs
  const application = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const [, , route, id] = (request.url ?? '').split('/') as [string, string, string, string]
      const patterns: string[] = JSON.parse(Buffer.concat(chunks).toString())
      const may = patterns.every((pattern) => pattern.startsWith('orders/'))
      if (may && route === 'connect') await back.connect(decodeURIComponent(id), patterns)
      if (may && route === 'disconnect') await back.disconnect(decodeURIComponent(id), patterns)
      response.writeHead(may ? 204 : 403).end()
      posts.push({ route, patterns })
    })
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    application.close()
    application.closeAllConnections()
  })
  const app = `http://127.0.0.1:${(application.address() as AddressInfo).port}`
  const urls = { authorize: `${app}/my/connect/{id}`, unauthorize: `${app}/my/disconnect/{id}` }

  const stranger = open(t, url)
  const problems: string[] = []
  stranger.on('error', ({ code, pattern }) => problems.push(`${code} ${pattern}`))
  stranger.subscribe('orders/42', () => t.fail('not for a stranger'))
  await until('the hub refuses', () => problems.length === 1)
  t.strictSame(problems, ['NOT_ALLOWED orders/42'])

  const proxy = await Middle.to(t, url)
  const client = open(t, proxy.url, urls)
  const refused: string[] = []
  client.on('error', ({ code, pattern }) => refused.push(`${code} ${pattern}`))
  const heard: unknown[] = []
  const held = new Set<string>()
  client.on('subscribed', ({ pattern }) => held.add(pattern))
  const off = client.subscribe('orders/42', (message) => heard.push(message))
  client.subscribe('orders/43', (message) => heard.push(message))
  await until('both are held', () => held.size === 2)
  t.strictSame(posts, [{ route: 'connect', patterns: ['orders/42', 'orders/43'] }])
  await back.update('orders/42', 'paid')
  await until('it came', () => heard.length === 1)
  client.subscribe('secrets', () => t.fail('not for this client'))
  await until('the application refuses', () => refused.length === 1)
  t.strictSame(refused, ['AUTHORIZE_REFUSED secrets'])

  // the hub restarts: a new session, all patterns in one post, and the page is told that it may have missed something
  const gaps: Gap[] = []
  client.on('gap', (gap) => gaps.push(gap))
  posts.length = 0
  const other = await serve(t, {}, { dev: false, keys: [key], ...POLL })
  const moved = publisher({ url: other.url, key })
  Object.assign(back, {
    connect: moved.connect.bind(moved),
    disconnect: moved.disconnect.bind(moved),
  })
  proxy.target = other.url
  proxy.cut()
  await until('a gap is told', () => gaps.flatMap(({ patterns }) => patterns).length === 2)
  t.same(posts[0]?.patterns, ['orders/42', 'orders/43', 'secrets'], 'all in one post')
  await moved.update('orders/43', 'sent')
  await until('it goes on', () => heard.includes('sent'))

  off()
  await until('the application is told', () => posts.some(({ route }) => route === 'disconnect'))
  t.match(posts.at(-1), { route: 'disconnect', patterns: ['orders/42'] })
})

test('a credential that proves nobody closes the client; a key makes it trusted', async (t) => {
  const { url } = await serve(t, {}, { dev: false, keys: ['right'] })
  for (const transport of TRANSPORTS) {
    const wrong = open(t, url, { token: 'wrong', transports: [transport] })
    t.match(await wrong.closed, { code: /CREDENTIAL_INVALID|CONNECTION_ENDED/ }, transport)
    const right = open(t, url, { token: 'right', transports: [transport] })
    t.match(await right.publish('a', 1), { matched: 0 }, transport)
  }
})

test('a client with a name is asked under it', async (t) => {
  const { url } = await serve(t)
  const till = open(t, url, { name: 'till' })
  till.answer('GET total', () => 42)
  await connected(till)
  t.match(await publisher({ url }).ask('@till/total'), { code: 0, message: 42, status: 200 })
  const response = await fetch(`${url}/client/till/total`)
  t.equal(await response.text(), '42')
  t.equal(response.headers.get('x-event-return-code'), '0')
})

test('a caller that gives up has the handler told', async (t) => {
  const { url } = await serve(t)
  const till = open(t, url, { name: 'till' })
  let aborted = false
  till.answer('GET slow', ({ signal }) => {
    signal.addEventListener('abort', () => {
      aborted = true
    })
    return new Promise(() => undefined)
  })
  await connected(till)
  const asker = open(t, url)
  await t.rejects(asker.ask('@till/slow', { timeout: 100 }), { code: 'ANSWER_TIMEOUT' })
  await until('the handler is told', () => aborted)
})

test('closing ends the session at the hub at once, and a drained hub is come back to', async (t) => {
  const first = await serve(t)
  const proxy = await Middle.to(t, first.url)
  const client = open(t, proxy.url)
  await connected(client)
  t.equal(first.hub.sessions.size, 1)
  await first.server.drain()
  await until('it was sent away', () => client.state !== 'connected')
  const second = await serve(t)
  proxy.target = second.url
  await connected(client)
  await client.close()
  await until('the session is gone', () => second.hub.sessions.size === 0)
})

test('two clients share one session, and the second takes over from the first', async (t) => {
  const { url, hub } = await serve(t)
  const locks = inProcessLocks()
  const platform = {
    locks,
    openChannel: (name: string) => {
      const channel = new BroadcastChannel(name)
      // a channel that only listens keeps a Node process alive
      Object(channel).unref?.()
      return channel as never
    },
  }
  const one = open(t, url, { shared: true }, platform)
  await connected(one)
  const two = open(t, url, { shared: true }, platform)
  const heard = await listen(two, 'a')
  await listen(one, 'a')
  t.equal(hub.sessions.size, 1)
  t.strictSame([one.transport, two.transport], ['ws', 'tab'])
  t.equal(one.id, two.id)
  const back = publisher({ url })
  await back.update('a', 1)
  t.match(await two.publish('a', 2), { matched: 1 })
  await until('both came', () => heard.length === 2)
  await one.close()
  await back.update('a', 3)
  await until('the second leads', () => two.transport === 'ws')
  await back.update('a', 4)
  await until('nothing was lost', () => messages(heard).includes(4))
  t.strictSame(messages(heard), [1, 2, 3, 4])
})

/** Web Locks within one process, which Node 20 has not. */
function inProcessLocks(): Locks {
  const tails = new Map<string, Promise<unknown>>()
  return {
    request: (name, { signal }, run) => {
      const before = tails.get(name) ?? Promise.resolve()
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
      aborted.catch(() => undefined)
      let started = false
      const done = before.then(() => {
        started = true
        return signal.aborted ? undefined : run()
      })
      tails.set(name, done)
      return Promise.race([
        done,
        aborted.catch((reason) => (started ? done : Promise.reject(reason))),
      ])
    },
  } as Locks
}
