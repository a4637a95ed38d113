/** Connections over UDP, with peers that are nothing but sockets. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { Wheel } from '@sapwood/core'
import type { Application, Connection, ConnectionsOptions, HostAddress } from '@sapwood/net'
import { Exchange, findConnection } from '@sapwood/net'
import { aWhile, eventually, FakeClock, RecordingApplication } from '@sapwood/testkit'
import { LengthPrefixFramer, LineFramer, NetstringFramer } from '@sapwood/wire'
import { type Test, test } from 'tap'
import { ECHO, rejection, tracked } from './tracked.ts'

/** A socket and what it got. */
class Sender {
  readonly got: string[] = []
  readonly socket: Socket
  readonly #to: HostAddress

  constructor(t: Test, to: HostAddress) {
    this.socket = createSocket('udp4')
    this.#to = to
    this.socket.on('message', (bytes) => this.got.push(bytes.toString('latin1')))
    t.teardown(() => this.socket.close())
  }

  async send(...datagrams: readonly (string | Uint8Array)[]): Promise<void> {
    const { host, port } = this.#to
    for (const each of datagrams) {
      await new Promise((sent) => this.socket.send(each, port, host, sent))
    }
  }
}

interface Served {
  readonly clock: FakeClock
  readonly accepted: Connection[]
  readonly address: HostAddress
  readonly server: ReturnType<typeof tracked>
  sender(): Sender
}

async function serve(
  t: Test,
  make: (connection: Connection) => Application = () => ECHO,
  options: ConnectionsOptions = {},
): Promise<Served> {
  const clock = new FakeClock(1_000)
  const accepted: Connection[] = []
  const server = tracked(t, 'udp', { wheel: new Wheel(clock), ...options })
  const address = (await server.listen((connection) => {
    accepted.push(connection)
    return make(connection)
  })) as HostAddress
  return { clock, accepted, address, server, sender: () => new Sender(t, address) }
}

test('2.4-2, TN-28: the application of TCP serves UDP, each address on its own, until it is idle', async (t) => {
  const applications: RecordingApplication[] = []
  const { server, clock, accepted, sender, address } = await serve(t, () => {
    const application = new RecordingApplication()
    applications.push(application)
    const received = application.received.bind(application)
    application.received = (frame, connection) => {
      received(frame)
      return connection?.send(frame)
    }
    return application
  })
  const tcp = tracked(t, 'tcp')
  await tcp.listen(() => ECHO)
  const [one, two] = [sender(), sender()]
  await one.send('frame1', 'frame2', 'frame3')
  await eventually('three are back', () => one.got.length === 3)
  t.same(one.got, ['frame1', 'frame2', 'frame3'])
  await two.send('other')
  await eventually('and one', () => two.got.length === 1)
  t.same(
    applications.map(({ frames }) => frames),
    [['frame1', 'frame2', 'frame3'], ['other']],
  )
  t.equal(server.size, 2)
  const [first] = accepted as [Connection]
  const { port } = one.socket.address()
  t.same([first.local, first.remote], [address, { host: '127.0.0.1', port }])
  t.equal(findConnection('udp', address, { host: '127.0.0.1', port }), first)
  clock.advance(40_000)
  await one.send('still here')
  await eventually('it is back', () => one.got.length === 4)
  clock.advance(25_000)
  await eventually('the other one is dropped', () => server.size === 1)
  t.same(
    applications.map(({ reasons }) => reasons),
    [[], ['IDLE_TIMEOUT']],
  )
  clock.advance(60_000)
  await eventually('nobody is left', () => server.size === 0)
  t.equal(findConnection('udp', address, { host: '127.0.0.1', port }), undefined)
  await one.send('again')
  await eventually('it is somebody new', () => accepted.length === 3)
})

test('datagrams come whole and in turn, whatever their size; too long ones are counted, not cut', async (t) => {
  const own = new RecordingApplication()
  const { server, accepted, sender } = await serve(t, () => own, { limits: { datagram: 9_000 } })
  const peer = sender()
  await peer.send(
    '',
    'a',
    Buffer.alloc(4_097, 'b'),
    Buffer.alloc(9_001, 'c'),
    Buffer.alloc(9_000, 'd'),
  )
  await eventually('they came', () => own.frames.at(-1)?.[0] === 'd')
  t.same(
    own.frames.filter((frame) => frame !== '').map((frame) => [frame[0], frame.length]),
    [
      ['a', 1],
      ['b', 4_097],
      ['d', 9_000],
    ],
  )
  t.equal(server.counters.faults.get('DATAGRAM_TOO_LARGE'), 1)
  const [connection] = accepted as [Connection]
  t.throws(() => connection.send(Buffer.alloc(9_001)), { code: 'DATAGRAM_TOO_LARGE' })
  t.ok(connection.send(Buffer.alloc(9_000, 'e')))
  await eventually('it is there', () => peer.got.length === 1)
  t.equal(peer.got[0]?.length, 9_000)
})

