/** A local HTTP server that answers through a pipe (`--target`): real servers behind, frames in memory before. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wheel } from '@sapwood/core'
import { nodeClock } from '@sapwood/net'
import type { Answerer, AnswererOptions } from '@sapwood/pipe'
import { answerer, targetAnswerer } from '@sapwood/pipe'
import { FakeClock } from '@sapwood/testkit'
import type { RequestHead } from '@sapwood/wire'
import { WEB_SOCKET_GUID } from '@sapwood/wire'
import { test } from 'tap'
import { pattern } from '../wire/pipe-pair.ts'
import { Asked, ExchangePair } from './exchange-pair.ts'

interface Teardown {
  teardown(run: () => unknown): unknown
}

interface Stand {
  readonly pair: ExchangePair
  readonly port: number
  /** Connections that the target has. */
  readonly sockets: Set<Socket>
}

type Options = Partial<AnswererOptions> & { clock?: FakeClock; window?: number }

/** A pipe to a server that answers as `listener` does. */
async function stand(
  t: Teardown,
  listener: RequestListener,
  options: Options = {},
): Promise<Stand> {
  return standOf(t, createServer(listener), options)
}

async function standOf(
  t: Teardown,
  server: Server | ReturnType<typeof createTcp>,
  { clock, window, ...options }: Options = {},
): Promise<Stand> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const wheel = new Wheel(clock ?? nodeClock)
  const target = answerer({ role: 'client', target: `http://127.0.0.1:${port}`, wheel, ...options })
  t.teardown(() => {
    target.close()
    wheel.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const limits = window === undefined ? {} : { streamWindow: window, streamWindowMost: window }
  return { pair: new ExchangePair(target, limits), port, sockets }
}

/** What answers from a server on a Unix socket. */
async function unixStand(
  t: Teardown,
  listener: RequestListener,
): Promise<{ target: Answerer; server: Server; wheel: Wheel }> {
  const directory = mkdtempSync(join(tmpdir(), 'target-'))
  const path = join(directory, 'socket')
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const wheel = new Wheel(nodeClock)
  const target = targetAnswerer(`unix:${path}`, { wheel })
  t.teardown(() => {
    target.close()
    wheel.close()
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true })
  })
  return { target, server, wheel }
}

/** A request whose body comes later. */
function opened(pair: ExchangePair, head: Partial<RequestHead> & { target: string }): Asked {
  return new Asked(pair, { method: 'POST', ...head }, undefined, true)
}

async function still(value: () => number): Promise<number> {
  let before = -1
  while (before !== value()) {
    before = value()
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  return before
}

function echoHead(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, rawHeaders } = request
  const body: Buffer[] = []
  request.on('data', (chunk: Buffer) => body.push(chunk))
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json')
    const text = Buffer.concat(body).toString('latin1')
    const { rawTrailers } = request
    response.end(JSON.stringify({ method, url, rawHeaders, text, rawTrailers }))
  })
}

/** What a target saw as headers. */
function seen(asked: Asked): Record<string, string[]> {
  const headers: Record<string, string[]> = {}
  const raw: string[] = asked.json.rawHeaders
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    headers[name] = [...(headers[name] ?? []), raw[i + 1] as string]
  }
  return headers
}

test('the tail is the request line, as it came; the body and what it is travel', async (t) => {
  const { pair } = await stand(t, echoHead)
  const tails = [
    '/',
    '/a//b%2Fc/%20?x=1&&y#',
    '/?',
    '/ä'.replace('ä', '%e4'),
    '/*;x=1/',
    '/a?wait=5s',
  ]
  for (const target of tails) {
    const asked = await pair.ask({ target }).end()
    t.same([asked.json.method, asked.json.url, asked.code], ['GET', target, 0])
  }
  for (const method of ['PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS', 'PROPFIND']) {
    const asked = await pair
      .ask({ target: '/x', method, headers: ['x-a', '1', 'x-a', '2'] }, 'body')
      .end()
    t.same([asked.json.method, asked.json.text], [method, 'body'])
    t.same(seen(asked)['x-a'], ['1', '2'])
    t.same(seen(asked)['transfer-encoding'], ['chunked'])
    const said = await pair
      .ask({ target: '/x', method, headers: ['content-length', '4'] }, 'body')
      .end()
    t.same([said.json.text, seen(said)['content-length']], ['body', ['4']])
  }
  const none = await pair.ask({ target: '/x', method: 'POST' }, undefined).end()
  t.same([none.json.text, seen(none)['content-length']], ['', ['0']])
  const head = await pair.ask({ target: '/x', method: 'HEAD' }).end()
  t.same([head.head?.status, head.size, head.header('content-type')], [200, 0, 'application/json'])
  for (const target of ['/a/..', '/%2E%2e/a', 'http://127.0.0.1/x', '*', '/a b', '/a\r\nX: y']) {
    const asked = await pair.ask({ target }).end()
    t.equal(asked.head?.status, 400, target)
  }
  const tunnel = await pair.ask({ target: '/x', method: 'CONNECT' }).end()
  t.same([tunnel.head?.status, tunnel.json.code], [405, 'METHOD_NOT_ALLOWED'])
})

