/** RP-01, RP-24 to RP-30, RP-43, W1 to W8, W16: servers and clients of the pipe over real TLS. */
import { getEventListeners, once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { type Peer, PIPE_ALPN, pipeClient, pipeServer, TrustStore } from '@sapwood/pipe'
import { aWhile, eventually, FakeClock } from '@sapwood/testkit'
import { PipeSession } from '@sapwood/wire'
import { test } from 'tap'
import { type Asked, connected, Log, TestAnswerer, World } from './peer-world.ts'

test('RP-01: one connection carries questions both ways', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server()
  const client = await world.client('alpha', server.address.port)
  const there = await client.ask('@server/cat', { args: ['hello ', 'world'], query: 'a=b' })
  t.match(there, {
    code: 0,
    type: 'application/json',
    message: { from: 'server', to: 'alpha', method: 'GET', target: '/cat//hello%20/world?a=b' },
  })
  const back = await server.ask('@alpha/put/it', { verb: 'PUT', message: { a: 1 } })
  t.match(back.message, { from: 'alpha', to: 'server', method: 'PUT', body: '{"a":1}' })
  t.strictSame(server.clients(), [{ name: 'alpha', state: 'connected', open: 0 }])
  t.match((await server.ask('@ALPHA/x')).message, { from: 'alpha' }, 'DNS names have no case')
  await t.rejects(server.ask('alpha/x'), { code: 'NAME_INVALID' })
})

test('RP-27, RP-28, W16: the client may start first; each failure, each link and each loss is told', async (t) => {
  const world = await World.make(t, 'alpha')
  const relay = await world.relay(await world.server({ observer: new Log() }))
  const { target } = relay
  relay.target = 0
  const said: unknown[] = []
  const client = await world.client('alpha', relay.port, {
    hooks: {
      connected: (attempts, last) => said.push(['connected', attempts >= 2, last !== undefined]),
      connect_failed: (attempts, last, { code }) =>
        said.push([code, attempts > 0, last !== undefined]),
    },
  })
  const asked = client.ask('@server/early')
  await eventually('two attempts have failed', () => said.length >= 2)
  t.strictSame(said[0], ['SERVER_UNREACHABLE', true, false])
  relay.target = target
  t.match((await asked).message, { from: 'server' }, 'what was asked before waits')
  t.strictSame(said.at(-1), ['connected', true, false])
  relay.cut()
  await eventually('the loss is told', () => said.at(-1) !== undefined && !client.connected)
  await connected(client)
  t.ok(said.some((each) => `${each}` === 'CONNECTION_LOST,false,true'))
})

test('RP-28, W16: a server that stops in good order is a loss, with its time and its reason', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server()
  const told = new Log()
  const said: unknown[] = []
  const client = await world.client('alpha', server.address.port, {
    observer: told,
    hooks: {
      connect_failed: (attempts, last, { code }) =>
        said.push([code, attempts, last instanceof Date]),
    },
  })
  await connected(client)
  await server.close()
  await eventually('another attempt has failed', () => said.length >= 2)
  t.strictSame(said[0], ['SHUTDOWN', 0, true])
  t.strictSame(said[1], ['SERVER_UNREACHABLE', 1, true])
  t.ok(told.has('stopped server SHUTDOWN'))
})

