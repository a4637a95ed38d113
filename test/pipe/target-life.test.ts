/** What a target may do to an exchange: upgrade it, answer late or early, hang up; and connections that are kept. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTcp } from 'node:net'
import { Wheel } from '@sapwood/core'
import { nodeClock } from '@sapwood/net'
import { targetAnswerer } from '@sapwood/pipe'
import { FakeClock } from '@sapwood/testkit'
import { WEB_SOCKET_GUID } from '@sapwood/wire'
import { test } from 'tap'
import { pattern } from '../wire/pipe-pair.ts'
import { ExchangePair } from './exchange-pair.ts'
import { echoHead, opened, stand, standOf, still } from './target-stand.ts'

test('an upgrade goes through: 101, then bytes both ways, and its end', async (t) => {
  const server = createServer(echoHead)
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const key = request.headers['sec-websocket-key']
    const accept = createHash('sha1').update(`${key}${WEB_SOCKET_GUID}`).digest('base64')
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
    socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\nfirst`)
    if (head.length > 0) socket.write(head)
    socket.on('end', () => socket.end())
    socket.on('data', (data) => {
      if (data.toString() === 'bye') socket.end('!')
      else socket.write(data)
    })
  })
  const { pair, sockets } = await standOf(t, server)
  const headers = [
    'upgrade',
    'websocket',
    'sec-websocket-key',
    'a2V5',
    'sec-websocket-version',
    '13',
  ]
  const asked = opened(pair, { target: '/ws', method: 'GET', headers })
  await asked.until(() => asked.size === 5)
  t.same([asked.head?.status, asked.header('upgrade'), asked.text], [101, 'websocket', 'first'])
  const accept = createHash('sha1').update(`a2V5${WEB_SOCKET_GUID}`).digest('base64')
  t.equal(asked.header('sec-websocket-accept'), accept)
  const large = pattern(3_000_000)
  asked.exchange.write(large)
  await asked.until(() => asked.size === 3_000_005)
  t.ok(asked.body.subarray(5).equals(Buffer.from(large)))
  asked.exchange.write(Buffer.from('bye'))
  await asked.end()
  t.equal(asked.size, 3_000_006)
  asked.exchange.end()
  await asked.until(() => sockets.size === 0 && pair.far.session.streams === 0)
  const cut = opened(pair, { target: '/ws', method: 'GET', headers })
  await cut.until(() => cut.size === 5)
  for (const socket of sockets) socket.resetAndDestroy()
  await cut.end()
  t.equal(cut.fault?.code ?? 'ended', 'TARGET_LOST')
  const left = opened(pair, { target: '/ws', method: 'GET', headers })
  await left.until(() => left.size === 5)
  left.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  await left.until(() => sockets.size === 0)
  const refused = await pair.ask({ target: '/x' }).end()
  t.equal(refused.head?.status, 200)
})

test('a request for an upgrade has no body that could be taken for another request', async (t) => {
  const urls: string[] = []
  const { pair } = await stand(t, (request, response) => {
    urls.push(request.url ?? '')
    response.writeHead(426).end('no')
  })
  const smuggled = Buffer.from('GET /secret HTTP/1.1\r\nHost: x\r\n\r\n')
  const headers = ['upgrade', 'websocket', 'sec-websocket-key', 'a2V5']
  const early = await pair.ask({ target: '/ws', headers }, smuggled).end()
  t.same([early.head?.status, early.json.code], [400, 'BODY_INVALID'])
  const late = opened(pair, { target: '/ws', method: 'GET', headers })
  await late.end()
  t.equal(late.head?.status, 426)
  late.exchange.write(smuggled)
  late.exchange.end()
  await late.until(() => pair.far.session.streams === 0)
  await still(() => urls.length)
  t.notOk(urls.includes('/secret'))
})

test('an upgrade that is refused is an answer like any other', async (t) => {
  const { pair } = await stand(t, (_request, response) => response.writeHead(426).end('no'))
  const headers = ['upgrade', 'websocket', 'sec-websocket-key', 'a2V5']
  const asked = await pair.ask({ target: '/ws', headers }).end()
  t.same([asked.head?.status, asked.text], [426, 'no'])
})

test('a target that is not there, hangs up, or speaks no HTTP is 502 before its head, a reset after it', async (t) => {
  const replies: Record<string, (socket: Socket) => void> = {
    '/hangup': (socket) => socket.destroy(),
    '/end': (socket) => socket.end(),
    '/garbage': (socket) => socket.end('no http at all\r\n\r\n'),
    '/large': (socket) => socket.end(`HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`),
    '/switch': (socket) =>
      socket.end('HTTP/1.1 101 Sure\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    '/both': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'),
    '/beyond': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n'),
    '/short': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    '/endless': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nhalf'),
    '/reset': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
      setTimeout(() => socket.resetAndDestroy(), 20)
    },
    '/chunks': (socket) =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n4\r\n'),
    '/chunk': (socket) =>
      socket.end(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n8000000000000000\r\n',
      ),
  }
  const server = createTcp((socket) => {
    socket.once('data', (data) => replies[data.toString().split(' ')[1] as string]?.(socket))
  })
  const { pair } = await standOf(t, server)
  for (const target of ['/hangup', '/end', '/garbage', '/large', '/switch', '/both', '/beyond']) {
    const asked = await pair.ask({ target }).end()
    const got = [asked.head?.status, asked.code, asked.size && asked.json.code]
    t.same(got, [502, 251, 'TARGET_UNREACHABLE'], target)
  }
  for (const target of ['/short', '/endless', '/reset', '/chunks', '/chunk']) {
    const asked = await pair.ask({ target }).end()
    t.same(
      [asked.head?.status, asked.text, asked.fault?.code],
      [200, 'half', 'TARGET_LOST'],
      target,
    )
  }
  const free = createTcp()
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve))
  const { port } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  const wheel = new Wheel(nodeClock)
  t.teardown(() => wheel.close())
  const gone = new ExchangePair(targetAnswerer(`http://127.0.0.1:${port}`, { wheel }))
  for (const body of [undefined, pattern(500_000)]) {
    const asked = await gone.ask({ target: '/x' }, body).end()
    t.same([asked.head?.status, asked.json.code], [502, 'TARGET_UNREACHABLE'])
    t.match(asked.json.detail, /ECONNREFUSED/)
    t.notMatch(asked.json.detail, String(port))
    await asked.until(() => gone.far.session.streams === 0)
  }
})

test('no head in the time that the asker has is 253 and 504, and the target is let go', async (t) => {
  const clock = new FakeClock()
  const { pair, sockets } = await stand(t, (request) => void request.resume(), { clock })
  const asked = pair.ask({ target: '/x', timeout: 2_000 })
  await asked.until(() => sockets.size === 1)
  await still(() => sockets.size)
  clock.advance(1_900)
  t.notOk(asked.done)
  clock.advance(200)
  await asked.end()
  t.same([asked.head?.status, asked.code, asked.json.code], [504, 253, 'ANSWER_TIMEOUT'])
  await asked.until(() => sockets.size === 0)
})

test('the next of a body must come in time, the answer after the last of it', async (t) => {
  const clock = new FakeClock()
  const { pair, sockets } = await stand(t, (request) => void request.resume(), {
    clock,
    limits: { bodyTime: 3_000 },
  })
  const slow = opened(pair, { target: '/x', timeout: 1_000 })
  slow.exchange.write(pattern(10))
  await slow.until(() => sockets.size === 1)
  await still(() => sockets.size)
  clock.advance(2_900)
  slow.exchange.write(pattern(10))
  await still(() => pair.up)
  clock.advance(2_900)
  t.notOk(slow.done)
  clock.advance(200)
  await slow.end()
  t.same([slow.head?.status, slow.json.code], [408, 'BODY_TIMEOUT'])
  const whole = opened(pair, { target: '/x', timeout: 1_000 })
  await whole.until(() => sockets.size === 1)
  await still(() => sockets.size)
  clock.advance(2_900)
  whole.exchange.endWith(pattern(10))
  await still(() => pair.up)
  clock.advance(900)
  t.notOk(whole.done)
  clock.advance(200)
  await whole.end()
  t.same([whole.head?.status, whole.json.code], [504, 'ANSWER_TIMEOUT'])
})

test('interim heads are passed on as long as a peer takes them', async (t) => {
  const { pair } = await stand(t, (_request, response) => {
    for (let i = 0; i < 40; i++) response.writeEarlyHints({ link: `</${i}>; rel=preload` })
    response.end('done')
  })
  const asked = await pair.ask({ target: '/x' }).end()
  t.same([asked.text, asked.interim.length], ['done', 16])
})

test('an answer before the body has ended is the answer; the rest is dropped', async (t) => {
  const { pair, sockets } = await stand(t, (_request, response) =>
    response.writeHead(413).end('no'),
  )
  const asked = opened(pair, { target: '/x' })
  asked.exchange.write(pattern(100_000))
  await asked.end()
  t.same([asked.head?.status, asked.text], [413, 'no'])
  await asked.until(() => sockets.size === 0)
  for (let i = 0; i < 50; i++) asked.exchange.write(pattern(100_000))
  asked.exchange.end()
  await asked.until(() => pair.far.session.streams + pair.near.session.streams === 0)
})

test('connections are kept, bounded, and asked again when the target has closed one', async (t) => {
  let open = 0
  let most = 0
  const waiting: ServerResponse[] = []
  const { pair, sockets } = await stand(
    t,
    (request, response) => {
      most = Math.max(most, ++open)
      response.on('close', () => open--)
      if (request.url === '/wait') waiting.push(response)
      else response.end('done')
    },
    { limits: { connections: 3 } },
  )
  const all = Array.from({ length: 8 }, () => pair.ask({ target: '/wait' }))
  await all[0]?.until(() => waiting.length === 3)
  await still(() => waiting.length)
  t.equal(most, 3)
  all[7]?.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  for (let i = 0; i < 7; i++) {
    await all[0]?.until(() => waiting.length > i)
    waiting[i]?.end('waited')
  }
  for (const asked of all.slice(0, 7)) t.equal((await asked.end()).text, 'waited')
  await still(() => open)
  t.equal(waiting.length, 7)
  const before = [...sockets]
  t.equal((await pair.ask({ target: '/x' }).end()).text, 'done')
  t.ok(
    [...sockets].every((socket) => before.includes(socket)),
    'no new connection',
  )
  // closed while it is idle, and found out only when it is used
  for (const socket of sockets) socket.resetAndDestroy()
  const again = pair.ask({ target: '/x' })
  t.equal((await again.end()).text, 'done')
})

test('a burst of requests uses the connections of the burst before it', async (t) => {
  let made = 0
  const server = createServer((_request, response) => response.end('done'))
  server.on('connection', () => made++)
  const { pair } = await standOf(t, server)
  for (let burst = 0; burst < 3; burst++) {
    const all = Array.from({ length: 64 }, () => pair.ask({ target: '/x' }))
    for (const asked of all) t.equal((await asked.end()).text, 'done')
  }
  t.ok(made <= 64, `${made} connections for 192 requests, 64 at a time`)
})
