import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'tap'
import { frame, GET, Pair, wide } from './pipe-pair.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void

const PART = 65_536
const CREDIT = 8
const ACK = 2

test('what was sent and acknowledged is freed young, though something before it has grown old', async (t) => {
  const pair = new Pair()
  pair.settle()
  const { near, connection, now } = pair
  const { session } = near
  const stream = session.open(GET, false)
  pair.settle()
  const hear = (type: number, of: number, value: number): void =>
    session.receive(connection.dialler, frame(type, of, wide(value)), now)
  let sent = 1
  const send = (): void => {
    session.send(stream, Buffer.allocUnsafeSlow(PART), false)
    session.flush(connection.dialler, 2 * PART, { write: () => {} }, now)
    sent++
  }
  hear(CREDIT, 0, 200 * PART)
  hear(CREDIT, stream.id, 200 * PART)
  send()
  // it is not acknowledged, and old after two of them
  for (let i = 0; i < 3; i++) collect({ type: 'minor' })
  send()
  hear(ACK, 0, sent - 1)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100; i++) {
    send()
    hear(ACK, 0, sent - 1)
    if (i % 10 === 9) collect({ type: 'minor' })
  }
  hear(ACK, 0, sent)
  collect({ type: 'minor' })
  // V8 gives memory back behind the collection
  await wait(20)
  const grown = process.memoryUsage().arrayBuffers - before
  t.notMatch(near.said.join(), /closed|fault/)
  t.equal(session.kept, 0)
  t.ok(grown < 20 * PART, `${grown} bytes of ${100 * PART} are still there`)
})

test('what waits behind frames that are acknowledged meanwhile still goes out', async (t) => {
  const pair = new Pair()
  pair.settle()
  const { near, connection, now } = pair
  const { session } = near
  const stream = session.open(GET, false)
  pair.settle()
  const written: number[] = []
  const sink = { write: (bytes: Uint8Array): void => void written.push(bytes.length) }
  session.send(stream, Buffer.alloc(PART / 4), false)
  session.flush(connection.dialler, 2 * PART, sink, now)
  // short enough to be written at once
  session.send(stream, Buffer.alloc(PART / 16), false)
  session.receive(connection.dialler, frame(ACK, 0, wide(2)), now)
  written.length = 0
  session.flush(connection.dialler, 2 * PART, sink, now)
  t.strictSame(written, [10, PART / 16])
})
