/** What back ends send: `/update`, batches, NDJSON, `/connect` and `/disconnect`. */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { curl } from './curl.ts'
import type { Stand } from './support.ts'
import {
  call,
  grant,
  Inflow,
  open,
  pause,
  publish,
  Raw,
  read,
  StreamClient,
  serve,
  WsClient,
} from './support.ts'

const JSON_HEAD = { 'content-type': 'application/json' }
const LINES_HEAD = { 'content-type': 'application/x-ndjson' }
const THIS = new URL(import.meta.url)

async function subscriber(stand: Stand, ...patterns: string[]): Promise<WsClient> {
  const client = new WsClient(stand)
  await client.hello()
  await client.subscribe(...patterns)
  return client
}

test('one update by PUT or POST: receipt, and the body arrives verbatim', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, 'orders/**')
  const body = '{ "a": 1e400, "b":\r\n[12345678901234567890] , "ä":"\\u00e4/😀"}'
  const raw = new Promise<string>((resolve) => {
    client.socket.on('message', (data) => resolve(String(data)))
  })
  const answer = await call(stand, '/update/orders/42', { method: 'PUT', body, headers: JSON_HEAD })
  t.equal(answer.status, 200)
  t.equal(answer.headers['content-type'], 'application/json')
  t.same(Object.keys(answer.json), ['id', 'at', 'matched'])
  t.equal(answer.json.matched, 1)
  t.match(answer.json.at, /^[0-9a-f]{16}-1$/)
  const text = await raw
  t.ok(text.includes(body.replace('\r\n', '  ')), `verbatim, on one line: ${text}`)
  t.equal((await client.path('orders/42')).at, answer.json.at)
  const second = await call(stand, '/update/orders/42', { body: '2', headers: JSON_HEAD })
  t.equal(second.json.matched, 1)
  t.equal((await call(stand, '/update/elsewhere', { body: '2' })).json.matched, 0)
})

test('what a body is: JSON is checked, untyped and form are guessed, others keep type', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, '**')
  const rows: [string | undefined, string | Buffer, object][] = [
    ['application/json', '{"a":1}', { message: { a: 1 } }],
    ['application/json; charset=utf-8', '"x"', { message: 'x' }],
    ['APPLICATION/JSON', '[]', { message: [] }],
    [undefined, '{"a":2}', { message: { a: 2 } }],
    [undefined, 'plain ä', { message: 'plain ä', type: 'text/plain' }],
    [undefined, Buffer.from([0xff, 0x00]), { message: '/wA=', encoding: 'base64' }],
    [undefined, '', { message: '' }],
    ['application/x-www-form-urlencoded', '{"a":3}', { message: { a: 3 } }],
    ['application/x-www-form-urlencoded', 'a=3&b', { message: 'a=3&b', type: 'text/plain' }],
    ['text/plain', '{"a":4}', { message: '{"a":4}', type: 'text/plain' }],
    ['text/html; charset=utf-8', '<b>', { message: '<b>', type: 'text/html' }],
    ['image/png', Buffer.from([1, 2]), { message: 'AQI=', encoding: 'base64', type: 'image/png' }],
    ['application/octet-stream', 'ab', { message: 'YWI=', encoding: 'base64' }],
  ]
  for (const [index, [type, body, wanted]] of rows.entries()) {
    const headers = type === undefined ? {} : { 'content-type': type }
    const answer = await call(stand, `/update/row/${index}`, { method: 'POST', body, headers })
    t.equal(answer.status, 200, `${type} ${body}`)
    const { path, at, ...got } = await client.path(`row/${index}`)
    t.same(got, wanted, `${type} ${body}`)
  }
  for (const body of ['{broken', '', 'NaN', Buffer.from([0x22, 0xff, 0x22])]) {
    const answer = await call(stand, '/update/a', { method: 'POST', body, headers: JSON_HEAD })
    t.equal(answer.status, 400)
    t.equal(answer.json.code, 'BODY_INVALID')
    t.equal(answer.headers['content-type'], 'application/problem+json')
  }
})

test('curl as it is used by hand: -d, -T, --data-binary', requires('curl'), async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, '**')
  const url = `${stand.url}/update/by/hand`
  await curl(['-d', '{"text":"hi"}', url])
  await curl(['-d', 'hello', url])
  await curl(['-T', '-', url], 'from standard input')
  await curl(['--data-binary', '@-', '-H', 'Content-Type: text/plain', url], 'two\nlines')
  const got = await client.frames.count(4, ({ path }) => path === 'by/hand')
  t.same(
    got.map(({ message }) => message),
    [{ text: 'hi' }, 'hello', 'from standard input', 'two\nlines'],
  )
})

