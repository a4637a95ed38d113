/** The encoder and the second opinion are those of `ws`, which we did not write. */
import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { cuts } from '@sapwood/testkit'
import type { WebSocketHandler } from '@sapwood/wire'
import { WebSocketDecoder } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import * as ws from 'ws'

interface FrameOptions {
  readonly opcode: number
  readonly fin: boolean
  readonly mask: boolean
  readonly rsv1: boolean
  readonly readOnly: boolean
}
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: object) => Writable
  Sender: { frame(data: Uint8Array, options: FrameOptions): Uint8Array[] }
}

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const
const LIMIT = 100_000

function frame(
  opcode: number,
  payload: Uint8Array | string = '',
  { fin = true, mask = true, rsv1 = false } = {},
): Uint8Array {
  const options = { opcode, fin, mask, rsv1, readOnly: true }
  return Buffer.concat(Sender.frame(Buffer.from(payload), options))
}

/** Not a Buffer, whose slices would share its memory: what is pushed gets unmasked where it is. */
function joined(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(frames))
}

function closePayload(code: number, reason: Uint8Array | string = ''): Uint8Array {
  return Buffer.concat([Uint8Array.of(code >> 8, code), Buffer.from(reason)])
}

type Told = readonly [kind: string, ...values: (string | number)[]]

class Recorder implements WebSocketHandler {
  readonly told: Told[] = []

  text(value: string): void {
    this.told.push(['text', value])
  }
  binary(bytes: Uint8Array): void {
    this.told.push(['binary', Buffer.from(bytes).toString('hex')])
  }
  ping(payload: Uint8Array): void {
    this.told.push(['ping', Buffer.from(payload).toString('hex')])
  }
  pong(payload: Uint8Array): void {
    this.told.push(['pong', Buffer.from(payload).toString('hex')])
  }
  closed(code: number, reason: string): void {
    this.told.push(['closed', code, reason])
  }
  fault(closeCode: number, code: string): void {
    this.told.push(['fault', closeCode, code])
  }
}

/** What is told of a stream that comes in these pieces, each of which is overwritten once it was pushed. */
function told(chunks: Iterable<Uint8Array>, limit = LIMIT): Told[] {
  const decoder = new WebSocketDecoder(limit)
  const recorder = new Recorder()
  for (const chunk of chunks) {
    decoder.push(chunk, recorder)
    chunk.fill(0xee)
  }
  return recorder.told
}

/** What is told of the frames, which must not depend on how they are cut. */
function toldOf(frames: readonly Uint8Array[], limit = LIMIT): Told[] {
  const bytes = joined(frames)
  const whole = told([bytes.slice()], limit)
  for (const { name, chunks } of cuts(bytes, { twoWay: 300 })) {
    assert.deepEqual(told(chunks, limit), whole, name)
  }
  return whole
}

test('messages and control frames come out as they went in, in their order', async (t) => {
  const frames = [
    frame(TEXT, '{"path":"a/b","message":1}'),
    frame(TEXT, ''),
    frame(BINARY, Uint8Array.of(0, 255, 128)),
    frame(PING, 'hello'),
    frame(PONG),
    frame(TEXT, '\ufeffgrün, 木, 🌳 and \0'),
    frame(CLOSE, closePayload(1000, 'bis später')),
  ]
  t.same(toldOf(frames), [
    ['text', '{"path":"a/b","message":1}'],
    ['text', ''],
    ['binary', '00ff80'],
    ['ping', '68656c6c6f'],
    ['pong', ''],
    ['text', '\ufeffgrün, 木, 🌳 and \0'],
    ['closed', 1000, 'bis später'],
  ])
})

test('every form of length is read, on both sides of where it changes', async (t) => {
  for (const length of [125, 126, 127, 65_535, 65_536]) {
    const text = 'é'.repeat(length >> 1) + 'x'.repeat(length & 1)
    const frames = [frame(TEXT, text), frame(PING, 'next')]
    const bytes = joined(frames)
    for (const { name, chunks } of cuts(bytes, { twoWay: 20, random: 5 })) {
      t.same(
        told(chunks),
        [
          ['text', text],
          ['ping', '6e657874'],
        ],
        `${length} bytes, ${name}`,
      )
    }
  }
})

