/** The bridge for browsers (OR-01, OR-02, OR-08): a WebSocket spliced to a destination that is listed. */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Checker } from '@sapwood/auth'
import type { HttpOptions } from '@sapwood/http'
import { serveHttp } from '@sapwood/http'
import type { HubOptions } from '@sapwood/hub'
import { hub as makeHub } from '@sapwood/hub'
import { cuts, FakeClock } from '@sapwood/testkit'
import { destinationFault, formatDestination, parseDestination } from '@sapwood/wire'
import { t as root, type Test, test } from 'tap'
import WebSocket from 'ws'
import type { Stand } from './support.ts'
import { call, eventually, pause, Raw, serve, within } from './support.ts'

const MIB = 1024 * 1024

/** What can be dialled: the sockets that came, and what each of them does. */
class Target {
  readonly sockets: Socket[] = []
  /** How many of them a test has seen. */
  passed = 0
  readonly #server
  port = 0

  private constructor(onSocket: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket)
      socket.on('error', () => undefined)
      onSocket(socket)
    })
  }

  static async listen(t: Test, onSocket: (socket: Socket) => void = () => undefined) {
    const target = new Target(onSocket)
    target.#server.listen(0, '127.0.0.1')
    await once(target.#server, 'listening')
    target.port = (target.#server.address() as AddressInfo).port
    t.teardown(() => {
      for (const socket of target.sockets) socket.destroy()
      target.#server.close()
    })
    return target
  }

  get name(): string {
    return `127.0.0.1:${this.port}`
  }

  async socket(index = 0): Promise<Socket> {
    await eventually(() => this.sockets.length > index, 'the target is dialled')
    return this.sockets[index] as Socket
  }
}

const echo = (socket: Socket): void => {
  socket.pipe(socket)
}

/** A page's WebSocket: what came over it, and its end. */
class Page {
  readonly socket: WebSocket
  readonly kinds = new Set<string>()
  received = 0
  /** All that came, while it is kept. */
  text = ''
  end: { readonly code: number; readonly reason: string } | undefined
  status: number | undefined
  readonly #hash = createHash('sha256')

  constructor(stand: Stand, path: string, options: WebSocket.ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${stand.port}/tcp/${path}`, options)
    this.socket.on('message', (data: Buffer, isBinary) => {
      this.kinds.add(isBinary ? 'binary' : 'text')
      this.received += data.length
      this.#hash.update(data)
      if (this.received < 100_000) this.text += data
    })
    this.socket.on('unexpected-response', (_request, response) => {
      this.status = response.statusCode ?? 0
      response.resume()
    })
    this.socket.on('close', (code, reason) => {
      this.end = { code, reason: String(reason) }
    })
    this.socket.on('error', () => undefined)
  }

  get digest(): string {
    return this.#hash.copy().digest('hex')
  }

  get isOpen(): boolean {
    return this.socket.readyState !== WebSocket.CLOSED
  }

  async opened(): Promise<this> {
    await eventually(() => this.socket.readyState !== WebSocket.CONNECTING, 'it is open')
    return this
  }

  async got(text: string): Promise<void> {
    await eventually(() => this.text.includes(text), text)
  }

  async closed(): Promise<[code: number, reason: string]> {
    await eventually(() => this.end !== undefined, 'the close')
    const { code, reason } = this.end as { code: number; reason: string }
    return [code, reason]
  }
}

interface Options {
  readonly hub?: HubOptions
  readonly http?: HttpOptions
  readonly who?: string
}

/** A hub on which anybody may have `target` dialled. */
function bridged(t: Test, target: Target, options: Options = {}): Promise<Stand> {
  const { who = 'anyone', http, hub } = options
  const bridge = { allow: [{ to: target.name, who }], ...http?.bridge }
  return serve(t, { ...(hub && { hub }), http: { ...http, bridge } })
}

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`

/** A frame as a browser sends it; its mask is zeros, which leaves the payload as it is. */
function frame(first: number, payload: string | Uint8Array, length = payload.length): Buffer {
  const head =
    length < 126
      ? [first, 0x80 | length]
      : length < 65_536
        ? [first, 0xfe, length >> 8, length & 255]
        : [
            first,
            0xff,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 255,
            (length >> 8) & 255,
            length & 255,
          ]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.from(payload)])
}

const BINARY = 0x82
const PING = 0x89

test('OR-01: what a page sends reaches the target, what that says comes as binary frames', async (t) => {
  const target = await Target.listen(t, echo)
  const stand = await bridged(t, target)
  const page = await new Page(stand, target.name).opened()
  page.socket.send(Buffer.from([0, 255, 10]))
  await eventually(() => page.received === 3, 'three bytes')
  // a text frame is its bytes: a page may send the lines of a line protocol as they are
  page.socket.send('grüße\r\n')
  await page.got('grüße\r\n')
  t.same([...page.kinds], ['binary'])
  t.equal(page.socket.protocol, '')
  const named = new WebSocket(`ws://127.0.0.1:${stand.port}/tcp/${target.name}`, ['binary', 'x'])
  await within(once(named, 'open'), 'the handshake')
  t.equal(named.protocol, 'binary', 'the protocol that such clients name is known')
  named.terminate()
})

test('megabytes go both ways at once, whole and in order', async (t) => {
  const target = await Target.listen(t, echo)
  const stand = await bridged(t, target)
  const page = await new Page(stand, target.name).opened()
  const sent = createHash('sha256')
  const size = 8 * MIB
  for (let at = 0; at < size; at += 300_000) {
    const piece = randomBytes(Math.min(300_000, size - at))
    sent.update(piece)
    page.socket.send(piece)
  }
  await eventually(() => page.received === size, 'all of it')
  t.equal(page.digest, sent.digest('hex'))
  const { text } = await call(stand, '/metrics')
  t.match(text, /^sapwood_bridges 1$/m)
  t.match(text, /^sapwood_bridges_opened_total 1$/m)
  t.match(text, new RegExp(`^sapwood_bridge_browser_bytes_total ${size}$`, 'm'))
  t.match(text, new RegExp(`^sapwood_bridge_target_bytes_total ${size}$`, 'm'))
})

test('handshake and frames in every division are the same bytes', async (t) => {
  const target = await Target.listen(t)
  const stand = await bridged(t, target)
  const texts = ['a', 'b'.repeat(126), '', 'c']
  const frames = texts.map((text) => frame(BINARY, text))
  const fragments = [frame(0x02, 'd'), frame(PING, 'are you there'), frame(0x80, 'e')]
  const all = Buffer.concat([
    Buffer.from(handshake(`/tcp/${target.name}`)),
    ...frames,
    ...fragments,
    frame(0x88, Buffer.from([3, 232])),
  ])
  let index = 0
  for (const { name, chunks } of cuts(all, { twoWay: 24, random: 6 })) {
    const raw = new Raw(stand)
    for (const chunk of chunks) raw.write(chunk)
    const socket = await target.socket(index++)
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk
    })
    await eventually(() => socket.readableEnded, `${name}: the end`)
    t.equal(got, `${texts.join('')}de`, name)
    socket.end()
    t.ok((await raw.ended()).endsWith('\x8a\x0dare you there\x88\x02\x03\xe8'), name)
  }
})

