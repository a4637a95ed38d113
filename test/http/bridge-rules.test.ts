/** Which destinations the bridge for browsers dials, for whom, and how many (OR-01, OR-08). */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Checker } from '@sapwood/auth'
import { serveHttp } from '@sapwood/http'
import { hub as makeHub } from '@sapwood/hub'
import { FakeClock } from '@sapwood/testkit'
import { destinationFault, formatDestination, parseDestination } from '@sapwood/wire'
import { t as root, test } from 'tap'
import WebSocket from 'ws'
import { bridged, echo, handshake, Page, Target } from './bridge-stand.ts'
import { call, eventually, pause, Raw, serve, within } from './support.ts'

test('OR-08: what is not listed is refused with 106, and nothing is dialled', async (t) => {
  const target = await Target.listen(t)
  const other = await Target.listen(t)
  const stand = await bridged(t, target)
  for (const path of [
    other.name,
    `localhost:${target.port}`,
    `127.0.0.1:${target.port}x`,
    `127.0.0.1:0${target.port}0`,
    `127.0.0.1`,
    `*:${target.port}`,
    `user@${target.name}`,
    `${target.name}/`,
    `${target.name}/${other.name}`,
    `%00${target.name}`,
    `%ff`,
    '[::1]:1',
    ':80',
    '',
  ]) {
    const page = new Page(stand, path)
    t.same(await page.closed(), [4003, '106'], path)
  }
  t.same([target.sockets.length, other.sockets.length], [0, 0])
  t.equal(stand.hub.counters.faults.get('BRIDGE_NOT_ALLOWED'), 14)
  const listed = await new Page(stand, `127.0.0.1%3A${target.port}`).opened()
  t.equal(listed.end, undefined, 'the segment may be percent-encoded')
})

test('a host is listed by its name, in any case; IPv6 in brackets', async (t) => {
  const target = await Target.listen(t, echo)
  const six = createServer(echo)
  six.listen(0, '::1')
  await once(six, 'listening')
  t.teardown(() => six.close())
  const { port } = six.address() as AddressInfo
  const stand = await serve(t, {
    http: { bridge: { allow: [{ to: `LocalHost:${target.port}` }, { to: `[::1]:${port}` }] } },
  })
  for (const path of [`LOCALHOST:${target.port}`, `[::1]:${port}`]) {
    const page = await new Page(stand, path).opened()
    page.socket.send('x')
    await page.got('x')
    page.socket.terminate()
  }
})

test('OR-08: a target that refuses is 108, one that does not answer 104', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const full = await silentPort()
  const clock = new FakeClock(1_000)
  const stand = await serve(t, {
    hub: { clock },
    http: {
      bridge: {
        connect: 7_000,
        allow: [{ to: `127.0.0.1:${port}` }, { to: `127.0.0.1:${full}` }],
      },
    },
  })
  t.same(await new Page(stand, `127.0.0.1:${port}`).closed(), [4003, '108'])
  const { wheel } = stand.hub
  const pending = wheel.pending
  const page = new Page(stand, `127.0.0.1:${full}`)
  await eventually(() => wheel.pending > pending, 'it is dialled')
  clock.advance(6_900)
  t.equal(page.socket.readyState, WebSocket.CONNECTING, 'it opens when the target is connected')
  clock.advance(200)
  t.same(await page.closed(), [4003, '104'])
  t.equal(stand.hub.counters.faults.get('BRIDGE_UNREACHABLE'), 1)
  t.equal(stand.hub.counters.faults.get('BRIDGE_TIMEOUT'), 1)
})

test('a page that leaves while its target is dialled gives the dial up', async (t) => {
  const full = `127.0.0.1:${await silentPort()}`
  const stand = await serve(t, {
    hub: { clock: new FakeClock(1_000) },
    http: { bridge: { connections: 1, allow: [{ to: full }] } },
  })
  const pages = [new Page(stand, full), new Page(stand, full)]
  await eventually(() => pages.some(({ end }) => end !== undefined), 'one is turned away')
  t.same(
    pages.flatMap(({ end }) => end ?? []),
    [{ code: 4102, reason: 'full' }],
    'what is dialled counts',
  )
  pages.find(({ end }) => end === undefined)?.socket.terminate()
  const next = await admitted(() => new Page(stand, full))
  t.equal(next.socket.readyState, WebSocket.CONNECTING, 'its place is free, and it is dialled for')
  t.equal(stand.hub.counters.faults.has('BRIDGE_TIMEOUT'), false)
  next.socket.terminate()
})

