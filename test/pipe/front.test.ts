/** Fronts: any HTTP request becomes one of the pipe, and its answer the response (RP-02 to RP-06, RP-08, RP-09). */
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerer, PipeGateway } from '@sapwood/pipe'
import fc from 'fast-check'
import { test } from 'tap'
import { call, eventually, pause, Raw } from '../http/support.ts'
import { listening, NO_BUFFERS } from '../listening.ts'
import type { Arrived } from './front-stand.ts'
import { gone, outcome, ScriptedAnswerer, serve, wheel } from './front-stand.ts'

const OK = (request: Arrived): void =>
  request.answer(200, '{"t":1}', ['content-type', 'application/json'])

test('the tail travels as it came, less wait and timeout (RP-02, RP-03, RP-11)', async (t) => {
  const rows: [string | undefined, string, string][] = [
    ['server', '/server/time', '/time'],
    ['server', '/server', '/'],
    ['server', '/server/', '/'],
    ['server', '/server?x=1', '/?x=1'],
    ['server', '/server/cat//hello%20/world', '/cat//hello%20/world'],
    ['server', '/server//a//b//', '//a//b//'],
    ['server', '/server/a%2Fb?q=%2F&wait=1s&timeout=2s', '/a%2Fb?q=%2F'],
    [undefined, '/client/alpha/cat//a/b?x', '/cat//a/b?x'],
    [undefined, '/client/alpha', '/'],
    [undefined, '/client/localhost/time', '/time'],
    [undefined, 'http://fileserver/x?wait=1s', '/x?wait=1s'],
    [undefined, 'http://FileServer:8080', '/'],
    ['server', 'http://alpha//a//b', '//a//b'],
  ]
  for (const [server, target, tail] of rows) {
    const peer = new ScriptedAnswerer(OK)
    const stand = await serve(t, peer, server === undefined ? {} : { server })
    const answer = await call(stand, target)
    t.same(outcome(answer), [200, '0', ''], target)
    t.equal((await peer.arrived()).head.target, tail, target)
  }
})

test('what names nobody, or could be read in two ways, is refused', async (t) => {
  const peer = new ScriptedAnswerer(OK)
  const stand = await serve(t, peer)
  const rows: [string, number, string][] = [
    ['/', 404, 'NOT_FOUND'],
    ['/client', 404, 'NOT_FOUND'],
    ['/client/', 404, 'NOT_FOUND'],
    ['/server/time', 404, 'NOT_FOUND'],
    ['/clients/alpha/x', 404, 'NOT_FOUND'],
    ['/client/nobody/time', 404, 'CLIENT_UNKNOWN'],
    ['http://nobody.example/', 404, 'CLIENT_UNKNOWN'],
    ['http://a@alpha/', 400, 'TARGET_INVALID'],
    ['https://alpha/', 400, 'TARGET_INVALID'],
    ['/client/a%2Fb/time', 400, 'NAME_INVALID'],
    ['/client/alpha/../x', 400, 'TARGET_INVALID'],
    ['/client/alpha/a/%2e%2E', 400, 'TARGET_INVALID'],
    ['http://alpha/./x', 400, 'TARGET_INVALID'],
    ['/client/alpha/x?wait=soon', 400, 'DURATION_INVALID'],
  ]
  for (const [target, status, code] of rows) {
    const answer = await call(stand, target)
    const returned = code === 'CLIENT_UNKNOWN' ? '252' : '249'
    t.same(outcome(answer), [status, returned, code], target)
  }
  t.equal(peer.requests.all.length, 0)
  t.equal(stand.front.counters.faults.get('CLIENT_UNKNOWN'), 2)
})

test('errors of accepting are counted, and however many do not end the front', async (t) => {
  const servers = listening(t)
  const stand = await serve(t, new ScriptedAnswerer(OK))
  for (let i = 0; i < 3; i++) servers[0]?.emit('error', NO_BUFFERS)
  t.equal(stand.front.counters.faults.get('ACCEPT_FAILED'), 3)
  t.equal((await call(stand, '/client/alpha/x')).status, 200)
})

