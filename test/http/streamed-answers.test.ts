/** Handlers that answer with a stream: sent while it is made, and made as fast as it is taken. */
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { Readable as ReadableStream } from 'node:stream'
import { ReadableStream as WebStream } from 'node:stream/web'
import type { HandlerContext } from '@sapwood/http'
import { handlerComponent } from '@sapwood/http'
import { FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import type { Got, Stand } from './support.ts'
import { call, eventually, open, pause, serve, WsClient } from './support.ts'

const MIB = 1024 * 1024

/** A hub under whose name `files` these handlers answer. */
async function answering(t: Parameters<typeof serve>[0], table: object): Promise<Stand> {
  const stand = await serve(t)
  const component = handlerComponent(table as never, {
    update: (sender, path, message) => stand.hub.update(sender, path, message),
  })
  stand.hub.answer('files', component)
  return stand
}

test('a handler may answer with a stream: Readable, web stream, iterable; it is sent while it is made', async (t) => {
  let next = (): void => undefined
  async function* events(): AsyncGenerator<string> {
    for (let i = 1; i <= 3; i++) {
      yield `data: ${i}\n\n`
      await new Promise<void>((resolve) => (next = resolve))
    }
  }
  const web = (): object =>
    new WebStream({
      start(controller): void {
        controller.enqueue('web')
        controller.close()
      },
    })
  const stand = await answering(t, {
    'GET readable': () => ReadableStream.from([Buffer.alloc(MIB, 1), Buffer.alloc(MIB, 2)]),
    'GET web': () => ({ type: 'text/plain', data: web() }),
    'GET events': () => ['text/event-stream', 3, events()],
  })
  const readable = await call(stand, '/client/files/readable')
  t.same([readable.status, readable.bytes.length], [200, 2 * MIB])
  t.equal(readable.headers['content-type'], 'application/octet-stream')
  const { text, headers } = await call(stand, '/client/files/web')
  t.same([text, headers['content-type']], ['web', 'text/plain'])
  const response = await open(stand, '/client/files/events')
  t.same(
    [response.headers['content-type'], response.headers['x-event-return-code']],
    ['text/event-stream', '3'],
  )
  let seen = ''
  response.on('data', (chunk: Buffer) => {
    seen += chunk
  })
  for (let i = 1; i <= 3; i++) {
    await eventually(() => seen.endsWith(`data: ${i}\n\n`), `event ${i}`)
    next()
  }
  await once(response, 'end')
})

test('a streamed answer stops when the caller leaves, or has no use for it', async (t) => {
  const stopped: string[] = []
  const signals: AbortSignal[] = []
  async function* endless(name: string): AsyncGenerator<string> {
    try {
      for (;;) yield 'more'
    } finally {
      stopped.push(name)
    }
  }
  const stand = await answering(t, {
    'GET endless': ({ signal }: HandlerContext) => {
      signals.push(signal)
      return endless('endless')
    },
    'GET none': () => ({ status: 204, data: ReadableStream.from(endless('none')) }),
    'GET bare': () => ['text/csv', 3, ReadableStream.from(endless('bare'))],
  })
  const response = await open(stand, '/client/files/endless')
  await once(response, 'readable')
  response.destroy()
  await eventually(() => stopped.length === 1, 'the generator was told')
  await eventually(() => signals[0]?.aborted === true, 'the signal too')
  t.equal((await call(stand, '/client/files/none')).status, 204)
  const bare = await call(stand, '/client/files/bare', { method: 'HEAD' })
  t.same([bare.status, bare.text, bare.headers['content-type']], [200, '', 'text/csv'])
  t.equal(bare.headers['x-event-return-code'], '3')
  t.equal((await call(stand, '/health/live')).status, 200)
})

async function* breaking(thrown: unknown): AsyncGenerator<string> {
  yield 'begin'
  throw thrown
}

test('a streamed answer that fails, or is of nonsense, breaks the connection and nothing else', async (t) => {
  const stand = await answering(t, {
    'GET fails': () => breaking(new Error('no more')),
    'GET nonsense': () =>
      (async function* () {
        yield { a: 1 }
      })(),
  })
  for (const name of ['fails', 'nonsense']) {
    await t.rejects(call(stand, `/client/files/${name}`))
  }
  t.equal((await call(stand, '/health/live')).status, 200)
})

test('why a streamed answer broke off stands in the log, and that a caller left does not', async (t) => {
  const told: object[] = []
  const nothing = (): void => undefined
  const log = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (fields: object) => told.push(fields),
  }
  const stand = await serve(t, {
    hub: { log },
    http: {
      handlers: {
        'GET fails': () => breaking(new Error('the disk is gone')),
        'GET textless': () => breaking(Object.create(null)),
        'GET closed': () => new ReadableStream({ read() {} }).destroy(),
        'GET failed': () => new ReadableStream({ read() {} }).destroy(new Error('it was gone')),
        'GET whole': () => ReadableStream.from(['a', 'b']),
        'GET endless': () =>
          (async function* () {
            for (;;) yield 'more'
          })(),
      },
    },
  })
  for (const [name, reason] of [
    ['fails', 'the disk is gone'],
    ['textless', 'object'],
    ['closed', 'it was closed before its end'],
    ['failed', 'it was gone'],
  ] as const) {
    const path = `/client/hub/${name}`
    await t.rejects(call(stand, `${path}?secret=1`))
    t.same(told.splice(0), [{ code: 'ANSWER_BROKEN', method: 'GET', path, reason }])
  }
  t.equal(stand.hub.counters.faults.get('ANSWER_BROKEN'), 4)
  t.equal((await call(stand, '/client/hub/whole')).text, 'ab')
  t.equal((await call(stand, '/client/hub/whole', { method: 'HEAD' })).text, '')
  const response = await open(stand, '/client/hub/endless')
  await once(response, 'readable')
  response.destroy()
  await call(stand, '/health/live')
  t.same(told, [])
})