test('OR-08: what is not listed is refused with 106, and nothing is dialled', async (t) => {
  const target = await Target.listen(t)
  const other = await Target.listen(t)
  const stand = await bridged(t, target)
  for (const path of [
    other.name,
    `localhost:${target.port}`,
    `127.0.0.1:${target.port}x`,
    `127.0.0.1:0${target.port}0`,
    `127.0.0.1`,
    `*:${target.port}`,
    `user@${target.name}`,
    `${target.name}/`,
    `${target.name}/${other.name}`,
    `%00${target.name}`,
    `%ff`,
    '[::1]:1',
    ':80',
    '',
  ]) {
    const page = new Page(stand, path)
    t.same(await page.closed(), [4003, '106'], path)
  }
  t.same([target.sockets.length, other.sockets.length], [0, 0])
  t.equal(stand.hub.counters.faults.get('BRIDGE_NOT_ALLOWED'), 14)
  const listed = await new Page(stand, `127.0.0.1%3A${target.port}`).opened()
  t.equal(listed.end, undefined, 'the segment may be percent-encoded')
})

test('a host is listed by its name, in any case; IPv6 in brackets', async (t) => {
  const target = await Target.listen(t, echo)
  const six = createServer(echo)
  six.listen(0, '::1')
  await once(six, 'listening')
  t.teardown(() => six.close())
  const { port } = six.address() as AddressInfo
  const stand = await serve(t, {
    http: { bridge: { allow: [{ to: `LocalHost:${target.port}` }, { to: `[::1]:${port}` }] } },
  })
  for (const path of [`LOCALHOST:${target.port}`, `[::1]:${port}`]) {
    const page = await new Page(stand, path).opened()
    page.socket.send('x')
    await page.got('x')
    page.socket.terminate()
  }
})