test('the path: split on "/", then decoded; what is no segment is a 400', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, '**')
  for (const [target, path] of [
    ['a%20b/%C3%A4', 'a b/ä'],
    ['a;b/c%3Fd', 'a;b/c?d'],
    ['./..', './..'],
    ['a%25', 'a%'],
  ] as const) {
    t.equal((await call(stand, `/update/${target}`, { body: '1' })).status, 200, target)
    t.ok(await client.path(path))
  }
  const bad = [
    '',
    '/',
    'a//b',
    'a/',
    'a%2Fb',
    'a%2fb',
    'a/%00',
    'a/%0a',
    'a/%7F',
    'a/%FF',
    'a/%',
    'a/%4',
    '*',
    'a/*',
    'a/**/b',
    '%2A',
    'a/%2a%2a',
    '%3A%3Aconnected',
    '::gone',
    'x'.repeat(513),
    '%C3%A4'.repeat(257),
    `a${'/a'.repeat(32)}`,
  ]
  for (const target of bad) {
    const answer = await call(stand, `/update/${target}`, { method: 'PUT', body: '1' })
    t.equal(answer.status, 400, target.slice(0, 40))
    t.match(answer.json.code, /^PATH_|BODY_INVALID/, target.slice(0, 40))
  }
  t.equal((await call(stand, `/update/${'%C3%A4'.repeat(256)}`, { body: '1' })).status, 200)
  t.equal((await call(stand, '/update/a*b', { body: '1' })).status, 200, 'a star inside is none')
})

test('Sapwood-Id: a repeat gets the first receipt and reaches nobody', async (t) => {
  const stand = await serve(t, { http: { keys: ['one', 'two'] } })
  const client = await subscriber(stand, '**')
  const first = await publish(stand, 'a', 1, { 'Sapwood-Id': 'm1' })
  const again = await publish(stand, 'a', 1, { 'Sapwood-Id': 'm1' })
  t.same(again, { ...first, duplicate: true })
  t.equal(first.id, 'm1')
  t.equal(first.duplicate, undefined)
  const other = await publish(stand, 'a', 2, { 'Sapwood-Id': 'm1', Authorization: 'Bearer one' })
  t.equal(other.duplicate, undefined, "another publisher's id is another id")
  await publish(stand, 'end', 0)
  await client.path('end')
  t.same(
    client.frames.all.filter(({ path }) => path === 'a').map(({ message, id }) => [message, id]),
    [
      [1, 'm1'],
      [2, 'm1'],
    ],
  )
  const batch = [{ path: 'a', message: 3, id: 'm2' }]
  const one = await call(stand, '/update', { body: JSON.stringify(batch) })
  const two = await call(stand, '/update', { body: JSON.stringify(batch) })
  t.same(two.json, [{ ...one.json[0], duplicate: true }], 'in a batch too')
})

test('Sapwood-Key, -Origin and -Exclude: own copy marked or withheld, also in a replay', async (t) => {
  const stand = await serve(t)
  const mine = new WsClient(stand)
  const hello = await mine.hello()
  await mine.subscribe('chat')
  const other = await subscriber(stand, 'chat')
  const { id, resume } = hello.message
  await publish(stand, 'chat', 1, { 'Sapwood-Origin': id, 'Sapwood-Key': 'k' })
  await publish(stand, 'chat', 2, { 'Sapwood-Origin': id, 'Sapwood-Exclude': '1' })
  await publish(stand, 'chat', 3, { 'Sapwood-Origin': 'nobody', 'Sapwood-Exclude': '0' })
  await publish(stand, 'chat', 4)
  const of = (frames: readonly object[]): object[] =>
    frames.map((frame) => {
      const { at, path, ...rest } = frame as { at: string; path: string }
      return rest
    })
  const isChat = ({ path }: { path: string }): boolean => path === 'chat'
  const own = [
    { message: 1, own: true, origin: id, key: 'k' },
    { message: 3, origin: 'nobody' },
    { message: 4 },
  ]
  t.same(of(await mine.frames.count(3, isChat)), own)
  t.same(of(await other.frames.count(4, isChat)), [
    { message: 1, origin: id, key: 'k' },
    { message: 2, origin: id },
    { message: 3, origin: 'nobody' },
    { message: 4 },
  ])
  const after = hello.at as string
  mine.socket.terminate()
  const back = new WsClient(stand)
  const again = await back.hello({ resume, after })
  t.equal(again.message.resumed, true)
  t.same(
    of(await back.frames.count(3, isChat)),
    own.map((frame) => ({ ...frame, replay: true })),
  )
})

