/** Requests that come whole and those that come in parts are answered alike, in their order, and once. */
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Checker } from '@sapwood/auth'
import { Wheel } from '@sapwood/core'
import type { WholeResponse } from '@sapwood/http'
import { WholeRequests } from '@sapwood/http'
import { cuts, FakeClock } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'
import type { Got, Reached, Stand } from './support.ts'
import { eventually, pause, publish, Raw, serve, WsClient, within } from './support.ts'

/** A request that ends its connection. */
function request(line: string, body = '', ...fields: readonly string[]): string {
  const length = body === '' && line.startsWith('GET') ? [] : [`Content-Length: ${body.length}`]
  const all = ['Host: localhost', ...length, ...fields, 'Connection: close']
  return `${line} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n${body}`
}

async function answers(stand: Reached, ...parts: readonly string[]): Promise<string> {
  const raw = new Raw(stand)
  for (const [i, part] of parts.entries()) {
    if (i > 0) await pause(15)
    raw.write(Buffer.from(part, 'latin1'))
  }
  return within(raw.ended(), `an answer to ${parts.join('')}`)
}

/** What is not the same each time, and in which case names are written, is no difference. */
function comparable(answer: string): string {
  const [head = '', ...body] = answer.split('\r\n\r\n')
  const [line, ...fields] = head.split('\r\n')
  const kept = fields.map((field) => field.replace(/^[^:]+/, (name) => name.toLowerCase()))
  // ids and positions are not always of the same length
  const length = `content-length: ${body.join('').length}`
  const said = kept.filter((field) => !field.startsWith('date: ')).sort()
  return [
    line,
    ...said.map((field) => (field === length ? 'the length' : field)),
    '',
    body.join('').replace(/"(id|at)":"[^"]+"/g, '"$1":"…"'),
  ].join('\n')
}

const REQUESTS: Readonly<Record<string, string>> = {
  'a message': request('POST /update/a', '{"n":1}', 'Content-Type: application/json'),
  'a message by PUT': request('PUT /update/a/b', '1'),
  'a message without a body': request('POST /update/a'),
  'text that is not ASCII': request('POST /update/a', Buffer.from('é€').toString('latin1')),
  'broken JSON': request('POST /update/a', '{', 'Content-Type: application/json'),
  'JSON that is not UTF-8': request('POST /update/a', '"\xff"', 'Content-Type: application/json'),
  'an illegal path': request('POST /update//a', '1'),
  'a path that decodes to none': request('POST /update/%ff', '1'),
  'a control path': request('POST /update/::gone', '1'),
  'a word that is too long': request('POST /update/a', '1', `Sapwood-Id: ${'x'.repeat(600)}`),
  'another route': request('POST /nowhere', '1'),
  'another method': request('DELETE /update/a'),
  'a batch': request('POST /update', '[{"path":"a","message":1}]'),
  'a key that is none': request('POST /update/a', '1', 'Authorization: Bearer x'),
  'a foreign host': request('POST /update/a', '1').replace('localhost', 'example.org'),
  'a foreign page': request('POST /update/a', '1', 'Origin: https://evil.example'),
  'a page of this machine': request('POST /update/a', '1', 'Origin: http://localhost:3000'),
  'a forwarded request': request('POST /update/a', '1', 'X-Forwarded-For: 192.0.2.1'),
  'a body that is too large': request('POST /update/a', 'x'.repeat(2_000)),
  'a question': request('GET /client/nobody/time?wait=0'),
  'a WebSocket that is none': request('GET /ws').replace('close', 'Upgrade\r\nUpgrade: websocket'),
  'an upgrade to nothing': request('GET /x').replace('close', 'Upgrade, close\r\nUpgrade: x'),
}