test('fragments make one message; control frames come between them at once', async (t) => {
  const tree = Buffer.from('🌳')
  const frames = [
    frame(TEXT, tree.subarray(0, 1), { fin: false }),
    frame(PING, '1'),
    frame(CONTINUATION, '', { fin: false }),
    frame(CONTINUATION, tree.subarray(1, 3), { fin: false }),
    frame(PONG, '2'),
    frame(CONTINUATION, tree.subarray(3)),
    frame(BINARY, '', { fin: false }),
    frame(CONTINUATION, ''),
    frame(TEXT, 'whole again'),
  ]
  t.same(toldOf(frames), [
    ['ping', '31'],
    ['pong', '32'],
    ['text', '🌳'],
    ['binary', ''],
    ['text', 'whole again'],
  ])
})

test('a close may come within a message and has no code if it carries none', async (t) => {
  t.same(toldOf([frame(TEXT, 'half', { fin: false }), frame(CLOSE)]), [['closed', 1005, '']])
})

test('nothing is read behind a close or a fault', async (t) => {
  t.same(toldOf([frame(CLOSE, closePayload(4001)), frame(TEXT, 'late'), frame(3)]), [
    ['closed', 4001, ''],
  ])
  t.same(toldOf([frame(3), frame(TEXT, 'late'), frame(CLOSE)]), [['fault', 1002, 'FRAME_OPCODE']])
})

test('frames that break the protocol are refused with 1002, each by its name', async (t) => {
  const open = frame(TEXT, 'begun', { fin: false })
  const cases: (readonly [string, ...Uint8Array[]])[] = [
    ['FRAME_RESERVED', frame(TEXT, 'x', { rsv1: true })],
    ['FRAME_RESERVED', Uint8Array.of(0xa1, 0x80)],
    ['FRAME_RESERVED', Uint8Array.of(0x91, 0x80)],
    ['FRAME_MASK', frame(TEXT, 'x', { mask: false })],
    ['FRAME_MASK', frame(PING, '', { mask: false })],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
      (opcode) => ['FRAME_OPCODE', frame(opcode, 'x')] as const,
    ),
    ['FRAME_OPCODE', open, frame(3)],
    ['FRAME_CONTROL', frame(PING, 'x', { fin: false })],
    ['FRAME_CONTROL', frame(PONG, new Uint8Array(126))],
    ['FRAME_CONTROL', open, frame(CLOSE, new Uint8Array(70_000))],
    ['FRAME_FRAGMENT', frame(CONTINUATION, 'x')],
    ['FRAME_FRAGMENT', open, frame(TEXT, 'x')],
    ['FRAME_FRAGMENT', open, frame(BINARY, 'x', { fin: false })],
    ['FRAME_LENGTH', Uint8Array.of(0x81, 0xfe, 0, 125, 0, 0, 0, 0)],
    ['FRAME_LENGTH', Uint8Array.of(0x81, 0xff, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0)],
    ['FRAME_CLOSE', frame(CLOSE, Uint8Array.of(3))],
    // half a code that would be a right one with a zero behind it
    ['FRAME_CLOSE', frame(CLOSE, Uint8Array.of(15))],
  ]
  for (const [code, ...frames] of cases) {
    t.same(
      toldOf(frames),
      [['fault', 1002, code]],
      `${code} ${Buffer.concat(frames).toString('hex')}`,
    )
  }
})

test('a refusal does not wait for the payload nor even the mask', async (t) => {
  t.same(told([Uint8Array.of(0x83, 0xff)]), [['fault', 1002, 'FRAME_OPCODE']])
  t.same(told([Uint8Array.of(0x89, 0xfe)]), [['fault', 1002, 'FRAME_CONTROL']])
  t.same(told([Uint8Array.of(0x81, 0x7e)]), [['fault', 1002, 'FRAME_MASK']])
})

test('close codes that must not be sent are refused, all others are told', async (t) => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999]) {
    t.same(told([frame(CLOSE, closePayload(code))]), [['closed', code, '']])
  }
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535]) {
    t.same(told([frame(CLOSE, closePayload(code))]), [['fault', 1002, 'FRAME_CLOSE']], `${code}`)
  }
})

