/**
 * One text frame of `sapwood.v1`, read: an object or an array of objects, each an update with what was said about
 * it. Both ends of a connection, NDJSON lines, batches and SSE events read with this.
 * Invariant: it never throws for what a peer sent; a frame is taken whole or not at all; a JSON body is kept as
 * it was written, on one line.
 */
import type { Fault, Message, Meta } from '@sapwood/core'
import { BYTES_TYPE, JSON_TYPE, message, NO_META } from '@sapwood/core'
import { fromBase64 } from './base64.ts'
import { cut } from './cut.ts'
import { isFault } from './fault.ts'
import { JsonMember, singleLine } from './json-member.ts'
import { mediaType } from './media-type.ts'
import { utf8Length } from './utf8.ts'

/** An update as it came in. Whether `path` is a legal one is for the reader to decide. */
export interface Frame {
  readonly path: string
  readonly message: Message
  /** Position. */
  readonly at?: string | undefined
  readonly replay?: boolean | undefined
  readonly own?: boolean | undefined
}

export interface FrameLimits {
  /** UTF-8 bytes of `reply`. */
  readonly reply: number
  /** UTF-8 bytes of each of `id`, `key`, `origin`, `at`, `after`, `verb` and `type`. */
  readonly word: number
}

export const FRAME_LIMITS: FrameLimits = /* @__PURE__ */ Object.freeze({ reply: 64, word: 512 })

/** The body of an update without a message: the empty string, as JSON. */
const NOTHING = '""'

export class ParsedFrame implements Frame {
  readonly path: string
  readonly message: Message
  readonly at: string | undefined
  readonly replay: boolean | undefined
  readonly own: boolean | undefined

  constructor(
    path: string,
    message: Message,
    at: string | undefined,
    replay: boolean | undefined,
    own: boolean | undefined,
  ) {
    this.path = path
    this.message = message
    this.at = at
    this.replay = replay
    this.own = own
  }
}

interface Json {
  readonly [name: string]: unknown
  readonly path?: unknown
  readonly message?: unknown
  readonly type?: unknown
  readonly encoding?: unknown
}

/**
 * Reads a text frame with one object or an array of them.
 * @returns the frames in their order, or `FRAME_INVALID` with what is wrong and where.
 * @example parseFrames('[{"path":"a","message":1},{"path":"b"}]') // two frames
 */
export function parseFrames(
  text: string,
  limits: FrameLimits = FRAME_LIMITS,
): readonly Frame[] | Fault {
  const value = parse(text)
  if (value === undefined) return BROKEN
  if (!Array.isArray(value)) {
    const frame = readFrame(value, text, new JsonMember(text, 'message'), limits)
    return isFault(frame) ? frame : [frame]
  }
  const member = new JsonMember(text, 'message')
  const frames: Frame[] = []
  for (const item of value) {
    const frame = readFrame(item, text, member, limits)
    if (isFault(frame)) return invalid(`item ${frames.length}: ${frame.detail}`)
    frames.push(frame)
  }
  return frames
}

/** Reads one object, as on an NDJSON line or in an SSE event. An array is a fault. */
export function parseFrame(text: string, limits: FrameLimits = FRAME_LIMITS): Frame | Fault {
  const value = parse(text)
  if (value === undefined) return BROKEN
  return readFrame(value, text, new JsonMember(text, 'message'), limits)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readFrame(
  value: unknown,
  text: string,
  member: JsonMember,
  limits: FrameLimits,
): Frame | Fault {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid('an update is a JSON object such as {"path":"orders/42","message":{}}')
  }
  const json = value as Json
  member.readObject()
  const { path } = json
  if (typeof path !== 'string') return wrong('path', 'a string')
  const body = member.start < 0 ? NOTHING : cut(text, member.start, member.end)
  // nothing but path and message, as most frames are: no need to look for more
  if (member.members === (member.start < 0 ? 1 : 2)) {
    return new ParsedFrame(path, message(singleLine(body)), undefined, undefined, undefined)
  }
  return readFields(json, path, body, limits)
}

