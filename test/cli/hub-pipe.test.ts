/** `sapwood hub --pipe`: machines and browsers at one hub, by the same URLs (surface 4, 5 and 8). */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from '@sapwood/client'
import type { PipeClient, PipeClientOptions } from '@sapwood/pipe'
import { Authority, pipeClient } from '@sapwood/pipe'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { Authority as WebAuthority } from '../net/certificates.ts'
import { requires } from '../requires.ts'
import { inProcess, type Started, start } from './command.ts'
import { freePort } from './free-port.ts'
import { get, identities, pause, QUIET, startClient } from './pipe-process.ts'

const run = promisify(execFile)
const KEY = { headers: { authorization: 'Bearer key' } }

interface RunningHub {
  readonly process: Started
  readonly url: string
  readonly listen: Readonly<Record<string, string>>
}

async function startHub(t: Test, dir: string, ...flags: string[]): Promise<RunningHub> {
  const own = ['--key', 'key', '--dir', dir]
  const process = start(t, ['hub', '--port', '0', ...own, ...flags], QUIET)
  const [line] = await process.says(/^.*"msg":"ready".*$/m)
  return { process, ...(JSON.parse(line) as { url: string; listen: Record<string, string> }) }
}

function startPiped(t: Test, dir: string, ...flags: string[]): Promise<RunningHub> {
  return startHub(t, dir, '--pipe', '127.0.0.1:0', ...flags)
}

/** Stops it; how long that took, in milliseconds. */
async function stopped({ process }: RunningHub): Promise<number> {
  const since = performance.now()
  process.signal('SIGTERM')
  await process.ended
  return performance.now() - since
}

/** A peer of this process. */
async function peer(
  t: Test,
  dir: string,
  server: string | undefined,
  name: string,
  options: Partial<PipeClientOptions> = {},
): Promise<PipeClient> {
  const pem = (file: string): string => readFileSync(join(dir, `${file}.pem`), 'utf8')
  const client = await pipeClient({
    name,
    server: server ?? '',
    key: pem(`${name}.key`),
    cert: pem(`${name}.crt`),
    ca: pem('ca.crt'),
    ...options,
  })
  t.teardown(() => client.close(0))
  return client
}

