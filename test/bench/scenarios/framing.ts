/** Frames out of received bytes: each framer alone, in process, beside the loop that one would write by hand. */
import type { Framer } from '@sapwood/wire'
import {
  CobsFramer,
  DelimitedFramer,
  DotBlockFramer,
  FramingFault,
  IdentityFramer,
  InputBuffer,
  LengthPrefixFramer,
  LineFramer,
  NetstringFramer,
  StuffingFramer,
  VarintPrefixFramer,
} from '@sapwood/wire'
import { worst } from '../goal.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

type Make = () => Framer<Uint8Array>

const limit = 1 << 16

/** Framers whose frames may hold any bytes: they get random ones. */
const BINARY: Readonly<Record<string, Make>> = {
  'length prefix': () => new LengthPrefixFramer({ size: 4, endian: 'big', limit }),
  varint: () => new VarintPrefixFramer({ limit }),
  netstring: () => new NetstringFramer({ limit }),
  COBS: () => new CobsFramer({ limit }),
  'COBS zero pairs': () => new CobsFramer({ limit, zeroPairs: true }),
  stuffing: () => new StuffingFramer({ limit }),
}
const TEXT: Readonly<Record<string, Make>> = {
  line: () => new LineFramer({ limit }),
  delimited: () => new DelimitedFramer({ delimiter: Buffer.from('\r\n'), limit }),
  'dot block': () => new DotBlockFramer({ limit }),
}
const WHOLE: Readonly<Record<string, Make>> = { identity: () => new IdentityFramer() }

const SIZES = [64, 1024]
/** What a socket gives at once. */
const CHUNK = 65_536
const NAMES = [...Object.keys(TEXT), ...Object.keys(BINARY)]

export const framing: Scenario = {
  name: 'framing',
  title: 'frames out of chunks of 64 KiB, one core, beside lines cut by hand with Buffer.indexOf',
  peers: [],
  variants: [...SIZES.flatMap((size) => NAMES.map((name) => `${name}, ${size}`)), 'identity, 1024'],
  columns: [
    { figure: 'frames', title: '1,000 frames/s', digits: 0 },
    { figure: 'bytes', title: 'MB/s', digits: 0 },
    { figure: 'cost', title: 'ns/frame', digits: 0 },
    { figure: 'byHand', title: 'ns by hand', digits: 0 },
    { figure: 'ratio', title: 'of by hand', digits: 2 },
    { figure: 'encode', title: 'ns to encode', digits: 0 },
  ],
  goal: worst('ratio', 'cost of a frame as a multiple of a line cut by hand, dearest row,', 20),
  run: measureFramer,
}

async function measureFramer(run: Run): Promise<Figures> {
  const [name = '', size = ''] = run.variant.split(', ')
  const make = TEXT[name] ?? BINARY[name] ?? WHOLE[name]
  if (make === undefined) throw new Error(`no framer ${name}`)
  const total = run.size(4 << 20, 1 << 20)
  const frames = Array.from({ length: Math.floor(total / Number(size)) }, (_, i) =>
    content(name, Number(size), i),
  )
  const framer = make()
  const stream = Buffer.concat(frames.map((frame) => framer.encode(frame)))
  const chunks = chunked(stream)
  const lines = chunked(Buffer.concat(frames.map((_, i) => line(Number(size), i))))

  const time = run.size(400, 80)
  const decoding = costOf(() => decodeAll(make(), chunks), time)
  const byHand = costOf(() => cutByHand(lines), time)
  const encoding = costOf(() => encodeAll(framer, frames), time)
  const passes = 1e9 / (decoding.cost * decoding.frames)
  return {
    frames: 1e6 / decoding.cost,
    bytes: (passes * stream.length) / 1e6,
    cost: decoding.cost,
    byHand: byHand.cost,
    ratio: decoding.cost / byHand.cost,
    encode: encoding.cost,
  }
}

/** Processor time per frame, in nanoseconds. */
function costOf(pass: () => number, time: number): { cost: number; frames: number } {
  const frames = pass()
  for (const end = performance.now() + time / 2; performance.now() < end; ) pass()
  const before = process.cpuUsage()
  let passes = 0
  for (const end = performance.now() + time; performance.now() < end; passes++) pass()
  const { user, system } = process.cpuUsage(before)
  return { cost: ((user + system) * 1_000) / (passes * frames), frames }
}

function decodeAll(framer: Framer<Uint8Array>, chunks: readonly Buffer[]): number {
  const input = new InputBuffer(Buffer.allocUnsafeSlow)
  let count = 0
  for (const chunk of chunks) {
    input.push(chunk)
    for (let next = framer.decode(input); next !== undefined; next = framer.decode(input)) {
      if (next instanceof FramingFault) throw new Error(next.detail)
      count++
    }
  }
  return count
}

function cutByHand(chunks: readonly Buffer[]): number {
  let rest: Buffer = Buffer.alloc(0)
  let count = 0
  let bytes = 0
  for (const chunk of chunks) {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, from)) {
      bytes += all.subarray(from, end).length
      from = end + 1
      count++
    }
    rest = all.subarray(from)
  }
  if (bytes === 0) throw new Error('no lines')
  return count
}

function encodeAll(framer: Framer<Uint8Array>, frames: readonly Uint8Array[]): number {
  let bytes = 0
  for (const frame of frames) bytes += framer.encode(frame).length
  if (bytes === 0) throw new Error('no bytes')
  return frames.length
}

function chunked(stream: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(stream.length / CHUNK) }, (_, i) =>
    Buffer.from(stream.subarray(i * CHUNK, (i + 1) * CHUNK)),
  )
}

/** The same bytes in every run, and no two frames alike. */
function randomBytes(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = seed + 1
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

function content(name: string, size: number, i: number): Buffer {
  if (name in BINARY) return randomBytes(size, i)
  if (name !== 'dot block') return Buffer.alloc(size, WORDS)
  // whole lines of 64 bytes
  return Buffer.alloc(size, `${WORDS}${WORDS}`.slice(0, 62).concat('\r\n'))
}

const WORDS = 'Sapwood carries messages both ways. '

function line(size: number, i: number): Buffer {
  return Buffer.from(`${String(i).padEnd(size - 1, 'x')}\n`)
}
