/** The pipe as its users meet it: `sapwood pipe server` and `client`, and curl. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { raiseForCode } from '@sapwood/client'
import { test } from 'tap'
import { type CodeBlock, codeBlocks, placeOf, TOP } from '../docs/code-blocks.ts'
import { Likeness } from '../docs/likeness.ts'
import { Terminal, until } from '../docs/terminal.ts'
import { temporary } from '../pipe/openssl.ts'
import { requires } from '../requires.ts'
import { inProcess, startProcess } from './command.ts'
import { freePort } from './free-port.ts'
import {
  type Flags,
  type Got,
  get,
  identities,
  pause,
  QUIET,
  type Running,
  startClient,
  startServer,
} from './pipe-process.ts'

const run = promisify(execFile)

test(
  'scenarios 1 to 4: the four curl lines of RestPipe, as typed, both ways (RP-01 to RP-03, RP-11, RP-32)',
  requires('curl'),
  async (t) => {
    const dir = await identities(t, 'server', 'localhost')
    const named = (name: string): Flags => ['--front-host', name]
    const server = await startServer(t, dir, named('rpserver.local'), {}, startProcess)
    const flags = named('rpclient.local')
    const client = await startClient(t, dir, server.pipe, 'localhost', flags, {}, startProcess)
    const curl = async (...args: Flags): Promise<string> => {
      const to = (name: string, { url }: Running): Flags => {
        return ['--connect-to', `${name}:80:${new URL(url).host}`]
      }
      const known = [...to('rpserver.local', server), ...to('rpclient.local', client)]
      return (await run('curl', ['-s', ...known, ...args])).stdout
    }
    const time = await curl('-i', 'http://rpclient.local/server/time')
    t.match(time, /^HTTP\/1\.1 200 OK\r\n/)
    t.match(time, /^x-event-return-code: 0\r$/im)
    t.match(time, /^content-type: application\/json\r$/im)
    t.match(time, /^\{"time_from_server":\d{10}\.\d+\}$/m)
    const back = await curl('http://rpserver.local/client/localhost/time')
    t.match(back, /^\{"time_from_client":\d{10}\.\d+\}$/)
    t.equal(
      await curl('http://rpclient.local/server/cat//hello%20/world'),
      '{"result_from_server":"hello world"}',
    )
    t.equal(
      await curl('http://rpserver.local/client/localhost/cat//hello%20/world'),
      '{"result_from_client":"hello world"}',
    )
    t.match(await curl('http://rpclient.local/server/cat//a/'), '"a"', 'empty arguments are kept')
    const env = { PATH: process.env.PATH, http_proxy: server.url }
    const proxied = await run('curl', ['-s', 'http://localhost/cat//a/b'], { env })
    t.equal(proxied.stdout, '{"result_from_client":"ab"}', 'in proxy form')
    const foreign = await curl('-H', 'Host: evil.example', 'http://rpclient.local/server/time')
    t.match(foreign, /HOST_FOREIGN/)

    const nope = await get(`${client.url}/server/nope`)
    t.match(nope, { status: 404, code: '255', body: '' }, 'scenario 5')
    const answer = await raiseForCode(await fetch(`${client.url}/server/time`))
    t.type((await answer.json()).time_from_server, 'number')
    const raised = raiseForCode(await fetch(`${client.url}/server/nope`))
    await t.rejects(raised, { code: 'ANSWER_NOT_ZERO', message: /code 255/ })
    const metrics = await get(`${server.url}/metrics`)
    t.match(metrics.type, 'text/plain; version=0.0.4')
    t.match(metrics.body, /^sapwood_pipe_peers 1$/m)
    t.match(metrics.body, /^sapwood_pipe_front_requests_total \d$/m)
    t.match(metrics.body, /^sapwood_pipe_handler_seconds_count\{handler="get_time"\} \d$/m)
    t.match(await get(`${client.url}/health/ready`), { status: 200, body: '{"status":"ready"}' })
    t.match(await get(`${client.url}/nothing`), { status: 404, type: 'application/problem+json' })
    for (const each of [client, server]) {
      const { status, stderr } = await each.process.stop()
      t.same([status, stderr], [0, ''])
    }
    t.match(server.process.stdout, /"peer":"localhost".*"msg":"not connected any more"/)
  },
)

const HANDLERS = `
export function get_csv() { return ['text/csv', 7, 'a,b'] }
export function get_broken() { throw new RangeError('no such thing') }
export function put_json(context, [type, data]) { return { peer: context.peer, type, got: data } }
export function post_bytes(context, [type, data]) { return [type, 0, data] }
export async function post_count(context, [, body]) {
  let bytes = 0
  for await (const chunk of body) bytes += chunk.length
  return { bytes }
}
post_count.stream = true
export function get_slow(context) {
  return new Promise((resolve) => context.signal.addEventListener('abort', resolve))
}
export function get_nap(context, data, ms) {
  return new Promise((resolve) => setTimeout(resolve, Number(ms), 'rested'))
}
export default { 'GET own/name': () => 'by table' }
`

test('scenarios 5, 6, 11, 12: handlers of a module, and what goes wrong in them (RP-10 to RP-16)', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const file = join(dir, 'handlers.mjs')
  writeFileSync(file, HANDLERS)
  const rules = [
    { peer: 'al*', method: 'get' },
    { path: 'bytes', body: '4B' },
  ]
  const server = await startServer(t, dir, ['--handlers', file, '--set', 'pipe.traceback=true'], {
    SAPWOOD_PIPE_RULE: JSON.stringify(rules),
  })
  const client = await startClient(t, dir, server.pipe, 'alpha', ['--handlers', file])
  const at = `${server.url}/client/alpha`
  t.match(await get(`${at}/csv`), { status: 200, code: '7', type: 'text/csv', body: 'a,b' })
  t.match(await get(`${at}/own/name`), { code: '0', body: '"by table"' })
  const broken = await get(`${at}/broken`)
  t.match(broken, { status: 500, code: '251' })
  t.strictSame(JSON.parse(broken.body), {
    exception: { message: 'no such thing', class: 'RangeError' },
  })
  const own = `${client.url}/server`
  const traced = await get(`${own}/broken`)
  t.match(traced.body, /"traceback":"RangeError: no such thing\\n .*handlers\.mjs:3/)
  const put = await get(`${own}/json`, { method: 'PUT', body: '{}' })
  t.match(put, { status: 403, code: '249', body: /NOT_ALLOWED/ }, 'no rule says that')
  t.match(await get(`${own}/bytes`, { method: 'POST', body: 'four' }), {
    status: 200,
    body: 'four',
  })
  const long = await get(`${own}/bytes`, { method: 'POST', body: 'five!' })
  t.match(long, { status: 413, body: /BODY_TOO_LARGE/ })
  const typed = { 'Content-Type': 'application/json; charset=utf-8' }
  const json = await get(`${at}/json`, { method: 'PUT', body: '{"a":[1]}', headers: typed })
  t.strictSame(JSON.parse(json.body), {
    peer: 'server',
    type: 'application/json',
    got: { a: [1] },
  })
  const malformed = await get(`${at}/json`, { method: 'PUT', body: '{"a":', headers: typed })
  t.match(malformed, { status: 400, code: '251', body: /BODY_INVALID/ })
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  const response = await fetch(`${at}/bytes`, {
    method: 'POST',
    body: bytes,
    headers: { 'Content-Type': 'application/octet-stream' },
  })
  t.equal(response.headers.get('content-type'), 'application/octet-stream')
  t.same(new Uint8Array(await response.arrayBuffer()), bytes, 'byte for byte (W10)')
  const large = await get(`${at}/count`, { method: 'POST', body: new Uint8Array(20_000_000) })
  t.match(large, { status: 200, body: '{"bytes":20000000}' }, 'RP-44: any size streams')
  t.match(await get(`${at}/constructor`), { status: 404, code: '255' }, 'W12')
  // W5: who sleeps stalls nobody
  const nap = get(`${at}/nap//700`)
  const before = performance.now()
  t.match(await get(`${at}/csv`), { code: '7' })
  t.ok(performance.now() - before < 600)
  t.match(await nap, { body: '"rested"' })
  const late = await get(`${at}/slow?timeout=300ms`)
  t.match(late, { status: 504, code: '253', body: /ANSWER_TIMEOUT/ })
  // W6: whoever waits hears of it when the other end is gone
  const lost = get(`${at}/slow?timeout=8s`)
  await pause(100)
  const stopping = client.process.stop()
  await client.process.says(/"msg":"stopping"/)
  await pause(150)
  client.process.signal('SIGTERM')
  t.match(await lost, { status: 502, code: '254' }, 'at once, after a clean close')
  t.match(await stopping, { status: 0 })
  t.match(await get(`${at}/csv?wait=0`), { status: 503, code: '252', body: /CLIENT_ABSENT/ })
  t.match(await server.process.stop(), { status: 0 })
})

test('a stop lets what is open be answered, at either end, and takes nothing new', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const file = join(dir, 'handlers.mjs')
  writeFileSync(file, HANDLERS)
  const server = await startServer(t, dir)
  const client = await startClient(t, dir, server.pipe, 'alpha', ['--handlers', file])
  const nap = (): Promise<Got> => get(`${server.url}/client/alpha/nap//600?wait=10s`)
  t.match(await nap(), { body: '"rested"' })
  const answering = nap()
  await pause(200)
  const [answered, left] = await Promise.all([answering, client.process.stop()])
  t.match([answered, left], [{ status: 200, body: '"rested"' }, { status: 0 }])
  t.match(await get(`${server.url}/client/alpha/csv?wait=0`), { status: 503 })
  const again = await startClient(t, dir, server.pipe, 'alpha', ['--handlers', file])
  t.match(await nap(), { status: 200 })
  const asking = nap()
  await pause(200)
  const [asked, stopped] = await Promise.all([asking, server.process.stop('SIGINT')])
  t.match(
    [asked, stopped],
    [
      { status: 200, body: '"rested"' },
      { status: 0, stderr: '' },
    ],
  )
  await again.process.stop()
})

test('RP-33 to RP-36: what cannot be is told before anything listens, with place and next step', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const empty = join(dir, 'empty.mjs')
  writeFileSync(empty, 'export const a = 1')
  const cases: readonly (readonly [Flags, number, RegExp])[] = [
    [['client'], 2, /pipe\.name is missing.*\n {2}say who it is: --name NAME/],
    [['client', '--name', 'a/b'], 2, /--name: pipe\.name must be a name like fileserver/],
    [['client', '--name', 'a', '--server', 'b'], 2, /--server: pipe\.server "b" is no HOST:PORT/],
    [['server', '--listen', '1'], 2, /--listen: pipe\.listen must be an address/],
    [['server', '--listen', 'unix:/x'], 2, /--listen: pipe\.listen is a path/],
    [['server', '--target', 'ftp://x'], 2, /--target: pipe\.target must be an address like http:/],
    [['server', '--handlers', '/no/such.mjs'], 2, /HANDLERS_UNREADABLE/],
    [['server', '--handlers', empty], 2, /HANDLERS_INVALID/],
    [['server', '--hooks', empty], 2, /--hooks: pipe\.hooks has no hook\n {2}export one of conn/],
    [['server', '--hooks', '/no/such.mjs'], 2, /--hooks: pipe\.hooks: cannot load/],
    [['server', '--resolver', empty], 2, /--resolver: pipe\.resolver has no function lookup/],
    [
      ['server', '--set', 'pipe.rule=[{"peer":"a","size":1}]'],
      2,
      /pipe\.rule 0\.size is not known/,
    ],
    [['server', '--http', '0.0.0.0:0', '--listen', '127.0.0.1:0'], 2, /FRONT_OPEN: 0\.0\.0\.0:0/],
    [['server', '--name', 'nobody'], 1, /FILE_MISSING/],
    [['sever'], 2, /USAGE_INVALID: unknown command 'sever'/],
    [[], 2, /USAGE_INVALID: pipe needs to know what to do/],
  ]
  for (const [args, status, expected] of cases) {
    const outcome = await inProcess(['pipe', ...args], { ...QUIET, SAPWOOD_PIPE_DIR: dir })
    t.equal(outcome.status, status, `${args.join(' ')}: ${outcome.stderr}`)
    t.match(outcome.stderr, expected)
  }
  const help = (await inProcess(['pipe', 'client', '--help'])).stdout.replace(/\s+/g, ' ')
  for (const flag of ['--dir', '--name', '--server', '--server-name', '--http', '--handlers']) {
    t.match(help, `${flag} <`)
  }
  t.match(help, /--join <token>.*--target <url>.*--hooks <file>.*--key <key>/)
  t.match(help, 'env: SAPWOOD_PIPE_JOIN')
  const shown = await inProcess(['config', 'show'], { SAPWOOD_PIPE_JOIN: 'sapwood-join-x' })
  t.match(shown.stdout, /^pipe\.join = "\*{8}" +# SAPWOOD_PIPE_JOIN$/m)
  t.notMatch(shown.stdout, 'sapwood-join-x')
  const port = createServer().listen(0, '127.0.0.1')
  await once(port, 'listening')
  t.teardown(() => port.close())
  const taken = `127.0.0.1:${(port.address() as { port: number }).port}`
  for (const flag of ['--listen', '--http']) {
    const other = flag === '--listen' ? '--http' : '--listen'
    const args = ['pipe', 'server', '--dir', dir, flag, taken, other, '127.0.0.1:0']
    t.match(await inProcess(args, QUIET), { status: 1, stderr: /PORT_IN_USE/ })
  }
})

/** Where the page's addresses are in this test. */
const SHOWN = {
  pipe: '127.0.0.1:8789',
  server: '127.0.0.1:8788',
  client: '127.0.0.1:8790',
  hub: '127.0.0.1:8787',
}

