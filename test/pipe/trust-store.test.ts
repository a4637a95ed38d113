/** Trust as files in a directory: what changes there is taken up, and what is no good is not. */
import type { X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Wheel } from '@sapwood/core'
import {
  Authority,
  fingerprintOf,
  isCertified,
  type PeerRole,
  pipeServer,
  type TrustChange,
  TrustStore,
} from '@sapwood/pipe'
import { FakeClock } from '@sapwood/testkit'
import { type Test, test } from 'tap'
import { requires } from '../requires.ts'
import { certificateIn, openssl, temporary } from './openssl.ts'

const OPENSSL = requires('openssl')
const DAY = 86_400_000

interface Stored {
  readonly dir: string
  readonly authority: Authority
  readonly clock: FakeClock
  readonly opened: TrustStore
  readonly changes: readonly TrustChange[]
  readonly faults: readonly string[]
  readonly look: (times?: number) => Promise<void>
  /** Why alpha may not be here, by code. */
  readonly check: () => string | undefined
  readonly alpha: X509Certificate
}

/** A store over a directory with a CA, on a clock that stands still. */
async function store(t: Test): Promise<Stored> {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  await authority.issue('server')
  await authority.issue('alpha')
  const clock = new FakeClock()
  const wheel = new Wheel(clock)
  const opened = await TrustStore.open({ dir, name: 'server', role: 'server', wheel })
  t.teardown(() => opened.close())
  const changes: TrustChange[] = []
  const faults: string[] = []
  opened.onChange((change) => changes.push(change))
  opened.onFault(({ code }) => faults.push(code))
  /** As many looks as it takes until a change counts. */
  const look = async (times = 2): Promise<void> => {
    for (let i = 0; i < times; i++) {
      clock.advance(300)
      await opened.settled()
    }
  }
  const alpha = certificateIn(dir, 'alpha')
  const check = (): string | undefined =>
    opened.checkPeer(alpha, { role: 'client', name: 'alpha' })?.code
  await look(3)
  t.same([changes, faults], [[], []], 'nothing changed, nothing is told')
  return { dir, authority, clock, opened, changes, faults, look, check, alpha }
}

const NONE = { authorities: false, bans: false, identity: false }

test('a store takes up a revocation and a ban by itself, and tells it', async (t) => {
  const { dir, authority, changes, faults, look, check, alpha } = await store(t)
  t.equal(check(), undefined)
  writeFileSync(join(dir, 'deny'), `${fingerprintOf(alpha)}\n`)
  await look()
  t.equal(check(), 'CERTIFICATE_DENIED')
  writeFileSync(join(dir, 'deny'), '# nobody\n')
  await look()
  t.equal(check(), undefined)
  writeFileSync(join(dir, 'deny'), 'ALPHA\n')
  await look()
  t.equal(check(), 'CERTIFICATE_DENIED')
  await authority.revoke('alpha')
  await look()
  t.equal(check(), 'CERTIFICATE_REVOKED')
  t.same(changes, Array(4).fill({ ...NONE, bans: true }))
  t.same(faults, [])
})

test('a store keeps the last good set over one that does not parse, and tells it once', async (t) => {
  const { dir, changes, faults, look, check, opened } = await store(t)
  const before = opened.trust
  writeFileSync(join(dir, 'deny'), 'alpha\nno name\n')
  await look(5)
  t.same(faults, ['DENY_INVALID'])
  t.equal(opened.trust, before, 'not even the good line counts: the set is whole')
  writeFileSync(join(dir, 'deny'), 'alpha\n')
  await look()
  t.equal(check(), 'CERTIFICATE_DENIED')
  rmSync(join(dir, 'deny'))
  await look(3)
  t.equal(check(), 'CERTIFICATE_DENIED', 'a list that vanished bans on')
  writeFileSync(join(dir, 'crl.pem'), '')
  writeFileSync(join(dir, 'deny'), '')
  await look(3)
  writeFileSync(join(dir, 'crl.pem'), readFileSync(join(dir, 'server.crt.pem')))
  await look(3)
  t.same(faults, ['DENY_INVALID', 'FILE_MISSING', 'PEM_INVALID', 'PEM_INVALID'])
  t.same(changes, [{ ...NONE, bans: true }])
})

test('a key and its certificate that change one after the other are one change, without a fault', async (t) => {
  const { dir, changes, faults, look, opened, clock } = await store(t)
  const other = temporary(t)
  copyFileSync(join(dir, 'ca.crt.pem'), join(other, 'ca.crt.pem'))
  copyFileSync(join(dir, 'ca.key.pem'), join(other, 'ca.key.pem'))
  await (await Authority.open(other)).issue('server')
  copyFileSync(join(other, 'server.key.pem'), join(dir, 'server.key.pem'))
  await look(1)
  copyFileSync(join(other, 'server.crt.pem'), join(dir, 'server.crt.pem'))
  await look(1)
  t.same([changes, faults], [[], []], 'still being written')
  await look(1)
  t.same([changes, faults], [[{ ...NONE, identity: true }], []])
  t.equal(opened.identity.certificate.fingerprint256, certificateIn(other, 'server').fingerprint256)
  // one that stays half is told
  await (await Authority.open(other)).issue('server')
  copyFileSync(join(other, 'server.key.pem'), join(dir, 'server.key.pem'))
  await look(4)
  t.same(faults, ['KEY_FOREIGN'])
  t.equal(clock.pending, 1)
  await opened.close()
  t.equal(opened.identity.certificate.fingerprint256, certificateIn(dir, 'server').fingerprint256)
})