test('headers of a connection stay behind, those about the caller are what the front found out', async (t) => {
  const { pair, port } = await stand(t, echoHead)
  const headers = [
    ...['host', 'fileserver', 'connection', 'close, x-named, content-length', 'x-named', 'a'],
    ...[
      'keep-alive',
      'timeout=9',
      'te',
      'gzip',
      'proxy-authorization',
      'x',
      'expect',
      '100-continue',
    ],
    ...['x-forwarded-for', '10.1.2.3', 'x-forwarded-evil', 'x', 'forwarded', 'for=x'],
    ...[
      'sapwood-peer',
      'admin',
      'sapwood-hops',
      '0',
      'x-kept',
      'b',
      'trailer',
      'x-t',
      'proxy-connection',
      'close',
    ],
  ]
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const asked = await pair.ask({ target: '/x', headers, trace }).end()
  t.same(seen(asked), {
    host: [`127.0.0.1:${port}`],
    connection: ['keep-alive'],
    'x-kept': ['b'],
    'x-forwarded-for': ['10.1.2.3'],
    'x-forwarded-host': ['fileserver'],
    'sapwood-peer': ['alpha'],
    'sapwood-hops': ['1'],
    traceparent: [trace],
  })
})

test('lengths that two servers could read differently are refused, and no byte of them arrives', async (t) => {
  let requests = 0
  const { pair, sockets } = await stand(t, (request, response) => {
    requests++
    echoHead(request, response)
  })
  for (const headers of [
    ['content-length', '4', 'transfer-encoding', 'chunked'],
    ['content-length', '4', 'content-length', '5'],
    ['content-length', '4', 'content-length', '4'],
    ['content-length', '-1'],
    ['content-length', '0x4'],
    ['content-length', '4, 4'],
  ]) {
    const asked = await pair.ask({ target: '/x', headers }, 'body').end()
    t.same([asked.head?.status, asked.json.code], [400, 'LENGTH_AMBIGUOUS'], headers.join(' '))
  }
  const coded = await pair
    .ask({ target: '/x', headers: ['transfer-encoding', 'gzip'] }, 'body')
    .end()
  t.same([coded.json.text, seen(coded)['transfer-encoding']], ['body', ['chunked']])
  t.equal(requests, 1)
  const smuggled = 'GET /secret HTTP/1.1\r\nHost: x\r\n\r\n'
  for (const [length, body] of [
    ['0', smuggled],
    ['3', `abc${smuggled}`],
    ['9999', 'short'],
  ] as const) {
    const asked = await pair.ask({ target: '/x', headers: ['content-length', length] }, body).end()
    t.same([asked.head?.status, asked.json.code], [400, 'BODY_INVALID'], length)
  }
  const ends = await pair
    .ask({ target: '/x', method: 'PUT', headers: ['content-length', '5'] })
    .end()
  t.equal(ends.json.code, 'BODY_INVALID')
  for (const headers of [
    ['x-a', 'b\r\nx-c: d'],
    ['x a', 'b'],
    ['', 'b'],
  ]) {
    const asked = await pair.ask({ target: '/x', headers }).end()
    t.same([asked.head?.status, asked.json.code], [400, 'HEAD_INVALID'])
  }
  await still(() => sockets.size)
  const fine = await pair.ask({ target: '/fine' }).end()
  t.equal(fine.json.url, '/fine', 'nothing of it is taken for another request')
})

