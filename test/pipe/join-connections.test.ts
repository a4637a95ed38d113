/** Joining over TLS by a token: what a listener takes, and what a machine tells it. */
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from 'node:net'
import { join as joinPath } from 'node:path'
import { connect, createServer, type Server } from 'node:tls'
import { nodeClock } from '@sapwood/net'
import type { JoinToken } from '@sapwood/pipe'
import {
  Authority,
  encodeJoinRequest,
  fingerprintOf,
  Invitations,
  JOIN_PROTOCOL,
  JoinConnections,
  JoinDesk,
  join,
  joinFramer,
} from '@sapwood/pipe'
import { type Test, test } from 'tap'
import { temporary } from './openssl.ts'

interface Listening {
  readonly token: JoinToken
  readonly dir: string
  readonly authority: Authority
  readonly attempts: (string | undefined)[]
  readonly server: Server
}

/** A CA whose listener takes whoever was invited, and one invitation. */
async function listening(t: Test): Promise<Listening> {
  const dir = joinPath(temporary(t), 'ca')
  const authority = await Authority.init(dir)
  const { files, certificate } = await authority.issue('server')
  t.ok(certificate)
  const [key, cert] = files.map((file) => readFileSync(file, 'utf8'))
  const ca = authority.signer.certificate.toString()
  const attempts: (string | undefined)[] = []
  const desk = new JoinDesk({
    dir,
    clock: nodeClock,
    onAttempt: ({ name, reason }) => attempts.push(name ?? reason),
  })
  const joins = new JoinConnections(desk)
  const server = createServer(
    {
      key,
      cert,
      ca,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      allowHalfOpen: true,
      ALPNProtocols: ['sapwood/1', JOIN_PROTOCOL],
    },
    (socket) => {
      if (socket.alpnProtocol === JOIN_PROTOCOL) joins.take(socket)
      else socket.destroy()
    },
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    joins.close()
    server.close()
  })
  const until = Math.ceil(Date.now() / 1000) * 1000 + 60_000
  const secret = await new Invitations(dir).add({ name: 'alpha', until })
  const token: JoinToken = {
    server: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    serverName: 'server',
    name: 'alpha',
    authority: fingerprintOf(authority.signer.certificate),
    secret,
    until,
  }
  return { token, dir, authority, attempts, server }
}

test('joining over TLS: once, with the files whole; a second time it is refused', async (t) => {
  const { token, attempts } = await listening(t)
  const own = joinPath(temporary(t), 'pki')
  const { name } = await join(token, { dir: own })
  t.equal(name, 'alpha')
  t.strictSame(readdirSync(own).sort(), ['alpha.crt.pem', 'alpha.key.pem', 'ca.crt.pem', 'crl.pem'])
  const again = joinPath(temporary(t), 'pki')
  await t.rejects(join(token, { dir: again }), { code: 'JOIN_REFUSED' })
  t.throws(() => readdirSync(again), 'nothing is written')
  t.match(attempts, ['alpha', /no such invitation/])
})

test('joining: the secret stays here when the server is not the one that the token means', async (t) => {
  const { token, attempts } = await listening(t)
  const dir = joinPath(temporary(t), 'pki')
  const other = { ...token, authority: '0'.repeat(64) }
  await t.rejects(join(other, { dir }), { code: 'CERTIFICATE_FOREIGN' })
  const elsewhere = { ...token, serverName: 'hub' }
  await t.rejects(join(elsewhere, { dir }), { code: 'NAME_NOT_CERTIFIED' })
  const closed = { ...token, server: '127.0.0.1:1' }
  await t.rejects(join(closed, { dir }), { code: 'JOIN_UNREACHABLE', message: /ECONNREFUSED/ })
  t.strictSame(attempts, [])
  const silent = createTcpServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const mute = { ...token, server: `127.0.0.1:${port}` }
  await t.rejects(join(mute, { dir, limit: 50 }), { code: 'JOIN_UNREACHABLE', message: /50 ms/ })
  const web = createHttpServer().listen(0, '127.0.0.1')
  await once(web, 'listening')
  t.teardown(() => web.close())
  const wrong = { ...token, server: `127.0.0.1:${(web.address() as AddressInfo).port}` }
  const message = /takes no invitations/
  await t.rejects(join(wrong, { dir }), { code: 'JOIN_UNREACHABLE', message })
})

test('joining: byte by byte, too long, cut off: answered or refused, and the listener goes on', async (t) => {
  const { token, attempts } = await listening(t)
  const port = Number(token.server.split(':')[1])
  const dial = async () => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      ALPNProtocols: [JOIN_PROTOCOL],
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    return socket
  }
  const long = await dial()
  long.on('error', () => undefined)
  long.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2, 3]))
  t.match(Buffer.concat(await long.toArray()).toString('latin1'), /JOIN_REFUSED/)
  const cut = await dial()
  cut.end(Buffer.from([0, 0, 1]))
  t.match(Buffer.concat(await cut.toArray()).toString('latin1'), /JOIN_REFUSED/)
  const slow = await dial()
  const request = joinFramer('request').encode(
    encodeJoinRequest({ secret: token.secret, csr: 'none' }),
  )
  for (const byte of request) slow.write(Uint8Array.of(byte))
  t.match(Buffer.concat(await slow.toArray()).toString('latin1'), /JOIN_REFUSED/)
  const raw = connectTcp({ port, host: '127.0.0.1' })
  raw.on('error', () => undefined)
  raw.end('GET / HTTP/1.1\r\n\r\n')
  await once(raw, 'close')
  t.match(attempts, [
    /no such invitation/,
    /no such invitation/,
    /the invitation of alpha is spent: /,
  ])
})