test('a datagram holds whole frames: none is finished by the next one', async (t) => {
  const own = new RecordingApplication()
  let framed = 0
  const { server, accepted, sender } = await serve(t, (connection) => {
    const lines = framed++ === 0
    connection.setFramers(
      lines
        ? new LineFramer({ limit: 100, end: '\n' })
        : new LengthPrefixFramer({ size: 2, endian: 'big', limit: 100 }),
    )
    return own
  })
  const peer = sender()
  await peer.send('one\ntwo\nthree', 'four\n')
  await eventually('four lines', () => own.frames.length === 4)
  t.same(own.frames, ['one', 'two', 'three', 'four'])
  const second = sender()
  await second.send('\0\x02ab\0\x01c')
  await eventually('two frames', () => own.frames.length === 6)
  await second.send('\0\x09cut off')
  await eventually('it is told', () => own.reasons.length === 1)
  t.same([own.frames.slice(4), own.reasons], [['ab', 'c'], ['FRAME_CUT']])
  t.equal(server.counters.faults.get('FRAME_CUT'), 1)
  await second.send('\0\x01d')
  await eventually('a new connection', () => accepted.length === 3)
  await eventually('its frame', () => own.frames.length === 7)
  t.equal(own.frames[6], 'd')
})

test('a frame over the limit costs its own datagram, not the next ones', async (t) => {
  const own = new RecordingApplication()
  const { server, sender } = await serve(t, (connection) => {
    connection.setFramers(new NetstringFramer({ limit: 10, tooLong: 'error' }))
    return own
  })
  const peer = sender()
  await peer.send('100:x', '3:abc,', '3:def,')
  await eventually('the last one came', () => own.frames.at(-1) === 'def')
  t.same([own.frames, own.reasons], [['abc', 'def'], []])
  t.equal(server.counters.faults.get('FRAME_TOO_LONG'), 1)
})

test('an application that is busy, paused or throws has datagrams wait, bounded', async (t) => {
  const heard: string[] = []
  const done: (() => void)[] = []
  const { server, accepted, sender } = await serve(t, () => ({
    received(frame) {
      const bytes = frame as Uint8Array
      heard.push(`${bytes.length}`)
      if (bytes.length === 13) throw new Error('unlucky')
      return new Promise<void>((resolve) => done.push(resolve))
    },
  }))
  const peer = sender()
  await peer.send('1', '22', '333')
  await eventually('the first is there', () => heard.length === 1)
  await aWhile()
  t.same(heard, ['1'])
  const [connection] = accepted as [Connection]
  connection.pause()
  done[0]?.()
  await aWhile()
  t.same(heard, ['1'])
  connection.resume()
  await eventually('the next', () => heard.length === 2)
  done[1]?.()
  await eventually('and the last', () => heard.length === 3)
  for (let i = 0; i < 10; i++) {
    await peer.send(Buffer.alloc(60_000))
    await new Promise(setImmediate)
  }
  await eventually(
    'some do not fit',
    () => (server.counters.faults.get('DATAGRAM_DROPPED') ?? 0) >= 4,
  )
  await sender().send('x'.repeat(13))
  await eventually('it throws', () => server.counters.faults.get('APPLICATION_FAILED') === 1)
  t.equal(server.size, 1)
})

