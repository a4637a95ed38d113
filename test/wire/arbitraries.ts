/** Updates of every kind that may travel, and what peers may send instead. */
import type { Meta } from '@sapwood/core'
import { BYTES_TYPE, isPlainPath, JSON_TYPE, Mark, message, NO_META, Update } from '@sapwood/core'
import { FRAME_LIMITS, singleLine } from '@sapwood/wire'
import fc from 'fast-check'

/** Any UTF-16 units, lone surrogates among them. */
const anyText = fc.string({ unit: 'binary', maxLength: 20 })
const word = fc.string({ unit: 'grapheme', maxLength: 12 })

/** JSON that JavaScript numbers and JSON.stringify would not give back as it was. */
export const jsonText: fc.Arbitrary<string> = fc.oneof(
  fc.json(),
  fc.constantFrom(
    '1e400',
    '-0',
    '0.10',
    '123456789012345678901234567890',
    '"\\u0041\\/"',
    '"\\\\"',
    '"}],{\\""',
    '{ "message" : [ 1 , { "message" : "\\"" } ] }',
    '[]',
    '{}',
    'null',
    '""',
  ),
)

const said = {
  id: word,
  key: word,
  origin: word,
  verb: fc.constantFrom('GET', 'POST'),
  args: fc.array(anyText, { maxLength: 3 }),
  query: anyText,
  deadline: fc.integer({ min: 0, max: 2 ** 50 }),
  code: fc.integer({ min: 0, max: 255 }),
  status: fc.integer({ min: 100, max: 599 }),
}
/** A path for replies is shorter than other words: few graphemes may be many bytes. */
const reply = word.filter((text) => Buffer.byteLength(text) <= FRAME_LIMITS.reply)
const addressed = { reply, after: word }

const plainMeta: fc.Arbitrary<Meta> = fc.record(said, { requiredKeys: [], noNullPrototype: true })
const addressedMeta: fc.Arbitrary<Meta> = fc.record(
  { ...said, ...addressed },
  { requiredKeys: [], noNullPrototype: true },
)

const body: fc.Arbitrary<readonly [string | Uint8Array, string]> = fc.oneof(
  jsonText.map((text) => [singleLine(text), JSON_TYPE] as const),
  fc.tuple(anyText, fc.constantFrom('text/plain', 'text/html; charset=utf-8', '')),
  fc.tuple(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom(BYTES_TYPE, 'image/png', JSON_TYPE, ''),
  ),
)

const path = fc.oneof(
  fc.constantFrom('orders/42', 'a', 'ä/"quoted\\"/😀', '::connect', '::reply', '@name/noun'),
  word,
)
const mark = fc.constantFrom(Mark.none, Mark.own, Mark.replay, Mark.own | Mark.replay)
const at = fc.constantFrom('', '9f2c41d07ab3e865-1042')

/** Updates as the hub sends them. */
export const anyUpdate: fc.Arbitrary<Update> = path.chain((path) =>
  fc
    .tuple(body, isPlainPath(path) ? plainMeta : addressedMeta, at, mark)
    .map(([[body, type], meta, at, mark]) => {
      const said = Object.keys(meta).length === 0 ? NO_META : meta
      return new Update(path, message(body, type, said), 1, at, mark)
    }),
)

const names = [
  ...['path', 'message', 'type', 'encoding', 'at', 'replay', 'own', 'exclude', 'future'],
  ...Object.keys(said),
  ...Object.keys(addressed),
]

/** JSON objects with the names of the protocol and values of any kind under them. */
export const anyObject: fc.Arbitrary<object> = fc.dictionary(
  fc.constantFrom(...names),
  fc.oneof(fc.jsonValue({ maxDepth: 1 }), word, fc.constantFrom('base64', JSON_TYPE, 'QUI=', true)),
)
