import { execFile, execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  Authority,
  type IdentityTexts,
  installIdentity,
  keepCertificate,
  readSubjectNames,
  readTrust,
  requestIdentity,
  subjectName,
  writeFiles,
} from '@sapwood/pipe'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { ForeignAuthority, openssl, opensslRefuses, temporary } from './openssl.ts'

const OPENSSL = requires('openssl')
const DAY = 86_400_000

function read(dir: string, file: string): string {
  return readFileSync(join(dir, file), 'utf8')
}

/** Every file with its content. */
function contents(dir: string): Record<string, string> {
  const files = readdirSync(dir).filter((file) => statSync(join(dir, file)).isFile())
  return Object.fromEntries(files.map((file) => [file, read(dir, file)]))
}

test(
  'CK-01: a CA is P-256 and SHA-256, its key is 0600, and there is one a directory',
  OPENSSL,
  async (t) => {
    const dir = join(temporary(t), 'deep', 'pki')
    process.umask(0o022)
    const { signer } = await Authority.init(dir, { commonName: 'Unsere Wälder (1)', days: 36_500 })
    t.equal(statSync(join(dir, 'ca.key.pem')).mode & 0o777, 0o600)
    t.equal(statSync(join(dir, 'ca.crt.pem')).mode & 0o777, 0o644)
    t.equal(statSync(dir).mode & 0o777, 0o700)
    const text = openssl(dir, 'x509', '-in', 'ca.crt.pem', '-noout', '-text', '-nameopt', 'utf8')
    t.match(text, /Signature Algorithm: ecdsa-with-SHA256/)
    t.match(text, /NIST CURVE: P-256/)
    t.match(text, /CA:TRUE, pathlen:0/)
    t.match(text, /Unsere Wälder \(1\)/)
    t.match(signer.certificate.validTo, /21\d\d GMT$/, 'dates after 2049 are of another form')
    t.match(openssl(dir, 'crl', '-in', 'crl.pem', '-noout', '-text'), /No Revoked Certificates/)
    t.match(openssl(dir, 'crl', '-in', 'crl.pem', '-CAfile', 'ca.crt.pem', '-noout'), '')
    const before = contents(dir)
    await t.rejects(Authority.init(dir), { code: 'AUTHORITY_EXISTS' })
    t.same(contents(dir), before)
    await t.rejects(Authority.init(temporary(t), { days: 0 }), { code: 'LIFETIME_INVALID' })
    for (const commonName of ['', '#04', 'a "b"', 'a\nb', 'CN=x', 'x'.repeat(65)]) {
      await t.rejects(
        Authority.init(temporary(t), { commonName }),
        { code: 'NAME_INVALID' },
        commonName,
      )
    }
  },
)

