/** What is put around connections: when they come in, when they are dialled, and while they live. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls'
import { Wheel } from '@sapwood/core'
import type { Application, Connection, HostAddress, Wrapper } from '@sapwood/net'
import { keepAlive, startTls, wrapperChain } from '@sapwood/net'
import { aWhile, eventually, FakeClock, RecordingApplication } from '@sapwood/testkit'
import { type Test, test } from 'tap'
import { requires } from '../requires.ts'
import { Authority } from './certificates.ts'
import { dial, RawPeer } from './raw-peer.ts'
import { ECHO, rejection, tracked } from './tracked.ts'

const NEEDS = requires('openssl')

function authority(t: Test): Authority {
  const ca = new Authority()
  t.teardown(() => ca.close())
  return ca
}

/** A server that offers STARTTLS: TLS begins behind its answer. */
function upgrading(
  wrapper: Wrapper,
  seen: Connection[],
  closed: RecordingApplication,
): Application {
  return {
    async received(frame, connection) {
      if (!seen.includes(connection)) seen.push(connection)
      const line = Buffer.from(frame as Uint8Array).toString()
      if (line !== 'STARTTLS') return connection.send(Buffer.from(`${line}!`))
      connection.send(Buffer.from('GO'))
      return connection.wrap(wrapper)
    },
    closed: (reason) => closed.closed(reason),
  }
}

test('2.4-9, TN-23: a chain of wrappers reaches a TLS server', NEEDS, async (t) => {
  const ca = authority(t)
  const node = createServer(ca.issue('localhost'), (socket) => socket.pipe(socket))
  await once(node.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => node.close())
  const { port } = node.address() as { port: number }
  const called: string[] = []
  const note =
    (name: string): Wrapper =>
    (socket, { side, host }) => {
      called.push(`${name} ${side} ${host} ${(socket as TLSSocket).encrypted ?? false}`)
      return socket
    }
  const client = tracked(t, 'tcp')
  const heard = new RecordingApplication()
  const chain = wrapperChain(
    note('first'),
    keepAlive(30_000),
    startTls({ ca: ca.cert }),
    note('last'),
  )
  const target = { host: 'localhost', port }
  const connection = await client.connect(target, () => heard, { wrapper: chain })
  t.same(called, ['first client localhost false', 'last client localhost true'])
  t.match(connection?.secure, { protocol: 'TLSv1.3', authorized: true })
  t.equal(connection?.secure?.certificate?.subject, 'CN=localhost')
  connection?.send(Buffer.from('hello'))
  await eventually('the echo', () => heard.frames.length === 1)
  t.same(heard.frames, ['hello'])
  const stranger = { wrapper: startTls({}) }
  t.equal(await rejection(client.connect(target, () => heard, stranger)), 'HANDSHAKE_FAILED')
  const wrongName = { wrapper: startTls({ ca: ca.cert, servername: 'elsewhere' }) }
  t.equal(await rejection(client.connect(target, () => heard, wrongName)), 'HANDSHAKE_FAILED')
  t.equal(
    await rejection(client.connect(target, () => heard, { wrapper: throws })),
    'HANDSHAKE_FAILED',
  )
  await eventually('those are gone', () => client.size === 1)
})

function throws(): Duplex {
  throw new Error('no')
}

