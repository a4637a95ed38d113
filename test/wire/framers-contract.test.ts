/** Every framer keeps the contract of framers, with each policy for frames that are too long. */
import { framerConformance, randomNumbers } from '@sapwood/testkit'
import type { FrameLimitOptions, Framer } from '@sapwood/wire'
import {
  CobsFramer,
  DelimitedFramer,
  DotBlockFramer,
  LengthPrefixFramer,
  LineFramer,
  NetstringFramer,
  StuffingFramer,
  VarintPrefixFramer,
} from '@sapwood/wire'
import { test } from 'tap'

const text = (piece: string): Buffer => Buffer.from(piece, 'latin1')
const hex = (digits: string): Buffer => Buffer.from(digits, 'hex')

/** More than a COBS block. */
const LIMIT = 300
const POOL = 4_000

type Random = () => number

/** Up to `LIMIT` bytes, few or many of them those that matter to the framing. */
function bytesOf(...marks: readonly number[]): (random: Random) => Uint8Array {
  return slicesOf(pools(marks))
}

/** The same without `barred`, and without `tail` at the end. */
function bytesWithout(barred: string, tail: string, ...marks: readonly number[]) {
  const frames = slicesOf(
    pools(marks).map((pool) => {
      let rest = Buffer.from(pool).toString('latin1')
      // what is left over may be barred in its turn
      while (rest.includes(barred)) rest = rest.replaceAll(barred, '')
      return text(rest)
    }),
  )
  const tails = text(tail)
  return (random: Random): Uint8Array => {
    const frame = frames(random)
    let end = frame.length
    while (end > 0 && tails.includes(frame[end - 1] as number)) end--
    return frame.subarray(0, end)
  }
}

/** Random bytes with a growing share of marks: frames are slices of them, which costs little. */
function pools(marks: readonly number[]): Uint8Array[] {
  const random = randomNumbers(5)
  return Array.from({ length: 8 }, (_, share) =>
    Uint8Array.from({ length: POOL }, () => {
      const mark = marks[Math.floor(random() * marks.length)] as number
      return random() < share / 7 ? mark : Math.floor(random() * 256)
    }),
  )
}

function slicesOf(pools: readonly Uint8Array[]): (random: Random) => Uint8Array {
  return (random) => {
    const length = random() < 0.03 ? LIMIT : Math.floor(random() ** 6 * (LIMIT + 1))
    const pool = pools[Math.floor(random() * pools.length)] as Uint8Array
    const at = Math.floor(random() * Math.max(1, pool.length - length))
    return pool.subarray(at, at + length)
  }
}

/** Lines with CRLF, many beginning with dots. */
function blocks(): (random: Random) => Uint8Array {
  const random = randomNumbers(6)
  const pieces = ['.', '..', '', 'a', ' .', '.a', 'abc.', '\xff\0']
  const piece = (): string => pieces[Math.floor(random() * pieces.length)] as string
  const lines = Array.from({ length: 1_000 }, () => {
    const words = Array.from({ length: Math.floor(random() * 3) }, piece)
    return text(`${words.join('')}\r\n`)
  })
  const pool = Buffer.concat(lines)
  const starts = [0]
  for (const line of lines) starts.push((starts.at(-1) as number) + line.length)
  return (random) => {
    const first = Math.floor(random() * (lines.length - 8))
    return pool.subarray(starts[first], starts[first + Math.floor(random() * 8)])
  }
}

const LINES = ['\n', '\r\n', '\r', 'a', 'bc', '\n\n']
const BLOCKS = ['00', '01', '02', '0361', 'e0', 'e1', 'e2', 'ff', '61', '6161616161', '0000']
const SMTP = ['.', '\r\n', '.\r\n', '\r\n.\r\n', '\n.\n', '\n.\r\n', '\r\n.\n', '\r', '\n', 'a']
const DIGITS = ['0', '1', '3', '12', ':', ',', '0:,', '1:a,', '3:abc', '999', '01:a,']
const ABA = { prefix: text('ABA'), begin: 66 + 1, end: 66 + 2, nop: 66 + 3 }
const STUFFED = ['ffffffff', 'ff', 'ffffffff00', 'fffffffffd', 'fffffffffe', '00', 'fd', 'fe', '41']

interface Suite {
  readonly make: (limits: FrameLimitOptions) => Framer<Uint8Array>
  readonly frame: (random: Random) => Uint8Array
  readonly noise: readonly Uint8Array[]
  /** What a frame of `length` bytes has on the wire at most; by default a few more. */
  readonly wire?: (length: number) => number
  /** Fewer for the variants of a framer that has its 40,000 elsewhere. */
  readonly roundTrips?: number
}

const SOME = 5_000

