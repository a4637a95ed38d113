import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as dialTls } from 'node:tls'
import { Portal } from '@sapwood/auth'
import { ANYONE, jsonMessage, message, type Principal, TEXT_TYPE } from '@sapwood/core'
import { connections, duplexPair, portSwitch, serviceTarget } from '@sapwood/net'
import { cuts, FakeClock, randomNumbers } from '@sapwood/testkit'
import { http, line } from '@sapwood/wire'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { Authority } from './certificates.ts'
import { LinePort, LineSocket, until } from './line-port.ts'

test('both grammars publish, CRLF and LF end a line, a last line needs no end (DB-11, DB-12, DB-24)', async (t) => {
  const port = await LinePort.open(t)
  const seen: unknown[] = []
  port.hub.subscribe('**', ({ body, type }, path) => seen.push([path, body, type]))
  const client = await port.client(
    'my/data;hello\r\nmy/data; a;b\n\nUPDATE process/a; {progress:.5}\r\nUPDATE file/x.txt\n' +
      'a%3Bb;two\\nlines\nj; {"n": [1, 2]}\nlast;one',
  )
  client.socket.end()
  t.equal(await client.rest(), '')
  const json = 'application/json'
  t.same(seen, [
    ['my/data', 'hello', TEXT_TYPE],
    ['my/data', 'a;b', TEXT_TYPE],
    ['process/a', '{progress:.5}', TEXT_TYPE],
    ['file/x.txt', '""', json],
    ['a;b', 'two\nlines', TEXT_TYPE],
    ['j', '{"n": [1, 2]}', json],
    ['last', 'one', TEXT_TYPE],
  ])
})

test('what is said is the same however it is cut, and so is the answer', async (t) => {
  const port = new LinePort()
  const lines = connections('memory', {})
  const said = '::connect;ä/*\r\nä/1; größe\n\nbad//path;1\nä/2;{"n": 1}\n::disconnect;ä/*\nlast'
  const expected = [
    '::connected; ä/*',
    'ä/1; größe',
    '::error; PATH_INVALID the path "bad//path" has an empty segment',
    'ä/2; {"n":1}',
    '::disconnected; ä/*',
  ]
  for (const { name, chunks } of cuts(said, { random: 10 })) {
    const [near, far] = duplexPair()
    lines.adopt(far, port.ingress.acceptor)
    const client = new LineSocket(near as never)
    for (const chunk of chunks) near.write(chunk)
    near.end()
    t.same((await client.rest()).trimEnd().split('\n'), expected, name)
  }
  t.equal(port.hub.sessions.size, 0)
  await lines.shutdown()
  await port.close()
})

test('garbage gets errors by name, and hinders nobody else', async (t) => {
  const port = new LinePort()
  const lines = connections('memory', {})
  const random = randomNumbers(11)
  const words = [
    '::hello',
    '::connect',
    '::key',
    '::exit',
    'UPDATE ',
    ';',
    '->',
    '@a/b',
    '\r',
    '{"',
  ]
  const clients = Array.from({ length: 200 }, () => {
    const [near, far] = duplexPair()
    lines.adopt(far, port.ingress.acceptor)
    const client = new LineSocket(near as never)
    for (let n = 0; n < 12; n++) {
      const word = words[Math.floor(random() * words.length)] ?? ''
      const bytes = Buffer.from(Array.from({ length: 6 }, () => Math.floor(random() * 256)))
      near.write(random() < 0.6 ? word : bytes)
      if (random() < 0.4) near.write('\n')
    }
    near.end()
    return client
  })
  const codes = new Set<string>()
  for (const client of clients) {
    for (const [, code = ''] of (await client.rest()).matchAll(/^::error; ([A-Z_]+) ./gm)) {
      codes.add(code)
    }
  }
  t.ok(codes.has('PATH_INVALID') && codes.has('LINE_INVALID') && codes.has('PATTERN_INVALID'))
  t.equal(port.hub.sessions.size, 0)
  t.equal(port.hub.counters.thrown, 0)
  t.equal(lines.counters.faults.get('APPLICATION_FAILED'), undefined)
  await lines.shutdown()
  await port.close()
})

