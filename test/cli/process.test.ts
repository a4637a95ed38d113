import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { test } from 'tap'
import { asProcess, inProcess, type Started, start, startProcess } from './command.ts'

const shell = promisify(execFile)

/** A dev hub on a free port, for machines. */
async function devHub(t: Test): Promise<{ hub: Started; url: string }> {
  const hub = start(t, ['dev', '--port', '0', '--json'])
  return { hub, url: await hub.url() }
}

async function taken(t: Test, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { server, port: (server.address() as { port: number }).port }
}

/** An event stream that stays open, as a browser has it. */
async function openStream(url: string): Promise<{ ended: Promise<unknown> }> {
  const call = request(`${url}/events?path=rooms/**`).end()
  const [answer] = await once(call, 'response')
  answer.resume()
  return { ended: once(answer, 'close') }
}

/** Waits until somebody has subscribed `pattern`. */
async function subscribed(url: string, pattern: string): Promise<void> {
  for (;;) {
    const clients = (await (await fetch(`${url}/client`)).json()) as { patterns: string[] }[]
    if (clients.some(({ patterns }) => patterns.includes(pattern))) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('a hub says that it is ready in one JSON line with its real address, serves, and stops in order', async (t) => {
  const flags = ['--port', '0', '--key', 'planted-key', '--public', 'news/**']
  const hub = startProcess(t, ['hub', ...flags])
  const url = await hub.url()
  t.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
  const ready = hub.stdout.split('\n').filter((line) => line.includes('"msg":"ready"'))
  t.equal(ready.length, 1)
  t.match(JSON.parse(ready[0] as string), { url, listen: {} })
  const refused = await inProcess(['pub', 'news/1', 'hi', '--url', url])
  t.match(refused, { status: 1, stdout: '' })
  t.match(refused.stderr, '--key, or SAPWOOD_KEY')
  const wrong = await inProcess(['pub', 'news/1', 'hi', '--url', url, '--key', 'wrong'])
  t.match(wrong, { status: 1, stderr: /CREDENTIAL_INVALID/ })
  const env = { SAPWOOD_URL: url, SAPWOOD_KEY: 'planted-key' }
  const done = await asProcess(['pub', 'news/1', '-'], env, 'hi')
  t.equal(done.status, 0, done.stderr)
  t.match(JSON.parse(done.stdout), { id: String, at: String, matched: 0 })
  const { status, stdout, stderr } = await hub.stop()
  t.equal(status, 0)
  for (const line of stdout.trimEnd().split('\n')) t.ok(JSON.parse(line), 'every line is JSON')
  t.notMatch(stdout + stderr, 'planted-key')
})

test('dev says in plain words what to do, and its curl line works as it stands (DB-14)', async (t) => {
  const hub = startProcess(t, ['dev', '--port', '0'])
  const [, url = ''] = await hub.says(/hub +(http:\/\/127\.0\.0\.1:\d+)$/m)
  const [, curl = ''] = await hub.says(/^ +say +(curl .*)$/m)
  t.match(hub.stdout, `${url}/`)
  t.match(hub.stdout, 'Ctrl-C')
  const { stdout } = await shell('sh', ['-c', curl])
  t.match(JSON.parse(stdout), { id: String, at: String, matched: 0 })
  await hub.says(/^rooms\/lobby; \{"text":"hello"\}$/m)
  t.notMatch(hub.stdout, '"msg"')
  t.match(await hub.stop('SIGINT'), { status: 0, stderr: '' })
})

test('dev for machines prints no updates unless it is told to', async (t) => {
  const { hub, url } = await devHub(t)
  await inProcess(['pub', 'rooms/1', 'hi', '--url', url])
  t.notMatch((await hub.stop()).stdout, 'rooms/1')
  const talking = start(t, ['dev', '--port', '0', '--json', '--set', 'log.updates=true'])
  await inProcess(['pub', 'rooms/1', 'hi', '--url', await talking.url()])
  const [line] = await talking.says(/^.*rooms\/1.*$/m)
  t.match(JSON.parse(line), { msg: 'rooms/1; hi' })
})

test('a port that is taken: dev takes another one if nobody asked for this one, hub says what to do', async (t) => {
  const { port } = await taken(t)
  const asked = await inProcess(['dev', '--port', String(port)])
  t.match(asked, {
    status: 1,
    stderr: new RegExp(`^sapwood: PORT_IN_USE: .*127\\.0\\.0\\.1:${port}`),
  })
  const hub = await inProcess(['hub', '--key', 'k', '--port', String(port)])
  t.match(hub, { status: 1, stderr: /PORT_IN_USE: .*another port/ })
  t.notMatch(hub.stderr, /^\s+at /m)
  // the usual port may be somebody else's on this machine already: then it is taken just as well
  await taken(t, 8787).catch(() => undefined)
  const other = start(t, ['dev'])
  const [, free] = await other.says(/hub +http:\/\/127\.0\.0\.1:(\d+)$/m)
  t.not(free, '8787')
  await other.says(/the usual port is taken/, 'stderr')
  t.match(other.stdout, /^Sapwood is ready/, 'nothing is said of the attempt that failed')
  t.notMatch((await other.stop('SIGINT')).stdout, '::gone', 'nor of what ends with the hub')
})

test('SIGTERM sends clients away and ends with 0 although a stream is open', async (t) => {
  const hub = startProcess(t, ['dev', '--port', '0', '--json'])
  const url = await hub.url()
  const { ended } = await openStream(url)
  const { status, stdout } = await hub.stop()
  t.equal(status, 0)
  t.match(stdout, '"msg":"stopping"')
  t.match(stdout, '"msg":"stopped"')
  await ended
})

test('a second signal ends a drain that takes long at once', async (t) => {
  const hub = startProcess(t, ['dev', '--port', '0', '--json', '--set', 'drain.limit=60s'])
  const url = await hub.url()
  // a body that does not come keeps its request open
  const headers = { 'content-length': 10 }
  const call = request(`${url}/update/a`, { method: 'PUT', headers })
  call.on('error', () => undefined)
  call.write('12')
  const [socket] = await once(call, 'socket')
  if (socket.connecting) await once(socket, 'connect')
  await fetch(`${url}/health/live`)
  hub.signal('SIGTERM')
  await hub.says(/"msg":"stopping"/)
  let isOver = false
  hub.ended.then(() => {
    isOver = true
  })
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.notOk(isOver, 'it drains')
  hub.signal('SIGTERM')
  t.equal((await hub.ended).status, 0)
})

test('settings reach the hub: from a file, the environment and flags', async (t) => {
  const file = join(t.testdir(), 'sapwood.toml')
  await writeFile(file, '[hub]\nport = 0\nkey = "from-file"\n[limits]\nbody = "10B"\n')
  const hub = start(t, ['hub', '--config', file, '--set', 'limits.path=20'], {
    SAPWOOD_HUB_KEY: 'from-env',
  })
  const env = { SAPWOOD_URL: await hub.url(), SAPWOOD_KEY: 'from-env' }
  t.match(await inProcess(['pub', 'a', '1'], env), { status: 0 })
  t.match(await inProcess(['pub', 'a', '1', '--key', 'from-file'], env), { status: 1 })
  t.match(await inProcess(['pub', 'a', '12345678901'], env), {
    status: 1,
    stderr: /BODY_TOO_LARGE/,
  })
  t.match(await inProcess(['pub', 'a'.repeat(21), '1'], env), { status: 1, stderr: /PATH_INVALID/ })
})

test('pub: a body that is too large is told as such, not as a broken connection', async (t) => {
  const { url } = await devHub(t)
  const large = Buffer.alloc(3_000_000, 'a')
  for (const args of [
    ['pub', 'a', '-'],
    ['ask', 'hub', 'cat', '--data', '-'],
  ]) {
    const { status, stderr } = await inProcess([...args, '--url', url], {}, large)
    t.equal(status, 1)
    t.match(stderr, /^sapwood: BODY_TOO_LARGE: /)
  }
  t.match(await inProcess(['pub', 'a', '-', '--url', url], {}, large.subarray(0, 900_000)), {
    status: 0,
  })
})

test('pub: a message from stdin or the command line, typed or not; sub --json shows the frames', async (t) => {
  const { url } = await devHub(t)
  const env = { SAPWOOD_URL: url }
  const seen = inProcess(['sub', 'x/**', '--json', '--count', '5'], env)
  await subscribed(url, 'x/**')
  const json = '{"n": [1, 2.5], "s": "ü"}'
  await inProcess(['pub', 'x/1', '-'], env, json)
  await inProcess(['pub', 'x/2', 'plain text'], env)
  await inProcess(['pub', 'x/3', '<p>', '--type', 'text/html'], env)
  await inProcess(['pub', 'x/4'], env)
  await inProcess(['pub', 'x/5', '-'], env, Buffer.from([0xff, 0x00]))
  const { status, stdout } = await seen
  t.equal(status, 0)
  const [first = '', text, html, empty, bytes] = stdout.trimEnd().split('\n')
  t.match(JSON.parse(first), { path: 'x/1', message: JSON.parse(json), at: String })
  t.match(JSON.parse(text ?? ''), { path: 'x/2', message: 'plain text', type: 'text/plain' })
  t.match(JSON.parse(html ?? ''), { path: 'x/3', message: '<p>', type: 'text/html' })
  t.match(JSON.parse(empty ?? ''), { path: 'x/4', message: '' })
  t.match(JSON.parse(bytes ?? ''), { path: 'x/5', message: '/wA=', encoding: 'base64' })
})

test('sub: a line per message, each once however many patterns match, over every transport', async (t) => {
  const { url } = await devHub(t)
  for (const transport of ['ws', 'sse', 'poll']) {
    const patterns = [`${transport}/*`, `${transport}/**`]
    const flags = ['--count', '3', '--transport', transport, '--url', url]
    const seen = start(t, ['sub', ...patterns, ...flags])
    await subscribed(url, `${transport}/**`)
    for (const body of ['{"n":1}', 'two\nlines', '3']) {
      await inProcess(['pub', `${transport}/1`, body, '--url', url])
    }
    const { status, stdout, stderr } = await seen.ended
    t.equal(status, 0)
    t.equal(stdout, '1; {"n":1}\n1; two lines\n1; 3\n'.replace(/^1/gm, `${transport}/1`))
    t.equal(stderr, '')
  }
})

test('sub: --after brings what was published since, and a gap is told', async (t) => {
  const { url } = await devHub(t)
  const { at } = JSON.parse((await inProcess(['pub', 'r/1', '1', '--url', url])).stdout)
  await inProcess(['pub', 'r/1', '2', '--url', url])
  await inProcess(['pub', 'r/1', '3', '--url', url])
  const since = await inProcess(['sub', 'r/*', '--after', at, '--count', '2', '--url', url])
  t.match(since, { status: 0, stdout: 'r/1; 2\nr/1; 3\n' })
  const foreign = startProcess(t, ['sub', 'r/*', '--after', '0123456789abcdef-1', '--url', url])
  await foreign.says(/^gap: /m, 'stderr')
  t.match(await foreign.stop('SIGINT'), { status: 0 })
})

test('sub: it comes back after the hub was away, and says so', async (t) => {
  const first = start(t, ['dev', '--port', '0', '--json'])
  const url = await first.url()
  const seen = start(t, ['sub', 'r/*', '--count', '1', '--url', url])
  await subscribed(url, 'r/*')
  await first.stop()
  await seen.says(/^not connected /m, 'stderr')
  const second = start(t, ['dev', '--port', new URL(url).port, '--json'])
  await second.url()
  await subscribed(url, 'r/*')
  await inProcess(['pub', 'r/1', 'again', '--url', url])
  const { status, stdout, stderr } = await seen.ended
  t.equal(status, 0)
  t.equal(stdout, 'r/1; again\n')
  t.match(stderr, /^connected again$/m)
})

test('sub: what nobody may see ends it with the reason; a key opens it', async (t) => {
  const hub = start(t, ['hub', '--port', '0', '--key', 'k', '--public', 'open/**'])
  const url = await hub.url()
  const refused = await inProcess(['sub', 'closed/**', '--url', url])
  t.match(refused, { status: 1, stdout: '', stderr: /^sapwood: NOT_ALLOWED: / })
  const env = { SAPWOOD_URL: url, SAPWOOD_KEY: 'k' }
  const seen = start(t, ['sub', 'closed/**', '--count', '1'], env)
  for (let matched = 0; matched === 0; ) {
    const { stdout } = await inProcess(['pub', 'closed/1', 'psst'], env)
    matched = JSON.parse(stdout).matched
  }
  t.match(await seen.ended, { status: 0, stdout: 'closed/1; psst\n' })
  const wrong = await inProcess(['sub', 'open/**', '--url', url, '--key', 'wrong'])
  t.match(wrong, { status: 1, stdout: '', stderr: /CREDENTIAL_INVALID/ })
})

test('sub: a reader that has had enough ends it quietly', async (t) => {
  const { url } = await devHub(t)
  const seen = startProcess(t, ['sub', 'r/*', '--url', url])
  await subscribed(url, 'r/*')
  seen.child.stdout?.destroy()
  await inProcess(['pub', 'r/1', 'x', '--url', url])
  await inProcess(['pub', 'r/1', 'y', '--url', url])
  t.match(await seen.ended, { status: 0, stderr: '' })
})

test('ask: the body on stdout, status 1 unless the code is 0 (RP-32)', async (t) => {
  const { url } = await devHub(t)
  const env = { SAPWOOD_URL: url }
  const time = await inProcess(['ask', 'hub', 'time'], env)
  t.match(time, { status: 0, stderr: '' })
  t.type(JSON.parse(time.stdout).time_from_server, 'number')
  const cat = await inProcess(['ask', 'hub', 'cat', 'a b', '/ü?#%'], env)
  t.match(JSON.parse(cat.stdout), { result_from_server: 'a b/ü?#%' })
  t.match(await inProcess(['ask', 'hub', 'nothing'], env), {
    status: 1,
    stdout: '',
    stderr: /code 255/,
  })
  t.match(await inProcess(['ask', 'nobody', 'time'], env), {
    status: 1,
    stdout: '',
    stderr: /code 252/,
  })
})