test('what Sapwood- headers say is UTF-8; what cannot be that is ISO 8859-1', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, 'a')
  // with a body of bytes Node sends its head a character a byte
  const send = (headers: Record<string, string>): ReturnType<typeof call> =>
    call(stand, '/update/a', { body: Buffer.from('1'), headers })
  for (const [i, [bytes, says]] of (
    [
      [Buffer.from('grün 日本 😀'), 'grün 日本 😀'],
      [Buffer.from('gr\xfcn', 'latin1'), 'grün'],
      [Buffer.from('plain'), 'plain'],
    ] as const
  ).entries()) {
    const value = bytes.toString('latin1')
    const headers = { 'Sapwood-Id': value, 'Sapwood-Key': value, 'Sapwood-Origin': value }
    t.equal((await send(headers)).json.id, says)
    const update = (await client.frames.count(i + 1, ({ path }) => path === 'a')).at(-1)
    t.match(update, { id: says, key: says, origin: says, message: 1 })
  }
  client.send({ path: 'a', id: 'plain ü', reply: '1', message: 1 })
  t.equal((await client.path('::reply')).message.id, 'plain ü')
  const again = { 'Sapwood-Id': Buffer.from('plain ü').toString('latin1') }
  t.equal((await send(again)).json.duplicate, true, 'the same id, however it comes')
  for (const [value, status] of [
    ['\xfc'.repeat(256), 200],
    ['\xfc'.repeat(257), 400],
    [Buffer.from('ü').toString('latin1').repeat(256), 200],
    [Buffer.from('ü').toString('latin1').repeat(257), 400],
  ] as const) {
    const answer = await send({ 'Sapwood-Key': value })
    t.equal(answer.status, status, `${value.length} bytes`)
  }
})

test('an empty Sapwood-Id is none; a header that is longer than its field may be is a 400', async (t) => {
  const stand = await serve(t)
  for (const name of ['Sapwood-Id', 'Sapwood-Key', 'Sapwood-Origin']) {
    t.equal((await publish(stand, 'a', 1, { [name]: '' })).duplicate, undefined)
    t.equal(
      (await publish(stand, 'a', 1, { [name]: '' })).duplicate,
      undefined,
      'and repeats nothing',
    )
    await publish(stand, 'a', 1, { [name]: 'x'.repeat(512) })
    const long = await call(stand, '/update/a', { body: '1', headers: { [name]: 'x'.repeat(513) } })
    t.equal(long.status, 400)
    t.match(long.json, { code: 'HEADER_INVALID', detail: new RegExp(name, 'i') })
  }
})

test('a target in absolute form is one too (RFC 9112, 3.2.2), under the name that it says', async (t) => {
  const stand = await serve(t)
  for (const [target, status] of [
    ['http://localhost/update/a', 200],
    [`http://127.0.0.1:${stand.port}/update/a/b?x`, 200],
    ['http://evil.example/update/a', 421],
    ['http://localhost', 405],
    ['http://localhost?x', 405],
    ['http://localhost/client/hub/time', 404],
    ['ftp://localhost/update/a', 404],
    ['*', 405],
  ] as const) {
    const headers = { host: 'localhost' }
    const answer = await call(stand, target, { method: 'POST', body: '1', headers })
    t.equal(answer.status, status, target)
  }
  const cat = await call(stand, 'http://localhost/client/hub/cat//a/b')
  t.equal(cat.json.result_from_server, 'ab')
})

test('DB-15: a batch is checked whole, then applied in order, receipts in order', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, '**')
  const send = (body: string): ReturnType<typeof call> =>
    call(stand, '/update', { body, headers: JSON_HEAD })
  const batch = await send(
    '[{"path":"a","message":1},{"path":"b","message":{"n":1e400}},{"path":"a","message":"x","type":"text/plain"},{"path":"c"}]',
  )
  t.equal(batch.status, 200)
  t.same(
    batch.json.map(({ matched }: { matched: number }) => matched),
    [1, 1, 1, 1],
  )
  const offsets = batch.json.map(({ at }: { at: string }) => Number(at.split('-')[1]))
  t.same(offsets, [1, 2, 3, 4])
  const got = await client.frames.count(4, ({ at, path }) => at !== undefined && path.length === 1)
  t.same(
    got.map(({ path }) => path),
    ['a', 'b', 'a', 'c'],
  )
  const single = await send('{"path":"a","message":2}')
  t.equal(single.json.matched, 1)
  t.same((await send('[]')).json, [])
  const before = stand.hub.position
  for (const [body, code] of [
    ['[{"path":"a","message":1},{"path":"a//b","message":1}]', 'PATH_INVALID'],
    ['[{"path":"a","message":1},{"path":"::gone","message":"x"}]', 'PATH_CONTROL'],
    ['[{"path":"a","message":1},{"path":"::hello"}]', 'PATH_CONTROL'],
    ['[{"path":"a","message":1},{"message":1}]', 'BODY_INVALID'],
    ['[{"path":"a","message":1},7]', 'BODY_INVALID'],
    ['[{"path":"a","message":1},{"path":"a","id":7}]', 'BODY_INVALID'],
    ['[{"path":"a","message":1}', 'BODY_INVALID'],
    ['', 'BODY_INVALID'],
  ] as const) {
    const answer = await send(body)
    t.equal(answer.status, 400, body)
    t.equal(answer.json.code, code, body)
  }
  t.equal(stand.hub.position, before, 'nothing of a refused batch was applied')
})

