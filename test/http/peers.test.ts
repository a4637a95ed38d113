/** Peers of a pipe at a hub's `/client/<name>/…`, and asked by its sessions (surface 4 and 5; RP-02 to RP-09). */

import { message as makeMessage, pathFault, SapwoodError } from '@sapwood/core'
import { corsHeaders, Origins, serveHttp } from '@sapwood/http'
import type { Rule } from '@sapwood/hub'
import { hub as makeHub } from '@sapwood/hub'
import type { Asker } from '@sapwood/pipe'
import { PeersComponent, PipeGateway } from '@sapwood/pipe'
import type { RequestHead } from '@sapwood/wire'
import { parseTarget } from '@sapwood/wire'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { ExchangePair } from '../pipe/exchange-pair.ts'
import type { Arrived } from '../pipe/front-stand.ts'
import { PairAsker, ScriptedAnswerer } from '../pipe/front-stand.ts'
import type { Answer, Stand } from './support.ts'
import { call, eventually, open, Raw, read, WsClient } from './support.ts'

const MB = 1024 * 1024
const KEY = { authorization: 'Bearer key' }
const OK = (request: Arrived): void =>
  request.answer(200, '{"t":1}', ['content-type', 'application/json'])

interface Peered extends Stand {
  readonly asker: PairAsker
  readonly gateway: PipeGateway
}

/** A hub with a key, whose peers are called alpha and late, and answer by `answerer`. */
async function peered(
  t: Test,
  answerer: ScriptedAnswerer,
  options: {
    rules?: readonly Rule[]
    origins?: readonly string[]
    dev?: boolean
    stream?: number
  } = {},
): Promise<Peered> {
  const { rules = [], origins = [], dev = false, stream = 0 } = options
  const hub = makeHub({ rules, ask: { wait: 200, timeout: 5_000 } })
  const asker = new PairAsker(new ExchangePair(answerer), ['alpha', 'late', 'hub'])
  asker.away.add('late')
  const { wheel } = hub
  const component = new PeersComponent({
    asker,
    wheel,
    reserved: ['hub'],
    wait: 200,
    timeout: 5_000,
    limit: MB,
    update: (sender, path, message) => hub.update(sender, path, message),
  })
  hub.addPeers(component)
  const listed = new Origins(origins, false)
  const cors = (head: { host: string | undefined; origin: string | undefined }) =>
    corsHeaders(listed, head)
  const gateway = new PipeGateway({ asker, wheel, wait: 200, stream, cors })
  const server = await serveHttp(hub, {
    dev,
    port: 0,
    keys: ['key'],
    origins,
    peers: {
      has: (name) => component.has(name),
      take: (request, response, handed) => gateway.take(request, response, handed),
      upgrade: (request, socket, first, handed) => gateway.upgrade(request, socket, first, handed),
      stopped: (socket) => gateway.stopped(socket),
      list: () => [{ name: 'alpha', connected: true, questions: 2 }],
      metrics: () => 'sapwood_pipe_peers 1\n',
    },
  })
  t.teardown(async () => {
    await server.close()
    await hub.close()
  })
  const port = Number(new URL(server.url).port)
  return { hub, server, url: server.url, port, asker, gateway }
}

function outcome({ status, headers, text }: Answer): [number, string, string] {
  const isProblem = headers['content-type'] === 'application/problem+json'
  return [status, String(headers['x-event-return-code']), isProblem ? JSON.parse(text).code : text]
}

function pairsOf({ headers }: Arrived['head']): string[][] {
  return [...Array(headers.length / 2).keys()].map((i) => headers.slice(2 * i, 2 * i + 2))
}

test('a peer gets the request as it came, less the credential of the hub, and the caller its answer', async (t) => {
  const peer = new ScriptedAnswerer((request) =>
    request.answer(201, 'made', ['content-type', 'text/html', 'set-cookie', 'a=b'], 7),
  )
  const stand = await peered(t, peer)
  const target = '/client/alpha/a%2Fb//c%20d/?x=%2F&wait=1s&timeout=2s'
  const headers = { ...KEY, 'x-other': 'y', 'x-forwarded-for': '9.9.9.9' }
  const answer = await call(stand, target, { method: 'PUT', headers, body: 'abc' })
  t.same(outcome(answer), [201, '7', 'made'])
  t.equal(answer.headers['content-security-policy'], 'sandbox')
  t.equal(answer.headers['set-cookie'], undefined)
  const { head, text } = await peer.arrived()
  t.same([head.method, head.target, text], ['PUT', '/a%2Fb//c%20d/?x=%2F', 'abc'])
  const pairs = pairsOf(head)
  t.notOk(pairs.some(([name]) => name === 'authorization'))
  t.same(
    pairs.filter(([name]) => name?.startsWith('x-')),
    [
      ['x-other', 'y'],
      ['x-forwarded-for', '127.0.0.1'],
      ['x-forwarded-host', `127.0.0.1:${stand.port}`],
      ['x-forwarded-proto', 'http'],
    ],
  )
})