test('answers come as they are: status, headers, interim heads, trailers', async (t) => {
  const { pair } = await stand(t, (request, response) => {
    if (request.url === '/early') response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.writeHead(request.url === '/none' ? 304 : 418, [
      ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Event-Return-Code', '9'],
      ...['Connection', 'x-private', 'X-Private', 'p', 'Keep-Alive', 'timeout=3'],
      ...(request.url === '/none' ? [] : ['Transfer-Encoding', 'chunked']),
    ])
    if (request.url !== '/none') {
      response.write('tea')
      response.addTrailers({ 'X-Sum': '5', 'Set-Cookie': 'c=3' })
    }
    response.end()
  })
  const asked = await pair.ask({ target: '/early' }).end()
  t.same([asked.head?.status, asked.code, asked.text], [418, 0, 'tea'])
  const { headers = [] } = asked.head ?? {}
  t.same(headers.slice(0, 6), [
    'set-cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'x-event-return-code',
    '9',
  ])
  for (const name of ['connection', 'x-private', 'keep-alive', 'transfer-encoding']) {
    t.notOk(headers.includes(name), name)
  }
  t.same(asked.trailers, ['x-sum', '5'])
  t.same(
    asked.interim.map(({ status, headers: hints }) => [status, hints]),
    [[103, ['link', '</a.css>; rel=preload']]],
  )
  const none = await pair.ask({ target: '/none' }).end()
  t.same([none.head?.status, none.size], [304, 0])
})

test('what is not ASCII in a head reaches the target byte by byte, whenever the body comes', async (t) => {
  const { pair } = await stand(t, echoHead)
  const head = { target: '/x', headers: ['x-name', 'caf\xe9', 'x-text', 'caf\xc3\xa9'] }
  const later = opened(pair, head)
  await new Promise((resolve) => setTimeout(resolve, 30))
  later.exchange.endWith(Buffer.from('body'))
  for (const asked of [later, pair.ask({ ...head, method: 'POST' }, 'body'), pair.ask(head)]) {
    await asked.end()
    t.same([seen(asked)['x-name'], seen(asked)['x-text']], [['caf\xe9'], ['caf\xc3\xa9']])
  }
})

test('a head of a target is as long as the pipe can carry, and no longer', async (t) => {
  const { pair } = await stand(t, (request, response) => {
    response.writeHead(200, { 'x-long': 'a'.repeat(Number(request.url?.slice(1))) })
    response.end('done')
  })
  for (const length of [20_000, 60_000]) {
    const asked = await pair.ask({ target: `/${length}` }).end()
    t.same([asked.head?.status, asked.header('x-long')?.length, asked.text], [200, length, 'done'])
  }
  const asked = await pair.ask({ target: '/70000' }).end()
  t.same([asked.head?.status, asked.json.code], [502, 'TARGET_UNREACHABLE'])
})

test('trailers of a request reach the target', async (t) => {
  const { pair } = await stand(t, echoHead)
  const asked = opened(pair, { target: '/x' })
  asked.exchange.write(Buffer.from('body'))
  asked.exchange.end(['x-sum', '5', 'content-length', '3', 'bad name', 'x'])
  await asked.end()
  t.equal(asked.json.text, 'body')
  const plain = opened(pair, { target: '/x' })
  plain.exchange.write(Buffer.from('body'))
  plain.exchange.end(['x-sum', '5', 'content-length', '3'])
  await plain.end()
  t.same(plain.json.rawTrailers, ['x-sum', '5'])
})

