/** Who is trusted: names, dates, chains and lists, by themselves and over TLS. */
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { certificateNames, certificatePrincipal } from '@sapwood/auth'
import type { Fault } from '@sapwood/core'
import {
  Authority,
  type KeptSession,
  type PeerRole,
  peerCertificate,
  pemBlocks,
  readCertificates,
  readDenyList,
  readRevocationList,
  readTrust,
  Trust,
  toPem,
} from '@sapwood/pipe'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { requires } from '../requires.ts'
import { certificateIn, ForeignAuthority, openssl, temporary } from './openssl.ts'

const OPENSSL = requires('openssl')
const DAY = 86_400_000

function codeOf(fault: Fault | undefined): string | undefined {
  return fault?.code
}

/** The code of what a call throws. */
function thrownBy(call: () => unknown): string {
  try {
    call()
  } catch (thrown) {
    return (thrown as { code: string }).code
  }
  return 'nothing'
}

test('names are DNS entries in lower case and sapwood: URIs, other URIs are for rules', (t) => {
  t.same(
    certificateNames('DNS:Alpha, URI:sapwood:Beta_1, URI:spiffe://x/y, IP Address:127.0.0.1'),
    {
      names: ['alpha', 'Beta_1'],
      uris: ['spiffe://x/y'],
    },
  )
  t.same(certificateNames('DNS:a, DNS:A, URI:sapwood:a').names, ['a'])
  t.same(certificateNames('DNS:*.example.org, URI:sapwood:a/b, URI:sapwood:'), {
    names: [],
    uris: [],
  })
  t.same(certificateNames('URI:"https://x/a\\u002cb"').uris, ['https://x/a,b'])
  t.same(certificateNames('URI:"broken'), { names: [], uris: [] })
  t.same(certificateNames(undefined), { names: [], uris: [] })
  t.same(certificatePrincipal('DNS:Alpha, URI:https://example.org/a'), {
    id: 'cert:alpha',
    also: ['cert:https://example.org/a'],
    trusted: false,
  })
  t.equal(certificatePrincipal('email:a@b'), undefined)
  t.end()
})

test('W2: an entry of another kind never passes for a name', OPENSSL, (t) => {
  const ca = new ForeignAuthority(t)
  const entries =
    'email.1=DNS:evil\nemail.2=a, DNS:evil\nRID.1=1.2.3\ndirName.1=dn\nURI.1=a:,DNS:evil'
  const section = `subjectAltName=@all\n[all]\nDNS.1=good\n${entries}\n[dn]\nCN=DNS:evil, DNS:evil`
  ca.issue('evil', { extensions: section })
  const { subjectAltName } = certificateIn(ca.dir, 'evil')
  t.match(subjectAltName, 'email:DNS:evil')
  t.same(certificateNames(subjectAltName), { names: ['good'], uris: ['a:,DNS:evil'] })
  t.end()
})

test('a deny list has a name or a fingerprint a line, and says which line is neither', (t) => {
  const hex = 'ab'.repeat(32)
  const text = `\uFEFF# gone\nAlpha # stolen\r\n\n sha256:${hex}\n${hex.match(/../g)?.join(':').toUpperCase()}\n`
  const list = readDenyList(text, 'deny')
  t.same([...list.names], ['alpha'])
  t.same([...list.fingerprints], [hex])
  // as `pki verify` and openssl write them
  const colons = hex.match(/../g)?.join(':').toUpperCase()
  for (const line of [`  SHA-256 ${colons}`, `sha256 Fingerprint=${colons}`]) {
    t.same([...readDenyList(line, 'deny').fingerprints], [hex], line)
  }
  t.throws(() => readDenyList('a\nb c\n', 'pki/deny'), {
    code: 'DENY_INVALID',
    message: /pki\/deny:2/,
  })
  t.throws(() => readDenyList('AB:CD', 'deny'), { code: 'DENY_INVALID' })
  t.end()
})