test('verb, headers, body and trailers travel; what belongs to the connection stays (RP-04, RP-05)', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.ended = (trailers) => {
      request.trailers = trailers
      OK(request)
    }
  })
  const stand = await serve(t, peer)
  const raw = new Raw(stand)
  raw.write(
    'PATCH /client/alpha/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\n' +
      'X-Other: ü\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\nSapwood-Wait: 1s\r\n' +
      'Authorization: Bearer theirs\r\nX-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\n' +
      'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\nHost: other\r\nX-Forwarded-For: 9\r\n\r\n',
  )
  await raw.got('{"t":1}')
  const { head, trailers, text, ends } = await peer.arrived()
  t.equal(text, 'abcdefg')
  t.equal(ends, false)
  t.same(trailers, ['x-sum', '7'])
  t.equal(head.method, 'PATCH')
  t.equal(head.trace, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
  const pairs = [...Array(head.headers.length / 2).keys()].map((i) => [
    head.headers[2 * i],
    head.headers[2 * i + 1],
  ])
  t.same(pairs, [
    ['host', '127.0.0.1'],
    ['x-other', Buffer.from('ü').toString('latin1')],
    ['authorization', 'Bearer theirs'],
    ['x-forwarded-for', '127.0.0.1'],
    ['x-forwarded-host', '127.0.0.1'],
    ['x-forwarded-proto', 'http'],
  ])
})

test('of the answer, status, code, headers and trailers arrive, less what it must not say (RP-06)', async (t) => {
  const headers = [
    ['content-type', 'text/csv'],
    ['x-own', '1'],
    ['set-cookie', 'a=b'],
    ['access-control-allow-origin', '*'],
    ['sapwood-id', '1'],
    ['content-security-policy', 'none'],
    ['x-event-return-code', '99'],
    ['connection', 'x-own'],
    ['keep-alive', '1'],
  ].flat()
  const peer = new ScriptedAnswerer((request) => request.answer(203, 'a,b', headers, 7))
  const stand = await serve(t, peer)
  const answer = await call(stand, '/client/alpha/x')
  t.same([answer.status, answer.text], [203, 'a,b'])
  t.match(answer.headers, {
    'content-type': 'text/csv',
    'x-own': '1',
    'x-event-return-code': '7',
    'content-length': '3',
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
  })
  for (const name of ['set-cookie', 'access-control-allow-origin', 'sapwood-id']) {
    t.notOk(name in answer.headers, name)
  }
  const proxied = await call(stand, 'http://alpha/x')
  t.match(proxied.headers, {
    'x-event-return-code': '7',
    'set-cookie': ['a=b'],
    'access-control-allow-origin': '*',
    'content-security-policy': 'none',
  })
  t.notOk('x-content-type-options' in proxied.headers, 'unchanged in proxy form')
})

test('what is not ASCII in the head of an answer arrives byte by byte, whenever its body comes', async (t) => {
  const headers = ['x-name', 'caf\xe9', 'x-text', 'caf\xc3\xa9']
  const peer = new ScriptedAnswerer((request) => {
    if (request.head.target === '/whole') return request.answer(200, 'a,b', headers)
    request.exchange.respond({ status: 200, headers, code: 0 }, false)
    setTimeout(() => request.exchange.endWith(Buffer.from('a,b')), 30)
  })
  const stand = await serve(t, peer)
  const urls = [
    '/client/alpha/whole',
    '/client/alpha/later',
    'http://alpha/whole',
    'http://alpha/later',
  ]
  for (const url of urls) {
    const answer = await call(stand, url)
    t.match(
      [answer.headers, answer.text],
      [{ 'x-name': 'caf\xe9', 'x-text': 'caf\xc3\xa9' }, 'a,b'],
      url,
    )
  }
})

