import { once } from 'node:events'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { environmentName, SETTINGS } from 'sapwood'
import { test } from 'tap'
import { Authority } from '../net/certificates.ts'
import { inProcess } from './command.ts'

test('the first help fits a terminal, names every command and has examples', async (t) => {
  const { status, stdout, stderr } = await inProcess(['--help'])
  t.equal(status, 0)
  t.equal(stderr, '')
  const lines = stdout.split('\n')
  t.ok(lines.length <= 40, `${lines.length} lines`)
  for (const line of lines) t.ok(line.length <= 80, line)
  for (const command of ['dev', 'hub', 'pub', 'sub', 'ask', 'config']) {
    t.match(stdout, new RegExp(`^  ${command}\\b`, 'm'))
    t.equal((await inProcess([command, '--help'])).status, 0, command)
  }
  t.match(stdout, 'sapwood pub rooms/lobby \'{"text":"hello"}\'')
})

test('the help of a command has defaults and environment names', async (t) => {
  const help = async (...command: string[]): Promise<string> =>
    (await inProcess([...command, '--help'])).stdout.replace(/\s+/g, ' ')
  const hub = await help('hub')
  const pipe = (await help('pipe', 'server')) + (await help('pipe', 'client'))
  for (const { key, flag } of SETTINGS) {
    if (flag === undefined) continue
    const text = key.startsWith('pipe.') ? pipe : hub
    t.match(text, flag)
    t.match(text, `env: ${environmentName(key)}`)
  }
  t.match(hub, 'default: 8787')
  t.match(await help('pipe', 'server'), 'default: 127.0.0.1:8788, env: SAPWOOD_PIPE_HTTP')
  const client = await help('pipe', 'client')
  t.match(client, 'default: 127.0.0.1:8790, env: SAPWOOD_PIPE_HTTP')
  t.match(client, 'default: none, env: SAPWOOD_PIPE_NAME')
  const pub = (await inProcess(['pub', '--help'])).stdout.replace(/\s+/g, ' ')
  t.match(pub, 'default: http://127.0.0.1:8787, env: SAPWOOD_URL')
  t.match(pub, 'env: SAPWOOD_KEY')
})

test('the version names package, Node and protocol', async (t) => {
  const { status, stdout } = await inProcess(['--version'])
  t.equal(status, 0)
  t.match(stdout, /^sapwood \d+\.\d+\.\d+, Node v\d+.*, protocol sapwood\.v1\n$/)
})

test('wrong usage is told on stderr with a code and the next step, and the status is 2', async (t) => {
  const cases: readonly (readonly [args: string[], told: RegExp])[] = [
    [
      ['pubb'],
      /USAGE_INVALID: unknown command 'pubb'; did you mean pub\?\n {2}see: sapwood --help/,
    ],
    [
      ['hub', '--prot', '1'],
      /unknown option '--prot'; did you mean --port\?\n {2}see: sapwood hub --help/,
    ],
    [['pub'], /missing required argument 'path'/],
    [['dev', 'extra'], /too many arguments/],
    [['config'], /USAGE_INVALID/],
    [['sub', 'a', '--transport', 'pigeon'], /Allowed choices are ws, sse, poll/],
    [['sub', 'a//b'], /the pattern "a\/\/b" has an empty segment/],
    [['sub', 'a', '--count', '0'], /--count: "0" is no number of messages/],
    [['pub', 'a/**', 'x'], /the path "a\/\*\*" has a wildcard/],
    [['pub', '::connect', 'x'], /names no place for messages/],
    [
      ['pub', 'a', 'x', '--url', 'nonsense'],
      /--url: "nonsense" is no http:\/\/ or https:\/\/ address/,
    ],
    [['ask', 'no/name', 'time'], /USAGE_INVALID/],
    [['ask', 'name', 'time', '..'], /USAGE_INVALID/],
    [['ask', 'name', 'time', '--timeout', 'soon'], /--timeout: "soon"/],
    [['ask', 'name', 'time', '--timeout', '1000h'], /--timeout: "1000h" .*\n {2}.*24h at most/],
    [['ask', 'name', 'time', '--verb', 'G ET'], /--verb: "G ET" is no verb/],
    [['pub', 'a', 'x', '--key', 'k\u20ac'], /no header can carry this key/],
  ]
  for (const [args, told] of cases) {
    const { status, stdout, stderr } = await inProcess(args)
    t.equal(status, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, told)
    t.notMatch(stderr, /^\s+at /m, 'no stack trace')
  }
  const nothing = await inProcess([])
  t.equal(nothing.status, 2)
  t.match(nothing.stderr, 'Usage: sapwood')
  const variable = await inProcess(['pub', 'a', 'x'], { SAPWOOD_URL: 'ftp://x' })
  t.match(variable, { status: 2, stderr: /SAPWOOD_URL: "ftp:\/\/x"/ })
})

test('a hub to which nobody could publish does not start', async (t) => {
  const silent = await inProcess(['hub', '--public', 'news/**'])
  t.match(silent, { status: 2, stderr: /^sapwood: NOBODY_CAN_PUBLISH: .*\n {2}give it a key/ })
  const mistaken = await inProcess(['hub'], { SAPWOOD_KEY: 'k' })
  t.match(mistaken.stderr, 'SAPWOOD_KEY is for pub, sub and ask')
  const reader = '[{"who":"anyone","may":["subscribe","ask","answer","control"],"path":"**"}]'
  t.match(await inProcess(['hub'], { SAPWOOD_GATE_RULE: reader }), {
    status: 2,
    stderr: /NOBODY_CAN/,
  })
})

