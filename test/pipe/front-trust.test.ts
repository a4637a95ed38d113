/** Who may call a front, and what peers are told of the caller (surface 5: fronts). */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveFront } from '@sapwood/pipe'
import type { Test } from 'tap'
import { test } from 'tap'
import type { Answer } from '../http/support.ts'
import { call, Raw, read } from '../http/support.ts'
import type { Arrived } from './front-stand.ts'
import { ScriptedAnswerer, serve } from './front-stand.ts'

const TOLD = [
  'host',
  'authorization',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
]

/** Answers what it was told. */
const ECHO = (request: Arrived): void => {
  const told = Object.fromEntries(TOLD.map((name) => [name, request.header(name)]))
  request.answer(200, JSON.stringify(told))
}

function outcome({ status, text }: Answer): [number, string] {
  return [status, status === 200 ? '' : JSON.parse(text).code]
}

test('the Host is a loopback name or a listed one, else 421', async (t) => {
  const stand = await serve(t, new ScriptedAnswerer(ECHO), { hosts: ['Front.example'] })
  const rows: [string, [number, string]][] = [
    ['127.0.0.1:80', [200, '']],
    ['localhost', [200, '']],
    ['a.localhost', [200, '']],
    ['[::1]:8790', [200, '']],
    ['front.example:8790', [200, '']],
    ['evil.example', [421, 'HOST_FOREIGN']],
    ['alpha', [421, 'HOST_FOREIGN']],
  ]
  for (const [host, expected] of rows) {
    t.same(outcome(await call(stand, '/client/alpha/x', { headers: { host } })), expected, host)
  }
  // in proxy form the host is a peer's name, whatever the header says
  const proxied = await call(stand, 'http://alpha/x', { headers: { host: 'evil.example' } })
  t.match(proxied.json, { host: 'alpha', 'x-forwarded-host': 'alpha' })
  const raw = new Raw(stand).write('GET /client/alpha/x HTTP/1.0\r\n\r\n')
  t.match(await raw.ended(), /HOST_MISSING/)
})

test('pages of foreign origins may not call, by whatever way', async (t) => {
  const options = { origins: ['https://app.example'], keys: [] }
  const stand = await serve(t, new ScriptedAnswerer(ECHO), options)
  const own = await serve(t, new ScriptedAnswerer(ECHO))
  const host = 'localhost:1'
  const foreign: [number, string] = [403, 'ORIGIN_FOREIGN']
  const rows: [typeof stand, Record<string, string>, [number, string]][] = [
    [stand, { origin: 'https://app.example' }, [200, '']],
    [stand, { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }, [200, '']],
    [stand, { origin: 'https://evil.example' }, foreign],
    [stand, { origin: 'null' }, foreign],
    [stand, { origin: 'http://localhost:1', host }, foreign],
    [stand, { 'sec-fetch-site': 'cross-site' }, foreign],
    [stand, { 'sec-fetch-site': 'same-site' }, foreign],
    [stand, { 'sec-fetch-site': 'same-origin' }, [200, '']],
    [stand, { 'sec-fetch-site': 'none' }, [200, '']],
    [own, { origin: 'http://localhost:1', host }, [200, '']],
    [own, { origin: 'http://localhost:2', host }, foreign],
  ]
  for (const [where, headers, expected] of rows) {
    const answer = await call(where, '/client/alpha/x', { headers })
    t.same(outcome(answer), expected, JSON.stringify(headers))
  }
  const upgrade = { connection: 'upgrade', upgrade: 'websocket', origin: 'https://evil.example' }
  t.same(outcome(await call(stand, '/client/alpha/x', { headers: upgrade })), foreign)
  const listed = await call(stand, '/client/alpha/x', {
    headers: { origin: 'https://app.example' },
  })
  t.match(listed.headers, {
    'access-control-allow-origin': 'https://app.example',
    'access-control-expose-headers': 'X-Event-Return-Code',
  })
  const asks = { origin: 'https://app.example', 'access-control-request-method': 'PUT' }
  const preflight = await call(stand, '/client/alpha/x', { method: 'OPTIONS', headers: asks })
  t.same([preflight.status, preflight.headers['access-control-allow-origin']], [204, asks.origin])
  const other = await call(stand, '/client/alpha/x', { method: 'OPTIONS' })
  t.equal(other.status, 200, 'other OPTIONS are for the peer')
})

