/** Who gets a link of the pipe, and for how long: trust, refusals, limits, tickets (RP-36, W2, W3, W9). */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, connect as netConnect } from 'node:net'
import { join } from 'node:path'
import {
  type ConnectionOptions,
  connect,
  createServer as createTlsServer,
  type TLSSocket,
} from 'node:tls'
import type { Fault } from '@sapwood/core'
import {
  Authority,
  PIPE_ALPN,
  type PipeServer,
  pipeClient,
  pipeServer,
  TrustStore,
} from '@sapwood/pipe'
import { aWhile, eventually, FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import { connected, Log, World } from './peer-world.ts'

interface Refusal {
  readonly name: string
  readonly options: (world: World, foreign: World) => ConnectionOptions
  readonly code: string
}

const REFUSALS: readonly Refusal[] = [
  { name: 'no certificate', options: () => ({}), code: 'CERTIFICATE_MISSING' },
  {
    name: 'a foreign CA',
    options: (_, foreign) => foreign.identity('alpha'),
    code: 'CERTIFICATE_FOREIGN',
  },
  { name: 'a denied name', options: (world) => world.identity('evil'), code: 'CERTIFICATE_DENIED' },
  ...(
    [
      ['late', 'CERTIFICATE_EXPIRED'],
      ['early', 'CERTIFICATE_EARLY'],
      ['revoked', 'CERTIFICATE_REVOKED'],
      ['aside', 'CERTIFICATE_PURPOSE'],
    ] as const
  ).map(([name, code]) => ({ name, code, options: (world: World) => world.identity(name) })),
  {
    name: 'no ALPN',
    options: (world) => ({ ...world.identity('alpha'), ALPNProtocols: [] }),
    code: 'PROTOCOL_UNKNOWN',
  },
]

test('RP-36, scenario 10: who is not trusted is refused before a byte is read, and both ends know why', async (t) => {
  const world = await World.make(t, 'alpha', 'evil')
  const foreign = await World.make(t, 'alpha')
  const log = new Log()
  const { authority, dir } = world
  const at = (days: number): Promise<Authority> =>
    Authority.open(dir, () => Date.now() + days * 86_400_000)
  await (await at(-30)).issue('late', { days: 1 })
  await (await at(30)).issue('early')
  await authority.issue('aside', { uses: ['server'] })
  await authority.issue('revoked')
  await authority.revoke('revoked')
  const server = await world.server({
    ...world.identity('server'),
    crl: world.read('crl.pem'),
    deny: 'evil\n',
    observer: log,
  })
  const usual = { port: server.address.port, rejectUnauthorized: false, ALPNProtocols: [PIPE_ALPN] }
  for (const { name, options, code } of REFUSALS) {
    const socket = connect({ ...usual, ...options(world, foreign) })
    const heard: Buffer[] = []
    socket.on('data', (bytes) => heard.push(bytes))
    await once(socket, 'end')
    t.match(Buffer.concat(heard).toString('latin1'), code, name)
    t.equal(log.said.at(-1), `refused ${code}`, name)
  }
  const old = connect({ ...usual, ...world.identity('alpha'), maxVersion: 'TLSv1.2' })
  await t.rejects(once(old, 'secureConnect'), { code: /PROTOCOL_VERSION/ }, 'TLS below 1.3')
  await eventually('it is counted', () => log.faults.at(-1)?.code === 'HANDSHAKE_FAILED')
  t.match(log.faults.at(-1)?.detail, /^127\.0\.0\.1:\d+: .*unsupported protocol/)
  const strange = await foreign.client('alpha', server.address.port, { observer: log })
  await eventually('the client refuses', () => log.has('failed CERTIFICATE_FOREIGN'))
  await eventually('the server is told', () => log.said.includes('refused CERTIFICATE_FOREIGN'))
  await strange.close()
  const misled = new Log()
  const other = await world.client('alpha', server.address.port, {
    serverName: 'hub',
    observer: misled,
  })
  await eventually('a wrong name is refused', () => misled.has('failed NAME_NOT_CERTIFIED'))
  await eventually('and told', () => log.has('refused NAME_NOT_CERTIFIED'))
  t.notOk(other.connected)
  await t.rejects(
    pipeClient({ ...world.identity('alpha'), name: 'beta', server: '127.0.0.1:1' }),
    { code: 'NAME_NOT_CERTIFIED' },
    'a client must bear its own name',
  )
  t.strictSame(server.clients(), [], 'nobody is half registered')
})

async function dialled(server: PipeServer, world: World): Promise<TLSSocket> {
  const socket = connect({
    port: server.address.port,
    ...world.identity('alpha'),
    rejectUnauthorized: false,
    ALPNProtocols: [PIPE_ALPN],
  })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  return socket
}

test('what a program leaves out is told at the call', async (t) => {
  const world = await World.make(t, 'alpha')
  const { key, cert, ca } = world.identity('alpha')
  const whole = { key, cert, ca, name: 'alpha', server: '127.0.0.1:1' }
  const rows = [
    [{ ...whole, key: undefined }, 'PEM_INVALID', /^key /],
    [{ ...whole, ca: '' }, 'PEM_INVALID', /ca\.crt\.pem/],
    [{ ...whole, name: undefined }, 'NAME_INVALID', /name/],
    [{ ...whole, server: undefined }, 'ADDRESS_INVALID', /server/],
    [{ ...whole, server: [] }, 'ADDRESS_INVALID', /server/],
  ] as const
  for (const [options, code, message] of rows) {
    await t.rejects(pipeClient(options as never), { code, message })
  }
  await t.rejects(pipeServer({} as never), { code: 'PEM_INVALID' })
})

test('a client that dials another service is told what listens there', async (t) => {
  const world = await World.make(t, 'alpha')
  const web = createHttpServer()
  const secure = createTlsServer({ ...world.identity('server'), ALPNProtocols: ['http/1.1'] })
  const mute = createTlsServer(world.identity('server'))
  for (const other of [web, secure, mute]) {
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    t.teardown(() => other.close())
    const { port } = other.address() as AddressInfo
    const faults: Fault[] = []
    const observer = { failed: (_server: string, fault: Fault) => void faults.push(fault) }
    const client = await world.client('alpha', port, { observer })
    await eventually('it fails', () => faults.length > 0)
    t.match(faults[0], { code: 'PROTOCOL_UNKNOWN', detail: `127.0.0.1:${port} is no pipe` })
    await client.close()
  }
})

test('W9: garbage, silence and half a greeting end their own connection and nothing else', async (t) => {
  const world = await World.make(t, 'alpha', 'beta')
  const clock = new FakeClock()
  const log = new Log()
  const server = await world.server({ clock, observer: log, settings: { drain: 0 } })
  const beta = await world.client('beta', server.address.port)
  await connected(beta)
  for (const [bytes, code] of [
    [randomBytes(4).fill(0xff), 'FRAME_INVALID'],
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'FRAME_INVALID'],
    [Buffer.from('000008850000000000000000000000000000', 'hex'), 'OUT_OF_ORDER'],
    [Buffer.from('00000081', 'hex'), ''],
    [Buffer.from(''), ''],
  ] as const) {
    const socket = await dialled(server, world)
    const heard: Buffer[] = []
    socket.on('data', (part) => heard.push(part))
    const ended = once(socket, 'end')
    if (bytes.length > 0) socket.write(bytes)
    await aWhile()
    if (code === '') clock.advance(10_020)
    await ended
    socket.destroy()
    t.match(Buffer.concat(heard).toString('latin1'), code || 'GREETING_TIMEOUT')
  }
  t.match((await beta.ask('@server/x')).message, { to: 'beta' })
  t.equal(server.clients().length, 1)
})