test('wrong settings keep a hub from starting, all of them at once', async (t) => {
  const { status, stderr } = await inProcess(
    ['hub', '--key', 'k', '--port', 'x', '--set', 'poll.hold=1h', '--set', 'pol.hold=1'],
    { SAPWOOD_HISTORY_AGE: '1s' },
  )
  t.equal(status, 2)
  t.match(stderr, /^sapwood: CONFIG_INVALID: /)
  t.match(stderr, '--port: hub.port must be a whole number')
  t.match(stderr, '--set: pol.hold is no setting; did you mean poll.hold?')
  t.match(
    stderr,
    'SAPWOOD_HISTORY_AGE: history.age 1s is shorter than session.expire 60s (default)',
  )
})

test('dev listens on loopback only, whatever the settings say', async (t) => {
  const { status, stderr } = await inProcess(['dev', '--port', '0'], {
    SAPWOOD_HUB_HOST: '0.0.0.0',
  })
  t.equal(status, 2)
  t.match(stderr, /DEV_NOT_LOOPBACK: SAPWOOD_HUB_HOST: .*0\.0\.0\.0/)
})

test('config init writes a file for its owner only, once; config check finds it in order', async (t) => {
  const file = join(t.testdir(), 'sapwood.toml')
  const made = await inProcess(['config', 'init', file])
  t.match(made, { status: 0, stderr: '' })
  t.match(made.stdout, `sapwood hub --config ${file}`)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  const text = await readFile(file, 'utf8')
  t.match(text, /^key = \["[A-Za-z0-9_-]{32}"\]$/m)
  t.match(await inProcess(['config', 'init', file]), { status: 1, stderr: /FILE_EXISTS/ })
  t.equal(await readFile(file, 'utf8'), text, 'it is not overwritten')
  t.match(await inProcess(['config', 'check', file]), { status: 0, stdout: /is in order/ })
  t.match(await inProcess(['config', 'init', '-']), { status: 0, stdout: /^# Settings/ })
  const nowhere = join(t.testdirName, 'none', 'sapwood.toml')
  t.match(await inProcess(['config', 'init', nowhere]), { status: 1, stderr: /FILE_NOT_WRITTEN/ })
})

test('config check tells all problems with file and line', async (t) => {
  const file = join(t.testdir(), 'bad.toml')
  await writeFile(file, '[poll]\nhodl = 1\nbundle = "x"\n')
  const { status, stderr } = await inProcess(['config', 'check', file])
  t.equal(status, 2)
  t.match(stderr, `${file}:2: poll.hodl is no setting; did you mean poll.hold?`)
  t.match(stderr, `${file}:3: poll.bundle must be a duration`)
  t.match(await inProcess(['config', 'check', `${file}.none`]), {
    status: 2,
    stderr: /CONFIG_UNREADABLE/,
  })
})

test('config show tells every value and its origin, and no key', async (t) => {
  const directory = t.testdir()
  await mkdir(directory, { recursive: true })
  const file = join(directory, 'a.toml')
  await writeFile(file, '[poll]\nhold = "7s"\n')
  const env = { SAPWOOD_HUB_KEY: 'planted-secret', SAPWOOD_ASK_WAIT: '3s', SAPWOOD_CONFIG: file }
  const text = await inProcess(['config', 'show', '--set', 'log.level=warn'], env)
  t.equal(text.status, 0)
  t.match(text.stdout, /^poll\.hold = "7s" +# .*a\.toml:2$/m)
  t.match(text.stdout, /^ask\.wait = "3s" +# SAPWOOD_ASK_WAIT$/m)
  t.match(text.stdout, /^log\.level = "warn" +# --set$/m)
  t.equal(text.stdout.trimEnd().split('\n').length, SETTINGS.length)
  const json = await inProcess(['config', 'show', '--config', file, '--json'], env)
  t.strictSame(JSON.parse(json.stdout)['poll.hold'], { value: '7s', origin: `${file}:2` })
  t.notMatch(text.stdout + json.stdout, 'planted-secret')
})

test('a hub that is not there is told with the next step', async (t) => {
  for (const args of [
    ['pub', 'a', '1'],
    ['ask', 'a', 'b'],
    ['sub', 'a'],
  ]) {
    const { status, stderr } = await inProcess([...args, '--url', 'http://127.0.0.1:9'])
    t.equal(status, 1)
    t.match(
      stderr,
      /^sapwood: HUB_UNREACHABLE: nothing listens at http:\/\/127\.0\.0\.1:9\n {2}start one with: sapwood dev/,
    )
  }
})

test('a certificate that nobody here trusts is told with the next step', async (t) => {
  const authority = new Authority()
  t.teardown(() => authority.close())
  const { key, cert } = authority.issue('hub.example.org')
  const server = createServer({ key, cert }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const args of [
    ['pub', 'a', '1'],
    ['sub', 'a'],
  ]) {
    const { status, stderr } = await inProcess([...args, '--url', url])
    t.equal(status, 1)
    t.match(stderr, `HUB_UNREACHABLE: the certificate of ${url} is not trusted: unable to verify`)
    t.match(stderr, 'NODE_EXTRA_CA_CERTS=FILE')
  }
})

test('https at a port without TLS is told with the next step', async (t) => {
  const server = createPlainServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { status, stderr } = await inProcess(['pub', 'a', '1', '--url', url])
  t.equal(status, 1)
  t.equal(
    stderr,
    `sapwood: HUB_UNREACHABLE: what listens at ${url} speaks no TLS\n  write http:// for it, or give the hub a certificate: --tls-cert FILE --tls-key FILE\n`,
  )
})
