/** Transports by name, endpoints, addresses, and who is found at them. */
import { SapwoodError, Wheel } from '@sapwood/core'
import type { Connection, Transport } from '@sapwood/net'
import {
  Connections,
  connections,
  duplexPair,
  familyOf,
  findConnection,
  findTransport,
  formatAddress,
  parseAddress,
  registerTransport,
  STREAM_LIMITS,
  StreamLink,
} from '@sapwood/net'
import { aWhile, eventually, FakeClock, RecordingApplication } from '@sapwood/testkit'
import { IdentityFramer } from '@sapwood/wire'
import { test } from 'tap'
import { dial } from './raw-peer.ts'
import { codeOf, ECHO, rejection, tracked } from './tracked.ts'

test('TN-01, TN-02, 2.4-10: transports are found by name, and a package may add one', async (t) => {
  t.equal(connections('TCP').transport, 'tcp')
  t.equal(
    codeOf(() => connections('carrier-pigeon')),
    'TRANSPORT_UNKNOWN',
  )
  let dialled = 0
  const pigeon: Transport = {
    limits: STREAM_LIMITS,
    framer: () => new IdentityFramer(),
    endpoint: (host) => ({
      local: undefined,
      async listen() {
        throw new SapwoodError('LISTEN_FAILED', 'pigeons do not listen')
      },
      async dial(target) {
        dialled++
        const [near, far] = duplexPair()
        far.on('error', () => {}).pipe(far)
        if (!host.admit(target)) throw new SapwoodError('LIMIT_CONNECTIONS', 'no room')
        near.once('close', () => host.left(target))
        return new StreamLink(near, { path: 'loft' }, target)
      },
      async stop() {},
      async close() {},
    }),
  }
  const undo = registerTransport('Carrier-Pigeon', pigeon)
  t.equal(findTransport('carrier-pigeon'), pigeon)
  t.equal(
    codeOf(() => registerTransport('carrier-pigeon', pigeon)),
    'TRANSPORT_TAKEN',
  )
  t.equal(
    codeOf(() => registerTransport('tcp', pigeon)),
    'TRANSPORT_TAKEN',
  )
  const flock = tracked(t, 'carrier-pigeon')
  const heard = new RecordingApplication()
  const connection = await flock.connect({ path: 'far' }, () => heard)
  connection?.send(Buffer.from('coo'))
  await eventually('it is back', () => heard.frames.length === 1)
  t.same([heard.frames, dialled, connection?.transport], [['coo'], 1, 'carrier-pigeon'])
  t.equal(await rejection(flock.listen(() => heard)), 'LISTEN_FAILED')
  undo()
  undo()
  t.equal(
    codeOf(() => connections('carrier-pigeon')),
    'TRANSPORT_UNKNOWN',
  )
})

test('TN-03, TN-04, TN-06, 2.4-10, 2.4-11: an endpoint belongs to one, and port 0 becomes a real one', async (t) => {
  const free = tracked(t, 'tcp')
  t.equal(free.local, undefined)
  const address = await free.listen(() => ECHO)
  t.match(address, { host: '127.0.0.1', port: Number })
  t.not((address as { port: number }).port, 0)
  t.same(free.local, address)
  t.equal(await rejection(free.listen(() => ECHO)), 'LISTENING')
  await free.shutdown()
  const owner = new Connections('tcp', { endpoint: address })
  t.equal(
    codeOf(() => connections('tcp', { endpoint: address })),
    'ENDPOINT_TAKEN',
  )
  await owner.listen(() => ECHO)
  await owner.stop()
  const next = tracked(t, 'tcp', { endpoint: address })
  t.same(await next.listen(() => ECHO), address, 'stop gives it back')
  const third = connections('tcp', { endpoint: { host: '127.0.0.1', port: 0 } })
  await third.shutdown()
  t.equal(await rejection(third.listen(() => ECHO)), 'STOPPED')
  t.equal(await rejection(third.connect(address, () => ECHO)), 'STOPPED')
})

