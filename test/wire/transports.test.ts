import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { jsonMessage, message, Update } from '@sapwood/core'
import { cuts } from '@sapwood/testkit'
import type { SseEvent } from '@sapwood/wire'
import {
  binaryHeader,
  closeFrame,
  envelopeText,
  eventName,
  isFault,
  jsonLine,
  parseFrame,
  parsePoll,
  pingFrame,
  pollAnswer,
  retryLine,
  SseDecoder,
  serverSentEvent,
  textFrame,
  webSocketFrame,
} from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import * as ws from 'ws'
import { anyUpdate } from './arbitraries.ts'

// the reading half of `ws`, which its types leave out
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable }

const AT = '9f2c41d07ab3e865-1042'
const LENGTHS = [0, 1, 125, 126, 127, 8_192, 8_193, 21_845, 65_535, 65_536, 100_000]

/** What a WebSocket client makes of these bytes. */
async function received(bytes: Uint8Array): Promise<unknown[]> {
  const seen: unknown[] = []
  const receiver = new Receiver({ isServer: false, allowSynchronousEvents: true })
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    seen.push([data.toString(), isBinary]),
  )
  receiver.on('ping', (data: Buffer) => seen.push(['ping', data.toString()]))
  receiver.on('conclude', (code: number, reason: Buffer) => seen.push([code, reason.toString()]))
  await new Promise<void>((done, fail) => {
    receiver.on('error', fail)
    receiver.write(bytes, () => done())
  })
  return seen
}

test('a text frame is read by a WebSocket client at every length of header', async (t) => {
  for (const length of LENGTHS) {
    const text = 'x'.repeat(length)
    t.same(await received(textFrame(text)), [[text, false]], `${length} bytes`)
  }
  for (const text of ['ä'.repeat(62), 'ä'.repeat(63), '😀'.repeat(16_384), '\ud800']) {
    t.same(await received(textFrame(text)), [[Buffer.from(text).toString(), false]])
  }
})

test('a binary header and what follows it is a binary frame, at every length', async (t) => {
  for (const length of LENGTHS) {
    const text = 'x'.repeat(length)
    const frame = Buffer.concat([binaryHeader(length), Buffer.from(text)])
    t.same(await received(frame), [[text, true]], `${length} bytes`)
  }
})

test('frames that were made stay as they are while others are made', async (t) => {
  const texts = Array.from({ length: 2_000 }, (_, i) => `${i}:${'ä'.repeat(i % 200)}`)
  const frames = texts.map((text) => textFrame(text))
  t.same(
    await received(Buffer.concat(frames)),
    texts.map((text) => [text, false]),
  )
})

test('an update is one unmasked final text frame of its envelope', async (t) => {
  const update = new Update('a', jsonMessage(1), 7, AT)
  const frame = update.encoded(webSocketFrame)
  t.equal(frame[0], 0x81)
  t.equal(frame[1], frame.length - 2, 'not masked')
  t.same(await received(frame), [[envelopeText(update), false]])
  t.equal(update.encoded(webSocketFrame), frame, 'made once')
})

test('control frames hold at most 125 bytes and cut a reason between characters', async (t) => {
  t.same(await received(pingFrame()), [['ping', '']])
  t.same(await received(pingFrame(new Uint8Array(125).fill(97))), [['ping', 'a'.repeat(125)]])
  t.throws(() => pingFrame(new Uint8Array(126)), { code: 'PAYLOAD_TOO_LARGE' })
  t.same(await received(closeFrame(4002, 'replaced')), [[4002, 'replaced']])
  t.same(await received(closeFrame(1001)), [[1001, '']])
  t.same(await received(closeFrame(4000, 'x'.repeat(200))), [[4000, 'x'.repeat(123)]])
  t.same(await received(closeFrame(4000, `x${'😀'.repeat(40)}`)), [[4000, `x${'😀'.repeat(30)}`]])
})

