import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import type { Fault } from '@sapwood/core'
import {
  Authority,
  beginJoining,
  decodeJoinAnswer,
  decodeJoinRequest,
  encodeJoinAnswer,
  encodeJoinRequest,
  fingerprintOf,
  finishJoining,
  formatJoinToken,
  Invitations,
  JOIN_LIMITS,
  JOIN_PROTOCOL,
  JOIN_REFUSED,
  type JoinAnswer,
  type JoinAttempt,
  JoinDesk,
  JoinLimit,
  type JoinToken,
  joinFramer,
  join as joinPipe,
  joinServerFault,
  parseJoinToken,
  readTrust,
} from '@sapwood/pipe'
import { cuts, eventually, FakeClock } from '@sapwood/testkit'
import { InputBuffer } from '@sapwood/wire'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { temporary } from './openssl.ts'

const NAME = fc.stringMatching(/^[A-Za-z0-9_]([A-Za-z0-9._-]{0,30}[A-Za-z0-9_])?$/)

const TOKENS: fc.Arbitrary<JoinToken> = fc.record({
  server: fc.constantFrom('127.0.0.1:8789', '[::1]:1', 'hub.example.org:65535'),
  serverName: NAME,
  name: NAME,
  authority: fc.stringMatching(/^[0-9a-f]{64}$/),
  secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  until: fc.nat(2_000_000_000).map((seconds) => seconds * 1000),
})

test('a token reads back as it was made, is one word, and is whole or refused', (t) => {
  fc.assert(
    fc.property(TOKENS, fc.nat(), (token, at) => {
      const word = formatJoinToken(token)
      t.match(word, /^[A-Za-z0-9_-]+$/)
      const wrapped = ` ${word.slice(0, 70)}\r\n${word.slice(70)}\n`
      t.same(parseJoinToken(wrapped), token)
      const cut = at % word.length
      t.equal((parseJoinToken(word.slice(0, cut)) as Fault).code, 'JOIN_TOKEN_INVALID')
      const other = word[cut] === 'A' ? 'B' : 'A'
      const changed = parseJoinToken(word.slice(0, cut) + other + word.slice(cut + 1))
      // the last letter may hold bits that say nothing
      if (cut < word.length - 1) t.equal((changed as Fault).code, 'JOIN_TOKEN_INVALID')
    }),
    { numRuns: 30 },
  )
  for (const text of ['', 'sapwood-join-', `sapwood-join-${'A'.repeat(5000)}`, 'x']) {
    t.equal((parseJoinToken(text) as Fault).code, 'JOIN_TOKEN_INVALID')
  }
  const good = fc.sample(TOKENS, 1)[0] as JoinToken
  const bad: readonly Partial<JoinToken>[] = [
    { server: 'unix:/x' },
    { server: 'host:0' },
    { server: 'host' },
    { name: 'a/b' },
    { serverName: '' },
    { authority: 'AB' },
    { secret: new Uint8Array(15) },
    { until: 0.5 },
  ]
  for (const each of bad) {
    const word = formatJoinToken({ ...good, ...each })
    t.equal((parseJoinToken(word) as Fault).code, 'JOIN_TOKEN_INVALID', JSON.stringify(each))
  }
  t.end()
})

test('messages read back, at every cut of their frames; anything else is a refusal', (t) => {
  const request = { secret: new Uint8Array(16).fill(255), csr: '-----BEGIN…\n' }
  const answer: JoinAnswer = { certificate: 'c', ca: 'a', crl: 'l' }
  const framer = joinFramer('request')
  const bytes = framer.encode(encodeJoinRequest(request))
  for (const { name, chunks } of cuts(bytes)) {
    const input = new InputBuffer()
    const frames: unknown[] = []
    const fresh = joinFramer('request')
    for (const chunk of chunks) {
      input.push(chunk)
      for (let frame = fresh.decode(input); frame !== undefined; frame = fresh.decode(input)) {
        frames.push(decodeJoinRequest((frame as Uint8Array).slice()))
      }
    }
    t.same(frames, [request], name)
  }
  const huge = new InputBuffer()
  huge.push(new Uint8Array([0, 0, 128, 1]))
  t.match(joinFramer('request').decode(huge), { code: 'FRAME_TOO_LONG' })
  t.equal(JOIN_LIMITS.request, 32_768)
  t.same(decodeJoinAnswer(encodeJoinAnswer(answer)), answer)
  t.same(decodeJoinAnswer(encodeJoinAnswer({ ...answer, crl: undefined })), {
    certificate: 'c',
    ca: 'a',
  })
  t.same(decodeJoinAnswer(encodeJoinAnswer(undefined)), JOIN_REFUSED)
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (noise) => {
        t.equal(decodeJoinRequest(noise), undefined)
        t.same(decodeJoinAnswer(noise), JOIN_REFUSED)
      },
    ),
    { numRuns: 50 },
  )
  t.end()
})