test('every outcome has its status and code, at the time it is due (RP-08, RP-09)', async (t) => {
  const answers: Record<string, (request: Arrived) => void> = {
    '/refused': (request) => request.answer(403, '{}', [], 249),
    '/none': (request) => request.answer(404, '', [], 255),
    '/reset': (request) => request.exchange.cancel({ code: 'TARGET_LOST', detail: 'x' }),
    '/never': () => undefined,
    '/busy': (request) => request.exchange.cancel({ code: 'STREAMS_FULL', detail: 'x' }),
    '/long': (request) => request.answer(200, 'abc', ['content-length', '9']),
    '/short': (request) => request.answer(200, 'abc', ['content-length', '2']),
    '/two': (request) => request.answer(200, 'abc', ['content-length', '3', 'content-length', '4']),
    '/bad': (request) => request.answer(200, 'abc', ['x-a', 'b\r\nset-cookie: a=b']),
    '/switch': (request) => request.answer(101, 'abc'),
  }
  const peer = new ScriptedAnswerer((request) => answers[request.head.target]?.(request))
  const stand = await serve(t, peer, { wait: 60, timeout: 80 })
  const rows: [string, unknown[]][] = [
    ['/refused', [403, '249', '']],
    ['/none', [404, '255', '']],
    ['/reset', [502, '254', 'TARGET_LOST']],
    ['/never', [504, '253', 'ANSWER_TIMEOUT']],
    ['/busy', [503, '252', 'STREAMS_FULL']],
    ['/long', [502, '251', 'ANSWER_INVALID']],
    ['/short', [502, '251', 'ANSWER_INVALID']],
    ['/two', [502, '251', 'ANSWER_INVALID']],
    ['/bad', [502, '251', 'ANSWER_INVALID']],
    ['/switch', [502, '251', 'ANSWER_INVALID']],
  ]
  for (const [tail, expected] of rows) {
    t.same(outcome(await call(stand, `/client/alpha${tail}`)), expected, tail)
  }
  const late = peer.requests.all.find(({ head }) => head.target === '/never')
  t.equal(late?.head.timeout, 80, 'the deadline travels')
  t.equal(late?.fault?.code, 'ANSWER_TIMEOUT', 'and the handler is told')
  stand.asker.away.add('alpha')
  const began = performance.now()
  t.same(outcome(await call(stand, '/client/alpha/x')), [503, '252', 'CLIENT_ABSENT'])
  t.ok(performance.now() - began >= 55, 'it has waited')
  t.equal(stand.front.counters.open, 0)
})

test('an absent peer is waited for; one that goes just then, or has heard nothing, is asked again', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.ended = () => request.answer(200, request.text)
    if (request.ends) request.answer(200, 'x')
  })
  const stand = await serve(t, peer)
  const { asker } = stand
  asker.away.add('alpha')
  const waiting = call(stand, '/client/alpha/x', { body: 'body' })
  await eventually(() => asker.waiting === 1, 'a question that waits')
  asker.throws.push(gone('CLIENT_ABSENT'), gone('PIPE_DRAINING'))
  asker.back('alpha')
  t.equal((await waiting).text, 'body')
  // the first of two never heard of it
  asker.pair.held = true
  const again = call(stand, '/client/alpha/again', { body: 'twice' })
  await eventually(() => asker.asked.length === 2, 'a question')
  asker.away.add('alpha')
  asker.pair.near.session.close({ code: 'CONNECTION_LOST', detail: 'x' })
  await eventually(() => asker.waiting === 1, 'a question that waits again')
  const other = await serve(t, peer)
  asker.ask = other.asker.ask.bind(other.asker)
  asker.back('alpha')
  t.equal((await again).text, 'twice')
})

