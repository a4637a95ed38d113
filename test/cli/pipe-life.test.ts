/** Who may come to a pipe and who is there: names, trust, joining, hooks, statsd. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { get as httpGet } from 'node:http'
import { basename, join } from 'node:path'
import { Authority } from '@sapwood/pipe'
import { test } from 'tap'
import { until } from '../docs/terminal.ts'
import { temporary } from '../pipe/openssl.ts'
import { inProcess, start, startProcess } from './command.ts'
import {
  type Got,
  get,
  identities,
  pause,
  QUIET,
  type Running,
  ready,
  startClient,
  startServer,
} from './pipe-process.ts'

test('scenario 7, RP-07, RP-08: unknown 404, a failing resolver 500, known and absent 503 after the wait, back in time 200', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const resolver = join(dir, 'resolver.mjs')
  writeFileSync(
    resolver,
    `const NAMES = { 'files.example.org': 'alpha', alpha: 'alpha' }
export async function lookup(name) {
  if (name === 'broken') throw new Error('the directory is down')
  if (name === 'odd') return 7
  if (name === 'unlisted') throw Object.assign(new Error(), { name: 'LookupError' })
  if (name === 'unnamed') throw Object.assign(new Error(), { code: 'ENOTFOUND' })
  return NAMES[name]
}`,
  )
  const server = await startServer(t, dir, ['--resolver', resolver])
  const ask = (name: string, wait = '0'): Promise<Got> =>
    get(`${server.url}/client/${name}/cat//a/b?wait=${wait}`)
  t.match(await ask('no-such-host.invalid'), { status: 404, code: '252', body: /CLIENT_UNKNOWN/ })
  for (const name of ['unlisted', 'unnamed']) {
    t.match(await ask(name), { status: 404, code: '252', body: /CLIENT_UNKNOWN/ }, name)
  }
  t.match(await ask('broken'), { status: 500, body: /RESOLVER_FAILED.*the directory is down/ })
  t.match(await ask('odd'), { status: 500, body: /RESOLVER_FAILED/ })
  t.match(await ask('alpha', '100ms'), { status: 503, code: '252', body: /CLIENT_ABSENT/ })
  const waiting = ask('files.example.org', '15s')
  const client = await startClient(t, dir, server.pipe, 'alpha')
  t.match(await waiting, { status: 200, body: '{"result_from_client":"ab"}' })
  const listed = '[{"name":"alpha","state":"connected","open":0}]'
  t.match(await get(`${server.url}/client`), { status: 200, body: listed })
  t.match(await get(`${client.url}/client`), { status: 404, body: /NOT_FOUND/ })
  t.match(await ask('alpha'), { status: 200 })
  // RP-09: a client waits likewise
  await server.process.stop()
  const away = await get(`${client.url}/server/time?wait=100ms`)
  t.match(away, { status: 503, code: '252' })
})

test('scenario 14, RP-28 to RP-30: hooks are told who comes and goes, in order, and one that throws hinders nothing', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const written = (file: string): unknown[][] => {
    if (!existsSync(file)) return []
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line))
  }
  const hooks = (name: string): string => {
    const file = join(dir, `${name}.mjs`)
    const log = JSON.stringify(join(dir, `${name}.log`))
    const names = ['connected', 'connect_failed', 'idle', 'connection_added']
    const text = [...names, 'connection_removed', 'start', 'stop']
      .map((hook) => `export function ${hook}(...args) { tell('${hook}', ...args) }`)
      .join('\n')
    writeFileSync(
      file,
      `import { appendFileSync } from 'node:fs'
function tell(...told) {
  appendFileSync(${log}, JSON.stringify(told.map((each) => each ?? null)) + '\\n')
  if (told[0] === 'start') throw new Error('a hook of no use')
}
${text}`,
    )
    return file
  }
  const flags = ['--set', 'pipe.idle=300ms', '--hooks', hooks('server')]
  const server = await startServer(t, dir, flags)
  const log = join(dir, 'server.log')
  await until('it is idle for the third time', () => written(log).length >= 3)
  const client = await startClient(t, dir, server.pipe, 'alpha', ['--hooks', hooks('client')])
  const heard = (hook: string, file = log): boolean => written(file).some(([each]) => each === hook)
  await until('somebody came', () => heard('connection_added'))
  const idle = written(log).filter(([hook]) => hook === 'idle').length
  t.ok(await get(`${server.url}/client/alpha/time`))
  await pause(700)
  t.equal(written(log).filter(([hook]) => hook === 'idle').length, idle, 'nobody is idle now')
  await client.process.stop()
  await until('they are gone', () => heard('connection_removed'))
  await until('and their session', () => heard('stop'))
  const told = written(log).filter(([hook]) => hook !== 'idle')
  const order = told.map(([hook, ...args]) => [hook, ...args.slice(0, 2)])
  t.match(order.slice(0, 2), [
    ['start', 'alpha'],
    ['connection_added', 'alpha', 1],
  ])
  t.strictSame(
    order.filter(([hook]) => String(hook).startsWith('connection_')),
    [
      ['connection_added', 'alpha', 1],
      ['connection_removed', 'alpha', 0],
    ],
  )
  t.match(server.process.stdout, /HOOK_THREW.*the hook start threw/)
  const [since, seconds] = (written(log)[0] ?? []).slice(1) as [string, number]
  t.same([seconds, new Date(since).toISOString()], [0, since])

  // W16, scenario 8: the client's side of it
  const clientLog = join(dir, 'client.log')
  t.ok(heard('stop', clientLog), 'W13: it is told of its own end, too')
  rmSync(clientLog)
  await server.process.stop()
  const late = await startClient(t, dir, server.pipe, 'alpha', ['--hooks', join(dir, 'client.mjs')])
  const failed = (): unknown[][] => written(clientLog).filter(([hook]) => hook === 'connect_failed')
  await until('two attempts have failed', () => failed().length >= 2)
  const [host, port] = server.pipe.split(':')
  const again = startProcess(
    t,
    ['pipe', 'server', '--dir', dir, '--listen', `${host}:${port}`, '--http', 'none'],
    QUIET,
  )
  await ready(again)
  await until('the client is there', () => heard('connected', clientLog))
  const connected = written(clientLog).find(([hook]) => hook === 'connected') ?? []
  t.equal(connected[1], failed().length, 'as many attempts as have failed')
  t.equal(connected[2], null, 'it was never connected')
  t.equal(connected[3], server.pipe)
  again.signal('SIGKILL')
  await until('the loss is told', () => failed().some(([, attempts]) => attempts === 0))
  t.match(failed().find(([, attempts]) => attempts === 0)?.[2], /^20\d\d-/, 'and when it was')
  await late.process.stop()

  // a frozen server is found out, left, and found again
  const beat = ['pipe.heartbeat=200ms', 'pipe.heartbeat_timeout=300ms', 'pipe.resume=1s']
  const quick = beat.flatMap((each) => ['--set', each])
  const frozen = await startServer(t, dir, [], {}, startProcess)
  const watchful = await startClient(t, dir, frozen.pipe, 'alpha', quick)
  await watchful.process.says(/"msg":"connected"/)
  frozen.process.signal('SIGSTOP')
  await watchful.process.says(/"code":"HEARTBEAT_LOST".*"msg":"the connection is lost"/)
  frozen.process.signal('SIGCONT')
  t.match(await get(`${watchful.url}/server/time?wait=15s`), { status: 200 })
})

test('scenario 10: another CA, no certificate, or a wrong name is refused at both ends, with the reason in both logs', async (t) => {
  const dir = await identities(t, 'server', 'alpha', 'beta')
  const foreign = await identities(t, 'server', 'alpha')
  const server = await startServer(t, dir)
  const stranger = await startClient(t, foreign, server.pipe, 'alpha')
  await stranger.process.says(/"code":"CERTIFICATE_FOREIGN"/)
  const misnamed = await startClient(t, dir, server.pipe, 'beta', ['--server-name', 'hub'])
  await misnamed.process.says(/"code":"NAME_NOT_CERTIFIED"/)
  t.match(await get(`${server.url}/client/alpha/time?wait=0`), { status: 503, code: '252' })
  t.match((await get(`${server.url}/metrics`)).body, /^sapwood_pipe_peers 0$/m)
  // one whose client trusts the server, and not the other way round
  const half = join(temporary(t), 'pki')
  mkdirSync(half)
  for (const file of ['alpha.crt.pem', 'alpha.key.pem']) {
    writeFileSync(join(half, file), readFileSync(join(foreign, file)))
  }
  writeFileSync(join(half, 'ca.crt.pem'), readFileSync(join(dir, 'ca.crt.pem')))
  const refused = await startClient(t, half, server.pipe, 'alpha')
  await refused.process.says(/"code":"CERTIFICATE_FOREIGN"/)
  await server.process.says(/"code":"CERTIFICATE_FOREIGN".*"msg":"sent away"/)
  t.match(await get(`${server.url}/client/alpha/time?wait=0`), { status: 503 })
  for (const each of [stranger, misnamed, refused])
    t.match(await each.process.stop(), { status: 0 })
})

test('scenario 9, W1, W2: three clients of one machine are three; a revoked one is cut off and does not come back', async (t) => {
  const dir = await identities(t, 'server', 'alpha', 'beta', 'gamma')
  const server = await startServer(t, dir)
  const ask = (name: string): Promise<Got> =>
    get(`${server.url}/client/${name}/cat//${name}?wait=10s`)
  const clients = new Map<string, Running>()
  for (const name of ['alpha', 'beta', 'gamma']) {
    const flags = ['--http', 'none', '--set', 'pipe.retry_most=100ms']
    clients.set(name, await startClient(t, dir, server.pipe, name, flags))
  }
  for (const name of clients.keys())
    t.match(await ask(name), { body: `{"result_from_client":"${name}"}` })
  await clients.get('beta')?.process.stop()
  t.match(await ask('alpha'), { status: 200 })
  t.match(await ask('gamma'), { status: 200 })
  t.match(await get(`${server.url}/client/beta/time?wait=0`), { status: 503 })
  const revoked = await inProcess(['pki', 'revoke', 'alpha', '--dir', dir])
  t.equal(revoked.status, 0)
  await until('alpha is cut off', async () => {
    return (await get(`${server.url}/client/alpha/time?wait=0`)).status === 503
  })
  await server.process.says(/"code":"CERTIFICATE_REVOKED"/)
  await until('it has tried again and again', async () => {
    const { body } = await get(`${server.url}/metrics`)
    return Number(/faults_total\{code="CERTIFICATE_REVOKED"\} (\d+)/.exec(body)?.[1]) >= 4
  })
  t.equal(server.process.stdout.match(/sent away/g)?.length, 1, 'the log tells it once')
  t.match(await ask('gamma'), { status: 200 })
})

test('scenario 15: invited by one word, a machine joins, and the same command starts it again', async (t) => {
  const top = temporary(t)
  const dir = join(top, 'pki')
  // a month ago it had a certificate for a day: that one is of no use, and in nobody's way
  const then = (): number => Date.now() - 30 * 86_400_000
  const old = await (await Authority.init(dir, { now: then })).issue('laptop', { days: 1 })
  const own = join(top, 'own')
  mkdirSync(own)
  for (const file of old.files) renameSync(file, join(own, basename(file)))
  copyFileSync(join(dir, 'ca.crt.pem'), join(own, 'ca.crt.pem'))
  t.equal((await inProcess(['pki', 'issue', 'server', '--dir', dir])).status, 0)
  const server = await startServer(t, dir)
  const invite = ['pki', 'invite', 'laptop', '--server', server.pipe, '--dir', dir]
  const token = (await inProcess(invite)).stdout.trim()
  const command = ['pipe', 'client', '--join', token, '--dir', own, '--http', '127.0.0.1:0']
  const first = start(t, command, QUIET)
  const { name } = await ready(first)
  t.equal(name, 'laptop', 'the token says who it is')
  t.match(first.stdout, /"msg":"joined"/)
  await server.process.says(/"name":"laptop","msg":"joined"/)
  const asked = await get(`${server.url}/client/laptop/cat//o/k?wait=10s`)
  t.match(asked, { status: 200, body: '{"result_from_client":"ok"}' })
  t.equal((await first.stop()).status, 0)
  const second = start(t, command, QUIET)
  await ready(second)
  t.match(second.stdout, /there is a certificate already/)
  t.match(await get(`${server.url}/client/laptop/time?wait=10s`), { status: 200 })
  await second.stop()

  const elsewhere = ['pipe', 'client', '--join', token, '--dir', join(top, 'thief')]
  const spent = await inProcess(elsewhere, QUIET)
  t.match(spent, { status: 1, stderr: /^sapwood: JOIN_REFUSED: / })
  t.notOk(existsSync(join(top, 'thief')))
  const all = [spent.stderr, first.stdout, second.stdout, server.process.stdout].join('')
  t.notOk(all.includes(token.slice(20)), 'nobody writes the token down')
  const misused = await inProcess([...elsewhere, '--name', 'desk'], QUIET)
  t.match(misused, { status: 2, stderr: /--join: pipe\.join is for laptop, not for desk/ })
  const cut = await inProcess(['pipe', 'client', '--join', token.slice(0, -3)], QUIET)
  t.match(cut, { status: 2, stderr: /it is not whole/ })
  await server.process.stop()
  const late = await inProcess([...elsewhere], QUIET)
  t.match(late, { status: 1, stderr: /JOIN_UNREACHABLE: cannot talk to .*ECONNREFUSED/ })
})

test('scenario 13, RP-41: a statsd hears every second what was counted; switched off, it hears nothing', async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const statsd = createSocket('udp4').bind(0, '127.0.0.1')
  await once(statsd, 'listening')
  t.teardown(() => statsd.close())
  const heard: string[] = []
  statsd.on('message', (bytes) => heard.push(...String(bytes).split('\n')))
  const to = { SAPWOOD_PIPE_STATSD: `127.0.0.1:${statsd.address().port}` }
  const socketPath = join(dir, 'http.sock')
  const server = await startServer(t, dir, ['--http', `unix:${socketPath}`])
  t.equal(server.url, `http://unix:${socketPath}`)
  t.equal(statSync(socketPath).mode & 0o777, 0o660)
  const client = await startClient(t, dir, server.pipe, 'alpha', [], to)
  const request = httpGet({ socketPath, path: '/client/alpha/time?wait=10s' })
  const [response] = await once(request, 'response')
  t.equal(response.statusCode, 200)
  response.resume()
  t.match(await get(`${client.url}/server/time`), { status: 200 })
  const names = [
    'client.connect.new.tick:1|c',
    'client.connect.connected.tick:1|c',
    'message.send.tick:1|c',
    'message.receive.tick:1|c',
    'message.received.handle.get_time.tick:1|c',
  ].map((name) => `sapwood.${name}`)
  await until('all of them came', () => names.every((name) => heard.includes(name)))
  for (const timing of ['message.send.timing', 'message.received.handle.get_time.timing']) {
    t.ok(
      heard.some((line) => line.startsWith(`sapwood.${timing}:`) && line.endsWith('|ms')),
      timing,
    )
  }
  // the server's was switched off
  t.notOk(heard.some((line) => line.includes('message.receive.tick:2')))
})
