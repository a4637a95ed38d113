/** What connections may take: of memory, of places, of time. */
import type { Application, Connection } from '@sapwood/net'
import { IdentityFramer } from '@sapwood/wire'
import {
  aWhile,
  bytes,
  eventually,
  Network,
  type NetworkCase,
  RecordingApplication,
  text,
} from './network-case.ts'
import type { TestLike } from './test-like.ts'

/** Part of `networkConformance`. */
export function networkLimits(t: TestLike, name: string, make: () => NetworkCase): void {
  t.test(`${name}: who never heeds what send says loses that connection`, async (t) => {
    const it = new Network(make(), { queue: 200_000 })
    const own = new RecordingApplication()
    await it.listen(() => own)
    const [[near, far], [, other]] = [
      await it.dial(new RecordingApplication()),
      await it.dial(new RecordingApplication()),
    ]
    near.pause()
    far.sendFramer = new IdentityFramer()
    for (let i = 0; i < 20_000 && far.open; i++) {
      far.send(new Uint8Array(10_000))
      if (i % 100 === 0) await new Promise(setImmediate)
    }
    await eventually('it is told', () => own.reasons.length > 0)
    t.same(own.reasons, ['QUEUE_FULL'])
    t.equal(it.server.counters.faults.get('QUEUE_FULL'), 1)
    t.ok(other.open)
    await it.close()
  })

  t.test(`${name}: who comes beyond the limits is sent away, not for ever`, async (t) => {
    const it = new Network(make(), { connections: 2 })
    await it.listen(() => new RecordingApplication())
    const [near] = await it.dial(new RecordingApplication())
    await it.dial(new RecordingApplication())
    for (let i = 0; i < 5; i++) {
      const peer = new RecordingApplication()
      // with a handshake the refusal shows as a failure to connect
      const tried = await it.reach(peer).catch(() => undefined)
      if (tried !== undefined) await eventually('it is sent away', () => peer.reasons.length > 0)
    }
    t.equal(it.server.counters.faults.get('LIMIT_CONNECTIONS'), 5)
    t.equal(it.server.size, 2)
    near.close()
    await eventually('one has left', () => it.server.size === 1)
    await aWhile()
    await it.dial(new RecordingApplication())
    await it.close()
  })

  t.test(`${name}, W8: silence, half a frame and age have their limits`, async (t) => {
    const it = new Network(make(), { idle: 5_000, read: 2_000, life: 20_000 })
    const reasons = new Map<string, string | null>()
    await it.listen((connection) => ({
      received: (frame) => {
        connection.data = text(frame)
      },
      closed: (reason) => reasons.set(String(connection.data), reason?.code ?? null),
    }))
    const ends: Connection[] = []
    for (const who of ['silent', 'half', 'lively']) {
      const [near] = await it.dial(new RecordingApplication())
      near.send(bytes(who))
      ends.push(near)
    }
    const [, half, lively] = ends as [Connection, Connection, Connection]
    half.sendFramer = new IdentityFramer()
    await eventually('they are known', () => it.accepted.every(({ data }) => data !== undefined))
    half.send(bytes('half a li'))
    const [, farHalf, farLively] = it.accepted as [Connection, Connection, Connection]
    await eventually('it came', () => farHalf.bytesReceived > 6)
    for (let ms = 0; ms < 21_000; ms += 500) {
      const before = [farHalf.bytesReceived, farLively.bytesReceived]
      // bytes of the same frame help nobody
      half.send(bytes('n'))
      lively.send(bytes('lively'))
      await eventually('they come', () =>
        [farHalf, farLively].every((one, i) => !one.open || one.bytesReceived !== before[i]),
      )
      it.clock.advance(500)
    }
    await eventually('all are told', () => reasons.size === 3)
    t.equal(reasons.get('silent'), 'IDLE_TIMEOUT')
    t.equal(reasons.get('half'), 'READ_TIMEOUT')
    t.equal(reasons.get('lively'), 'LIFE_TIMEOUT')
    await it.close()
  })

  t.test(`${name}: a peer that does not read is given up, a slow one is not`, async (t) => {
    for (const closes of [false, true]) {
      const it = new Network(make(), { write: 4_000, queue: 0 })
      const own = new RecordingApplication()
      await it.listen(() => own)
      let read = 0
      // less would only empty buffers of the kernel
      const sip = 5_000_000
      const [near, far] = await it.dial({
        received(frame: Uint8Array, connection) {
          if (Math.floor(read / sip) < Math.floor((read + frame.length) / sip)) connection.pause()
          read += frame.length
        },
      })
      near.setFramers(new IdentityFramer())
      near.pause()
      far.sendFramer = new IdentityFramer()
      far.send(new Uint8Array(40_000_000))
      await aWhile()
      for (let i = 1; i < 4; i++) {
        near.resume()
        await eventually('some of it is read', () => read >= i * sip)
        await aWhile()
        it.clock.advance(3_000)
      }
      t.ok(far.open, 'slow is not dead')
      if (closes) far.close()
      for (let i = 0; i < 3; i++) {
        await aWhile()
        it.clock.advance(2_500)
      }
      await eventually('it is given up', () => it.server.size === 0)
      t.same(own.reasons, closes ? [] : ['WRITE_TIMEOUT'])
      t.equal(it.server.counters.faults.get('WRITE_TIMEOUT'), 1)
      await it.close()
    }
  })

  t.test(`${name}: whoever does not hang up after a close is cut off`, async (t) => {
    const it = new Network(make())
    await it.listen(() => new RecordingApplication())
    const mute: Application = { received() {}, ended() {} }
    const [, far] = await it.dial(mute)
    far.send(bytes('bye'))
    far.close()
    await aWhile()
    t.equal(it.server.size, 1)
    it.clock.advance(2_500)
    await eventually('it is cut off', () => it.server.size === 0)
    t.equal(it.server.counters.faults.get('LINGERED'), 1)
    await it.close()
  })
}
