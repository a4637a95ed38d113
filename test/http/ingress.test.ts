/** What back ends publish, one update a request. */
import { test } from 'tap'
import { requires } from '../requires.ts'
import { subscriber } from './clients.ts'
import { curl } from './curl.ts'
import { call, grant, open, publish, Raw, StreamClient, serve, WsClient } from './support.ts'

const JSON_HEAD = { 'content-type': 'application/json' }

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

test('an empty id is none, in a frame as in a header: what follows it is no repeat', async (t) => {
  const stand = await serve(t)
  const client = await subscriber(stand, 'a')
  const item = { path: 'a', message: 1, id: '' }
  const receipts = await call(stand, '/update', { body: JSON.stringify([item, item]) })
  t.same(
    receipts.json.map(({ matched, duplicate }: { matched: number; duplicate?: boolean }) => [
      matched,
      duplicate,
    ]),
    [
      [1, undefined],
      [1, undefined],
    ],
  )
  client.send(item, item)
  t.equal((await client.frames.count(4, ({ path }) => path === 'a')).length, 4)
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
  const more = await call(stand, 'http://localhost/session/nobody/1', {
    method: 'POST',
    headers: { host: 'localhost', expect: '100-continue', 'content-length': 1024 * 1024 + 1 },
  })
  t.equal(more.json.code, 'SESSION_UNKNOWN', 'a frame may be a little longer than a body')
  const cat = await call(stand, 'http://localhost/client/hub/cat//a/b')
  t.equal(cat.json.result_from_server, 'ab')
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
