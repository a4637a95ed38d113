/** The bytes of each framing; what all framers have in common is in `framers-contract.test.ts`. */
import assert from 'node:assert/strict'
import { cuts } from '@sapwood/testkit'
import type { Framer } from '@sapwood/wire'
import {
  ChunkFramer,
  CobsFramer,
  DelimitedFramer,
  DotBlockFramer,
  FramingFault,
  IdentityFramer,
  InputBuffer,
  LengthPrefixFramer,
  LineFramer,
  mapFramer,
  NetstringFramer,
  StuffingFramer,
  VarintPrefixFramer,
} from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'

const text = (piece: string): Buffer => Buffer.from(piece, 'latin1')
const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex')

/** All that a framer makes of a stream; faults by their code. */
function decoded(framer: Framer<Uint8Array>, ...chunks: Uint8Array[]): string[] {
  const input = new InputBuffer()
  const seen: string[] = []
  const tell = (next: Uint8Array | FramingFault): boolean => {
    const isFault = next instanceof FramingFault
    seen.push(isFault ? next.code : Buffer.from(next).toString('latin1'))
    return isFault && next.final
  }
  for (const chunk of chunks) {
    input.push(chunk)
    for (let next = framer.decode(input); next !== undefined; next = framer.decode(input)) {
      if (tell(next)) return seen
    }
  }
  for (let next = framer.finish(input); next !== undefined; next = framer.finish(input)) {
    if (tell(next)) return seen
  }
  return seen
}

test('identity: what came together is one frame, and nothing is added (TN-16)', async (t) => {
  const framer = new IdentityFramer()
  t.same(decoded(framer, text('ab'), text(''), text('c')), ['ab', 'c'])
  const frame = text('abc')
  t.equal(framer.encode(frame), frame)
})

test('chunk: so many bytes pass, the rest waits for the next framer (TN-17, W3)', async (t) => {
  for (const { name, chunks } of cuts('12345rest\n')) {
    const chunk = new ChunkFramer({ size: 5, limit: 100 })
    const input = new InputBuffer()
    let passed = ''
    let line: unknown
    for (const bytes of chunks) {
      input.push(bytes)
      for (let next = chunk.decode(input); next !== undefined; next = chunk.decode(input)) {
        assert.ok(next instanceof Uint8Array)
        passed += Buffer.from(next).toString()
        assert.equal(chunk.left, 5 - passed.length)
      }
      if (chunk.left === 0) line = new LineFramer({ limit: 10 }).decode(input) ?? line
    }
    assert.equal(passed, '12345', name)
    assert.equal(Buffer.from(line as Uint8Array).toString(), 'rest', name)
  }
  t.same(decoded(new ChunkFramer({ size: 3, limit: 2 }), text('abcde')), ['abc', 'FRAME_TOO_LONG'])
  t.same(decoded(new ChunkFramer({ size: 3, limit: 2 }), text('abcdef')), ['abc', 'FRAME_TOO_LONG'])
  t.same(decoded(new ChunkFramer({ size: 3, limit: 2 }), text('ab')), ['ab', 'FRAME_CUT'])
  t.same(decoded(new ChunkFramer({ size: 3, limit: 2 }), text('abc')), ['abc'])
  t.equal(new ChunkFramer({ size: 0, limit: 0 }).left, 0)
})