test('OR-08: a target that refuses is 108, one that does not answer 104', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const full = await silentPort()
  const clock = new FakeClock(1_000)
  const stand = await serve(t, {
    hub: { clock },
    http: {
      bridge: {
        connect: 7_000,
        allow: [{ to: `127.0.0.1:${port}` }, { to: `127.0.0.1:${full}` }],
      },
    },
  })
  t.same(await new Page(stand, `127.0.0.1:${port}`).closed(), [4003, '108'])
  const { wheel } = stand.hub
  const pending = wheel.pending
  const page = new Page(stand, `127.0.0.1:${full}`)
  await eventually(() => wheel.pending > pending, 'it is dialled')
  clock.advance(6_900)
  t.equal(page.socket.readyState, WebSocket.CONNECTING, 'it opens when the target is connected')
  clock.advance(200)
  t.same(await page.closed(), [4003, '104'])
  t.equal(stand.hub.counters.faults.get('BRIDGE_UNREACHABLE'), 1)
  t.equal(stand.hub.counters.faults.get('BRIDGE_TIMEOUT'), 1)
})

test('a page that leaves while its target is dialled gives the dial up', async (t) => {
  const full = `127.0.0.1:${await silentPort()}`
  const stand = await serve(t, {
    hub: { clock: new FakeClock(1_000) },
    http: { bridge: { connections: 1, allow: [{ to: full }] } },
  })
  const pages = [new Page(stand, full), new Page(stand, full)]
  await eventually(() => pages.some(({ end }) => end !== undefined), 'one is turned away')
  t.same(
    pages.flatMap(({ end }) => end ?? []),
    [{ code: 4102, reason: 'full' }],
    'what is dialled counts',
  )
  pages.find(({ end }) => end === undefined)?.socket.terminate()
  const next = await admitted(() => new Page(stand, full))
  t.equal(next.socket.readyState, WebSocket.CONNECTING, 'its place is free, and it is dialled for')
  t.equal(stand.hub.counters.faults.has('BRIDGE_TIMEOUT'), false)
  next.socket.terminate()
})

test('it is off unless destinations are listed, and is for WebSockets only', async (t) => {
  const off = await serve(t)
  const page = new Page(off, '127.0.0.1:1')
  await eventually(() => page.status !== undefined, 'an answer')
  t.equal(page.status, 404)
  t.equal((await call(off, '/tcp/127.0.0.1:1')).status, 404)
  const target = await Target.listen(t)
  const on = await bridged(t, target)
  const plain = await call(on, `/tcp/${target.name}`)
  t.same([plain.status, plain.json.code], [426, 'UPGRADE_REQUIRED'])
  t.equal(plain.headers.upgrade, 'websocket')
  t.equal(target.sockets.length, 0)
  const raw = new Raw(on).write(handshake(`/tcp/${target.name}`).replace('13\r\n', '12\r\n'))
  t.match(await raw.ended(), /^HTTP\/1\.1 426 /)
  t.equal(target.sockets.length, 0, 'a handshake that is none dials nothing')
})