test('DB-07, DB-08: connect and disconnect in a batch; malformed ones hurt nobody', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  const { id } = (await client.hello()).message
  const send = async (...frames: object[]): Promise<unknown> =>
    (await call(stand, '/update', { body: JSON.stringify(frames) })).json
  const receipts = (await send(
    { path: '::connect', message: `${id}->my/data` },
    { path: 'my/data', message: 'now' },
    { path: '::disconnect', message: `${id}->my/data` },
    { path: 'my/data', message: 'never' },
    { path: '::connect', message: 'nobody->my/data' },
  )) as { matched: number }[]
  t.same(
    receipts.map(({ matched }) => matched),
    [1, 1, 1, 0, 0],
  )
  await client.path('::disconnected')
  t.same(
    client.frames.all.map(({ path, message }) => [path, message.pattern ?? message]).slice(1),
    [
      ['::connected', 'my/data'],
      ['my/data', 'now'],
      ['::disconnected', 'my/data'],
    ],
  )
  for (const message of ['no arrow', `${id}->a->b`, `${id}->`, `->a`, 7, { id }, `${id}->a//b`]) {
    const answer = await call(stand, '/update', {
      body: JSON.stringify([{ path: '::connect', message }]),
    })
    t.ok(answer.status === 200 || answer.status === 400, JSON.stringify(message))
    if (answer.status === 200) t.equal(answer.json[0].matched, 0, JSON.stringify(message))
  }
  await client.sync()
  t.equal((await call(stand, '/update/my/data', { body: '1' })).json.matched, 0)
  const ignored = (await call(stand, '/metrics')).text.match(/sapwood_ignored_total (\d+)/)?.[1]
  t.ok(Number(ignored) > 0, 'it shows as a counter')
})

test('NDJSON: each line is applied as it arrives, its receipt is a line', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, '**')
  const request = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update',
    method: 'POST',
    headers: LINES_HEAD,
    agent: false,
  })
  const receipts = new Inflow<Record<string, unknown>>()
  request.on('response', (response) => {
    let rest = ''
    t.equal(response.headers['content-type'], 'application/x-ndjson')
    response.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      receipts.add(...lines.map((line) => JSON.parse(line)))
    })
    response.on('end', () => receipts.end())
  })
  request.write('{"path":"s","message":1}\n{"path":"s","mess')
  await client.frames.find(({ path, message }) => path === 's' && message === 1)
  await receipts.count(1)
  for (const char of 'age":2}\r\n\n') {
    request.write(char)
    await pause(1)
  }
  await client.frames.find(({ path, message }) => path === 's' && message === 2)
  request.write('broken\n{"path":"*"}\n{"path":"s","message":"')
  request.write(Buffer.from([0xff, 0x22, 0x7d, 0x0a]))
  request.write('{"path":"::gone","message":"x"}\n{"path":"s","message":3}')
  await receipts.count(6)
  t.equal(receipts.all.length, 6, 'the last line has not ended')
  request.end()
  await receipts.ended()
  t.same(
    receipts.all.map(({ matched, code, line }) => (code === undefined ? matched : [code, line])),
    [1, 1, ['LINE_INVALID', 4], ['PATH_INVALID', 5], ['LINE_INVALID', 6], ['PATH_CONTROL', 7], 1],
  )
  await client.frames.find(({ path, message }) => path === 's' && message === 3)
})

test('NDJSON: a line over limits.body is skipped with an error, the others go on', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 1_000 } } })
  const long = `{"path":"a","message":"${'x'.repeat(5_000)}"}`
  const wide = `{"path":"a","message":"${'ä'.repeat(600)}"}`
  const body = `{"path":"a","message":1}\n${long}\n{"path":"a","message":2}\n${wide}\n{"path":"a","message":3}`
  for (const cut of [body.length, 700, 17]) {
    const request = httpRequest({
      host: '127.0.0.1',
      port: stand.port,
      path: '/update',
      method: 'POST',
      headers: LINES_HEAD,
      agent: false,
    })
    const response = new Promise<IncomingMessage>((resolve) => {
      request.on('response', resolve)
    })
    const bytes = Buffer.from(body)
    for (let i = 0; i < bytes.length; i += cut) {
      request.write(bytes.subarray(i, i + cut))
      if (cut === 700) await pause(1)
    }
    request.end()
    const { text, status } = await read(await response)
    t.equal(status, 200)
    t.same(
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ at, code, line }) => (at === undefined ? [code, line] : 'taken')),
      ['taken', ['LINE_TOO_LONG', 2], 'taken', ['LINE_TOO_LONG', 4], 'taken'],
      `cut at ${cut}`,
    )
  }
})