async function until(what: string, holds: () => unknown, patience = 5_000): Promise<void> {
  const end = performance.now() + patience
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: never`)
    await pause(10)
  }
}

async function curl(...args: readonly string[]): Promise<string> {
  const auth = ['-H', 'Authorization: Bearer key']
  const { stdout } = await run('curl', ['-s', '--max-time', '20', ...auth, ...args])
  return stdout
}

/** A page with a name at the hub; errors that it is told are kept. */
async function page(t: Test, { url }: RunningHub, name: string) {
  const told: string[] = []
  const client = connect(url, { name, token: 'key' })
  client.on('error', ({ code }) => void told.push(code))
  client.answer('GET who', () => 'a page')
  t.teardown(() => client.close())
  await until(`${name} at the hub`, async () => (await names(url)).includes(name))
  return { client, told }
}

interface Entry {
  readonly questions: number
}

async function names(url: string): Promise<(string | undefined)[]> {
  const list = JSON.parse((await get(`${url}/client`, KEY)).body) as { name?: string }[]
  return list.map((entry) => entry.name)
}

test(
  'curl asks a peer at the hub, and the peer asks the hub, by the four lines of RestPipe (RP-02, RP-03, RP-10)',
  requires('curl'),
  async (t) => {
    const dir = await identities(t, 'server', 'fileserver')
    const hub = await startPiped(t, dir)
    t.match(hub.listen.pipe, /^127\.0\.0\.1:\d+$/)
    const { url } = await startClient(t, dir, hub.listen.pipe ?? '', 'fileserver')
    const asked = `${hub.url}/client/fileserver`
    t.match(await curl(`${asked}/time?wait=10s`), /^\{"time_from_client":\d+/)
    t.equal(await curl(`${asked}/cat//hello%20/world`), '{"result_from_client":"hello world"}')
    t.match(await curl(`${url}/server/time`), /^\{"time_from_server":\d+/)
    t.equal(await curl(`${url}/server/cat//hello%20/world`), '{"result_from_server":"hello world"}')
    // the hub itself goes on to answer under its own name
    t.match(await curl(`${hub.url}/client/hub/time`), /^\{"time_from_server":\d+/)
    const list = JSON.parse(await curl(`${hub.url}/client`)) as Record<string, unknown>[]
    t.match(list, [
      { name: 'fileserver', principal: 'cert:fileserver', transport: 'pipe', connected: true },
    ])
    const metrics = await curl(`${hub.url}/metrics`)
    t.match(metrics, /^sapwood_pipe_peers 1$/m)
    t.match(metrics, /^sapwood_pipe_front_requests_total 2$/m)
    t.match(metrics, /^sapwood_pipe_handler_seconds_count\{handler="get_time"\} 1$/m)
    t.match(metrics, /^sapwood_questions_total \d+$/m)
  },
)

test('the outcomes of asking a peer at the hub: code and status', async (t) => {
  const dir = await identities(t, 'server', 'alpha', 'late')
  const hub = await startPiped(t, dir, '--set', 'ask.wait=150ms')
  const handlers = {
    get_own: () => ['text/plain', 7, 'own'],
    get_teapot: () => ({ status: 418, type: 'text/plain', data: 'short' }),
    get_throws: () => {
      throw new TypeError('no')
    },
    get_never: () => new Promise(() => undefined),
    put_json: (_context: unknown, [, data]: readonly [string, unknown]) => data,
  }
  const rules = [{ path: '*' }, { peer: 'nobody', path: 'secret/**' }]
  const alpha = await peer(t, dir, hub.listen.pipe, 'alpha', { handlers, allow: rules })
  await until('alpha', async () => (await names(hub.url)).includes('alpha'))
  const ask = async (path: string, init: RequestInit = KEY) => {
    const { status, code, type, body } = await get(`${hub.url}/client/${path}`, init)
    return [status, code, type === 'application/problem+json' ? JSON.parse(body).code : body]
  }
  const broken = {
    method: 'PUT',
    headers: { ...KEY.headers, 'content-type': 'application/json' },
    body: '{',
  }
  t.same(await ask('alpha/own'), [200, '7', 'own'])
  t.same(await ask('alpha/teapot'), [418, '0', 'short'])
  t.same(await ask('alpha/secret/x'), [403, '249', 'NOT_ALLOWED'])
  t.same(await ask('alpha/throws'), [
    500,
    '251',
    '{"exception":{"message":"no","class":"TypeError"}}',
  ])
  t.same(await ask('nobody/x'), [404, '252', 'CLIENT_UNKNOWN'])
  t.same(await ask('late/x'), [503, '252', 'CLIENT_ABSENT'], 'named by a certificate here')
  t.same(await ask('alpha/never?timeout=100ms'), [504, '253', 'ANSWER_TIMEOUT'])
  t.same(await ask('alpha/nothing'), [404, '255', ''])
  t.same(await ask('alpha/json', broken), [400, '251', 'BODY_INVALID'])
  t.same(await ask('alpha/own', {}), [401, '249', 'NOT_ALLOWED'])
  const open = ask('alpha/never')
  await until('it', async () => /_front_open 1$/m.test((await get(`${hub.url}/metrics`)).body))
  await alpha.close(0)
  t.same((await open).slice(0, 2), [502, '254'])
  t.same(await ask('alpha/own?wait=50ms'), [503, '252', 'CLIENT_ABSENT'], 'it was here')
  const waiting = ask('late/own?wait=10s')
  await peer(t, dir, hub.listen.pipe, 'late', { handlers })
  t.same(await waiting, [200, '7', 'own'])
})

test(
  'bodies of any size, events and WebSockets pass through the hub to a local server behind a peer',
  requires('curl'),
  async (t) => {
    const MB = 1024 * 1024
    const target = createServer((request, response) => {
      if (request.url === '/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: 1\n\n')
        return void setTimeout(() => response.end('data: 2\n\n'), 20)
      }
      if (request.method === 'GET') return void response.end(Buffer.alloc(20 * MB))
      let size = 0
      request.on('data', (chunk: Buffer) => {
        size += chunk.length
      })
      request.on('end', () => response.end(`${size} ${request.headers.authorization}`))
    })
    const sockets = new (await import('ws')).WebSocketServer({ server: target })
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`got ${data}`)))
    target.listen(0, '127.0.0.1')
    await new Promise((resolve) => target.once('listening', resolve))
    t.teardown(() => {
      target.closeAllConnections()
      target.close()
    })
    const dir = await identities(t, 'server', 'alpha')
    const hub = await startPiped(t, dir)
    const { port } = target.address() as AddressInfo
    await peer(t, dir, hub.listen.pipe, 'alpha', { target: `http://127.0.0.1:${port}` })
    const url = `${hub.url}/client/alpha`
    const upload = `head -c ${20 * MB} /dev/zero | curl -s -T - -H 'Authorization: Bearer key' '${url}/up?wait=10s'`
    t.equal((await run('sh', ['-c', upload])).stdout, `${20 * MB} undefined`)
    t.equal(await curl('-o', '/dev/null', '-w', '%{size_download}', `${url}/down`), `${20 * MB}`)
    t.equal(await curl('-N', `${url}/events`), 'data: 1\n\ndata: 2\n\n')
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket`, KEY)
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    socket.send('this')
    t.equal(String(await new Promise((resolve) => socket.once('message', resolve))), 'got this')
    socket.terminate()
  },
)

test('a page asks a peer over its WebSocket, and so does sapwood ask; a page is asked beside it', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const hub = await startPiped(t, dir, '--public', 'orders/**')
  const handlers = {
    get_sum: (context: { peer: string }, _data: unknown, a: string, b: string) => ({
      sum: Number(a) + Number(b),
      asker: context.peer,
    }),
    post_wait: () => new Promise(() => undefined),
    put_echo: (_context: unknown, data: readonly unknown[]) => data,
  }
  const alpha = await peer(t, dir, hub.listen.pipe, 'alpha', { handlers })
  const { client } = await page(t, hub, 'desk')
  const answer = await client.ask('@alpha/sum', { args: ['2', '3'], timeout: 5_000 })
  t.match(answer, { code: 0, message: { sum: 5, asker: 'server' } })
  await t.rejects(client.ask('@alpha/wait', { verb: 'POST', timeout: 100 }), {
    code: 'ANSWER_TIMEOUT',
  })
  await t.rejects(client.ask('@nobody/x'), { code: 'CLIENT_ABSENT' })
  const asked = await inProcess(['ask', 'alpha', 'sum', '4', '5', '--url', hub.url, '--key', 'key'])
  t.match(asked, { status: 0, stdout: /"sum":9/ })
  const saying = (data: string) => [
    '--verb',
    'PUT',
    '--data',
    data,
    '--url',
    hub.url,
    '--key',
    'key',
  ]
  for (const [data, input] of [
    ['{"n":1}', ['application/json', { n: 1 }]],
    ['a=b', ['', 'a=b']],
  ] as const) {
    const { stdout } = await inProcess(['ask', 'alpha', 'echo', ...saying(data)])
    t.same(JSON.parse(stdout), input, `what parses as JSON is asked as JSON: ${data}`)
  }
  t.equal((await get(`${hub.url}/client/desk/who`, KEY)).body, '"a page"')
  // a peer that follows something has a session, and is one client all the same
  alpha.subscribe('orders/*', () => undefined)
  const listed = async () => {
    const list = JSON.parse((await get(`${hub.url}/client`, KEY)).body) as Record<string, unknown>[]
    return list.filter(({ transport }) => transport === 'pipe')
  }
  await until('its session', async () => String((await listed())[0]?.patterns) === 'orders/*')
  t.match(await listed(), [{ id: /^hub-/, name: 'alpha', connected: true, address: '127.0.0.1' }])
  t.equal((await listed()).length, 1)
})

test('a name of a certificate is its holder’s: a page that has it loses it, and cannot have it again', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const hub = await startPiped(t, dir)
  const taken = await page(t, hub, 'beta')
  const refused: string[] = []
  const other = connect(hub.url, { name: 'alpha', token: 'key' })
  other.on('error', ({ code }) => void refused.push(code))
  t.teardown(() => other.close())
  await until('alpha is away, and its name is kept', () => refused.includes('NAME_TAKEN'))
  t.same((await get(`${hub.url}/client/beta/who`, KEY)).body, '"a page"')
  const authority = await Authority.open(dir)
  await authority.issue('beta')
  await until('the end of the page’s name', () => taken.told.includes('NAME_TAKEN'), 10_000)
  t.equal((await get(`${hub.url}/client/beta/who?wait=10ms`, KEY)).status, 503)
  const further = await page(t, hub, 'gamma')
  await authority.issue('delta', { also: [{ type: 'dns', value: 'gamma' }] })
  await peer(t, dir, hub.listen.pipe, 'delta')
  await until('the end of what stands beside another name', () => further.told.length > 0)
  await peer(t, dir, hub.listen.pipe, 'beta', { handlers: { get_who: () => 'a machine' } })
  t.equal((await get(`${hub.url}/client/beta/who?wait=10s`, KEY)).body, '"a machine"')
})

test('who may follow control paths sees peers come and go (RP-29)', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const hub = await startPiped(t, dir)
  const events: string[] = []
  const client = connect(hub.url, { token: 'key' })
  t.teardown(() => client.close())
  for (const hook of ['connection_added', 'connection_removed']) {
    client.subscribe(
      `::pipe/${hook}`,
      (message) => void events.push(`${hook} ${(message as { peer: string }).peer}`),
    )
  }
  const followed = async (): Promise<boolean> => {
    const [entry] = JSON.parse((await get(`${hub.url}/client`, KEY)).body) as {
      patterns: string[]
    }[]
    return entry?.patterns.length === 2
  }
  await until('the subscriptions', followed)
  const alpha = await peer(t, dir, hub.listen.pipe, 'alpha')
  await until('alpha', () => events.includes('connection_added alpha'))
  await alpha.close(0)
  await until('its end', () => events.includes('connection_removed alpha'))
  t.equal(events.length, 2)
})

test('a certificate for "hub" is sent away, and told why at both ends', async (t) => {
  const dir = await identities(t, 'server', 'hub')
  const hub = await startPiped(t, dir)
  const codes: string[] = []
  await peer(t, dir, hub.listen.pipe, 'hub', {
    observer: { failed: (_server, { code }) => void codes.push(code) },
  })
  await until('the refusal', () => codes.length > 0)
  t.equal(codes[0], 'NAME_INVALID')
  await hub.process.says(/"code":"NAME_INVALID".*"sent away"/)
  t.match((await get(`${hub.url}/client/hub/time`, KEY)).body, /time_from_server/)
})

/** Has a machine join at `server`, which then answers as `laptop`. */
async function joined(t: Test, dir: string, server: string): Promise<void> {
  const { stdout } = await inProcess(['pki', 'invite', 'laptop', '--server', server, '--dir', dir])
  const own = join(dir, '..', 'laptop')
  const flags = ['--join', stdout.trim(), '--dir', own, '--http', '127.0.0.1:0']
  await start(t, ['pipe', 'client', ...flags], QUIET).says(/"msg":"ready"/)
}

test('who was invited joins at the hub', async (t) => {
  const dir = await identities(t, 'server')
  const hub = await startPiped(t, dir)
  await joined(t, dir, hub.listen.pipe ?? '')
  t.match((await get(`${hub.url}/client/laptop/time?wait=10s`, KEY)).body, /time_from_client/)
})

test(
  'pipes, browsers over TLS and plain callers share the hub’s own port',
  requires('curl', 'openssl'),
  async (t) => {
    const web = new WebAuthority()
    t.teardown(() => web.close())
    const files = web.issue('localhost')
    t.testdir()
    const [cert, key] = (['cert', 'key'] as const).map((kind) => {
      const path = join(t.testdirName, `${kind}.pem`)
      writeFileSync(path, files[kind])
      return path
    }) as [string, string]
    const dir = await identities(t, 'server', 'alpha', 'beta')
    const hub = await startPiped(t, dir, '--tls-cert', cert, '--tls-key', key)
    const own = new URL(hub.url).host
    const breaks = async function* () {
      yield 'begun'
      // what breaks in one turn with its head is a plain 502
      await pause(50)
      throw new Error('it breaks off')
    }
    await peer(t, dir, own, 'alpha', { handlers: { get_breaks: breaks } })
    await peer(t, dir, hub.listen.pipe, 'beta')
    for (const name of ['alpha', 'beta']) {
      const target = `/client/${name}/time?wait=10s`
      t.match(await curl(hub.url + target), /time_from_client/, name)
      t.match(await curl('-k', `https://${own}${target}`), /time_from_client/, name)
    }
    await joined(t, dir, own)
    t.match(await curl(`${hub.url}/client/laptop/time?wait=10s`), /time_from_client/)
    // an answer that breaks off cannot pass for whole, inside TLS neither
    await t.rejects(curl('-k', `https://${own}/client/alpha/breaks`))
    t.equal(JSON.parse(await curl('-k', `https://${own}/client`)).length, 3)
  },
)