test('RP-29, RP-43, W1, W2: three clients of one address; who comes and goes is counted', async (t) => {
  const world = await World.make(t, 'alpha', 'beta', 'gamma')
  const said: string[] = []
  const clock = new FakeClock()
  const server = await world.server({
    clock,
    hooks: {
      idle: (_since, seconds) => said.push(`idle ${seconds}`),
      connection_added: (name, count) => said.push(`+${name} ${count}`),
      connection_removed: (name, count) => said.push(`-${name} ${count}`),
    },
    settings: { drain: 0 },
  })
  clock.advance(60_000)
  t.same(said.length, 2)
  const clients = []
  for (const name of ['alpha', 'beta', 'gamma']) {
    const client = await world.client(name, server.address.port)
    await eventually(`${name} is there`, () => said.length === 3 + clients.length)
    clients.push(client)
  }
  for (const name of ['alpha', 'beta', 'gamma']) {
    t.match((await server.ask(`@${name}/x`)).message, { from: name })
  }
  await clients[1]?.close()
  await eventually('beta is gone', () => said.length === 6)
  t.strictSame(said.slice(2), ['+alpha 1', '+beta 2', '+gamma 3', '-beta 2'])
  t.match((await server.ask('@alpha/x')).message, { from: 'alpha' })
  t.equal(server.asker.absence('beta'), 'away')
  t.equal(server.asker.absence('delta'), 'unknown')
  await t.rejects(server.ask('@delta/x'), { code: 'CLIENT_UNKNOWN', status: 404 })
  await t.rejects(server.ask('@beta/x', { wait: 0 }), { code: 'CLIENT_ABSENT', status: 503 })
  const waiting = server.ask('@beta/x', { wait: 5_000 })
  await world.client('beta', server.address.port)
  t.match((await waiting).message, { from: 'beta' }, 'RP-08: who comes within the wait is asked')
})

test('instances of one name are a pool, asked where the fewest questions are open', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server()
  const [one, two] = [new TestAnswerer('one'), new TestAnswerer('two')]
  const first = await world.client('alpha', server.address.port, { answerer: one })
  await world.client('alpha', server.address.port, { answerer: two })
  await eventually('both are there', () => server.clients().length === 2)
  const open = Array.from({ length: 10 }, () => server.ask('@alpha/wait'))
  await eventually('all are asked', () => one.asked.length + two.asked.length === 10)
  t.same([one.asked.length, two.asked.length], [5, 5])
  for (const asked of [...one.asked, ...two.asked]) asked.reply(1)
  await Promise.all(open)
  await first.close()
  for (let i = 0; i < 3; i++) t.match((await server.ask('@alpha/x')).message, { from: 'two' })
})

test('RP-23, W6: a question ends by its deadline, and when nobody waits; who answers hears of it', async (t) => {
  const world = await World.make(t, 'alpha')
  const answerer = new TestAnswerer('server')
  const server = await world.server({ answerer })
  const client = await world.client('alpha', server.address.port)
  await connected(client)
  await t.rejects(client.ask('@server/wait', { timeout: 50 }), { code: 'ANSWER_TIMEOUT' })
  await eventually('it is told', () => answerer.asked[0]?.failure?.code === 'ANSWER_TIMEOUT')
  const abort = new AbortController()
  const cancelled = client.ask('@server/wait', { signal: abort.signal })
  await eventually('it is asked', () => answerer.asked.length === 2)
  abort.abort(new Error('no matter'))
  await t.rejects(cancelled, { message: 'no matter' })
  await eventually('it is told', () => answerer.asked[1]?.failure?.code === 'ANSWER_CANCELLED')
  const streamed = client.ask('@server/wait', { timeout: 60 })
  await eventually('it is asked', () => answerer.asked.length === 3)
  answerer.asked[2]?.exchange.respond({ status: 200, headers: [], code: 0 }, false)
  await t.rejects(streamed, { code: 'ANSWER_TIMEOUT' }, 'a value is wanted whole')
  t.equal(client.peer()?.exchanges.open, 0)
})

test('a question whose time has run out, or is no number, does not wait for ever', async (t) => {
  const world = await World.make(t, 'alpha')
  const answerer = new TestAnswerer('server')
  const server = await world.server({ answerer, known: (name) => name === 'beta' })
  const client = await world.client('alpha', server.address.port)
  await connected(client)
  for (const wait of [-20, Number.NaN]) {
    await t.rejects(server.ask('@beta/x', { wait }), { code: 'CLIENT_ABSENT' }, String(wait))
  }
  for (const timeout of [0, -20, Number.NaN]) {
    const asked = client.ask('@server/wait', { timeout })
    await t.rejects(asked, { code: 'ANSWER_TIMEOUT' }, String(timeout))
  }
})