test('it is off unless destinations are listed, and is for WebSockets only', async (t) => {
  const off = await serve(t)
  const page = new Page(off, '127.0.0.1:1')
  await eventually(() => page.status !== undefined, 'an answer')
  t.equal(page.status, 404)
  t.equal((await call(off, '/tcp/127.0.0.1:1')).status, 404)
  const target = await Target.listen(t)
  const on = await bridged(t, target)
  const plain = await call(on, `/tcp/${target.name}`)
  t.same([plain.status, plain.json.code], [426, 'UPGRADE_REQUIRED'])
  t.equal(plain.headers.upgrade, 'websocket')
  t.equal(target.sockets.length, 0)
  const raw = new Raw(on).write(handshake(`/tcp/${target.name}`).replace('13\r\n', '12\r\n'))
  t.match(await raw.ended(), /^HTTP\/1\.1 426 /)
  t.equal(target.sockets.length, 0, 'a handshake that is none dials nothing')
})

test('who may: a key, a token, somebody, anyone', async (t) => {
  const target = await Target.listen(t)
  const other = await Target.listen(t)
  const checker: Checker = {
    check: ({ value }: { value: string }, done: (who?: { id: string; trusted: boolean }) => void) =>
      done(value.startsWith('t-') ? { id: `user:${value.slice(2)}`, trusted: false } : undefined),
  } as never
  const cases = [
    // who, of nobody, of alice, of bob, of the key
    ['anyone', true, true, true, true],
    ['signed-in', false, true, true, true],
    [undefined, false, true, true, true],
    ['user:alice', false, true, false, true],
    ['user:a*', false, true, false, true],
    ['key:*', false, false, false, true],
  ] as const
  for (const [who, ...expected] of cases) {
    const stand = await serve(t, {
      http: {
        dev: false,
        keys: ['secret'],
        checkers: [checker],
        bridge: {
          allow: [
            { to: target.name, ...(who !== undefined && { who }) },
            { to: other.name, who: 'x' },
          ],
        },
      },
    })
    const got: boolean[] = []
    for (const query of ['', '?token=t-alice', '?token=t-bob']) {
      const page = await new Page(stand, target.name + query).opened()
      got.push(await passes(page, target))
    }
    const headers = { authorization: 'Bearer secret' }
    got.push(await passes(await new Page(stand, target.name, { headers }).opened(), target))
    t.same(got, expected, `${who}`)
    const wrong = new Page(stand, `${target.name}?token=wrong`)
    await eventually(() => wrong.status !== undefined, 'an answer')
    t.equal(wrong.status, 401)
    const odd = new Page(stand, `${target.name}?tokne=t-alice`)
    await eventually(() => odd.status !== undefined, 'an answer')
    t.equal(odd.status, 400)
  }
  t.equal(other.sockets.length, 0)
})

/** Is this page, whose WebSocket is open, connected to its target? One that is not is told 106, and nothing is dialled. */
async function passes(page: Page, target: Target): Promise<boolean> {
  const before = target.passed
  await eventually(() => page.end !== undefined || target.sockets.length > before, 'a verdict')
  target.passed = target.sockets.length
  if (page.end === undefined) page.socket.terminate()
  else if (page.end.code !== 4003 || page.end.reason !== '106') throw new Error(page.end.reason)
  else if (target.passed > before) throw new Error('it was dialled')
  return target.passed > before
}

/** The first page of those that `open` makes that is not turned away for want of a place. */
async function admitted(open: () => Page): Promise<Page> {
  for (let tries = 0; tries < 50; tries++) {
    const page = open()
    await Promise.race([page.closed().catch(() => undefined), pause(60)])
    if (page.end === undefined) return page
  }
  throw new Error('there is never a place')
}