test('PEM: text around blocks does not matter, half a block is a fault', async (t) => {
  const dir = temporary(t)
  await Authority.init(dir)
  const pem = readFileSync(join(dir, 'ca.crt.pem'), 'utf8')
  const lists = readFileSync(join(dir, 'crl.pem'), 'utf8')
  const messy = `Certificate:\n  Data: x\n${pem.replaceAll('\n', '\r\n')}trailing\n${lists}`
  t.same(
    pemBlocks(messy, 'f').map(({ label }) => label),
    ['CERTIFICATE', 'X509 CRL'],
  )
  const cuts = Array.from({ length: pem.length - 2 }, (_, index) => index + 1)
  const isRefused = (text: string): boolean =>
    thrownBy(() => pemBlocks(text, 'f')) === 'PEM_INVALID'
  t.same(
    cuts.filter((cut) => !isRefused(pem.slice(0, cut))),
    [],
  )
  const whole = cuts.filter((cut) => !isRefused(pem + pem.slice(0, cut)))
  t.equal(whole.at(-1), '-----BEGIN'.length, 'from there on it is half a block')
  for (const bad of ['', 'hello', '0\u0082', pem.replace('M', '!')]) {
    t.equal(
      thrownBy(() => pemBlocks(bad, 'f')),
      'PEM_INVALID',
    )
  }
  t.throws(() => readCertificates(lists, 'f'), { code: 'PEM_INVALID', message: /no CERTIFICATE/ })
  const other = toPem('CERTIFICATE', Buffer.from('certainly none'))
  t.throws(() => readCertificates(other, 'f'), { code: 'CERTIFICATE_INVALID' })
})

for (const kind of ['ec', 'rsa', 'ed25519'] as const) {
  test(`a CA of openssl with an ${kind} key: names, revocation, use`, OPENSSL, async (t) => {
    const ca = new ForeignAuthority(t, kind)
    ca.issue('server', {
      extensions: 'subjectAltName=DNS:Server\nextendedKeyUsage=serverAuth',
      kind,
    })
    ca.issue('alpha', { extensions: 'subjectAltName=DNS:alpha\nextendedKeyUsage=clientAuth' })
    ca.issue('both', { extensions: 'subjectAltName=URI:sapwood:Both' })
    ca.issue('any', { extensions: 'subjectAltName=DNS:any\nextendedKeyUsage=anyExtendedKeyUsage' })
    ca.issue('beta', { extensions: 'subjectAltName=DNS:beta' })
    ca.issue('nobody', { extensions: 'basicConstraints=CA:false' })
    ca.revoke('beta')
    const trust = await readTrust(ca.dir)
    const check = (file: string, role: PeerRole, name?: string): string | undefined =>
      codeOf(trust.checkPeer(certificateIn(ca.dir, file), { role, name }))
    t.equal(check('server', 'server', 'server'), undefined)
    t.equal(check('server', 'server', 'SERVER'), undefined, 'names of the DNS know no upper case')
    t.equal(check('server', 'client', 'server'), 'CERTIFICATE_PURPOSE')
    t.equal(check('alpha', 'client', 'alpha'), undefined)
    t.equal(check('alpha', 'server', 'alpha'), 'CERTIFICATE_PURPOSE')
    t.equal(check('both', 'server', 'Both'), undefined)
    t.equal(check('both', 'client', 'both'), 'NAME_NOT_CERTIFIED', 'a sapwood: name is exact')
    t.equal(check('any', 'client', 'any'), undefined)
    t.equal(check('beta', 'client', 'beta'), 'CERTIFICATE_REVOKED')
    t.equal(check('nobody', 'client'), 'CERTIFICATE_NAMELESS', 'W15: its CN is no name')
    t.equal(codeOf(trust.checkPeer(undefined, { role: 'client' })), 'CERTIFICATE_MISSING')
    const [list] = trust.revocations
    t.same([...(list?.revoked ?? [])], ['1004'])
    t.ok((list?.nextUpdate ?? 0) > Date.now() + 170 * DAY)
    const foreign = new ForeignAuthority(t)
    foreign.issue('alpha', { extensions: 'subjectAltName=DNS:alpha' })
    const fault = trust.checkPeer(certificateIn(foreign.dir, 'alpha'), {
      role: 'client',
      name: 'alpha',
    })
    t.equal(codeOf(fault), 'CERTIFICATE_FOREIGN', 'RP-36: of the same subject, but another key')
    t.throws(
      () =>
        new Trust(
          { 'ca.crt.pem': foreign.read('ca.crt.pem'), 'crl.pem': ca.read('crl.pem') },
          { dir: '.' },
        ),
      { code: 'CRL_FOREIGN' },
    )
  })
}