test('the gate decides, for a tail that is no legal path about @name/**, and nothing reaches the peer before', async (t) => {
  const peer = new ScriptedAnswerer(OK)
  const rules: readonly Rule[] = [{ who: 'anyone', may: ['ask'], path: '@alpha/time' }]
  const stand = await peered(t, peer, { rules })
  for (const [target, headers, expected] of [
    ['/client/alpha/time', {}, [200, '0', '{"t":1}']],
    ['/client/alpha/time//x', {}, [200, '0', '{"t":1}']],
    ['/client/alpha/date', {}, [401, '249', 'NOT_ALLOWED']],
    ['/client/alpha/time%2Fx', {}, [401, '249', 'NOT_ALLOWED']],
    ['/client/alpha/', {}, [401, '249', 'NOT_ALLOWED']],
    ['/client/alpha/time', { authorization: 'Bearer wrong' }, [401, '249', 'CREDENTIAL_INVALID']],
    ['/client/alpha/%FF', KEY, [200, '0', '{"t":1}']],
  ] as const) {
    const before = peer.requests.all.length
    const answer = await call(stand, target, { headers })
    if (expected[2] === 'CREDENTIAL_INVALID') t.equal(answer.status, 401)
    else t.same(outcome(answer), expected, target)
    t.equal(peer.requests.all.length - before, answer.status === 200 ? 1 : 0, target)
  }
  const raw = new Raw(stand).write(
    'GET /client/alpha/date HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
  )
  t.match(await raw.ended(), /^HTTP\/1\.1 401 [\s\S]*NOT_ALLOWED/)
})

test('who is away is waited for; who is nobody, and the hub itself, are as ever', async (t) => {
  const stand = await peered(t, new ScriptedAnswerer(OK))
  const ask = (target: string): Promise<Answer> => call(stand, target, { headers: KEY })
  t.same(outcome(await ask('/client/late/time?wait=10ms')), [503, '252', 'CLIENT_ABSENT'])
  t.same(outcome(await ask('/client/late/time')), [503, '252', 'CLIENT_ABSENT'])
  const waiting = ask('/client/late/time?wait=5s')
  await eventually(() => stand.asker.waiting === 1, 'the wait')
  stand.asker.back('late')
  t.same(outcome(await waiting), [200, '0', '{"t":1}'])
  t.same(outcome(await ask('/client/nobody/time?wait=10ms')), [404, '252', 'CLIENT_UNKNOWN'])
  const own = await ask('/client/hub/cat//a/b')
  t.same(own.json, { result_from_server: 'ab' })
})

test('bodies stream both ways, whatever limits.body says, and are asked for when the peer is there', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.ended = () => request.answer(200, String(request.size))
  })
  const stand = await peered(t, peer)
  const body = Buffer.alloc(3 * MB, 'x')
  const answer = await call(stand, '/client/alpha/put', { headers: KEY, body })
  t.equal(answer.text, String(body.length))
  const raw = new Raw(stand).write(
    `PUT /client/alpha/put HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\nExpect: 100-continue\r\nContent-Length: ${2 * MB}\r\n\r\n`,
  )
  await raw.got('100 Continue\r\n\r\n')
  raw.write(Buffer.alloc(2 * MB, 'y'))
  await raw.got('\r\n\r\n2097152')
  t.equal(raw.text.match(/100 Continue/g)?.length, 1)
  // who may not ask is not asked for a body
  const nobody = new Raw(stand).write(
    `PUT /client/alpha/put HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${2 * MB}\r\n\r\n`,
  )
  await nobody.got('NOT_ALLOWED')
  t.match(nobody.text, /^HTTP\/1\.1 401 /)
})

