/** Tabs that share one session: on twins of locks and channel, each tab with links of its own. */
import type { Channel, Client, ConnectOptions, Locks } from '@sapwood/client'
import { FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import { type Json, settle, type Twin, twin } from './twin.ts'

/** The locks and channels of one origin. */
class Origin {
  readonly clock = new FakeClock()
  readonly #held = new Map<string, { tab: number; release: () => void }>()
  #queue: { name: string; tab: number; run: () => Promise<void>; resolve: () => void }[] = []
  readonly #channels = new Map<Channel, { name: string; tab: number }>()
  #tabs = 0

  /** A tab with a client on links of its own. */
  tab(options: ConnectOptions = {}): Twin & { readonly number: number } {
    const number = ++this.#tabs
    const made = twin(
      { shared: true, ...options },
      {
        clock: this.clock,
        id: () => `id-${number}-${Math.random()}`,
        random: () => number / 10,
        locks: this.#locks(number),
        openChannel: (name) => this.#channel(name, number),
      },
    )
    return { ...made, number }
  }

  /** Lets everything run that waits for no time. */
  async settle(): Promise<void> {
    await settle()
    this.clock.advance(0)
    await settle()
  }

  /** Lets time pass, and tabs talk meanwhile. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 500) {
      this.clock.advance(500)
      await settle()
    }
  }

  /** The browser kills a tab: nothing of it runs any more. */
  kill(tab: number): void {
    for (const [channel, owner] of this.#channels) {
      if (owner.tab === tab) this.#channels.delete(channel)
    }
    this.#queue = this.#queue.filter((waiting) => waiting.tab !== tab)
    for (const { tab: holder, release } of [...this.#held.values()]) if (holder === tab) release()
  }

  #locks(tab: number): Locks {
    return {
      request: (name, { signal }, run) =>
        new Promise((resolve, reject) => {
          const waiting = { name, tab, run, resolve }
          this.#queue.push(waiting)
          signal.addEventListener('abort', () => {
            if (!this.#queue.includes(waiting)) return
            this.#queue = this.#queue.filter((other) => other !== waiting)
            reject(signal.reason)
          })
          queueMicrotask(() => this.#grant(name))
        }),
    }
  }

  #grant(name: string): void {
    const next = this.#held.has(name) ? undefined : this.#queue.find((one) => one.name === name)
    if (next === undefined) return
    this.#queue = this.#queue.filter((other) => other !== next)
    const release = (): void => {
      if (this.#held.get(name)?.release !== release) return
      this.#held.delete(name)
      next.resolve()
      this.#grant(name)
    }
    this.#held.set(name, { tab: next.tab, release })
    void next.run().then(release)
  }

  #channel(name: string, tab: number): Channel {
    const channel: Channel = {
      onmessage: null,
      postMessage: (message) => {
        const data = structuredClone(message)
        if (!this.#channels.has(channel)) return
        for (const [other, owner] of this.#channels) {
          if (other === channel || owner.name !== name) continue
          queueMicrotask(() => {
            if (this.#channels.has(other)) other.onmessage?.({ data })
          })
        }
      },
      close: () => this.#channels.delete(channel),
    }
    this.#channels.set(channel, { name, tab })
    return channel
  }
}

function listen(client: Client, pattern: string): unknown[] {
  const heard: unknown[] = []
  client.subscribe(pattern, (message) => heard.push(message))
  return heard
}

/** What the hub answers to subscriptions. */
function connected(tab: Twin, ...patterns: string[]): void {
  for (const pattern of patterns) {
    tab.ws.last.down({ path: '::connected', message: { pattern }, at: 'e-0' })
  }
}

test('one tab connects, the others stand on its session', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  t.equal(two.ws.links.length, 0)
  t.strictSame([one.client.transport, two.client.transport], ['ws', 'tab'])
  t.strictSame([one.client.id, two.client.id], ['hub-1', 'hub-1'])
  t.strictSame([one.client.state, two.client.state], ['connected', 'connected'])
  const three = origin.tab()
  await origin.settle()
  t.equal(three.client.id, 'hub-1')
})

test('the hub is asked for a pattern once, and left when the last tab leaves', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  const offOne = one.client.subscribe('a', () => undefined)
  await origin.settle()
  connected(one, 'a')
  const offTwo = two.client.subscribe('a', () => undefined)
  two.client.subscribe('b', () => undefined)
  await origin.settle()
  connected(one, 'b')
  await origin.settle()
  t.strictSame(
    one.ws.last.on('::connect').map(({ message }) => message),
    [['a'], ['b']],
  )
  offOne()
  await origin.settle()
  t.strictSame(one.ws.last.on('::disconnect'), [])
  offTwo()
  await origin.settle()
  t.strictSame(
    one.ws.last.on('::disconnect').map(({ message }) => message),
    [['a']],
  )
})

test('every tab gets what it subscribed to, and gaps are told in all', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  const heard = [listen(one.client, 'a'), listen(two.client, 'a'), listen(two.client, 'b')]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  one.ws.last.down({ path: 'a', message: 1, at: 'e-1' }, { path: 'b', message: 2, at: 'e-2' })
  one.ws.last.down({
    path: '::gap',
    message: { patterns: ['a'], after: '', at: 'e-3', reason: 'slow' },
  })
  await origin.settle()
  t.strictSame(heard, [[1], [1], [2]])
  t.equal(one.events('gap').length + two.events('gap').length, 2)
})

test('each tab gets its own receipts and answers; questions are put to the leading tab', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  const receipts = [one.client.publish('a', 1), two.client.publish('b', 2)]
  const refused = two.client.publish('c', 3)
  await origin.settle()
  const { sent } = one.ws.last
  for (const { path, reply } of sent) {
    if (path === 'c') {
      one.ws.last.down({ path: '::error', message: { code: 'NOT_ALLOWED', detail: '', reply } })
    } else one.ws.last.down({ path: '::reply', reply, message: { matched: path } })
  }
  t.match(await Promise.all(receipts), [{ matched: 'a' }, { matched: 'b' }])
  await t.rejects(refused, { code: 'NOT_ALLOWED' })
  const asked: string[] = []
  one.client.answer('GET time', () => asked.push('one'))
  two.client.answer('GET time', () => asked.push('two'))
  one.ws.last.down({ path: '@hub-1/time', verb: 'GET', reply: 'q1' })
  await origin.settle()
  t.strictSame(asked, ['one'])
  t.equal(one.ws.last.on('::reply').length, 1)
})

for (const way of ['closes', 'is killed'] as const) {
  test(`when the leading tab ${way} the next one asks for what came since`, async (t) => {
    const origin = new Origin()
    const [one, two, three] = [origin.tab(), origin.tab(), origin.tab()]
    const heard = [listen(two.client, 'a'), listen(three.client, 'b')]
    await origin.settle()
    one.ws.last.hello()
    await origin.settle()
    connected(one, 'a', 'b')
    one.ws.last.down({ path: 'a', message: 1, at: 'e-1' }, { path: 'b', message: 1, at: 'e-2' })
    await origin.settle()
    origin.clock.advance(20_000)
    const pending = three.client.publish('c', 1, { timeout: 1e6 })
    const lost = t.rejects(three.client.ask('@x/y', { timeout: 1e6 }), { code: 'CONNECTION_LOST' })
    await origin.settle()
    if (way === 'closes') {
      await one.client.close()
      t.equal(one.ws.last.closed, 'for good')
    } else origin.kill(one.number)
    await origin.settle()
    t.equal(two.ws.links.length, 1)
    t.match(two.ws.last.open(), { resume: undefined })
    two.ws.last.hello({ id: 'hub-2', at: 'e-9' })
    await origin.settle()
    t.same(
      two.ws.last.on('::connect').map(({ message, after }) => [message, after]),
      [
        [['a'], 'e-2'],
        [['b'], 'e-2'],
      ],
    )
    t.equal(three.client.id, 'hub-2')
    t.equal(three.ws.links.length, 0)
    two.ws.last.down(
      { path: 'a', message: 2, replay: true },
      { path: 'b', message: 2, replay: true },
    )
    await lost
    const { reply } = two.ws.last.on('c')[0] as Json
    two.ws.last.down({ path: '::reply', reply, message: { matched: 5 } })
    t.match(await pending, { matched: 5 })
    t.strictSame(heard, [
      [1, 2],
      [1, 2],
    ])
  })
}

test('a tab that is killed leaves what only it wanted', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  listen(one.client, 'both')
  listen(two.client, 'both')
  listen(two.client, 'alone')
  await origin.settle()
  connected(one, 'both', 'alone')
  await origin.settle()
  origin.kill(two.number)
  await origin.settle()
  t.strictSame(
    one.ws.last.on('::disconnect').map(({ message }) => message),
    [['alone']],
  )
})

