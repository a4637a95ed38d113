/** Transports, fall-back and coming back, back-off, good-byes: on twins of the transports, with time injected. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { test } from 'tap'
import { type Json, settle, type Twin, TwinTransport, twin } from './twin.ts'

test('it opens the best transport at once and says hello on it', (t) => {
  const { client, ws, sse } = twin({ token: 'key', name: 'till' })
  t.equal(client.state, 'connecting')
  t.equal(client.id, undefined)
  t.match(ws.last.open(), { token: 'key', name: 'till', resume: undefined, after: undefined })
  ws.last.hello({ id: 'hub-7' })
  t.equal(client.id, 'hub-7')
  t.equal(client.state, 'connected')
  t.equal(client.transport, 'ws')
  t.equal(sse.links.length, 0)
  t.end()
})

test('without a transport it cannot be made', (t) => {
  t.throws(() => twin({ transports: [] }))
  t.end()
})

test('a transport that cannot connect is left for the next at once, the last one for the first after a while', (t) => {
  const { client, clock, ws, sse, poll, events } = twin()
  ws.last.lose()
  t.equal(client.state, 'disconnected')
  clock.advance(0)
  sse.last.lose()
  clock.advance(0)
  poll.last.lose()
  // half of the first ceiling of 500 ms
  clock.advance(249)
  t.equal(ws.links.length, 1)
  clock.advance(1)
  t.equal(ws.links.length, 2)
  t.strictSame(
    events('state').map(({ state, retryIn }) => [state, retryIn]),
    [
      ['disconnected', 0],
      ['connecting', undefined],
      ['disconnected', 0],
      ['connecting', undefined],
      ['disconnected', 250],
      ['connecting', undefined],
    ],
  )
  t.end()
})

test('a transport that opens but brings no hello is given up', (t) => {
  const { clock, ws, sse } = twin({ helloTimeout: 3_000 })
  const first = ws.last
  first.open()
  clock.advance(2_999)
  t.equal(first.closed, 'no')
  clock.advance(1)
  t.equal(first.closed, 'for a while')
  t.equal(sse.links.length, 1)
  t.end()
})

test('a transport that has worked is not left for one failure: a hub that restarts keeps its WebSockets', (t) => {
  const { clock, ws, sse } = twin()
  ws.last.hello()
  clock.advance(30_000)
  ws.last.lose()
  for (let failures = 1; failures < 3; failures++) {
    clock.advance(1_000)
    ws.last.lose()
  }
  clock.advance(5_000)
  t.equal(ws.links.length, 4)
  t.equal(sse.links.length, 0)
  ws.last.lose()
  clock.advance(0)
  t.equal(sse.links.length, 1)
  t.end()
})

test('a transport that keeps breaking soon after its hello is left', (t) => {
  const { clock, ws, sse } = twin()
  for (let round = 0; round < 3; round++) {
    ws.last.hello()
    clock.advance(1_000)
    ws.last.lose()
    clock.advance(1_000)
  }
  t.equal(ws.links.length, 3)
  t.equal(sse.links.length, 1)
  t.end()
})

test('delays grow with full jitter up to their ceiling, and begin anew after a link that lived', (t) => {
  const ws = new TwinTransport('ws')
  const { clock } = twin({ transports: [ws] })
  const delays: (number | undefined)[] = []
  for (let round = 0; round < 8; round++) {
    ws.last.lose()
    delays.push(clock.untilNext)
    clock.advance(10_000)
  }
  t.strictSame(delays, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
  ws.last.hello()
  clock.advance(10_000)
  ws.last.lose()
  t.equal(clock.untilNext, 250)
  t.end()
})

test('a link on which nothing was heard for the heartbeat and ten seconds is dead', (t) => {
  const { client, clock, ws } = twin()
  const first = ws.last.hello({ heartbeat: 5_000 })
  clock.advance(14_000)
  first.down({ path: '::ping', message: {}, at: 'e-1' })
  clock.advance(14_999)
  t.equal(client.state, 'connected')
  clock.advance(1)
  t.equal(client.state, 'disconnected')
  t.equal(first.closed, 'for a while')
  first.down({ path: '::hello', message: { id: 'too late' } })
  t.equal(client.id, 'hub-1')
  t.end()
})

test('when the network comes back it does not wait out its delay', (t) => {
  const ws = new TwinTransport('ws')
  const { online } = twin({ transports: [ws] })
  ws.last.lose()
  online()
  t.equal(ws.links.length, 2)
  ws.last.hello()
  online()
  t.equal(ws.links.length, 2)
  t.end()
})

test('good-byes: what the hub says about coming back is done', (t) => {
  const cases = [
    { closing: { comeBack: 'now' as const }, retryIn: 0 },
    { closing: { comeBack: 'later' as const }, retryIn: 1_250 },
    { closing: { comeBack: 'later' as const, retryAfter: 7_000 }, retryIn: 7_250 },
    { bye: { reason: 'drain', retryAfter: 1_500 }, retryIn: 1_750 },
    { bye: { reason: 'dead', retryAfter: 0 }, closing: { comeBack: 'now' as const }, retryIn: 0 },
    { bye: { reason: 'replaced' }, retryIn: undefined },
    { closing: { comeBack: 'never' as const }, retryIn: undefined },
  ]
  for (const { bye, closing, retryIn } of cases) {
    const { client, ws, clock, events } = twin()
    ws.last.hello()
    clock.advance(20_000)
    if (bye !== undefined) ws.last.down({ path: '::bye', message: bye })
    ws.last.lose(closing)
    t.equal(events('state').at(-1)?.retryIn, retryIn, JSON.stringify({ bye, closing }))
    t.equal(client.state, retryIn === undefined ? 'closed' : 'disconnected')
    if (retryIn === undefined) t.equal(clock.pending, 0)
  }
  t.end()
})

test('Retry-After of what refuses is waited for, in seconds or as a date; what is neither is none', async (t) => {
  const inAMinute = new Date(Date.now() + 60_000).toUTCString()
  const cases = [
    { said: undefined, least: 250, most: 250 },
    { said: '7', least: 7_250, most: 7_250 },
    { said: '-7', least: 250, most: 250 },
    { said: 'soon', least: 250, most: 250 },
    { said: 'Wed, 21 Oct 2015 07:28:00 GMT', least: 250, most: 250 },
    // dates have whole seconds, and some time passes here
    { said: inAMinute, least: 50_000, most: 60_250 },
  ]
  for (const { said, least, most } of cases) {
    const headers = said === undefined ? {} : { 'retry-after': said }
    const response = () => Promise.resolve(new Response('busy', { status: 503, headers }))
    const { client, events } = twin({ transports: ['poll'] }, { fetch: response })
    await settle()
    const { retryIn = Number.NaN } = events('state').at(-1) ?? {}
    t.ok(retryIn >= least && retryIn <= most, `${said}: ${retryIn}`)
    await client.close()
  }
})

test('a hub that sends clients back at once, again and again, is not asked in a tight loop', (t) => {
  const { clock, ws } = twin()
  for (let round = 0; round < 2; round++) {
    ws.last.hello()
    ws.last.lose({ comeBack: 'now' })
    clock.advance(0)
  }
  t.equal(ws.links.length, 2)
  clock.advance(500)
  t.equal(ws.links.length, 3)
  t.end()
})

test('while a lower transport serves, better ones are tried again in growing intervals', (t) => {
  const { client, clock, ws, sse, poll } = twin()
  ws.last.lose()
  clock.advance(0)
  sse.last.lose()
  clock.advance(0)
  poll.last.hello({ heartbeat: 1e9 })
  t.equal(client.transport, 'poll')
  clock.advance(30_000)
  t.equal(ws.links.length, 2)
  ws.last.lose()
  clock.advance(59_999)
  t.equal(sse.links.length, 1)
  clock.advance(1)
  t.equal(sse.links.length, 2)
  // it never says anything: given up like any other
  clock.advance(10_000)
  t.equal(sse.last.closed, 'for a while')
  clock.advance(119_999)
  t.equal(ws.links.length, 2)
  clock.advance(1)
  t.equal(ws.links.length, 3)
  t.equal(poll.links.length, 1)
  t.equal(client.state, 'connected')
  t.end()
})

test('it moves to the better transport with secret and cursor, and hears nothing of the former any more', async (t) => {
  const { client, clock, ws, sse, events } = twin()
  const heard: unknown[] = []
  client.subscribe('a', (message) => heard.push(message))
  ws.last.lose()
  clock.advance(0)
  const former = sse.last.hello({ resume: 's1', heartbeat: 1e9 })
  former.down({ path: 'a', message: 1, at: 'e-1' })
  const unanswered = t.rejects(client.publish('c', 1), { code: 'CLIENT_CLOSED' })
  await settle()
  t.equal(former.on('c').length, 1)
  clock.advance(30_000)
  const better = ws.last
  t.equal(former.closed, 'no', 'until the better one can reach the hub')
  t.match(better.open(), { id: 'hub-1', resume: 's1', after: 'e-1' })
  t.equal(former.closed, 'for a while')
  former.down({ path: 'a', message: 2, at: 'e-2' })
  const receipt = client.publish('b', 1)
  await settle()
  t.strictSame([former.on('b'), better.on('b')], [[], []])
  better.hello({ resume: 's2', resumed: true, patterns: ['a'] })
  t.strictSame(better.on('c'), former.on('c'), 'what was not answered is said again')
  better.down({ path: 'a', message: 2, at: 'e-2', replay: true })
  const [said] = better.on('b')
  better.down({ path: '::reply', reply: said?.reply, code: 0, message: { id: '1', matched: 0 } })
  t.match(await receipt, { matched: 0 })
  t.strictSame(heard, [1, 2])
  t.equal(client.transport, 'ws')
  t.strictSame(
    events('state')
      .map(({ state }) => state)
      .filter((state) => state !== 'connecting'),
    ['disconnected', 'connected', 'connected'],
    'moving is nothing that users notice',
  )
  await client.close()
  await unanswered
})

test('a move whose hello does not come goes back to the former transport, with secret and cursor', (t) => {
  const { client, clock, ws, sse } = twin()
  ws.last.lose()
  clock.advance(0)
  sse.last.hello({ resume: 's1', heartbeat: 1e9 }).down({ path: '::ping', at: 'e-5' })
  clock.advance(30_000)
  ws.last.open()
  clock.advance(10_000)
  t.equal(client.state, 'disconnected')
  clock.advance(250)
  t.equal(sse.links.length, 2)
  t.match(sse.last.open(), { resume: 's1', after: 'e-5' })
  t.end()
})

test('close ends the session at the hub, rejects what waits and leaves nothing behind', async (t) => {
  const { client, clock, ws, events } = twin()
  ws.last.hello()
  const receipt = client.publish('a', 1)
  const question = client.ask('@b/c')
  await client.close()
  t.equal(ws.last.closed, 'for good')
  t.equal(client.state, 'closed')
  await t.rejects(receipt, { code: 'CLIENT_CLOSED' })
  await t.rejects(question, { code: 'CLIENT_CLOSED' })
  t.match(await client.closed, { code: 'CLIENT_CLOSED' })
  t.equal(clock.pending, 0)
  t.equal(events('state').at(-1)?.state, 'closed')
  t.throws(() => client.subscribe('a', () => undefined), { code: 'CLIENT_CLOSED' })
  await t.rejects(client.publish('a', 1), { code: 'CLIENT_CLOSED' })
  await client.close()
  t.equal(events('state').filter(({ state }) => state === 'closed').length, 1)
})

test('asynchronous disposal waits for answers, then closes', async (t) => {
  const { client, ws } = twin()
  ws.last.hello()
  const receipt = client.publish('a', 1)
  await settle()
  const gone = client[Symbol.asyncDispose]()
  await settle()
  t.equal(client.state, 'connected')
  const { reply } = ws.last.on('a')[0] ?? {}
  ws.last.down({ path: '::reply', reply, message: { id: 'id-1', at: '', matched: 3 } })
  await gone
  t.match(await receipt, { matched: 3 })
  t.equal(client.state, 'closed')
})

test('what was answered is let go of, however long another question waits', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const made = twin()
  made.ws.last.hello()
  const slow = t.rejects(made.client.ask('@slow/x'), { code: 'CLIENT_CLOSED' })
  const receipts = [await receiptOf(made), await receiptOf(made)]
  await settle()
  collect()
  t.strictSame(
    receipts.map((receipt) => receipt.deref()),
    [undefined, undefined],
  )
  await made.client.close()
  await slow
})

/** Publishes, and has the hub answer with what is held by nobody else. */
async function receiptOf({ client, ws }: Twin): Promise<WeakRef<object>> {
  const published = client.publish('a', 1)
  await settle()
  const { reply } = ws.last.sent.at(-1) as Json
  const receipt = { id: 'id-1', at: '', matched: 0 }
  ws.last.down({ path: '::reply', reply, message: receipt })
  await published
  return new WeakRef(receipt)
}

