import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { serverTarget, spliceTarget, tlsTarget } from '@sapwood/net'
import { aWhile, cuts, eventually } from '@sapwood/testkit'
import { http, line, pipe, tls } from '@sapwood/wire'
import { type Test, test } from 'tap'
import { requires } from '../requires.ts'
import { Authority } from './certificates.ts'
import { RawPeer } from './raw-peer.ts'
import { named, SwitchPort, service } from './switch-port.ts'

/** What a TLS client sends first. */
async function clientHello(t: Test, options: ConnectionOptions): Promise<Buffer> {
  let first: Buffer | undefined
  const to = await service(t, (socket) => socket.once('data', (chunk) => (first = chunk as Buffer)))
  const socket = connectTls({ ...to, ...options }).on('error', () => undefined)
  await eventually('it says hello', () => first !== undefined)
  socket.destroy()
  return first as unknown as Buffer
}

test('a ClientHello is routed by its name and protocols at every cut (4.4 scenario 3)', async (t) => {
  const port = await SwitchPort.open(t, {
    routes: [
      { match: pipe, to: named('pipe') },
      { match: tls({ sni: '*.example.org', alpn: 'h2' }), to: named('h2') },
      { match: tls({ sni: 'a.example.org' }), to: named('a') },
      { match: tls(), to: named('tls') },
    ],
  })
  const cases = {
    pipe: { servername: 'a.example.org', ALPNProtocols: ['sapwood/1'] },
    h2: { servername: 'a.example.org', ALPNProtocols: ['h2', 'http/1.1'] },
    a: { servername: 'A.example.org' },
    tls: { servername: 'b.example.net' },
  }
  for (const [name, options] of Object.entries(cases)) {
    const hello = await clientHello(t, options)
    await Promise.all(
      [...cuts(hello, { random: 3, twoWay: 20 })].map(async (cut) => {
        const peer = await port.pieces(cut.chunks)
        peer.socket.end()
        await peer.isLeft()
        t.equal(peer.text, `${name}:${hello.toString('latin1')}`, `${name} ${cut.name}`)
      }),
    )
  }
})

test('a ClientHello that is cut off or never ends goes where the next rule says', async (t) => {
  const port = await SwitchPort.open(t, {
    routes: [{ match: tls({ sni: 'a.example.org' }), to: named('a') }],
    otherwise: named('otherwise'),
    sniff: { bytes: 1000 },
  })
  const hello = await clientHello(t, { servername: 'a.example.org' })
  const cut = hello.subarray(0, 40)
  t.equal(await port.answer(cut), `otherwise:${cut.toString('latin1')}`)
  const endless = Buffer.alloc(1200)
  endless.set(Buffer.from('160301400001003ffc0303', 'hex'))
  t.equal((await port.answer(endless)).length, 'otherwise:'.length + 1200)
  const waiting = await port.client(cut)
  await eventually('it is looked at', () => port.waits > 0)
  await aWhile()
  port.clock.advance(3020)
  waiting.socket.end()
  await waiting.gets(`otherwise:${cut.toString('latin1')}`)
})

test(
  'TLS ends at the port, and what is inside is looked at again: pages, lines, another process',
  requires('openssl'),
  async (t) => {
    const authority = new Authority()
    t.teardown(() => authority.close())
    const { key, cert } = authority.issue('localhost')
    const pages = createHttpServer((request, response) =>
      response.end(`${'encrypted' in request.socket} ${request.url}`),
    )
    const to = await service(t, (socket) => socket.pipe(socket))
    const inside = {
      routes: [
        { match: http({ path: '/far/**' }), to: spliceTarget(to) },
        { match: http(), to: serverTarget(pages) },
        { match: line, to: named('line') },
      ],
    }
    const secured = tlsTarget({ key, cert, ca: authority.cert, alpn: ['http/1.1'] }, inside)
    const port = await SwitchPort.open(t, {
      routes: [{ match: tls(), to: secured }, ...inside.routes],
    })
    const dial = async (options: ConnectionOptions = {}): Promise<RawPeer> => {
      const socket = connectTls({ ...port.address, ca: authority.cert, ...options })
      return new RawPeer(socket)
    }
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
    const page = await dial()
    page.socket.write(get('/x'))
    await page.isLeft()
    t.match(page.text, /true \/x$/m)
    t.match(await port.answer(get('/x')), /false \/x$/m, 'and so it is without TLS')
    const lines = await dial({ key, cert })
    lines.socket.end('a;b\n')
    await lines.isLeft()
    t.equal(lines.text, 'line:a;b\n')
    const far = await dial()
    far.socket.write(get('/far/1'))
    await far.gets(get('/far/1'))
    far.socket.destroy()
    const none = await dial()
    none.socket.write('\x07\x07\x07')
    await none.isLeft()
    t.equal(none.text, '')

    const strangers = new Authority()
    t.teardown(() => strangers.close())
    const stranger = strangers.issue('stranger')
    const refused = await dial({ key: stranger.key, cert: stranger.cert })
    await refused.isLeft()
    t.equal(port.port.counters.faults.get('CERTIFICATE_REFUSED'), 1)
    const broken = await port.client(Buffer.from('160301000501000001ff', 'hex'))
    broken.socket.end()
    await broken.isLeft()
    const plain = await port.client(Buffer.from('16030100c8010000c40303', 'hex'))
    plain.socket.write(Buffer.alloc(400))
    await plain.isLeft()
    t.equal(port.port.counters.faults.get('HANDSHAKE_FAILED'), 1)
    t.throws(() => tlsTarget({ key: cert, cert: key }, inside), { code: 'TLS_INVALID' })
  },
)

test('a handshake that is never finished is let go', requires('openssl'), async (t) => {
  const authority = new Authority()
  t.teardown(() => authority.close())
  const { key, cert } = authority.issue('localhost')
  const to = tlsTarget({ key, cert, handshake: 100 }, { routes: [], otherwise: named('in') })
  const port = await SwitchPort.open(t, { routes: [{ match: tls(), to }] })
  const peer = await port.client(await clientHello(t, {}))
  await eventually('it is left', () => peer.closed || peer.ended)
  ;(peer.socket as Socket).destroy()
  await eventually('none is open', () => port.port.counters.open === 0)
  t.equal(port.port.counters.faults.get('HANDSHAKE_TIMEOUT'), 1)
  const socket = connectTls({ ...port.address, ca: authority.cert })
  await once(socket, 'secureConnect')
  socket.end('x')
  t.equal(String((await once(socket, 'data'))[0]), 'in:x', 'the port lives')
})