test(
  'a key that TLS does not take is told, and leaves the last good one in force',
  OPENSSL,
  async (t) => {
    const { dir, changes, faults, look, opened } = await store(t)
    const before = opened.identity
    const weak = temporary(t)
    const request = ['-subj', '/CN=server', '-keyout', 'server.key.pem', '-out', 'csr.pem']
    openssl(weak, 'req', '-newkey', 'rsa:512', '-nodes', ...request)
    writeFileSync(join(weak, 'names'), 'subjectAltName=DNS:server')
    const signer = ['-CA', join(dir, 'ca.crt.pem'), '-CAkey', join(dir, 'ca.key.pem')]
    const signed = [
      '-out',
      'server.crt.pem',
      '-extfile',
      'names',
      '-days',
      '20',
      '-set_serial',
      '77',
    ]
    openssl(weak, 'x509', '-req', '-in', 'csr.pem', ...signer, ...signed)
    for (const file of ['server.crt.pem', 'server.key.pem']) {
      copyFileSync(join(weak, file), join(dir, file))
    }
    await look(4)
    t.same([changes, faults], [[], ['KEY_UNSUITABLE']])
    t.equal(opened.identity, before)
    const material = ['key', 'cert'].map((part) => {
      return readFileSync(join(weak, `server.${part === 'key' ? 'key' : 'crt'}.pem`), 'utf8')
    })
    const [key, cert] = material as [string, string]
    const ca = readFileSync(join(dir, 'ca.crt.pem'), 'utf8')
    await t.rejects(pipeServer({ key, cert, ca }), { code: 'KEY_UNSUITABLE', message: /too small/ })
  },
)

test('touching a file is no change, another CA is; reload takes it up at once', async (t) => {
  const { dir, changes, look, check, opened } = await store(t)
  utimesSync(join(dir, 'crl.pem'), new Date(), new Date())
  await look(3)
  t.same(changes, [])
  const other = temporary(t)
  const { signer } = await Authority.init(other)
  const both = readFileSync(join(dir, 'ca.crt.pem'), 'utf8') + signer.certificate.toString()
  writeFileSync(join(dir, 'ca.crt.pem'), both)
  await opened.reload()
  t.same(changes, [{ ...NONE, authorities: true }])
  t.equal(check(), undefined)
  writeFileSync(join(dir, 'ca.crt.pem'), signer.certificate.toString())
  await opened.reload()
  t.equal(changes.length, 1, 'the list is of the old CA: the two do not fit together')
  copyFileSync(join(other, 'crl.pem'), join(dir, 'crl.pem'))
  await opened.reload()
  t.same(changes[1], { authorities: true, bans: true, identity: false })
  t.equal(check(), 'CERTIFICATE_FOREIGN')
})

test('an own certificate that ran out keeps no ban from counting', async (t) => {
  const dir = temporary(t)
  const authority = await Authority.init(dir)
  await authority.issue('server', { days: 1 })
  await authority.issue('alpha')
  let now = Date.now()
  const wheel = new Wheel(new FakeClock())
  const options = { dir, name: 'server', role: 'server', wheel, now: () => now } as const
  const opened = await TrustStore.open(options)
  now += 2 * DAY
  await authority.revoke('alpha')
  await opened.reload()
  t.equal(
    opened.checkPeer(certificateIn(dir, 'alpha'), { role: 'client' })?.code,
    'CERTIFICATE_REVOKED',
  )
  await opened.close()
  await t.rejects(TrustStore.open(options), {
    code: 'CERTIFICATE_EXPIRED',
    message: /of server ran out/,
  })
})

test('a store says what is missing or cannot work before anything starts', OPENSSL, async (t) => {
  const dir = temporary(t)
  const open = (name: string, role: PeerRole = 'client') =>
    TrustStore.open({ dir, name, role, wheel: new Wheel(new FakeClock()) }).then((s) => s.close())
  await t.rejects(open('alpha'), { code: 'FILE_MISSING', message: /ca\.crt\.pem.+pki init/ })
  await t.rejects(open('../alpha'), { code: 'NAME_INVALID' })
  const authority = await Authority.init(dir)
  await t.rejects(open('alpha'), {
    code: 'FILE_MISSING',
    message: /alpha\.crt\.pem.+pki issue alpha/,
  })
  await authority.issue('alpha', { uses: ['client'] })
  await open('alpha')
  const known = ['alpha', 'beta', 'ca', '../x', `../${basename(dir)}/alpha`, 'alpha/']
  t.same(
    known.map((name) => isCertified(dir, name)),
    [true, ...Array(5).fill(false)],
  )
  await t.rejects(open('alpha', 'server'), { code: 'CERTIFICATE_PURPOSE' })
  for (const end of ['crt', 'key'])
    copyFileSync(join(dir, `alpha.${end}.pem`), join(dir, `beta.${end}.pem`))
  await t.rejects(open('beta'), { code: 'NAME_NOT_CERTIFIED', message: /"beta" but for alpha/ })
  openssl(
    dir,
    'pkey',
    '-in',
    'alpha.key.pem',
    '-aes128',
    '-passout',
    'pass:x',
    '-out',
    'beta.key.pem',
  )
  await t.rejects(open('beta'), { code: 'KEY_ENCRYPTED', message: /openssl pkey/ })
  writeFileSync(join(dir, 'beta.key.pem'), readFileSync(join(dir, 'ca.key.pem')))
  await t.rejects(open('beta'), { code: 'KEY_FOREIGN' })
  writeFileSync(join(dir, 'deny'), Buffer.alloc(17 * 1024 * 1024, 'a'))
  await t.rejects(open('alpha'), { code: 'FILE_TOO_LARGE' })
})