test('an invitation is spent once, whoever tries at the same time, and only its hash is kept', async (t) => {
  const dir = temporary(t)
  let now = 1000
  const invitations = new Invitations(dir, () => now)
  const secret = await invitations.add({ name: 'alpha', until: 5000 })
  t.equal(secret.length, 16)
  const folder = join(dir, 'invitations')
  const [file = ''] = readdirSync(folder)
  t.equal(statSync(join(folder, file)).mode & 0o777, 0o600)
  const kept = file + readFileSync(join(folder, file), 'utf8')
  for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) {
    t.notOk(kept.includes(Buffer.from(secret).toString(form)), form)
  }
  t.equal(await invitations.spend(new Uint8Array(16)), undefined)
  const others = Array.from({ length: 8 }, () => new Invitations(dir, () => now).spend(secret))
  t.same((await Promise.all(others)).filter(Boolean), [{ name: 'alpha', until: 5000 }])
  t.equal(await invitations.spend(secret), undefined)
  const late = await invitations.add({ name: 'beta', until: 5000 })
  now = 5000
  t.equal(await invitations.spend(late), undefined, 'it ran out')
  const gone = await invitations.add({ name: 'beta', until: 5000 })
  await invitations.add({ name: 'gamma', until: 9000 })
  t.equal(readdirSync(folder).length, 1, 'those that ran out are thrown away')
  t.equal(await invitations.spend(gone), undefined)
  t.equal(await invitations.takeBack('Gamma'), 1)
  writeFileSync(join(folder, 'f'.repeat(64)), 'half')
  await invitations.takeBack('x')
  const again = await invitations.add({ name: 'delta', until: 9000 })
  t.equal((await invitations.spend(again))?.name, 'delta')
  await t.rejects(invitations.add({ name: 'a/b', until: 9000 }), { code: 'NAME_INVALID' })
})

test('RP-37: whoever revokes a name takes its invitations back', async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  const invitations = new Invitations(dir)
  const secret = await invitations.add({ name: 'alpha', until: Date.now() + 60_000 })
  t.same(await authority.revoke('alpha'), { certificates: [], invitations: 1 })
  t.equal(await invitations.spend(secret), undefined)
})

test('failures are limited by address, forgiven with time, and bounded in number', (t) => {
  const clock = new FakeClock()
  const limit = new JoinLimit(clock, { burst: 2, pause: 1000, addresses: 3 })
  const admitted = (...addresses: readonly string[]): boolean[] =>
    addresses.map((address) => limit.admits(address))
  t.same(admitted('a', 'a', 'a', 'b'), [true, true, false, true])
  clock.advance(999)
  t.same(admitted('a'), [false])
  clock.advance(1)
  t.same(admitted('a', 'a'), [true, false])
  limit.forgiven('a')
  t.same(admitted('a', 'a'), [true, false], 'a success does not count')
  limit.forgiven('never seen')
  clock.advance(60_000)
  t.same(admitted('a', 'a', 'a'), [true, true, false])
  t.same(admitted('c', 'c', 'd', 'd', 'e', 'e'), Array(6).fill(true))
  t.same(admitted('a', 'e'), [true, false], 'the oldest is pushed out')
  t.end()
})

/** A CA that invited `alpha`, and a desk that answers. */
async function invited(t: Test) {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  await authority.issue('server')
  const until = Math.ceil(Date.now() / 1000) * 1000 + 60_000
  const invitations = new Invitations(dir)
  const token: JoinToken = {
    server: '127.0.0.1:8789',
    serverName: 'server',
    name: 'alpha',
    authority: fingerprintOf(authority.signer.certificate),
    secret: await invitations.add({ name: 'alpha', until }),
    until,
  }
  const attempts: JoinAttempt[] = []
  const clock = new FakeClock()
  const desk = new JoinDesk({ dir, clock, onAttempt: (attempt) => attempts.push(attempt) })
  return { dir, authority, token, desk, attempts, clock, invitations, until }
}

