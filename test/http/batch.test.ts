/** Many updates in one request: batches, and NDJSON as it streams or comes whole. */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { test } from 'tap'
import { subscriber } from './clients.ts'
import { call, Inflow, pause, Raw, read, serve, WsClient } from './support.ts'

const JSON_HEAD = { 'content-type': 'application/json' }
const LINES_HEAD = { 'content-type': 'application/x-ndjson' }

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

test('what is wrong with an update says which one it is, where there are several', async (t) => {
  const stand = await serve(t)
  for (const [update, detail] of [
    ['{"path":"a//b"}', 'the path has an empty segment'],
    ['{"path":"a","id":7}', '"id" must be a string'],
  ] as const) {
    for (const [body, said] of [
      [update, detail],
      [`[${update}]`, `item 0: ${detail}`],
      [` [{"path":"a"},${update}]`, `item 1: ${detail}`],
    ] as const) {
      const answer = await call(stand, '/update', { body, headers: JSON_HEAD })
      t.equal(answer.status, 400, body)
      t.ok(answer.json.detail.startsWith(said), `${body}: ${answer.json.detail}`)
    }
  }
  for (const [target, body, said] of [
    ['/update', '{"path":"a"}', ''],
    ['/update', '[{"path":"a"}]', 'item 0: '],
    ['/update/a', '1', ''],
  ] as const) {
    const refused = await call(await serve(t, { http: { dev: false, keys: ['k'] } }), target, {
      body,
      headers: JSON_HEAD,
    })
    t.equal(refused.status, 401)
    t.ok(refused.json.detail.startsWith(`${said}anyone may not publish a`), refused.text)
  }
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

test('NDJSON: who may not publish and is nobody gets 401 for a line, as for a whole request', async (t) => {
  const stand = await serve(t, { http: { dev: false, keys: ['key'] } })
  const lines = await call(stand, '/update', { headers: LINES_HEAD, body: '{"path":"a"}\n' })
  t.match(JSON.parse(lines.text), { code: 'NOT_ALLOWED', status: 401, line: 1 })
})