test(
  'CK-02, CK-03, W15: what is issued has its name in the SAN, and openssl agrees with it',
  OPENSSL,
  async (t) => {
    const dir = temporary(t)
    const authority = await Authority.init(dir)
    const also = readSubjectNames('DNS:Files.example.org, URI:spiffe://a/b,IP:::1,DNS:*.x.org')
    const { certificate } = await authority.issue('fileserver', { also })
    t.equal(
      certificate.subjectAltName,
      'DNS:fileserver, DNS:Files.example.org, URI:spiffe://a/b, IP Address:0:0:0:0:0:0:0:1, DNS:*.x.org',
    )
    t.same(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'])
    t.equal(statSync(join(dir, 'fileserver.key.pem')).mode & 0o777, 0o600)
    t.ok(certificate.checkPrivateKey(createPrivateKey(read(dir, 'fileserver.key.pem'))))
    t.equal(Math.round((Date.parse(certificate.validTo) - Date.now()) / DAY), 365)
    for (const purpose of ['sslclient', 'sslserver']) {
      const strict = ['-x509_strict', '-purpose', purpose, '-CAfile', 'ca.crt.pem']
      t.match(openssl(dir, 'verify', ...strict, 'fileserver.crt.pem'), /OK/)
    }
    const client = await authority.issue('c', { uses: ['client'] })
    t.same(client.certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'])
    t.match(
      opensslRefuses(dir, 'verify', '-purpose', 'sslserver', '-CAfile', 'ca.crt.pem', 'c.crt.pem'),
      'purpose',
    )
    t.not(certificate.serialNumber, client.certificate.serialNumber)
  },
)

test("a name reads back as it was said, and some are nobody's", async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  for (const name of ['alpha', 'a.b-c', 'Alpha', 'my_host', '-x', 'a..b', `n${'a'.repeat(127)}`]) {
    const { certificate } = await authority.issue(name)
    const trust = await readTrust(dir)
    t.equal(trust.checkPeer(certificate, { role: 'client', name }), undefined, name)
  }
  t.same(subjectName('alpha'), { type: 'dns', value: 'alpha' })
  t.same(subjectName('Alpha'), { type: 'url', value: 'sapwood:Alpha' })
  const before = contents(dir)
  for (const name of ['', '..', 'a/b', '../ca', 'ca', 'CA', 'a b', 'ä', 'x'.repeat(129)]) {
    await t.rejects(authority.issue(name), { code: 'NAME_INVALID' }, name)
    await t.rejects(authority.revoke(name), { code: 'NAME_INVALID' }, name)
    await t.rejects(requestIdentity(dir, name), { code: 'NAME_INVALID' }, name)
  }
  for (const san of [
    '',
    'x',
    'DNS:',
    'DNS:a b',
    'IP:1.2.3',
    'URI:nothing',
    'URI:sapwood:a/b',
    'email:a@b',
  ]) {
    t.throws(() => readSubjectNames(san), { code: 'SAN_INVALID' }, san)
  }
  await t.rejects(authority.issue('late', { days: 1.5 }), { code: 'LIFETIME_INVALID' })
  t.same(contents(dir), before)
})

test('nothing lives longer than its CA, and a CA that ran out signs nothing', async (t) => {
  const dir = temporary(t)
  let now = Date.now()
  await Authority.init(dir, { days: 10, now: () => now })
  const authority = await Authority.open(dir, () => now)
  const { certificate } = await authority.issue('a', { days: 365 })
  t.equal(certificate.validTo, authority.signer.certificate.validTo)
  now += 11 * DAY
  await t.rejects(authority.issue('b'), { code: 'CERTIFICATE_EXPIRED' })
  t.notOk(contents(dir)['b.key.pem'])
})

test(
  'CK-03: a request is signed for the name that the CA says, whatever it asks for',
  OPENSSL,
  async (t) => {
    const dir = temporary(t)
    const far = temporary(t)
    const authority = await Authority.init(dir)
    const made = await requestIdentity(far, 'beta', readSubjectNames('DNS:admin,URI:x:y'))
    t.equal(statSync(made.key).mode & 0o777, 0o600)
    t.match(
      openssl(far, 'req', '-in', 'beta.csr.pem', '-verify', '-noout', '-text'),
      /DNS:beta, DNS:admin/,
    )
    const request = read(far, 'beta.csr.pem')
    const { certificate, ignored } = await authority.sign('beta', request)
    t.equal(certificate.subjectAltName, 'DNS:beta')
    t.same(ignored, ['DNS:admin', 'URI:x:y'])
    t.ok(certificate.checkPrivateKey(createPrivateKey(read(far, 'beta.key.pem'))))
    const key = read(far, 'beta.key.pem')
    t.notOk((await requestIdentity(far, 'beta')).isNewKey)
    t.equal(read(far, 'beta.key.pem'), key, 'a key in use is used on')
    await keepCertificate(dir, 'beta', certificate)
    await authority.issue('gamma')
    const own = read(dir, 'gamma.crt.pem')
    await t.rejects(keepCertificate(dir, 'gamma', certificate), { code: 'KEY_FOREIGN' })
    t.equal(read(dir, 'gamma.crt.pem'), own)
    // those of openssl
    for (const kind of [['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['rsa:2048'], ['ed25519']]) {
      const files = ['-nodes', '-keyout', 'o.key.pem', '-out', 'o.csr.pem', '-subj', '/CN=root/O=x']
      openssl(far, 'req', '-new', '-newkey', ...kind, ...files)
      const signed = await authority.sign('other', read(far, 'o.csr.pem'))
      t.equal(signed.certificate.subjectAltName, 'DNS:other')
      writeFileSync(join(dir, 'o.crt.pem'), signed.certificate.toString())
      t.match(openssl(dir, 'verify', '-CAfile', 'ca.crt.pem', 'o.crt.pem'), /OK/)
    }
    // and those that must not be signed
    const weak = ['-newkey', 'rsa:1024', '-nodes', '-keyout', 'w.key.pem', '-out', 'w.csr.pem']
    openssl(far, 'req', '-new', ...weak, '-subj', '/CN=w')
    await t.rejects(authority.sign('w', read(far, 'w.csr.pem')), {
      code: 'KEY_UNSUITABLE',
      message: /^a key of rsa 1024 cannot be used/,
    })
    const der = openssl(far, 'req', '-in', 'beta.csr.pem')
    const bytes = Buffer.from(der.replace(/-.*-\n/g, ''), 'base64')
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    await t.rejects(authority.sign('beta', forged), { code: 'CSR_INVALID' })
    await t.rejects(authority.sign('beta', read(dir, 'ca.crt.pem')), { code: 'CSR_INVALID' })
    await t.rejects(authority.sign('beta', 'nothing'), { code: 'PEM_INVALID' })
  },
)

test('revoke: every certificate that bears the name, and openssl agrees', OPENSSL, async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  const old = await authority.issue('alpha')
  writeFileSync(join(dir, 'old.pem'), old.certificate.toString())
  await authority.issue('alpha')
  await authority.issue('beta', { also: readSubjectNames('DNS:alpha') })
  await authority.issue('gamma')
  const judge = (file: string): string => {
    writeFileSync(join(dir, 'both.pem'), read(dir, 'ca.crt.pem') + read(dir, 'crl.pem'))
    try {
      return openssl(dir, 'verify', '-crl_check', '-x509_strict', '-CAfile', 'both.pem', file)
    } catch (thrown) {
      return String((thrown as { stderr: Buffer }).stderr)
    }
  }
  t.match(judge('alpha.crt.pem'), /OK/)
  const { certificates } = await authority.revoke('alpha')
  t.equal(certificates.length, 3)
  for (const file of ['old.pem', 'alpha.crt.pem', 'beta.crt.pem'])
    t.match(judge(file), /revoked/, file)
  t.match(judge('gamma.crt.pem'), /OK/)
  await authority.revoke('gamma')
  t.match(judge('gamma.crt.pem'), /revoked/)
  t.match(judge('old.pem'), /revoked/, 'what the list had stays in it')
  t.equal((await readTrust(dir)).revocations[0]?.revoked.size, 4)
  await authority.issue('alpha')
  t.match(judge('alpha.crt.pem'), /OK/, 'a new one counts')
  await t.rejects(authority.revoke('nobody'), { code: 'CERTIFICATE_UNKNOWN', message: /deny/ })
})

test('several that revoke at once lose nothing, and a lock of the dead holds up nobody', async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) await authority.issue(name)
  const lock = join(dir, 'lock')
  writeFileSync(lock, '')
  utimesSync(lock, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000))
  await Promise.all(names.map(async (name) => (await Authority.open(dir)).revoke(name)))
  t.equal((await readTrust(dir)).revocations[0]?.revoked.size, 4)
  t.notOk(readdirSync(dir).includes('lock'))
})