test('both bodies stream at once, and no faster than they are read', async (t) => {
  let held: IncomingMessage | undefined
  let written = 0
  const { pair } = await stand(
    t,
    (request, response) => {
      if (request.url === '/echo') return void request.pipe(response)
      if (request.url === '/held') {
        held = request
        return void request.on('end', () => response.end('whole'))
      }
      const more = (): void => {
        while (written < 20_000_000) {
          written += 50_000
          if (!response.write(pattern(50_000))) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    },
    { window: 65_536 },
  )
  const echo = opened(pair, { target: '/echo' })
  for (let i = 0; i < 5; i++) {
    echo.exchange.write(Buffer.from(`${i}`))
    await echo.until(() => echo.size === i + 1)
  }
  echo.exchange.end()
  t.equal((await echo.end()).text, '01234')
  const up = pair.ask({ target: '/held' }, pattern(20_000_000))
  await up.until(() => held !== undefined)
  const gone = await still(() => pair.up)
  t.ok(gone < 15_000_000, `${gone} bytes left for a target that reads nothing`)
  const hash = createHash('sha256')
  held?.on('data', (chunk: Buffer) => hash.update(chunk))
  t.equal((await up.end()).text, 'whole')
  t.equal(hash.digest('hex'), createHash('sha256').update(pattern(20_000_000)).digest('hex'))
  const down = pair.ask({ target: '/down' })
  down.takes = false
  await down.until(() => down.size > 0)
  await still(() => down.size)
  t.ok(down.size <= 65_536 && written < 15_000_000, `${written} bytes written for who takes none`)
  down.takes = true
  down.exchange.took(down.size)
  await down.end()
  t.equal(down.size, 20_000_000)
})

test('server-sent events come one by one; who leaves closes the socket of the target', async (t) => {
  let stream: ServerResponse | undefined
  const { pair, sockets } = await stand(t, (_request, response) => {
    stream = response
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.flushHeaders()
  })
  const asked = pair.ask({ target: '/events' })
  await asked.until(() => asked.head !== undefined)
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    const { size } = asked
    stream?.write(event)
    await asked.until(() => asked.size === size + event.length)
  }
  t.equal(sockets.size, 1)
  asked.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  await asked.until(() => sockets.size === 0)
  const waiting = pair.ask({ target: '/events' })
  await waiting.until(() => sockets.size === 1)
  pair.far.session.close({ code: 'PIPE_CLOSED', detail: 'over' })
  await asked.until(() => sockets.size === 0)
  t.equal(pair.far.session.streams, 0)
})

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

test('a kept connection of a Unix socket that the target has closed is no fault of the target', async (t) => {
  const sockets = new Set<Socket>()
  const { target, server } = await unixStand(t, (_request, response) => response.end('done'))
  server.on('connection', (socket: Socket) => sockets.add(socket))
  // closed just when it is taken: whoever writes to it is told before anybody could read its end
  const pair = new ExchangePair({
    request: (...asked) => {
      for (const socket of sockets) socket.destroy()
      return target.request(...asked)
    },
  })
  t.equal((await pair.ask({ target: '/x' }).end()).text, 'done')
  // by now it is kept, and idle
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal((await pair.ask({ target: '/x' }).end()).text, 'done')
  t.equal(sockets.size, 2, 'asked on another connection')
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

test('rules hold for a target too, and only for what it cannot read otherwise', async (t) => {
  const urls: string[] = []
  const { pair } = await stand(
    t,
    (request, response) => {
      urls.push(request.url ?? '')
      request.resume()
      request.on('end', () => response.end('done'))
    },
    { allow: [{ path: 'public/**', body: 10 }] },
  )
  for (const target of ['/public', '/public/a', '/public/a?b//c', '/public/%61']) {
    t.equal((await pair.ask({ target }).end()).code, 0, target)
  }
  const reached = urls.length
  const others = [
    '/',
    '/secret',
    '/public//secret',
    '/public/',
    '/public/a%2f..',
    '/PUBLIC/a',
    '/public%2fa',
  ]
  for (const target of others) {
    const asked = await pair.ask({ target }).end()
    t.same([asked.head?.status, asked.code], [403, 249], target)
  }
  t.equal(urls.length, reached)
  t.equal((await pair.ask({ target: '/public/a' }, 'x'.repeat(10)).end()).text, 'done')
  const large = await pair.ask({ target: '/public/a' }, 'x'.repeat(11)).end()
  t.same([large.head?.status, large.json.code], [413, 'BODY_TOO_LARGE'])
  const said = await pair
    .ask({ target: '/public/a', method: 'PUT', headers: ['content-length', '11'] })
    .end()
  t.same([said.head?.status, said.json.code], [413, 'BODY_TOO_LARGE'])
})

test('handlers come before the target, the built-ins are off beside it', async (t) => {
  const handlers = { get_mine: () => 'handler' }
  const { pair } = await stand(t, (_request, response) => response.end('target'), { handlers })
  t.equal((await pair.ask({ target: '/mine' }).end()).text, '"handler"')
  t.equal((await pair.ask({ target: '/time' }).end()).text, 'target')
  t.equal((await pair.ask({ target: '/mine', method: 'PUT' }, '').end()).text, 'target')
})

test('a target may be a Unix socket; what is no place is refused at once', async (t) => {
  const { target, wheel } = await unixStand(t, echoHead)
  const asked = await new ExchangePair(target).ask({ target: '/x' }).end()
  t.same([asked.json.url, seen(asked).host], ['/x', ['localhost']])
  const wrong = [
    '',
    'x',
    'unix:',
    'https://x',
    'ftp://x',
    'http://x/path',
    'http://x?y',
    'http://u:p@x',
    '127.0.0.1:80',
  ]
  for (const url of wrong) {
    t.throws(() => targetAnswerer(url, { wheel }), { code: 'TARGET_URL_INVALID' }, url)
  }
})
