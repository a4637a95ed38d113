/** Bodies through a front: both ways at once, at the pace of who reads, within times and lengths. */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { PipeGateway } from '@sapwood/pipe'
import fc from 'fast-check'
import { test } from 'tap'
import { call, eventually, open, pause, Raw, read, within } from '../http/support.ts'
import type { Arrived } from './front-stand.ts'
import { outcome, ScriptedAnswerer, serve, wheel } from './front-stand.ts'

test('a body of which too much has gone to be said again ends with its peer', async (t) => {
  const stand = await serve(
    t,
    new ScriptedAnswerer(() => undefined),
    {},
    { streamWindow: 1_000_000 },
  )
  const { asker } = stand
  asker.pair.held = true
  const lost = call(stand, '/client/alpha/x', { body: 'x'.repeat(300_000) })
  await eventually(() => asker.asked.length === 1, 'a question')
  await pause(50)
  asker.away.add('alpha')
  asker.pair.near.session.close({ code: 'CONNECTION_LOST', detail: 'x' })
  t.same(outcome(await lost), [502, '254', 'CONNECTION_LOST'])
  t.equal(asker.waiting, 0)
})

test('at a hub a body over limits.stream is refused: at once where it says so, else when it is too long', async (t) => {
  const peer = new ScriptedAnswerer(() => undefined)
  const { asker } = await serve(t, peer)
  const gateway = new PipeGateway({ asker, wheel, stream: 1_000 })
  const server = createServer((request, response) => {
    const target = { name: 'alpha', tail: request.url ?? '/' }
    gateway.take(request, response, { target, isCredential: false })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const head = 'POST /x HTTP/1.1\r\nHost: localhost\r\n'
  const said = new Raw({ port }).write(`${head}Content-Length: 1001\r\n\r\n`)
  await said.got('STREAM_TOO_LARGE')
  t.equal(asker.asked.length, 0, 'nobody was asked')
  const chunk = `1f5\r\n${'x'.repeat(501)}\r\n`
  const unsaid = new Raw({ port }).write(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`)
  const request = await peer.arrived(1)
  unsaid.write(chunk)
  await unsaid.got('STREAM_TOO_LARGE')
  await eventually(() => request.fault !== undefined, 'a peer that is told')
  t.equal(request.fault?.code, 'STREAM_TOO_LARGE')
  for (const { socket } of [said, unsaid]) socket.destroy()
})

test('answers to pipelined requests keep their order and every byte, whatever their sizes', async (t) => {
  const bodyOf = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, i) => i))
  const peer = new ScriptedAnswerer(({ head, exchange }) => {
    const body = bodyOf(Number(head.target.slice(1)))
    const headers = ['content-length', String(body.length)]
    exchange.respond({ status: 200, headers, code: 0 }, body.length === 0)
    if (body.length > 0) exchange.endWith(body)
  })
  const stand = await serve(t, peer)
  // what goes as text with its head, what does not, and what comes in parts
  const size = fc.constantFrom(0, 1, 255, 4_096, 4_097, 20_000, 100_000)
  const sizes = fc.array(size, { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(sizes, async (sizes) => {
      const head = (bytes: number): string =>
        `GET /client/alpha/${bytes} HTTP/1.1\r\nHost: localhost\r\n`
      const last = sizes.length - 1
      const close = (i: number): string => (i === last ? 'Connection: close\r\n\r\n' : '\r\n')
      const raw = new Raw(stand).write(sizes.map((bytes, i) => head(bytes) + close(i)).join(''))
      let rest = await within(raw.ended(), `answers of ${sizes} bytes`)
      for (const bytes of sizes) {
        const end = rest.indexOf('\r\n\r\n') + 4
        t.match(
          rest.slice(0, end),
          new RegExp(`^HTTP/1.1 200 OK\r\n[^]*content-length: ${bytes}\r\n`, 'i'),
        )
        const body = Buffer.from(rest.slice(end, end + bytes), 'latin1')
        if (!body.equals(bodyOf(bytes))) throw new Error(`a body of ${bytes} bytes is another`)
        rest = rest.slice(end + bytes)
      }
      t.equal(rest, '')
    }),
    { numRuns: 25 },
  )
})

test('a small answer is one write with its length; a long one streams as it comes', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    if (request.head.target === '/small') return request.answer(200, 'small')
    request.exchange.respond({ status: 200, headers: ['trailer', 'x-sum'], code: 0 }, false)
    request.exchange.write(Buffer.from('one'))
  })
  const stand = await serve(t, peer)
  const small = await call(stand, '/client/alpha/small')
  t.equal(small.headers['content-length'], '5')
  const response = await open(stand, '/client/alpha/streams')
  t.equal(response.headers['transfer-encoding'], 'chunked')
  const [first] = (await new Promise((resolve) =>
    response.once('data', (chunk) => resolve([chunk])),
  )) as [Buffer]
  t.equal(String(first), 'one')
  const { exchange } = await peer.arrived(2)
  exchange.write(Buffer.from('two'))
  exchange.end(['x-sum', '2', 'content-length', '7', 'set-cookie', 'a=b'])
  t.equal((await read(response)).text, 'two')
  t.same(response.rawTrailers, ['x-sum', '2'])
})

test('what one turn brings of a long answer is one write', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.exchange.respond({ status: 200, headers: [], code: 0 }, false)
  })
  const stand = await serve(t, peer)
  const writes: string[] = []
  const socket = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      writes.push(String(chunk))
      done()
    },
    writev(chunks, done) {
      writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString())
      done()
    },
  })
  t.teardown(() => socket.destroy())
  // of a socket, Node's server uses what any stream has
  stand.front.accept(socket as Socket)
  socket.push('GET /client/alpha/streams HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const { exchange } = await peer.arrived()
  await eventually(() => writes.length > 0, 'the head')
  for (const part of ['one', 'two', 'three']) {
    exchange.write(Buffer.from(part))
    stand.pair.carry()
    // a turn has many ticks, and each record of TLS one of its own
    await new Promise<void>((resolve) => process.nextTick(resolve))
  }
  await eventually(() => writes.length > 1, 'the parts')
  t.equal(writes.length, 2)
  t.match(writes[1], /one.*two.*three/s)
})

test('HEAD, 204 and 304 have no body, and a length only where it may stand', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    const status = Number(request.head.target.slice(1))
    const headers = status === 200 ? ['content-length', '5'] : []
    request.exchange.respond({ status, headers, code: 0 }, status !== 200)
    if (status === 200) request.exchange.endWith(Buffer.from('extra'))
  })
  const stand = await serve(t, peer)
  const head = await call(stand, '/client/alpha/200', { method: 'HEAD' })
  t.same([head.status, head.headers['content-length'], head.text], [200, '5', ''])
  for (const status of [204, 304]) {
    const answer = await call(stand, `/client/alpha/${status}`)
    t.same([answer.status, answer.headers['content-length'], answer.text], [status, undefined, ''])
  }
})

test('both bodies at once, as fast as their readers; memory is bounded by the windows', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.exchange.respond({ status: 200, headers: [], code: 0 }, false)
    request.data = (part) => {
      request.size += part.length
      if (request.head.target === '/echo') {
        request.exchange.write(part)
        request.exchange.took(part.length)
      }
    }
    request.ended = () => request.exchange.end()
  })
  const stand = await serve(t, peer, {}, { streamWindow: 65_536, sessionWindow: 1_048_576 })
  const echo = await call(stand, '/client/alpha/echo', { body: Buffer.alloc(3_000_000, 'x') })
  t.equal(echo.text.length, 3_000_000)
  // nobody takes: the caller is not read on
  const raw = new Raw(stand)
  raw.write(
    'POST /client/alpha/stuck HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n',
  )
  const stuck = await peer.arrived(2)
  const chunk = Buffer.alloc(1_000_000)
  for (let i = 0; i < 50; i++) raw.write(chunk)
  await pause(100)
  const { size } = stuck
  t.ok(size > 0 && size <= 65_536, `${size} bytes have come`)
  t.ok(raw.socket.writableLength > 30_000_000, 'the rest waits with the caller')
  raw.socket.destroy()
})

test('a caller that does not read holds the peer back, and is let go after a while', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.exchange.respond({ status: 200, headers: [], code: 0 }, false)
    const chunk = Buffer.alloc(65_536)
    let sent = 0
    request.drained = () => {
      while (sent < 100_000_000) {
        sent += chunk.length
        request.size = sent
        if (!request.exchange.write(chunk)) return
      }
    }
    request.drained()
  })
  const stand = await serve(t, peer, { limits: { bodyTime: 300 } })
  const raw = new Raw(stand)
  raw.socket.pause()
  raw.write('GET /client/alpha/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const request = await peer.arrived()
  await eventually(() => request.fault !== undefined, 'a cancel')
  t.ok(request.size < 50_000_000, `${request.size} bytes were sent`)
})

test('a body that pauses for too long is a 408; a peer that pauses within its time is not', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.ended = () => request.answer(200, 'ok')
  })
  const stand = await serve(t, peer, { timeout: 120, limits: { bodyTime: 120 } })
  const raw = new Raw(stand)
  raw.write('POST /client/alpha/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n')
  for (let i = 0; i < 5; i++) {
    raw.write(Buffer.alloc(10_000))
    await pause(50)
  }
  t.equal(raw.text, '', 'as long as something comes')
  await raw.got('BODY_TIMEOUT')
  t.match(raw.text, /^HTTP\/1\.1 408 /)
})

test('an answer before the end of the request is not lost, and the connection goes on', async (t) => {
  const peer = new ScriptedAnswerer((request) => request.answer(413, 'too much'))
  const stand = await serve(t, peer)
  const raw = new Raw(stand)
  raw.write('POST /client/alpha/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nabcd')
  await raw.got('too much')
  raw.write('efghGET /client/alpha/y HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await peer.arrived(2)
  const slow = new Raw(stand)
  slow.write('POST /client/alpha/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nabcd')
  t.match(await slow.ended(), /too much/, 'and a caller that never ends is let go')
})

test('Expect: 100-continue is answered when the peer is there; interim answers pass', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.exchange.respond(
      { status: 103, headers: ['link', '</a.css>; rel=preload'], code: 0 },
      false,
    )
    request.exchange.respond({ status: 102, headers: [], code: 0 }, false)
    request.ended = () => request.answer(200, request.text)
  })
  const stand = await serve(t, peer, { wait: 50 })
  const head = 'Host: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'
  const raw = new Raw(stand).write(`POST /client/alpha/x HTTP/1.1\r\n${head}`)
  await raw.got('100 Continue')
  await raw.got('</a.css>')
  await raw.got('102 Processing')
  raw.write('ab')
  await raw.got('\r\n\r\nab')
  stand.asker.away.add('alpha')
  const away = new Raw(stand).write(`POST /client/alpha/x HTTP/1.1\r\n${head}`)
  await away.got('CLIENT_ABSENT')
  t.match(away.text, /^HTTP\/1\.1 503 /, 'and never said when it is not')
})

test('what breaks behind the head of an answer breaks the connection, so that it cannot pass for whole', async (t) => {
  const more = (request: Arrived, headers: readonly string[]): void => {
    request.exchange.respond({ status: 200, headers, code: 0 }, false)
    request.exchange.write(Buffer.from('first'))
  }
  const breaks: Record<string, (request: Arrived) => void> = {
    '/reset': (request) => request.exchange.cancel({ code: 'TARGET_LOST', detail: 'x' }),
    '/long': (request) => request.exchange.endWith(Buffer.from('ab')),
    '/short': (request) => request.exchange.end(),
    '/link': () => undefined,
  }
  const peer = new ScriptedAnswerer((request) =>
    more(request, request.head.target === '/reset' ? [] : ['content-length', '6']),
  )
  const stand = await serve(t, peer)
  for (const [tail, run] of Object.entries(breaks)) {
    const response = await open(stand, `/client/alpha${tail}`)
    await new Promise((resolve) => response.once('data', resolve))
    run(await peer.arrived(peer.requests.all.length))
    if (tail === '/link') stand.pair.near.session.close({ code: 'SESSION_EXPIRED', detail: 'x' })
    await t.rejects(read(response), { code: 'ECONNRESET' }, tail)
  }
  t.equal(stand.front.counters.open, 0)
  t.equal(stand.front.counters.faults.get('ANSWER_INVALID'), 2)
})