test('trust that changes acts on live links; tickets of before are worth nothing', async (t) => {
  const world = await World.make(t, 'alpha', 'beta')
  const open = async (name: string, role: 'server' | 'client'): Promise<TrustStore> => {
    const store = await TrustStore.open({ dir: world.dir, name, role, poll: 3_600_000 })
    t.teardown(() => store.close())
    return store
  }
  const trust = await open('server', 'server')
  const tickets = join(world.dir, 'server.tickets')
  const log = new Log()
  const server = await world.server({ trust, tickets, observer: log })
  t.equal(statSync(tickets).mode & 0o777, 0o600)
  const before = world.read('server.tickets')
  const alphaTrust = await open('alpha', 'client')
  const relay = await world.relay(server)
  const alphaLog = new Log()
  const alpha = await world.client('alpha', relay.port, { trust: alphaTrust, observer: alphaLog })
  const beta = await world.client('beta', server.address.port)
  await connected(alpha)
  await connected(beta)
  const asking = Array.from({ length: 50 }, (_, i) => alpha.ask(`@server/${i}`))
  await world.authority.issue('alpha')
  const links = relay.connections
  await alphaTrust.reload()
  await eventually('a second link is there', () => relay.connections > links)
  await Promise.all([...asking, alpha.ask('@server/x')])
  await eventually('the session goes on there', () => alphaLog.has('resumed server'))
  await alpha.ask('@server/x')
  t.strictSame(
    alphaLog.said.filter((what) => /^lost|^failed/.test(what)),
    [],
  )
  await world.authority.revoke('beta')
  await trust.reload()
  await eventually('beta is cut', () => log.has('stopped beta CERTIFICATE_REVOKED'))
  await eventually('and stays out', () => log.has('refused CERTIFICATE_REVOKED'))
  await eventually('the keys are others', () => world.read('server.tickets') !== before)
  t.match((await alpha.ask('@server/x')).message, { to: 'alpha' })
})