test('W15: dates count, and the fault tells the time at both ends', OPENSSL, async (t) => {
  const ca = new ForeignAuthority(t)
  ca.issue('a', {
    extensions: 'subjectAltName=DNS:a',
    from: '20260101000000Z',
    until: '20270101000000Z',
  })
  const certificate = certificateIn(ca.dir, 'a')
  // the CA of openssl begins now, whenever that is
  const begin = Date.parse(certificateIn(ca.dir, 'ca').validFrom)
  let now = 0
  const trust = await readTrust(ca.dir, () => now)
  const check = (at: number): Fault | undefined => {
    now = at
    return trust.checkCertificate(certificate)
  }
  t.match(check(Date.UTC(2025, 11, 31)), {
    code: 'CERTIFICATE_EARLY',
    detail: /2026-01-01.+2025-12-31/,
  })
  t.match(check(Date.UTC(2027, 0, 1) + 1), { code: 'CERTIFICATE_EXPIRED', detail: /2027-01-01/ })
  const isCaYoung = begin > Date.UTC(2026, 6, 1)
  if (isCaYoung) t.equal(codeOf(check(begin - DAY)), 'CERTIFICATE_EARLY', 'that of the CA')
  t.equal(
    trust.validUntil(certificate),
    Math.min(Date.UTC(2027, 0, 1), Date.parse(certificateIn(ca.dir, 'ca').validTo)),
  )
})

test(
  'an intermediate CA, sent along or in the file; its own revocation counts',
  OPENSSL,
  async (t) => {
    const root = new ForeignAuthority(t, 'ec', '/CN=Root')
    root.issue('sub', {
      extensions: 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,cRLSign',
    })
    const sub = new ForeignAuthority(t, 'ec', '/CN=sub')
    for (const end of ['crt', 'key']) {
      writeFileSync(join(sub.dir, `ca.${end}.pem`), root.read(`sub.${end}.pem`))
    }
    sub.issue('alpha', { extensions: 'subjectAltName=DNS:alpha' })
    const alpha = certificateIn(sub.dir, 'alpha')
    const expectation = { role: 'client', name: 'alpha' } as const
    const ca = root.read('ca.crt.pem')
    const onlyRoot = new Trust({ 'ca.crt.pem': ca }, { dir: '.' })
    t.equal(codeOf(onlyRoot.checkPeer(alpha, expectation)), 'CERTIFICATE_FOREIGN')
    const both = { 'ca.crt.pem': root.read('sub.crt.pem') + ca }
    t.equal(new Trust(both, { dir: '.' }).checkPeer(alpha, expectation), undefined)
    sub.revoke('alpha')
    const own = new Trust({ ...both, 'crl.pem': sub.read('crl.pem') }, { dir: '.' })
    t.equal(codeOf(own.checkPeer(alpha, expectation)), 'CERTIFICATE_REVOKED')
    root.revoke('sub')
    const upper = new Trust({ ...both, 'crl.pem': root.read('crl.pem') }, { dir: '.' })
    t.match(upper.checkPeer(alpha, expectation), {
      code: 'CERTIFICATE_REVOKED',
      detail: /"CN=sub"/,
    })
    const bundle = new Trust(
      { ...both, 'crl.pem': `${root.read('crl.pem')}\n${sub.read('crl.pem')}` },
      { dir: '.' },
    )
    t.equal(bundle.revocations.length, 2, 'every list of a bundle counts, not the first alone')
    t.throws(() => new Trust({ 'ca.crt.pem': sub.read('alpha.crt.pem') }, { dir: '.' }), {
      code: 'AUTHORITY_INVALID',
    })
    // over TLS, where the peer sends it along
    const seen = await overTls(t, {
      ca: [ca],
      client: {
        cert: sub.read('alpha.crt.pem') + root.read('sub.crt.pem'),
        key: sub.read('alpha.key.pem'),
      },
      server: {
        cert: sub.read('alpha.crt.pem') + root.read('sub.crt.pem'),
        key: sub.read('alpha.key.pem'),
      },
    })
    t.equal(onlyRoot.checkPeer(seen.client, expectation), undefined)
    const crl = { 'ca.crt.pem': ca, 'crl.pem': root.read('crl.pem') }
    t.equal(
      codeOf(new Trust(crl, { dir: '.' }).checkPeer(seen.client, expectation)),
      'CERTIFICATE_REVOKED',
    )
  },
)

interface Pair {
  readonly cert: string
  readonly key: string
}

