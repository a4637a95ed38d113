import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SpliceOptions } from '@sapwood/net'
import { spliceTarget } from '@sapwood/net'
import { aWhile, cuts, eventually } from '@sapwood/testkit'
import { any, edgeMatcher, http, isFault, parseProxyHeader, ssh } from '@sapwood/wire'
import { type Test, test } from 'tap'
import { pour, stands } from './pouring.ts'
import { RawPeer } from './raw-peer.ts'
import { repeat, SwitchPort, service } from './switch-port.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** A port that splices everybody to `serve`. */
async function spliced(t: Test, serve: (socket: Socket) => void, options?: SpliceOptions) {
  const to = await service(t, serve)
  return SwitchPort.open(t, { routes: [{ match: any, to: spliceTarget(to, options) }] })
}

test('a spliced connection is whole at every cut, both ways, with half-close (SP-05, W5, 4.4 scenarios 1 and 5)', async (t) => {
  const to = await service(t, (socket) => repeat(socket, 'remote'))
  const routes = [{ match: http({ path: '/google/**' }), to: spliceTarget(to) }]
  const port = await SwitchPort.open(t, { routes })
  const request = 'POST /google/blech HTTP/1.1\r\nHost: a\r\n\r\nthe body'
  const made = [...cuts(request, { random: 10 })]
  await Promise.all(
    made.map(async ({ name, chunks }) => {
      const peer = await port.pieces(chunks)
      // the service answers only once it has heard the end
      peer.socket.end()
      await peer.isLeft()
      t.equal(peer.text, `remote:${request}`, name)
    }),
  )
  await eventually('none is open', () => port.port.counters.open === 0)
  const { counters } = port.port
  t.equal(counters.spliced, made.length)
  t.equal(counters.bytesUp, made.length * request.length)
  t.equal(counters.bytesDown, made.length * (request.length + 'remote:'.length))
  t.equal(port.waits, 0)
})

test('a service that ends first still hears the client (half-close the other way)', async (t) => {
  let heard = ''
  const port = await spliced(t, (socket) => {
    socket.end('all I have')
    socket.on('data', (chunk) => {
      heard += String(chunk)
    })
  })
  const peer = new RawPeer(connect({ ...port.address, allowHalfOpen: true }))
  await peer.gets('all I have')
  await eventually('its end is passed on', () => peer.ended)
  t.notOk(peer.closed)
  peer.socket.end('thanks')
  await eventually('it hears more', () => heard === 'thanks')
})

test('a client that does not read is waited for, and memory stays bounded (SP-05, 4.4 scenario 5)', async (t) => {
  let poured = { sent: 0 }
  let server: Socket | undefined
  const port = await spliced(t, (socket) => {
    server = socket
    poured = pour(socket)
  })
  const peer = await port.client()
  peer.socket.pause()
  await eventually('it pours', () => poured.sent > 0)
  const sent = await stands(poured)
  const held = port.port.counters.bytesDown
  t.ok(sent < 64 * 1024 * 1024, `${sent} bytes are under way`)
  await aWhile()
  t.equal(port.port.counters.bytesDown, held, 'nothing is read that cannot be passed on')
  server?.removeAllListeners('drain')
  server?.end()
  peer.socket.resume()
  await eventually('all of it arrives', () => peer.text.length === poured.sent)
  await eventually('and the end', () => peer.ended)
})

test('a service that does not read is waited for, and memory stays bounded (SP-05, 4.4 scenario 5)', async (t) => {
  let server: Socket | undefined
  const port = await spliced(t, (socket) => {
    server = socket.pause()
  })
  const peer = await port.client()
  const poured = pour(peer.socket as Socket)
  const sent = await stands(poured)
  t.ok(sent < 64 * 1024 * 1024, `${sent} bytes are under way`)
  t.ok(port.port.counters.bytesUp <= sent)
  peer.socket.removeAllListeners('drain')
  peer.socket.end()
  let count = 0
  server?.on('data', (chunk: Buffer) => {
    count += chunk.length
  })
  server?.resume()
  await eventually('all of it arrives', () => count === poured.sent)
  await eventually('and the end', () => server?.readableEnded === true)
})

test('a service that dies takes its client with it, and the port lives (SP-05, 4.4 scenario 5)', async (t) => {
  const sockets: Socket[] = []
  const port = await spliced(t, (socket) => {
    sockets.push(socket)
    socket.write('hello')
  })
  const [ended, reset] = [await port.client('x'), await port.client('x')]
  await ended.gets('hello')
  await reset.gets('hello')
  sockets[0]?.destroy()
  sockets[1]?.resetAndDestroy()
  await ended.isLeft()
  await reset.isLeft()
  ended.socket.end()
  await eventually('none is open', () => port.port.counters.open === 0)
  const next = await port.client('x')
  await next.gets('hello')
  t.equal(port.port.counters.spliced, 3)
})

test('a client that goes takes its connection to the service with it', async (t) => {
  const sockets: Socket[] = []
  const port = await spliced(t, (socket) => {
    sockets.push(socket.resume())
    pour(socket)
  })
  for (const leave of ['destroy', 'resetAndDestroy'] as const) {
    const peer = await port.client('x')
    peer.socket.pause()
    await eventually('it is spliced', () => sockets.length > 0 && port.port.counters.bytesUp > 0)
    await aWhile()
    ;(peer.socket as Socket)[leave]()
    await eventually('the service hears it', () => sockets.every((socket) => socket.destroyed))
    await eventually('none is open', () => port.port.counters.open === 0)
  }
  t.equal(port.waits, 0)
})