test('text that is not UTF-8 is refused with 1007, in a frame, over fragments and in a reason', async (t) => {
  const invalid = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]
  for (const bytes of invalid.map((bytes) => Uint8Array.from([0x61, ...bytes]))) {
    const fault = [['fault', 1007, 'UTF8_INVALID']]
    t.same(toldOf([frame(TEXT, bytes)]), fault)
    t.same(
      toldOf([
        frame(TEXT, bytes.subarray(0, 2), { fin: false }),
        frame(CONTINUATION, bytes.subarray(2)),
      ]),
      fault,
    )
    t.same(toldOf([frame(CLOSE, closePayload(1000, bytes))]), fault)
    t.same(toldOf([frame(BINARY, bytes)]), [['binary', Buffer.from(bytes).toString('hex')]])
  }
})

test('a message of the limit passes, whole or in fragments; one byte more is refused with 1009', async (t) => {
  const fault = [['fault', 1009, 'FRAME_TOO_LARGE']]
  t.same(toldOf([frame(TEXT, 'abcdefgh')], 8), [['text', 'abcdefgh']])
  t.same(toldOf([frame(TEXT, 'abcdefghi')], 8), fault)
  const begun = [
    frame(TEXT, 'abc', { fin: false }),
    frame(PING, 'more than the limit'),
    frame(CONTINUATION, 'def', { fin: false }),
  ]
  const ping = ['ping', Buffer.from('more than the limit').toString('hex')]
  t.same(toldOf([...begun, frame(CONTINUATION, 'gh')], 8), [ping, ['text', 'abcdefgh']])
  t.same(toldOf([...begun, frame(CONTINUATION, 'ghi')], 8), [ping, ...fault])
  t.same(toldOf([frame(TEXT, 'abc'), frame(TEXT, 'abcdefgh')], 8).length, 2, 'each for itself')
})

test('announced lengths up to 2^64 are refused from the header alone', async (t) => {
  for (const bytes of [
    [0, 0, 0, 0, 0, 1, 0x86, 0xa1],
    [0, 0, 0, 1, 0, 0, 0, 0],
    [0, 0x20, 0, 0, 0, 0, 0, 0],
    [0x80, 0, 0, 0, 0, 0, 0, 0],
    [255, 255, 255, 255, 255, 255, 255, 255],
  ]) {
    const header = Uint8Array.of(0x82, 0xff, ...bytes, 1, 2, 3, 4)
    t.same(toldOf([header]), [['fault', 1009, 'FRAME_TOO_LARGE']], `${bytes}`)
  }
})

test('what is announced and never comes takes no memory', async (t) => {
  const limit = 64 * 1024 * 1024
  const header = Buffer.from(frame(BINARY, Buffer.alloc(70_000)).subarray(0, 14))
  header.writeBigUInt64BE(BigInt(limit), 2)
  const before = process.memoryUsage().arrayBuffers
  const decoders = Array.from({ length: 50 }, () => new WebSocketDecoder(limit))
  const recorder = new Recorder()
  for (const decoder of decoders) {
    decoder.push(Uint8Array.from(header), recorder)
    decoder.push(Uint8Array.of(1, 2, 3), recorder)
  }
  t.same(recorder.told, [])
  t.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024)
})

test('half a million fragments of one byte cost what they hold, not its square', async (t) => {
  const count = 500_000
  const middle = frame(CONTINUATION, 'x', { fin: false })
  const bytes = new Uint8Array(middle.length * count)
  for (let i = 0; i < count; i++) bytes.set(middle, i * middle.length)
  const chunks = [frame(TEXT, '', { fin: false }), bytes, frame(CONTINUATION, '')]
  const start = performance.now()
  t.same(told(chunks, 64 * 1024 * 1024), [['text', 'x'.repeat(count)]])
  // a tenth of a second; copied at each fragment it would be 125 GB
  t.ok(performance.now() - start < 5_000)
})

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 140 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => new Uint8Array(Buffer.from(text))),
)

