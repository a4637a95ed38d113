import assert from 'node:assert/strict'
import {
  BYTES_TYPE,
  JSON_TYPE,
  jsonMessage,
  message,
  pathFault,
  TEXT_TYPE,
  textOf,
  Update,
} from '@sapwood/core'
import { compactJson, isJson, lineForm, lineText, parseLine } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { jsonText } from './arbitraries.ts'

function read(line: string): readonly [path: string, body: unknown, type: string] {
  const { path, message } = parseLine(line)
  return [path, message.body, message.type]
}

test('a line is a path and a message; only the first semicolon splits and one space behind it is dropped (DB-11)', async (t) => {
  for (const [line, path, body] of [
    ['my/data;hello', 'my/data', 'hello'],
    ['my/data; hello', 'my/data', 'hello'],
    ['my/data;  hello ', 'my/data', ' hello '],
    ['my/data;a;b; c', 'my/data', 'a;b; c'],
    ['my/data ;x y', 'my/data ', 'x y'],
    [';x', '', 'x'],
    ['ä/😀; grüße', 'ä/😀', 'grüße'],
  ] as const) {
    t.strictSame(read(line), [path, body, TEXT_TYPE], line)
  }
  for (const line of ['my/data', 'my/data;', 'my/data; ', 'my/data;""']) {
    t.strictSame(read(line), ['my/data', '""', JSON_TYPE], `"${line}" has an empty message`)
  }
})

test('the first grammar is read as well (DB-24)', async (t) => {
  t.strictSame(read('UPDATE process/at/my/process/path; {progress:.5}'), [
    'process/at/my/process/path',
    '{progress:.5}',
    TEXT_TYPE,
  ])
  t.strictSame(read('UPDATE file/at/my/file/path.txt'), [
    'file/at/my/file/path.txt',
    '""',
    JSON_TYPE,
  ])
  t.strictSame(read('UPDATE a;1'), ['a', '1', JSON_TYPE])
  t.strictSame(read('UPDATE;1'), ['UPDATE', '1', JSON_TYPE], 'a path may have this name')
  t.strictSame(read('UPDATED;1'), ['UPDATED', '1', JSON_TYPE])
  t.strictSame(read('update a;1'), ['update a', '1', JSON_TYPE])
})

test('a message that parses as JSON is that JSON, verbatim; any other is text', async (t) => {
  for (const json of ['{"n": [1, 2]}', '"a\\nb"', '1e400', '-0', 'null', '[]', '"\\\\"', ' 5']) {
    t.strictSame(read(`a; ${json}`), ['a', json, JSON_TYPE], json)
  }
  for (const text of ['{n:1}', 'nul', 'nulls', '01', '1.', "'a'", '"', '[', 'hello 1', '+1']) {
    t.strictSame(read(`a; ${text}`), ['a', text, TEXT_TYPE], text)
  }
  t.strictSame(
    read('a; {"n":\r1,\t"m":2}'),
    ['a', '{"n":1,"m":2}', JSON_TYPE],
    'a CR that is space would end the line of a stream where the JSON goes on verbatim',
  )
  t.strictSame(
    read('a; {\\n  "b": "c\\\\nd"\\n}'),
    ['a', '{"b":"c\\nd"}', JSON_TYPE],
    'a document whose line ends were escaped is JSON once they are resolved',
  )
})

test('escapes stand for line ends and backslash in a message, for semicolon and percent in a path', async (t) => {
  t.strictSame(read('a; one\\ntwo\\r\\\\n\\t\\'), ['a', 'one\ntwo\r\\n\\t\\', TEXT_TYPE])
  t.strictSame(read('50%25/a%3Bb/%3b/%20/%;x%3B'), ['50%/a;b/;/%20/%', 'x%3B', TEXT_TYPE])
  t.equal(lineText('50%/a;b', message('1;2\n3\\', TEXT_TYPE)), '50%25/a%3Bb; 1;2\\n3\\\\')
  t.equal(lineText('UPDATE x', jsonMessage(1)), 'UPDATE UPDATE x; 1')
  t.equal(lineText('not\na/path', jsonMessage(1)).split('\n').length, 1)
})

