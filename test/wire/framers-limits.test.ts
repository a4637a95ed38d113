/** What framers do with bytes that would be too much: refuse them before they are held, tell of it once, go on. */
import type { Framer } from '@sapwood/wire'
import {
  ChunkFramer,
  CobsFramer,
  DelimitedFramer,
  DotBlockFramer,
  FramingFault,
  InputBuffer,
  LengthPrefixFramer,
  LineFramer,
  NetstringFramer,
  StuffingFramer,
  VarintPrefixFramer,
} from '@sapwood/wire'
import { test } from 'tap'

const text = (piece: string): Buffer => Buffer.from(piece, 'latin1')

interface Limits {
  readonly limit: number
  readonly tooLong?: 'close' | 'error' | 'skip'
}

/** Framers, what an endless frame begins with, and what it goes on with. */
const FRAMERS: Readonly<
  Record<string, { make(limits: Limits): Framer<Uint8Array>; head: string; more?: string }>
> = {
  line: { make: (limits) => new LineFramer(limits), head: '' },
  'line with CR': { make: (limits) => new LineFramer(limits), head: '', more: '\r' },
  delimited: {
    make: (limits) => new DelimitedFramer({ ...limits, delimiter: text('\0\0\0') }),
    head: '',
  },
  'delimited, almost': {
    make: (limits) => new DelimitedFramer({ ...limits, delimiter: text('aaab') }),
    head: '',
  },
  netstring: { make: (limits) => new NetstringFramer(limits), head: '99999999999:' },
  'length prefix': {
    make: (limits) => new LengthPrefixFramer({ ...limits, size: 4, endian: 'big' }),
    head: '\x7f\xff\xff\xff',
  },
  'varint prefix': {
    make: (limits) => new VarintPrefixFramer(limits),
    head: '\xff\xff\xff\xff\x07',
  },
  stuffing: { make: (limits) => new StuffingFramer(limits), head: '\xff\xff\xff\xff\xfd' },
  'stuffing, prefixes': {
    make: (limits) => new StuffingFramer(limits),
    head: '\xff\xff\xff\xff\xfd',
    more: '\xff\xff\xff\xff\0',
  },
  COBS: { make: (limits) => new CobsFramer(limits), head: '' },
  'COBS, zero pairs': {
    make: (limits) => new CobsFramer({ ...limits, zeroPairs: true }),
    head: '',
  },
  'dot block': { make: (limits) => new DotBlockFramer(limits), head: '' },
  'dot block, dots': { make: (limits) => new DotBlockFramer(limits), head: '', more: '\r\n..' },
}

for (const [name, { make, head, more = 'a' }] of Object.entries(FRAMERS)) {
  test(`${name}: a frame over the limit is refused before it is held (W3)`, async (t) => {
    const chunk = text(more.repeat(Math.floor(4_096 / more.length)))
    for (const tooLong of ['close', 'error', 'skip'] as const) {
      const framer = make({ limit: 10_000, tooLong })
      const input = new InputBuffer()
      const faults: FramingFault[] = []
      let held = 0
      input.push(text(head))
      for (let sent = 0; sent < 4 << 20 && !faults.at(-1)?.final; sent += chunk.length) {
        input.push(chunk)
        const next = framer.decode(input)
        if (next instanceof FramingFault) faults.push(next)
        else if (next !== undefined) t.fail('no frame has ended')
        held = Math.max(held, input.length)
      }
      const code = name.startsWith('line') ? 'LINE_TOO_LONG' : 'FRAME_TOO_LONG'
      const [fault] = faults
      t.match(fault, { code, final: tooLong === 'close', quiet: tooLong === 'skip' })
      t.equal(faults.length, 1, 'told once')
      t.ok(held <= 2 * (10_000 + 4_096), `held ${held} bytes`)
      if (tooLong !== 'close') t.ok(input.length < 100, `${input.length} bytes are still held`)
      else t.equal(framer.decode(input), fault, 'and nothing is read any more')
      if (tooLong === 'close') t.equal(framer.finish(input), fault)
    }
  })

  test(`${name}: behind a frame over the limit the next one is read, or nothing`, async (t) => {
    const sender = make({ limit: 1_000 })
    const end = name.startsWith('dot') ? '\r\n' : ''
    const [long, good, empty] = [text(`${'a'.repeat(100)}${end}`), text(`good${end}`), text('')]
    const stream = [good, long, long, empty, good].map((frame) => sender.encode(frame))
    const expected = {
      close: ['good', 'final'],
      error: ['good', 'told', 'told', '', 'good'],
      skip: ['good', 'quiet', 'quiet', '', 'good'],
    }
    for (const tooLong of ['close', 'error', 'skip'] as const) {
      const framer = make({ limit: 10, tooLong })
      const input = new InputBuffer()
      for (const bytes of stream) input.push(bytes)
      const seen: string[] = []
      for (let next = framer.decode(input); next !== undefined; next = framer.decode(input)) {
        if (!(next instanceof FramingFault)) seen.push(Buffer.from(next).toString().trim())
        else seen.push(next.final ? 'final' : next.quiet ? 'quiet' : 'told')
        if (seen.at(-1) === 'final') break
      }
      t.same(seen, expected[tooLong], tooLong)
    }
  })

  test(`${name}: a frame over the limit is not sent, and a limit is a number of bytes`, async (t) => {
    const end = name.startsWith('dot') ? '\r\n' : ''
    const framer = make({ limit: 10 })
    const over = text(`${'x'.repeat(11 - end.length)}${end}`)
    const code = name.startsWith('line') ? 'LINE_TOO_LONG' : 'FRAME_TOO_LONG'
    t.throws(() => framer.encode(over), { code })
    t.ok(framer.encode(over.subarray(1)))
    for (const limit of [-1, 1.5, Number.NaN, Infinity, undefined as unknown as number]) {
      t.throws(() => make({ limit }), { code: 'FRAMER_INVALID' }, String(limit))
    }
  })
}

