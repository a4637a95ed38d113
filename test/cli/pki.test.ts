import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type JoinToken, parseJoinToken } from '@sapwood/pipe'
import { test } from 'tap'
import { codeBlocks, placeOf, TOP } from '../docs/code-blocks.ts'
import { openssl, temporary } from '../pipe/openssl.ts'
import { requires } from '../requires.ts'
import { asProcess, inProcess, type Outcome } from './command.ts'

const OPENSSL = requires('openssl')

/** `sapwood pki …` on a directory. */
function pki(dir: string, ...args: readonly string[]): Promise<Outcome> {
  return inProcess(['pki', ...args, '--dir', dir])
}

test('scenario 15, CK-01 to CK-04: make a CA, make and sign, verify, install', async (t) => {
  const top = temporary(t)
  const [ca, server, client, foreign] = ['ca', 'server', 'client', 'foreign'].map((each) =>
    join(top, each),
  ) as [string, string, string, string]
  t.match(await pki(ca, 'init'), {
    status: 0,
    stdout: /ca\.crt\.pem is a CA until 20\d\d-/,
    stderr: '',
  })
  t.equal(statSync(join(ca, 'ca.key.pem')).mode & 0o777, 0o600)
  // each key is made where it is used, and never leaves
  for (const [dir, name] of [
    [server, 'server'],
    [client, 'alpha'],
  ] as const) {
    const request = join(dir, `${name}.csr.pem`)
    t.match(await pki(dir, 'csr', name), { status: 0, stdout: /alpha|server/ })
    t.match(await pki(ca, 'sign', request), {
      status: 0,
      stdout: new RegExp(`is made: ${name}, until`),
    })
    t.match(await pki(ca, 'verify', name), {
      status: 0,
      stdout: /is good: \w+, as client and server/,
    })
    const files = [
      join(dir, `${name}.key.pem`),
      join(ca, `${name}.crt.pem`),
      join(ca, 'ca.crt.pem'),
    ]
    t.match(await pki(dir, 'install', ...files), {
      status: 0,
      stdout: new RegExp(`^${name} is installed`),
    })
    t.match(await pki(dir, 'verify', join(dir, `${name}.crt.pem`)), { status: 0 })
    t.equal(statSync(join(dir, `${name}.key.pem`)).mode & 0o777, 0o600)
  }
  await pki(foreign, 'init')
  await pki(foreign, 'issue', 'alpha')
  const strange = await pki(ca, 'verify', join(foreign, 'alpha.crt.pem'))
  t.match(strange, {
    status: 1,
    stdout: '',
    stderr: /CERTIFICATE_FOREIGN: .*alpha.crt.pem is not good/,
  })
  // RP-37: a bad PEM is rejected, the old file untouched
  const bad = join(top, 'bad.pem')
  writeFileSync(bad, '-----BEGIN CERTIFICATE-----\nhalf')
  const old = readFileSync(join(client, 'alpha.crt.pem'), 'utf8')
  const key = join(client, 'alpha.key.pem')
  t.match(await pki(client, 'install', key, bad), { status: 1, stderr: /PEM_INVALID/ })
  t.match(await pki(client, 'install', bad, join(ca, 'alpha.crt.pem')), {
    status: 1,
    stderr: /PEM_INVALID/,
  })
  const other = join(foreign, 'alpha.crt.pem')
  t.match(await pki(client, 'install', key, other), { status: 1, stderr: /KEY_FOREIGN/ })
  t.match(await pki(client, 'install', key, join(top, 'none')), {
    status: 1,
    stderr: /FILE_UNREADABLE/,
  })
  t.equal(readFileSync(join(client, 'alpha.crt.pem'), 'utf8'), old)
})

test('issue, revoke, verify; openssl sees the same', OPENSSL, async (t) => {
  const dir = temporary(t)
  await pki(dir, 'init', '--name', 'Our CA', '--days', '100')
  const issued = await pki(
    dir,
    'issue',
    'alpha',
    '--san',
    'DNS:a.example.org,URI:x:y',
    '--san',
    'IP:10.0.0.1',
    '--days',
    '7',
  )
  t.match(issued, {
    status: 0,
    stdout: /alpha\.key\.pem and .*alpha\.crt\.pem are made: alpha, a\.example\.org/,
  })
  t.match(
    openssl(dir, 'x509', '-in', 'alpha.crt.pem', '-noout', '-text'),
    /DNS:alpha, DNS:a.example.org, URI:x:y, IP/,
  )
  t.match(openssl(dir, 'verify', '-CAfile', 'ca.crt.pem', 'alpha.crt.pem'), /OK/)
  t.equal((await pki(dir, 'verify', 'alpha')).status, 0)
  const denied = join(dir, 'deny')
  writeFileSync(denied, 'alpha\n')
  t.match(await pki(dir, 'verify', 'alpha'), { status: 1, stderr: /CERTIFICATE_DENIED/ })
  writeFileSync(denied, '')
  t.match(await pki(dir, 'revoke', 'alpha'), {
    status: 0,
    stdout: /^alpha is revoked: 1 certificate/,
  })
  t.match(await pki(dir, 'verify', 'alpha'), { status: 1, stderr: /CERTIFICATE_REVOKED/ })
  t.match(await pki(dir, 'revoke', 'nobody'), { status: 1, stderr: /CERTIFICATE_UNKNOWN/ })
  t.match(await pki(dir, 'init'), { status: 1, stderr: /AUTHORITY_EXISTS/ })
})