test('who may: a key, a token, somebody, anyone', async (t) => {
  const target = await Target.listen(t)
  const other = await Target.listen(t)
  const checker: Checker = {
    check: ({ value }: { value: string }, done: (who?: { id: string; trusted: boolean }) => void) =>
      done(value.startsWith('t-') ? { id: `user:${value.slice(2)}`, trusted: false } : undefined),
  } as never
  const cases = [
    // who, of nobody, of alice, of bob, of the key
    ['anyone', true, true, true, true],
    ['signed-in', false, true, true, true],
    [undefined, false, true, true, true],
    ['user:alice', false, true, false, true],
    ['user:a*', false, true, false, true],
    ['key:*', false, false, false, true],
  ] as const
  for (const [who, ...expected] of cases) {
    const stand = await serve(t, {
      http: {
        dev: false,
        keys: ['secret'],
        checkers: [checker],
        bridge: {
          allow: [
            { to: target.name, ...(who !== undefined && { who }) },
            { to: other.name, who: 'x' },
          ],
        },
      },
    })
    const got: boolean[] = []
    for (const query of ['', '?token=t-alice', '?token=t-bob']) {
      const page = await new Page(stand, target.name + query).opened()
      got.push(await passes(page, target))
    }
    const headers = { authorization: 'Bearer secret' }
    got.push(await passes(await new Page(stand, target.name, { headers }).opened(), target))
    t.same(got, expected, `${who}`)
    const wrong = new Page(stand, `${target.name}?token=wrong`)
    await eventually(() => wrong.status !== undefined, 'an answer')
    t.equal(wrong.status, 401)
    const odd = new Page(stand, `${target.name}?tokne=t-alice`)
    await eventually(() => odd.status !== undefined, 'an answer')
    t.equal(odd.status, 400)
  }
  t.equal(other.sockets.length, 0)
})

/** Is this page, whose WebSocket is open, connected to its target? One that is not is told 106, and nothing is dialled. */
async function passes(page: Page, target: Target): Promise<boolean> {
  const before = target.passed
  await eventually(() => page.end !== undefined || target.sockets.length > before, 'a verdict')
  target.passed = target.sockets.length
  if (page.end === undefined) page.socket.terminate()
  else if (page.end.code !== 4003 || page.end.reason !== '106') throw new Error(page.end.reason)
  else if (target.passed > before) throw new Error('it was dialled')
  return target.passed > before
}

/** The first page of those that `open` makes that is not turned away for want of a place. */
async function admitted(open: () => Page): Promise<Page> {
  for (let tries = 0; tries < 50; tries++) {
    const page = open()
    await Promise.race([page.closed().catch(() => undefined), pause(60)])
    if (page.end === undefined) return page
  }
  throw new Error('there is never a place')
}

test('pages of foreign origins, and foreign names of a dev hub, are refused as at /ws', async (t) => {
  const target = await Target.listen(t)
  const stand = await bridged(t, target, { http: { origins: ['https://app.example'] } })
  for (const [headers, status] of [
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ host: 'evil.example' }, 421],
  ] as const) {
    const page = new Page(stand, target.name, { headers })
    await eventually(() => page.status !== undefined, 'an answer')
    t.equal(page.status, status, JSON.stringify(headers))
  }
  const headers = { origin: 'https://app.example' }
  t.ok(await passes(await new Page(stand, target.name, { headers }).opened(), target))
  t.equal(target.sockets.length, 1)
})

test('a target that hangs up: all it said comes first, then 1000', async (t) => {
  const target = await Target.listen(t, (socket) => socket.end(Buffer.alloc(3 * MIB, 'x')))
  const stand = await bridged(t, target)
  const page = new Page(stand, target.name)
  t.same(await page.closed(), [1000, ''])
  t.equal(page.received, 3 * MIB)
  const socket = await target.socket()
  await eventually(() => socket.readableEnded || socket.destroyed, 'the target is let go')
})