test('limits.stream bounds what streams to a peer, said or not', async (t) => {
  const peer = new ScriptedAnswerer()
  const stand = await peered(t, peer, { stream: 1000 })
  const put = (body: Buffer, headers: object = {}): Promise<Answer> =>
    call(stand, '/client/alpha/put', { headers: { ...KEY, ...headers }, body, method: 'PUT' })
  t.same(outcome(await put(Buffer.alloc(1001))), [413, '251', 'STREAM_TOO_LARGE'])
  t.equal(peer.requests.all.length, 0)
  const chunked = { 'transfer-encoding': 'chunked' }
  t.same(outcome(await put(Buffer.alloc(1001), chunked)), [413, '251', 'STREAM_TOO_LARGE'])
  const cut = await peer.arrived()
  await eventually(() => cut.fault !== undefined, 'the end')
  t.equal(cut.fault?.code, 'STREAM_TOO_LARGE')
  const asked = put(Buffer.alloc(1000), chunked)
  const request = await peer.arrived(2)
  await eventually(() => request.isWhole, 'all of it')
  request.answer(200, String(request.size))
  t.equal((await asked).text, '1000')
})

test('an answer may last: events arrive as they are made, and the peer hears of a reader that leaves', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    request.exchange.respond(
      { status: 200, headers: ['content-type', 'text/event-stream'], code: 0 },
      false,
    )
    request.exchange.write(Buffer.from('data: 1\n\n'))
  })
  const stand = await peered(t, peer)
  const response = await open(stand, '/client/alpha/events', { headers: KEY })
  const first = await new Promise((resolve) => response.once('data', resolve))
  t.equal(String(first), 'data: 1\n\n')
  const request = await peer.arrived()
  request.exchange.write(Buffer.from('data: 2\n\n'))
  t.equal(String(await new Promise((resolve) => response.once('data', resolve))), 'data: 2\n\n')
  response.destroy()
  await eventually(() => request.fault?.code === 'CANCELLED', 'the cancel')
})

test('another protocol passes to a peer, and to nobody else', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    t.equal(request.header('upgrade'), 'echo')
    t.equal(request.header('authorization'), undefined)
    request.exchange.respond({ status: 101, headers: ['upgrade', 'echo'], code: 0 }, false)
    request.data = (part) => {
      request.exchange.took(part.length)
      request.exchange.write(Buffer.from(part))
    }
  })
  const stand = await peered(t, peer)
  const upgrade = (path: string, more = ''): Raw =>
    new Raw(stand).write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${stand.port}\r\nAuthorization: Bearer key\r\nConnection: Upgrade\r\nUpgrade: echo\r\n${more}\r\n`,
    )
  const raw = upgrade('/client/alpha/echo?x')
  await raw.got('101 Switching Protocols')
  raw.write('marco')
  await raw.got('marco')
  t.equal((await peer.arrived()).head.target, '/echo?x')
  const rows = [
    ['/client/nobody/echo', '', 404, 'NOT_FOUND'],
    ['/client/hub/echo', '', 404, 'NOT_FOUND'],
    ['/client/alpha/../echo', '', 400, 'TARGET_INVALID'],
    ['/client/alpha/echo', 'Origin: https://evil.example\r\n', 403, 'ORIGIN_FOREIGN'],
  ] as const
  for (const [path, more, status, code] of rows) {
    const answered = await upgrade(path, more).ended()
    t.match(answered, new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*${code}`), path + more)
  }
  // the hub's end is the end of what left HTTP behind
  await stand.server.close()
  await raw.ended()
})

test('pages of listed origins may read what a peer answers, and what is refused', async (t) => {
  const origins = ['https://app.example.org']
  const stand = await peered(t, new ScriptedAnswerer(OK), { origins })
  for (const [origin, target, status, allowed] of [
    ['https://app.example.org', '/client/alpha/x', 200, 'https://app.example.org'],
    ['https://app.example.org', '/client/late/x?wait=0', 503, 'https://app.example.org'],
    ['https://app.example.org', '/client/alpha/../x', 400, 'https://app.example.org'],
    ['https://evil.example', '/client/alpha/x', 200, undefined],
  ] as const) {
    const answer = await call(stand, target, { headers: { ...KEY, origin } })
    t.same(
      [answer.status, answer.headers['access-control-allow-origin']],
      [status, allowed],
      target,
    )
    if (allowed) t.match(answer.headers['access-control-expose-headers'], /X-Event-Return-Code/)
  }
})