test('of processes that find the lock of a dead one at once no two work at once', async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  const groups = ['a', 'b', 'c'].map((group) =>
    Array.from({ length: 12 }, (_, i) => `${group}${i}`),
  )
  for (const name of groups.flat()) await authority.issue(name)
  const script = fileURLToPath(new URL('lock-stress.js', import.meta.url))
  const run = promisify(execFile)
  await Promise.all(groups.map((names) => run(process.execPath, [script, dir, ...names])))
  t.equal((await readTrust(dir)).revocations[0]?.revoked.size, groups.flat().length)
  const last = performance.now()
  await authority.revoke('a0')
  t.ok(performance.now() - last < 9000, 'no lock is left that has no owner')
  t.notOk(readdirSync(dir).some((file) => file.startsWith('lock')))
})

test('who worked so long that another took the lock over leaves it to them', async (t) => {
  const dir = temporary(t)
  await (await Authority.init(dir)).issue('a')
  const lock = join(dir, 'lock')
  const now = (): number => {
    if (readdirSync(dir).includes('lock')) writeFileSync(lock, 'of another')
    return Date.now()
  }
  await (await Authority.open(dir, now)).revoke('a')
  t.equal(read(dir, 'lock'), 'of another')
})

test('who died while they cleared the lock of the dead holds up nobody', async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  await authority.issue('a')
  for (const file of ['lock', 'lock.clear', 'lock.clear.clear']) {
    writeFileSync(join(dir, file), '')
    utimesSync(join(dir, file), new Date(Date.now() - 60_000), new Date(Date.now() - 60_000))
  }
  await authority.revoke('a')
  t.notOk(readdirSync(dir).some((file) => file.startsWith('lock')))
})