test('what a tab wanted that went while there was no link is left on the next', async (t) => {
  const origin = new Origin()
  const [one, two, three] = [origin.tab(), origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  listen(two.client, 'alone')
  listen(two.client, 'both')
  listen(three.client, 'both')
  await origin.settle()
  connected(one, 'alone', 'both')
  await origin.settle()
  one.ws.last.lose()
  await origin.settle()
  origin.kill(two.number)
  await origin.settle()
  origin.clock.advance(500)
  const patterns = ['alone', 'both', 'from the back end']
  one.ws.last.hello({ resumed: true, patterns })
  await origin.settle()
  t.strictSame(one.ws.last.sent, [{ path: '::disconnect', message: ['alone'] }])
  one.ws.last.down({ path: '::disconnected', message: { pattern: 'alone' } })
  // who wants it later asks the hub for it
  const heard = listen(three.client, 'alone')
  await origin.settle()
  t.strictSame(one.ws.last.on('::connect'), [{ path: '::connect', message: ['alone'] }])
  one.ws.last.down({ path: 'alone', message: 1 }, { path: 'both', message: 2 })
  await origin.settle()
  t.strictSame(heard, [1])
})

test('an end of interest that was lost with its link is said again on the next', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  listen(two.client, 'alone')
  await origin.settle()
  connected(one, 'alone')
  origin.kill(two.number)
  await origin.settle()
  t.equal(one.ws.last.on('::disconnect').length, 1)
  one.ws.last.lose()
  origin.clock.advance(500)
  one.ws.last.hello({ resumed: true, patterns: ['alone'] })
  t.strictSame(one.ws.last.sent, [{ path: '::disconnect', message: ['alone'] }])
})