test('a session asks a peer as it asks any client: answer, code, status, nobody, cancel', async (t) => {
  const peer = new ScriptedAnswerer((request) => {
    const { target } = request.head
    const json = ['content-type', 'application/json; charset=utf-8']
    if (target.startsWith('/time')) request.answer(200, '{"n":1.50}', json)
    else if (target === '/text') request.answer(202, 'hä', ['content-type', 'text/html'], 7)
    else if (target === '/bytes') request.answer(200, '\u0000', [])
    else if (target === '/none') request.answer(204, '', [])
    else if (target === '/rule') {
      const problem = ['content-type', 'application/problem+json']
      request.answer(403, '{"code":"NOT_ALLOWED","detail":"no"}', problem, 249)
    } else if (target === '/broken') request.answer(200, '{', json)
    else if (target === '/long') request.answer(200, 'x'.repeat(MB + 1))
    else if (target === '/echo') request.ended = () => request.answer(200, request.text, json)
  })
  const stand = await peered(t, peer, { dev: true })
  const client = new WsClient(stand)
  await client.hello({ token: 'key' })
  let count = 0
  const ask = async (path: string, more: object = {}) => {
    const reply = `r${++count}`
    client.send({ path, reply, ...more })
    const { code, status, message, type } = await client.frames.find((got) => got.reply === reply)
    return [code, status, message?.code ?? message, type]
  }
  t.same(await ask('@alpha/time', { verb: 'GET', args: ['a b', ''], query: 'x=1' }), [
    0,
    undefined,
    { n: 1.5 },
    undefined,
  ])
  const { head, ends } = await peer.arrived()
  t.same([head.method, head.target, ends], ['GET', '/time//a%20b/?x=1', true])
  t.ok(head.timeout > 4_000 && head.timeout <= 5_000, 'the deadline travels')
  t.same(await ask('@alpha/text'), [7, 202, 'hä', 'text/html'])
  t.same(await ask('@alpha/none'), [0, 204, '', 'text/plain'])
  t.same(await ask('@alpha/rule'), [249, 403, 'NOT_ALLOWED', undefined])
  t.same(await ask('@alpha/broken'), [251, 502, 'ANSWER_INVALID', undefined])
  t.same(await ask('@alpha/long'), [251, 502, 'ANSWER_TOO_LONG', undefined])
  t.same(await ask('@alpha/echo', { verb: 'PUT', message: { a: 1 } }), [
    0,
    undefined,
    { a: 1 },
    undefined,
  ])
  t.same(await ask('@late/time'), [252, 503, 'CLIENT_ABSENT', undefined])
  t.same(await ask('@nobody/time'), [252, 404, 'CLIENT_UNKNOWN', undefined])
  const before = peer.requests.all.length
  t.same(await ask('@alpha/x', { verb: '' }), [251, 400, 'HEAD_INVALID', undefined])
  t.same(await ask('@alpha/x', { verb: 'GET /y' }), [251, 400, 'HEAD_INVALID', undefined])
  t.same(await ask('@alpha/x', { args: ['\ud800'] }), [251, 400, 'TARGET_INVALID', undefined])
  t.equal(peer.requests.all.length, before, 'what cannot be a request reaches nobody')
  t.equal((await ask('@alpha/time/ü', { query: 'a b\r\n#ü&c=%20' }))[0], 0)
  const odd = await peer.arrived(before + 1)
  t.equal(odd.head.target, '/time/%C3%BC?a%20b%0D%0A%23%C3%BC&c=%20')
  client.send({ path: '@alpha/waits', reply: 'gone' })
  const waiting = await peer.arrived(before + 2)
  client.send({ path: '::cancel', reply: 'gone' })
  await eventually(() => waiting.fault !== undefined, 'the cancel')
  t.equal(waiting.fault?.code, 'ANSWER_CANCELLED')
  // one that wants no answer arrives as well
  client.send({ path: '@alpha/echo', verb: 'PUT', message: 'heard' })
  t.equal((await peer.arrived(before + 3)).head.method, 'PUT')
})

test('whatever noun, arguments and query a session says, the peer reads the same', async (t) => {
  const heads: RequestHead[] = []
  const asker: Asker = {
    absence: () => undefined,
    whenBack: () => () => undefined,
    ask(_name, head) {
      heads.push(head)
      throw new SapwoodError('STREAMS_FULL', 'as the test says')
    },
  }
  const { wheel } = makeHub()
  t.teardown(() => wheel.close())
  const limits = { wait: 0, timeout: 1, limit: 1 }
  const component = new PeersComponent({ asker, wheel, reserved: [], update() {}, ...limits })
  const said = fc.string({ unit: 'grapheme', maxLength: 12 })
  const isPlain = (text: string): boolean => !/^(\.|%2e){1,2}$/i.test(text)
  const segment = said.filter((text) => pathFault(`a/${text}`) === undefined && isPlain(text))
  const args = fc.array(said.filter(isPlain), { maxLength: 4 })
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      args,
      said,
      (noun, args, query) => {
        heads.length = 0
        const message = makeMessage('', 'text/plain', { args, query })
        component.update(component, `@alpha/${noun.join('/')}`, message)
        const [path = '', ...rest] = (heads[0]?.target ?? '').split('?')
        const read = parseTarget('alpha', path)
        const back = decodeURIComponent(rest.join('?').replace(/%(?![0-9A-F]{2})/g, '%25'))
        return (
          /^[!-~]+$/.test(heads[0]?.target ?? '') &&
          'noun' in read &&
          read.noun === noun.join('/') &&
          read.args.join('\0') === args.join('\0') &&
          read.args.length === args.length &&
          (query.includes('%') || back === query)
        )
      },
    ),
  )
})