test(
  'TN-22: what comes in is wrapped before its acceptor sees it, and a slow handshake delays nobody',
  NEEDS,
  async (t) => {
    const ca = authority(t)
    const clock = new FakeClock(0)
    const names: (string | undefined)[] = []
    const { key, cert } = ca.issue('server')
    const peer = ca.issue('alice')
    const wrapper = startTls({ key, cert, ca: ca.cert, requestCert: true, ALPNProtocols: ['echo'] })
    const server = tracked(t, 'tcp', { wrapper, wheel: new Wheel(clock) })
    const address = (await server.listen((connection) => {
      names.push(connection.secure?.certificate?.subject)
      return ECHO
    })) as HostAddress
    const slow = await dial(address)
    const garbage = await dial(address)
    garbage.socket.write('GET / HTTP/1.1\r\n\r\n')
    await garbage.isLeft()
    const options = { ca: ca.cert, servername: 'server', ALPNProtocols: ['echo'] }
    const secure = connectTls({ ...address, ...options, key: peer.key, cert: peer.cert })
    await once(secure, 'secureConnect')
    t.equal(secure.alpnProtocol, 'echo')
    const raw = new RawPeer(secure)
    secure.write('hello\r\n')
    await raw.gets('hello\r\n')
    t.same(names, ['CN=alice'])
    const anonymous = new RawPeer(connectTls({ ...address, ...options }))
    await anonymous.isLeft()
    t.equal(names.length, 1, 'no acceptor is asked about who has no certificate')
    t.notOk(slow.closed)
    clock.advance(11_000)
    await slow.isLeft()
    const { faults } = server.counters
    t.same([faults.get('HANDSHAKE_FAILED'), faults.get('HANDSHAKE_TIMEOUT')], [2, 1])
    t.equal(server.size, 1)
  },
)

test(
  '2.4-9, W7: TLS begins in the middle; what was sent before leaves in clear',
  NEEDS,
  async (t) => {
    const ca = authority(t)
    const wrapper = startTls(ca.issue('localhost'))
    const seen: Connection[] = []
    const closed = new RecordingApplication()
    const server = tracked(t, 'tcp')
    const address = (await server.listen(() => upgrading(wrapper, seen, closed))) as HostAddress
    const client = tracked(t, 'tcp')
    const heard = new RecordingApplication()
    const near = (await client.connect(
      { ...address, host: 'localhost' },
      () => heard,
    )) as Connection
    near.send(Buffer.from('hello'))
    near.send(Buffer.from('STARTTLS'))
    await eventually('it may go on', () => heard.frames.length === 2)
    t.equal(near.secure, undefined)
    await near.wrap(startTls({ ca: ca.cert }))
    near.send(Buffer.from('secret'))
    await eventually('it is back', () => heard.frames.length === 3)
    t.same(heard.frames, ['hello!', 'GO', 'secret!'])
    t.equal(near.secure?.authorized, true)
    t.equal(seen[0]?.secure?.protocol, 'TLSv1.3')
    t.equal(client.find(near.local, near.remote), near, 'it is the same connection')
    near.close()
    await eventually('the end is told', () => closed.reasons.length === 1)
    t.same(closed.reasons, [null])
  },
)

test(
  '2.4-9, W7: clear text behind STARTTLS is refused and never taken for what came through TLS',
  NEEDS,
  async (t) => {
    const ca = authority(t)
    const wrapper = startTls(ca.issue('localhost'))
    const seen: Connection[] = []
    const closed = new RecordingApplication()
    const server = tracked(t, 'tcp')
    const address = (await server.listen(() => upgrading(wrapper, seen, closed))) as HostAddress
    for (const behind of ['INJECTED\r\n', 'I', '\x16\x03\x01']) {
      const peer = await dial(address)
      peer.socket.write(`STARTTLS\r\n${behind}`, 'latin1')
      await peer.isLeft()
      t.notMatch(peer.text, '!')
    }
    t.same(closed.reasons, Array(3).fill('CLEAR_TEXT_BUFFERED'))
    // in a packet of its own it is no TLS
    const late = await dial(address)
    late.socket.write('STARTTLS\r\n')
    await late.gets('GO\r\n')
    late.socket.write('INJECTED\r\n')
    await late.isLeft()
    t.notMatch(late.text, '!')
    await eventually('it is told', () => closed.reasons.length === 4)
    t.equal(closed.reasons[3], 'HANDSHAKE_FAILED')
    t.equal(server.counters.faults.get('CLEAR_TEXT_BUFFERED'), 3)
    t.equal(server.size, 0)
  },
)