/** What each end of a TLS connection sees of the other, whatever it thinks of it. */
async function overTls(
  t: Test,
  { ca, client, server }: { ca: string[]; client: Partial<Pair>; server: Pair },
): Promise<{ client: X509Certificate | undefined; server: X509Certificate | undefined }> {
  const options = {
    ca,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  } as const
  const listener = createServer({ ...options, ...server }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>
  const socket = connect({ ...options, ...client, port, host: '127.0.0.1' })
  await once(socket, 'secureConnect')
  const [peer] = await accepted
  const seen = { client: peer.getPeerX509Certificate(), server: socket.getPeerX509Certificate() }
  socket.destroy()
  peer.destroy()
  listener.close()
  t.teardown(() => listener.close())
  return seen
}

test('RP-36, W3: both ends of a TLS connection check each other by name', async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  await authority.issue('server')
  await authority.issue('alpha', { uses: ['client'] })
  const pair = (name: string): Pair => ({
    cert: readFileSync(join(dir, `${name}.crt.pem`), 'utf8'),
    key: readFileSync(join(dir, `${name}.key.pem`), 'utf8'),
  })
  const trust = await readTrust(dir)
  const seen = await overTls(t, {
    ca: [...trust.ca],
    client: pair('alpha'),
    server: pair('server'),
  })
  t.equal(trust.checkPeer(seen.client, { role: 'client', name: 'alpha' }), undefined)
  t.equal(trust.checkPeer(seen.server, { role: 'server', name: 'server' }), undefined)
  t.match(trust.checkPeer(seen.server, { role: 'server', name: 'other' }), {
    code: 'NAME_NOT_CERTIFIED',
    detail: /not for "other" but for server/,
  })
  const nobody = await overTls(t, { ca: [...trust.ca], client: {}, server: pair('alpha') })
  t.equal(codeOf(trust.checkPeer(nobody.client, { role: 'client' })), 'CERTIFICATE_MISSING')
  t.equal(codeOf(trust.checkPeer(nobody.server, { role: 'server' })), 'CERTIFICATE_PURPOSE')
  const other = temporary(t)
  await Authority.init(other)
  const foreign = (await readTrust(other)).checkPeer(seen.client, { role: 'client', name: 'alpha' })
  t.equal(codeOf(foreign), 'CERTIFICATE_FOREIGN')
})