const SUITES: Readonly<Record<string, Suite>> = {
  'lines, CR in the end (TN-18)': {
    make: (limits) => new LineFramer(limits),
    frame: bytesWithout('\n', '\r', 13, 13, 32, 46),
    noise: LINES.map(text),
  },
  'lines, CR in the line (TN-18)': {
    make: (limits) => new LineFramer({ ...limits, carriageReturn: false }),
    roundTrips: SOME,
    frame: bytesWithout('\n', '', 13, 13, 32, 46),
    noise: LINES.map(text),
  },
  'lines sent with CRLF (TN-18)': {
    make: (limits) => new LineFramer({ ...limits, end: '\r\n' }),
    roundTrips: SOME,
    frame: bytesWithout('\n', '\r', 13, 97),
    noise: LINES.map(text),
  },
  'delimited by CRLF CRLF': delimited('\r\n\r\n'),
  'delimited by "aab"': { ...delimited('aab'), roundTrips: SOME },
  netstrings: {
    make: (limits) => new NetstringFramer(limits),
    frame: bytesOf(48, 58, 44),
    noise: DIGITS.map(text),
  },
  ...Object.fromEntries(
    ([1, 2, 4, 8] as const).flatMap((size) => [
      [`a prefix of ${size} bytes, big (TN-19)`, prefixed(size, 'big')],
      [`a prefix of ${size} bytes, little (TN-19)`, prefixed(size, 'little')],
    ]),
  ),
  varints: {
    make: (limits) => new VarintPrefixFramer(limits),
    frame: bytesOf(0, 128, 255),
    noise: ['00', '80', '8000', '05', 'ff', '808080808080', '61626364'].map(hex),
  },
  'stuffing (TN-20)': {
    make: (limits) => new StuffingFramer(limits),
    frame: bytesOf(255, 255, 255, 0, 253, 254),
    noise: STUFFED.map(hex),
    wire: (length) => length + Math.floor(length / 4) + 10,
  },
  'stuffing, overlapping': {
    make: (limits) => new StuffingFramer({ ...limits, ...ABA }),
    roundTrips: SOME,
    frame: bytesOf(65, 66, 65, 67, 68, 69),
    noise: ['ABA', 'AB', 'A', 'ABAC', 'ABAD', 'ABAE', 'ABABAD', 'ABABAE', 'x'].map(text),
    wire: (length) => length + Math.floor(length / 3) + 10,
  },
  'COBS (TN-21)': {
    make: (limits) => new CobsFramer(limits),
    frame: bytesOf(0),
    noise: BLOCKS.map(hex),
  },
  'COBS with zero pairs (TN-21)': {
    make: (limits) => new CobsFramer({ ...limits, zeroPairs: true }),
    frame: bytesOf(0),
    noise: BLOCKS.map(hex),
  },
  'dot blocks': {
    make: (limits) => new DotBlockFramer(limits),
    frame: blocks(),
    noise: SMTP.map(text),
    wire: (length) => length * 2 + 10,
  },
}

function delimited(delimiter: string): Suite {
  return {
    make: (limits) => new DelimitedFramer({ ...limits, delimiter: text(delimiter) }),
    // no byte of the delimiter at the end: it could complete one too early
    frame: bytesWithout(delimiter, delimiter, ...text(delimiter)),
    noise: [delimiter, delimiter.slice(0, 1), delimiter.slice(1), 'x', 'a'].map(text),
  }
}

function prefixed(size: 1 | 2 | 4 | 8, endian: 'big' | 'little'): Suite {
  const frame = bytesOf(0, 255)
  return {
    // eight variants are 40,000
    roundTrips: SOME,
    make: (limits) =>
      new LengthPrefixFramer({
        ...limits,
        size,
        endian,
        signed: size % 4 === 0,
        padBefore: size === 4 ? 1 : 0,
        padBehind: size === 4 ? 2 : 0,
      }),
    frame: (random) => frame(random).subarray(0, size === 1 ? 255 : LIMIT),
    noise: ['00', '000000', '0000000000000000', '05', '0500', 'ff', '0000000a', '61'].map(hex),
  }
}

for (const [name, suite] of Object.entries(SUITES)) {
  const { make, frame, noise, roundTrips = 40_000, wire = (length) => length + 20 } = suite
  test(name, { timeout: 60_000 }, async (t) => {
    framerConformance(t, name, {
      roundTrips,
      make: () => make({ limit: LIMIT }),
      frame,
      noise,
      holds: wire(LIMIT),
    })
    // the policy is about bad frames only
    for (const tooLong of ['error', 'skip'] as const) {
      framerConformance(t, `${name}, at most 8 bytes, else ${tooLong}`, {
        roundTrips: 0,
        make: () => make({ limit: 8, tooLong }),
        frame: (random) => {
          let bytes = frame(random)
          while (bytes.length > 8) bytes = frame(random)
          return bytes
        },
        noise: [...noise, text('abcdefghi')],
        holds: wire(8),
      })
    }
  })
}