test('--pipe at the hub’s own address needs no second port', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const port = await freePort()
  const own = `127.0.0.1:${port}`
  const hub = await startHub(t, dir, '--port', String(port), '--pipe', own)
  t.equal(hub.listen.pipe, own)
  t.equal(hub.url, `http://${own}`)
  await peer(t, dir, own, 'alpha')
  t.match((await get(`${hub.url}/client/alpha/time?wait=10s`, KEY)).body, /time_from_client/)
  t.ok((await stopped(hub)) < 5_000, 'it does not wait for a peer that asks nothing')
})

test('an edge leads pipes to the hub, which needs no other listener for them (surface 8)', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  t.testdir()
  const config = join(t.testdirName, 'sapwood.toml')
  writeFileSync(
    config,
    '[edge]\nlisten = "127.0.0.1:0"\notherwise = "hub"\n[[edge.route]]\nwhen = { protocol = "pipe" }\nto = "pipe"\n',
  )
  const hub = await startHub(t, dir, '--config', config)
  t.same(Object.keys(hub.listen), ['edge'])
  await peer(t, dir, hub.listen.edge, 'alpha')
  const url = `http://${hub.listen.edge}/client/alpha/time?wait=10s`
  t.match((await get(url, KEY)).body, /time_from_client/)
  await joined(t, dir, hub.listen.edge ?? '')
  t.ok((await stopped(hub)) < 5_000)
})