test('line: a CR is part of the end or of the line, and an empty line is a line (TN-18, W4)', async (t) => {
  const stream = text('\nframe1\r\n\r\n\n\r\rframe2\r\n')
  const crlf = new LineFramer({ limit: 99, end: '\r\n' })
  t.same(decoded(crlf, stream), ['', 'frame1', '', '', '\r\rframe2'])
  t.same(Buffer.from(crlf.encode(text('a'))).toString(), 'a\r\n')
  const lf = new LineFramer({ limit: 99, carriageReturn: false })
  t.same(decoded(lf, stream), ['', 'frame1\r', '\r', '', '\r\rframe2\r'])
  t.same(Buffer.from(lf.encode(text('a\r'))).toString(), 'a\r\n')
  t.throws(() => new LineFramer({ limit: 9, carriageReturn: false, end: '\r\n' }), {
    code: 'FRAMER_INVALID',
  })
  const short = new LineFramer({ limit: 2, carriageReturn: false, tooLong: 'error' })
  t.same(decoded(short, text('ab\nab\r\na\r\n')), ['ab', 'LINE_TOO_LONG', 'a\r'])
})

test('delimited: a frame that its own delimiter would cut is not sent', async (t) => {
  const framer = new DelimitedFramer({ delimiter: text('aab'), limit: 9 })
  t.same(Buffer.from(framer.encode(text('xa'))).toString(), 'xaaab')
  const make = (): Framer<Uint8Array> => new DelimitedFramer({ delimiter: text('aab'), limit: 9 })
  t.same(decoded(make(), text('xaaab')), ['xa'])
  t.throws(() => framer.encode(text('xaabx')), { code: 'FRAME_INVALID' })
  const twice = new DelimitedFramer({ delimiter: text('aa'), limit: 9 })
  t.throws(() => twice.encode(text('xa')), { code: 'FRAME_INVALID' }, 'cut one byte too early')
  t.same(decoded(make(), text('aabaaabcut')), ['', 'a', 'FRAME_CUT'])
  for (const delimiter of ['', 'x'.repeat(65)]) {
    const options = { delimiter: text(delimiter), limit: 9 }
    t.throws(() => new DelimitedFramer(options), { code: 'FRAMER_INVALID' })
  }
})

test('netstring: as its author wrote it down', async (t) => {
  const framer = () => new NetstringFramer({ limit: 20 })
  t.equal(Buffer.from(framer().encode(text('hello world!'))).toString(), '12:hello world!,')
  t.equal(Buffer.from(framer().encode(text(''))).toString(), '0:,')
  t.equal(Buffer.from(framer().encode(text('1234567890'))).toString(), '10:1234567890,')
  t.same(decoded(framer(), text('12:hello world!,0:,')), ['hello world!', ''])
  for (const bad of [':,', 'a', '-1:', ' 1:a,', '01:a,', '00:,', '1;a,', '1:ab', '1'.repeat(16)]) {
    t.same(decoded(framer(), text(`2:ok,${bad}`)), ['ok', 'FRAME_INVALID'], bad)
  }
  t.same(decoded(framer(), text('2:o')), ['FRAME_CUT'])
})

test('length prefix: every size and order, with pads, and an empty frame (TN-19)', async (t) => {
  const limit = 1_000
  const abc = text('abc')
  const sent = (options: object): string => {
    const framer = new LengthPrefixFramer({ size: 4, endian: 'big', limit, ...options })
    assert.deepEqual(decoded(framer, framer.encode(abc)), ['abc'])
    return Buffer.from(framer.encode(abc)).toString('hex')
  }
  t.equal(sent({ size: 1 }), '03616263')
  t.equal(sent({ size: 1, endian: 'little' }), '03616263')
  t.equal(sent({ size: 2 }), '0003616263')
  t.equal(sent({ size: 2, endian: 'little' }), '0300616263')
  t.equal(sent({ size: 4 }), '00000003616263')
  t.equal(sent({ size: 4, endian: 'little' }), '03000000616263')
  t.equal(sent({ size: 8 }), '0000000000000003616263')
  t.equal(sent({ size: 8, endian: 'little' }), '0300000000000000616263')
  t.equal(sent({ size: 2, padBefore: 1, padBehind: 2 }), '0000030000616263')
  t.equal(sent({ size: 2, endian: 'little', padBefore: 1 }), '000300616263')
  const framer = new LengthPrefixFramer({ size: 2, endian: 'big', limit })
  t.same(decoded(framer, hex('0000 0001 61 0000')), ['', 'a', ''])
  const filled = new LengthPrefixFramer({ size: 1, endian: 'big', limit, padBefore: 1 })
  t.same(decoded(filled, hex('ff 01 61 ff 00')), ['a', ''], 'pads are not looked at')
  t.throws(() => new LengthPrefixFramer({ size: 3 as 4, endian: 'big', limit }), {
    code: 'FRAMER_INVALID',
  })
})

