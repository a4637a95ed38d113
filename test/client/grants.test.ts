/** DB-22: subscribing through the application. */
import { SapwoodError } from '@sapwood/core'
import { test } from 'tap'
import { settle, type Twin, twin } from './twin.ts'

/** An application that answers as it is told, once the test lets it. */
class Application {
  readonly calls: { readonly url: string; readonly patterns: string[] }[] = []
  /** Statuses of the next answers; 204 when there are none. */
  readonly statuses: (number | 'unreachable')[] = []
  /** Answers wait for `release` while this is true. */
  held = false
  #waiting: (() => void)[] = []

  readonly fetch = async (url: unknown, init?: RequestInit): Promise<Response> => {
    this.calls.push({ url: String(url), patterns: JSON.parse(String(init?.body)) })
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    const status = this.statuses.shift() ?? 204
    if (status === 'unreachable') throw new TypeError('fetch failed')
    return new Response(null, { status })
  }

  async release(): Promise<void> {
    this.held = false
    for (const go of this.#waiting.splice(0)) go()
    await settle()
  }
}

const URLS = { authorize: '/my/connect/{id}', unauthorize: '/my/disconnect/{id}' }

function setUp(options: Parameters<typeof twin>[0] = URLS): Twin & { readonly app: Application } {
  const app = new Application()
  return { ...twin(options, { fetch: app.fetch as typeof fetch }), app }
}

function connected({ ws }: Twin, ...patterns: string[]): void {
  for (const pattern of patterns) {
    ws.last.down({ path: '::connected', message: { pattern, at: 'e-0' }, at: 'e-0' })
  }
}

test('all patterns are posted to the application in one request, and the hub is asked for none', async (t) => {
  const { client, ws, app } = setUp()
  client.subscribe('orders/42', () => undefined)
  client.subscribe('orders/43', () => undefined)
  await settle()
  t.strictSame(app.calls, [], 'there is no id yet')
  ws.last.hello({ id: 'hub/1 ü' })
  await settle()
  t.strictSame(app.calls, [
    { url: '/my/connect/hub%2F1%20%C3%BC', patterns: ['orders/42', 'orders/43'] },
  ])
  t.strictSame(ws.last.sent, [])
})

test('requests go one after the other, each with all that is to be said by then', async (t) => {
  const all = setUp()
  const { client, ws, app } = all
  ws.last.hello()
  app.held = true
  const off = client.subscribe('a', () => undefined)
  await settle()
  client.subscribe('b', () => undefined)
  client.subscribe('c', () => undefined)
  off()
  await settle()
  t.equal(app.calls.length, 1)
  connected(all, 'a')
  await app.release()
  t.strictSame(app.calls.slice(1), [
    { url: '/my/disconnect/hub-1', patterns: ['a'] },
    { url: '/my/connect/hub-1', patterns: ['b', 'c'] },
  ])
})

test('the last undo tells the application; the hub itself where the application has no URL for that', async (t) => {
  const one = setUp()
  one.ws.last.hello()
  const off = one.client.subscribe('a', () => undefined)
  await settle()
  off()
  await settle()
  t.strictSame(one.app.calls[1], { url: '/my/disconnect/hub-1', patterns: ['a'] })
  t.strictSame(one.ws.last.sent, [])
  const two = setUp({ authorize: '/my/connect/{id}' })
  two.ws.last.hello()
  const offToo = two.client.subscribe('a', () => undefined)
  await settle()
  offToo()
  await settle()
  t.strictSame(two.ws.last.sent, [{ path: '::disconnect', message: ['a'] }])
})

test('leaving and subscribing again, the hub late with its word: both requests, and subscribed in the end', async (t) => {
  const all = setUp()
  const { client, ws, app } = all
  ws.last.hello()
  const off = client.subscribe('a', () => undefined)
  await settle()
  connected(all, 'a')
  off()
  await settle()
  client.subscribe('a', () => undefined)
  await settle()
  t.strictSame(
    app.calls.map(({ url }) => url.split('/')[2]),
    ['connect', 'disconnect', 'connect'],
  )
  ws.last.down({ path: '::disconnected', message: { pattern: 'a' } })
  connected(all, 'a')
  ws.last.lose()
  all.clock.advance(500)
  ws.last.hello({ resumed: true, patterns: ['a'] })
  await settle()
  t.equal(app.calls.length, 3)
})

test('PM-02: a new session has all patterns posted in one request, under its id; the cursor goes to the hub', async (t) => {
  const all = setUp()
  const { client, clock, ws, app } = all
  const heard: unknown[] = []
  client.subscribe('a', (message) => heard.push(message))
  client.subscribe('b', (message) => heard.push(message))
  ws.last.hello()
  await settle()
  connected(all, 'a', 'b')
  ws.last.down({ path: 'a', message: 1, at: 'e-1' })
  ws.last.lose()
  client.subscribe('new', () => undefined)
  clock.advance(500)
  app.held = true
  ws.last.hello({ id: 'hub-2', at: 'e-5' })
  await settle()
  t.strictSame(app.calls.slice(1), [{ url: '/my/connect/hub-2', patterns: ['a', 'b', 'new'] }])
  // the application had them connected: what comes before the replay would come twice
  connected(all, 'a', 'b', 'new')
  ws.last.down({ path: 'a', message: 3, at: 'e-6' })
  await app.release()
  ws.last.down({ path: 'b', message: 4, at: 'e-7' })
  t.strictSame(ws.last.sent, [{ path: '::connect', message: ['a', 'b'], after: 'e-1' }])
  connected(all, 'a', 'b')
  for (const [path, message] of [
    ['a', 2],
    ['a', 3],
    ['b', 4],
  ]) {
    ws.last.down({ path, message, replay: true })
  }
  ws.last.down({ path: 'a', message: 5 })
  t.strictSame(heard, [1, 2, 3, 4, 5])
})

test('a session that goes on needs no new permission', async (t) => {
  const all = setUp()
  all.client.subscribe('a', () => undefined)
  all.ws.last.hello()
  await settle()
  connected(all, 'a')
  all.ws.last.lose()
  all.clock.advance(500)
  all.ws.last.hello({ resumed: true, patterns: ['a'] })
  await settle()
  t.equal(all.app.calls.length, 1)
  t.strictSame(all.ws.last.sent, [])
})

test('what the application refuses is told, and not asked for again until somebody subscribes anew', async (t) => {
  const { client, clock, ws, app, events } = setUp()
  ws.last.hello({ heartbeat: 1e9 })
  app.statuses.push(403)
  const off = client.subscribe('secret', () => undefined)
  await settle()
  t.match(events('error'), [{ code: 'AUTHORIZE_REFUSED', pattern: 'secret' }])
  clock.advance(60_000)
  await settle()
  t.equal(app.calls.length, 1)
  off()
  client.subscribe('secret', () => undefined)
  await settle()
  t.equal(app.calls.length, 2)
})

test('one refused pattern does not cost the others: they are asked for one by one', async (t) => {
  const { client, ws, app, events } = setUp()
  for (const pattern of ['a', 'secret', 'b']) client.subscribe(pattern, () => undefined)
  app.statuses.push(403, 204, 403, 204)
  ws.last.hello()
  await settle()
  t.strictSame(
    app.calls.map(({ patterns }) => patterns),
    [['a', 'secret', 'b'], ['a'], ['secret'], ['b']],
  )
  t.match(events('error'), [{ pattern: 'secret' }])
})

test('an application that cannot be reached, or fails, is asked again after a while', async (t) => {
  const { client, clock, ws, app, events } = setUp()
  ws.last.hello({ heartbeat: 1e9 })
  app.statuses.push('unreachable', 500)
  client.subscribe('a', () => undefined)
  await settle()
  t.match(events('error'), [{ code: 'AUTHORIZE_FAILED', detail: /fetch failed/, pattern: 'a' }])
  clock.advance(249)
  await settle()
  t.equal(app.calls.length, 1)
  clock.advance(1)
  await settle()
  t.equal(app.calls.length, 2)
  clock.advance(500)
  await settle()
  t.equal(app.calls.length, 3)
  t.equal(events('error').length, 2)
})

test('a link that is lost while the application is asked: asked again in whatever session follows', async (t) => {
  for (const next of [{ id: 'hub-1', resumed: true }, { id: 'hub-2' }]) {
    const { client, clock, ws, app } = setUp()
    ws.last.hello()
    app.held = true
    client.subscribe('a', () => undefined)
    await settle()
    ws.last.lose()
    clock.advance(500)
    ws.last.hello(next)
    await app.release()
    t.strictSame(
      app.calls.map(({ url }) => url),
      next.resumed ? ['/my/connect/hub-1'] : ['/my/connect/hub-1', '/my/connect/hub-2'],
    )
  }
})

test('an application that does not answer is given up, and with the client at once', async (t) => {
  const signals: AbortSignal[] = []
  const hang = (_url: unknown, init?: RequestInit): Promise<Response> =>
    new Promise((_resolve, reject) => {
      const signal = init?.signal as AbortSignal
      signals.push(signal)
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  const { client, clock, ws, events } = twin(URLS, { fetch: hang as typeof fetch })
  ws.last.hello({ heartbeat: 1e9 })
  client.subscribe('a', () => undefined)
  await settle()
  clock.advance(20_000)
  await settle()
  t.match(events('error'), [{ code: 'AUTHORIZE_FAILED', pattern: 'a' }])
  clock.advance(250)
  await settle()
  t.equal(signals.length, 2)
  await client.close()
  await settle()
  t.equal(signals[1]?.aborted, true)
  t.equal(clock.pending, 0)
})

test('closing while the application fails leaves no timer behind', async (t) => {
  const { client, clock, ws, app } = setUp()
  ws.last.hello()
  app.statuses.push(500)
  client.subscribe('a', () => undefined)
  await settle()
  await client.close()
  t.equal(clock.pending, 0)
})

test('functions do as well; one that throws a refusal refuses', async (t) => {
  const calls: unknown[] = []
  const { client, ws, events } = twin({
    authorize: async (id, patterns) => {
      calls.push(['authorize', id, patterns])
      if (patterns.includes('b')) throw new SapwoodError('MY_OWN', 'not b', { status: 403 })
    },
    unauthorize: (id, patterns) => calls.push(['unauthorize', id, patterns]),
  })
  ws.last.hello()
  const off = client.subscribe('a', () => undefined)
  await settle()
  client.subscribe('b', () => undefined)
  off()
  await settle()
  t.strictSame(calls, [
    ['authorize', 'hub-1', ['a']],
    ['unauthorize', 'hub-1', ['a']],
    ['authorize', 'hub-1', ['b']],
  ])
  t.match(events('error'), [{ code: 'MY_OWN', pattern: 'b' }])
})