test('a target that dies is told as 1014', async (t) => {
  const target = await Target.listen(t)
  const stand = await bridged(t, target)
  const page = await new Page(stand, target.name).opened()
  ;(await target.socket()).resetAndDestroy()
  t.same(await page.closed(), [1014, 'TARGET_LOST'])
  t.equal(stand.hub.counters.faults.get('TARGET_LOST'), 1)
})

test('a page that closes, and one that vanishes: the target gets all, then end of file', async (t) => {
  const target = await Target.listen(t)
  const stand = await bridged(t, target)
  for (const [index, leave] of [
    (page: Page) => page.socket.close(),
    (page: Page) => page.socket.close(4321, 'bye'),
    (page: Page) => page.socket.terminate(),
  ].entries()) {
    const page = await new Page(stand, target.name).opened()
    page.socket.send(Buffer.alloc(MIB))
    await eventually(() => page.socket.bufferedAmount === 0, 'it is sent')
    leave(page)
    const socket = await target.socket(index)
    let size = 0
    socket.on('data', (chunk) => {
      size += chunk.length
    })
    await within(once(socket, 'end'), 'end of file')
    t.equal(size, MIB)
    socket.end()
    const [code] = await page.closed()
    t.equal(code, [1000, 4321, 1006][index])
  }
  await eventually(
    () => stand.hub.counters.faults.size === 0,
    'good-byes are no mistakes of anybody',
  )
})

test('a page that reads nothing: the target is slowed, little is held, and in the end it is dead', async (t) => {
  const clock = new FakeClock(1_000)
  let sent = 0
  const target = await Target.listen(t, (socket) => {
    const piece = Buffer.alloc(MIB)
    const send = (): void => {
      while (sent < 96) {
        sent++
        if (!socket.write(piece)) return
      }
    }
    socket.on('drain', send)
    send()
  })
  const stand = await bridged(t, target, {
    hub: { clock, heartbeat: { interval: 20_000, timeout: 5_000 } },
  })
  const before = process.memoryUsage().arrayBuffers
  const raw = new Raw(stand)
  raw.socket.pause()
  raw.write(handshake(`/tcp/${target.name}`))
  await target.socket()
  await standsStill(() => sent)
  t.ok(sent < 32, `${sent} MiB were taken for a page that reads nothing`)
  // one MiB at a time is the target's own, in this process
  const held = process.memoryUsage().arrayBuffers - before
  t.ok(held < 8 * MIB, `${held} bytes are held`)
  // pings ask for answers that it does not take
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => frame(PING, 'x'.repeat(125))))
  for (let i = 0; i < 20; i++) raw.write(pings)
  await eventually(() => raw.socket.writableLength === 0, 'the pings are taken')
  t.ok(process.memoryUsage().arrayBuffers - before < 12 * MIB, 'no answers pile up')
  t.match((await call(stand, '/metrics')).text, /^sapwood_bridges 1$/m)
  clock.advance(20_100)
  clock.advance(5_100)
  await eventually(() => stand.hub.counters.faults.get('BRIDGE_DEAD') === 1, 'it is dead')
  raw.socket.destroy()
  const socket = await target.socket()
  clock.advance(10_100)
  await eventually(() => socket.destroyed, 'the target is let go')
})

test('a target that reads nothing: the page is slowed, and after bridge.idle both are let go', async (t) => {
  const clock = new FakeClock(1_000)
  const target = await Target.listen(t, (socket) => socket.pause())
  const stand = await bridged(t, target, {
    hub: { clock, heartbeat: { interval: 20_000, timeout: 5_000 } },
    http: { bridge: { idle: 60_000 } },
  })
  const page = await new Page(stand, target.name).opened()
  const piece = Buffer.alloc(MIB / 2)
  for (let i = 0; i < 128; i++) page.socket.send(piece)
  await standsStill(() => page.socket.bufferedAmount)
  const taken = 128 * piece.length - page.socket.bufferedAmount
  // two sockets' buffers of the kernel, and what the bridge holds
  t.ok(taken < 32 * MIB, `${taken} bytes were taken for a target that reads nothing`)
  for (let passed = 0; passed < 58_000; passed += 2_000) clock.advance(2_000)
  t.equal(page.end, undefined, 'a page that is not read is not dead')
  clock.advance(2_100)
  await eventually(() => stand.hub.counters.faults.get('BRIDGE_IDLE') === 1, 'it is idle')
  clock.advance(10_100)
  await page.closed()
  t.match((await call(stand, '/metrics')).text, /^sapwood_bridges 0$/m)
})