test('a connection is a session: it has a name, it is listed, it ends with its socket', async (t) => {
  const port = await LinePort.open(t)
  const client = await port.client('::hello; sensor-1\n')
  const [, id = ''] = /^::hello; (\S+)$/.exec(await client.line()) ?? []
  const [session] = [...port.hub.sessions]
  t.match(session, { id, name: 'sensor-1', kind: 'line', address: '127.0.0.1', view: true })
  client.say('::hello\n')
  t.equal(await client.line(), `::hello; ${id}`, 'said again it tells the id again')
  client.say('::hello; no name\n')
  t.equal(await client.line(), `::hello; ${id}`)
  t.equal(session?.name, 'no', 'of several words the first is the name')
  client.say('::hello; not/a/name\n')
  await client.line()
  t.match(await client.line(), /^::error; NAME_INVALID /)
  client.close()
  await until(() => port.hub.sessions.size === 0)
  t.equal(port.hub.controller.get(id), undefined)
  const silent = await port.client()
  await port.client('\n\n')
  silent.close()
  t.equal(port.hub.sessions.size, 0, 'who says nothing is no session')
})

test('updates come back as lines: JSON as compact text, text escaped, in their order', async (t) => {
  const port = await LinePort.open(t)
  const one = await port.client('::connect; a/**\n')
  const two = await port.client('::connect;a/**\n::connect;b;c\n')
  t.same(await one.lines(1), ['::connected; a/**'])
  t.same(await two.lines(2), ['::connected; a/**', '::connected; b;c'])
  const publisher = port.hub.controller
  port.hub.update(publisher, 'a/1', message('{ "x" : [ 1 , 2 ] }'))
  port.hub.update(publisher, 'a/2', message('one\ntwo\\', TEXT_TYPE))
  port.hub.update(publisher, 'a/50%;', jsonMessage(''))
  port.hub.update(publisher, 'b;c', message('x', TEXT_TYPE))
  const seen = ['a/1; {"x":[1,2]}', 'a/2; one\\ntwo\\\\', 'a/50%25%3B; ']
  t.same(await one.lines(3), seen)
  t.same(await two.lines(4), [...seen, 'b%3Bc; x'])
  two.say('::disconnect;a/**\n')
  t.equal(await two.line(), '::disconnected; a/**')
  two.say('::disconnect;never/taken\n::connect;a/**/b\n::reply;x\n')
  t.match(await two.lines(2), [/^::error; PATTERN_INVALID /, /^::error; REPLY_UNKNOWN /])
})

test('who is trusted subscribes others by id, who is not subscribes nobody else (DB-07, DB-08)', async (t) => {
  const port = await LinePort.open(t, { dev: false, hub: { public: ['open/**'] } })
  const client = await port.client('::hello\n')
  const id = (await client.line()).slice(9)
  const stranger = await port.client(`::connect;${id}->closed/1\n::connect;closed/1\nclosed/1;x\n`)
  t.match(await stranger.lines(3), [
    /^::error; PATTERN_INVALID /,
    /^::error; NOT_ALLOWED anyone may not subscribe closed\/1/,
    /^::error; NOT_ALLOWED anyone may not publish closed\/1/,
  ])
  const trusted = await port.client(`::key;s3cret\n::connect;${id}->closed/1\nclosed/1;psst\n`)
  t.same(await client.lines(2), ['::connected; closed/1', 'closed/1; psst'])
  trusted.say(`::disconnect;${id}->closed/1\n`)
  t.equal(await client.line(), '::disconnected; closed/1')
  t.equal(trusted.text, '')
})

