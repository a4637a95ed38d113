import assert from 'node:assert/strict'
import {
  bodyValue,
  CancelSignal,
  JSON_TYPE,
  jsonMessage,
  message,
  NO_META,
  Update,
} from '@sapwood/core'
import type { Frame } from '@sapwood/wire'
import {
  envelope,
  envelopeText,
  FRAME_LIMITS,
  frameText,
  isFault,
  JsonMember,
  parseFrame,
  parseFrames,
  singleLine,
} from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { anyObject, anyUpdate, jsonText } from './arbitraries.ts'

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 2 })

test('the extent of a member is the text that JSON.parse reads, the last one of a repeated key', async () => {
  const key = fc.constantFrom(
    '"message"',
    '"m\\u0065ssage"',
    '"messag"',
    '"message "',
    '"path"',
    '"a\\"b"',
    '""',
  )
  const member = fc.tuple(key, jsonText, space, space, space, space)
  const object = fc.tuple(space, fc.array(member, { maxLength: 5 }))
  const objects = fc.tuple(fc.array(object, { minLength: 1, maxLength: 4 }), fc.boolean())
  fc.assert(
    fc.property(objects, ([list, isArray]) => {
      const written = list.map(([lead, members]) => {
        const inner = members.map(([key, value, a, b, c, d]) => `${a}${key}${b}:${c}${value}${d}`)
        return `${lead}{${inner.join(',') || lead}}${lead}`
      })
      const text = isArray ? `[${written.join(',')}]` : (written[0] as string)
      const parsed = JSON.parse(text)
      const finder = new JsonMember(text, 'message')
      for (const [i, [, members]] of (isArray ? list : list.slice(0, 1)).entries()) {
        finder.readObject()
        const last = members.findLast(([key]) => JSON.parse(key) === 'message')
        const found = finder.start < 0 ? undefined : text.slice(finder.start, finder.end)
        assert.equal(found, last?.[1])
        assert.equal(finder.members, members.length)
        const { message } = isArray ? parsed[i] : parsed
        assert.deepEqual(found === undefined ? undefined : JSON.parse(found), message)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('finding a member takes time in proportion to the text, whatever its keys are', async (t) => {
  const keys = Array.from({ length: 50_000 }, (_, i) => `"a longer key ${i}":"\\\\"`)
  const text = `{${keys.join(',')},"message":1}`
  const member = new JsonMember(text, 'message')
  member.readObject()
  t.equal(text.slice(member.start, member.end), '1')
  t.equal(member.members, 50_001)
})

test('a body is kept as it was written, on one line', async (t) => {
  const frame = parseFrame(
    '{"path":"a","message":{ "n": 1e400,\r\n"i":123456789012345678901234567890 }}',
  )
  t.ok(!isFault(frame))
  t.equal((frame as Frame).message.body, '{ "n": 1e400,  "i":123456789012345678901234567890 }')
  t.equal((frame as Frame).message.type, JSON_TYPE)
  t.equal((frame as Frame).message.meta, NO_META)
  t.equal(singleLine('[1]'), '[1]')
})

test('an update that goes out comes in the same', async () => {
  fc.assert(
    fc.property(anyUpdate, (update) => {
      const text = envelopeText(update)
      assert.ok(!/[\r\n]/.test(text))
      const frame = parseFrame(text)
      assert.ok(!isFault(frame), JSON.stringify(frame))
      const { path, message } = frame
      assert.deepEqual(
        [path, message.body, message.type, message.meta, frame.at ?? ''],
        [update.path, update.body, update.type, update.meta, update.at],
      )
      assert.equal((frame.own ? 1 : 0) + (frame.replay ? 2 : 0), update.mark)
      assert.equal(update.meta === NO_META, message.meta === NO_META)
    }),
    { numRuns: 2_000 },
  )
})

test('an array brings its updates in order', async () => {
  fc.assert(
    fc.property(fc.array(anyUpdate, { maxLength: 5 }), space, (updates, gap) => {
      const frames = parseFrames(`${gap}[${gap}${updates.map(envelopeText).join(`${gap},`)}${gap}]`)
      assert.ok(!isFault(frames))
      assert.deepEqual(
        frames.map((frame) => [frame.path, frame.message.body]),
        updates.map((update) => [update.path, update.body]),
      )
    }),
  )
})

test('whatever a peer sends is a frame or a fault, never an exception', async () => {
  const check = (text: string): void => {
    const frames = parseFrames(text)
    if (isFault(frames)) assert.equal(frames.code, 'FRAME_INVALID')
    else for (const { message } of frames) bodyValue(message)
  }
  fc.assert(fc.property(fc.string(), check))
  fc.assert(fc.property(fc.json(), check))
  const objects = fc.oneof(anyObject, fc.array(fc.oneof(anyObject, fc.jsonValue())))
  fc.assert(
    fc.property(objects, (value) => check(JSON.stringify(value))),
    { numRuns: 3_000 },
  )
})

test('the fault names the field that is wrong', async (t) => {
  const cases: readonly (readonly [text: string, says: RegExp])[] = [
    ['', /not JSON/],
    ['{"path":"a"', /not JSON/],
    ['"a"', /JSON object/],
    ['null', /JSON object/],
    ['[1]', /item 0.*JSON object/],
    ['[{"path":"a"},[]]', /item 1.*JSON object/],
    ['[{"path":"a"},{"path":"b","id":7}]', /item 1.*"id"/],
    ['{}', /"path"/],
    ['{"path":7}', /"path"/],
    ['{"path":"a","message":{},"type":"text/plain"}', /"message".*text\/plain/],
    ['{"path":"a","message":null,"type":"text/plain"}', /"message"/],
    ['{"path":"a","message":"x","type":"text/\\nplain"}', /"type"/],
    ['{"path":"a","message":"QQ","encoding":"base64"}', /"message".*base64/],
    ['{"path":"a","message":1,"encoding":"base64"}', /"message".*base64/],
    ['{"path":"a","message":"","encoding":"gzip"}', /"encoding"/],
    ['{"path":"a","at":1}', /"at"/],
    ['{"path":"a","replay":1}', /"replay"/],
    ['{"path":"a","own":"yes"}', /"own"/],
    ['{"path":"a","key":null}', /"key"/],
    ['{"path":"a","origin":{}}', /"origin"/],
    ['{"path":"a","exclude":1}', /"exclude"/],
    ['{"path":"a","verb":[]}', /"verb"/],
    ['{"path":"a","args":"x"}', /"args"/],
    ['{"path":"a","args":["x",1]}', /"args"/],
    ['{"path":"a","query":{}}', /"query"/],
    ['{"path":"a","deadline":-1}', /"deadline"/],
    ['{"path":"a","deadline":1e999}', /"deadline"/],
    ['{"path":"a","code":256}', /"code"/],
    ['{"path":"a","code":1.5}', /"code"/],
    ['{"path":"a","status":99}', /"status"/],
    ['{"path":"a","after":1}', /"after"/],
    [`{"path":"a","id":"${'x'.repeat(FRAME_LIMITS.word + 1)}"}`, /"id".*512 bytes/],
    [`{"path":"a","reply":"${'x'.repeat(65)}"}`, /"reply".*64 bytes/],
    [`{"path":"a","reply":"${'ä'.repeat(33)}"}`, /"reply".*64 bytes/],
  ]
  for (const [text, says] of cases) {
    const fault = parseFrames(text)
    t.ok(isFault(fault), text)
    t.match(fault, { code: 'FRAME_INVALID', detail: says, status: 400 }, text)
  }
  t.ok(isFault(parseFrame('[{"path":"a"}]')), 'one object is asked for')
})

test('what is at its limit passes, fields of the future are ignored', async (t) => {
  const reply = 'ä'.repeat(32)
  const frame = parseFrame(
    `{"path":"a","reply":"${reply}","future":{"x":1},"__proto__":{"id":"x"}}`,
  )
  t.ok(!isFault(frame))
  t.same((frame as Frame).message, { body: '""', type: JSON_TYPE, meta: { reply } })
  t.same(parseFrames('[]'), [])
})

test('a type that is JSON with parameters is JSON; other types keep theirs', async (t) => {
  const json = parseFrame('{"path":"a","message":[1],"type":"Application/JSON; charset=utf-8"}')
  t.match(json, { message: { body: '[1]', type: JSON_TYPE } })
  const html = parseFrame('{"path":"a","message":"x","type":"text/html; charset=utf-8"}')
  t.match(html, { message: { body: 'x', type: 'text/html; charset=utf-8' } })
})

const META = {
  id: 'i',
  reply: 'r',
  after: 'p',
  exclude: true,
  wait: 5,
  trace: 't',
  head: { secret: 1 },
  cancel: new CancelSignal(),
}

test('subscribers see neither the reply nor the wishes of a publisher', async (t) => {
  const sent = (path: string) => JSON.parse(envelopeText(new Update(path, jsonMessage(1, META))))
  t.same(sent('orders/42'), { path: 'orders/42', message: 1, id: 'i' })
  t.same(sent('@name/noun'), { path: '@name/noun', message: 1, id: 'i', reply: 'r', after: 'p' })
  t.same(sent('::reply'), { path: '::reply', message: 1, id: 'i', reply: 'r', after: 'p' })
})

test('a sender tells the hub all that concerns it', async (t) => {
  const sent = JSON.parse(frameText('orders/42', jsonMessage(1, META)))
  t.same(sent, { path: 'orders/42', message: 1, id: 'i', reply: 'r', after: 'p', exclude: true })
  t.equal(frameText('a', jsonMessage('hi')), '{"path":"a","message":"hi"}')
})

test('an envelope is always JSON: an empty body is the empty string, a stream is refused', async (t) => {
  t.equal(envelopeText(new Update('a', message(''))), '{"path":"a","message":""}')
  const stream = (async function* () {})()
  t.throws(() => frameText('@a/b', message(stream, 'text/plain')), { code: 'BODY_STREAM' })
})

test('the envelope is made once per update', async (t) => {
  const update = new Update('a', jsonMessage(1), 7, '9f2c41d07ab3e865-7')
  t.equal(update.encoded(envelope), '{"path":"a","message":1,"at":"9f2c41d07ab3e865-7"}')
  t.equal(
    update.own().encoded(envelope),
    '{"path":"a","message":1,"at":"9f2c41d07ab3e865-7","own":true}',
  )
})

test('every form of an update is made once, until it is forgotten', async (t) => {
  let made = 0
  const codecs = [0, 1, 2].map((slot) => ({ slot, encode: () => ++made }))
  const update = new Update('a', jsonMessage(1))
  const forms = () => codecs.map((codec) => update.encoded(codec))
  t.same(
    [forms(), forms()],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  )
  update.forget()
  t.same(
    [forms(), forms()],
    [
      [4, 5, 6],
      [4, 5, 6],
    ],
  )
})