test('a request of openssl is signed for the name of its file or of --name', OPENSSL, async (t) => {
  const dir = temporary(t)
  await pki(dir, 'init')
  const files = ['-nodes', '-keyout', 'k.pem', '-out', 'beta.csr', '-subj', '/CN=root']
  openssl(dir, 'req', '-new', '-newkey', 'rsa:2048', ...files, '-addext', 'subjectAltName=DNS:root')
  const signed = await pki(dir, 'sign', join(dir, 'beta.csr'))
  t.match(signed, {
    status: 0,
    stdout: /is made: beta, [\s\S]*also asks for DNS:root; --san grants it/,
  })
  const out = join(dir, 'out', 'gamma.pem')
  const named = ['--name', 'gamma', '--out', out, '--san', 'DNS:root']
  t.match(await pki(dir, 'sign', join(dir, 'beta.csr'), ...named), {
    status: 0,
    stdout: /is made: gamma, root/,
  })
  t.notMatch(await pki(dir, 'sign', join(dir, 'beta.csr'), ...named), { stdout: /asks/ })
  t.ok(existsSync(out))
  copyFileSync(join(dir, 'beta.csr'), join(dir, 'delta.csr.pem'))
  t.match(await pki(dir, 'sign', 'delta'), { status: 0, stdout: /delta\.crt\.pem is made: delta/ })
})

test('invite prints a token for one machine, and the directory cannot make it again', async (t) => {
  const dir = temporary(t)
  await pki(dir, 'init')
  const before = Date.now()
  const { status, stdout, stderr } = await pki(
    dir,
    'invite',
    'alpha',
    '--server',
    'hub.example.org:8789',
    '--expires',
    '1h',
  )
  t.equal(status, 0)
  const token = parseJoinToken(stdout) as JoinToken
  t.match(token, { server: 'hub.example.org:8789', serverName: 'server', name: 'alpha' })
  const print = openssl(dir, 'x509', '-in', 'ca.crt.pem', '-noout', '-fingerprint', '-sha256')
  t.equal(token.authority, print.split('=')[1]?.trim().replaceAll(':', '').toLowerCase())
  t.ok(token.until >= before + 3_600_000 && token.until < Date.now() + 3_602_000)
  t.match(stderr, /sapwood pipe client --name alpha --join TOKEN/)
  t.notMatch(stderr, stdout.trim(), 'the secret stands on stdout alone')
  t.match(await pki(dir, 'revoke', 'alpha'), { status: 0, stdout: /invitations taken back: 1/ })
})

test('wrong usage is told with the next step, and nothing is tried', async (t) => {
  const dir = join(temporary(t), 'pki')
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['pki'], /pki needs to know what to do/],
    [['pki', 'isue'], /unknown command 'isue'; did you mean issue\?/],
    [['pki', 'issue'], /missing required argument 'name'/],
    [['pki', 'issue', 'a b'], /USAGE_INVALID: the name "a b"/],
    [['pki', 'issue', 'ca'], /the name "ca" is that of the CA/],
    [['pki', 'issue', 'a', '--days', '0'], /--days: "0"/],
    [['pki', 'issue', 'a', '--san', 'x'], /--san: "x" is no further name/],
    [['pki', 'init', '--name', '"'], /--name: /],
    [['pki', 'invite', 'a'], /'--server <host:port>' not specified/],
    [['pki', 'invite', 'a', '--server', 'nowhere'], /--server: "nowhere" is no HOST:PORT/],
    [['pki', 'invite', 'a', '--server', 'h:1', '--expires', 'soon'], /--expires: "soon"/],
    [['pki', 'invite', 'a', '--server', 'h:1', '--server-name', 'a b'], /--server-name: /],
    [['pki', 'sign', 'a/b', '--name', ''], /the name "" /],
  ]
  for (const [args, told] of cases) {
    const { status, stdout, stderr } = await inProcess(args, { SAPWOOD_PIPE_DIR: dir })
    t.equal(status, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, told)
    t.match(stderr, /USAGE_INVALID/)
  }
  t.notOk(existsSync(dir))
  const help = (await inProcess(['pki', 'issue', '--help'])).stdout.replace(/\s+/g, ' ')
  t.match(help, 'default: ./pki, env: SAPWOOD_PIPE_DIR')
})

test('the directory is ./pki where nothing else is said; what cannot be written is told', async (t) => {
  const top = temporary(t)
  const named = await inProcess(['pki', 'init'], { SAPWOOD_PIPE_DIR: join(top, 'x') })
  t.match(named, { status: 0 })
  t.ok(existsSync(join(top, 'x', 'ca.crt.pem')))
  t.match(await pki(join(top, 'y'), 'issue', 'a'), {
    status: 1,
    stderr: /FILE_MISSING: .*y\/ca\.crt\.pem.*pki init/,
  })
  writeFileSync(join(top, 'file'), '')
  chmodSync(join(top, 'file'), 0o600)
  t.match(await pki(join(top, 'file'), 'init'), {
    status: 1,
    stderr: /FILE_NOT_WRITTEN|FILE_UNREADABLE/,
  })
  const real = await asProcess(['pki', 'verify', 'x', '--dir', join(top, 'x')])
  t.match(real, { status: 1, stderr: /FILE_UNREADABLE: cannot read .*x\.crt\.pem/ })
})

test('docs/pki.md runs as it stands', requires('bash', 'openssl'), (t) => {
  const cwd = temporary(t)
  const command = `${process.execPath} ${TOP}packages/cli/bin/sapwood.js`
  const env = { PATH: process.env.PATH, EASYRSA_BATCH: '1' }
  for (const block of codeBlocks('docs/pki.md')) {
    // easy-rsa is only for those who have it; what it makes is what openssl makes
    if (block.language !== 'sh' || block.words.includes('easyrsa')) continue
    const script = block.text.replaceAll('npx sapwood', command)
    const { status, stderr } = spawnSync('bash', ['-e', '-c', script], { cwd, env })
    t.equal(status, 0, `${placeOf(block)}: ${stderr}`)
  }
  t.end()
})