test('length prefix: negative and huge lengths are refused on the head (W5, scenario 4)', async (t) => {
  for (const endian of ['big', 'little'] as const) {
    for (const size of [1, 2, 4, 8] as const) {
      const limit = 100
      const minusOne = new Uint8Array(size).fill(255)
      const signed = new LengthPrefixFramer({ size, endian, limit, signed: true })
      t.same(decoded(signed, minusOne), ['FRAME_INVALID'], 'negative')
      const huge = new LengthPrefixFramer({ size, endian, limit })
      t.same(decoded(huge, minusOne), [size === 8 ? 'FRAME_INVALID' : 'FRAME_TOO_LONG'], 'huge')
      const most = new LengthPrefixFramer({ size, endian, limit: Number.MAX_SAFE_INTEGER })
      if (size > 2) continue
      t.throws(() => most.encode(new Uint8Array(2 ** (8 * size))), { code: 'FRAME_TOO_LONG' })
    }
  }
  const small = new LengthPrefixFramer({ size: 1, endian: 'big', limit: 500, signed: true })
  t.equal(small.encode(new Uint8Array(127)).length, 128)
  t.throws(() => small.encode(new Uint8Array(128)), { code: 'FRAME_TOO_LONG' }, 'would be negative')
})

test('varint: as delimited protobuf has it', async (t) => {
  const framer = () => new VarintPrefixFramer({ limit: 1_000 })
  t.equal(Buffer.from(framer().encode(text('a'))).toString('hex'), '0161')
  t.equal(Buffer.from(framer().encode(new Uint8Array(127)).subarray(0, 2)).toString('hex'), '7f00')
  t.equal(Buffer.from(framer().encode(new Uint8Array(128)).subarray(0, 2)).toString('hex'), '8001')
  t.equal(Buffer.from(framer().encode(new Uint8Array(300)).subarray(0, 2)).toString('hex'), 'ac02')
  t.same(decoded(framer(), hex('8000 8100 61')), ['', 'a'], 'needless zeros')
  t.same(decoded(framer(), hex('ffffffff0f')), ['FRAME_TOO_LONG'], 'minus one in 32 bits')
  t.same(decoded(framer(), hex('ffffffffffffffffff01')), ['FRAME_INVALID'], 'minus one in 64 bits')
  t.same(decoded(framer(), hex('ffffffffffffff7f')), ['FRAME_INVALID'], 'beyond 2^53')
  t.same(decoded(framer(), new Uint8Array(9).fill(128)), ['FRAME_INVALID'], 'without an end')
})

test('stuffing: what looks like a mark in a frame is none (TN-20, scenario 6)', async (t) => {
  const framer = new StuffingFramer({ limit: 99 })
  for (const frame of [
    'ffffffff',
    'fffffffffe',
    'ffffffff00',
    'fffffffffd',
    'ff',
    'ffffffffffffffffff',
  ]) {
    const stream = Buffer.concat([framer.encode(hex(frame)), framer.encode(text('next'))])
    t.same(decoded(framer, stream), [hex(frame).toString('latin1'), 'next'], frame)
  }
  t.equal(Buffer.from(framer.encode(text('a'))).toString('hex'), 'fffffffffd61fffffffffe')
  t.equal(
    Buffer.from(framer.encode(hex('ffffffff'))).toString('hex'),
    'fffffffffdffffffff00fffffffffe',
  )
})