test('docs/pipe.md runs as it stands', requires('bash', 'curl'), async (t) => {
  const top = temporary(t)
  symlinkSync(`${TOP}node_modules`, join(top, 'node_modules'))
  const here = {
    pipe: await freeAddress(),
    server: await freeAddress(),
    client: await freeAddress(),
    hub: await freeAddress(),
  }
  const likeness = new Likeness({
    [SHOWN.pipe]: here.pipe,
    [SHOWN.server]: here.server,
    [SHOWN.client]: here.client,
    [SHOWN.hub]: here.hub,
  })
  const env = (http: string): Record<string, string> => ({
    ...QUIET,
    SAPWOOD_PIPE_LISTEN: here.pipe,
    SAPWOOD_PIPE_SERVER: here.pipe,
    SAPWOOD_PIPE_HTTP: http,
    SAPWOOD_HUB_PORT: here.hub.slice(here.hub.indexOf(':') + 1),
  })
  const command = `${process.execPath} ${TOP}packages/cli/bin/sapwood.js`
  const input = ({ text }: CodeBlock): string =>
    `cd ${top}\n${likeness.meant(text).replaceAll('npx sapwood', command)}\n`
  const open = new Map<string, Terminal>()
  const stays = async (block: CodeBlock, name: string, http: string): Promise<void> => {
    await open.get(name)?.stop()
    // as the page says
    if (name === 'hub') await open.get('server')?.stop()
    const terminal = new Terminal(t, input(block), env(http))
    open.set(name, terminal)
    await until(`${placeOf(block)} is connected`, () => {
      if (terminal.isOver) throw new Error(`${placeOf(block)}: ${terminal.stderr}`)
      const listens = name === 'server' || name === 'hub'
      return terminal.stdout.includes(listens ? '"msg":"ready"' : '"msg":"connected"')
    })
  }
  let printed = ''
  for (const block of codeBlocks('docs/pipe.md')) {
    const [word = '', name = ''] = block.words
    if (block.language === 'sh' && word === 'stays') {
      await stays(block, name, name === 'server' ? here.server : here.client)
    } else if (block.language === 'sh' && word === 'join') {
      await stays(block, 'laptop', 'none')
    } else if (block.language === 'sh') {
      const ended = await new Terminal(t, input(block), env('none')).end()
      t.equal(ended.status, 0, `${placeOf(block)}: ${ended.stderr}`)
      printed = ended.stdout
    } else if (block.language === 'text') {
      t.ok(likeness.agrees(block.text, printed.trimEnd()), `${placeOf(block)}: ${printed}`)
    } else if (word.startsWith('file=')) {
      writeFileSync(join(top, word.slice('file='.length)), block.text)
    } else if (block.language === 'js') {
      const heredoc = `${process.execPath} --input-type=module - <<'END'\n${block.text}\nEND`
      const ended = await new Terminal(t, input({ ...block, text: heredoc }), {}).end()
      t.equal(ended.status, 0, `${placeOf(block)}: ${ended.stderr}`)
      printed = ended.stdout
    } else if (block.language === 'toml') {
      writeFileSync(join(top, 'rules.toml'), block.text)
      t.match(await inProcess(['config', 'check', join(top, 'rules.toml')]), { status: 0 })
    }
  }
  for (const file of ['hooks.mjs', 'resolver.mjs']) t.ok(await import(join(top, file)))
  for (const terminal of open.values()) await terminal.stop()
})

async function freeAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`
}