test('a caller that leaves cancels at once', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    if (request.head.target === '/streams') {
      request.exchange.respond({ status: 200, headers: [], code: 0 }, false)
      request.exchange.write(Buffer.from('first'))
    }
  })
  const stand = await serve(t, peer)
  for (const tail of ['/silent', '/streams']) {
    const raw = new Raw(stand).write(`GET /client/alpha${tail} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    const request = await peer.arrived(peer.requests.all.length + 1)
    if (tail === '/streams') await raw.got('first')
    raw.socket.destroy()
    await eventually(() => request.fault !== undefined, `a cancel of ${tail}`)
    t.equal(request.fault?.code, 'CANCELLED', tail)
  }
  stand.asker.away.add('alpha')
  const raw = new Raw(stand).write('GET /client/alpha/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await eventually(() => stand.asker.waiting === 1, 'a question that waits')
  raw.socket.destroy()
  await eventually(() => stand.asker.waiting === 0, 'nobody who waits')
  stand.asker.away.clear()
  const one = 'GET /client/alpha/silent HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const pipelined = new Raw(stand).write(one + one + one)
  await peer.arrived(5)
  pipelined.socket.destroy()
  await eventually(() => peer.requests.all.every(({ fault }) => fault !== undefined), 'cancels')
  t.equal(stand.front.counters.open, 0)
})

test('request smuggling: what two programs could read in two ways is a 400', async (t) => {
  const peer = new ScriptedAnswerer(OK)
  const stand = await serve(t, peer)
  const rows = [
    'Host: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    'Host: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
    'Host: localhost\r\nContent-Length: +3\r\n\r\nabc',
    'Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'Host: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'Host: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
    'Host: localhost\r\nHost: alpha\r\nContent-Length: 0\r\n\r\n',
    'Host: localhost\r\nX: a\r\n folded: b\r\nContent-Length: 0\r\n\r\n',
    'Host: localhost\nContent-Length: 3\r\n\r\nabc',
    'Content-Length: 0\r\n\r\n',
    'Host: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n',
  ]
  for (const row of rows) {
    const raw = new Raw(stand).write(`POST /client/alpha/x HTTP/1.1\r\n${row}`)
    await raw.got('\r\n\r\n')
    t.match(raw.text, /^HTTP\/1\.1 400 /, JSON.stringify(row))
    raw.socket.destroy()
  }
  t.equal(peer.requests.all.length, 0)
})

test('drain takes nothing new, and lets what is open end', async (t) => {
  const peer = new ScriptedAnswerer()
  const stand = await serve(t, peer)
  const raw = new Raw(stand).write('GET /client/alpha/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const request = await peer.arrived()
  const drained = stand.front.drain()
  await t.rejects(call(stand, '/client/alpha/x'), { code: 'ECONNREFUSED' })
  request.answer(200, 'last')
  await drained
  t.match(await raw.ended(), /connection: close[\s\S]*last$/i)
})

test('what is open at the end of a drain, or when the front closes, is answered that it stops', async (t) => {
  for (const end of ['drain', 'close'] as const) {
    const peer = new ScriptedAnswerer()
    const stand = await serve(t, peer, { limits: { drain: 100 } })
    stand.asker.away.add('fileserver')
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    const calls = [
      'GET /client/alpha/x HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'PUT /client/alpha/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc',
      `GET /client/alpha/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`,
      'GET /client/fileserver/x HTTP/1.1\r\nHost: localhost\r\n\r\n',
    ].map((text) => new Raw(stand).write(text))
    const arrived = [await peer.arrived(1), await peer.arrived(2), await peer.arrived(3)]
    await eventually(() => stand.asker.waiting === 1, 'a question that waits')
    await stand.front[end]()
    for (const call of calls) {
      const text = await call.ended()
      t.match(text, /^HTTP\/1\.1 502 .*x-event-return-code: 254.*"code":"SHUTDOWN"/is, end)
      t.match(text, /^connection: close\r$/im)
    }
    t.ok(
      arrived.every(({ fault }) => fault !== undefined),
      'the peer hears of it',
    )
  }
})

test('a drain ends with its front', async (t) => {
  const peer = new ScriptedAnswerer()
  const stand = await serve(t, peer)
  new Raw(stand).write('GET /client/alpha/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await peer.arrived()
  const drained = stand.front.drain()
  await stand.front.close()
  await drained
  t.pass('and not with its limit')
})

test('a server with a door of its own hands requests on, without the credential that it took', async (t) => {
  const peer = new ScriptedAnswerer((request) =>
    request.answer(200, `${request.head.target} ${request.header('authorization')}`),
  )
  const { asker } = await serve(t, peer)
  const gateway = new PipeGateway({ asker, wheel })
  const server = createServer((request, response) => {
    const target = { name: 'alpha', tail: request.url ?? '/' }
    const isCredential = request.headers.authorization === 'Bearer hub'
    const fault = gateway.take(request, response, { target, isCredential })
    if (fault !== undefined) response.writeHead(400).end(fault.code)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  for (const [authorization, passed] of [
    ['Bearer hub', 'undefined'],
    ['Bearer theirs', 'Bearer theirs'],
  ] as const) {
    const answer = await call({ port }, '/a//b', { headers: { authorization } })
    t.same([answer.status, answer.text], [200, `/a//b ${passed}`])
  }
  t.equal(gateway.counters.requests, 2)
})