for (const [what, text] of Object.entries(REQUESTS)) {
  test(`${what}: it is the same whether it comes whole or in parts`, async (t) => {
    const stand = await serve(t, { http: { limits: { body: 1_500 } } })
    const whole = comparable(await answers(stand, text))
    t.match(whole, /^HTTP\/1\.1 [24]\d\d /)
    t.equal(whole, comparable(await answers(stand, text.slice(0, 30), text.slice(30))))
  })
}

test('a connection that stays open says so alike, and until when', async (t) => {
  const stand = await serve(t)
  const text = request('POST /update/a', '1').replace('Connection: close\r\n', '')
  const both = []
  for (const parts of [[text], [text.slice(0, 10), text.slice(10)]]) {
    const raw = new Raw(stand)
    for (const part of parts) {
      raw.write(part)
      await pause(15)
    }
    await raw.got('"matched"')
    both.push(comparable(raw.text))
    raw.socket.destroy()
  }
  t.equal(both[0], both[1])
  t.match(both[0], /^connection: keep-alive$/m)
})

/** What a client that is subscribed to everything has got. */
async function subscribed(stand: Stand): Promise<WsClient> {
  const client = new WsClient(stand)
  await client.hello()
  await client.subscribe('n/**')
  return client
}

test('requests are answered in their order, and each takes effect once, however their bytes are cut', async (t) => {
  const stand = await serve(t)
  const client = await subscribed(stand)
  const keep = (text: string): string => text.replace('Connection: close\r\n', '')
  let run = 0
  const text = (path: string): string =>
    [
      keep(request(`POST /update/n/${path}`, '"one"')),
      keep(request('GET /health/live')),
      keep(request(`PUT /update/n/${path}`, '"two"')),
      keep(request('POST /update/n//', '"never"')),
      request(`POST /update/n/${path}`, '"three"'),
    ].join('')
  const length = text('000').length
  const places = fc.array(fc.integer({ min: 1, max: length - 1 }), { maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(places, async (cut) => {
      const path = String(run++).padStart(3, '0')
      const bytes = text(path)
      const ends = [...new Set(cut)].sort((a, b) => a - b)
      const parts = [0, ...ends].map((start, i) => bytes.slice(start, ends[i] ?? length))
      const got = await answers(stand, ...parts)
      const statuses = [...got.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)
      t.same(statuses, ['200', '200', '200', '400', '200'], `cut at ${ends}`)
      const mine = (): Got[] => client.frames.all.filter((frame) => frame.path === `n/${path}`)
      await eventually(() => mine().length === 3, 'three messages')
      t.same(
        mine().map(({ message }) => message),
        ['one', 'two', 'three'],
      )
    }),
    { numRuns: 40 },
  )
})

test('answers that one read brings about leave in one write', async (t) => {
  const stand = await serve(t)
  const one = request('POST /update/a', '1').replace('Connection: close\r\n', '')
  const raw = new Raw(stand)
  const chunks: number[] = []
  raw.socket.on('data', (chunk: string) => chunks.push(chunk.split('HTTP/1.1 200').length - 1))
  raw.write(one.repeat(50))
  await eventually(() => raw.text.split('"matched"').length === 51, '50 receipts')
  t.same(chunks, [50])
  raw.socket.destroy()
})

const HELLO = '{"path":"::hello","message":{"version":1}}'
const FRAME = Buffer.concat([
  Buffer.from([0x81, 0x80 | HELLO.length, 0, 0, 0, 0]),
  Buffer.from(HELLO),
])

function handshake(target: string): string {
  const lines = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Connection: Upgrade']
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='
  return [`GET ${target} HTTP/1.1`, 'Host: localhost', ...lines, key, '', ''].join('\r\n')
}

test('frames that come with the handshake of a WebSocket are read', async (t) => {
  const stand = await serve(t)
  const bytes = Buffer.concat([Buffer.from(handshake('/ws')), FRAME])
  for (const { name, chunks } of cuts(bytes, { twoWay: 12, random: 4 })) {
    if (name === 'byte by byte') continue
    const raw = new Raw(stand)
    for (const chunk of chunks) {
      raw.write(chunk)
      await pause(2)
    }
    await raw.got('"::hello"')
    t.match(raw.text, /^HTTP\/1\.1 101 /, name)
    raw.socket.destroy()
  }
})

test('what comes while a slow checker looks at a handshake is not lost', async (t) => {
  const asked: (() => void)[] = []
  const checker: Checker = {
    check: (_credential, done) => {
      asked.push(() => done({ id: 'ada', trusted: false }))
    },
  }
  const stand = await serve(t, { http: { checkers: [checker] } })
  for (const parts of [
    [handshake('/ws?token=x')],
    ['GET /ws?tok', handshake('/ws?token=x').slice(11)],
  ]) {
    const raw = new Raw(stand)
    for (const part of parts) {
      raw.write(part)
      await pause(15)
    }
    await eventually(() => asked.length > 0, 'a check')
    raw.write(FRAME)
    await pause(20)
    t.equal(raw.text, '')
    asked.pop()?.()
    await raw.got('"::hello"')
    raw.socket.destroy()
  }
})

test('what follows a refused handshake is no request', async (t) => {
  const stand = await serve(t)
  const client = await subscribed(stand)
  const raw = new Raw(stand).write(handshake('/nowhere'))
  await raw.got('"NOT_FOUND"')
  raw.write(request('POST /update/n/never', '1'))
  await within(raw.ended(), 'the end')
  await publish(stand, 'n/now', 1)
  t.equal((await client.path('n/now')).message, 1)
  t.notOk(client.frames.all.some(({ path }) => path === 'n/never'))
})

/** A server with nothing behind it, on a wheel that moves by hand. */
async function bare(
  t: { teardown(run: () => unknown): unknown },
  take: ConstructorParameters<typeof WholeRequests>[1]['take'],
): Promise<Reached & { clock: FakeClock; wheel: Wheel; whole: WholeRequests; late: Socket[] }> {
  const clock = new FakeClock()
  const wheel = new Wheel(clock)
  const late: Socket[] = []
  const server = createServer({ headersTimeout: 8_000, keepAliveTimeout: 20_000 })
  server.on('request', (_request: IncomingMessage, response) => response.end('by node'))
  const whole = new WholeRequests(server, {
    wheel,
    take,
    upgrade: (_request, socket) => socket.destroy(),
    late: (socket) => {
      late.push(socket)
      socket.end('late')
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    whole.close()
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, clock, wheel, whole, late }
}

const ONE = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'

test('a connection that never says a word is ended as late as by the server, one that waits between requests later', async (t) => {
  const stand = await bare(t, (_request, response) => {
    response.writeHead(200, [])
    response.end('whole')
    return true
  })
  const silent = new Raw(stand)
  const kept = new Raw(stand).write(ONE)
  await kept.got('whole')
  await eventually(() => stand.whole.size === 2, 'both connections')
  stand.clock.advance(7_000)
  t.same(stand.late, [])
  stand.clock.advance(2_500)
  t.equal(await within(silent.ended(), 'the end of the silent one'), 'late')
  stand.clock.advance(8_000)
  kept.write(ONE)
  await eventually(() => kept.text.split('whole').length === 3, 'a second answer')
  stand.clock.advance(19_000)
  await pause(20)
  t.equal(kept.socket.closed, false)
  stand.clock.advance(3_000)
  await within(kept.ended(), 'the end of the kept one')
  await eventually(() => stand.whole.size === 0, 'nobody')
  stand.clock.advance(2_000)
  t.equal(stand.wheel.pending, 0, 'the wheel sleeps where nobody is connected')
})

test('one that waits for its answer is not ended, and what it sends meanwhile is answered behind it', async (t) => {
  const asked: { url: string; end: () => void }[] = []
  const stand = await bare(t, (request, response) => {
    asked.push({
      url: request.url,
      end: () => {
        response.writeHead(200, [])
        response.end(`answer to ${request.url}`)
      },
    })
    return true
  })
  const raw = new Raw(stand).write(ONE)
  await eventually(() => asked.length === 1, 'a question')
  raw.write(ONE.replace('/a', '/b'))
  await pause(20)
  raw.write(ONE.replace('/a', '/c').slice(0, 12))
  stand.clock.advance(100_000)
  await pause(20)
  t.same(
    asked.map(({ url }) => url),
    ['/a'],
  )
  t.equal(raw.text, '')
  asked[0]?.end()
  await eventually(() => asked.length === 2, 'the second question')
  asked[1]?.end()
  await raw.got('answer to /b')
  raw.write(ONE.replace('/a', '/c').slice(12))
  await raw.got('by node')
  t.equal(stand.whole.size, 0)
  raw.socket.destroy()
})

test('a client that leaves is noticed while its answer is awaited, whatever it sent behind', async (t) => {
  const sockets: Socket[] = []
  const stand = await bare(t, (request) => sockets.push(request.socket) > 0)
  const raw = new Raw(stand).write(ONE)
  await eventually(() => sockets.length === 1, 'a question')
  raw.write(ONE)
  await pause(20)
  raw.socket.destroy()
  await eventually(() => sockets[0]?.closed === true, 'its end')
  t.equal(stand.whole.size, 0)
})

test('of a client that sends on and on behind a question little is kept', async (t) => {
  const stand = await bare(t, () => true)
  const raw = new Raw(stand).write(ONE)
  let sent = 0
  const block = Buffer.alloc(65_536, 'x')
  const more = (): void => {
    while (raw.socket.write(block)) sent += block.length
    sent += block.length
  }
  raw.socket.on('drain', more)
  more()
  let before = -1
  // what fits into the kernel's buffers of both ends, and not what was sent
  while (before !== sent) {
    before = sent
    await pause(100)
  }
  t.ok(sent < 32 * 1024 * 1024, `${sent} bytes`)
  raw.socket.destroy()
})

/** Ways to answer, and what is then on the wire behind the usual head. */
const WAYS: Readonly<Record<string, { answer(response: WholeResponse): void; wire: string }>> = {
  ascii: { answer: (response) => response.end('abc'), wire: 'Content-Length: 3\r\n\r\nabc' },
  text: { answer: (response) => response.end('é'), wire: 'Content-Length: 2\r\n\r\n\xc3\xa9' },
  latin1: {
    answer: (response) => response.end('é', 'latin1'),
    wire: 'Content-Length: 1\r\n\r\n\xe9',
  },
  bytes: {
    answer: (response) => response.end(Buffer.from([0, 255])),
    wire: 'Content-Length: 2\r\n\r\n\0\xff',
  },
  nothing: { answer: (response) => response.end(), wire: 'Content-Length: 0\r\n\r\n' },
  parts: {
    answer: (response) => {
      response.flushHeaders()
      response.write(Buffer.from('one'))
      response.write(Buffer.alloc(0))
      response.addTrailers([['x-sum', '6']])
      response.end('two')
    },
    wire: 'Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nx-sum: 6\r\n\r\n',
  },
}

test('answers keep their order and every byte, whatever they are made of', async (t) => {
  const stand = await bare(t, ({ url }, response) => {
    response.writeHead(200, ['x-way', url.slice(1)])
    WAYS[url.slice(1)]?.answer(response)
    return true
  })
  const ways = fc.array(fc.constantFrom(...Object.keys(WAYS)), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(ways, async (ways) => {
      const last = ways.length - 1
      const texts = ways.map((way, i) => {
        const text = ONE.replace('/a', `/${way}`)
        return i < last ? text : text.replace('Host', 'Connection: close\r\nHost')
      })
      const wire = ways.map((way, i) => {
        const connection = i < last ? 'keep-alive\r\nKeep-Alive: timeout=20' : 'close'
        return `HTTP/1.1 200 OK\r\nx-way: ${way}\r\nConnection: ${connection}\r\n${WAYS[way]?.wire}`
      })
      const got = await answers(stand, texts.join(''))
      t.equal(got.replace(/Date: [^\r]+ GMT\r\n/g, ''), wire.join(''), ways.join())
    }),
    { numRuns: 60 },
  )
})

test('an answer without a body has none', async (t) => {
  const stand = await bare(t, (request, response) => {
    const status = Number(request.url.slice(1))
    response.writeHead(status, status === 200 ? ['content-length', '3'] : [])
    if (request.url.endsWith('5')) response.write(Buffer.from('abc'))
    response.end('abc')
    return true
  })
  const close = (text: string): string => text.replace('Host', 'Connection: close\r\nHost')
  for (const text of ['HEAD /200', 'GET /204', 'GET /304', 'HEAD /205']) {
    const got = await answers(stand, close(ONE.replace('GET /a', text)))
    t.match(got, /\r\n\r\n$/, text)
    t.equal(got.split('\r\n\r\n').length, 2, text)
  }
})

test('an answer that says its date has that one, and no other', async (t) => {
  const said = 'Sun, 06 Nov 1994 08:49:37 GMT'
  const stand = await bare(t, (_request, response) => {
    response.writeHead(200, ['date', said])
    response.end('a')
    return true
  })
  const got = await answers(stand, ONE.replace('Host', 'Connection: close\r\nHost'))
  t.same(got.match(/^date: .*$/gim), [`date: ${said}`])
})

test('what is no header is thrown at whoever says it, and nothing of it is sent', async (t) => {
  const thrown: unknown[] = []
  const attempts: ((response: WholeResponse) => void)[] = [
    (response) => response.writeHead(200, ['x-a', 'b\r\nSet-Cookie: c']),
    (response) => response.writeHead(200, ['x a', 'b']),
    (response) => response.writeHead(200, ['', 'b']),
    (response) => response.writeHead(99, []),
    (response) => response.addTrailers([['x-a', 'b\nc']]),
    (response) => response.writeEarlyHints({ link: ['a\r\n\r\nHTTP/1.1 200 OK'] }),
  ]
  const stand = await bare(t, (_request, response) => {
    for (const attempt of attempts) {
      try {
        attempt(response)
      } catch (error) {
        thrown.push(error)
      }
    }
    t.equal(response.headersSent, false)
    response.writeHead(502, [])
    response.end()
    return true
  })
  const got = await answers(stand, ONE.replace('Host', 'Connection: close\r\nHost'))
  t.equal(thrown.length, attempts.length)
  t.match(
    got,
    /^HTTP\/1\.1 502 Bad Gateway\r\nDate: [^\r]+\r\nConnection: close\r\nContent-Length: 0\r\n\r\n$/,
  )
})

test('a body that is not taken is not written on until there is room', async (t) => {
  const found: WholeResponse[] = []
  let drained = 0
  const stand = await bare(t, (_request, response) => {
    found.push(response)
    response.writeHead(200, [])
    response.on('drain', () => drained++)
    return true
  })
  const raw = new Raw(stand).write(ONE)
  await eventually(() => found.length === 1, 'a question')
  raw.socket.pause()
  const [response] = found
  const block = Buffer.alloc(65_536)
  let hasRoom = true
  // more than the kernel keeps for both ends
  for (let i = 0; i < 256; i++) hasRoom = response?.write(block) ?? true
  t.equal(hasRoom, false)
  await pause(20)
  t.equal(drained, 0)
  raw.socket.resume()
  await eventually(() => drained > 0, 'room')
  raw.socket.destroy()
})

test('a receipt is JSON of its length, whatever the path is called', async (t) => {
  const stand = await serve(t)
  const client = await subscribed(stand)
  await publish(stand, 'n/%C3%A9', 'é')
  t.equal((await client.path('n/é')).message, 'é')
})