test('stuffing: a stray byte of the prefix does not move the frame by one (W5)', async (t) => {
  for (let strays = 1; strays < 10; strays++) {
    const framer = new StuffingFramer({ limit: 99 })
    const stray = new Uint8Array(strays).fill(255)
    const stream = Buffer.concat([framer.encode(text('a')), stray, framer.encode(hex('ff41ff'))])
    t.same(decoded(framer, stream), ['a', 'FRAME_GARBAGE', '\xffA\xff'], `${strays} strays`)
  }
  // the bytes with which frames were moved cannot be chosen
  for (const wrong of [{ begin: 255 }, { end: 255 }, { nop: 255 }, { end: 0 }, { begin: 256 }]) {
    const options = { limit: 99, ...wrong }
    t.throws(() => new StuffingFramer(options), { code: 'FRAMER_INVALID' }, JSON.stringify(wrong))
  }
  t.throws(() => new StuffingFramer({ limit: 9, prefix: text('') }), { code: 'FRAMER_INVALID' })
})

test('stuffing: a frame broken off, and one that makes no sense, cost that frame only', async (t) => {
  const good = Buffer.from(new StuffingFramer({ limit: 99 }).encode(text('good')))
  const broken = good.subarray(0, 7)
  const make = () => new StuffingFramer({ limit: 99 })
  t.same(decoded(make(), broken, good), ['FRAME_CUT', 'good'])
  t.same(decoded(make(), broken, hex('ffffffff41ff'), good), ['FRAME_INVALID', 'good'])
  t.same(decoded(make(), good, broken), ['good', 'FRAME_CUT'])
})

test('COBS: the vectors of TN-21, both ways', async (t) => {
  const vectors = [
    [false, '', '01 00'],
    [false, '00', '01 01 00'],
    [false, '11 22 00 33', '03 11 22 02 33 00'],
    [true, '11 00', 'e2 11 00'],
    [true, '11 00 00', 'e2 11 01 00'],
    [true, '', '01 00'],
    [true, '00', 'e1 00'],
    [false, '11'.repeat(254), `ff ${'11'.repeat(254)} 01 00`],
    [false, '11'.repeat(253), `fe ${'11'.repeat(253)} 00`],
    [false, '11'.repeat(255), `ff ${'11'.repeat(254)} 02 11 00`],
    [true, '11'.repeat(223), `e0 ${'11'.repeat(223)} 01 00`],
    [true, `${'11'.repeat(30)} 00 00`, `ff ${'11'.repeat(30)} 01 00`],
    [true, `${'11'.repeat(31)} 00 00`, `20 ${'11'.repeat(31)} e1 00`],
  ] as const
  for (const [zeroPairs, frame, stream] of vectors) {
    const framer = new CobsFramer({ limit: 300, zeroPairs })
    t.equal(Buffer.from(framer.encode(hex(frame))).toString('hex'), stream.replaceAll(' ', ''))
    t.same(decoded(framer, hex(stream)), [hex(frame).toString('latin1')], stream)
  }
  const plain = new CobsFramer({ limit: 300 })
  t.equal(plain.encode(new Uint8Array(254).fill(1)).length, 257)
  const bare = hex(`ff ${'11'.repeat(254)} 00`)
  t.same(
    decoded(plain, bare),
    ['\x11'.repeat(254)],
    'as others send it, without a last empty block',
  )
})

test('COBS: a corrupt frame is told of, the next one parses (W5, scenario 5)', async (t) => {
  for (const zeroPairs of [false, true]) {
    for (const bad of ['03 11', 'ff', '02 11 05', '', 'e5', '01 02']) {
      const stream = hex(`02 61 00 ${bad} 00 02 62 00`)
      const framer = new CobsFramer({ limit: 300, zeroPairs })
      t.same(decoded(framer, stream), ['a', 'FRAME_INVALID', 'b'], bad)
    }
    const framer = new CobsFramer({ limit: 300, zeroPairs })
    t.same(decoded(framer, hex('02 61 00 02 62')), ['a', 'FRAME_CUT'], 'no zero at the end')
  }
})

