/** How a request becomes a WebSocket, or does not. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable as ReadableStream } from 'node:stream'
import { test } from 'tap'
import type { Connection } from 'websocket'
import websocket from 'websocket'
import { call, eventually, pause, publish, Raw, serve, WsClient, within } from './support.ts'
import { masked, upgrade } from './web-socket-by-hand.ts'

test('subprotocol: sapwood.v1 is agreed on, none is fine, another is not answered', async (t) => {
  const stand = await serve(t)
  for (const [offer, agreed] of [
    ['', undefined],
    ['Sec-WebSocket-Protocol: sapwood.v1\r\n', 'sapwood.v1'],
    ['Sec-WebSocket-Protocol: other, sapwood.v1\r\n', 'sapwood.v1'],
    ['Sec-WebSocket-Protocol: other\r\n', undefined],
  ] as const) {
    const key = randomBytes(16).toString('base64')
    const raw = new Raw(stand)
    raw.write(upgrade(offer, key))
    await raw.got('\r\n\r\n')
    t.match(raw.text, /^HTTP\/1\.1 101 /)
    t.equal(/Sec-WebSocket-Protocol: (\S+)/i.exec(raw.text)?.[1], agreed)
    const accept = createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    t.equal(/Sec-WebSocket-Accept: (\S+)/i.exec(raw.text)?.[1], accept)
    raw.socket.destroy()
  }
})

test('a handshake with a target in absolute form is one too, under the name that it says', async (t) => {
  const stand = await serve(t)
  for (const [target, status] of [
    [`http://127.0.0.1:${stand.port}/ws`, 101],
    ['HTTP://localhost/ws', 101],
    ['http://evil.example/ws', 421],
    ['http://localhost/other', 404],
    ['http://localhost/ws?tokne=x', 400],
  ] as const) {
    const raw = new Raw(stand)
    raw.write(upgrade().replace('/ws', target))
    await raw.got('\r\n\r\n')
    t.match(raw.text, new RegExp(`^HTTP/1\\.1 ${status} `), target)
    raw.socket.destroy()
  }
})

test('what offers another protocol is answered behind the requests before it', async (t) => {
  const offer = 'Connection: Upgrade\r\nUpgrade: h2c\r\n'
  const live = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n'
  for (const [behind, answer] of [
    [upgrade(), '101 Switching Protocols'],
    [upgrade().replace('/ws', '/other'), '404 Not Found'],
    [`${live}${offer}\r\n`, '200 OK'],
    [`${live}${offer}\r\n${live}\r\n`, '200 OK'],
    ['CONNECT example:1 HTTP/1.1\r\nHost: localhost\r\n\r\n', '405 Method Not Allowed'],
  ] as const) {
    const stand = await serve(t)
    const alice = new WsClient(stand)
    await alice.hello({ name: 'alice' })
    const raw = new Raw(stand)
    raw.write(`GET /client/alice/slow HTTP/1.1\r\nHost: localhost\r\n\r\n${behind}`)
    const { reply } = await alice.frames.find(({ verb }) => verb === 'GET')
    await pause(20)
    t.equal(raw.text, '', 'nothing overtakes the answer')
    alice.send({ path: '::reply', reply, code: 0, message: 'done' })
    await raw.got(`"done"HTTP/1.1 ${answer}`)
    t.match(raw.text, /^HTTP\/1\.1 200 OK/)
    raw.socket.destroy()
  }
})

test('a server that closes ends handshakes that wait behind an answer without end', async (t) => {
  const endless = (): ReadableStream => new ReadableStream({ read() {} })
  const stand = await serve(t, { http: { handlers: { 'GET endless': endless } } })
  const raw = new Raw(stand)
  raw.write(`GET /client/hub/endless HTTP/1.1\r\nHost: localhost\r\n\r\n${upgrade()}`)
  await pause(50)
  await within(stand.server.close(), 'the end of the server')
  await raw.ended()
})

test('an offer of another protocol is passed over behind a request that was answered at once, too', async (t) => {
  const stand = await serve(t)
  const live = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n'
  const raw = new Raw(stand)
  raw.write(`${live}\r\n${live}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n${live}\r\n`)
  await raw.got('{"status":"live"}HTTP/1.1 200 OK')
  await eventually(() => raw.text.match(/"live"/g)?.length === 3, 'three answers')
  raw.socket.destroy()
})

test('a token in the target of a handshake may hold a question mark', async (t) => {
  const stand = await serve(t, { http: { keys: ['what?yes'] } })
  const client = new WsClient(stand, { query: '?token=what?yes' })
  t.match((await client.hello()).message, { resumed: false })
  client.socket.terminate()
})

test('handshakes that are none: an answer with a code, and the connection ends', async (t) => {
  const stand = await serve(t)
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
  const rows: [string, number, string][] = [
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
      400,
      'HANDSHAKE_INVALID',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      400,
      'HANDSHAKE_INVALID',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      400,
      'HANDSHAKE_INVALID',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 8\r\n\r\n`,
      426,
      'HANDSHAKE_VERSION',
    ],
    [
      `POST /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n`,
      405,
      'METHOD_NOT_ALLOWED',
    ],
    [
      `GET /other HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
      404,
      'NOT_FOUND',
    ],
    [
      `GET /ws HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}Sec-WebSocket-Version: 13\r\n\r\n`,
      421,
      'HOST_FOREIGN',
    ],
    [`GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n`, 426, 'UPGRADE_REQUIRED'],
  ]
  for (const [head, status, code] of rows) {
    const raw = new Raw(stand)
    raw.write(head)
    if (code === 'UPGRADE_REQUIRED') await raw.got('}')
    const text = code === 'UPGRADE_REQUIRED' ? raw.text : await raw.ended()
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} .*${code}`, 's'))
    t.match(text, /application\/problem\+json/)
    raw.socket.destroy()
  }
  const unknown = await call(stand, '/events?path=a&x=1')
  t.equal(unknown.json.code, 'QUERY_UNKNOWN')
  await t.rejects(
    new WsClient(stand, { query: '?tokne=x' }).opened(),
    'a misspelt parameter is no silence',
  )
})

test('the handshake byte by byte, with frames right behind it', async (t) => {
  const stand = await serve(t)
  const raw = new Raw(stand)
  const all = Buffer.concat([Buffer.from(upgrade()), masked('{"path":"::connect","message":"a"}')])
  for (const byte of all) {
    raw.write(Buffer.of(byte))
    if (byte === 10) await pause(1)
  }
  await raw.got('::connected')
  const joined = new Raw(stand)
  joined.write(all)
  await joined.got('::connected')
  const half = new Raw(stand)
  half.write(upgrade().slice(0, 60))
  half.socket.end()
  await half.ended()
  t.equal((await publish(stand, 'a', 1)).matched, 2)
})

test('the package `websocket` gets on with it too', async (t) => {
  const stand = await serve(t)
  const client = new websocket.client()
  const connection = await within(
    new Promise<Connection>((resolve, reject) => {
      client.on('connect', resolve)
      client.on('connectFailed', reject)
      client.connect(`ws://127.0.0.1:${stand.port}/ws`, 'sapwood.v1')
    }),
    'the handshake',
  )
  const frames: { path: string; message: unknown }[] = []
  connection.on('message', (message: { type: string; utf8Data: string }) => {
    if (message.type === 'utf8') frames.push(JSON.parse(message.utf8Data))
  })
  connection.sendUTF('{"path":"::connect","message":"**"}')
  await eventually(() => frames.length === 2, 'connected')
  await publish(stand, 'a', { text: 'ä😀'.repeat(30_000) })
  await eventually(() => frames.length === 3, 'the update')
  t.same(frames[2]?.message, { text: 'ä😀'.repeat(30_000) })
  connection.close()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
})
