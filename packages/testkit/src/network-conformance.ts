/**
 * What every transport of streams promises to the application at its end, whatever carries the bytes: frames whole
 * and in order, bounded memory towards a peer that does not read, an end that is told once and for the right reason,
 * and a listener that outlives whatever its connections do.
 */
import type { Framer } from '@sapwood/wire'
import { IdentityFramer, LineFramer } from '@sapwood/wire'
import {
  aWhile,
  bytes,
  eventually,
  Network,
  type NetworkCase,
  RecordingApplication,
  text,
} from './network-case.ts'
import { networkEndings } from './network-endings.ts'
import { networkLimits } from './network-limits.ts'
import type { TestLike } from './test-like.ts'

const LINES = (): Framer<unknown> => new LineFramer({ limit: 100_000, end: '\r\n' })

/**
 * Runs the contract on what `make` gives.
 * @example networkConformance(t, 'tcp', () => ({ listener: (o) => connections('tcp', o), dialler: … }))
 */
export function networkConformance(t: TestLike, name: string, make: () => NetworkCase): void {
  t.test(`${name}, TN-30: frames come whole and in order, and go back so`, async (t) => {
    const it = new Network(make())
    await it.listen(() => ({ received: (frame, connection) => connection.send(frame) }))
    const heard = new RecordingApplication()
    const [near] = await it.dial(heard)
    near.setFramers(LINES())
    const sent = Array.from({ length: 500 }, (_, i) => 'x'.repeat((i * 37) % 3_000) + i)
    for (const line of sent) near.send(bytes(line))
    await eventually('all lines are back', () => heard.frames.length === sent.length)
    t.same(heard.frames, sent)
    t.equal(near.framesSent, 500)
    t.equal(near.framesReceived, 500)
    await it.close()
    t.equal(it.server.size + it.client.size, 0)
    t.equal(it.wheel.pending, 0, 'no clock goes on')
  })

  t.test(`${name}, TN-15: a switch of the framing loses no byte`, async (t) => {
    const it = new Network(make())
    const heard: string[] = []
    await it.listen(() => ({
      received(frame, connection) {
        heard.push(text(frame))
        if (text(frame) !== 'raw') return
        connection.receiveFramer = new IdentityFramer()
        connection.send(bytes('ok'))
      },
    }))
    const answers = new RecordingApplication()
    const [near, far] = await it.dial(answers)
    near.sendFramer = new IdentityFramer()
    near.send(bytes('a line\r\n\nraw\r\nno\nline'))
    await eventually('the rest came', () => heard.join('|').includes('no\nline'))
    t.same(heard, ['a line', '', 'raw', 'no\nline'])
    await eventually('the reply came', () => answers.frames.length === 1)
    t.same(answers.frames, ['ok'], 'replies are still lines')
    far.setFramers(undefined)
    near.send(bytes('again\r\n'))
    await eventually('lines again', () => heard.length === 5)
    t.equal(heard[4], 'again')
    await it.close()
  })

  t.test(`${name}: where the peer does not read, sending stops and nothing grows`, async (t) => {
    const it = new Network(make(), { queue: 300_000 })
    const own = new RecordingApplication()
    await it.listen(() => own)
    const peer = new RecordingApplication()
    const [near, far] = await it.dial(peer)
    near.setFramers(new IdentityFramer())
    far.setFramers(new IdentityFramer())
    near.pause()
    const piece = new Uint8Array(10_000)
    let sent = 0
    for (let turn = 0; turn < 200; turn++) {
      while (far.send(piece)) sent += piece.length
      sent += piece.length
      if (turn > 3 && far.room === 0 && own.drains === 0) break
      await new Promise(setImmediate)
      if (far.waiting >= 130_000) break
    }
    t.ok(far.waiting <= 140_000, `${far.waiting} bytes wait`)
    t.equal(far.room, 0)
    const drains = own.drains
    near.resume()
    await eventually('the rest arrives', () => peer.bytes === sent)
    t.ok(own.drains > drains, 'and there is room again')
    t.ok(far.room > 0)
    await it.close()
  })

  t.test(`${name}, W3: an echo to who does not read takes no more in`, async (t) => {
    const it = new Network(make())
    await it.listen(() => ({ received: (frame, connection) => connection.send(frame) }))
    const peer = new RecordingApplication()
    const [near, far] = await it.dial(peer)
    near.setFramers(new IdentityFramer())
    far.setFramers(new IdentityFramer())
    near.pause()
    const piece = new Uint8Array(60_000)
    let sent = 0
    for (let quiet = 0; quiet < 40 && sent < 60_000_000; ) {
      if (near.room === 0) quiet++
      else {
        quiet = 0
        near.send(piece)
        sent += piece.length
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    t.ok(sent < 60_000_000, `the sender has to wait, after ${sent}`)
    t.ok(far.waiting <= 262_144, `${far.waiting} bytes wait`)
    near.resume()
    await eventually('all of it is back', () => peer.bytes === sent)
    await it.close()
  })

  t.test(`${name}: frames wait for the promise of the last, and for resume`, async (t) => {
    const it = new Network(make())
    const heard: string[] = []
    const done: (() => void)[] = []
    await it.listen(() => ({
      received(frame) {
        heard.push(text(frame))
        return new Promise<void>((resolve) => done.push(resolve))
      },
    }))
    const [near, far] = await it.dial(new RecordingApplication())
    for (const line of ['1', '2', '3']) near.send(bytes(line))
    await eventually('the first came', () => heard.length === 1)
    await aWhile()
    t.same(heard, ['1'])
    far.pause()
    done[0]?.()
    await aWhile()
    t.same(heard, ['1'])
    far.resume()
    await eventually('the second came', () => heard.length === 2)
    done[1]?.()
    await eventually('the third came', () => heard.length === 3)
    await it.close()
  })

  t.test(`${name}: who was paused in silence hears what comes later`, async (t) => {
    const it = new Network(make())
    const own = new RecordingApplication()
    await it.listen(() => own)
    const [near, far] = await it.dial(new RecordingApplication())
    near.send(bytes('before'))
    await eventually('it came', () => own.frames.length === 1)
    far.pause()
    await aWhile()
    far.resume()
    await aWhile()
    near.send(bytes('after'))
    await eventually('the next came', () => own.frames.length === 2)
    t.same(own.frames, ['before', 'after'])
    await it.close()
  })

  networkEndings(t, name, make)
  networkLimits(t, name, make)
}
