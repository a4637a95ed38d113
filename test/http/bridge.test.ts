/** The bridge for browsers (OR-01, OR-02): a WebSocket spliced to a destination, until one of the two ends. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cuts, FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import WebSocket from 'ws'
import { BINARY, bridged, echo, frame, handshake, Page, PING, Target } from './bridge-stand.ts'
import { call, eventually, pause, Raw, within } from './support.ts'

const MIB = 1024 * 1024

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
