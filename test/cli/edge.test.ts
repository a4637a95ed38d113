/** One port for many services, as a user meets it: `[edge]`, `sapwood edge`, `--tls-cert`, and lines on the hub's port. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { Server } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { promisify } from 'node:util'
import { eventually } from '@sapwood/testkit'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { Authority } from '../net/certificates.ts'
import { requires } from '../requires.ts'
import { inProcess, type Started, start, startProcess } from './command.ts'
import { freePort } from './free-port.ts'

const run = promisify(execFile)

interface Ready {
  readonly url: string
  readonly listen: Readonly<Record<string, string>>
}

async function ready(process: Started): Promise<Ready> {
  const [line] = await process.says(/^.*"msg":"ready".*$/m)
  return JSON.parse(line)
}

/** Starts a server of another process, so to speak, on a free port. */
async function served(t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
  })
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

function file(t: Test, name: string, text: string): string {
  const path = join(t.testdirName, name)
  writeFileSync(path, text)
  return path
}

/** What comes back for `text`, up to the end. */
async function said(address: string, text: string): Promise<string> {
  const [host, port] = address.split(':')
  const socket = connect(Number(port), host)
  socket.end(text)
  return Buffer.concat(await socket.toArray()).toString()
}

test(
  'one port serves browsers, curl, a line client, a TLS service and a spliced process at once (SP-01 to SP-09, 4.4 scenarios 1 to 3)',
  requires('curl', 'openssl'),
  async (t) => {
    t.testdir()
    const authority = new Authority()
    t.teardown(() => authority.close())
    const { key, cert } = authority.issue('mail.example.org')
    const pages = createHttpServer((request, response) => {
      response.end(`pages ${request.headers.host} ${request.url}`)
    })
    const secure = createTlsServer({ key, cert }, (socket) => {
      socket.write('secure hello\n')
      socket.pipe(socket)
    })
    const config = file(
      t,
      'hub.toml',
      `[hub]
port = 0
key = "s3cret"
public = "rooms/**"

[edge]
listen = "127.0.0.1:0"

[[edge.route]]
when = { protocol = "http", path = "/google/**" }
to = "tcp://${await served(t, pages)}"
rewrite = { host = "app.internal" }

[[edge.route]]
when = { protocol = "tls", sni = "mail.example.org" }
to = "tcp://${await served(t, secure)}"

[[edge.route]]
when = { bytes = "^own\\\\x00" }
to = "module:${file(t, 'own.mjs', 'export function own(socket) { socket.pipe(socket) }\n')}#own"

[[edge.route]]
when = { protocol = "http" }
to = "hub"

[[edge.route]]
when = { protocol = "line" }
to = "line"
`,
    )
    const hub = start(t, ['hub', '--config', config])
    const { edge = '' } = (await ready(hub)).listen
    const port = Number(edge.split(':')[1])

    const browser = new WebSocket(`ws://${edge}/ws`, 'sapwood.v1')
    const frames: string[] = []
    browser.on('message', (data) => frames.push(String(data)))
    await once(browser, 'open')
    browser.send(JSON.stringify({ path: '::connect', message: 'rooms/**' }))
    const lines = connect(port, '127.0.0.1').setEncoding('utf8')
    let heard = ''
    lines.on('data', (text: string) => {
      heard += text
    })
    lines.write('::key;s3cret\n::connect;rooms/**\n')
    const secured = connectTls({ port, servername: 'mail.example.org', ca: authority.cert })
    secured.setEncoding('utf8')
    const [hello] = await once(secured, 'data')
    t.equal(hello, 'secure hello\n')
    await eventually('the line client is connected', () => heard.includes('::connected; rooms/**'))

    const key1 = ['-s', '-H', 'Authorization: Bearer s3cret']
    const { stdout } = await run('curl', [...key1, '-d', 'hi', `http://${edge}/update/rooms/1`])
    t.match(JSON.parse(stdout), { id: String })
    await eventually('the line client hears it', () => heard.includes('rooms/1; hi\n'))
    await eventually('the browser hears it', () => frames.some((f) => f.includes('rooms/1')))
    lines.write('rooms/2;from a line\n')
    await eventually('the browser hears the line', () => frames.some((f) => f.includes('a line')))
    const spliced = await run('curl', ['-s', `http://${edge}/google/blech`])
    t.equal(spliced.stdout, 'pages app.internal /google/blech')
    t.equal(await said(edge, 'own\0 function'), 'own\0 function')
    secured.write('still here')
    t.equal((await once(secured, 'data'))[0], 'still here')
    t.notOk(browser.readyState > 1 || lines.destroyed, 'all of them are there still')

    browser.terminate()
    lines.destroy()
    secured.destroy()
    t.equal((await hub.stop()).status, 0)
  },
)