test('rights are those of the gate; a loopback peer is trusted in dev only; a key opens', async (t) => {
  const rules = [{ who: 'anyone', may: ['publish'], path: 'in/**' }] as const
  const port = await LinePort.open(t, { dev: false, hub: { rules, public: ['out/*'] } })
  const bodies = port.bodies('**')
  const client = await port.client('in/1;1\nelse;2\n::connect;out/*\n::hello; me\n')
  t.match(await client.lines(4), [
    /^::error; NOT_ALLOWED anyone may not publish else/,
    '::connected; out/*',
    /^::hello; hub-/,
    /^::error; NOT_ALLOWED anyone may not answer as "me"/,
  ])
  client.say('::key; s3cret\nelse;3\n::hello; me\n')
  t.match(await client.lines(1), [/^::hello; hub-/])
  t.match([...port.hub.sessions], [{ name: 'me', principal: { trusted: true } }])
  t.same(bodies, ['1', '3'])
  const wrong = await port.client('::key;wrong\nin/1;4\n')
  t.match(await wrong.rest(), /^::error; CREDENTIAL_INVALID [^\n]*\n$/)
  const none = await port.client('::key\nin/1;5\n')
  t.match(await none.line(), /^::error; KEY_MISSING /)
  await until(() => bodies.length === 3)
  t.same(bodies, ['1', '3', '5'], 'nothing behind a wrong key is taken')
})

test('lines behind a key that takes its time wait for it', async (t) => {
  let answer: (() => void) | undefined
  const found: Principal = { id: 'user:alice', trusted: false }
  const portal = new Portal([{ check: (_, done) => (answer = () => done(found)) }])
  const rules = [{ who: 'user:*', may: ['publish'], path: '**' }] as const
  const port = await LinePort.open(t, { dev: false, hub: { portal, rules } })
  const bodies = port.bodies('**')
  const client = await port.client('::key;slow\na;1\n')
  client.say('a;2\n')
  await until(() => answer !== undefined)
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(bodies, [])
  answer?.()
  await until(() => bodies.length === 2)
  t.same(bodies, ['1', '2'])
  answer = undefined
  client.say('::key;slow\na;3')
  client.socket.end()
  await until(() => answer !== undefined)
  ;(answer as unknown as () => void)()
  t.equal(await client.rest(), '')
  t.same(bodies, ['1', '2', '3'], 'an end of file waits as well')
  t.equal(port.hub.sessions.size, 0)
})

test('a line that is too long or no UTF-8 is told and skipped, the connection goes on', async (t) => {
  const port = await LinePort.open(t, { line: { length: 10 } })
  const bodies = port.bodies('a')
  const client = await port.client(`a;12345678\r\na;123456789\na;2\n${'x'.repeat(100_000)}`)
  client.say(Buffer.concat([Buffer.from('\n'), Buffer.of(0x61, 0x3b, 0xff, 0x0a)]))
  client.say('a;3\n::exit\n')
  t.match((await client.rest()).trimEnd().split('\n'), [
    /^::error; LINE_TOO_LONG .*10 bytes/,
    /^::error; LINE_TOO_LONG /,
    /^::error; LINE_INVALID .*UTF-8/,
  ])
  t.same(bodies, ['12345678', '2', '3'])
  t.equal(port.hub.counters.faults.get('LINE_TOO_LONG'), 2)
})

