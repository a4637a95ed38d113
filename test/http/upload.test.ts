/** Uploads that stream to a handler (TB-02, SP scenario 4): seen while they come, at the handler's pace, in flat memory. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { ClientRequest, OutgoingHttpHeaders } from 'node:http'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { Readable as ReadableStream } from 'node:stream'
import type { HandlerContext } from '@sapwood/http'
import { handlerComponent } from '@sapwood/http'
import { FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { curl } from './curl.ts'
import { outcome } from './outcome.ts'
import type { Answer, Stand } from './support.ts'
import { call, eventually, pause, Raw, read, serve, WsClient, within } from './support.ts'

const MIB = 1024 * 1024

type Uploading = (context: HandlerContext, data: readonly [string, Readable]) => unknown

/** Answers `PUT` and `POST` at `@files/in` with a handler that streams. */
function taking(stand: Stand, handler: Uploading): void {
  const streaming = Object.assign(handler, { stream: true as const })
  const table = { 'PUT in': streaming, 'POST in': streaming, 'PUT whole': () => 'whole' }
  const component = handlerComponent(table as never, {
    update: (sender, path, message) => stand.hub.update(sender, path, message),
  })
  stand.hub.answer('files', component)
}

/** An upload that goes on for as long as it is written to. */
function upload(
  stand: Stand,
  headers: OutgoingHttpHeaders = {},
  path = '/client/files/in',
): { readonly request: ClientRequest; readonly answer: Promise<Answer> } {
  const request = httpRequest({
    host: '127.0.0.1',
    port: stand.port,
    path,
    method: 'PUT',
    headers,
    agent: false,
  })
  const answer = new Promise<Answer>((resolve, reject) => {
    request.once('response', (response) => resolve(read(response)))
    request.once('error', reject)
  })
  // a test may only look at one side of a broken connection
  answer.catch(() => undefined)
  return { request, answer }
}

async function sizeOf(stream: Readable): Promise<number> {
  let size = 0
  for await (const chunk of stream) size += (chunk as Buffer).length
  return size
}

test('TB-02: the handler sees the first chunk before the client sends the last', async (t) => {
  const stand = await serve(t)
  const seen: string[] = []
  taking(stand, async (context, [type, data]) => {
    t.match(context, { verb: 'PUT', noun: 'in', peer: 'local' })
    data.setEncoding('utf8')
    for await (const chunk of data) seen.push(chunk as string)
    return { type, text: seen.join('') }
  })
  const { request, answer } = upload(stand, { 'content-type': 'Text/Plain; charset=utf-8' })
  for (const piece of ['first', ' then', ' last']) {
    request.write(piece)
    await eventually(() => seen.at(-1) === piece, piece)
  }
  request.end()
  const { status, headers, json } = await answer
  t.equal(status, 200)
  t.equal(headers['x-event-return-code'], '0')
  t.same(json, { type: 'text/plain', text: 'first then last' })
})

test('TB-02: many times limits.body arrives whole, and memory stays flat', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 64 * 1024 } } })
  const piece = randomBytes(MIB)
  const pieces = 128
  const wanted = createHash('sha256')
  for (let i = 0; i < pieces; i++) wanted.update(piece)
  let most = 0
  const held = (): number => process.memoryUsage().arrayBuffers
  taking(stand, async (_context, [, data]) => {
    const hash = createHash('sha256')
    for await (const chunk of data) {
      hash.update(chunk as Buffer)
      most = Math.max(most, held())
    }
    return hash.digest('hex')
  })
  const before = held()
  const { request, answer } = upload(stand)
  for (let i = 0; i < pieces; i++) if (!request.write(piece)) await once(request, 'drain')
  request.end()
  t.equal((await answer).json, wanted.digest('hex'))
  t.ok(most - before < 64 * MIB, `${Math.round((most - before) / MIB)} MiB were held`)
})