test('where there are keys, one is shown, and taken out; in proxy form as a proxy is shown one', async (t) => {
  const stand = await serve(t, new ScriptedAnswerer(ECHO), { keys: ['k1', 'k2'] })
  const basic = (key: string): string => `Basic ${Buffer.from(`user:${key}`).toString('base64')}`
  const missing = [401, 'CREDENTIAL_MISSING']
  const rows: [string, Record<string, string>, unknown[]][] = [
    ['/client/alpha/x', {}, missing],
    ['/client/alpha/x', { authorization: 'Bearer k2' }, [200, '']],
    ['/client/alpha/x', { authorization: 'bearer k1', origin: 'https://x.example' }, [200, '']],
    ['/client/alpha/x', { authorization: 'Bearer k' }, [401, 'CREDENTIAL_INVALID']],
    ['/client/alpha/x', { authorization: basic('k1') }, [401, 'CREDENTIAL_INVALID']],
    ['/client/nobody/x', {}, missing],
    ['/elsewhere', {}, missing],
    ['http://alpha/x', {}, [407, 'CREDENTIAL_MISSING']],
    ['http://alpha/x', { 'proxy-authorization': basic('k1') }, [200, '']],
    ['http://alpha/x', { 'proxy-authorization': 'Bearer k1', authorization: 'Basic b' }, [200, '']],
    ['http://alpha/x', { 'proxy-authorization': basic('no') }, [407, 'CREDENTIAL_MISSING']],
  ]
  for (const [target, headers, expected] of rows) {
    const answer = await call(stand, target, { headers })
    t.same(outcome(answer), expected, `${target} ${JSON.stringify(headers)}`)
    if (answer.status === 401) t.ok(answer.headers['www-authenticate'])
    if (answer.status === 407) t.ok(answer.headers['proxy-authenticate'])
    if (answer.status === 200)
      t.equal(
        answer.json.authorization,
        headers.authorization === 'Basic b' ? 'Basic b' : undefined,
      )
  }
  await t.rejects(serveFront({ listen: '0.0.0.0:0', asker: stand.asker }), { code: 'FRONT_OPEN' })
  const open = await serveFront({ listen: '0.0.0.0:0', asker: stand.asker, keys: ['k'] })
  await open.close()
})

test('what is said of others counts only from a key holder or a listed proxy', async (t) => {
  const said = {
    'x-forwarded-for': '9.9.9.9, 10.0.0.2',
    'x-forwarded-host': 'public.example',
    'x-forwarded-proto': 'https',
    'x-real-ip': '9.9.9.9',
    forwarded: 'for=9.9.9.9',
  }
  const told = async (options: object, headers: object): Promise<object> => {
    const stand = await serve(t, new ScriptedAnswerer(ECHO), options)
    const { json } = await call(stand, '/client/alpha/x', {
      headers: { host: 'localhost', ...said, ...headers },
    })
    return json
  }
  const anew = {
    host: 'localhost',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'localhost',
    'x-forwarded-proto': 'http',
  }
  const believed = { ...said, host: 'localhost', forwarded: undefined }
  t.same(await told({}, {}), anew)
  t.match(await told({ keys: ['k'] }, { authorization: 'Bearer k' }), {
    'x-forwarded-for': '9.9.9.9, 10.0.0.2',
    'x-forwarded-proto': 'https',
    'x-real-ip': '9.9.9.9',
  })
  t.match(await told({ trustedProxies: ['127.0.0.1'] }, {}), {
    'x-forwarded-for': '10.0.0.2',
    'x-forwarded-host': believed['x-forwarded-host'],
  })
  t.match(await told({ trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] }, {}), {
    'x-forwarded-for': '9.9.9.9',
  })
  const nonsense = { 'x-forwarded-for': 'nonsense, 127.0.0.2' }
  t.match(await told({ trustedProxies: ['127.0.0.0/8'] }, nonsense), {
    'x-forwarded-for': 'nonsense',
  })
})

test('who can open the Unix socket is trusted; it is made with mode 0660, and taken over from the dead only', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'front-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'front.sock')
  const listen = `unix:${path}`
  const stand = await serve(t, new ScriptedAnswerer(ECHO), { listen })
  t.equal(stand.front.address, listen)
  t.equal(statSync(path).mode & 0o777, 0o660)
  const ask = (headers: Record<string, string>): Promise<Answer> => callUnix(t, path, headers)
  t.match((await ask({ host: 'rpclient.local', 'x-forwarded-for': '9.9.9.9' })).json, {
    host: 'rpclient.local',
    'x-forwarded-for': '9.9.9.9',
    'x-forwarded-host': 'rpclient.local',
  })
  const page = { host: 'rpclient.local', origin: 'http://evil.example' }
  t.equal((await ask(page)).status, 403, 'a page is not let in by the proxy before it')
  await t.rejects(serveFront({ listen, asker: stand.asker }), { code: 'PORT_IN_USE' })
  const dead = join(folder, 'dead.sock')
  const script = `require('node:net').createServer().listen('${dead}', () => console.log('up'))`
  const child = spawn(process.execPath, ['-e', script])
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
  t.ok(statSync(dead).isSocket(), 'what a process left that was killed')
  const next = await serveFront({ listen: `unix:${dead}`, asker: stand.asker })
  await next.close()
})

async function callUnix(
  _t: Test,
  socketPath: string,
  headers: Record<string, string>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path: '/client/alpha/x', headers, agent: false })
    request.on('response', (response) => resolve(read(response)))
    request.on('error', reject)
    request.end()
  })
}
