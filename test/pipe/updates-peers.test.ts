/** `publish`, `subscribe` and `on` of a pipe client (surface 7) over real connections, at a hub and at a plain server. */
import { type Hub, hub as makeHub, type Session } from '@sapwood/hub'
import { UpdateSessions } from '@sapwood/pipe'
import { eventually } from '@sapwood/testkit'
import { updateHost } from 'sapwood'
import { type Test, test } from 'tap'
import { connected, Log, World } from './peer-world.ts'

const RULES = [{ who: 'cert:*', may: ['publish', 'subscribe'], path: '**' }] as const

function hubOf(t: Test): { hub: Hub; updates: UpdateSessions<Session> } {
  const hub = makeHub({ rules: RULES })
  const updates = new UpdateSessions(updateHost(hub, 1_048_576))
  t.teardown(() => hub.close())
  return { hub, updates }
}

test('links that are cut under load: each update comes once, in order, and each publish has its receipt', async (t) => {
  const world = await World.make(t, 'alpha', 'beta')
  const { hub, updates } = hubOf(t)
  const server = await world.server({ updates })
  const relay = await world.relay(server)
  const log = new Log()
  const alpha = await world.client('alpha', relay.port, { observer: log })
  const beta = await world.client('beta', relay.port)
  const heard: number[] = []
  beta.on('gap', () => t.fail('no gap'))
  beta.subscribe('n/*', (message) => heard.push((message as { n: number }).n))
  await eventually('beta follows', () =>
    [...hub.sessions].some(({ patterns }) => patterns.size > 0),
  )
  const receipts: Promise<{ duplicate?: boolean }>[] = []
  let cuts = 0
  const end = performance.now() + 1_500
  while (performance.now() < end) {
    for (let i = 0; i < 20; i++) {
      const n = receipts.length
      receipts.push(alpha.publish(`n/${n % 5}`, { n, filler: 'x'.repeat((n * 37) % 3_000) }))
    }
    if (performance.now() > end - 1_400 + cuts * 150) {
      cuts++
      relay.cut()
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const given = await Promise.all(receipts)
  t.ok(cuts > 3, `${cuts} cuts, ${receipts.length} publishes`)
  t.ok(log.has('resumed server'))
  t.notOk(
    log.said.some((what) => what.startsWith('stopped')),
    'one session through all of it',
  )
  t.notOk(
    given.some(({ duplicate }) => duplicate),
    'nothing was said twice',
  )
  await eventually('all came', () => heard.length >= receipts.length)
  t.strictSame(
    heard,
    receipts.map((_, n) => n),
  )
  t.equal(hub.engine.head, receipts.length)
})

test('a client that closes has its receipts first, and ends its session at the hub', async (t) => {
  const world = await World.make(t, 'alpha')
  const { hub, updates } = hubOf(t)
  const server = await world.server({ updates })
  const client = await world.client('alpha', server.address.port)
  await connected(client)
  client.subscribe('a', () => undefined)
  const published = client.publish('a', 'last words')
  const closing = client.close()
  t.match(await published, { matched: 1 })
  await closing
  await eventually('it is gone', () => hub.sessions.size === 0)
  await t.rejects(client.publish('a', 1), { code: 'CLIENT_CLOSED' })
  const hasty = await world.client('alpha', server.address.port)
  const lost = hasty.publish('a', 1)
  lost.catch(() => undefined)
  await hasty.close(0)
  await t.rejects(lost, { code: 'CLIENT_CLOSED' })
})

test('at a plain server publishing fails with a clear error, and its observer is told', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server()
  const log = new Log()
  const client = await world.client('alpha', server.address.port, { observer: log })
  await t.rejects(client.publish('a', 1), { code: 'UPDATES_UNSUPPORTED', message: /hub --pipe/ })
  t.match(log.faults, [{ code: 'UPDATES_UNSUPPORTED' }])
  t.match((await client.ask('@server/x')).message, { from: 'server' }, 'questions go on')
})