test('a browser or a TLS client is closed unread', async (t) => {
  const port = await LinePort.open(t)
  const bodies = port.bodies('**')
  const hello = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03])
  const first = [
    'POST /x HTTP/1.1\r\nHost: x\r\n\r\na;1\r\n',
    'GET /a%3B1 HTTP/1.1\r\n\r\n',
    'OPTIONS * HTTP/1.0\n\na;1\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    hello,
    Buffer.concat([hello, Buffer.from('\na;1\na;1\n')]),
  ]
  for (const bytes of first) {
    const client = await port.client()
    client.say(bytes)
    t.equal(await client.rest(), '')
  }
  t.same(bodies, [])
  t.equal(port.hub.counters.opened, 0, 'nobody of them was a session')
  t.equal(port.hub.counters.faults.get('HTTP_ON_LINE_PORT'), 4)
  t.equal(port.hub.counters.faults.get('TLS_ON_PLAIN_PORT'), 2)
  const body = '\r\n\r\na;2\r\n'
  for (const request of [
    // what a page may send: no line of it may count because the first is no line
    `GET /${'x'.repeat(70_000)} HTTP/1.1${body}`,
    Buffer.from(`POST /\xe4 HTTP/1.1${body}`, 'latin1'),
  ]) {
    const client = await port.client()
    client.say(request)
    t.equal(await client.rest(), '')
  }
  t.equal(port.hub.counters.faults.get('HTTP_ON_LINE_PORT'), 6)
  t.same(bodies, [])
  const client = await port.client('a;1\nGET / HTTP/1.1\n::exit\n')
  t.equal(await client.rest(), '', 'behind the first line it is a line')
  t.same(bodies, ['1', '""'])
})

test('::exit ends the connection when all is answered, and nothing behind it is taken', async (t) => {
  const port = await LinePort.open(t)
  const bodies = port.bodies('a')
  const client = await port.client('::connect;a\na;1\n::exit\na;2\n')
  t.equal(await client.rest(), '::connected; a\na; 1\n')
  t.same(bodies, ['1'])
})

test('a client that does not read holds back what is sent to it, and gets it all when it does', async (t) => {
  const port = await LinePort.open(t, { hub: { session: { outbox: 200_000 } } })
  const client = await port.client('::connect;big\n')
  await client.line()
  client.socket.pause()
  const large = 'x'.repeat(10_000)
  for (let i = 0; i < 300; i++) {
    port.hub.publish('big', i + large)
    if (i % 20 === 0) await new Promise(setImmediate)
  }
  t.ok(port.hub.budget.used < 400_000, 'what waits is bounded')
  client.socket.resume()
  const lines = await client.lines(300)
  t.same(
    lines.map((line) => Number.parseInt(line.slice(6), 10)),
    Array.from({ length: 300 }, (_, i) => i),
  )
})

test('who is owed more than fits when it has said all gets it, then the end', async (t) => {
  const port = await LinePort.open(t)
  const client = await port.client()
  client.socket.pause()
  client.say('::connect;big\n')
  for (let i = 0; i < 40; i++) client.say(`big;${i}${'x'.repeat(20_000)}\n`)
  client.socket.end()
  await new Promise((resolve) => setTimeout(resolve, 50))
  client.socket.resume()
  const lines = (await client.rest()).trimEnd().split('\n')
  t.equal(lines.length, 41)
  t.match(lines.at(-1), /^big; 39x+$/)
})

test('who asks a client of lines hears at once that nothing answers there', async (t) => {
  const port = await LinePort.open(t)
  const client = await port.client('::hello; dumb\n')
  await client.line()
  const question = { path: '@dumb/x', message: jsonMessage(1), timeout: 10_000 }
  const answer = await new Promise((resolve) => port.hub.ask(question, resolve))
  t.match(answer, { body: '', meta: { code: 255 } })
  port.hub.update(port.hub.controller, '@dumb/note', jsonMessage({ n: 1 }))
  t.equal(await client.line(), '@dumb/note; {"n":1}', 'what wants no answer arrives')
})

test('a hub that is full or stops says so, and a stop leaves nothing behind', async (t) => {
  const clock = new FakeClock(1000)
  const port = new LinePort({ hub: { clock, limits: { sessions: 1 } } })
  port.address = (await port.ingress.listen(port.address)) as typeof port.address
  const first = await port.client('::hello\n')
  await first.line()
  const second = await port.client('a;1\n')
  t.match(await second.rest(), /^::error; LIMIT_SESSIONS [^\n]*\n$/)
  await port.ingress.drain()
  port.hub.drain(0)
  t.equal(await first.rest(), '::bye; {"reason":"drain","retryAfter":0}\n')
  await t.rejects(port.client())
  await port.close()
  t.equal(port.hub.sessions.size, 0)
  t.equal(clock.pending, 0)
})

