/**
 * The frames of the pipe: ten bytes of head and a payload (docs/pipe-protocol.md, section 2).
 *
 *     0       3      4              10
 *     length  type   stream         payload
 *
 * Length, type and stream are big-endian; the top bit of the type is `END_FLAG`.
 * Invariant: what a type may be long at most is known before its payload is waited for.
 */

/** The types of frames. Those from `headers` on are numbered, acknowledged and replayed, the others are not. */
export const FrameType = {
  session: 1,
  ack: 2,
  ping: 3,
  goaway: 4,
  headers: 5,
  data: 6,
  trailers: 7,
  credit: 8,
  reset: 9,
  update: 10,
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

/** HEADERS, DATA: the last of its direction. UPDATE: its last part. PING: the answer. */
export const END_FLAG = 0x80
/** Bytes in front of every payload. */
export const FRAME_HEAD = 10
/** The longest payload. */
export const PAYLOAD_LIMIT = 65_536

const SMALL = 2_048
const WORD = 8
const NEVER = -1

/** The longest payload of each type; -1 where no such type is. */
export const PAYLOAD_LIMITS: readonly number[] = [
  NEVER,
  SMALL,
  WORD,
  WORD,
  SMALL,
  PAYLOAD_LIMIT,
  PAYLOAD_LIMIT,
  PAYLOAD_LIMIT,
  WORD,
  SMALL,
  PAYLOAD_LIMIT,
]

/** The shortest: what is a number has all its bytes. */
export const LEAST_PAYLOAD: readonly number[] = [0, 0, WORD, WORD, 0, 0, 0, 0, WORD, 0, 0]

/** One frame, or a part of a DATA frame. A framer has one object for all: it is valid until the next is asked for. */
export interface PipeFrame {
  readonly type: number
  /** Whether `END_FLAG` is set. */
  readonly ends: boolean
  /** 0 for the session itself. */
  readonly stream: number
  /** Bytes of the whole payload. */
  readonly length: number
  /** The payload, or the part of it that has come: a view on what was received. */
  readonly payload: Uint8Array
  /** Whether this is the first part. All frames but DATA come whole: first and last. */
  readonly first: boolean
  readonly last: boolean
}

/** Writes the head of a frame to `bytes` at `at`. */
export function writeFrameHead(
  bytes: Uint8Array,
  at: number,
  type: number,
  stream: number,
  length: number,
): void {
  const high = stream < 0x1_0000_0000 ? 0 : Math.floor(stream / 0x1_0000_0000)
  bytes[at] = length >>> 16
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length
  bytes[at + 3] = type
  bytes[at + 4] = high >>> 8
  bytes[at + 5] = high
  bytes[at + 6] = stream >>> 24
  bytes[at + 7] = stream >>> 16
  bytes[at + 8] = stream >>> 8
  bytes[at + 9] = stream
}

/** Writes a number of eight bytes, up to 2^53 - 1. */
export function writeWide(bytes: Uint8Array, at: number, value: number): void {
  let rest = value
  for (let i = at + 7; i >= at; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

/** Reads one; beyond 2^53 - 1 it is no safe integer. */
export function readWide(bytes: Uint8Array): number {
  let value = 0
  for (let i = 0; i < WORD; i++) value = value * 256 + (bytes[i] as number)
  return value
}
