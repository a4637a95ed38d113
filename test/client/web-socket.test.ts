/** The WebSocket transport on a socket that records, and what closing codes mean. */
import { type SocketListener, thisPlatform } from '@sapwood/client'
import { test } from 'tap'
import { type Json, settle, twin } from './twin.ts'

/** A socket in the hands of a test. */
class RecordingSocket {
  readonly url: string
  readonly protocol: string
  readonly listener: SocketListener
  readonly sent: string[] = []
  readonly closes: number[] = []
  destroyed = false

  constructor(url: string, protocol: string, listener: SocketListener) {
    this.url = url
    this.protocol = protocol
    this.listener = listener
  }

  send(text: string): void {
    this.sent.push(text)
  }

  close(code: number): void {
    this.closes.push(code)
  }

  destroy(): void {
    this.destroyed = true
    this.listener.closed(1006, '')
  }

  /** The hub can be reached and says hello. */
  hello(): void {
    this.listener.opened()
    const message = { id: 'hub-1', resume: 's1', heartbeat: 25_000, resumed: false, patterns: [] }
    this.listener.received(JSON.stringify({ path: '::hello', message }))
  }
}

function setUp() {
  const sockets: RecordingSocket[] = []
  const all = twin(
    { transports: ['ws'], token: 'key' },
    {
      openSocket: (url, protocol, listener) => {
        const socket = new RecordingSocket(url, protocol, listener)
        sockets.push(socket)
        return socket
      },
    },
  )
  return { ...all, sockets, last: () => sockets.at(-1) as RecordingSocket }
}

test('it dials /ws with the protocol, and says a hello of version 1', (t) => {
  const { last } = setUp()
  t.equal(last().url, 'ws://twin/ws')
  t.equal(last().protocol, 'sapwood.v1')
  t.strictSame(last().sent, [])
  last().hello()
  t.strictSame(
    last().sent.map((text) => JSON.parse(text)),
    [{ path: '::hello', message: { version: 1, token: 'key' } }],
  )
  t.end()
})

test('the hub may bundle frames; bytes come as bytes', (t) => {
  const { client, last } = setUp()
  const heard: unknown[] = []
  client.subscribe('a', (message) => heard.push(message))
  last().hello()
  last().listener.received('[{"path":"a","message":1},{"path":"a"},{"path":"b","message":2}]')
  last().listener.received('{"path":"a","message":"Af8=","encoding":"base64"}')
  t.same(heard, [1, undefined, new Uint8Array([1, 255])])
  t.end()
})

test('what is no frame ends the link, and another is opened', (t) => {
  for (const data of [
    '{',
    '1',
    '[{"path":1}]',
    'null',
    '{"path":"a","message":"?","encoding":"base64"}',
  ]) {
    const { client, clock, last, sockets } = setUp()
    last().hello()
    last().listener.received(data)
    t.equal(client.state, 'disconnected', data)
    t.strictSame(last().closes, [4200])
    last().listener.received('{"path":"::hello","message":{"id":"too late"}}')
    last().listener.closed(4200, '')
    clock.advance(500)
    t.equal(sockets.length, 2)
    t.equal(client.id, 'hub-1')
  }
  t.end()
})

test('what waited goes out in texts that a hub takes, whole and in order', async (t) => {
  const { client, last } = setUp()
  const receipts = Array.from({ length: 40 }, (_, n) => client.publish('a', n + 'x'.repeat(4_000)))
  receipts.push(client.publish('a', `40${'x'.repeat(100_000)}`))
  const failed = Promise.allSettled(receipts)
  last().hello()
  const texts = last().sent.slice(1)
  t.ok(texts.length > 5)
  t.ok(texts.every((text) => text.length < 33_000 || text.startsWith('{')))
  const frames: Json[] = texts.flatMap((text) => JSON.parse(text))
  t.strictSame(
    frames.map(({ message }) => Number.parseInt(String(message), 10)),
    Array.from({ length: 41 }, (_, n) => n),
  )
  const closed = client.close()
  last().listener.closed(4000, '')
  await Promise.all([closed, failed])
})

test('close codes: 4000-4099 do not come back, 4100-4199 after a while, 4200-4299 at once', (t) => {
  const cases = [
    [4000, 'CONNECTION_ENDED', undefined],
    [4002, 'CONNECTION_ENDED', undefined],
    [4099, 'CONNECTION_ENDED', undefined],
    [4100, 'HUB_UNAVAILABLE', 1_250],
    [4199, 'HUB_UNAVAILABLE', 1_250],
    [4200, 'CONNECTION_MOVED', 0],
    [4299, 'CONNECTION_MOVED', 0],
    [4300, 'CONNECTION_LOST', 250],
    [3999, 'CONNECTION_LOST', 250],
    [1006, 'CONNECTION_LOST', 250],
    [1009, 'MESSAGE_TOO_LARGE', 250],
  ] as const
  for (const [code, expected, retryIn] of cases) {
    const { client, last, events, sockets, clock } = setUp()
    last().hello()
    last().listener.closed(code, 'why')
    t.match(events('state').at(-1), { code: expected, retryIn }, String(code))
    t.equal(client.state, retryIn === undefined ? 'closed' : 'disconnected')
    clock.advance(60_000)
    t.equal(sockets.length > 1, retryIn !== undefined)
  }
  t.end()
})

test('a session that was replaced elsewhere is not fought for', (t) => {
  const { client, clock, last, sockets } = setUp()
  last().hello()
  last().listener.received('{"path":"::bye","message":{"reason":"replaced"}}')
  last().listener.closed(4002, 'replaced')
  clock.advance(600_000)
  t.equal(client.state, 'closed')
  t.equal(sockets.length, 1)
  t.end()
})

test('close waits for the socket to end, and destroys one that does not', async (t) => {
  const { client, last } = setUp()
  last().hello()
  let isClosed = false
  const closed = client.close().then(() => {
    isClosed = true
  })
  await settle()
  t.strictSame(last().closes, [4000])
  t.equal(isClosed, false)
  await closed
  t.equal(last().destroyed, true)
})

test('in Node a WebSocket that cannot be opened says why', async (t) => {
  const closed = await new Promise((resolve) => {
    thisPlatform().openSocket('ws://127.0.0.1:1/ws', 'sapwood.v1', {
      opened: () => resolve('opened'),
      received: () => undefined,
      closed: (code, reason) => resolve(`${code} ${reason}`),
    })
  })
  t.equal(closed, '1006 connect ECONNREFUSED 127.0.0.1:1')
})