test('a shared port hands its sockets over, with what was read of them', async (t) => {
  const port = new LinePort()
  const listen = { host: '127.0.0.1', port: 0 }
  const shared = await portSwitch({
    listen,
    routes: [
      { match: http(), to: serviceTarget((socket) => socket.end('HTTP')) },
      { match: line, to: port.ingress.target },
    ],
  })
  port.address = shared.address as typeof port.address
  t.teardown(async () => {
    await port.close()
    await shared.close()
  })
  const bodies = port.bodies('a')
  const client = await port.client('a')
  client.say(';1\n::connect;a\na;2')
  client.socket.end()
  t.equal(await client.rest(), '::connected; a\na; 2\n')
  const browser = await port.client('GET / HTTP/1.1\r\n\r\n')
  t.equal(await browser.rest(), 'HTTP')
  const datagrams = await port.ingress.listenDatagrams(shared.address)
  t.same(datagrams, shared.address, 'UDP takes the same number')
  const sender = await port.datagrams()
  sender.say('a;3')
  await until(() => bodies.length === 3)
  t.same(bodies, ['1', '2', '3'])
})

test('a connection that says nothing, or not the rest of its line, is ended and counted; so are those over the limit', async (t) => {
  const clock = new FakeClock(1_000_000)
  const line = { idle: 5000, connections: 3, perAddress: 2 }
  const port = await LinePort.open(t, { hub: { clock }, line })
  const { faults } = port.hub.counters
  const silent = await port.client()
  const quiet = await port.client('::connect;a\n')
  await quiet.line()
  t.equal(await (await port.client('a;1\n')).rest(), '')
  t.equal(faults.get('LIMIT_CONNECTIONS_PER_ADDRESS'), 1)
  clock.advance(5100)
  t.equal(await silent.rest(), '')
  t.equal(faults.get('HELLO_TIMEOUT'), 1)
  const cut = await port.client('::connect;b\nhalf')
  await cut.line()
  for (let i = 0; i < 7; i++) clock.advance(5000)
  t.equal(await cut.rest(), '')
  t.equal(faults.get('READ_TIMEOUT'), 1)
  port.hub.publish('a', 1)
  t.equal(await quiet.line(), 'a; 1', 'who follows something may be silent')
  quiet.close()
  await until(() => port.hub.sessions.size === 0)
  clock.advance(60_000)
})