test(
  'hub --tls-cert serves TLS and plain on its port, lines too, and a certificate names its holder',
  requires('curl', 'openssl'),
  async (t) => {
    t.testdir()
    const authority = new Authority()
    t.teardown(() => authority.close())
    const { certFile, keyFile } = authority.issue('localhost')
    const port = await freePort()
    const address = `127.0.0.1:${port}`
    const tlsFlags = ['--tls-cert', certFile, '--tls-key', keyFile, '--tls-ca', authority.certFile]
    const flags = ['--port', String(port), '--line', address, '--key', 's3cret', ...tlsFlags]
    const rule = [{ who: 'cert:localhost', may: ['publish'], path: 'desk/**' }]
    const env = { SAPWOOD_GATE_RULE: JSON.stringify(rule) }
    const hub = start(t, ['hub', '--public', 'open/**', ...flags], env)
    const { url, listen } = await ready(hub)
    t.equal(url, `http://${address}`)
    t.same(listen, { line: address })
    const curl = ['-s', '--cacert', authority.certFile, '-H', 'Authorization: Bearer s3cret']
    for (const scheme of ['http', 'https']) {
      const { stdout } = await run('curl', [...curl, '-d', '1', `${scheme}://${address}/update/a`])
      t.match(JSON.parse(stdout), { id: String }, scheme)
    }
    const shown = ['-s', '--cacert', authority.certFile, '--cert', certFile, '--key', keyFile]
    const desk = ['-d', '1', `https://${address}/update/desk/1`]
    t.match(JSON.parse((await run('curl', [...shown, ...desk])).stdout), { id: String })
    const foreign = [...shown, '-H', 'Origin: https://evil.example', ...desk]
    t.match(JSON.parse((await run('curl', foreign)).stdout), { code: 'ORIGIN_FOREIGN' })
    const nobody = await run('curl', ['-s', '--cacert', authority.certFile, ...desk])
    t.match(JSON.parse(nobody.stdout), { code: 'NOT_ALLOWED' })
    const secure = new WebSocket(`wss://${address}/ws`, 'sapwood.v1', { ca: authority.cert })
    await once(secure, 'open')
    secure.terminate()
    t.match(await said(address, '::key;s3cret\n::connect;open/*\nopen/1;x\n'), 'open/1; x\n')
    const line = connectTls({ port, host: '127.0.0.1', ca: authority.cert })
    line.end('::connect;open/*\n')
    t.equal(Buffer.concat(await line.toArray()).toString(), '::connected; open/*\n')
    t.match(await said(address, 'GET\x07 / HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 400 .*HTTP_INVALID/s)
    t.equal((await hub.stop()).status, 0)
  },
)

test('without TLS, an edge or a shared line the hub keeps its plain listener', async (t) => {
  const hub = start(t, ['hub', '--port', '0', '--key', 's3cret'])
  const { url, listen } = await ready(hub)
  t.same(listen, {})
  const answer = await said(url.slice('http://'.length), '\x16\x03\x01\x00\xc8\x01\x00')
  t.match(answer, 'TLS_ON_PLAIN_PORT', 'nobody looks at first bytes but the hub itself')
})

test('sapwood edge shares a port without a hub, and drains (surface 8)', async (t) => {
  t.testdir()
  const echo = createServer((socket) => socket.pipe(socket))
  const to = await served(t, echo)
  const config = file(
    t,
    'edge.toml',
    `[edge]
listen = "127.0.0.1:0"
sniff = { timeout = "200ms" }
otherwise = "tcp://${to}"
[[edge.route]]
when = { protocol = "http", path = "/uploads/**", host = "*.example.org", method = "POST" }
to = "tcp://${to}"
proxy_protocol = "v1"
[[edge.route]]
when = { protocol = "http" }
to = "tcp://127.0.0.1:1"
[drain]
limit = "300ms"
`,
  )
  const edge = startProcess(t, ['edge', '--config', config])
  const { listen } = await ready(edge)
  const address = listen.edge ?? ''
  const request = 'POST /uploads/x HTTP/1.1\r\nHost: a.example.org\r\n\r\nbody'
  const answer = await said(address, request)
  t.match(answer, /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nPOST \/uploads\/x .*body$/s)
  t.match(await said(address, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1.1 502 /)
  const silent = connect(Number(address.split(':')[1]), '127.0.0.1')
  await eventually('who says nothing goes where otherwise says', () => echo.connections !== 0)
  silent.write('late')
  t.equal(String((await once(silent, 'data'))[0]), 'late')
  edge.signal('SIGTERM')
  silent.write('!')
  t.equal(String((await once(silent, 'data'))[0]), '!', 'open splices go on while it drains')
  const [{ status }] = await Promise.all([edge.ended, once(silent, 'close')])
  t.equal(status, 0)
})

test('what is wrong with routes is told with its place and the next step, and nothing starts', async (t) => {
  t.testdir()
  const route = (when: string, to = 'tcp://127.0.0.1:1', rest = '') =>
    `[edge]\nlisten = "127.0.0.1:0"\n[[edge.route]]\nwhen = ${when}\nto = "${to}"\n${rest}`
  const cases: readonly (readonly [string, RegExp])[] = [
    ['[edge]\n', /edge\.listen is missing/],
    [route('{ protocol = "htp" }'), /route number 1: .*no protocol "htp"/],
    [route('{ protocol = "ssh", path = "/x" }'), /`path` belongs to protocol "http"/],
    [route('{ protocol = "any", bytes = "^a" }'), /both `protocol` and `bytes`/],
    [route('{ bytes = "^(?=a)" }'), /edge\.toml:3: edge\.route number 1/],
    [route('{ protocol = "any", color = "red" }'), /no key `color`/],
    [route('{ protocol = "any" }', 'hub'), /"hub" is no service of this process/],
    [route('{ protocol = "any" }', 'line'), /"line" is no service of this process/],
    [route('{ protocol = "any" }', 'pipe'), /"pipe" is no service of this process/],
    [
      route('{ protocol = "any" }', 'http://x'),
      /to: "http:\/\/x" is no target; write hub, line, pipe, tcp:/,
    ],
    [route('{ protocol = "any" }', 'module:./no.mjs#x'), /cannot load \.\/no\.mjs/],
    [
      route('{ protocol = "ssh" }', 'unix:/x', 'rewrite = { host = "a" }'),
      /rewrite: only requests/,
    ],
    [route('{ protocol = "http" }', 'hub', 'proxy_protocol = "v1"'), /proxy_protocol: hub is of/],
    [route('{ protocol = "http" }', 'unix:/x', 'proxy_protocol = "v3"'), /one of v1, v2/],
    ['[edge]\nsniff = { byte = 1 }\n', /is not known here; a table has bytes, timeout/],
    ['[edge]\nsniff = { bytes = 0 }\n', /edge\.sniff bytes must be at least 1/],
    ['[edge]\notherwise = "nobody"\n', /edge\.otherwise must be close, hub/],
  ]
  for (const [text, expected] of cases) {
    const { status, stderr } = await inProcess(['edge', '--config', file(t, 'edge.toml', text)])
    t.equal(status, 2, text)
    t.match(stderr, /CONFIG_INVALID/)
    t.match(stderr, expected)
  }
  const loose = file(t, 'loose.toml', route('{ bytes = "a" }'))
  const checked = await inProcess(['config', 'check', loose])
  t.match(checked, { status: 0, stderr: /warning: .*bytes does not begin with \^/ })
})

test('TLS that cannot be is told before anything listens', async (t) => {
  t.testdir()
  const pem = file(t, 'no.pem', 'nothing')
  const hub = ['hub', '--port', '0', '--key', 'k']
  const lone = await inProcess([...hub, '--tls-cert', pem])
  t.match(lone, { status: 2, stderr: /--tls-cert: hub\.tls_cert needs hub\.tls_key beside it/ })
  const absent = await inProcess([...hub, '--tls-cert', '/no/such', '--tls-key', pem])
  t.match(absent, { status: 2, stderr: /CONFIG_INVALID: --tls-cert: hub\.tls_cert cannot be read/ })
  const broken = await inProcess([...hub, '--tls-cert', pem, '--tls-key', pem])
  t.match(broken, { status: 2, stderr: /TLS_INVALID/ })
  const dev = await inProcess(['dev', '--port', '0', '--set', 'edge.listen=0.0.0.0:0'])
  t.match(dev, { status: 2, stderr: /DEV_NOT_LOOPBACK/ })
  const help = await inProcess(['edge', '--help'])
  t.match(help, { status: 0, stdout: /--config <file>/ })
})