test('W6: at the limit who was silent makes room, and a flood costs the flooder', async (t) => {
  const gone: string[] = []
  const limits = { connections: 5, perAddress: 3 }
  const endpoint = { host: '0.0.0.0', port: 0 }
  const { server, accepted, address } = await serve(
    t,
    (connection) => ({
      received: (frame) => {
        connection.data ??= String(frame)
        connection.send(frame as Uint8Array)
      },
      closed: (reason) => gone.push(`${connection.data} ${reason?.code}`),
    }),
    { limits, endpoint },
  )
  const from = async (host: string, name: string): Promise<Sender> => {
    const peer = new Sender(t, { host: '127.0.0.1', port: address.port })
    peer.socket.bind({ address: host, port: 0 })
    await once(peer.socket, 'listening')
    await peer.send(name)
    await eventually(`${name} is served`, () => accepted.some(({ data }) => data === name))
    return peer
  }
  const friend = await from('127.0.0.2', 'friend')
  for (const name of ['a', 'b', 'c', 'd', 'e']) await from('127.0.0.3', name)
  await eventually('the flooder’s own go', () => gone.length === 2)
  t.same(gone, ['a CONNECTION_EVICTED', 'b CONNECTION_EVICTED'])
  const silent = await from('127.0.0.4', 'silent')
  await friend.send('hello')
  await eventually('the friend is served', () => friend.got.length === 2)
  t.equal(server.size, 5)
  await from('127.0.0.5', 'f')
  await eventually('one went', () => gone.length === 3)
  await from('127.0.0.6', 'g')
  await eventually('another went', () => gone.length === 4)
  t.notOk(gone.includes('friend CONNECTION_EVICTED'), 'who speaks stays')
  t.equal(server.size, 5)
  t.equal(server.counters.faults.get('CONNECTION_EVICTED'), 4)
  t.ok(silent)
})

test('W6: a flood of spoofed sources leaves no more than the limit behind', async (t) => {
  const { server, clock, sender } = await serve(t, () => ({ received() {} }), {
    limits: { connections: 20, perAddress: 0 },
  })
  for (let i = 0; i < 100; i++) {
    await sender().send('x')
    if (server.size > 20) t.fail(`${server.size} are there`)
  }
  await eventually('all came', () => server.counters.opened === 100)
  t.equal(server.size, 20)
  t.equal(server.counters.faults.get('CONNECTION_EVICTED'), 80)
  t.equal(clock.pending, 1, 'one timer for all')
})

test('TN-04, TN-07: without an acceptor only those are heard who were dialled, and they are never pushed out', async (t) => {
  const { server, address, accepted, sender } = await serve(t)
  const client = tracked(t, 'udp', { limits: { connections: 2 } })
  const heard = new RecordingApplication()
  const connection = (await client.connect(address, () => heard)) as Connection
  await aWhile()
  t.equal(accepted.length, 0, 'nothing is sent by dialling')
  connection.send(Buffer.from('hello'))
  await eventually('the echo', () => heard.frames.length === 1)
  t.equal(connection.transport, 'udp')
  const stranger = new Sender(t, {
    host: '127.0.0.1',
    port: (connection.local as HostAddress).port,
  })
  await stranger.send('psst')
  await aWhile()
  t.same([heard.frames, client.size], [['hello'], 1])
  t.equal(await rejection(client.connect(address, () => heard)), 'CONNECTED')
  t.ok(await client.connect({ host: '127.0.0.1', port: 9 }, () => heard))
  const more = client.connect({ host: '127.0.0.1', port: 10 }, () => heard)
  t.equal(await rejection(more), 'LIMIT_CONNECTIONS')
  const wrapper = { wrapper: (socket: Duplex) => socket }
  t.equal(await rejection(client.connect(address, () => heard, wrapper)), 'WRAP_UNSUPPORTED')
  t.equal(await rejection(connection.wrap((socket) => socket)), 'WRAP_UNSUPPORTED')
  t.ok(connection.open)
  t.equal(await rejection(client.connect({ host: '::1', port: 9 }, () => heard)), 'ADDRESS_FAMILY')
  t.equal(await rejection(client.listen(() => heard)), 'LISTENING', 'it is bound to any address')
  const peer = sender()
  await peer.send('x')
  await eventually('a stranger of a listener', () => peer.got.length === 1)
  t.equal(server.size, 2)
})

test('TN-07: names are looked up, and an IPv6 target needs no endpoint of one’s own', async (t) => {
  const six = tracked(t, 'udp', { endpoint: { host: '::1', port: 0 } })
  const address = (await six.listen(() => ECHO)) as HostAddress
  const heard = new RecordingApplication()
  const client = tracked(t, 'udp')
  const one = await client.connect(address, () => heard)
  one?.send(Buffer.from('over six'))
  await eventually('the echo', () => heard.frames.length === 1)
  const taken = tracked(t, 'udp', { endpoint: { ...address, host: '::1', port: address.port } })
  t.equal(await rejection(taken.listen(() => ECHO)), 'PORT_IN_USE')
  const four = await serve(t)
  const named = tracked(t, 'udp', { endpoint: { host: '127.0.0.1', port: 0 } })
  const two = await named.connect({ ...four.address, host: 'localhost' }, () => heard)
  t.match(two?.remote, { host: '127.0.0.1' })
  two?.send(Buffer.from('by name'))
  await eventually('the echo', () => heard.frames.length === 2)
  t.equal(two?.host, 'localhost')
})