function readFields(json: Json, path: string, body: string, limits: FrameLimits): Frame | Fault {
  let meta: Record<string, unknown> | undefined
  for (const name in json) {
    const kind = FIELDS.get(name)
    if (kind === undefined) continue
    const said = json[name]
    if (!kind.test(said, limits)) return wrong(name, kind.says(limits))
    if (kind.beside) continue
    meta ??= {}
    meta[name] = said
  }
  const { at, replay, own } = json as Partial<Frame>
  const read = readBody(json, body, meta ?? NO_META)
  return isFault(read) ? read : new ParsedFrame(path, read, at, replay, own)
}

function readBody(json: Json, body: string, meta: Meta): Message | Fault {
  const type = json.type as string | undefined
  const said = json.message === undefined ? '' : json.message
  if (json.encoding !== undefined) {
    const bytes = typeof said === 'string' ? fromBase64(said) : undefined
    if (bytes === undefined) return wrong('message', 'base64 with padding and without white space')
    return message(bytes, type ?? BYTES_TYPE, meta)
  }
  if (type === undefined || type === JSON_TYPE || mediaType(type) === JSON_TYPE) {
    return message(singleLine(body), JSON_TYPE, meta)
  }
  return typeof said === 'string'
    ? message(said, type, meta)
    : wrong('message', `a string, since type is ${type}`)
}

/** What a field must be. */
interface Kind {
  readonly test: (said: unknown, limits: FrameLimits) => boolean
  readonly says: (limits: FrameLimits) => string
  /** It stands beside the meta of the message, not in it. */
  readonly beside?: boolean
}

const WORD: Kind = {
  test: (said, limits) => isShort(said, limits.word),
  says: (limits) => `a string of at most ${limits.word} bytes`,
}
const FLAG: Kind = { test: (said) => typeof said === 'boolean', says: () => 'true or false' }

const FIELDS: ReadonlyMap<string, Kind> = /* @__PURE__ */ new Map<string, Kind>([
  ['at', { ...WORD, beside: true }],
  ['replay', { ...FLAG, beside: true }],
  ['own', { ...FLAG, beside: true }],
  ['encoding', { test: (said) => said === 'base64', says: () => '"base64"', beside: true }],
  [
    'type',
    {
      test: (said, limits) => isShort(said, limits.word) && /^[\x20-\x7e]*$/.test(said),
      says: (limits) => `a media type of at most ${limits.word} ASCII characters`,
      beside: true,
    },
  ],
  ['id', WORD],
  ['key', WORD],
  ['origin', WORD],
  ['exclude', FLAG],
  [
    'reply',
    {
      test: (said, limits) => isShort(said, limits.reply),
      says: (limits) => `a string of at most ${limits.reply} bytes`,
    },
  ],
  ['verb', WORD],
  [
    'args',
    {
      test: (said) => Array.isArray(said) && said.every((each) => typeof each === 'string'),
      says: () => 'an array of strings',
    },
  ],
  ['query', { test: (said) => typeof said === 'string', says: () => 'a string' }],
  [
    'deadline',
    {
      test: (said) => typeof said === 'number' && Number.isFinite(said) && said >= 0,
      says: () => 'milliseconds, at least 0',
    },
  ],
  ['code', { test: (said) => isInteger(said, 0, 255), says: () => 'an integer from 0 to 255' }],
  [
    'status',
    { test: (said) => isInteger(said, 100, 599), says: () => 'an integer from 100 to 599' },
  ],
  ['after', WORD],
])

function isShort(said: unknown, bytes: number): said is string {
  if (typeof said !== 'string' || said.length > bytes) return false
  return said.length * 3 <= bytes || utf8Length(said) <= bytes
}

function isInteger(said: unknown, least: number, most: number): boolean {
  return Number.isInteger(said) && (said as number) >= least && (said as number) <= most
}

const BROKEN: Fault = /* @__PURE__ */ invalid(
  'the text is not JSON; send one JSON object or an array of them',
)

function wrong(field: string, expected: string): Fault {
  return invalid(`"${field}" must be ${expected}`)
}

function invalid(detail: string): Fault {
  return { code: 'FRAME_INVALID', detail, status: 400 }
}
