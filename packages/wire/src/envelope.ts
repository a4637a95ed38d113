/**
 * An update as one JSON object: the envelope inside every text form, WebSocket frame, SSE event, NDJSON line and
 * list of a long poll. The body goes in as it is; only text and bytes are turned into JSON strings.
 * Invariant: `parseFrame` reads the same update back, and the envelope is one line.
 */
import type { Codec, Message, Meta, Update } from '@sapwood/core'
import {
  BYTES_TYPE,
  isPlainPath,
  JSON_TYPE,
  Mark,
  NO_META,
  quote,
  SapwoodError,
} from '@sapwood/core'
import { toBase64 } from './base64.ts'
import { Slot } from './slots.ts'

/** The envelope, kept with the update: for the lists of long polls. */
export const envelope: Codec<string> = { slot: Slot.envelope, encode: envelopeText }

/**
 * The envelope of an update for its receivers. On a plain path it says neither the publisher's `reply`, which
 * concerns nobody else, nor how it wanted to be published.
 * @throws SapwoodError `BODY_STREAM` for a body that is a stream: streams have no JSON form.
 * @example envelopeText(new Update('a', jsonMessage(1), 7, '9f2c41d07ab3e865-7'))
 * // '{"path":"a","message":1,"at":"9f2c41d07ab3e865-7"}'
 */
export function envelopeText(update: Update): string {
  const { path, meta, mark, at } = update
  let text = head(path, update)
  if (at !== '') text += `,"at":"${at}"`
  if (mark !== Mark.none) {
    if (mark & Mark.replay) text += ',"replay":true'
    if (mark & Mark.own) text += ',"own":true'
  }
  if (meta === NO_META) return `${text}}`
  return `${text}${members(meta, isPlainPath(path) ? Told.everybody : Told.addressee)}}`
}

/**
 * A frame that a client or a publisher sends: everything that the hub may be told of this message.
 * @throws SapwoodError `BODY_STREAM` for a body that is a stream.
 * @example frameText('chat/1', jsonMessage('hi', { id: 'm1', reply: '1' }))
 */
export function frameText(path: string, message: Message): string {
  const { meta } = message
  return `${head(path, message)}${members(meta, Told.hub)}}`
}

/** Who is told what a message's meta says; what is missing here is told to nobody. */
const Told = { everybody: 0, addressee: 1, hub: 2 } as const

const TOLD: ReadonlyMap<string, number> = /* @__PURE__ */ new Map<keyof Meta, number>([
  ['id', Told.everybody],
  ['key', Told.everybody],
  ['origin', Told.everybody],
  ['verb', Told.everybody],
  ['args', Told.everybody],
  ['query', Told.everybody],
  ['noun', Told.addressee],
  ['deadline', Told.everybody],
  ['code', Told.everybody],
  ['status', Told.everybody],
  ['reply', Told.addressee],
  ['after', Told.addressee],
  ['exclude', Told.hub],
])

/** Path and body, without the closing brace. */
function head(path: string, message: Message): string {
  const { body, type } = message
  const start = `{"path":${quote(path)},"message":`
  if (typeof body === 'string') {
    // an empty body has no JSON form of its own
    if (type === JSON_TYPE) return start + (body || '""')
    return `${start}${JSON.stringify(body)},"type":${quote(type)}`
  }
  if (!(body instanceof Uint8Array)) {
    throw new SapwoodError('BODY_STREAM', `a stream cannot travel on ${path}; read it to its end`)
  }
  const encoded = `${start}"${toBase64(body)}","encoding":"base64"`
  return type === BYTES_TYPE ? encoded : `${encoded},"type":${quote(type)}`
}

function members(meta: Meta, reader: number): string {
  let text = ''
  for (const name in meta) {
    const told = TOLD.get(name)
    if (told === undefined || told > reader) continue
    const said = meta[name as keyof Meta]
    if (said !== undefined) text += `,"${name}":${JSON.stringify(said)}`
  }
  return text
}