test('a line of NDJSON is the envelope and a line feed', async (t) => {
  const update = new Update('a', jsonMessage('ä'), 7, AT)
  t.equal(Buffer.from(update.encoded(jsonLine)).toString(), `${envelopeText(update)}\n`)
})

function decoded(chunks: readonly Uint8Array[], limit = 10_000): SseEvent[] {
  const decoder = new SseDecoder(limit)
  return chunks.flatMap((chunk) => {
    const events = decoder.push(chunk)
    assert.ok(!isFault(events), 'the event is within the limit')
    return events
  })
}

test('updates are message events, control updates named ones, each with its id', async (t) => {
  const text = (path: string, at = AT) =>
    Buffer.from(new Update(path, jsonMessage({}), 1, at).encoded(serverSentEvent)).toString()
  const object = (path: string) => `{"path":"${path}","message":{},"at":"${AT}"}`
  t.equal(text('orders/1'), `id: ${AT}\ndata: ${object('orders/1')}\n\n`)
  t.equal(text('::connected'), `id: ${AT}\nevent: connected\ndata: ${object('::connected')}\n\n`)
  t.equal(text('::error'), `id: ${AT}\nevent: problem\ndata: ${object('::error')}\n\n`)
  t.equal(text('@name/noun'), `id: ${AT}\ndata: ${object('@name/noun')}\n\n`)
  t.equal(
    text('a', ''),
    'data: {"path":"a","message":{}}\n\n',
    'an empty id would clear the cursor',
  )
  t.equal(eventName('::gap'), 'gap')
  t.equal(retryLine(249.5), 'retry: 250\n\n')
})

test('every update comes back out of its event, however the stream is cut', async () => {
  fc.assert(
    fc.property(fc.array(anyUpdate, { maxLength: 3 }), (updates) => {
      const bytes = Buffer.concat(updates.map((update) => update.encoded(serverSentEvent)))
      for (const { name, chunks } of cuts(bytes, { random: 3, twoWay: 7 })) {
        const events = decoded(chunks)
        assert.deepEqual(
          events.map(({ data }) => data),
          updates.map((update) => Buffer.from(envelopeText(update)).toString()),
          name,
        )
      }
    }),
  )
})

/** The standard said in the plainest way, over a whole stream: the model for what reads it in pieces. */
function modelEvents(stream: string): SseEvent[] {
  const events: SseEvent[] = []
  let [name, data, id] = ['', '', '']
  const lines = stream.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  for (const line of lines.slice(0, -1)) {
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) as RegExpExecArray
    if (line === '') {
      if (data !== '') events.push({ name: name || 'message', data: data.slice(0, -1), id })
      name = data = ''
    } else if (field === 'data') data += `${value}\n`
    else if (field === 'event') name = value
    else if (field === 'id' && !value.includes('\0')) id = value
  }
  return events
}