test(
  'an upgrade that never ends is ended: by time, by close, by a peer that leaves',
  NEEDS,
  async (t) => {
    const clock = new FakeClock(0)
    const seen: Connection[] = []
    const closed = new RecordingApplication()
    const sockets: Duplex[] = []
    const never: Wrapper = (socket) => {
      sockets.push(socket)
      return new Promise(() => {})
    }
    const server = tracked(t, 'tcp', { wheel: new Wheel(clock) })
    const address = (await server.listen(() => upgrading(never, seen, closed))) as HostAddress
    const begin = async (): Promise<{ peer: RawPeer; connection: Connection }> => {
      const peer = await dial(address)
      peer.socket.write('STARTTLS\r\n')
      await peer.gets('GO\r\n')
      return { peer, connection: seen.at(-1) as Connection }
    }
    const first = await begin()
    t.equal(await rejection(first.connection.wrap(never)), 'CONNECTION_CLOSED', 'not twice')
    t.ok(first.connection.send(Buffer.from('waits')))
    clock.advance(11_000)
    await first.peer.isLeft()
    await eventually('it is told', () => closed.reasons.length === 1)
    t.same(closed.reasons, ['HANDSHAKE_TIMEOUT'])
    t.equal(first.peer.text, 'GO\r\n', 'nothing leaves in clear')
    const second = await begin()
    second.connection.close()
    await second.peer.isLeft()
    t.equal(await rejection(second.connection.wrap(never)), 'CONNECTION_CLOSED')
    const third = await begin()
    await server.shutdown()
    await third.peer.isLeft()
    t.same(closed.reasons, ['HANDSHAKE_TIMEOUT', 'SHUTDOWN'], 'who closes is not told')
    await eventually('no socket is left', () => sockets.every(({ destroyed }) => destroyed))
  },
)

test('TN-22: a wrapper that comes too late leaves nothing open', async (t) => {
  const clock = new FakeClock(0)
  const server = tracked(t, 'tcp')
  const address = await server.listen(() => ECHO)
  const client = tracked(t, 'tcp', { wheel: new Wheel(clock) })
  let finish: () => void = () => {}
  let wrapped: Duplex | undefined
  const wrapper: Wrapper = (socket) => {
    wrapped = socket
    return new Promise((resolve) => {
      finish = () => resolve(socket)
    })
  }
  const dialling = rejection(client.connect(address, () => ECHO, { wrapper }))
  await eventually('it is being wrapped', () => wrapped !== undefined)
  clock.advance(11_000)
  t.equal(await dialling, 'HANDSHAKE_TIMEOUT')
  finish()
  await aWhile()
  t.ok(wrapped?.destroyed)
  t.same([client.size, server.size], [0, 0])
})

test(
  'who is let in by a limit is so before its handshake: TLS too has its caps',
  NEEDS,
  async (t) => {
    const ca = authority(t)
    const { key, cert } = ca.issue('localhost')
    const unusable = tracked(t, 'tls', { tls: { key, cert: 'no certificate' } })
    t.equal(await rejection(unusable.listen(() => ECHO)), 'TLS_INVALID')
    const server = tracked(t, 'tls', { tls: { key, cert }, limits: { connections: 2 } })
    const address = (await server.listen(() => ECHO)) as HostAddress
    const silent = [connectTcp(address), connectTcp(address)] as Socket[]
    await Promise.all(silent.map((socket) => once(socket, 'connect')))
    await aWhile()
    const third = await dial(address)
    await third.isLeft()
    t.equal(server.counters.faults.get('LIMIT_CONNECTIONS'), 1)
    silent[0]?.destroy()
    await aWhile()
    const client = tracked(t, 'tls', { tls: { ca: ca.cert } })
    const heard = new RecordingApplication()
    const named = { ...address, host: 'localhost' }
    const one = await client.connect(named, () => heard)
    one?.send(Buffer.from('x'))
    await eventually('the echo', () => heard.frames.length === 1)
    await server.shutdown()
    await eventually('the silent one is sent away', () => silent[1]?.closed === true)
  },
)
