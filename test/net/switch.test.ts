import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { portSwitch, serverTarget, serviceTarget } from '@sapwood/net'
import { aWhile, cuts, eventually } from '@sapwood/testkit'
import { edgeMatcher, http, line, ssh } from '@sapwood/wire'
import { test } from 'tap'
import { dial } from './raw-peer.ts'
import { named, SwitchPort } from './switch-port.ts'

const GET = 'GET /foo/bar HTTP/1.1\r\nHost: a.example\r\n\r\n'
const BANNER = 'SSH-2.0-OpenSSH_9.2\r\n'

function when(rule: Parameters<typeof edgeMatcher>[0], name: string) {
  return { match: edgeMatcher(rule), to: named(name) }
}

test('the first rule that says yes takes the connection (SP-01, SP-03, SP-07, 4.4 scenario 3)', async (t) => {
  const routes = [
    when({ protocol: 'http', path: '/foo/**' }, 'foo'),
    when({ protocol: 'http', host: 'b.example' }, 'b'),
    when({ protocol: 'http' }, 'http'),
    when({ protocol: 'http2' }, 'http2'),
    when({ protocol: 'tls' }, 'tls'),
    when({ protocol: 'ssh' }, 'ssh'),
    when({ protocol: 'proxy' }, 'proxy'),
    when({ bytes: '^\\x00\\x01' }, 'bytes'),
    when({ protocol: 'line' }, 'line'),
  ]
  const port = await SwitchPort.open(t, { routes, otherwise: named('otherwise') })
  const said = {
    foo: GET,
    b: 'GET / HTTP/1.1\r\nHost: B.example:80\r\n\r\n',
    http: 'GET /foobar HTTP/1.1\r\nHost: a.example\r\n\r\n',
    http2: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    tls: '\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03',
    ssh: BANNER,
    proxy: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nafter it',
    bytes: '\x00\x01\x02',
    line: 'path;message\r\n',
    otherwise: '\x07\x07',
  }
  for (const [name, text] of Object.entries(said)) {
    t.equal(await port.answer(Buffer.from(text, 'latin1')), `${name}:${text}`, name)
  }
  t.match(port.port.counters, { accepted: 10, unmatched: 1, spliced: 0 })
})

test('however its packets are cut a connection goes the same way, each byte once (SP-02, SP-04, W5, 4.4 scenario 2)', async (t) => {
  const routes = [
    when({ protocol: 'http', path: '/foo/**' }, 'foo'),
    when({ protocol: 'ssh' }, 'ssh'),
    when({ protocol: 'line' }, 'line'),
  ]
  const port = await SwitchPort.open(t, { routes })
  for (const [name, text] of [
    ['foo', `${GET}body`],
    ['ssh', BANNER],
    ['line', 'rooms/ä;größe\nrest'],
  ] as const) {
    const bytes = Buffer.from(text)
    await Promise.all(
      [...cuts(bytes, { random: 5 })].map(async (cut) => {
        const peer = await port.pieces(cut.chunks)
        peer.socket.end()
        await peer.isLeft()
        t.equal(peer.text, `${name}:${bytes.toString('latin1')}`, `${name} ${cut.name}`)
      }),
    )
  }
  t.equal(port.waits, 0, 'no timer is left')
})

test('a rule that needs more holds back the rules behind it, until the limit (SP-03)', async (t) => {
  const routes = [when({ bytes: '^GET /x*y' }, 'slow'), when({ protocol: 'http' }, 'http')]
  const port = await SwitchPort.open(t, { routes, sniff: { timeout: 1000 } })
  const peer = await port.client('GET /xx')
  await eventually('it is looked at', () => port.waits > 0)
  peer.socket.write('xy HTTP/1.1\r\n\r\n')
  peer.socket.end()
  await peer.gets('slow:GET /xxxy HTTP/1.1\r\n\r\n')
  t.equal(await port.answer('GET /xz HTTP/1.1\r\n\r\n'), 'http:GET /xz HTTP/1.1\r\n\r\n')
})