test('a question that is over listens to its signal no more, also one that nobody took', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server({ known: (name) => name === 'beta' })
  await world.client('alpha', server.address.port)
  await eventually('it is there', () => server.clients().length === 1)
  const { signal } = new AbortController()
  await t.rejects(server.ask('@delta/x', { signal }), { code: 'CLIENT_UNKNOWN' })
  await t.rejects(server.ask('@beta/x', { signal, wait: 0 }), { code: 'CLIENT_ABSENT' })
  const asked = server.ask('@alpha/x', { signal })
  t.equal(getEventListeners(signal, 'abort').length, 1, 'while it is open it listens')
  t.match((await asked).message, { from: 'alpha' })
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

test('W8: an answerer that throws costs its request; the link and the others go on', async (t) => {
  const world = await World.make(t, 'alpha')
  const log = new Log()
  const server = await world.server({ observer: log })
  const client = await world.client('alpha', server.address.port)
  const [threw, other] = await Promise.all([client.ask('@server/throw'), client.ask('@server/x')])
  t.match(threw, { code: 251, status: 500 })
  t.match(other.message, { target: '/x' })
  t.match(log.faults, [{ code: 'ANSWERER_THREW' }])
  t.equal(server.clients().length, 1)
})

test('a client of several names is called by the one that it goes by, and reached by all', async (t) => {
  const world = await World.make(t)
  await world.authority.issue('alpha', { also: [{ type: 'dns', value: 'files.example.org' }] })
  const log = new Log()
  const answerer = new TestAnswerer('server')
  const server = await world.server({ answerer, observer: log })
  const client = await world.client('alpha', server.address.port, {
    name: 'Files.Example.org',
    answerer: new TestAnswerer('files'),
  })
  t.match((await client.ask('@server/x')).message, { to: 'files.example.org' })
  t.ok(log.has('added files.example.org'))
  const principal = answerer.asked[0]?.exchange.principal
  t.same([principal?.id, principal?.also], ['cert:files.example.org', ['cert:alpha']])
  for (const name of ['alpha', 'files.example.org']) {
    t.match((await server.ask(`@${name}/x`)).message, { from: 'files' })
  }
  t.same(server.clients(), [{ name: 'files.example.org', state: 'connected', open: 0 }])
})

test('a new certificate with other names moves the link, breaks nothing, and counts at once', async (t) => {
  const world = await World.make(t, 'alpha')
  const trust = await TrustStore.open({ dir: world.dir, name: 'alpha', role: 'client' })
  t.teardown(() => trust.close())
  const log = new Log()
  const shown: unknown[] = []
  const updates = {
    updated: () => undefined,
    writable: () => undefined,
    attached: ({ principal }: Peer) => shown.push(principal.also ?? []),
  }
  const server = await world.server({ observer: log, updates })
  const answerer = new TestAnswerer('alpha')
  const client = await world.client('alpha', server.address.port, { trust, answerer })
  await connected(client)
  const open = server.ask('@alpha/wait')
  await eventually('it is asked', () => answerer.asked.length === 1)
  for (const extra of ['one', 'two']) {
    const waiting = server.asker.absence(extra)
    t.equal(waiting, 'unknown')
    await world.authority.issue('alpha', { also: [{ type: 'dns', value: extra }] })
    await trust.reload()
    await eventually('it has the name', () => server.asker.absence(extra) === undefined)
    t.match((await server.ask(`@${extra}/x`)).message, { from: 'alpha' })
  }
  t.equal(server.asker.absence('one'), 'away', 'a name that is certified no more is not asked')
  t.same(shown, [[], ['cert:one'], ['cert:two']], 'rights follow the certificate at once')
  ;(answerer.asked[0] as Asked).reply('well')
  t.equal((await open).message, 'well')
  t.same(log.said, ['started alpha', 'added alpha', 'resumed alpha', 'resumed alpha'])
  t.equal(server.clients().filter(({ state }) => state === 'connected').length, 1)
})

test('a process that begins another session ends its first; another name cannot take a session over', async (t) => {
  const world = await World.make(t, 'alpha', 'beta')
  const log = new Log()
  const server = await world.server({ observer: log })
  const begin = async (name: string, id: number, secret: number, said?: string): Promise<string> =>
    greet(await open(name), id, secret, said)
  const open = async (name: string): Promise<TLSSocket> => {
    const socket = connect({
      port: server.address.port,
      ...world.identity(name),
      rejectUnauthorized: false,
      ALPNProtocols: [PIPE_ALPN],
    })
    t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }
  const greet = async (
    socket: TLSSocket,
    id: number,
    secret: number,
    said?: string,
  ): Promise<string> => {
    const heard: string[] = []
    const nothing = (): undefined => undefined
    const session = new PipeSession(
      {
        side: 'dialler',
        id: Buffer.alloc(16, id),
        secret: Buffer.alloc(32, secret),
        instance: 'i',
        ...(said !== undefined && { name: said }),
      },
      {
        output: nothing,
        live: () => void heard.push('live'),
        request: nothing,
        response: nothing,
        data: nothing,
        ended: nothing,
        reset: nothing,
        drained: nothing,
        writable: nothing,
        update: nothing,
        goaway: nothing,
        fault: nothing,
        refused: ({ code }) => void heard.push(code),
        closed: ({ code }) => void heard.push(code),
      },
    )
    const link = session.dial(0)
    session.flush(link, 1e6, socket, 0)
    socket.removeAllListeners('data')
    socket.on('data', (bytes) => session.receive(link, bytes, 0))
    await eventually('an answer', () => heard.length > 0)
    return heard[0] as string
  }
  t.equal(await begin('alpha', 1, 1), 'live')
  t.equal(await begin('alpha', 2, 2), 'live')
  await eventually('the first is over', () => log.has('stopped alpha SESSION_REPLACED'))
  t.equal(server.clients().length, 1)
  t.equal(await begin('beta', 2, 2), 'SESSION_UNKNOWN', 'the certificate has another name')
  t.equal(await begin('alpha', 2, 3), 'SESSION_UNKNOWN', 'the secret is another')
  t.equal(await begin('alpha', 3, 3, 'beta'), 'NAME_NOT_CERTIFIED', 'it goes by a name of another')
  const guessing = await open('alpha')
  t.equal(await greet(guessing, 2, 4), 'SESSION_UNKNOWN')
  t.equal(await greet(guessing, 2, 5), 'SESSION_UNKNOWN', 'a second greeting is heard')
  await eventually('and none after it', () => guessing.readableEnded)
  t.equal(server.clients().length, 1)
})

test('a server that goes: what is open ends well, what comes too late is asked at the next server', async (t) => {
  const world = await World.make(t, 'alpha')
  const [one, two] = [new TestAnswerer('one'), new TestAnswerer('two')]
  const first = await world.server({ answerer: one })
  const second = await world.server({ answerer: two })
  const client = await world.client('alpha', [first.address.port, second.address.port])
  await connected(client)
  const open = client.ask('@server/wait')
  await eventually('it is asked', () => one.asked.length === 1)
  const late = client.ask('@server/late')
  const body = client.ask('@server/late', { verb: 'POST', message: 'a body', type: 'text/plain' })
  const closing = first.close()
  t.match((await late).message, { from: 'two' })
  t.match((await body).message, { from: 'two', method: 'POST', body: 'a body' })
  t.equal(one.asked.length, 1)
  ;(one.asked[0] as Asked).reply('well')
  t.equal((await open).message, 'well')
  await closing
  t.match((await client.ask('@server/x')).message, { from: 'two' })
  t.strictSame(second.clients(), [{ name: 'alpha', state: 'connected', open: 0 }])
})

test('several servers are tried in turn, and a session goes back to its own first', async (t) => {
  const world = await World.make(t, 'alpha')
  const dead = await world.relay(await world.server())
  dead.target = 0
  const server = await world.server()
  const relay = await world.relay(server)
  const log = new Log()
  const client = await world.client('alpha', [dead.port, relay.port], { observer: log })
  await client.ask('@server/x')
  t.strictSame(log.said.slice(0, 1), ['failed SERVER_UNREACHABLE'])
  relay.cut()
  await eventually('the session goes on', () => log.has('resumed server'))
  t.notOk(log.said.some((what) => what.startsWith('stopped')))
})

test('updates pass both ways beside questions, and wait for a link that is cut', async (t) => {
  const world = await World.make(t, 'alpha')
  const heard: string[] = []
  const updates = {
    updated: (peer: Peer, update: Uint8Array) => void heard.push(`${peer.name} ${update}`),
    writable: () => undefined,
  }
  const server = await world.server({ updates })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port, { updates })
  await connected(client)
  await eventually('both are', () => server.peers().length === 1)
  client.peer()?.session.update(Buffer.from('one'))
  server.peers()[0]?.session.update(Buffer.from('two'))
  await eventually('both came', () => heard.length === 2)
  const { session } = client.peer() as Peer
  relay.target = 0
  relay.cut()
  await eventually('the link is gone', () => !client.connected)
  session.update(Buffer.from('three'))
  relay.target = server.address.port
  await eventually('it came', () => heard.length === 3)
  t.same(heard.sort(), ['alpha one', 'alpha three', 'server two'])
})