test('ticket keys outlive a restart: a client comes back without a full handshake, checked all the same', async (t) => {
  const world = await World.make(t, 'alpha')
  const tickets = join(world.dir, 'server.tickets')
  const first = await world.server({ tickets, settings: { drain: 0 } })
  const client = await world.client('alpha', first.address.port, {})
  await client.ask('@server/x')
  await aWhile()
  const { port } = first.address
  await first.close()
  const log = new Log()
  const again = await world.server({ tickets, port, observer: log })
  await eventually('it is back', () => again.clients().length === 1)
  const socket = again.peers()[0]
  t.ok(socket?.resumedTls, 'by its ticket')
  t.match((await client.ask('@server/x')).message, { to: 'alpha' })
  t.match((await again.ask('@alpha/x')).message, { from: 'alpha' })
  await again.close()
  const denied = await world.server({
    ...world.identity('server'),
    tickets,
    port,
    deny: 'alpha',
    observer: log,
  })
  await eventually('a ticket opens nothing that is denied', () =>
    log.has('refused CERTIFICATE_DENIED'),
  )
  t.strictSame(denied.clients(), [])
})

test('a certificate ends on live links too; a renewed one is taken up before', async (t) => {
  const world = await World.make(t, 'alpha', 'beta')
  await world.authority.issue('beta', { days: 2 })
  const clock = new FakeClock()
  let wall = Date.now()
  const now = (): number => wall
  const settings = { drain: 0 }
  const trust = await TrustStore.open({ dir: world.dir, name: 'server', role: 'server', now })
  t.teardown(() => trust.close())
  const log = new Log()
  const server = await world.server({ trust, clock, now, settings, observer: log })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port, { clock, now, settings })
  const beta = await world.client('beta', server.address.port, { reconnect: { first: 60_000 } })
  await connected(client)
  await connected(beta)
  wall += 2 * 86_400_000 + 60_000
  clock.advance(5_020)
  await eventually('beta is cut', () => log.has('stopped beta CERTIFICATE_EXPIRED'))
  t.ok(client.connected)
  const until = Date.parse(trust.identity.certificate.validTo)
  await world.authority.issue('server', { days: 1_000 })
  await trust.reload()
  await world.authority.issue('alpha', { days: 1_000 })
  const links = relay.connections
  wall = until - 30_000
  clock.advance(5_020)
  await eventually('the client looks for another', () => relay.connections > links)
})

test('caps: connections in all, and processes of one name, are refused by name and may come later', async (t) => {
  const world = await World.make(t, 'alpha')
  const log = new Log()
  const server = await world.server({ observer: log, settings: { perName: 1, connections: 3 } })
  const relay = await world.relay(server)
  const first = await world.client('alpha', relay.port, { settings: { drain: 0 } })
  await connected(first)
  const second = await world.client('alpha', server.address.port, { reconnect: { highest: 50 } })
  await eventually('it is refused', () => log.has('refused NAME_FULL'))
  const sockets = Array.from({ length: 4 }, () =>
    netConnect(server.address.port, '127.0.0.1').on('error', () => undefined),
  )
  await eventually('no more', () => log.faults.some(({ code }) => code === 'LIMIT_CONNECTIONS'))
  for (const socket of sockets) socket.destroy()
  t.notOk(second.connected)
  t.match((await server.ask('@alpha/x')).message, { from: 'alpha' }, 'who is there is unharmed')
  relay.cut()
  relay.target = 0
  await eventually('who is merely held makes room', () => second.connected)
})

test('a connection may come in at another port, and one of another protocol goes to whoever takes it', async (t) => {
  const world = await World.make(t, 'alpha')
  const taken: string[] = []
  const others = {
    'other/1': (socket: TLSSocket) => {
      taken.push(`${socket.alpnProtocol}`)
      socket.end('hello')
    },
  }
  const server = await world.server({ others })
  const port = createServer((socket) => server.take(socket)).listen(0, '127.0.0.1')
  t.teardown(() => port.close())
  await once(port, 'listening')
  const client = await world.client('alpha', (port.address() as AddressInfo).port)
  t.match((await client.ask('@server/x')).message, { to: 'alpha' })
  const socket = connect({
    port: server.address.port,
    rejectUnauthorized: false,
    ALPNProtocols: ['other/1'],
  })
  const [greeting] = await once(socket, 'data')
  t.equal(`${greeting}`, 'hello')
  t.strictSame(taken, ['other/1'])
  socket.destroy()
  await t.rejects(world.server({ port: server.address.port }), { code: 'PORT_IN_USE' })
})