test('an http.Server takes pages, bodies and keep-alive, and later requests stay with it (TB-01, SP-09, W6)', async (t) => {
  const answers = (name: string) =>
    createServer(async (request, response) => {
      const body: Buffer[] = []
      for await (const chunk of request) body.push(chunk as Buffer)
      response.end(`${name} ${request.url} ${Buffer.concat(body).length};`)
    })
  const [first, second] = [answers('first'), answers('second')]
  const port = await SwitchPort.open(t, {
    routes: [
      { match: http({ path: '/foo/**' }), to: serverTarget(first) },
      { match: http({ path: '/bar/**' }), to: serverTarget(second) },
    ],
  })
  const body = 'x'.repeat(100_000)
  const peer = await port.client(
    `POST /foo/1 HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  peer.socket.write(body)
  await eventually('the first answer', () => peer.text.includes('first /foo/1 100000;'))
  peer.socket.write('GET /bar/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await peer.isLeft()
  t.match(peer.text, 'first /bar/2 0;', 'the connection is routed, not the request')
  const again = await port.client('GET /bar/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await again.isLeft()
  t.match(again.text, 'second /bar/2 0;')
})

test('a WebSocket toolkit stands beside pages under its own prefix (TB-03, 4.4 scenario 2)', async (t) => {
  const { WebSocketServer, WebSocket } = await import('ws')
  const sockets = new WebSocketServer({ noServer: true })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  const server = createServer()
  server.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (made) => sockets.emit('connection', made)),
  )
  const pages = createServer((_request, response) => response.end('page'))
  const port = await SwitchPort.open(t, {
    routes: [
      { match: http({ path: '/echo', upgrade: 'websocket' }), to: serverTarget(server) },
      { match: http(), to: serverTarget(pages) },
    ],
  })
  const socket = new WebSocket(`ws://127.0.0.1:${port.address.port}/echo`)
  const echoed = new Promise((resolve) => socket.on('message', (data) => resolve(String(data))))
  socket.on('open', () => socket.send('hello'))
  t.equal(await echoed, 'hello')
  socket.close()
  const page = await fetch(`http://127.0.0.1:${port.address.port}/echo`)
  t.equal(await page.text(), 'page')
})

test('what no rule wants is told so in HTTP, and just left in anything else (W3)', async (t) => {
  const port = await SwitchPort.open(t, {
    routes: [when({ protocol: 'http', path: '/foo/**' }, 'foo')],
  })
  const answer = await port.answer('GET /foobar HTTP/1.1\r\nHost: a\r\n\r\n')
  t.match(answer, /^HTTP\/1.1 404 Not Found\r\nContent-Type: application\/problem\+json\r\n/)
  const body = JSON.parse(answer.slice(answer.indexOf('{'))) as object
  t.match(body, { status: 404, code: 'ROUTE_NOT_FOUND', detail: String })
  t.equal(
    await port
      .answer('GET /foo/../x HTTP/1.1\r\nHost: a\r\n\r\n')
      .then((text) => text.slice(9, 12)),
    '404',
  )
  t.equal(await port.answer(BANNER), '')
  t.equal(await port.answer('\r\n\r\n\r\n'), '', 'an empty first line harms nobody (W2)')
  t.match(port.port.counters, { unmatched: 4, faults: new Map([['ROUTE_NOT_FOUND', 4]]) })
})

test('a silent client is left or greeted when the time is up (W1, 4.4 scenario 7)', async (t) => {
  const greeter = serviceTarget((socket) => {
    socket.write('220 hello\r\n')
    socket.on('data', (chunk) => socket.end(chunk))
  })
  const routes = [when({ protocol: 'http' }, 'http')]
  const strict = await SwitchPort.open(t, { routes, sniff: { timeout: 500 } })
  const kind = await SwitchPort.open(t, {
    routes: [{ match: edgeMatcher({ protocol: 'silent' }), to: greeter }, ...routes],
  })
  const [left, greeted] = [await strict.client(), await kind.client()]
  await eventually('both are looked at', () => strict.waits + kind.waits === 2)
  strict.clock.advance(499)
  kind.clock.advance(2990)
  t.notOk(left.ended || left.closed)
  t.equal(greeted.text, '')
  strict.clock.advance(20)
  kind.clock.advance(20)
  await left.isLeft()
  t.equal(left.text, '')
  await greeted.gets('220 hello\r\n')
  greeted.socket.write('EHLO\r\n')
  await greeted.gets('220 hello\r\nEHLO\r\n')
  const gone = await strict.client()
  gone.socket.end()
  await gone.isLeft()
  t.equal(strict.port.counters.left, 1, 'a health check is no failure')
})

test('a client that never comes to the point is left at the limit, and nobody else suffers (W2, 4.4 scenario 7)', async (t) => {
  const routes = [when({ protocol: 'http' }, 'http'), when({ protocol: 'line' }, 'line')]
  const port = await SwitchPort.open(t, { routes })
  const endless = await port.client('x'.repeat(20_000))
  await endless.isLeft()
  t.equal(endless.text, '')
  const dripping = await port.client('GET /')
  await eventually('it is looked at', () => port.waits > 0)
  for (let i = 0; i < 3; i++) {
    port.clock.advance(900)
    dripping.socket.write('x')
  }
  t.notOk(dripping.ended)
  port.clock.advance(400)
  await dripping.isLeft()
  t.equal(await port.answer(GET), `http:${GET}`)
  t.equal(port.waits, 0)
})

test('a rewritten Host reaches the service whatever its case and packet (SP-06, W4, 4.4 scenario 6)', async (t) => {
  const rewrite = { host: 'app.internal' }
  const port = await SwitchPort.open(t, {
    routes: [{ match: http({ path: '/foo/**' }), to: named('foo'), rewrite }],
    sniff: { bytes: 300 },
  })
  const head = (host: string) =>
    `GET /foo HTTP/1.1\r\nA: b\r\n${host}: old.example\r\nC: d\r\n\r\nHost: body`
  const expected = (host: string) => `foo:${head(host).replace('old.example', 'app.internal')}`
  for (const host of ['Host', 'HOST', 'hOsT']) {
    const text = await port.answer(head(host))
    t.equal(text.toLowerCase(), expected(host).toLowerCase(), host)
  }
  await Promise.all(
    [...cuts(head('host'), { random: 3 })].map(async ({ name, chunks }) => {
      const peer = await port.pieces(chunks)
      peer.socket.end()
      await peer.isLeft()
      t.equal(peer.text.toLowerCase(), expected('host').toLowerCase(), name)
    }),
  )
  const long = await port.answer(`GET /foo HTTP/1.1\r\nA: ${'x'.repeat(300)}\r\nHost: a\r\n`)
  t.match(long, /^HTTP\/1.1 431 .*HEADER_INCOMPLETE/s)
})

test('ten failing services, synchronous or not, end their connections only', async (t) => {
  let count = 0
  const broken = serviceTarget((): unknown => {
    if (count++ % 2 === 0) throw new Error('broken')
    return Promise.reject(new Error('broken later'))
  })
  const port = await SwitchPort.open(t, {
    routes: [
      { match: ssh, to: broken },
      { match: line, to: named('line') },
    ],
  })
  for (let i = 0; i < 10; i++) t.equal(await port.answer(BANNER), '')
  t.equal(port.port.counters.faults.get('SERVICE_FAILED'), 10)
  t.equal(await port.answer('a;b\n'), 'line:a;b\n')
})

test('a client that resets while it is looked at is just gone (W7)', async (t) => {
  const port = await SwitchPort.open(t, { routes: [when({ protocol: 'http' }, 'http')] })
  for (let i = 0; i < 10; i++) {
    const peer = await port.client('GET /')
    await aWhile()
    ;(peer.socket as Socket).resetAndDestroy()
    await eventually('it is gone', () => port.waits === 0)
  }
  t.equal(port.port.counters.left, 10)
  await eventually('none is open', () => port.port.counters.open === 0)
  t.equal(port.waits, 0)
})

test('what needs no look is handed over before its first byte', async (t) => {
  const hello = serviceTarget((socket) => socket.end('hello'))
  const any = await SwitchPort.open(t, {
    routes: [{ match: edgeMatcher({ protocol: 'any' }), to: hello }],
  })
  const none = await SwitchPort.open(t, { routes: [], otherwise: hello })
  await (await any.client()).gets('hello')
  await (await none.client()).gets('hello')
})

test('connections have caps, in all and for each address', async (t) => {
  const choice = { routes: [when({ protocol: 'ssh' }, 'ssh')] }
  const all = await SwitchPort.open(t, choice, { limits: { connections: 2 } })
  const each = await SwitchPort.open(t, choice, { limits: { perAddress: 1 } })
  const kept = [await all.client(), await all.client(), await each.client()]
  await (await all.client()).isLeft()
  await (await each.client()).isLeft()
  t.equal(all.port.counters.faults.get('LIMIT_CONNECTIONS'), 1)
  t.equal(each.port.counters.faults.get('LIMIT_CONNECTIONS_PER_ADDRESS'), 1)
  const other = connect({ port: each.address.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
  other.end(BANNER)
  t.equal(String((await other.toArray())[0]), `ssh:${BANNER}`)
  kept[2]?.socket.destroy()
  await eventually('there is room again', () => each.port.counters.open === 0)
  t.equal(await each.answer(BANNER), `ssh:${BANNER}`)
})

test('drain lets nobody in and waits for those who are here, to its limit; close ends all', async (t) => {
  const routes = [when({ protocol: 'ssh' }, 'ssh')]
  const port = await SwitchPort.open(t, { routes })
  const [talking, staying] = [await port.client(BANNER), await port.client(BANNER)]
  await eventually('both are there', () => port.port.counters.accepted === 2)
  let isDrained = false
  const drained = port.port.drain(1000).then(() => {
    isDrained = true
  })
  await t.rejects(dial(port.address), { code: 'ECONNREFUSED' })
  talking.socket.end()
  await talking.gets(`ssh:${BANNER}`)
  t.notOk(isDrained)
  port.clock.advance(1010)
  await drained
  await staying.isLeft()
  const closing = await SwitchPort.open(t, { routes })
  const peer = await closing.client()
  await eventually('it is there', () => closing.port.counters.open === 1)
  await closing.port.close()
  await peer.isLeft()
  t.equal(closing.waits, 0)
  await closing.port.drain(10)
})

test('a port that cannot be had is told by its code', async (t) => {
  const port = await SwitchPort.open(t, { routes: [] })
  const again = portSwitch({ listen: port.address, routes: [] })
  await t.rejects(again, { code: 'PORT_IN_USE' })
  const nowhere = portSwitch({ listen: { host: '192.0.2.1', port: 0 }, routes: [] })
  await t.rejects(nowhere, { code: 'ADDRESS_INVALID' })
})