test('TN-05: a stop in the middle of listening or dialling leaves nothing behind', async (t) => {
  for (const transport of ['tcp', 'udp']) {
    const server = connections(transport)
    const listening = rejection(server.listen(() => ECHO))
    await server.shutdown()
    t.equal(await listening, 'STOPPED', transport)
    t.equal(server.local, undefined)
  }
  const client = connections('tcp')
  // nobody answers at TEST-NET-1, if there is a way there at all
  const dialling = rejection(client.connect({ host: '192.0.2.1', port: 9 }, () => ECHO))
  await client.stop()
  t.ok(['CONNECT_ABORTED', 'CONNECT_FAILED'].includes((await dialling) ?? ''))
  await Promise.all([client.shutdown(), client.shutdown(), client.stop()])
  t.same([client.size, client.wheel.pending], [0, 0])
})

test('TN-08, 2.4-11: any open connection is found by transport and addresses', async (t) => {
  const server = tracked(t, 'tcp')
  const seen: Connection[] = []
  const address = await server.listen((connection) => {
    seen.push(connection)
    return ECHO
  })
  const peer = await dial(address)
  await eventually('it is there', () => seen.length === 1)
  const [connection] = seen as [Connection]
  const { local, remote } = connection
  t.same(local, address)
  t.equal(findConnection('TCP', local, remote), connection)
  t.equal(findConnection('udp', local, remote), undefined)
  t.equal(findConnection('tcp', remote, local), undefined)
  t.same([...server], seen)
  peer.socket.destroy()
  await eventually('it is gone', () => server.size === 0)
  t.equal(findConnection('tcp', local, remote), undefined)
})

test('TN-25: addresses are read, written and checked', async (t) => {
  const good = { '127.0.0.1:80': 4, '[::1]:0': 6, 'localhost:65535': 0, 'unix:/run/x': 'path' }
  for (const [text, family] of Object.entries(good)) {
    t.equal(formatAddress(parseAddress(text)), text)
    t.equal(familyOf(parseAddress(text)), family)
  }
  t.same(parseAddress(':80'), { host: '0.0.0.0', port: 80 })
  const bad = [
    '',
    '80',
    '1.2.3.4:',
    '1.2.3:80',
    '::1:80',
    '[::1]',
    '[x]:1',
    'a:65536',
    'a:-1',
    'unix:',
  ]
  for (const text of bad)
    t.equal(
      codeOf(() => parseAddress(text)),
      'ADDRESS_INVALID',
      text,
    )
  for (const port of [-1, 1.5, 70_000, Number.NaN]) {
    t.equal(
      codeOf(() => connections('tcp', { endpoint: { host: 'a', port } })),
      'ADDRESS_INVALID',
    )
  }
})

test('TN-07: dialling by name, from an address, and every way in which it fails', async (t) => {
  const server = tracked(t, 'tcp')
  const address = (await server.listen(() => ECHO)) as { host: string; port: number }
  const clock = new FakeClock()
  const client = tracked(t, 'tcp', { wheel: new Wheel(clock) })
  const heard = new RecordingApplication()
  const named = await client.connect({ ...address, host: 'localhost' }, () => heard)
  t.equal(named?.host, 'localhost')
  named?.send(Buffer.from('by name'))
  const from = await client.connect(address, () => heard, { local: { host: '127.0.0.2', port: 0 } })
  t.match(from?.local, { host: '127.0.0.2' })
  await eventually('the echo comes', () => heard.frames.length === 1)
  const six = { local: { host: '::1', port: 0 } }
  t.equal(await rejection(client.connect(address, () => heard, six)), 'ADDRESS_FAMILY')
  t.equal(await rejection(client.connect({ path: '/x' }, () => heard)), 'ADDRESS_INVALID')
  const nobody = client.connect({ host: '127.0.0.1', port: 1 }, () => heard)
  t.equal(await rejection(nobody), 'CONNECT_FAILED')
  const given = new AbortController()
  given.abort()
  const aborted = client.connect(address, () => heard, { signal: given.signal })
  t.equal(await rejection(aborted), 'CONNECT_ABORTED')
  const throws = client.connect(address, () => {
    throw new SapwoodError('MINE', 'an own mistake')
  })
  t.equal(await rejection(throws), 'MINE', 'the acceptor is the caller’s own')
  // packets to TEST-NET-1 go nowhere: nobody answers, or the system knows of no way
  const late = rejection(client.connect({ host: '192.0.2.1', port: 9 }, () => heard))
  await aWhile()
  clock.advance(11_000)
  t.ok(['CONNECT_TIMEOUT', 'CONNECT_FAILED'].includes((await late) ?? ''))
  const pending = connections('memory', { wheel: new Wheel(clock) })
  await pending.shutdown()
})