test('an absent service is a 502 for HTTP and an end for others (W3, 4.4 scenario 5)', async (t) => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: absent } = closed.address() as { port: number }
  closed.close()
  const to = spliceTarget({ host: '127.0.0.1', port: absent })
  const port = await SwitchPort.open(t, {
    routes: [
      { match: http(), to },
      { match: ssh, to },
    ],
  })
  const answer = await port.answer(GET)
  t.match(answer, /^HTTP\/1.1 502 Bad Gateway\r\n.*"code":"TARGET_UNREACHABLE"/s)
  t.match(answer, 'ECONNREFUSED')
  t.equal(await port.answer('SSH-2.0-x\r\n'), '')
  t.equal(port.port.counters.faults.get('TARGET_UNREACHABLE'), 2)
  const missing = spliceTarget({ path: '/nowhere/at/all.sock' })
  const paths = await SwitchPort.open(t, { routes: [{ match: http(), to: missing }] })
  t.match(await paths.answer(GET), /^HTTP\/1.1 502 .*ENOENT/s)
  const named = spliceTarget({ host: 'no-such-host.invalid', port: 1 })
  const names = await SwitchPort.open(t, { routes: [{ match: http(), to: named }] })
  t.match(await names.answer(GET), /^HTTP\/1.1 502 /)
  await eventually('all is at rest', () => port.waits + paths.waits + names.waits === 0)
})

test('a service that does not take the connection in time is a 504', async (t) => {
  // it listens and never accepts: once its backlog is full, the kernel answers nobody
  const script = `const server = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('fs').writeSync(1, String(server.address().port))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [said] = await once(child.stdout, 'data')
  const to = { host: '127.0.0.1', port: Number(said) }
  const fillers = Array.from({ length: 8 }, () => connect(to).on('error', () => undefined))
  t.teardown(() => fillers.forEach((filler) => void filler.destroy()))
  await aWhile()
  const target = spliceTarget(to, { limits: { dial: 500 } })
  const port = await SwitchPort.open(t, { routes: [{ match: http(), to: target }] })
  const peer = await port.client(GET)
  await eventually('it is dialled', () => port.waits === 1 && port.port.counters.accepted === 1)
  await aWhile()
  t.equal(peer.text, '')
  port.clock.advance(520)
  await peer.isLeft()
  t.match(peer.text, /^HTTP\/1.1 504 Gateway Timeout\r\n.*"code":"TARGET_TIMEOUT"/s)
})

test('a splice that says nothing for too long is ended; one that moves is not', async (t) => {
  const port = await spliced(t, (socket) => socket.pipe(socket), { limits: { idle: 10_000 } })
  const [talking, quiet] = [await port.client('a'), await port.client('a')]
  await talking.gets('a')
  await quiet.gets('a')
  port.clock.advance(9000)
  talking.socket.write('b')
  await talking.gets('ab')
  port.clock.advance(2000)
  await eventually('the quiet one is left', () => quiet.closed)
  t.notOk(talking.ended)
  port.clock.advance(9000)
  await eventually('in time the other, too', () => talking.closed)
  t.equal(port.port.counters.faults.get('SPLICE_IDLE'), 2)
})

test('a Unix socket is a target, and a port of its own', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sapwood-splice-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'service.sock')
  await service(t, (socket) => repeat(socket, 'unix'), { path })
  const routes = [{ match: any, to: spliceTarget({ path }, { proxyProtocol: 1 }) }]
  const port = await SwitchPort.open(t, { routes })
  t.match(await port.answer(GET), /^unix:PROXY TCP4 127.0.0.1 127.0.0.1 \d+ \d+\r\nGET /)
  const listen = { path: join(folder, 'edge.sock') }
  const own = await SwitchPort.open(t, { routes }, { listen })
  t.same(own.port.address, listen)
  t.equal(await own.answer('x'), 'unix:PROXY UNKNOWN\r\nx', 'its clients have no address')
})

test('the service is told whom it serves, before the first byte (PROXY protocol 1 and 2, W5)', async (t) => {
  const to = await service(t, (socket) => repeat(socket, ''))
  for (const proxyProtocol of [1, 2] as const) {
    const target = spliceTarget(to, { proxyProtocol })
    const port = await SwitchPort.open(t, { routes: [{ match: any, to: target }] })
    const peer = await port.client('x')
    const { localPort } = peer.socket as Socket
    peer.socket.end('yz')
    await peer.isLeft()
    const got = Buffer.from(peer.text, 'latin1').subarray(1)
    const header = parseProxyHeader(got)
    if (header === 'more' || isFault(header)) throw new Error('a header is expected')
    t.same(header.source, { host: '127.0.0.1', port: localPort })
    t.same(header.destination, port.address)
    t.equal(String(got.subarray(header.length)), 'xyz')
  }
})

test('a PROXY header that came in is known, and passed on as it came', async (t) => {
  const to = await service(t, (socket) => repeat(socket, 'proxied'))
  const routes = [{ match: edgeMatcher({ protocol: 'proxy' }), to: spliceTarget(to) }]
  const port = await SwitchPort.open(t, { routes })
  for (const header of [
    Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n'),
    Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000201c000020203e80050', 'hex'),
  ]) {
    const said = Buffer.concat([header, Buffer.from(GET)])
    t.equal(await port.answer(said), `proxied:${said.toString('latin1')}`)
  }
})