for (const kind of ['ec', 'rsa', 'ed25519'] as const) {
  test(`a CA that openssl keeps with an ${kind} key can be used on`, OPENSSL, async (t) => {
    const ca = new ForeignAuthority(t, kind)
    ca.issue('before', { extensions: 'subjectAltName=DNS:before' })
    ca.issue('file', { extensions: 'subjectAltName=DNS:file' })
    ca.revoke('before')
    const authority = await Authority.open(ca.dir)
    await authority.issue('server')
    t.match(
      openssl(ca.dir, 'verify', '-x509_strict', '-CAfile', 'ca.crt.pem', 'server.crt.pem'),
      /OK/,
    )
    await authority.revoke('file')
    writeFileSync(join(ca.dir, 'both.pem'), ca.read('ca.crt.pem') + ca.read('crl.pem'))
    for (const [file, code] of Object.entries({ before: 'R', file: 'R', server: '' })) {
      const certificate = new X509Certificate(ca.read(`${file}.crt.pem`))
      const fault = (await readTrust(ca.dir)).checkCertificate(certificate)
      t.equal(fault?.code, code === '' ? undefined : 'CERTIFICATE_REVOKED', file)
      const check = ['verify', '-crl_check', '-CAfile', 'both.pem', `${file}.crt.pem`]
      if (code === '') t.match(openssl(ca.dir, ...check), /OK/)
      else t.match(opensslRefuses(ca.dir, ...check), /revoked/)
    }
    t.match(
      openssl(ca.dir, 'crl', '-in', 'crl.pem', '-noout', '-text'),
      /Key Compromise/,
      'reasons stay',
    )
  })
}

