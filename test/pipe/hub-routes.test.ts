/** The hub's own routes for updates, asked through the pipe: requests of any kind, and nothing left behind (surface 5). */
import type { Duplex } from 'node:stream'
import { Wheel } from '@sapwood/core'
import { serveHttp } from '@sapwood/http'
import { hub as makeHub } from '@sapwood/hub'
import { duplexPair, nodeClock } from '@sapwood/net'
import { handlerAnswerer, hubRoutes } from '@sapwood/pipe'
import { type Test, test } from 'tap'
import { ExchangePair } from './exchange-pair.ts'
import { ScriptedAnswerer, serve } from './front-stand.ts'

const RULES = [{ who: 'cert:alpha', may: ['publish', 'subscribe'], path: 'a/**' }] as const

async function place(t: Test) {
  const hub = makeHub({ rules: RULES })
  const server = await serveHttp(hub, { listen: false, limits: { body: 1_000 } })
  const wheel = new Wheel(nodeClock)
  const sockets = new Set<Duplex>()
  const others = handlerAnswerer({ get_time: () => 'mine', put_publish: () => 'nobody' }, { wheel })
  const pair = new ExchangePair(
    hubRoutes(others, {
      wheel,
      connect(socket, principal) {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
        server.accept(socket, principal)
      },
    }),
  )
  t.teardown(async () => {
    await server.close()
    await hub.close()
    wheel.close()
  })
  return { hub, pair, sockets }
}

test('publishing leaves no connection behind, whatever became of it; everything else is for others', async (t) => {
  const { hub, pair, sockets } = await place(t)
  const asked = await Promise.all(
    Array.from({ length: 60 }, (_, i) => {
      const target = ['hub:/update/a/b', 'hub:/update/c', '/publish//a/b?x=1'][i % 3] as string
      const body = i % 4 === 0 ? 'x'.repeat(2_000) : `${i}`
      return pair.ask({ target, method: i % 2 ? 'PUT' : 'POST' }, body).end()
    }),
  )
  t.strictSame(
    asked.map(({ head }) => head?.status),
    asked.map((_, i) => (i % 4 === 0 ? 413 : i % 3 === 1 ? 403 : 200)),
  )
  t.match(asked[2]?.json, { matched: 0, at: /^[0-9a-f]{16}-\d+$/ })
  t.equal(asked[2]?.code, 0)
  t.equal(hub.engine.head, 30)
  await asked[0]?.until(() => sockets.size === 0)
  for (const [target, status] of [
    ['/time', 200],
    ['/publish', 404],
    ['hub:/client', 404],
    ['hub:/events/token', 404],
    ['hub:/updates', 404],
    ['hub:', 404],
    ['hub:/update/a/b', 405],
  ] as const) {
    t.equal((await pair.ask({ target }).end()).head?.status, status, target)
  }
})

test('events stream through it as fast as they are taken, and end with whoever follows them', async (t) => {
  const { hub, pair, sockets } = await place(t)
  const events = pair.ask({ target: 'hub:/events?path=a/**' })
  await events.until(() => events.text.includes('event: hello'))
  t.match(events.head, { status: 200, headers: ['content-type', 'text/event-stream'] })
  t.equal([...hub.sessions][0]?.principal.id, 'cert:alpha')
  events.takes = false
  const taken = events.size
  for (let i = 0; i < 200; i++) {
    for (let j = 0; j < 20; j++) hub.publish('a/b', 'x'.repeat(1_000))
    await new Promise(setImmediate)
  }
  t.ok(events.size < 2_000_000, `${events.size} of 4,000,000 bytes came`)
  t.ok(hub.budget.used < 2_000_000)
  events.exchange.took(events.size - taken)
  events.takes = true
  await events.until(() => events.text.split('data: ').length > 4_000)
  t.notMatch(events.text, 'event: gap')
  events.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  await events.until(() => hub.sessions.size === 0 && sockets.size === 0)
})

test('each peer has views of its own: many of one leave room for another', async (t) => {
  const hub = makeHub({ rules: RULES, limits: { sessionsPerAddress: 1 } })
  const server = await serveHttp(hub, { listen: false })
  t.teardown(async () => {
    await server.close()
    await hub.close()
  })
  const view = async (id: string): Promise<string | undefined> => {
    const [near, far] = duplexPair()
    t.teardown(() => near.destroy())
    server.accept(far, { id, trusted: true })
    near.write('GET /events?path=a/** HTTP/1.1\r\nHost: hub\r\n\r\n')
    let text = ''
    for await (const chunk of near.iterator({ destroyOnReturn: false })) {
      text += chunk
      if (text.includes('data:')) break
    }
    return /event: (\w+)/.exec(text)?.[1]
  }
  t.equal(await view('cert:alpha'), 'hello')
  t.equal(await view('cert:beta'), 'hello')
  t.equal(await view('cert:alpha'), 'bye')
})

test('a front of a client hands them on as they were written, and waits for the hub as for any peer', async (t) => {
  const answerer = new ScriptedAnswerer((request) => request.answer(200, '{}'))
  const { asker, url } = await serve(t, answerer, { server: 'server' })
  const headers = { 'Sapwood-Id': 'i', 'Sapwood-Wait': '5s' }
  asker.away.add('server')
  const waiting = fetch(`${url}/update/a%20b?wait=1s`, { method: 'PUT', body: '1', headers })
  const none = await fetch(`${url}/events?path=a`, { headers: { 'Sapwood-Wait': '0' } })
  t.equal(none.status, 503)
  asker.back('server')
  t.equal((await waiting).status, 200)
  const first = await answerer.arrived()
  t.match(first.head, { method: 'PUT', target: 'hub:/update/a%20b?wait=1s' })
  t.equal(first.header('sapwood-id'), 'i')
  for (const path of ['/updates', '/update-x', '/events/token', '/eventsx', '/stream?path=a']) {
    t.equal((await fetch(url + path)).status, 404, path)
  }
  await fetch(`${url}/server/hub:/update/a`)
  t.equal(
    (await answerer.arrived(2)).head.target,
    '/hub:/update/a',
    'nobody can write such a target',
  )
  const wrong = await fetch(`${url}/update/a`, { headers: { 'Sapwood-Wait': 'long' } })
  t.equal(wrong.status, 400)
})
