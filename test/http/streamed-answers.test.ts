/** Handlers that answer with a stream: sent while it is made, and made as fast as it is taken. */
import { once } from 'node:events'
import { Readable as ReadableStream } from 'node:stream'
import { ReadableStream as WebStream } from 'node:stream/web'
import type { HandlerContext } from '@sapwood/http'
import { handlerComponent } from '@sapwood/http'
import { test } from 'tap'
import type { Stand } from './support.ts'
import { call, eventually, open, serve } from './support.ts'

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
  })
  const response = await open(stand, '/client/files/endless')
  await once(response, 'readable')
  response.destroy()
  await eventually(() => stopped.length === 1, 'the generator was told')
  await eventually(() => signals[0]?.aborted === true, 'the signal too')
  t.equal((await call(stand, '/client/files/none')).status, 204)
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
