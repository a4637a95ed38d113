/** The load counts what was sent, however the bytes arrive. */
import { cuts } from '@sapwood/testkit'
import { pingFrame, textFrame } from '@sapwood/wire'
import { test } from 'tap'
import { FrameCounter } from './frame-counter.ts'
import { clientFrame, firstFrame } from './frames.ts'

const MARK = { offset: 9, byte: 's'.charCodeAt(0) }
const update = (length: number): Uint8Array =>
  textFrame(`{"path":"s/1","message":"${'s'.repeat(length)}"}`)
const SENT = Buffer.concat([
  textFrame('{"path":"::hello","message":{"version":1}}'),
  update(0),
  pingFrame(),
  textFrame('2'),
  update(100),
  update(200),
  textFrame('{"path":"::ping","message":{}}'),
  update(70_000),
  update(1),
])
const UPDATES = 5

test('updates are counted once, wherever the bytes are cut', async (t) => {
  const wrong: string[] = []
  for (const { name, chunks } of cuts(SENT)) {
    const counter = new FrameCounter(MARK)
    let sum = 0
    for (const chunk of chunks) sum += counter.count(Buffer.from(chunk), chunk.length)
    if (sum !== UPDATES) wrong.push(`${name}: ${sum}`)
  }
  t.same(wrong, [])
})

test('only as much of a buffer counts as was read into it', async (t) => {
  const counter = new FrameCounter(MARK)
  const frame = Buffer.from(update(50))
  t.equal(counter.count(Buffer.concat([frame, frame]), frame.length), 1)
})

test('the first frame of what came is told with its size, or nothing while it is not whole', async (t) => {
  const frame = Buffer.from(update(200))
  t.equal(firstFrame(frame.subarray(0, frame.length - 1)), undefined)
  t.equal(firstFrame(Buffer.concat([frame, frame]))?.size, frame.length)
})

test('a client frame is masked, and a mask of zeros leaves its text', async (t) => {
  for (const text of ['short', 'l'.repeat(126)]) {
    const frame = clientFrame(text)
    t.ok((frame[1] as number) & 0x80)
    t.equal(frame.toString('latin1', frame.length - text.length), text)
  }
})