test('a link that is lost is lost for all tabs, and the session goes on for all', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  listen(two.client, 'a')
  await origin.settle()
  connected(one, 'a')
  one.ws.last.lose()
  await origin.settle()
  t.strictSame([one.client.state, two.client.state], ['disconnected', 'disconnected'])
  origin.clock.advance(500)
  one.ws.last.hello({ resumed: true, patterns: ['a'] })
  await origin.settle()
  t.strictSame([one.client.state, two.client.state], ['connected', 'connected'])
  t.strictSame(one.ws.last.sent, [])
  t.match(two.events('state').at(-1), { resumed: true })
})

test('when the leading tab moves to a better transport, what the others said is said again', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.lose()
  await origin.settle()
  one.sse.last.hello({ heartbeat: 1e9 })
  await origin.settle()
  await origin.pass(29_000)
  const receipt = two.client.publish('a', 1)
  const heard = listen(two.client, 'b')
  await origin.settle()
  t.equal(one.sse.last.on('a').length, 1)
  await origin.pass(1_000)
  one.ws.last.open()
  const late = two.client.publish('c', 1)
  await origin.settle()
  one.ws.last.hello({ resumed: true, patterns: [] })
  await origin.settle()
  t.strictSame(one.ws.last.sent.map(({ path }) => path).sort(), ['::connect', 'a', 'c'])
  connected(one, 'b')
  for (const { path, reply } of one.ws.last.sent) {
    if (reply !== undefined)
      one.ws.last.down({ path: '::reply', reply, message: { matched: path } })
  }
  one.ws.last.down({ path: 'b', message: 1 })
  t.match(await Promise.all([receipt, late]), [{ matched: 'a' }, { matched: 'c' }])
  await origin.settle()
  t.strictSame(heard, [1])
  t.equal(two.client.state, 'connected')
})

test('a client that the hub does not want back is closed in all tabs', async (t) => {
  const origin = new Origin()
  const [one, two] = [origin.tab(), origin.tab()]
  await origin.settle()
  one.ws.last.hello()
  await origin.settle()
  one.ws.last.lose({ comeBack: 'never', code: 'CONNECTION_ENDED' })
  await origin.settle()
  t.strictSame([one.client.state, two.client.state], ['closed', 'closed'])
  t.match(await two.client.closed, { code: 'CONNECTION_ENDED' })
  t.equal(two.ws.links.length, 0)
  t.equal(origin.clock.pending, 0)
})

test('tabs of another hub, name or group have a session of their own', async (t) => {
  const origin = new Origin()
  const tabs = [origin.tab(), origin.tab({ name: 'till' }), origin.tab({ shared: 'group' })]
  await origin.settle()
  t.ok(tabs.every(({ ws }) => ws.links.length === 1))
})

test('where a browser has no locks or channels each tab has its own', (t) => {
  const { client, ws } = twin({ shared: true })
  ws.last.hello()
  t.equal(client.transport, 'ws')
  t.end()
})