test('RP-24: a process that stood still itself asks again before it gives a link up', async (t) => {
  const clock = new FakeClock()
  const world = await World.make(t, 'alpha')
  const log = new Log()
  const options = { clock, observer: log, settings: { drain: 0 } }
  const server = await world.server(options)
  const client = await world.client('alpha', server.address.port, options)
  await connected(client)
  await eventually('both are', () => server.peers().length === 1)
  for (let i = 0; i < 5; i++) {
    // it has just asked, and then the lid is closed for the night
    clock.advance(5_020)
    clock.jump(3_600_000)
    await aWhile()
    clock.advance(100)
    await aWhile()
  }
  t.notOk(log.has('missed'))
  t.match((await client.ask('@server/x')).message, { from: 'server' })
})

test('what fails to close keeps no other part open', async (t) => {
  const world = await World.make(t, 'alpha')
  const clocks = { server: new FakeClock(), client: new FakeClock() }
  const updates = {
    updated: () => undefined,
    writable: () => undefined,
    ended: () => {
      throw new Error('of the program')
    },
  }
  const settings = { drain: 0 }
  const { server: clock } = clocks
  const server = await pipeServer({ ...world.identity('server'), clock, updates, settings })
  const client = await pipeClient({
    ...world.identity('alpha'),
    name: 'alpha',
    server: `127.0.0.1:${server.address.port}`,
    clock: clocks.client,
    updates,
    settings,
  })
  await connected(client)
  await eventually('both are', () => server.peers().length === 1)
  await t.rejects(server.close(), { message: 'of the program' })
  await t.rejects(client.close(), { message: 'of the program' })
  t.same([clocks.server.pending, clocks.client.pending], [0, 0])
})

test('whoever has a question open when a server ends at once is told so at once, behind what was being said', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server()
  const alphaLog = new Log()
  const alpha = await world.client('alpha', server.address.port, { observer: alphaLog })
  await connected(alpha)
  const asked = alpha.ask('@server/wait', { timeout: 5_000 })
  const answered = server.ask('@alpha/wait', { timeout: 5_000 })
  await eventually('both are asked', () => server.clients().some(({ open }) => open === 1))
  await aWhile()
  const since = performance.now()
  // the first words of an end are on their way when the last ones follow
  await Promise.all([
    t.rejects(asked, { code: 'CONNECTION_LOST', detail: /SHUTDOWN/ }),
    t.rejects(answered, { code: 'CONNECTION_LOST', detail: /SHUTDOWN/ }),
    server.close(0),
  ])
  t.ok(performance.now() - since < 2_000, `${performance.now() - since} ms`)
  t.ok(alphaLog.has('stopped server SHUTDOWN'))
})