test('a hub that stops lets open questions end, both ways, and leaves nothing behind', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  t.testdir()
  const asked: ((answer: string) => void)[] = []
  const slow = (): Promise<string> => new Promise((resolve) => void asked.push(resolve))
  Object.assign(globalThis, { slow })
  const file = join(t.testdirName, 'handlers.mjs')
  writeFileSync(file, 'export const get_slow = () => globalThis.slow()\n')
  const hub = await startPiped(t, dir, '--handlers', file)
  const alpha = await peer(t, dir, hub.listen.pipe, 'alpha', { handlers: { get_slow: slow } })
  const there = get(`${hub.url}/client/alpha/slow?wait=10s`, KEY)
  await until('the first question', () => asked.length === 1)
  const back = alpha.ask('@server/slow')
  // what --handlers names answers under the name of the hub, too
  const own = get(`${hub.url}/client/hub/slow`, KEY)
  await until('all questions', () => asked.length === 3)
  hub.process.signal('SIGTERM')
  await hub.process.says(/"msg":"stopping"/)
  for (const answer of asked) answer('late')
  t.equal((await there).body, '"late"')
  t.equal((await back).message, 'late')
  t.equal((await own).body, '"late"')
  t.equal((await hub.process.ended).status, 0)
  const [host = '', port = ''] = (hub.listen.pipe ?? '').split(':')
  const refused = connectTcp(Number(port), host)
  t.match(await new Promise((resolve) => refused.once('error', resolve)), { code: 'ECONNREFUSED' })
})

