/** How connections and listeners end: once, for the right reason, in good order where there is one. */
import type { Application } from '@sapwood/net'
import { RejectConnection } from '@sapwood/net'
import { IdentityFramer } from '@sapwood/wire'
import {
  bytes,
  eventually,
  Network,
  type NetworkCase,
  RecordingApplication,
} from './network-case.ts'
import type { TestLike } from './test-like.ts'

/** Part of `networkConformance`. */
export function networkEndings(t: TestLike, name: string, make: () => NetworkCase): void {
  t.test(
    `${name}, TN-10, 2.4-8: an own close sends what waits, only the peer hears of it`,
    async (t) => {
      const it = new Network(make())
      const own = new RecordingApplication()
      await it.listen(() => own)
      const peer = new RecordingApplication()
      const [near, far] = await it.dial(peer)
      near.receiveFramer = new IdentityFramer()
      far.sendFramer = new IdentityFramer()
      far.send(new Uint8Array(700_000))
      far.close()
      t.equal(far.send(bytes('too late')), false)
      await eventually('the peer hears the end', () => peer.reasons.length > 0)
      t.equal(peer.bytes, 700_000)
      t.same(peer.reasons, [null])
      await eventually('both are gone', () => it.server.size + it.client.size === 0)
      t.same(own.reasons, [])
      await it.close()
    },
  )

  t.test(`${name}: who knows of the end of file may go on sending`, async (t) => {
    const it = new Network(make())
    const own = new RecordingApplication()
    let ends = 0
    const half: Application<Uint8Array> = {
      received: (frame) => own.received(frame),
      ended(connection) {
        ends++
        setImmediate(() => {
          connection.send(bytes('goodbye'))
          connection.close()
        })
      },
      closed: (reason) => own.closed(reason),
    }
    await it.listen(() => half as Application)
    const peer = new RecordingApplication()
    const [near, far] = await it.dial(peer)
    near.sendFramer = new IdentityFramer()
    near.send(bytes('no end'))
    await eventually('it is sent', () => near.waiting === 0)
    near.socket?.end()
    await eventually('the peer hears the end', () => peer.reasons.length > 0)
    t.same(own.frames, ['no end'], 'the last line needs no end')
    t.same(peer.frames, ['goodbye'])
    t.same([ends, own.reasons, peer.reasons, far.open], [1, [], [null], false])
    await it.close()
  })

  t.test(`${name}, TN-10, 2.4-8: an application that throws hears of the end, once`, async (t) => {
    for (const throws of [
      () => {
        throw new Error('no')
      },
      () => Promise.reject(new Error('no')),
    ]) {
      const it = new Network(make())
      const own = new RecordingApplication()
      const app: Application = { received: throws, closed: (reason) => own.closed(reason) }
      await it.listen(() => app)
      const peer = new RecordingApplication()
      const [near, far] = await it.dial(peer)
      const [other] = await it.dial(new RecordingApplication())
      far.send(bytes('before'))
      near.send(bytes('x'))
      near.send(bytes('y'))
      await eventually('it is told', () => own.reasons.length > 0)
      await eventually('the peer hears the end', () => peer.reasons.length > 0)
      t.same(own.reasons, ['APPLICATION_FAILED'])
      t.same(peer.frames, ['before'])
      t.same(it.reported, ['APPLICATION_FAILED'])
      t.ok(other.open)
      await it.close()
      t.same(own.reasons, ['APPLICATION_FAILED', 'SHUTDOWN'], 'the other one')
    }
  })

  t.test(`${name}, TN-26, 2.4-7: acceptors that fail do not end the listener`, async (t) => {
    const it = new Network(make())
    let left = 24
    await it.listen(() => {
      if (left-- > 12) throw new RejectConnection()
      if (left >= 0) throw new TypeError('a mistake')
      return { received: (frame, connection) => connection.send(frame) }
    })
    for (let i = 0; i < 24; i++) {
      const peer = new RecordingApplication()
      await it.dial(peer)
      await eventually('it is sent away', () => peer.reasons.length > 0)
    }
    t.equal(it.server.counters.rejected, 12)
    t.equal(it.server.counters.faults.get('ACCEPTOR_FAILED'), 12)
    t.equal(it.reported.length, 12)
    const peer = new RecordingApplication()
    const [near] = await it.dial(peer)
    near.send(bytes('still there'))
    await eventually('it is served', () => peer.frames.length === 1)
    await it.close()
  })

  t.test(`${name}, TN-08, 2.4-11: a connection is found by its addresses while open`, async (t) => {
    const it = new Network(make())
    await it.listen(() => new RecordingApplication())
    const [near, far] = await it.dial(new RecordingApplication())
    const [another] = await it.dial(new RecordingApplication())
    t.equal(it.server.find(far.local, far.remote), far)
    t.equal(it.client.find(near.local, near.remote), near)
    t.equal(it.client.find(another.local, another.remote), another)
    far.close()
    t.equal(it.server.find(far.local, far.remote), undefined)
    await eventually('it is gone', () => it.server.size === 1)
    await it.close()
  })

  t.test(`${name}, TN-05, 2.4-12: stop lets nobody in, shutdown ends all now`, async (t) => {
    const it = new Network(make())
    const own = new RecordingApplication()
    await it.listen(() => ({
      received: (frame, connection) => connection.send(frame),
      closed: (reason) => own.closed(reason),
    }))
    const peer = new RecordingApplication()
    const [near] = await it.dial(peer)
    await it.server.stop()
    const refused = await it.reach(new RecordingApplication()).then(
      () => 'let in',
      (error) => (error as { code: string }).code,
    )
    t.equal(refused, 'CONNECT_FAILED')
    near.send(bytes('still served'))
    await eventually('the echo comes', () => peer.frames.length === 1)
    t.same([it.server.size, it.server.local], [1, undefined])
    await it.server.shutdown()
    t.equal(it.server.size, 0)
    t.same(own.reasons, ['SHUTDOWN'])
    await eventually('the peer hears it', () => peer.reasons.length > 0)
    await it.close()
  })
}