type Step =
  | { readonly do: 'open' | 'hello' | 'lose' | 'ping'; readonly link: number; readonly how: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'online' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('open', 'hello', 'lose', 'ping'),
    link: fc.nat(5),
    how: fc.nat(3),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 300, 11_000, 40_000) }),
  fc.constant({ do: 'online' as const }),
)

test('property: whatever links do, at most one has the session, and a hub that is there is reached again', (t) => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const { client, clock, ws, sse, poll, online } = twin()
      const all = () => [...ws.links, ...sse.links, ...poll.links]
      const ended = new Set<unknown>()
      const alive = () => all().filter((link) => link.closed === 'no' && !ended.has(link))
      for (const step of steps) {
        if (step.do === 'wait') clock.advance(step.ms)
        else if (step.do === 'online') online()
        else {
          const link = alive()[step.link % Math.max(1, alive().length)]
          if (link === undefined) continue
          if (step.do === 'open' && link.greeting === undefined) link.open()
          if (step.do === 'hello') link.hello({ resumed: step.how === 0 })
          if (step.do === 'ping' && link.greeting !== undefined) link.down({ path: '::ping' })
          if (step.do === 'lose') {
            ended.add(link)
            link.lose(
              step.how === 1 ? { comeBack: 'later' } : step.how === 2 ? { comeBack: 'now' } : {},
            )
          }
        }
        const greeted = alive().filter((link) => link.greeting !== undefined)
        if (greeted.length > 1) return false
        // at most a second one that is being tried
        if (alive().length > 2) return false
      }
      for (let round = 0; round < 20 && client.state !== 'connected'; round++) {
        clock.advance(20_000)
        alive().at(-1)?.hello()
      }
      const wasConnected = client.state === 'connected'
      void client.close()
      return wasConnected && clock.pending === 0 && alive().length === 0
    }),
    { numRuns: 300 },
  )
  t.end()
})