test('TCP and UDP take the same port number; a path is a Unix socket; what is taken is told', async (t) => {
  const port = await LinePort.open(t)
  const bodies = port.bodies('u')
  const sender = await port.datagrams()
  sender.say('u;1')
  await until(() => bodies.length === 1)
  const other = new LinePort()
  await t.rejects(other.ingress.listen(port.address), { code: 'PORT_IN_USE' })
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const taken = { host: '127.0.0.1', port: (blocker.address() as { port: number }).port }
  await t.rejects(other.ingress.listen(taken), { code: 'PORT_IN_USE' })
  // the name of a socket has room for a hundred letters, which the folder of a test may not leave
  const folder = mkdtempSync(join(tmpdir(), 'line-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'line.sock')
  t.same(await other.ingress.listen({ path }), { path })
  const local = connections('unix', {})
  const got: string[] = []
  const decoder = new TextDecoder()
  const connection = await local.connect({ path }, () => ({
    received: (line) => got.push(decoder.decode(line as Uint8Array)),
  }))
  connection?.send(Buffer.from('::hello; local-one'))
  await until(() => got.length === 1)
  t.match([...other.hub.sessions], [{ name: 'local-one' }])
  await local.shutdown()
  await other.close()
})

test(
  'over TLS a client certificate names its holder, and rules mean it by cert:; the port takes clear lines, too',
  requires('openssl'),
  async (t) => {
    const authority = new Authority()
    t.teardown(() => authority.close())
    const rules = [
      { who: 'cert:alpha', may: ['publish'], path: 'alpha/**' },
      { who: 'cert:b*', may: ['publish'], path: 'b/**' },
      { who: 'anyone', may: ['publish'], path: 'open' },
    ] as const
    const { key, cert } = authority.issue('server')
    const tls = { key, cert, ca: authority.cert }
    const port = await LinePort.open(t, { dev: false, hub: { rules }, line: { tls } })
    const bodies = port.bodies('**')
    const dial = async (text: string, own: object = {}): Promise<LineSocket> => {
      const at = { port: port.address.port, ca: authority.cert, servername: 'server' }
      const socket = dialTls({ ...at, ...own })
      await once(socket, 'secureConnect')
      const client = new LineSocket(socket)
      t.teardown(() => client.close())
      client.say(text)
      return client
    }
    const alpha = await dial('alpha/1;1\nb/1;no\nopen;2\n', authority.issue('alpha'))
    t.match(await alpha.line(), /^::error; NOT_ALLOWED cert:alpha may not publish b\/1/)
    const beta = await dial('b/1;3\nalpha/1;no\n', authority.issue('beta'))
    t.match(await beta.line(), /^::error; NOT_ALLOWED cert:beta may not publish alpha\/1/)
    const nobody = await dial('open;4\nalpha/1;no\n')
    t.match(await nobody.line(), /^::error; NOT_ALLOWED anyone may not publish alpha\/1/)
    const request = await dial('GET /open%3B0 HTTP/1.1\r\n\r\n')
    t.equal(await request.rest(), '', 'what is no line without TLS is none inside')
    const clear = await port.client('open;5\nalpha/1;no\n')
    t.match(await clear.line(), /^::error; NOT_ALLOWED anyone may not publish alpha\/1/)
    const datagram = await port.datagrams()
    datagram.say('open;6')
    await until(() => bodies.length === 6)
    const { keyFile, certFile } = authority.issue('alpha')
    const flags = ['-quiet', '-no_ign_eof', '-CAfile', authority.certFile, '-verify_return_error']
    const own = ['-cert', certFile, '-key', keyFile]
    const at = ['-connect', `127.0.0.1:${port.address.port}`]
    const program = spawn('openssl', ['s_client', ...flags, ...own, ...at])
    t.teardown(() => program.kill('SIGKILL'))
    program.stdin.write('::connect;alpha/1\nalpha/1;7\n')
    const [said] = await once(program.stdout, 'data')
    t.match(String(said), /^::error; NOT_ALLOWED cert:alpha may not subscribe alpha\/1/)
    await until(() => bodies.length === 7)
    program.stdin.end('alpha/1;8\n::exit\n')
    await once(program, 'exit')
    t.same(bodies, ['1', '2', '3', '4', '5', '6', '7', '8'])
    const stranger = new Authority()
    t.teardown(() => stranger.close())
    const foreign = dialTls({
      port: port.address.port,
      rejectUnauthorized: false,
      ...stranger.issue('alpha'),
    }).on('error', () => undefined)
    foreign.write('alpha/1;no\n')
    await once(foreign, 'close')
    await port.ingress.drain()
    await t.rejects(port.client(), 'a drain lets nobody in')
    alpha.say('alpha/2;9\n')
    await until(() => bodies.length === 9, 'who is here goes on')
  },
)

test('a line in a GET is taken where the operator says so, with a key, and answered with JSON (DB-13)', async (t) => {
  const rules = [{ who: 'anyone', may: ['publish'], path: 'open/**' }] as const
  const port = await LinePort.open(t, { line: { get: true }, hub: { rules } })
  const bodies = port.bodies('**')
  const url = `http://127.0.0.1:${port.address.port}`
  const get = async (target: string, authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization }
    const answer = await fetch(url + target, { headers })
    return [answer.status, answer.headers.get('content-type'), await answer.json()]
  }
  const key = 'Bearer s3cret'
  t.same(await get('/my%2Fdata%3Bhello%20w%C3%B6rld', key), [
    200,
    'application/json',
    { sent: true },
  ])
  t.same(await get('/my/data;x;y', key), [200, 'application/json', { sent: true }])
  t.same(await get('/open/1%3B1'), [200, 'application/json', { sent: true }])
  const refused = 'application/problem+json'
  // a page of any site can send this, so to come from this machine is nothing here
  t.match(await get('/my%2Fdata%3Bno'), [401, refused, { code: 'NOT_ALLOWED' }])
  t.match(await get('/my%2Fdata%3Bno', 'Bearer wrong'), [
    401,
    refused,
    { code: 'CREDENTIAL_INVALID' },
  ])
  t.match(await get('/my%2Fdata%3Bno', 'Basic czpz'), [
    401,
    refused,
    { code: 'CREDENTIAL_INVALID' },
  ])
  t.match(await get('/%FF', key), [400, refused, { code: 'TARGET_INVALID' }])
  t.match(await get('/a//b;1', key), [400, refused, { code: 'PATH_INVALID' }])
  t.match(await get('/::hello;x', key), [400, refused, { code: 'PATH_CONTROL' }])
  t.same(bodies, ['hello wörld', 'x;y', '1'])
  const client = await port.client('::hello\n')
  const id = (await client.line()).slice(9)
  t.match(await get(`/${encodeURIComponent(`::connect;${id}->x/y`)}`, key), [200])
  t.equal(await client.line(), '::connected; x/y')
  const parts = await port.client('GET /a%3B1 b HTTP/1.1\r\n\r\n')
  t.equal(await parts.rest(), '', 'a request line has three parts')
  const post = await port.client('POST /a%3B1 HTTP/1.1\r\n\r\n')
  t.equal(await post.rest(), '', 'nothing but GET')
  const large = await port.client(`GET /a HTTP/1.1\r\n${'X: y\r\n'.repeat(101)}`)
  t.match(await large.rest(), /^HTTP\/1\.1 431 .*"HEADER_TOO_LARGE"/s)
})

test('a line in a GET is not published when its key is known too late', async (t) => {
  const clock = new FakeClock(1_000_000)
  const answers: (() => void)[] = []
  const found: Principal = { id: 'user:alice', trusted: false }
  const portal = new Portal([{ check: (_, done) => void answers.push(() => done(found)) }])
  const rules = [{ who: 'user:*', may: ['publish'], path: '**' }] as const
  const port = await LinePort.open(t, { hub: { clock, portal, rules }, line: { get: true } })
  const bodies = port.bodies('**')
  const request = (body: string): string =>
    `GET /a%3B${body} HTTP/1.1\r\nAuthorization: Bearer slow\r\n\r\n`
  const late = await port.client(request('late'))
  await until(() => answers.length === 1)
  clock.advance(10_000)
  t.match(await late.rest(), /^HTTP\/1\.1 408 .*"HEADER_TIMEOUT"/s)
  const left = await port.client(request('left'))
  await until(() => answers.length === 2)
  left.socket.resetAndDestroy()
  await until(() => port.hub.counters.faults.get('CONNECTION_RESET') === 1)
  const stays = await port.client(request('stays'))
  await until(() => answers.length === 3)
  for (const answer of answers) answer()
  t.match(await stays.rest(), /^HTTP\/1\.1 200 /)
  t.same(bodies, ['stays'])
})

test('who the peer is without TLS and without dev is nobody', async (t) => {
  const port = await LinePort.open(t, { dev: false })
  const client = await port.client('::hello\n')
  await client.line()
  t.same(
    [...port.hub.sessions].map(({ principal }) => principal),
    [ANYONE],
  )
})