test('NDJSON that comes whole: its lines end as those that stream', async (t) => {
  const stand = await serve(t)
  const line = (message: string): string => `{"path":"a","message":"${message}"}`
  const lines = [line(''), '', `${line('x')} `, `${line('')},`, line('')]
  const told = async (length: string, body: string): Promise<unknown[]> => {
    const head = 'POST /update HTTP/1.1\r\nHost: localhost\r\n'
    const type = 'Content-Type: application/x-ndjson\r\n'
    const raw = new Raw(stand).write(`${head}${type}${length}\r\n\r\n${body}`)
    await raw.got('"line":4')
    raw.write('GET /sapwood.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    const text = await raw.ended()
    const receipts = text.split(/\r?\n/).filter((each) => /^\{"(id|code)"/.test(each))
    return receipts.map((each) => JSON.parse(each)).map(({ code, line }) => code && [code, line])
  }
  for (const end of ['\n', '\r\n']) {
    for (const last of ['', end]) {
      for (const more of [[], [line('\u00c3\u00a4')]]) {
        const body = [...lines, ...more].join(end) + last
        const bytes = Buffer.byteLength(body)
        const whole = await told(`Content-Length: ${bytes}`, body)
        t.same(whole.slice(0, 4), [undefined, undefined, ['LINE_INVALID', 4], undefined])
        t.equal(whole.length, 4 + more.length)
        const chunk = `${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`
        t.same(await told('Transfer-Encoding: chunked', chunk), whole)
      }
    }
  }
})

test('NDJSON: a publisher that does not read its receipts is not read either', async (t) => {
  const stand = await serve(t)
  const request = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update',
    method: 'POST',
    headers: LINES_HEAD,
    agent: false,
  })
  // a response that has a listener and is not read fills its socket
  const response = new Promise<IncomingMessage>((resolve) => request.on('response', resolve))
  const line = `${JSON.stringify({ path: 'flood' })}\n`.repeat(5_000)
  let sent = 0
  let stuck = false
  while (sent < 400 && !stuck) {
    sent++
    if (request.write(line)) continue
    stuck = await Promise.race([
      new Promise<boolean>((resolve) => request.once('drain', () => resolve(false))),
      pause(400).then(() => true),
    ])
  }
  t.ok(stuck, `${sent * 5_000} lines went out and nothing pushed back`)
  let receipts = 0
  const reading = await response
  reading.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) receipts++
  })
  request.end()
  await new Promise((resolve) => reading.on('end', resolve))
  t.equal(receipts, sent * 5_000, 'and goes on when it reads')
})

test('NDJSON: limits.stream ends a stream, limits.body_time a silent one', async (t) => {
  const stand = await serve(t, { http: { limits: { stream: 500, bodyTime: 100 } } })
  const big = await call(stand, '/update', {
    headers: LINES_HEAD,
    body: '{"path":"a","message":1}\n'.repeat(100),
  })
  t.equal(JSON.parse(big.text.trim().split('\n').at(-1) ?? '').code, 'STREAM_TOO_LARGE')
  const request = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update',
    method: 'POST',
    headers: LINES_HEAD,
    agent: false,
  })
  request.on('error', () => undefined)
  const response = new Promise<IncomingMessage>((resolve) => request.on('response', resolve))
  request.write('{"path":"a","message":1}\n')
  const { text } = await read(await response)
  t.equal(JSON.parse(text.trim().split('\n').at(-1) ?? '').code, 'BODY_TIMEOUT')
  request.destroy()
})

test('NDJSON: a line that has no end when its stream is refused is not taken', async (t) => {
  const stand = await serve(t, { http: { limits: { stream: 100 } } })
  const taken: string[] = []
  stand.hub.subscribe('**', (_message, path) => taken.push(path))
  const raw = new Raw(stand)
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
  raw.write(
    'POST /update HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n' +
      chunk('{"path":"whole","message":1}\n'),
  )
  await raw.got('"matched":1')
  raw.write(chunk('{"path":"begun","message":1}'))
  await pause(20)
  raw.write(`${chunk('x'.repeat(100))}0\r\n\r\n`)
  await raw.got('STREAM_TOO_LARGE')
  raw.socket.end()
  await raw.ended()
  t.same(taken, ['whole'])
})