async function standsStill(value: () => number): Promise<void> {
  for (let last = Number.NaN, same = 0; same < 3; ) {
    same = last === value() ? same + 1 : 0
    last = value()
    await pause(50)
  }
}

test('frames that are too large, or none that a browser may send, end the bridge', async (t) => {
  const target = await Target.listen(t)
  const stand = await bridged(t, target, { http: { limits: { body: 1_000 } } })
  const rows: [Buffer, string, string][] = [
    [frame(BINARY, 'x', 1_001), '\x03\xf1FRAME_TOO_LARGE', ''],
    [
      Buffer.concat([frame(0x02, 'x'.repeat(600)), frame(0x80, 'x', 401)]),
      '\x03\xf1FRAME_TOO_LARGE',
      '',
    ],
    [Buffer.concat([frame(BINARY, 'ok'), Buffer.from([0x82, 1, 0])]), '\x03\xeaFRAME_MASK', 'ok'],
    [frame(0x81, Buffer.from([0xff])), '\x03\xefUTF8_INVALID', ''],
    [frame(0x83, ''), '\x03\xeaFRAME_OPCODE', ''],
  ]
  for (const [index, [bytes, close, before]] of rows.entries()) {
    const raw = new Raw(stand).write(handshake(`/tcp/${target.name}`)).write(bytes)
    const socket = await target.socket(index)
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk
    })
    t.ok((await raw.ended()).endsWith(close), close)
    await eventually(() => socket.readableEnded, 'end of file')
    t.equal(got, before)
    socket.end()
  }
  t.equal(stand.hub.counters.faults.get('FRAME_TOO_LARGE'), 2)
  const page = await new Page(stand, target.name).opened()
  page.socket.send(Buffer.alloc(1_000))
  const socket = await target.socket(rows.length)
  const [most] = (await within(once(socket, 'data'), 'the bytes')) as [Buffer]
  t.equal(most.length, 1_000, 'a frame of limits.body fits')
})

test('a page that answers pings stays, however quiet; one that does not is let go', async (t) => {
  const clock = new FakeClock(1_000)
  const target = await Target.listen(t)
  const stand = await bridged(t, target, {
    hub: { clock, heartbeat: { interval: 20_000, timeout: 5_000 } },
    http: { bridge: { idle: 0 } },
  })
  const page = await new Page(stand, target.name).opened()
  let pings = 0
  page.socket.on('ping', () => pings++)
  for (let i = 1; i <= 5; i++) {
    clock.advance(i === 1 ? 20_100 : 15_000)
    await eventually(() => pings === i, `ping ${i}`)
    await pause(20)
    clock.advance(5_100)
  }
  t.equal(page.end, undefined)
  page.socket.terminate()
  const raw = new Raw(stand).write(handshake(`/tcp/${target.name}`))
  const socket = await target.socket(1)
  socket.resume()
  await raw.got('\r\n\r\n')
  clock.advance(20_100)
  await raw.got('\x89\x00')
  clock.advance(5_100)
  await raw.ended()
  await eventually(() => socket.readableEnded, 'end of file')
  t.equal(stand.hub.counters.faults.get('BRIDGE_DEAD'), 1)
})