test('lengths are refused with their last byte, before one byte of the frame (W3, W5)', async (t) => {
  const limit = 100
  const heads: readonly (readonly [Framer<Uint8Array>, string, string])[] = [
    [new LengthPrefixFramer({ size: 1, endian: 'big', limit }), '\xff', 'FRAME_TOO_LONG'],
    [new LengthPrefixFramer({ size: 2, endian: 'little', limit }), '\0\x80', 'FRAME_TOO_LONG'],
    [
      new LengthPrefixFramer({ size: 4, endian: 'big', limit }),
      '\xff\xff\xff\xff',
      'FRAME_TOO_LONG',
    ],
    [
      new LengthPrefixFramer({ size: 4, endian: 'little', limit, signed: true }),
      '\xff\xff\xff\xff',
      'FRAME_INVALID',
    ],
    [new VarintPrefixFramer({ limit }), '\x80\x80\x80\x80\x08', 'FRAME_TOO_LONG'],
    [new NetstringFramer({ limit }), '999999999999999:', 'FRAME_TOO_LONG'],
    [new NetstringFramer({ limit }), '-', 'FRAME_INVALID'],
  ]
  for (const [framer, head, code] of heads) {
    const input = new InputBuffer()
    input.push(text(head.slice(0, -1)))
    t.equal(framer.decode(input), undefined)
    input.push(text(head.slice(-1)))
    t.match(framer.decode(input), { code, final: true })
  }
})

test('a frame of exactly the limit passes, at each framing', async (t) => {
  for (const [name, { make }] of Object.entries(FRAMERS)) {
    for (const limit of [0, 2, 254, 255, 300]) {
      const body =
        name.startsWith('dot') && limit > 0 ? `${'.'.repeat(limit - 2)}\r\n` : 'c'.repeat(limit)
      const input = new InputBuffer()
      const framer = make({ limit })
      for (const byte of framer.encode(text(body))) input.push(Uint8Array.of(byte))
      t.same(Buffer.from(framer.decode(input) as Uint8Array).toString(), body, `${name}, ${limit}`)
    }
  }
})

test('stuffing: 1 MiB of garbage before a mark is left out in bounded memory (scenario 6)', async (t) => {
  for (const garbage of [
    'a',
    '\xff',
    '\xff\xff\xffa',
    '\xff\xff\xff\xff\xfe',
    '\xff\xff\xff\xff\0',
  ]) {
    const framer = new StuffingFramer({ limit: 100 })
    const input = new InputBuffer()
    const chunk = text(garbage.repeat(1_000))
    const seen: unknown[] = []
    const pull = (): void => {
      for (let next = framer.decode(input); next !== undefined; next = framer.decode(input)) {
        seen.push(
          next instanceof FramingFault ? [next.code, next.quiet] : Buffer.from(next).toString(),
        )
      }
    }
    for (let sent = 0; sent < 1 << 20; sent += chunk.length) {
      input.push(chunk)
      pull()
      if (input.length > 4) t.fail(`holds ${input.length} bytes`)
    }
    input.push(framer.encode(text('frame')))
    pull()
    t.same(seen, [['FRAME_GARBAGE', true], 'frame'], JSON.stringify(garbage))
  }
})

test('chunk: what nobody claims is refused at the limit (W3)', async (t) => {
  const framer = new ChunkFramer({ size: 10, limit: 5_000 })
  const input = new InputBuffer()
  let passed = 0
  let held = 0
  for (let i = 0; i < 1_000; i++) {
    input.push(new Uint8Array(1_000))
    const next = framer.decode(input)
    if (next instanceof FramingFault) {
      t.match(next, { code: 'FRAME_TOO_LONG', final: true })
      break
    }
    passed += next?.length ?? 0
    held = Math.max(held, input.length)
  }
  t.equal(passed, 10)
  t.ok(held <= 5_000)
  t.throws(() => new ChunkFramer({ size: -1, limit: 1 }), { code: 'FRAMER_INVALID' })
  t.throws(() => new ChunkFramer({ size: 1, limit: Number.NaN }), { code: 'FRAMER_INVALID' })
})

test('joining chunks costs a few bytes each, whatever their sizes (W3)', async (t) => {
  for (const [size, taken] of [
    [1, 0],
    [1, 1],
    [1_000, 999],
    [65_536, 65_000],
    [16_384, 0],
  ] as const) {
    let allocated = 0
    const input = new InputBuffer((size) => {
      allocated += size
      // whatever was there before is not seen
      return new Uint8Array(size).fill(10)
    })
    const pushed = Math.min(4 << 20, size * 20_000)
    for (let at = 0; at < pushed; at += size) {
      input.push(new Uint8Array(size))
      input.take(taken)
      if (at < 10 * size && input.indexOf(10) >= 0) t.fail('spare room is not content')
    }
    t.ok(allocated <= 4 * pushed + 1_000, `${allocated} for ${pushed} in chunks of ${size}`)
  }
})