test('a client that asks over its session gets a streamed answer whole, and keeps its connection', async (t) => {
  const stopped: string[] = []
  const endless = async function* (): AsyncGenerator<string> {
    try {
      for (;;) {
        yield 'more'
        await pause(1)
      }
    } finally {
      stopped.push('endless')
    }
  }
  const table = {
    'GET text': () => ['text/csv', 7, ReadableStream.from(['a,', 'b'])],
    'GET json': () => ({
      type: 'application/json',
      data: ReadableStream.from(['{"a":', ' 1e400}']),
    }),
    'GET bytes': () => ReadableStream.from([Buffer.from([0, 255])]),
    'GET nothing': () => ReadableStream.from([]),
    'GET fails': () => breaking(new RangeError('no more')),
    'GET long': () => ReadableStream.from([Buffer.alloc(600), Buffer.alloc(600)]),
    'GET none': () => ({ type: 'application/json', data: ReadableStream.from(['{']) }),
    'GET endless': endless,
  }
  const stand = await serve(t, { http: { handlers: table as never, limits: { body: 1_000 } } })
  const client = new WsClient(stand)
  await client.hello()
  const ask = async (noun: string, more: object = {}): Promise<Got> => {
    client.send({ path: `@hub/${noun}`, verb: 'GET', reply: noun, message: '', ...more })
    return client.frames.find(({ path, reply }) => path === '::reply' && reply === noun, noun)
  }
  t.match(await ask('text'), { message: 'a,b', type: 'text/csv', code: 7 })
  t.match(await ask('json'), { message: { a: Number.POSITIVE_INFINITY }, code: 0 })
  t.match(await ask('bytes'), { message: 'AP8=', encoding: 'base64', code: 0 })
  t.match(await ask('nothing'), { message: '', code: 0 })
  t.match(await ask('fails'), { message: { exception: { class: 'RangeError' } }, code: 251 })
  t.match(await ask('long'), { message: { code: 'ANSWER_TOO_LONG' }, code: 251, status: 502 })
  t.match(await ask('none'), { message: { code: 'ANSWER_INVALID' }, code: 251, status: 502 })
  t.match(await ask('endless', { deadline: 50 }), {
    message: { code: 'ANSWER_TIMEOUT' },
    code: 253,
  })
  await eventually(() => stopped.length === 1, 'its stream was stopped')
  await client.sync()
  t.equal(client.frames.all.filter(({ path }) => path === '::hello').length, 1)
})

test('a streamed answer that nobody waits for any more, or that is none, is stopped', async (t) => {
  const clock = new FakeClock(1_000)
  const streams: Readable[] = []
  const made = (): Readable => {
    const stream = new ReadableStream({ read() {} })
    streams.push(stream)
    return stream
  }
  let answer = (_with: unknown): void => undefined
  const handlers = {
    'GET late': () => new Promise((resolve) => (answer = resolve)),
    'GET wrong': () => [null, 300, made()],
  }
  const stand = await serve(t, { hub: { clock }, http: { handlers } })
  const late = call(stand, '/client/hub/late?timeout=5s')
  await eventually(() => stand.hub.counters.updates > 0, 'it was asked')
  clock.advance(6_000)
  t.equal((await late).status, 504)
  answer(made())
  await eventually(() => streams[0]?.destroyed === true, 'the late one is stopped')
  t.equal((await call(stand, '/client/hub/wrong')).status, 500)
  t.ok(streams[1]?.destroyed)
})