/** Mostly right alone, seldom right where they come to stand. */
const anyFrame = fc
  .record({
    opcode: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG) },
      { weight: 1, arbitrary: fc.nat(15) },
    ),
    payload,
    fin: fc.boolean(),
    mask: fc.integer({ min: 0, max: 30 }).map((n) => n !== 7),
    rsv1: fc.integer({ min: 0, max: 30 }).map((n) => n === 7),
  })
  .map(({ opcode, payload, ...options }) =>
    opcode < 8
      ? frame(opcode, payload, options)
      : frame(opcode, payload.subarray(0, 125), { ...options, fin: true }),
  )

const close = fc
  .tuple(fc.oneof(fc.integer({ min: 990, max: 1020 }), fc.nat(65_535)), payload)
  .map(([code, reason]) => frame(CLOSE, closePayload(code, reason.subarray(0, 123))))

/** A right message in fragments, pings between them. */
const message = fc
  .record({
    opcode: fc.constantFrom(TEXT, BINARY),
    payload,
    places: fc.array(fc.nat(140), { maxLength: 3 }),
    ping: fc.boolean(),
  })
  .map(({ opcode, payload, places, ping }) => {
    const ends = places.map((place) => Math.min(place, payload.length)).sort((a, b) => a - b)
    const starts = [0, ...ends]
    const fragments = starts.map((start, i) =>
      frame(i === 0 ? opcode : CONTINUATION, payload.subarray(start, ends[i]), {
        fin: i === ends.length,
      }),
    )
    return joined(ping ? fragments.flatMap((fragment) => [fragment, frame(PING)]) : fragments)
  })

/** What the reader of `ws` makes of the same bytes. */
async function toldByOther(bytes: Uint8Array, limit: number): Promise<Told[]> {
  const seen: Told[] = []
  const receiver = new Receiver({
    isServer: true,
    maxPayload: limit,
    allowSynchronousEvents: true,
    skipUTF8Validation: false,
  })
  const hex = (data: Buffer): string => data.toString('hex')
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    seen.push(isBinary ? ['binary', hex(data)] : ['text', data.toString()])
  })
  receiver.on('ping', (data: Buffer) => seen.push(['ping', hex(data)]))
  receiver.on('pong', (data: Buffer) => seen.push(['pong', hex(data)]))
  receiver.on('conclude', (code: number, reason: Buffer) => {
    seen.push(['closed', code, reason.toString()])
  })
  receiver.on('error', () => {})
  const error = await new Promise<object | null | undefined>((resolve) => {
    receiver.write(Buffer.from(bytes), resolve)
  })
  if (error instanceof Error) {
    const status = Object.getOwnPropertySymbols(error).find(
      (it) => it.description === 'status-code',
    )
    seen.push(['fault', (error as unknown as Record<symbol, number>)[status as symbol] ?? 0])
  }
  return seen
}

test('right or wrong, frames are judged as another reader judges them, however they are cut', async () => {
  const streams = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: message },
      { weight: 2, arbitrary: anyFrame },
      { weight: 1, arbitrary: close },
    ),
    { maxLength: 6 },
  )
  const ends = { closed: 0, fault: 0, open: 0 }
  await fc.assert(
    fc.asyncProperty(
      streams,
      fc.option(fc.tuple(fc.nat(400), fc.nat(255))),
      fc.integer({ min: 1, max: 400 }),
      fc.integer(),
      async (frames, change, limit, seed) => {
        const bytes = joined(frames)
        if (change !== null && change[0] < bytes.length) bytes[change[0]] = change[1]
        const whole = told([bytes.slice()], limit)
        for (const { name, chunks } of cuts(bytes, { twoWay: 30, random: 3, seed })) {
          assert.deepEqual(told(chunks, limit), whole, name)
        }
        const kind = whole.at(-1)?.[0]
        ends[kind === 'closed' || kind === 'fault' ? kind : 'open']++
        // the other reader tolerates lengths in more bytes than they need
        if (whole.at(-1)?.[2] === 'FRAME_LENGTH') return
        const plain = whole.map((it) => (it[0] === 'fault' ? it.slice(0, 2) : it))
        assert.deepEqual(plain, await toldByOther(bytes, limit))
      },
    ),
    { numRuns: 2_000 },
  )
  for (const [end, count] of Object.entries(ends)) assert.ok(count > 20, `${end}: ${count}`)
})