test('DB-22: the back end subscribes a client, and the client may drop and retake that', async (t) => {
  const stand = await serve(t, { http: { dev: false, keys: ['key'] } })
  const headers = { authorization: 'Bearer key' }
  const client = new WsClient(stand)
  const { id } = (await client.hello()).message
  const change = (what: string, body: unknown, query = ''): ReturnType<typeof call> =>
    call(stand, `/${what}/${id}${query}`, { body: JSON.stringify(body), headers })
  client.send({ path: '::connect', message: 'rooms/1/chat' })
  t.equal((await client.path('::error')).message.code, 'NOT_ALLOWED')
  const answer = await change('connect', ['rooms/1/**', 'orders/42'])
  t.equal(answer.status, 200)
  t.same(answer.json.patterns, ['rooms/1/**', 'orders/42'])
  t.match(answer.json.at, /^[0-9a-f]{16}-\d+$/)
  await client.frames.count(2, ({ path }) => path === '::connected')
  t.equal((await publish(stand, 'rooms/1/chat', 1, headers)).matched, 1)
  client.send({ path: '::disconnect', message: 'rooms/1/**' })
  await client.path('::disconnected')
  t.equal((await publish(stand, 'rooms/1/chat', 2, headers)).matched, 0)
  await client.subscribe('rooms/1/chat')
  t.equal((await publish(stand, 'rooms/1/chat', 3, headers)).matched, 1, 'what a grant covers')
  await change('disconnect', ['rooms/1/**', 'rooms/1/chat'])
  await client.frames.count(2, ({ path }) => path === '::disconnected')
  client.send({ path: '::connect', message: 'rooms/1/chat' })
  await client.frames.count(2, ({ path }) => path === '::error')
  t.equal((await publish(stand, 'rooms/1/chat', 4, headers)).matched, 0, 'no right any more')
  t.equal((await publish(stand, 'orders/42', 5, headers)).matched, 1, 'others are untouched')
  const unknown = await call(stand, '/connect/nobody', { body: '["a"]', headers })
  t.equal(unknown.status, 404)
  t.equal(unknown.json.code, 'CLIENT_UNKNOWN')
  for (const body of [{ a: 1 }, [1], 'a//b', ['**/a'], ['a->b'], ['']]) {
    const refused = await change('connect', body)
    t.equal(refused.status, 400, JSON.stringify(body))
  }
  t.equal((await change('connect', ['a'], '?after=nonsense')).json.code, 'POSITION_INVALID')
  t.equal((await change('connect', ['a'], '?afer=x')).json.code, 'QUERY_UNKNOWN')
  t.equal((await call(stand, `/connect/${id}`, { body: '["a"]' })).status, 401, 'without a key')
  const many = Array.from({ length: 300 }, (_, i) => `p/${i}`)
  t.equal((await change('connect', many)).json.code, 'LIMIT_PATTERNS')
})

test('/connect with ?after= brings what was missed first', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  const { id, at } = (await client.hello()).message
  await publish(stand, 'a', 1)
  await publish(stand, 'b', 2)
  await publish(stand, 'a', 3)
  const answer = await call(stand, `/connect/${id}?after=${at}`, { body: '["a"]' })
  t.equal(answer.status, 200)
  await publish(stand, 'a', 4)
  const got = await client.frames.count(3, ({ path }) => path === 'a')
  t.same(
    got.map(({ message, replay }) => [message, replay]),
    [
      [1, true],
      [3, true],
      [4, undefined],
    ],
  )
})

test('frames by POST may be as long as frames of a WebSocket', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 1_000 } } })
  const client = new WsClient(stand)
  const { resume } = (await client.hello()).message
  const frames = (length: number): string => {
    const empty = JSON.stringify([{ path: 'a', message: '' }])
    return empty.replace('""', JSON.stringify('x'.repeat(length - empty.length)))
  }
  const most = 1_000 + 64 * 1024
  const expect = { expect: '100-continue' }
  for (const [number, length, status, headers] of [
    [1, most, 200, {}],
    [2, most + 1, 413, {}],
    [2, most, 200, expect],
    [3, most + 1, 413, expect],
  ] as const) {
    const answer = await call(stand, `/session/${resume}/${number}`, {
      body: frames(length),
      headers,
    })
    t.equal(answer.status, status, `${number}: ${length}`)
    if (status === 413) t.equal(answer.json.code, 'BODY_TOO_LARGE')
  }
})

test('a body over limits.body is a 413, with and without Expect; a slow one a 408', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 1_000, bodyTime: 100 } } })
  const body = 'x'.repeat(2_000)
  for (const target of ['/update/a', '/update', '/client/x/y', '/connect/x', '/session/x/1']) {
    const told = await call(stand, target, { body })
    const expected = target === '/session/x/1' ? 404 : 413
    t.equal(told.status, expected, target)
    if (expected === 413) t.equal(told.json.code, 'BODY_TOO_LARGE')
    if (expected === 413) t.equal(told.headers['content-type'], 'application/problem+json')
    const chunked = await call(stand, target, { body, headers: { 'transfer-encoding': 'chunked' } })
    t.equal(chunked.status, expected, `${target} chunked`)
  }
  let continued = false
  const request = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update/a',
    method: 'POST',
    headers: { expect: '100-continue', 'content-length': 2_000 },
    agent: false,
  })
  request.on('error', () => undefined)
  request.on('continue', () => {
    continued = true
  })
  const early = new Promise<IncomingMessage>((resolve) => request.on('response', resolve))
  request.flushHeaders()
  const answer = await read(await early)
  t.equal(answer.status, 413)
  t.equal(continued, false, 'the body was never asked for')
  request.destroy()
  const small = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update/a',
    method: 'POST',
    headers: { expect: '100-continue', 'content-length': 1 },
    agent: false,
  })
  const taken = new Promise<IncomingMessage>((resolve) => small.on('response', resolve))
  small.on('continue', () => small.end('1'))
  small.flushHeaders()
  t.equal((await read(await taken)).status, 200)
  const slow = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path: '/update/a',
    method: 'POST',
    headers: { 'content-length': 10 },
    agent: false,
  })
  slow.on('error', () => undefined)
  const late = new Promise<IncomingMessage>((resolve) => slow.on('response', resolve))
  slow.write('123')
  const timeout = await read(await late)
  t.equal(timeout.status, 408)
  t.equal(timeout.json.code, 'BODY_TIMEOUT')
  slow.destroy()
  t.match((await call(stand, '/metrics')).text, /sapwood_faults_total\{code="BODY_TIMEOUT"\} 1/)
})