test('TN-05: a name that is still looked up at the shutdown opens no socket behind it', async (t) => {
  const sockets = (): number => {
    return process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length
  }
  await eventually('those of other tests are closed', () => sockets() === 0)
  const client = tracked(t, 'udp')
  const dialled = rejection(client.connect({ host: 'localhost', port: 9 }, () => ECHO))
  await client.shutdown()
  t.equal(await dialled, 'CONNECT_ABORTED')
  await aWhile()
  t.equal(sockets(), 0)
})

test('TN-05, 2.4-12: stop keeps those who are there and gives the port back with the last of them', async (t) => {
  const { server, accepted, address, sender } = await serve(t)
  const peer = sender()
  await peer.send('one')
  await eventually('it is served', () => peer.got.length === 1)
  await server.stop()
  const late = sender()
  await late.send('too late')
  await peer.send('two')
  await eventually('still served', () => peer.got.length === 2)
  t.same([late.got, server.size], [[], 1])
  accepted[0]?.close()
  await eventually('the last has gone', () => server.size === 0)
  await aWhile()
  const next = tracked(t, 'udp', { endpoint: address })
  t.same(await next.listen(() => ECHO), address)
  await next.shutdown()
})

test('a reply finds its request by its key, is asked for again, and no request waits for ever', async (t) => {
  const dropped: string[] = []
  const { address } = await serve(t, (connection) => ({
    received(frame) {
      const [id, word = ''] = String(frame).split(' ')
      if (word === 'never' || (word === 'second' && !dropped.includes(word))) {
        dropped.push(word)
        return
      }
      // the later one first
      if (word === 'slow') setImmediate(() => connection.send(Buffer.from(`${id} done ${word}`)))
      else connection.send(Buffer.from(`${id} done ${word}`))
    },
  }))
  const clock = new FakeClock(0)
  const client = tracked(t, 'udp', { wheel: new Wheel(clock) })
  const strange = new RecordingApplication()
  const connection = (await client.connect(address, (connection) => {
    const key = (frame: Uint8Array): string | undefined =>
      /^(\d+) /.exec(String(Buffer.from(frame)))?.[1]
    const options = { key, timeout: 1_000, attempts: 2, limit: 3, otherwise: strange }
    return new Exchange<Uint8Array>(connection, options) as Application
  })) as Connection
  const exchange = connection.application as Exchange<Uint8Array>
  const ask = (text: string): Promise<string> =>
    exchange.request(Buffer.from(text)).then((reply) => String(Buffer.from(reply)))
  t.same(await Promise.all([ask('1 slow'), ask('2 quick')]), ['1 done slow', '2 done quick'])
  t.equal(await rejection(exchange.request(Buffer.from('no key'))), 'REQUEST_UNMATCHED')
  const second = ask('3 second')
  const never = ask('4 never')
  t.equal(await rejection(ask('4 again')), 'REQUEST_UNMATCHED', 'the key waits')
  const fifth = ask('5 never')
  t.equal(await rejection(ask('6 x')), 'REQUESTS_FULL')
  await eventually('none is answered', () => dropped.length === 3)
  clock.advance(1_100)
  t.equal(await second, '3 done second', 'asked for again')
  clock.advance(1_100)
  t.same(await Promise.all([rejection(never), rejection(fifth)]), [
    'REPLY_MISSING',
    'REPLY_MISSING',
  ])
  t.equal(exchange.waiting, 0)
  connection.send(Buffer.from('7 stray'))
  await eventually('what nobody waits for is otherwise', () => strange.frames.length === 1)
  const last = rejection(ask('8 never'))
  exchange.close()
  t.equal(await last, 'CONNECTION_CLOSED')
  t.equal(await rejection(ask('9 x')), 'CONNECTION_CLOSED')
  await eventually('it is gone', () => client.size === 0)
  t.equal(client.wheel.pending, 0, 'no clock goes on')
})