test('pages of foreign origins, and foreign names of a dev hub, are refused as at /ws', async (t) => {
  const target = await Target.listen(t)
  const stand = await bridged(t, target, { http: { origins: ['https://app.example'] } })
  for (const [headers, status] of [
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ host: 'evil.example' }, 421],
  ] as const) {
    const page = new Page(stand, target.name, { headers })
    await eventually(() => page.status !== undefined, 'an answer')
    t.equal(page.status, status, JSON.stringify(headers))
  }
  const headers = { origin: 'https://app.example' }
  t.ok(await passes(await new Page(stand, target.name, { headers }).opened(), target))
  t.equal(target.sockets.length, 1)
})

test('bridges are limited in all and per address, and a place is free again', async (t) => {
  const target = await Target.listen(t)
  for (const [bridge, code] of [
    [{ connections: 2 }, 'LIMIT_BRIDGES'],
    [{ connectionsPerAddress: 2 }, 'LIMIT_BRIDGES_PER_ADDRESS'],
  ] as const) {
    const stand = await bridged(t, target, { http: { bridge } })
    const from = target.sockets.length
    const pages = [new Page(stand, target.name), new Page(stand, target.name)]
    for (const page of pages) await page.opened()
    t.same(await new Page(stand, target.name).closed(), [4102, 'full'])
    t.equal(stand.hub.counters.faults.get(code), 1)
    t.equal(
      (await target.socket(from + 1)) && target.sockets.length,
      from + 2,
      'nothing was dialled',
    )
    pages[0]?.socket.close()
    for (const socket of target.sockets) socket.resume().end()
    const next = await admitted(() => new Page(stand, target.name))
    t.equal((await next.opened()).end, undefined, 'its place is free')
  }
})

test('a draining hub opens none; one that closes ends all, whatever their state', async (t) => {
  const target = await Target.listen(t)
  const full = `127.0.0.1:${await silentPort()}`
  const clock = new FakeClock(1_000)
  const stand = await serve(t, {
    hub: { clock },
    http: { drain: { limit: 300 }, bridge: { allow: [{ to: target.name }, { to: full }] } },
  })
  const open = await new Page(stand, target.name).opened()
  const { wheel } = stand.hub
  const pending = wheel.pending
  const dialling = new Page(stand, full)
  await eventually(() => wheel.pending > pending, 'it is dialled')
  const drained = stand.server.drain()
  t.same(await new Page(stand, target.name).closed(), [4100, 'drain'])
  t.equal(open.end, undefined, 'what is open has until drain.limit')
  const passing = setInterval(() => clock.advance(50), 5)
  await within(drained, 'the drain')
  clearInterval(passing)
  t.same(await open.closed(), [4103, 'closed'])
  t.equal((await dialling.closed())[0], 1006)
  const socket = (await target.socket()).resume()
  await eventually(() => socket.readableEnded || socket.destroyed, 'the target is let go')
})

test('a list that does not say what may be dialled is refused (OR-08)', async (t) => {
  for (const to of [
    '*',
    '*:80',
    'host',
    'host:',
    ':80',
    'host:0',
    'host:65536',
    'host:*',
    'ho st:80',
    'unix:/x',
    '::1:80',
  ]) {
    t.type(destinationFault(to), 'string', to)
    const hub = makeHub()
    await t.rejects(
      serveHttp(hub, { port: 0, bridge: { allow: [{ to }] } }),
      { code: 'BRIDGE_INVALID' },
      to,
    )
    await hub.close()
  }
  for (const to of ['host:1', '127.0.0.1:65535', '[::1]:80', 'a.b-c.example:443']) {
    t.equal(destinationFault(to), undefined, to)
    t.equal(formatDestination(parseDestination(to.toUpperCase()) as never), to)
  }
})

let silent: Promise<number> | undefined

/** A port that takes no connection any more: who dials it waits. One for all tests. */
function silentPort(): Promise<number> {
  silent ??= openSilentPort()
  return silent
}

async function openSilentPort(): Promise<number> {
  const program = `const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  root.teardown(() => child.kill('SIGKILL'))
  const [said] = (await within(once(child.stdout, 'data'), 'a port')) as [Buffer]
  const port = Number(String(said))
  for (let i = 0; i < 4; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    root.teardown(() => socket.destroy())
  }
  await pause(50)
  return port
}