test('joining: the token becomes an identity that both ends trust, once', async (t) => {
  const { dir, token, desk, attempts } = await invited(t)
  const own = join(temporary(t), 'pki')
  const joining = await beginJoining(token)
  const message = encodeJoinRequest(joining.request)
  const answer = decodeJoinAnswer(await desk.answer(message, '10.0.0.1')) as JoinAnswer
  const installed = await finishJoining(own, token, joining, answer)
  t.equal(installed.name, 'alpha')
  t.equal(statSync(join(own, 'alpha.key.pem')).mode & 0o777, 0o600)
  t.same(readdirSync(own).sort(), ['alpha.crt.pem', 'alpha.key.pem', 'ca.crt.pem', 'crl.pem'])
  const { certificate } = installed
  const trust = await readTrust(dir)
  t.equal(trust.checkPeer(certificate, { role: 'client', name: 'alpha' }), undefined)
  t.equal(trust.checkPeer(certificate, { role: 'server' })?.code, 'CERTIFICATE_PURPOSE')
  t.equal(
    readFileSync(join(dir, 'alpha.crt.pem'), 'utf8'),
    certificate.toString(),
    'it is known here',
  )
  t.same(decodeJoinAnswer(await desk.answer(message, '10.0.0.1')), JOIN_REFUSED)
  t.match(attempts, [{ address: '10.0.0.1', name: 'alpha' }, { reason: /no such invitation/ }])
})

test('joining: a connection that breaks behind the answer costs nothing', async (t) => {
  const { dir, token, desk, authority } = await invited(t)
  const { certificate } = await authority.issue('server')
  const key = readFileSync(join(dir, 'server.key.pem'))
  const ca = readFileSync(join(dir, 'ca.crt.pem'), 'utf8')
  const cert = `${certificate}${ca}`
  const own = join(temporary(t), 'pki')
  let broken: Socket | undefined
  const server = createServer({ key, cert, ALPNProtocols: [JOIN_PROTOCOL] }, (socket) => {
    const framer = joinFramer('request')
    const input = new InputBuffer()
    socket.on('error', () => undefined)
    socket.on('data', async (chunk: Buffer) => {
      input.push(chunk)
      const message = framer.decode(input)
      if (!(message instanceof Uint8Array)) return
      socket.write(joinFramer('answer').encode(await desk.answer(message, '10.0.0.1')))
      await eventually('it is being written down', () => existsSync(own))
      broken?.resetAndDestroy()
    })
  })
  server.on('connection', (socket: Socket) => {
    broken = socket
  })
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const installed = await joinPipe({ ...token, server: `127.0.0.1:${port}` }, { dir: own })
  t.equal(installed.name, 'alpha')
})

test('joining: the names of the request count for nothing', async (t) => {
  const { desk, token, authority } = await invited(t)
  const joining = await beginJoining({ ...token, name: 'admin' })
  const answer = decodeJoinAnswer(
    await desk.answer(encodeJoinRequest(joining.request), ''),
  ) as JoinAnswer
  const { subjectAltName, subject } = new X509Certificate(answer.certificate)
  t.same([subjectAltName, subject], ['DNS:alpha', 'CN=alpha'])
  t.equal((await authority.revoke('alpha')).certificates.length, 1, 'it is in the log')
})