test('wait and timeout may be headers; then the query travels whole', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    if (request.head.target !== '/never') request.answer(200, 'x')
  })
  const stand = await serve(t, peer)
  const headers = { 'sapwood-wait': '30ms', 'sapwood-timeout': '40ms' }
  await call(stand, '/client/alpha/x?timeout=9s&wait=9s&a=b', { headers })
  const { head } = await peer.arrived()
  t.equal(head.target, '/x?timeout=9s&wait=9s&a=b')
  t.equal(head.timeout, 40)
  t.equal(head.headers.includes('sapwood-wait'), false)
  for (const target of ['/client/alpha/never', 'http://alpha/never']) {
    t.equal((await call(stand, target, { headers })).status, 504, target)
  }
  stand.asker.away.add('alpha')
  for (const target of ['/client/alpha/x', 'http://alpha/x']) {
    t.equal((await call(stand, target, { headers })).status, 503, target)
  }
})

test('whatever headers a caller sends, none of its connection reaches the peer, and none of proxies', async (t) => {
  const peer = new ScriptedAnswerer((request) => request.answer(200, 'x'))
  const stand = await serve(t, peer)
  const hop = [
    'keep-alive',
    'te',
    'trailer',
    'proxy-connection',
    'proxy-authorization',
    'http2-settings',
    'x-a',
  ]
  const about = ['forwarded', 'x-forwarded-for', 'x-forwarded-port', 'x-real-ip', 'sapwood-timeout']
  const name = fc.constantFrom(...hop, ...about, 'x-b', 'accept', 'cookie')
  const value = fc.constantFrom('1s', 'x', 'a=b', '')
  const cased = fc.tuple(name, fc.boolean()).map(([text, up]) => (up ? text.toUpperCase() : text))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cased, value), { maxLength: 8 }), async (pairs) => {
      const count = peer.requests.all.length + 1
      const named = 'X-A, host, content-length'
      const lines = pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const raw = new Raw(stand).write(
        `GET /client/alpha/x HTTP/1.1\r\nHost: localhost\r\nConnection: ${named}\r\n${lines}Connection: close\r\n\r\n`,
      )
      await raw.ended()
      if (/ 400 /.test(raw.text)) return raw.text.includes('DURATION_INVALID')
      const { head } = await peer.arrived(count)
      const seen = head.headers.filter((_, i) => i % 2 === 0)
      const kept = pairs
        .map(([name]) => name.toLowerCase())
        .filter((name) => /^(?:x-b|accept|cookie)$/.test(name))
      return (
        JSON.stringify(seen) ===
        JSON.stringify([
          'host',
          ...kept,
          'x-forwarded-for',
          'x-forwarded-host',
          'x-forwarded-proto',
        ])
      )
    }),
    { numRuns: 60 },
  )
})

