/** The line form as a user meets it: `sapwood hub --line` and `dev --line`, spoken to by nc, socat and curl. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { type Test, test } from 'tap'
import { Authority } from '../net/certificates.ts'
import { requires } from '../requires.ts'
import { inProcess, Started, start } from './command.ts'
import { freePort } from './free-port.ts'

/** Runs a program with these lines as its input; what it prints is in `stdout`. */
function speak(t: Test, [program = '', ...args]: readonly string[]): Speaker {
  const child = spawn(program, args)
  t.teardown(() => child.kill('SIGKILL'))
  child.stdin.on('error', () => undefined)
  return new Speaker(child)
}

class Speaker {
  readonly #program: Started
  readonly #input: Writable

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#program = Started.process(child)
    this.#input = child.stdin
  }

  get stdout(): string {
    return this.#program.stdout
  }

  says(pattern: RegExp, where?: 'stdout' | 'stderr'): Promise<RegExpExecArray> {
    return this.#program.says(pattern, where)
  }

  say(text: string): this {
    this.#input.write(text)
    return this
  }

  /** What it printed up to its end, when it has no more to say. */
  async end(): Promise<string> {
    this.#input.end()
    return (await this.#program.ended).stdout
  }
}

interface Ready {
  readonly url: string
  readonly listen: { readonly line: string }
}

async function ready(process: Started): Promise<Ready> {
  const [line] = await process.says(/^.*"msg":"ready".*$/m)
  return JSON.parse(line)
}

/** Netcat to an address `HOST:PORT`; over TCP it says when it has no more to say. */
function netcat(t: Test, address: string, ...flags: readonly string[]): Speaker {
  const [host = '', port = ''] = address.split(':')
  return speak(t, ['nc', ...flags, host, port])
}

const KEY = { authorization: 'Bearer s3cret' }

test(
  'hub --line: publish, subscribe and receive with nc, over TCP and UDP',
  requires('nc'),
  async (t) => {
    const line = ['--line', '127.0.0.1:0']
    const hub = start(t, ['hub', '--port', '0', '--key', 's3cret', '--public', 'open/**', ...line])
    const { url, listen } = await ready(hub)
    t.match(listen.line, /^127\.0\.0\.1:\d+$/)
    const follower = netcat(t, listen.line).say('::key;s3cret\n::hello; desk\n::connect;open/**\n')
    await follower.says(/^::hello; \S+\n::connected; open\/\*\*\n$/)
    const clients = await (await fetch(`${url}/client`, { headers: KEY })).json()
    t.match(clients, [{ name: 'desk', transport: 'line', patterns: ['open/**'] }])
    const publisher = netcat(t, listen.line, '-N')
    publisher.say('open/1;no\n::key;s3cret\nopen/1;two words\r\nUPDATE open/2; {"a": 1}\nopen/3')
    t.match(await publisher.end(), /^::error; NOT_ALLOWED anyone may not publish open\/1[^\n]*\n$/)
    await follower.says(/open\/1; two words\nopen\/2; \{"a":1\}\nopen\/3; \n$/)
    netcat(t, listen.line, '-u').say('::key;s3cret\nopen/4;by UDP\nopen/5;as well')
    await follower.says(/open\/4; by UDP\nopen\/5; as well\n$/)
    const sensor = netcat(t, listen.line, '-u').say('::hello; sensor-1\n')
    const [, cookie] = await sensor.says(/^::hello; (\S+)\n/)
    sensor.say(`::hello; sensor-1 ${cookie}\n::connect;open/*\n`)
    await sensor.says(/^::connected; open\/\*\n/m)
    await fetch(`${url}/update/open/6`, { method: 'PUT', body: 'to all', headers: KEY })
    await sensor.says(/^open\/6; to all\n/m)
    await follower.says(/^open\/6; to all\n/m)
    const browser = await fetch(`http://${listen.line}/open/7`).catch(({ cause }) => cause)
    t.match(browser, { code: 'UND_ERR_SOCKET' }, 'a browser is not answered')
    const metrics = await (await fetch(`${url}/metrics`, { headers: KEY })).text()
    t.match(metrics, /^sapwood_faults_total\{code="HTTP_ON_LINE_PORT"\} 1$/m)
    const { status, stdout, stderr } = await hub.stop()
    t.equal(status, 0)
    t.notMatch(stdout + stderr, 's3cret')
    t.match(await follower.end(), /::bye; \{"reason":"drain"/)
  },
)

test(
  'hub --line unix:PATH: rules for anyone, and nobody needs a key',
  requires('socat'),
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'line-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'line.sock')
    const file = join(folder, 'sapwood.toml')
    const rules = [
      ['anyone', '["publish", "subscribe"]', 'open/**'],
      ['key:*', '["control"]', '**'],
      ['cert:alpha', '["publish"]', 'alpha/**'],
    ].map(([who, may, path]) => `[[gate.rule]]\nwho = "${who}"\nmay = ${may}\npath = "${path}"\n`)
    writeFileSync(
      file,
      `[hub]\nport = 0\nline = "unix:${path}"\n[line]\nlength = "20B"\n${rules.join('')}`,
    )
    t.match(await inProcess(['config', 'check', file]), { status: 0 })
    const hub = start(t, ['hub', '--config', file])
    t.same((await ready(hub)).listen, { line: `unix:${path}` })
    t.equal(statSync(path).mode & 0o777, 0o660)
    const client = speak(t, ['socat', '-t5', '-', `UNIX-CONNECT:${path}`])
    client.say('::connect;open/*\nopen/1;12345678901234\nopen/1;1\nalpha/1;no\n')
    await client.says(
      /^::connected; open\/\*\n::error; LINE_TOO_LONG [^\n]* 20 bytes[^\n]*\nopen\/1; 1\n::error; NOT_ALLOWED anyone [^\n]*\n$/,
    )
    t.equal(await client.say('::exit\n').end(), client.stdout)
    await hub.stop()
    t.notOk(existsSync(path), 'a socket does not outlive its hub')
  },
)