test('JSON is written as compact text, and what it holds is not touched', async (t) => {
  t.equal(lineText('a', message('{ "b" : [ 1 , "x  y" ] }')), 'a; {"b":[1,"x  y"]}')
  t.equal(lineText('a', jsonMessage({ text: 'one\ntwo\\' })), 'a; {"text":"one\\ntwo\\\\"}')
  t.equal(lineText('a', message('"two words"')), 'a; "two words"')
  t.equal(lineText('a', message('""')), 'a; ')
  t.equal(lineText('a', message('')), 'a; ')
  t.equal(lineText('a', message(Uint8Array.of(0, 255), BYTES_TYPE)), 'a; AP8=')
  const stream = (async function* () {})()
  t.throws(() => lineText('@a/b', message(stream, BYTES_TYPE)), { code: 'BODY_STREAM' })
  t.equal(new TextDecoder().decode(new Update('ä', jsonMessage(1)).encoded(lineForm)), 'ä; 1\n')
})

test('what steers the hub is text, and what the hub says has words of its own', async (t) => {
  t.strictSame(read('::connect;123'), ['::connect', '123', TEXT_TYPE])
  t.strictSame(read('::connect; id->a/*'), ['::connect', 'id->a/*', TEXT_TYPE])
  t.strictSame(read('::exit'), ['::exit', '""', JSON_TYPE])
  for (const [path, value, line] of [
    ['::connect', 'id->a/*', '::connect; id->a/*'],
    ['::connected', { pattern: 'a;b', at: '1-2' }, '::connected; a;b'],
    ['::disconnected', { pattern: 'a', at: '1-2' }, '::disconnected; a'],
    ['::hello', { id: 'x', resume: 's3cret' }, '::hello; x'],
    ['::error', { code: 'A_CODE', detail: 'one\ntwo', pattern: 'a' }, '::error; A_CODE one\\ntwo'],
    ['::gap', { patterns: ['a'], reason: 'slow' }, '::gap; {"patterns":["a"],"reason":"slow"}'],
    ['::gone', null, '::gone; null'],
  ] as const) {
    t.equal(lineText(path, jsonMessage(value)), line)
  }
})

const path = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
    fc.string({ unit: fc.constantFrom(...'%;3B25 UPDATE/a'), minLength: 1, maxLength: 12 }),
    fc.constantFrom('UPDATE ', 'UPDATE a', 'UPDATE UPDATE', '%25', '%3B'),
  )
  .filter((path) => pathFault(path) === undefined && !path.startsWith('::'))

test('every update reads back as the same path and content, from one line', async () => {
  fc.assert(
    fc.property(path, jsonText, (path, json) => {
      const line = lineText(path, message(json))
      assert.doesNotMatch(line, /[\r\n]/)
      const back = parseLine(line)
      assert.equal(back.path, path)
      assert.equal(back.message.type, JSON_TYPE)
      assert.equal(back.message.body, compactJson(json))
    }),
    { numRuns: 2000 },
  )
  const letters = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(...'\\nr\r\n; "a%3B'), maxLength: 12 }),
  )
  fc.assert(
    fc.property(path, letters, (path, text) => {
      const line = lineText(path, message(text, TEXT_TYPE))
      assert.doesNotMatch(line, /[\r\n]/)
      // what looks like JSON when it stands on a line is JSON: a line has no place for a type
      fc.pre(!isJson(text) && !isJson(line.slice(line.indexOf('; ') + 2)))
      const back = parseLine(line)
      assert.equal(back.path, path)
      assert.equal(textOf(back.message), text)
    }),
    { numRuns: 2000 },
  )
})

test('any string is a line', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (line) => {
      const { path, message } = parseLine(line)
      assert.equal(typeof path, 'string')
      assert.equal(typeof message.body, 'string')
    }),
    { numRuns: 1000 },
  )
})

test('a text is JSON exactly when JSON.parse takes it, and compact JSON has the same value', async () => {
  const pieces = fc.constantFrom(...'{}[]",:0123-+.eE \t\n\r\\tfn', 'true', 'null', '"a b"', '1e5')
  const texts = fc.oneof(
    jsonText,
    fc.json(),
    fc.array(pieces, { maxLength: 8 }).map((all) => all.join('')),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(texts, (text) => {
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch {
        return assert.equal(isJson(text), false)
      }
      assert.equal(isJson(text), true)
      assert.deepEqual(JSON.parse(compactJson(text)), value)
      const outside = compactJson(text).replace(/"(\\.|[^"\\])*"/g, '""')
      assert.doesNotMatch(outside, /\s/)
    }),
    { numRuns: 5000 },
  )
})