test('a hub without the files of its pipe does not start, and says what is missing', async (t) => {
  t.testdir()
  const args = [
    'hub',
    '--port',
    '0',
    '--key',
    'key',
    '--pipe',
    '127.0.0.1:0',
    '--dir',
    t.testdirName,
  ]
  const { status, stderr } = await inProcess(args, QUIET)
  t.equal(status, 1)
  t.match(stderr, /FILE_MISSING[\s\S]*ca\.crt\.pem/)
  const socket = await inProcess(
    ['hub', '--port', '0', '--key', 'k', '--pipe', 'unix:/tmp/x'],
    QUIET,
  )
  t.equal(socket.status, 2)
  t.match(socket.stderr, /--pipe: hub\.pipe is a path/)
})

test(
  'whoever still waits at the end of a drain is answered, in the clear and inside TLS on a shared port',
  requires('curl'),
  async (t) => {
    const dir = await identities(t, 'server', 'alpha')
    const [cert, key] = [join(dir, 'server.crt.pem'), join(dir, 'server.key.pem')]
    const [handlers, asked] = [join(dir, 'handlers.mjs'), join(dir, 'asked')]
    writeFileSync(asked, '')
    writeFileSync(
      handlers,
      `import { appendFileSync } from 'node:fs'
      export const get_never = () => new Promise(() => appendFileSync(${JSON.stringify(asked)}, '.'))`,
    )
    const flags = ['--tls-cert', cert, '--tls-key', key, '--handlers', handlers]
    const hub = await startPiped(t, dir, ...flags, '--set', 'drain.limit=400ms')
    const never = { get_never: () => new Promise(() => undefined) }
    await peer(t, dir, hub.listen.pipe, 'alpha', { handlers: never })
    const { client } = await page(t, hub, 'page')
    client.answer('GET never', () => new Promise(() => undefined))
    await until('alpha', async () => (await names(hub.url)).includes('alpha'))
    const waits = [hub.url, hub.url.replace('http:', 'https:')].flatMap((url) =>
      ['alpha', 'page', 'hub'].map((name) => curl('-ki', `${url}/client/${name}/never`)),
    )
    await until('all are asked', async () => {
      const list = JSON.parse((await get(`${hub.url}/client`, KEY)).body) as Entry[]
      const open = list.map(({ questions }) => questions)
      return `${open}` === '2,2' && readFileSync(asked, 'utf8') === '..'
    })
    await stopped(hub)
    for (const answer of await Promise.all(waits)) {
      t.match(answer, /^HTTP\/1\.1 502 .*x-event-return-code: 254\r\n.*"code":"[A-Z_]+"/is)
    }
  },
)