test(
  'over TLS, on its own port and on the port of the hub, a certificate names who speaks',
  requires('openssl', 'nc'),
  async (t) => {
    const authority = new Authority()
    t.teardown(() => authority.close())
    const server = authority.issue('server')
    const alpha = authority.issue('alpha')
    const env = {
      SAPWOOD_HUB_PUBLIC: '**',
      SAPWOOD_GATE_RULE: '[{"who":"cert:alpha","may":["publish"],"path":"alpha/**"}]',
      SAPWOOD_HUB_TLS_CERT: server.certFile,
      SAPWOOD_HUB_TLS_KEY: server.keyFile,
      SAPWOOD_HUB_TLS_CA: authority.certFile,
    }
    const port = await freePort()
    const hosts = ['--port', `${port}`, '--line']
    for (const address of ['127.0.0.1:0', `127.0.0.1:${port}`]) {
      const hub = start(t, ['hub', ...hosts, address], env)
      const { url, listen } = await ready(hub)
      const follower = netcat(t, listen.line).say('::connect;alpha/*\nalpha/0;no\n')
      await follower.says(/^::connected; alpha\/\*\n::error; NOT_ALLOWED anyone .*\n$/)
      const trust = ['-CAfile', authority.certFile, '-verify_return_error']
      const own = ['-cert', alpha.certFile, '-key', alpha.keyFile]
      const secure = ['openssl', 's_client', '-quiet', '-no_ign_eof', ...trust, ...own]
      const speaker = speak(t, [...secure, '-connect', listen.line])
      await speaker.says(/depth=0/, 'stderr')
      speaker.say('alpha/1;hello\nbeta/1;no\n')
      await speaker.says(/^::error; NOT_ALLOWED cert:alpha may not publish beta\/1/)
      await follower.says(/^alpha\/1; hello\n/m)
      const sender = netcat(t, listen.line, '-u').say(`alpha/2;no${' '.repeat(200)}`)
      await sender.says(/^::error; NOT_ALLOWED anyone may not publish alpha\/2/)
      t.equal((await fetch(`${url}/health/live`)).status, 200)
      t.equal(listen.line === url.slice('http://'.length), address !== '127.0.0.1:0')
      t.equal((await hub.stop()).status, 0)
    }
  },
)

test(
  'dev --line trusts this machine, says where it listens, and shows lines as they come (DB-14)',
  requires('nc'),
  async (t) => {
    const hub = start(t, ['dev', '--port', '0', '--line', 'localhost:0'])
    const [, port = ''] = await hub.says(/^ +lines +\S+:(\d+)$/m)
    const client = netcat(t, `localhost:${port}`, '-N').say(
      'rooms/a%3Bb;{"text": "one\\ntwo"}\nx;1\\\\2\n',
    )
    t.equal(await client.end(), '')
    await hub.says(/^rooms\/a%3Bb; \{"text":"one\\ntwo"\}\nx; 1\\\\2\n/m)
    t.equal((await hub.stop()).status, 0)
  },
)

test('the line in a GET is there where the operator switches it on (DB-13)', async (t) => {
  const flags = ['--key', 's3cret', '--line', '127.0.0.1:0', '--set', 'line.get=true']
  const { listen } = await ready(start(t, ['hub', '--port', '0', ...flags]))
  const target = `http://${listen.line}/${encodeURIComponent('a/b;hello')}`
  const refused = await fetch(target)
  t.equal(refused.status, 401)
  const answer = await fetch(target, { headers: KEY })
  t.same([answer.status, await answer.json()], [200, { sent: true }])
})

test('where lines come in is checked before anything listens', async (t) => {
  const wrong = await inProcess(['hub', '--key', 'k', '--line', '8007'])
  t.match(wrong, {
    status: 2,
    stderr: /--line: hub\.line must be an address like 127\.0\.0\.1:8007/,
  })
  const open = await inProcess(['dev', '--line', '0.0.0.0:8007'])
  t.match(open, { status: 2, stderr: /DEV_NOT_LOOPBACK: --line/ })
  const shown = await inProcess(['config', 'show'], { SAPWOOD_HUB_LINE: '127.0.0.1:8007' })
  t.match(shown.stdout, /^hub\.line = "127\.0\.0\.1:8007" +# SAPWOOD_HUB_LINE$/m)
  t.match((await inProcess(['config', 'show'])).stdout, /^hub\.line = "none" +# default$/m)
  const first = start(t, ['hub', '--port', '0', '--key', 'k', '--line', '127.0.0.1:0'])
  const { listen } = await ready(first)
  const second = await inProcess(['hub', '--port', '0', '--key', 'k', '--line', listen.line])
  t.match(second, { status: 1, stdout: '', stderr: new RegExp(`PORT_IN_USE: .*${listen.line}`) })
})