test('bridge.idle: as long as anything moves it stays', async (t) => {
  const clock = new FakeClock(1_000)
  const target = await Target.listen(t, echo)
  const stand = await bridged(t, target, { hub: { clock }, http: { bridge: { idle: 15_000 } } })
  const page = await new Page(stand, target.name).opened()
  for (let i = 1; i <= 4; i++) {
    page.socket.send('x')
    await eventually(() => page.received === i, 'an echo')
    clock.advance(14_000)
  }
  t.equal(page.end, undefined)
  clock.advance(1_100)
  t.same(await page.closed(), [4104, 'BRIDGE_IDLE'])
})

test('bridges are limited in all and per address, and a place is free again', async (t) => {
  const target = await Target.listen(t)
  for (const [bridge, code] of [
    [{ connections: 2 }, 'LIMIT_BRIDGES'],
    [{ connectionsPerAddress: 2 }, 'LIMIT_BRIDGES_PER_ADDRESS'],
  ] as const) {
    const stand = await bridged(t, target, { http: { bridge } })
    const from = target.sockets.length
    const pages = [new Page(stand, target.name), new Page(stand, target.name)]
    for (const page of pages) await page.opened()
    t.same(await new Page(stand, target.name).closed(), [4102, 'full'])
    t.equal(stand.hub.counters.faults.get(code), 1)
    t.equal(
      (await target.socket(from + 1)) && target.sockets.length,
      from + 2,
      'nothing was dialled',
    )
    pages[0]?.socket.close()
    for (const socket of target.sockets) socket.resume().end()
    const next = await admitted(() => new Page(stand, target.name))
    t.equal((await next.opened()).end, undefined, 'its place is free')
  }
})

test('a draining hub opens none; one that closes ends all, whatever their state', async (t) => {
  const target = await Target.listen(t)
  const full = `127.0.0.1:${await silentPort()}`
  const clock = new FakeClock(1_000)
  const stand = await serve(t, {
    hub: { clock },
    http: { drain: { limit: 300 }, bridge: { allow: [{ to: target.name }, { to: full }] } },
  })
  const open = await new Page(stand, target.name).opened()
  const { wheel } = stand.hub
  const pending = wheel.pending
  const dialling = new Page(stand, full)
  await eventually(() => wheel.pending > pending, 'it is dialled')
  const drained = stand.server.drain()
  t.same(await new Page(stand, target.name).closed(), [4100, 'drain'])
  t.equal(open.end, undefined, 'what is open has until drain.limit')
  const passing = setInterval(() => clock.advance(50), 5)
  await within(drained, 'the drain')
  clearInterval(passing)
  t.same(await open.closed(), [4103, 'closed'])
  t.equal((await dialling.closed())[0], 1006)
  const socket = (await target.socket()).resume()
  await eventually(() => socket.readableEnded || socket.destroyed, 'the target is let go')
})

test('a list that does not say what may be dialled is refused (OR-08)', async (t) => {
  for (const to of [
    '*',
    '*:80',
    'host',
    'host:',
    ':80',
    'host:0',
    'host:65536',
    'host:*',
    'ho st:80',
    'unix:/x',
    '::1:80',
  ]) {
    t.type(destinationFault(to), 'string', to)
    const hub = makeHub()
    await t.rejects(
      serveHttp(hub, { port: 0, bridge: { allow: [{ to }] } }),
      { code: 'BRIDGE_INVALID' },
      to,
    )
    await hub.close()
  }
  for (const to of ['host:1', '127.0.0.1:65535', '[::1]:80', 'a.b-c.example:443']) {
    t.equal(destinationFault(to), undefined, to)
    t.equal(formatDestination(parseDestination(to.toUpperCase()) as never), to)
  }
})

let silent: Promise<number> | undefined

/** A port that takes no connection any more: who dials it waits. One for all tests. */
function silentPort(): Promise<number> {
  silent ??= openSilentPort()
  return silent
}

async function openSilentPort(): Promise<number> {
  const program = `const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  root.teardown(() => child.kill('SIGKILL'))
  const [said] = (await within(once(child.stdout, 'data'), 'a port')) as [Buffer]
  const port = Number(String(said))
  for (let i = 0; i < 4; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    root.teardown(() => socket.destroy())
  }
  await pause(50)
  return port
}