test('dot block: a line with a dot ends it, and a bare line feed does not', async (t) => {
  const framer = () => new DotBlockFramer({ limit: 99 })
  t.same(decoded(framer(), text('a\r\n..b\r\n...\r\n.c\r\n.\r\n')), ['a\r\n.b\r\n..\r\nc\r\n'])
  t.same(decoded(framer(), text('.\r\n.\r\na.\r\n.\r\n')), ['', '', 'a.\r\n'], 'empty blocks')
  for (const smuggled of ['\n.\n', '\n.\r\n', '\r.\r', '\r\n.\n', '\r\n.\r', '\n\n.\r\n']) {
    const bare = smuggled.replace('\r\n.', '\r\n')
    t.same(decoded(framer(), text(`a${smuggled}b\r\n.\r\n`)), [`a${bare}b\r\n`])
    t.throws(() => framer().encode(text(`a${smuggled}b\r\n`)), { code: 'FRAME_INVALID' })
  }
  t.throws(() => framer().encode(text('a')), { code: 'FRAME_INVALID' }, 'the last line has no end')
  t.equal(Buffer.from(framer().encode(text('.\r\na\r\n'))).toString(), '..\r\na\r\n.\r\n')
  t.equal(Buffer.from(framer().encode(text(''))).toString(), '.\r\n')
  t.same(decoded(framer(), text('a\r\n.')), ['FRAME_CUT'])
  const input = new InputBuffer()
  input.push(text('x\r\n.\r\n'))
  input.skip(2)
  t.equal(framer().decode(input), undefined, 'what another framer took ends no line of this one')
})

test('frames may be typed objects, and what cannot be read is a fault of that frame (TN-13)', async (t) => {
  const framer = mapFramer(new NetstringFramer({ limit: 1_000 }), {
    parse: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as object,
    format: (value) => text(JSON.stringify(value)),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string({ maxLength: 3 }), fc.nat()), { maxLength: 3 }),
      async (values) => {
        const input = new InputBuffer()
        for (const value of values) input.push(framer.encode(value))
        for (const value of values) assert.deepEqual(framer.decode(input), { ...value })
        assert.equal(framer.finish(input), undefined)
      },
    ),
  )
  const input = new InputBuffer()
  input.push(text('1:x,2:{},5:{"a":'))
  t.match(framer.decode(input), { code: 'FRAME_INVALID', final: false })
  t.same(framer.decode(input), {})
  t.equal(framer.decode(input), undefined)
  t.match(framer.finish(input), { code: 'FRAME_CUT', final: true })
  t.throws(() => framer.encode({ a: 'x'.repeat(1_000) }), { code: 'FRAME_TOO_LONG' })

  const picky = mapFramer<Uint8Array, number>(new LineFramer({ limit: 9 }), {
    parse: ([first = 0]) => (first > 48 ? first : new FramingFault('VERSION', 'no', first === 48)),
    format: (value) => Uint8Array.of(value),
  })
  const lines = new InputBuffer()
  lines.push(text('1\n/\n0\n1\n'))
  t.equal(picky.decode(lines), 49)
  t.match(picky.decode(lines), { code: 'VERSION', final: false })
  const last = picky.decode(lines)
  t.match(last, { code: 'VERSION', final: true })
  t.equal(picky.decode(lines), last)
  t.equal(picky.finish(lines), last)
})

/** One peer: it sends with one framer and receives with another. */
class Peer {
  sendFramer: Framer<Uint8Array>
  receiveFramer: Framer<Uint8Array>
  readonly #input = new InputBuffer()

  constructor(framer: Framer<Uint8Array>) {
    this.sendFramer = framer
    this.receiveFramer = framer
  }