test(
  'a resumed connection is checked like any other, though it brings fewer certificates',
  OPENSSL,
  async (t) => {
    const root = new ForeignAuthority(t, 'ec', '/CN=Root')
    root.issue('sub', { extensions: 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign' })
    const sub = new ForeignAuthority(t, 'ec', '/CN=sub')
    for (const end of ['crt', 'key']) {
      writeFileSync(join(sub.dir, `ca.${end}.pem`), root.read(`sub.${end}.pem`))
    }
    sub.issue('alpha', { extensions: 'subjectAltName=DNS:alpha' })
    const ca = root.read('ca.crt.pem')
    const trust = new Trust({ 'ca.crt.pem': ca }, { dir: '.' })
    const options = {
      ca: [ca],
      cert: sub.read('alpha.crt.pem') + root.read('sub.crt.pem'),
      key: sub.read('alpha.key.pem'),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3' as const,
    }
    const listener = createServer(options).listen(0, '127.0.0.1')
    t.teardown(() => listener.close())
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    let kept: KeptSession | undefined
    for (const isReused of [false, true]) {
      const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>
      const socket = connect({ ...options, port, ...(kept && { session: kept.ticket }) })
      const ticket = once(socket, 'session') as Promise<[Buffer]>
      await once(socket, 'secureConnect')
      const [peer] = await accepted
      t.equal(socket.isSessionReused(), isReused)
      const atServer = peerCertificate(peer)
      const atClient = peerCertificate(socket, kept)
      t.equal(trust.checkPeer(atServer, { role: 'client', name: 'alpha' }), undefined)
      t.equal(trust.checkPeer(atClient, { role: 'server', name: 'alpha' }), undefined)
      t.equal(
        codeOf(trust.checkPeer(atClient, { role: 'server', name: 'x' })),
        'NAME_NOT_CERTIFIED',
      )
      peer.write('read me, and the tickets before me')
      socket.resume()
      if (!isReused) kept = { ticket: (await ticket)[0], certificate: atClient as X509Certificate }
      socket.destroy()
      peer.destroy()
    }
  },
)

test('a CA that was renewed with the same key goes on, its lists too', OPENSSL, async (t) => {
  const ca = new ForeignAuthority(t)
  ca.issue('alpha', { extensions: 'subjectAltName=DNS:alpha' })
  ca.issue('beta', { extensions: 'subjectAltName=DNS:beta' })
  ca.revoke('beta')
  const again = ['-x509', '-key', 'ca.key.pem', '-subj', '/CN=Foreign CA', '-days', '30']
  openssl(
    ca.dir,
    'req',
    ...again,
    '-config',
    'openssl.cnf',
    '-extensions',
    'authority',
    '-out',
    'new.pem',
  )
  const late = Date.now() + 10 * DAY
  const texts = {
    'ca.crt.pem': ca.read('ca.crt.pem') + ca.read('new.pem'),
    'crl.pem': ca.read('crl.pem'),
  }
  const trust = new Trust(texts, { dir: '.' })
  t.equal(trust.checkCertificate(certificateIn(ca.dir, 'alpha')), undefined)
  t.equal(codeOf(trust.checkCertificate(certificateIn(ca.dir, 'beta'))), 'CERTIFICATE_REVOKED')
  const later = new Trust(texts, { dir: '.', now: () => late })
  t.match(later.checkCertificate(certificateIn(ca.dir, 'alpha')), {
    code: 'CERTIFICATE_EXPIRED',
    detail: /of alpha/,
  })
  // the same certificate, while the clock goes on: one of the CA's certificates runs out, the other does not
  const end = new Date(Date.now() + 20 * DAY).toISOString().replace(/\D/g, '').slice(0, 14)
  ca.issue('long', { extensions: 'subjectAltName=DNS:long', until: `${end}Z` })
  const long = certificateIn(ca.dir, 'long')
  let now = Date.now()
  const both = new Trust(texts, { dir: '.', now: () => now })
  t.equal(both.checkCertificate(long), undefined)
  now = late
  t.equal(both.checkCertificate(long), undefined)
  now += 15 * DAY
  t.equal(codeOf(both.checkCertificate(long)), 'CERTIFICATE_EXPIRED')
})

test('a revocation list that is cut or changed anywhere is refused, and nothing else happens', async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  await authority.issue('alpha')
  await authority.revoke('alpha')
  const ca = [certificateIn(dir, 'ca')]
  const der = (
    pemBlocks(readFileSync(join(dir, 'crl.pem'), 'utf8'), 'crl')[0] as { der: Uint8Array }
  ).der
  t.equal(readRevocationList(der, ca, 'crl').revoked.size, 1)
  const refused = new Set(['CRL_INVALID', 'CRL_FOREIGN'])
  const taken = Array.from(der.keys()).filter(
    (cut) => !refused.has(thrownBy(() => readRevocationList(der.subarray(0, cut), ca, 'crl'))),
  )
  t.same(taken, [])
  t.ok(refused.has(thrownBy(() => readRevocationList(new Uint8Array([...der, 0]), ca, 'crl'))))
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = der.slice()
      changed[at] = (changed[at] as number) ^ flip
      // the byte that says how many bits of the signature do not count is not signed
      if (changed[at] === undefined || isUnused(der, at)) return true
      return refused.has(thrownBy(() => readRevocationList(changed, ca, 'crl')))
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) =>
      refused.has(thrownBy(() => readRevocationList(bytes, ca, 'crl'))),
    ),
  )
})

/** Is this the first byte of the BIT STRING at the end? */
function isUnused(der: Uint8Array, at: number): boolean {
  // any byte of a signature may look like a tag, but hardly one like its length, too
  const tag = der.findIndex(
    (byte, i) => i > der.length - 80 && byte === 0x03 && i + 2 + (der[i + 1] ?? 0) === der.length,
  )
  return at === tag + 2
}

test('a critical extension of a list that nobody here understands is a refusal', OPENSSL, (t) => {
  const ca = new ForeignAuthority(t)
  const file = join(ca.dir, 'openssl.cnf')
  const part = 'keyid:always\nissuingDistributionPoint=critical,@part\n[part]\nonlyuser=TRUE'
  writeFileSync(file, readFileSync(file, 'utf8').replace('keyid:always', part))
  ca.revoke()
  const texts = { 'ca.crt.pem': ca.read('ca.crt.pem'), 'crl.pem': ca.read('crl.pem') }
  t.throws(() => new Trust(texts, { dir: '.' }), { code: 'CRL_INVALID', message: /2\.5\.29\.28/ })
  t.end()
})