test('TB-02: a slow handler slows the client, and loses nothing', async (t) => {
  const stand = await serve(t)
  let go = (): void => undefined
  const released = new Promise<void>((resolve) => {
    go = resolve
  })
  taking(stand, async (_context, [, data]) => {
    await released
    return sizeOf(data)
  })
  const socket = connect(stand.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  const size = 64 * MIB
  socket.write(
    `PUT /client/files/in HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n`,
  )
  const piece = Buffer.alloc(MIB, 'x')
  let sent = 0
  const send = (): void => {
    while (sent < size) {
      sent += piece.length
      if (!socket.write(piece)) return
    }
  }
  socket.on('drain', send)
  send()
  // the kernel's buffers on both sides fill up, then nothing moves
  for (let last = -1, same = 0; same < 2; ) {
    same = last === sent ? same + 1 : 0
    last = sent
    await pause(80)
  }
  t.ok(sent < 32 * MIB, `${sent / MIB} MiB were taken from a client whose handler reads nothing`)
  go()
  await eventually(() => text.includes(String(size)), 'the answer')
  t.match(text, /^HTTP\/1\.1 200 /)
})

test('limits.stream: said too long it is not asked, found too long it breaks off', async (t) => {
  const stand = await serve(t, { http: { limits: { stream: 100_000 } } })
  const ended: unknown[] = []
  taking(stand, (_context, [, data]) => sizeOf(data).catch((thrown) => ended.push(thrown.code)))
  const said = upload(stand, { 'content-length': 100_001 })
  said.request.write('x')
  t.same(outcome(await said.answer), [413, '251', 'STREAM_TOO_LARGE'])
  said.request.destroy()
  t.same(ended, [])
  const found = upload(stand)
  found.request.write(Buffer.alloc(60_000))
  found.request.write(Buffer.alloc(60_000))
  t.same(outcome(await found.answer), [413, '251', 'STREAM_TOO_LARGE'])
  found.request.destroy()
  await eventually(() => ended.length === 1, 'the handler was told')
  t.same(ended, ['STREAM_TOO_LARGE'])
  const fits = await call(stand, '/client/files/in', { body: Buffer.alloc(100_000) })
  t.equal(fits.json, 100_000)
  t.equal(stand.hub.counters.faults.get('STREAM_TOO_LARGE'), 2)
})

test('limits.body_time: a client may pause that long, again and again, and no longer', async (t) => {
  const clock = new FakeClock(1_000)
  const stand = await serve(t, {
    hub: { clock, ask: { timeout: 50_000 } },
    http: { limits: { bodyTime: 10_000 } },
  })
  let size = 0
  let end: { code?: string } | undefined
  taking(stand, async ({ signal }, [, data]) => {
    try {
      for await (const chunk of data) size += (chunk as Buffer).length
    } catch (thrown) {
      end = { code: (thrown as { code: string }).code }
      t.ok(signal.aborted)
    }
  })
  const { request, answer } = upload(stand)
  for (const wanted of [1, 2, 3]) {
    request.write('x')
    await eventually(() => size === wanted, `${wanted} bytes`)
    clock.advance(9_900)
  }
  t.equal(end, undefined)
  clock.advance(200)
  t.same(outcome(await answer), [408, '251', 'BODY_TIMEOUT'])
  await eventually(() => end !== undefined, 'the handler was told')
  t.same(end, { code: 'BODY_TIMEOUT' })
  request.destroy()
})

test('ask.timeout: the handler has that long from the last that it took (RP-08)', async (t) => {
  const clock = new FakeClock(1_000)
  const stand = await serve(t, {
    hub: { clock, ask: { timeout: 5_000 } },
    http: { limits: { bodyTime: 60_000 } },
  })
  const contexts: HandlerContext[] = []
  const streams: Readable[] = []
  taking(stand, (context, [, data]) => {
    contexts.push(context)
    streams.push(data)
    return new Promise(() => undefined)
  })
  // it reads nothing of what does not fit into a buffer
  const stuck = upload(stand)
  stuck.request.write(Buffer.alloc(MIB))
  await eventually(() => (streams[0]?.readableLength ?? 0) >= 64 * 1024, 'the buffer is full')
  clock.advance(5_100)
  t.same(outcome(await stuck.answer), [504, '253', 'ANSWER_TIMEOUT'])
  t.ok(contexts[0]?.signal.aborted)
  t.equal((streams[0]?.errored as { code?: string } | null)?.code, 'ANSWER_TIMEOUT')
  stuck.request.destroy()
  // it reads everything, and then says nothing
  const mute = upload(stand, {}, '/client/files/in?timeout=7s')
  mute.request.write('x')
  await eventually(() => streams.length === 2, 'it was asked')
  streams[1]?.resume()
  clock.advance(30_000)
  mute.request.end('y')
  await once(streams[1] as Readable, 'end')
  clock.advance(6_900)
  t.notOk(contexts[1]?.signal.aborted, 'the time of the upload does not count')
  clock.advance(200)
  t.same(outcome(await mute.answer), [504, '253', 'ANSWER_TIMEOUT'])
  t.ok(contexts[1]?.signal.aborted)
})

test('a client that leaves breaks the stream and cancels the question', async (t) => {
  const stand = await serve(t)
  let end: string | undefined
  let aborted = false
  let asked = false
  taking(stand, async ({ signal }, [, data]) => {
    asked = true
    signal.onabort = () => {
      aborted = true
    }
    await sizeOf(data).catch((thrown) => {
      end = thrown.code
    })
  })
  for (const header of [{ 'content-length': 1_000 }, {}]) {
    end = undefined
    aborted = false
    asked = false
    const { request } = upload(stand, header as OutgoingHttpHeaders)
    request.on('error', () => undefined)
    request.write('x')
    await eventually(() => asked, 'it was asked')
    request.destroy()
    await eventually(() => end !== undefined && aborted, 'the handler was told')
    t.equal(end, 'CONNECTION_LOST')
  }
  t.equal((await call(stand, '/client/hub/time')).status, 200, 'the hub is unharmed')
})

test('a stream that breaks harms nobody, even if its handler looks away', async (t) => {
  const stand = await serve(t)
  let stream: Readable | undefined
  taking(stand, (_context, [, data]) => {
    stream = data
    return new Promise(() => undefined)
  })
  const { request } = upload(stand)
  request.on('error', () => undefined)
  request.write('x')
  await eventually(() => stream !== undefined, 'it was asked')
  request.destroy()
  await eventually(() => stream?.destroyed === true, 'the stream is over')
  t.equal((await call(stand, '/client/hub/time')).status, 200)
})

test('an answer may come before the body has ended; then the connection is closed', async (t) => {
  const clock = new FakeClock(1_000)
  const stand = await serve(t, { hub: { clock } })
  taking(stand, ({ query }) => {
    if (query === 'throw') throw new Error('no room')
    return { status: 507, type: 'text/plain', data: 'full' }
  })
  for (const [query, status, code] of [
    ['', 507, '0'],
    ['?throw', 500, '251'],
  ] as const) {
    const raw = new Raw(stand)
    raw.write(`PUT /client/files/in${query} HTTP/1.1\r\nHost: localhost\r\n`)
    raw.write(`Content-Length: ${8 * MIB}\r\n\r\n`)
    raw.write(Buffer.alloc(MIB))
    await raw.got('\r\n\r\n')
    // what still came was read for a moment, so that no reset overtook the answer
    clock.advance(600)
    const text = await raw.ended()
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `))
    t.match(text, new RegExp(`x-event-return-code: ${code}\r\n`, 'i'))
    t.match(text, /connection: close\r\n/i)
  }
})

test('a connection goes on behind an upload, whether its body was read or not', async (t) => {
  const stand = await serve(t)
  taking(stand, async ({ query }, [, data]) => (query === 'read' ? sizeOf(data) : 'unread'))
  const put = (query: string): string =>
    `PUT /client/files/in?${query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc`
  const raw = new Raw(stand)
  raw.write(put('unread') + put('read') + put('unread') + put('read'))
  await eventually(() => raw.text.split('\r\n\r\n').length === 5, 'four answers')
  t.same(raw.text.match(/(?<=\r\n\r\n)(3|"unread")/g), ['"unread"', '3', '"unread"', '3'])
  t.notMatch(raw.text, /connection: close/i)
})

test('RP-05: a body of nothing, without a type, or from a browser is a stream too', async (t) => {
  const stand = await serve(t)
  taking(stand, async (_context, [type, data]) => [type, await sizeOf(data)])
  t.same((await call(stand, '/client/files/in', { method: 'PUT' })).json, [
    'application/octet-stream',
    0,
  ])
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  t.same((await call(stand, '/client/files/in', { headers: form, body: '{}' })).json, [
    'application/x-www-form-urlencoded',
    2,
  ])
  // no JSON is parsed on the way
  const json = { 'content-type': 'application/json' }
  t.same((await call(stand, '/client/files/in', { headers: json, body: '{"a"' })).json, [
    'application/json',
    4,
  ])
  const browser = new WsClient(stand)
  await browser.hello()
  browser.send({ path: '@files/in', verb: 'PUT', message: 'grüße', type: 'text/plain', reply: 'r' })
  t.match(await browser.path('::reply'), { reply: 'r', message: ['text/plain', 7] })
})

test('who is no handler that streams gets at most limits.body, and all at once', async (t) => {
  const stand = await serve(t, { http: { limits: { body: 1_000 } } })
  taking(stand, async (_context, [, data]) => sizeOf(data))
  const browser = new WsClient(stand)
  const { id } = (await browser.hello()).message
  for (const path of [`/client/${id}/in`, '/client/files/whole']) {
    const { request, answer } = upload(stand, {}, path)
    request.write(Buffer.alloc(1_001))
    t.equal((await answer).json.code, 'BODY_TOO_LARGE', path)
    request.destroy()
  }
  t.equal((await call(stand, '/client/files/whole', { method: 'PUT', body: 'x' })).json, 'whole')
  t.notOk(browser.frames.all.some(({ path }) => path.startsWith('@')))
})

test('a stream is never put to somebody who takes none', async (t) => {
  const stand = await serve(t)
  const browser = new WsClient(stand)
  const { id } = (await browser.hello()).message
  const answer = await within(
    new Promise<{ code?: number | undefined; body: unknown }>((resolve) => {
      const body = ReadableStream.from([Buffer.from('x')])
      const message = { body, type: 'text/plain', meta: {} }
      stand.hub.ask({ path: `@${id}/in`, message, timeout: 1_000 }, ({ meta, body: text }) =>
        resolve({ code: meta.code, body: text }),
      )
    }),
    'an answer',
  )
  t.equal(answer.code, 251)
  t.match(answer.body, /BODY_STREAM/)
  t.equal((await browser.frames.count(1)).length, 1, 'the session lives')
})

test('nothing of the body is handed on before the caller is known and allowed', async (t) => {
  const stand = await serve(t, { http: { dev: false, keys: ['secret'] } })
  let asked = 0
  taking(stand, async (_context, [, data]) => {
    asked++
    return sizeOf(data)
  })
  for (const [headers, status] of [
    [{}, 401],
    [{ authorization: 'Bearer wrong' }, 401],
  ] as const) {
    const { request, answer } = upload(stand, headers)
    request.write(Buffer.alloc(100_000))
    t.equal((await answer).status, status)
    request.destroy()
  }
  t.equal(asked, 0)
  const headers = { authorization: 'Bearer secret' }
  const allowed = await call(stand, '/client/files/in', { method: 'PUT', headers, body: 'abc' })
  t.equal(allowed.json, 3)
})

test(
  'curl uploads by chunks and by length, waiting for 100 Continue',
  requires('curl'),
  async (t) => {
    const stand = await serve(t, { http: { limits: { body: MIB } } })
    taking(stand, async (_context, [, data]) => sizeOf(data))
    const size = 5 * MIB
    const url = `${stand.url}/client/files/in`
    const body = Buffer.alloc(size)
    const chunked = await curl(
      ['--no-progress-meter', '-T', '-', '-H', 'Expect: 100-continue', url],
      body,
    )
    t.equal(chunked, String(size))
    const whole = await curl(
      ['-X', 'PUT', '--data-binary', '@-', '-H', 'Expect: 100-continue', url],
      body,
    )
    t.equal(whole, String(size))
    const refused = await curl(
      [
        '-X',
        'PUT',
        '--data-binary',
        '@-',
        '-H',
        'Expect: 100-continue',
        `${stand.url}/client/files/whole`,
      ],
      body,
    )
    t.match(refused, /BODY_TOO_LARGE/)
  },
)