test('joining: every failure looks alike, and the secret is spent first', async (t) => {
  const { desk, token, attempts, clock } = await invited(t)
  const refused = encodeJoinAnswer(undefined)
  const { request } = await beginJoining(token)
  const wrong = encodeJoinRequest({ ...request, secret: new Uint8Array(16) })
  for (const message of [
    wrong,
    new Uint8Array(),
    Buffer.from('{"secret":1}'),
    Buffer.from('null'),
  ]) {
    t.same(await desk.answer(message, 'a'), refused)
  }
  t.same(await desk.answer(encodeJoinRequest({ ...request, csr: 'none' }), 'b'), refused)
  t.match(attempts.at(-1)?.reason, /the invitation of alpha is spent: .*PEM/)
  t.same(await desk.answer(encodeJoinRequest(request), 'b'), refused, 'spent all the same')
  t.same(await desk.answer(wrong, 'a'), refused)
  t.same(await desk.answer(wrong, 'a'), refused)
  t.match(attempts.at(-1)?.reason, /too many failures/)
  clock.advance(10_000)
  await desk.answer(wrong, 'a')
  t.match(attempts.at(-1)?.reason, /no such invitation/)
  const before = attempts.length
  await Promise.all(Array.from({ length: 20 }, () => desk.answer(wrong, 'c')))
  const tried = attempts.slice(before).filter(({ reason }) => reason?.includes('no such'))
  t.equal(tried.length, 5, 'many at once are no way around the limit')
})

test('joining: an answer that does not fit the token, the key or the name is not written down', async (t) => {
  const { desk, token, invitations, until, authority } = await invited(t)
  const own = join(temporary(t), 'pki')
  const joining = await beginJoining(token)
  const answer = decodeJoinAnswer(
    await desk.answer(encodeJoinRequest(joining.request), ''),
  ) as JoinAnswer
  const foreign = await Authority.init(temporary(t))
  const ca = foreign.signer.certificate.toString()
  const otherKey = await beginJoining(token)
  const named = await authority.sign('beta', joining.request.csr)
  const invalid = { code: 'JOIN_ANSWER_INVALID' }
  const finish = (each: Partial<JoinAnswer>, by = joining): Promise<unknown> =>
    finishJoining(own, token, by, { ...answer, ...each })
  await t.rejects(finish({ ca }), invalid)
  await t.rejects(finish({ certificate: named.certificate.toString() }), invalid)
  await t.rejects(finish({}, otherKey), invalid)
  await t.rejects(finish({ ca: `${ca}${answer.ca}`, certificate: 'x' }), { code: 'PEM_INVALID' })
  const signed = await foreign.sign('alpha', joining.request.csr).catch(() => undefined)
  t.ok(signed)
  await t.rejects(finish({ certificate: signed?.certificate.toString() ?? '' }), {
    code: 'CERTIFICATE_FOREIGN',
  })
  t.throws(() => readdirSync(own))
  await finish({})
  const again = await invitations.add({ name: 'alpha', until })
  t.ok(await invitations.spend(again))
})

test('joining: the pinned CA and the server name have to hold before the secret goes out', async (t) => {
  const { dir, token, authority } = await invited(t)
  await authority.issue('other')
  const read = (file: string): string => readFileSync(join(dir, file), 'utf8')
  const dial = async (name: string, withCa: boolean): Promise<X509Certificate | undefined> => {
    const cert = read(`${name}.crt.pem`) + (withCa ? read('ca.crt.pem') : '')
    const listener = createServer({
      cert,
      key: read(`${name}.key.pem`),
      ALPNProtocols: [JOIN_PROTOCOL],
      minVersion: 'TLSv1.3',
    }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    const options = { rejectUnauthorized: false, ALPNProtocols: [JOIN_PROTOCOL] }
    const socket = connect({ ...options, port, host: '127.0.0.1' })
    await once(socket, 'secureConnect')
    t.equal(socket.alpnProtocol, JOIN_PROTOCOL)
    const certificate = socket.getPeerX509Certificate()
    socket.destroy()
    listener.close()
    return certificate
  }
  const server = await dial('server', true)
  t.equal(joinServerFault(server, token), undefined)
  t.equal(joinServerFault(server, { ...token, serverName: 'x' })?.code, 'NAME_NOT_CERTIFIED')
  const pinned = { ...token, authority: '0'.repeat(64) }
  t.equal(joinServerFault(server, pinned)?.code, 'CERTIFICATE_FOREIGN')
  t.equal(joinServerFault(await dial('other', true), token)?.code, 'NAME_NOT_CERTIFIED')
  t.equal(joinServerFault(await dial('server', false), token)?.code, 'CERTIFICATE_FOREIGN')
  t.equal(joinServerFault(undefined, token)?.code, 'CERTIFICATE_FOREIGN')
  const later = (): number => Date.now() + 4000 * 86_400_000
  t.equal(joinServerFault(server, token, later)?.code, 'CERTIFICATE_EXPIRED')
})