test('an event stream is read as the standard says, however it is cut', async () => {
  const end = fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\r', '\r\n\r\n')
  const field = fc.constantFrom('data', 'data', 'event', 'id', 'retry', '', 'x', '\ufeffdata')
  const value = fc.constantFrom(
    '',
    ':',
    ':a',
    ': b',
    ':  c',
    ': 7',
    ': ä😀',
    ': d:e',
    ':\0',
    ' : f',
  )
  const line = fc.tuple(field, value, end).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 15 }), fc.integer(), (lines, seed) => {
      const stream = lines.join('')
      const expected = modelEvents(stream)
      for (const { name, chunks } of cuts(stream, { random: 3, twoWay: 20, seed })) {
        assert.deepEqual(decoded(chunks), expected, `${name} of ${JSON.stringify(stream)}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('the rules that browsers follow hold for the decoder', async (t) => {
  const cases: readonly (readonly [stream: string, events: readonly Partial<SseEvent>[]])[] = [
    ['data: a\ndata: b\n\n', [{ name: 'message', data: 'a\nb', id: '' }]],
    ['data:a\n\ndata\n\ndata:\n\n', [{ data: 'a' }, { data: '' }, { data: '' }]],
    ['data:  two spaces\n\n', [{ data: ' two spaces' }]],
    [': comment\n\nevent: none\n\ndata: x\n\n', [{ name: 'message', data: 'x' }]],
    [
      'id: 1\nevent: e\ndata: x\n\ndata: y\n\n',
      [
        { name: 'e', id: '1' },
        { name: 'message', id: '1' },
      ],
    ],
    ['id: 1\n\nid: 2\0\ndata: x\n\nid\ndata: y\n\n', [{ id: '1' }, { id: '' }]],
    ['data: x\n', []],
    ['data: x', []],
  ]
  for (const [stream, events] of cases) {
    t.match(decoded([Buffer.from(stream)]), events, JSON.stringify(stream))
    t.equal(decoded([Buffer.from(stream)]).length, events.length)
  }
})

test('the wait that a server asks for is kept if it is a number', async (t) => {
  const decoder = new SseDecoder(100)
  decoder.push(Buffer.from(retryLine(3_000)))
  t.equal(decoder.retry, 3_000)
  decoder.push(Buffer.from('retry: 1s\nretry: -1\nretry:\n'))
  t.equal(decoder.retry, 3_000)
})

test('an event above the limit is a fault for good, however it is cut', async () => {
  const long = `data: ${'x'.repeat(60)}\n`
  for (const stream of [`data: ${'x'.repeat(200)}\n\n`, `${long}${long}\n`, 'y'.repeat(200)]) {
    for (const { name, chunks } of cuts(`data: ok\n\n${stream}data: behind\n\n`)) {
      const decoder = new SseDecoder(100)
      for (const chunk of chunks) decoder.push(chunk)
      assert.deepEqual(
        decoder.push(Buffer.from('data: x\n\n')),
        { code: 'EVENT_TOO_LARGE', detail: 'an event of the stream has more than 100 characters' },
        name,
      )
    }
  }
  assert.equal(decoded([Buffer.from(`data: ${'x'.repeat(94)}\n\n`)], 100).length, 1)
  const endless = new SseDecoder(100).push(Buffer.from('y'.repeat(101)))
  assert.ok(isFault(endless), 'before the line has an end')
})

test('a poll is answered in the form that clients have always read (DB-17)', async (t) => {
  const updates = [new Update('a', jsonMessage({ n: 1 }), 7, AT), new Update('b', message('"x"'))]
  const text = pollAnswer('hub-1', updates, AT, 'token/2')
  t.equal(text.slice(-4), '\r\n\r\n')
  t.same(JSON.parse(text), {
    id: 'hub-1',
    updates: [
      { path: 'a', message: { n: 1 }, at: AT },
      { path: 'b', message: 'x' },
    ],
    at: AT,
    reconnectWith: 'token/2',
  })
  t.equal(JSON.parse(pollAnswer('i', [], '', 't/0')).updates.length, 0)
})

test('the answer of a poll is read back', async () => {
  fc.assert(
    fc.property(fc.array(anyUpdate, { maxLength: 4 }), fc.string(), (updates, id) => {
      const answer = parsePoll(pollAnswer(id, updates, AT, 'token/7'))
      assert.ok(!isFault(answer))
      assert.deepEqual(
        { ...answer, frames: [...answer.frames] },
        {
          id,
          at: AT,
          reconnectWith: 'token/7',
          frames: updates.map((update) => parseFrame(envelopeText(update))),
        },
      )
    }),
  )
})

test('what is no answer of a hub is a fault', async (t) => {
  const bad = [
    '',
    '<html>',
    'null',
    '[]',
    '{}',
    '{"updates":[]}',
    '{"updates":{},"id":"","reconnectWith":""}',
  ]
  for (const text of bad) t.match(parsePoll(text), { code: 'POLL_INVALID' }, text)
  const broken = '{"id":"i","updates":[{"path":1}],"reconnectWith":"t/1"}'
  t.match(parsePoll(broken), { code: 'FRAME_INVALID' })
  t.match(parsePoll('{"updates":[1],"id":"i","updates":[],"reconnectWith":"t/1"}'), {
    frames: [],
    at: '',
  })
})