test(
  'a body far over the limit gets its 413 too, by node, by fetch and by curl',
  requires('curl'),
  async (t) => {
    const stand = await serve(t)
    const body = Buffer.alloc(20 * 1024 * 1024, 'x')
    const answer = await call(stand, '/update/a', { body })
    t.equal(answer.status, 413)
    const fetched = await fetch(`${stand.url}/update/a`, { method: 'POST', body }).catch(
      () => undefined,
    )
    t.ok(fetched === undefined || fetched.status === 413, 'undici may see the end first')
    const args = ['-o', '/dev/null', '-w', '%{http_code}', '--data-binary', '@-']
    t.equal(await curl([...args, `${stand.url}/update/a`], body), '413')
    t.equal(await curl([...args, '-H', 'Expect:', `${stand.url}/update/a`], body), '413')
  },
)

test('fetch streams NDJSON, and receipts that are not ASCII are whole', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, '**')
  const lines = ['{"path":"ä","message":"grüße 😀","id":"ü1"}\n', '{"path":"b","message":2}\n']
  const body = new ReadableStream({
    async start(controller) {
      for (const line of lines) {
        controller.enqueue(new TextEncoder().encode(line))
        await pause(20)
      }
      controller.close()
    },
  })
  const init = { method: 'POST', headers: LINES_HEAD, body, duplex: 'half' }
  const answer = await fetch(`${stand.url}/update`, init as RequestInit)
  const receipts = (await answer.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(receipts, [{ id: 'ü1', matched: 1 }, { matched: 1 }])
  t.equal((await client.path('ä')).message, 'grüße 😀')
  const raw = new Raw(stand)
  const one =
    'POST /update/a HTTP/1.1\r\nHost: localhost\r\nSapwood-Id: \u00fc\r\nContent-Length: 1\r\n\r\n1'
  raw.write(Buffer.from(one + one, 'latin1'))
  await raw.got('"duplicate":true')
  const texts = Buffer.from(raw.text, 'latin1').toString('utf8')
  t.equal([...texts.matchAll(/"id":"ü"/g)].length, 2)
  raw.write('GET /events?path=a HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await raw.got('event: connected')
  raw.socket.destroy()
  const piped = new Raw(stand)
  piped.write(Buffer.from(`${one}GET /events?path=a HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'latin1'))
  await piped.got('"matched"')
  await piped.got('HTTP/1.1 ')
  piped.socket.destroy()
  t.equal((await call(stand, '/health/live')).status, 200)
})

test('errors: 405 with Allow, 404, all as problem documents with a code', async (t) => {
  const stand = await serve(t)
  for (const [method, target, status, code] of [
    ['GET', '/update/a', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/update', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/connect/x', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/events?path=a', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/stream?path=a', 405, 'METHOD_NOT_ALLOWED'],
    ['PUT', '/poll', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/session/x/1', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/client', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/health/live', 405, 'METHOD_NOT_ALLOWED'],
    ['POST', '/metrics', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/ws', 426, 'UPGRADE_REQUIRED'],
    ['GET', '/nowhere', 404, 'NOT_FOUND'],
    ['GET', '/Update/a', 404, 'NOT_FOUND'],
    ['GET', '/health/else', 404, 'NOT_FOUND'],
    ['GET', '//update/a', 404, 'NOT_FOUND'],
    ['GET', '/constructor', 404, 'NOT_FOUND'],
    ['POST', '/connect', 404, 'NOT_FOUND'],
    ['GET', '/', 404, 'NOT_FOUND'],
  ] as const) {
    const answer = await call(stand, target, { method })
    t.equal(answer.status, status, `${method} ${target}`)
    t.equal(answer.headers['content-type'], 'application/problem+json')
    t.equal(answer.json.code, code)
    t.equal(answer.json.status, status)
    if (status === 405) t.ok(answer.headers.allow)
  }
})

test('HEAD is answered like GET, without the body', async (t) => {
  const stand = await serve(t, { http: { assets: { page: THIS, sdk: THIS } } })
  for (const target of [
    ...['/', '/sapwood.js', '/client', '/metrics'],
    ...['/health/live', '/health/ready', '/health/else'],
  ]) {
    const got = await call(stand, target)
    const head = await call(stand, target, { method: 'HEAD' })
    t.equal(head.status, got.status, target)
    t.equal(head.text, '', target)
    for (const name of ['content-type', 'content-length'] as const) {
      if (target !== '/metrics') t.equal(head.headers[name], got.headers[name], target)
    }
  }
})

test('what stands behind a number or a token is no route', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  const { resume } = (await client.hello()).message
  for (const target of [
    ...[`/poll/${resume}/0/2`, '/poll/none/1/2', '/poll/none/1/'],
    ...[`/events/${resume}/1`, `/stream/${resume}/1`, `/session/${resume}/1/2`],
    '/health/live/1',
  ]) {
    const method = target.startsWith('/session') ? 'POST' : 'GET'
    const answer = await call(stand, target, { method })
    t.equal(answer.status, 404, target)
    t.equal(answer.json.code, 'NOT_FOUND', target)
  }
  client.send({ path: 'a', reply: '1', message: 1 })
  await client.path('::reply')
  t.equal(stand.hub.sessions.size, 1, 'nobody was sent away, and nobody came')
})

test('many requests on one connection are answered in order', async (t) => {
  const stand = await serve(t)
  const raw = new Raw(stand)
  const one = (i: number): string =>
    `POST /update/p HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${String(i).length}\r\n\r\n${i}`
  raw.write(Array.from({ length: 200 }, (_, i) => one(i)).join(''))
  raw.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  const text = await raw.ended()
  const offsets = [...text.matchAll(/"at":"[0-9a-f]{16}-(\d+)"/g)].map((match) => Number(match[1]))
  t.same(
    offsets,
    Array.from({ length: 200 }, (_, i) => i + 1),
  )
  t.ok(text.endsWith('{"status":"live"}'))
})

test('observers of ::connect and of what is published see it after it took effect (DB-10)', async (t) => {
  const stand = await serve(t)
  const seen: unknown[] = []
  stand.hub.subscribe('::connect', (message) => seen.push(message.body))
  const client = new WsClient(stand)
  const { id } = (await client.hello()).message
  await grant(stand, id, 'a')
  t.same(seen, [JSON.stringify(`${id}->a`)])
  const stream = await StreamClient.open(stand, '/stream?path=a')
  t.equal((await publish(stand, 'a', 1)).matched, 2)
  await stream.path('a')
  stream.close()
  t.ok(await open(stand, '/health/live'))
})

test('an offer of another protocol is passed over, and the request answered', async (t) => {
  const stand = await serve(t)
  const taken: string[] = []
  stand.hub.subscribe('**', ({ body }, path) => taken.push(`${path} ${body}`))
  const offer =
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
  const post = (path: string, more: string): string =>
    `POST /update/${path} HTTP/1.1\r\nHost: localhost\r\n${offer}Content-Length: 5\r\n\r\n${more}`
  const whole = new Raw(stand)
  whole.write(post('whole', '12345') + post('next', '67890'))
  await whole.got('"matched":1}HTTP/1.1 200')
  const parts = new Raw(stand)
  parts.write(post('parts', '12'))
  await pause(20)
  parts.write(`345GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  t.match(await parts.ended(), /"matched":1}.*"status":"live"/s)
  const secure = new Raw(stand)
  secure.write(
    'GET /health/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: TLS/1.3\r\nConnection: upgrade\r\n\r\n',
  )
  await secure.got('"live"')
  const chat = new Raw(stand)
  chat.write(
    'GET /health/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: irc/6.9\r\nConnection: upgrade, close\r\n\r\n',
  )
  t.match(await chat.ended(), /"live"/, 'and what else the connection was to do is kept')
  for (const raw of [whole, secure]) raw.socket.destroy()
  t.same(taken, ['whole 12345', 'next 67890', 'parts 12345'])
})

test('curl offers HTTP/2, and is answered', requires('curl'), async (t) => {
  const stand = await serve(t)
  t.match(await curl(['--http2', '-d', '{"a":1}', `${stand.url}/update/a`]), /"matched":0/)
  t.match(await curl(['--http2', `${stand.url}/client/hub/cat//a`]), /"a"/)
})

test('what is asked of no server of this kind is a problem with a code, too', async (t) => {
  const stand = await serve(t)
  const raw = async (text: string): Promise<string> => {
    const one = new Raw(stand)
    one.write(text)
    return one.ended()
  }
  const expects = await raw('POST /update/a HTTP/1.1\r\nHost: localhost\r\nExpect: more\r\n\r\n')
  t.match(expects, /^HTTP\/1\.1 417 .*application\/problem\+json.*EXPECTATION_UNKNOWN/s)
  const tunnel = await raw('CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n')
  t.match(tunnel, /^HTTP\/1\.1 405 .*application\/problem\+json.*METHOD_NOT_ALLOWED/s)
})

test('NDJSON: who may not publish and is nobody gets 401 for a line, as for a whole request', async (t) => {
  const stand = await serve(t, { http: { dev: false, keys: ['key'] } })
  const lines = await call(stand, '/update', { headers: LINES_HEAD, body: '{"path":"a"}\n' })
  t.match(JSON.parse(lines.text), { code: 'NOT_ALLOWED', status: 401, line: 1 })
})