test('a CA without its key, or with another, issues nothing', async (t) => {
  const dir = temporary(t)
  await t.rejects(Authority.open(dir), { code: 'FILE_MISSING', message: /pki init/ })
  await Authority.init(dir)
  const other = temporary(t)
  await Authority.init(other)
  writeFileSync(join(dir, 'ca.key.pem'), read(other, 'ca.key.pem'))
  await t.rejects(Authority.open(dir), { code: 'KEY_FOREIGN' })
  rmSync(join(dir, 'ca.key.pem'))
  await t.rejects(Authority.open(dir), {
    code: 'FILE_MISSING',
    message: /where the key of the CA is/,
  })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
  writeFileSync(join(dir, 'ca.key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await t.rejects(Authority.open(dir), { code: 'KEY_FOREIGN' })
})

test('RP-37: a bad file is refused and every old file is as it was', async (t) => {
  const from = temporary(t)
  const authority = await Authority.init(from)
  await authority.issue('alpha')
  await authority.issue('revoked')
  const good: IdentityTexts = {
    key: read(from, 'alpha.key.pem'),
    cert: read(from, 'alpha.crt.pem'),
    ca: read(from, 'ca.crt.pem'),
    crl: read(from, 'crl.pem'),
  }
  const dir = join(temporary(t), 'not', 'there', 'yet')
  const installed = await installIdentity(dir, good)
  t.equal(installed.name, 'alpha')
  t.equal(statSync(join(dir, 'alpha.key.pem')).mode & 0o777, 0o600)
  t.same(Object.keys(contents(dir)).sort(), [
    'alpha.crt.pem',
    'alpha.key.pem',
    'ca.crt.pem',
    'crl.pem',
  ])
  const before = contents(dir)
  await authority.revoke('revoked')
  const foreign = temporary(t)
  await (await Authority.init(foreign)).issue('alpha')
  const cases: readonly (readonly [Partial<IdentityTexts>, string])[] = [
    [{ key: 'no key' }, 'PEM_INVALID'],
    [{ key: good.cert }, 'PEM_INVALID'],
    [{ key: good.key.slice(0, -30) }, 'PEM_INVALID'],
    [{ key: good.key.replace(/^M\w{10}/m, 'MAAAAAAAAAA') }, 'KEY_INVALID'],
    [{ key: read(from, 'revoked.key.pem') }, 'KEY_FOREIGN'],
    [{ cert: '' }, 'PEM_INVALID'],
    [{ cert: good.key }, 'PEM_INVALID'],
    [{ ca: 'bad' }, 'PEM_INVALID'],
    [{ ca: good.cert }, 'AUTHORITY_INVALID'],
    [{ ca: read(foreign, 'ca.crt.pem') }, 'CRL_FOREIGN'],
    [{ ca: read(foreign, 'ca.crt.pem'), crl: read(foreign, 'crl.pem') }, 'CERTIFICATE_FOREIGN'],
    [{ crl: 'bad' }, 'PEM_INVALID'],
    [
      {
        key: read(from, 'revoked.key.pem'),
        cert: read(from, 'revoked.crt.pem'),
        crl: read(from, 'crl.pem'),
      },
      'CERTIFICATE_REVOKED',
    ],
  ]
  for (const [bad, code] of cases) {
    await t.rejects(
      installIdentity(dir, { ...good, ...bad }),
      { code },
      JSON.stringify(bad).slice(0, 60),
    )
    t.same(contents(dir), before)
  }
  await t.rejects(installIdentity(dir, good, { name: 'ca' }), { code: 'NAME_INVALID' })
  const late = { now: () => Date.now() + 400 * DAY }
  await t.rejects(installIdentity(dir, good, late), { code: 'CERTIFICATE_EXPIRED' })
  await authority.issue('alpha')
  const renewed = { key: read(from, 'alpha.key.pem'), cert: read(from, 'alpha.crt.pem') }
  await installIdentity(dir, renewed)
  t.equal(read(dir, 'alpha.crt.pem'), renewed.cert, 'the CA may be left out where it is there')
  await t.rejects(installIdentity(foreign, { ...good, crl: undefined }), { code: 'CRL_FOREIGN' })
  await t.rejects(
    installIdentity(foreign, good),
    { code: 'AUTHORITY_EXISTS' },
    'a CA is not overwritten',
  )
  await t.rejects(installIdentity(temporary(t), { ...good, ca: undefined }), {
    code: 'FILE_MISSING',
  })
})

test('files are written all or none, and nobody sees half of one', async (t) => {
  const dir = temporary(t)
  const file = (name: string): string => join(dir, name)
  await writeFiles([
    { file: file('a'), text: 'old' },
    { file: file('key'), text: 'k', isSecret: true },
  ])
  chmodSync(file('a'), 0o600)
  mkdirSync(file('b'))
  writeFileSync(join(file('b'), 'inside'), '')
  // the second cannot take its place, since a directory has it
  const files = [{ file: join(file('a'), 'x'), text: '' }]
  await t.rejects(writeFiles([{ file: file('a'), text: 'new' }, ...files]), {
    code: 'FILE_NOT_WRITTEN',
  })
  t.equal(read(dir, 'a'), 'old')
  const taken = ['key', 'fresh', 'b'].map((name) => ({ file: file(name), text: 'new' }))
  for (const last of [taken, taken.toReversed()]) {
    await t.rejects(writeFiles(last), { code: 'FILE_NOT_WRITTEN' }, 'what had its place goes back')
    t.equal(read(dir, 'key'), 'k')
    t.equal(statSync(file('key')).mode & 0o777, 0o600)
  }
  await t.rejects(writeFiles([{ file: file('b'), text: '' }]), { code: 'FILE_NOT_WRITTEN' })
  t.same(readdirSync(dir).sort(), ['a', 'b', 'key'], 'nothing is left behind')
  process.umask(0o077)
  await writeFiles([{ file: file('a'), text: 'new' }])
  process.umask(0o022)
  t.equal(statSync(file('a')).mode & 0o777, 0o644)
  t.equal(statSync(file('key')).mode & 0o777, 0o600)
})

test('links live without the library that makes certificates', async (t) => {
  const dir = temporary(t)
  await (await Authority.init(dir)).issue('server')
  const script = `
    const { readTrust, TrustStore } = await import('@sapwood/pipe')
    const store = await TrustStore.open({ dir: ${JSON.stringify(dir)}, name: 'server', role: 'server' })
    const fault = store.checkPeer(store.identity.certificate, { role: 'server', name: 'server' })
    await store.close()
    console.log(JSON.stringify([fault ?? null, typeof Reflect.getMetadata]))
  `
  const cwd = new URL('.', import.meta.url)
  const args = ['--input-type=module', '-e', script]
  t.equal(execFileSync(process.execPath, args, { cwd }).toString(), '[null,"undefined"]\n')
})