  /** Hands on every frame; `received` may switch both framers. */
  receive(chunk: Uint8Array, received: (frame: string) => void): void {
    this.#input.push(chunk)
    for (;;) {
      const next = this.receiveFramer.decode(this.#input)
      if (next === undefined) return
      assert.ok(next instanceof Uint8Array)
      received(Buffer.from(next).toString('latin1'))
    }
  }

  send(frame: string): Uint8Array {
    return this.sendFramer.encode(text(frame))
  }
}

test('SMTP: only what is received is switched, in one packet and at every cut (TN-15, scenario 3)', async () => {
  const mail = ['Subject: x\r\n', '\r\n', '.\r\n', 'DATA\r\n', 'QUIT\r\n'].join('')
  const dialogue =
    'EHLO a\r\nDATA\r\nSubject: x\r\n\r\n..\r\nDATA\r\nQUIT\r\n.\r\nDATA\r\n.\r\nQUIT\r\n'
  for (const { name, chunks } of cuts(dialogue)) {
    const lines = () => new LineFramer({ limit: 512, end: '\r\n' })
    const commands = lines()
    const blocks = new DotBlockFramer({ limit: 1_000 })
    const server = new Peer(commands)
    const mails: string[] = []
    let replies = ''
    const answer = (frame: string): void => {
      const isData = server.receiveFramer === commands && frame === 'DATA'
      if (server.receiveFramer === blocks) mails.push(frame)
      server.receiveFramer = isData ? blocks : commands
      replies += Buffer.from(server.send(isData ? '354 go on' : '250 ok')).toString()
    }
    for (const chunk of chunks) server.receive(chunk, answer)
    assert.deepEqual(mails, [mail, ''], name)
    const expected = ['250 ok', '354 go on', '250 ok', '354 go on', '250 ok', '250 ok', '']
    assert.equal(replies, expected.join('\r\n'), name)
  }
})

test('both ends go through every framing, a frame each, and no byte is lost at any cut (TN-15)', async () => {
  const limit = 100
  const chain = (): Framer<Uint8Array>[] => [
    new LineFramer({ limit, end: '\r\n' }),
    new CobsFramer({ limit }),
    new ChunkFramer({ size: 5, limit }),
    new DelimitedFramer({ delimiter: text('--'), limit }),
    new NetstringFramer({ limit }),
    new LengthPrefixFramer({ size: 4, endian: 'little', limit }),
    new DotBlockFramer({ limit }),
    new VarintPrefixFramer({ limit }),
    new StuffingFramer({ limit }),
    new CobsFramer({ limit, zeroPairs: true }),
    new LineFramer({ limit }),
  ]
  // each frame holds what would be the end of one in some other framing
  const frames = ['a\r\0--', '\n\0\0', 'chunk', '\0\n.\r\n', '\xff\xff\xff\xff\xfd', '2:a,']
  frames.push('.\r\n..\r\n', '', '\xff\xff\xff\xff\xfe', '\0\0\r\n\0', 'last')
  const sender = new Peer(chain()[0] as Framer<Uint8Array>)
  const sent = frames.map((frame, i) => {
    sender.sendFramer = chain()[i] as Framer<Uint8Array>
    return sender.send(frame)
  })
  for (const { name, chunks } of cuts(Buffer.concat(sent), { random: 100 })) {
    const framers = chain()
    const receiver = new Peer(framers[0] as Framer<Uint8Array>)
    const seen: string[] = []
    let part = ''
    for (const chunk of chunks) {
      receiver.receive(chunk, (frame) => {
        part += frame
        const { receiveFramer } = receiver
        if (receiveFramer instanceof ChunkFramer && receiveFramer.left > 0) return
        seen.push(part)
        part = ''
        receiver.receiveFramer = framers[seen.length % framers.length] as Framer<Uint8Array>
      })
    }
    assert.deepEqual(seen, frames, name)
  }
})