test('an upgrade: nothing passes before the 101, then all does, each way until its end', async (t) => {
  const peer = new ScriptedAnswerer()
  const stand = await serve(t, peer, { timeout: 200 })
  const head = (tail: string): string =>
    `GET /client/alpha/${tail} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n`
  const raw = new Raw(stand).write(`${head('chat')}early`)
  const request = await peer.arrived()
  t.same([request.header('upgrade'), request.header('connection')], ['chat', undefined])
  await pause(20)
  t.equal(request.size, 0)
  const { exchange } = request
  exchange.respond({ status: 101, headers: ['upgrade', 'chat', 'x-a', 'b'], code: 0 }, false)
  exchange.write(Buffer.from('hello'))
  await raw.got('hello')
  t.match(raw.text, /^HTTP\/1\.1 101 Switching Protocols\r\nx-a: b\r\n[\s\S]*upgrade: chat\r\n/)
  raw.write(' late').socket.end()
  await eventually(() => request.isWhole, 'the end')
  t.equal(request.text, 'early late')
  exchange.end()
  await raw.ended()
  // who does not agree never sees what follows
  const refused = new Raw(stand).write(`${head('no')}GET /smuggled HTTP/1.1\r\n\r\n`)
  const no = await peer.arrived(2)
  no.exchange.respond({ status: 426, headers: [], code: 0 }, false)
  no.exchange.endWith(Buffer.from('not here'))
  t.match(await refused.ended(), /^HTTP\/1\.1 426 [\s\S]*connection: close\r\n\r\nnot here$/)
  t.equal(no.size, 0)
  // and nobody waits for ever
  t.match(await new Raw(stand).write(head('never')).ended(), / 504 [\s\S]*ANSWER_TIMEOUT/)
  t.match(await new Raw(stand).write(head('never').replace('alpha', 'nobody')).ended(), / 404 /)
  const body = head('x').replace('\r\n\r\n', '\r\nContent-Length: 1\r\n\r\na')
  t.match(await new Raw(stand).write(body).ended(), / 400 [\s\S]*no body/)
  t.match(
    await new Raw(stand).write('CONNECT alpha:80 HTTP/1.1\r\nHost: alpha\r\n\r\n').ended(),
    / 405 /,
  )
  t.equal(stand.front.counters.open, 0)
})

test('what answers an upgrade without content says no length, and nothing follows its head', async (t) => {
  const peer = new ScriptedAnswerer()
  const stand = await serve(t, peer, { timeout: 2_000 })
  const length = ['content-length', '5', 'x-a', 'b']
  let calls = 0
  const answered = async (method: string, status: number): Promise<string> => {
    const upgrade = 'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: chat'
    const raw = new Raw(stand).write(`${method} /client/alpha/x HTTP/1.1\r\n${upgrade}\r\n\r\n`)
    const { exchange } = await peer.arrived(++calls)
    const isOpen = status === 101
    exchange.respond(
      { status, headers: isOpen ? ['upgrade', 'chat', ...length] : length, code: 0 },
      false,
    )
    exchange.endWith(Buffer.from('hello'))
    if (!isOpen) return raw.ended()
    await raw.got('hello')
    raw.socket.end()
    return raw.text
  }
  const switched = await answered('GET', 101)
  t.match(switched, /^HTTP\/1\.1 101 [\s\S]*x-a: b\r\n[\s\S]*\r\n\r\nhello$/)
  t.notMatch(switched, /content-length/i)
  const empty = await answered('GET', 204)
  t.match(empty, /^HTTP\/1\.1 204 [\s\S]*x-a: b\r\n[\s\S]*\r\n\r\n$/)
  t.notMatch(empty, /content-length/i)
  // these say how long it would have been
  for (const [method, status] of [
    ['GET', 304],
    ['HEAD', 200],
  ] as const) {
    t.match(await answered(method, status), /content-length: 5\r\n\r\n$/)
  }
  t.match(await answered('GET', 403), /content-length: 5\r\n\r\nhello$/)
  await eventually(() => stand.front.counters.open === 0, 'the end of all')
})

test('a request that goes round from a front to a peer to the front ends after 16 relays', async (t) => {
  let rounds = 0
  let url = ''
  // whatever it is asked, it hands on to the front: nothing in the target tells that it went round
  const loop = createServer((request, response) => {
    rounds++
    const on = httpRequest(`${url}/client/alpha/x`, { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    request.pipe(on)
  })
  await new Promise<void>((resolve) => loop.listen(0, '127.0.0.1', resolve))
  t.teardown(() => loop.close().closeAllConnections())
  const { port } = loop.address() as AddressInfo
  const target = answerer({ role: 'client', target: `http://127.0.0.1:${port}`, wheel })
  t.teardown(() => target.close())
  const stand = await serve(t, target)
  url = stand.url
  const answer = await call(stand, '/client/alpha/x')
  t.equal(answer.status, 508)
  t.equal(answer.json.code, 'RELAY_LOOP')
  t.equal(rounds, 17)
  const far = await call(stand, '/client/alpha/x', { headers: { 'sapwood-hops': '17' } })
  t.same(outcome(far), [508, '249', 'RELAY_LOOP'])
  t.equal(rounds, 17)
})