test('a name of a peer is nobody else’s, there or away, and a session that has it loses it', async (t) => {
  const stand = await peered(t, new ScriptedAnswerer(OK), { dev: true })
  const client = new WsClient(stand)
  await client.hello({ name: 'beta' })
  for (const name of ['alpha', 'late']) {
    const other = new WsClient(stand)
    await other.hello({ name })
    t.match((await other.path('::error')).message, { code: 'NAME_TAKEN', name })
    other.socket.close()
  }
  stand.asker.names.add('beta')
  stand.hub.reclaim('beta')
  t.match((await client.path('::error')).message, { code: 'NAME_TAKEN', name: 'beta' })
  t.same(outcome(await call(stand, '/client/beta/time')), [200, '0', '{"t":1}'])
  const listed = (await call(stand, '/client')).json as { name?: string; transport: string }[]
  t.notOk(listed.some(({ name }) => name === 'beta'))
  t.ok(listed.some(({ name, transport }) => name === 'alpha' && transport === 'pipe'))
  t.match((await call(stand, '/metrics')).text, /^sapwood_pipe_peers 1$/m)
})

test('a session whose name a peer got while it was away comes back without it', async (t) => {
  const stand = await peered(t, new ScriptedAnswerer(OK), { dev: true })
  const client = new WsClient(stand)
  const { message } = await client.hello({ name: 'beta' })
  client.socket.terminate()
  stand.asker.names.add('beta')
  const again = new WsClient(stand)
  const resumed = await again.hello({ resume: message.resume, name: 'beta' })
  t.equal(resumed.message.resumed, true)
  t.match((await again.path('::error')).message, { code: 'NAME_TAKEN', name: 'beta' })
})

test('a question that waits for a page of some name is put to the peer that comes with that name', async (t) => {
  const stand = await peered(t, new ScriptedAnswerer(OK), { dev: true })
  const client = new WsClient(stand)
  await client.hello({ name: 'beta' })
  client.socket.terminate()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'it is away')
  const asked = call(stand, '/client/beta/time?wait=5s')
  await eventually(() => stand.hub.directory.waiting === 1, 'the wait')
  stand.asker.names.add('beta')
  stand.hub.reclaim('beta')
  t.same(outcome(await asked), [200, '0', '{"t":1}'])
})

test('what the request could be read as in two ways is refused, with the code of a refusal', async (t) => {
  const peer = new ScriptedAnswerer(OK)
  const stand = await peered(t, peer)
  const raw = new Raw(stand).write(
    'POST /client/alpha/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  )
  await raw.got('\r\n\r\n')
  t.match(raw.text, /^HTTP\/1\.1 400 /)
  t.equal(peer.requests.all.length, 0)
  t.equal((await read(await open(stand, '/client/alpha/x', { headers: KEY }))).status, 200)
})

test('callers who wait for a peer when the server ends are told so, whether it was asked or not here', async (t) => {
  const peer = new ScriptedAnswerer()
  const stand = await peered(t, peer)
  const head = 'Host: localhost\r\nAuthorization: Bearer key\r\n'
  const waits = [
    `GET /client/alpha/x HTTP/1.1\r\n${head}\r\n`,
    `POST /client/alpha/x HTTP/1.1\r\n${head}Content-Length: 9\r\n\r\nhalf`,
    `GET /client/late/x?wait=10s HTTP/1.1\r\n${head}\r\n`,
    `GET /client/alpha/x HTTP/1.1\r\n${head}Connection: upgrade\r\nUpgrade: other\r\n\r\n`,
  ].map((text) => new Raw(stand).write(text))
  const [asked] = await peer.requests.count(3)
  await eventually(() => stand.gateway.counters.requests === 4, 'all are taken')
  await stand.server.close()
  for (const raw of waits) {
    const said = await raw.ended()
    t.match(said, /^HTTP\/1\.1 502 .*x-event-return-code: 254\r\n.*"code":"SHUTDOWN"/is)
  }
  await eventually(() => asked?.fault !== undefined, 'the peer hears of it')
})
