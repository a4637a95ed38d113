/** Functions that read or answer a stream through a pipe, at the pace of the other end. */
import { Readable } from 'node:stream'
import { ReadableStream as WebStream } from 'node:stream/web'
import type { Fault } from '@sapwood/core'
import type { HandlerContext } from '@sapwood/http'
import { test } from 'tap'
import { pattern } from '../wire/pipe-pair.ts'
import { pairOf, streaming } from './handler-pair.ts'

test('a handler that streams reads the body as it comes, and the peer sends as it reads', async (t) => {
  let body: Readable | undefined
  let sum = 0
  const pair = pairOf(
    {
      post_in: streaming((_context: HandlerContext, [type, data]: [string, Readable]) => {
        body = data
        return new Promise((resolve) => {
          data.on('end', () => resolve([type, sum]))
          data.on('error', resolve)
        })
      }) as never,
    },
    { limits: { body: 10 } },
    { streamWindow: 65_536, streamWindowMost: 65_536 },
  )
  const length = 5_000_000
  const whole = pattern(length)
  const asked = pair.ask({ target: '/in', headers: ['content-type', 'image/png'] }, whole)
  await asked.until(() => body !== undefined)
  let before = -1
  while (pair.up !== before) {
    before = pair.up
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.ok(pair.up < 400_000, `${pair.up} bytes came of which nothing was read`)
  let at = 0
  body?.on('data', (chunk: Buffer) => {
    t.ok(chunk.equals(whole.subarray(at, at + chunk.length)) || `at ${at}`)
    at += chunk.length
    sum += chunk.length
  })
  await asked.end()
  t.same(asked.json, ['image/png', length])
  t.ok(pair.up > length)
})

test('a stream breaks for its handler when the asker gives up', async (t) => {
  let thrown: unknown
  let signal: AbortSignal | undefined
  const pair = pairOf({
    post_in: streaming(async (context: HandlerContext, [, data]: [string, Readable]) => {
      signal = context.signal
      try {
        for await (const _chunk of data);
      } catch (error) {
        thrown = error
      }
    }) as never,
  })
  const asked = pair.ask({ target: '/nothing' })
  await asked.end()
  const open = pair.near.ask(
    { method: 'POST', target: '/in', headers: [], timeout: 0, trace: '', hops: 0 },
    false,
    asked,
  )
  open.write(pattern(100))
  await asked.until(() => signal !== undefined)
  open.cancel({ code: 'CANCELLED', detail: 'enough' })
  await asked.until(() => thrown !== undefined)
  t.equal((thrown as { code: string }).code, 'CANCELLED')
  t.ok(signal?.aborted)
  await asked.until(() => pair.far.session.streams === 0)
})

test('any handler may answer with a stream: Readable, web stream, iterable of bytes or texts', async (t) => {
  const whole = Buffer.from(pattern(1_500_000))
  async function* parts(): AsyncGenerator<Uint8Array | string> {
    yield 'text '
    yield new Uint8Array([98, 99])
  }
  const pair = pairOf({
    get_readable: () => Readable.from([whole.subarray(0, 700_000), whole.subarray(700_000)]),
    get_web: () => ({
      type: 'text/plain',
      data: new WebStream({
        start(controller) {
          controller.enqueue('web')
          controller.close()
        },
      }),
    }),
    get_iterable: () => ['text/event-stream', 3, parts()],
    get_bytes: () => whole,
    post_echo: streaming((_context: HandlerContext, [, data]: [string, Readable]) => data) as never,
  })
  const readable = await pair.ask({ target: '/readable' }).end()
  t.ok(readable.body.equals(whole))
  t.equal(readable.header('content-length'), undefined)
  t.equal(readable.header('content-type'), 'application/octet-stream')
  const web = await pair.ask({ target: '/web' }).end()
  t.same([web.text, web.header('content-type')], ['web', 'text/plain'])
  const iterable = await pair.ask({ target: '/iterable' }).end()
  t.same([iterable.text, iterable.code], ['text bc', 3])
  t.equal(iterable.header('content-type'), 'text/event-stream')
  const bytes = await pair.ask({ target: '/bytes' }).end()
  t.ok(bytes.body.equals(whole))
  t.equal(bytes.header('content-length'), String(whole.length))
  const echo = await pair.ask({ target: '/echo' }, whole).end()
  t.ok(echo.body.equals(whole), 'both ways at once')
})

test('a streamed answer is made as fast as it is taken, and not at all for nobody', async (t) => {
  let made = 0
  let stopped = false
  let signal: AbortSignal | undefined
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        made += 10_000
        yield pattern(10_000, made)
      }
    } finally {
      stopped = true
    }
  }
  const pair = pairOf(
    {
      get_endless: (context) => {
        signal = context.signal
        return endless()
      },
    },
    {},
    { streamWindow: 65_536, streamWindowMost: 65_536 },
  )
  const asked = pair.ask({ target: '/endless' })
  asked.takes = false
  let before = -1
  while (made !== before || made === 0) {
    before = made
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.ok(made < 500_000, `${made} bytes were made for a peer that takes none`)
  asked.exchange.took(asked.size)
  asked.takes = true
  await asked.until(() => asked.size > 1_000_000)
  asked.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  await asked.until(() => stopped)
  t.ok(signal?.aborted)
  await asked.until(() => pair.far.session.streams === 0)
})

test('a streamed answer that breaks off, or is of nonsense, fails at the asker, and says why on its own side', async (t) => {
  const told: Fault[] = []
  const table = {
    get_breaks: () =>
      (async function* () {
        yield 'begin'
        throw new Error('secret cause')
      })(),
    get_nonsense: () =>
      (async function* () {
        yield { a: 1 }
      })(),
    get_destroyed: () => {
      const stream = new Readable({ read: () => undefined })
      setImmediate(() => stream.destroy())
      return stream
    },
    get_gone: () => new Readable({ read: () => undefined }).destroy(),
    get_textless: () => Readable.from({ [Symbol.asyncIterator]: textless }),
    get_again: () => 'well',
  }
  const pair = pairOf(table, { onBroken: (fault) => told.push(fault) })
  for (const [name, reason] of [
    ['breaks', 'secret cause'],
    ['nonsense', 'The "chunk" argument must be'],
    ['destroyed', 'it was closed before its end'],
    ['gone', 'it was closed before its end'],
    ['textless', 'object'],
  ] as const) {
    const asked = await pair.ask({ target: `/${name}` }).end()
    t.equal(asked.head?.status, 200, name)
    t.equal(asked.fault?.code, 'ANSWER_BROKEN', name)
    t.notMatch(asked.fault?.detail, /secret/)
    const [fault] = told.splice(0)
    t.equal(fault?.code, 'ANSWER_BROKEN')
    const begin = `the stream that GET ${name} answers alpha with broke off: ${reason}`
    t.ok(fault?.detail.startsWith(begin), `${fault?.detail}`)
  }
  t.equal((await pair.ask({ target: '/again' }).end()).text, '"well"')
  t.same(told, [])
})

async function* textless(): AsyncGenerator<string> {
  yield 'begin'
  throw Object.create(null)
}
