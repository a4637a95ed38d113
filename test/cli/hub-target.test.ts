/** `sapwood hub --target URL`: an HTTP server of this machine answers under the name `hub` (surface 4). */
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect } from '@sapwood/client'
import { type Test, test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import type { Answer, Ask } from '../http/support.ts'
import { call } from '../http/support.ts'
import { start } from './command.ts'
import { freePort } from './free-port.ts'
import { QUIET } from './pipe-process.ts'

const KEY = { authorization: 'Bearer key' }

interface Hub {
  readonly url: string
  ask(target: string, ask?: Ask): Promise<Answer>
}

async function startHub(t: Test, target: string, config = ''): Promise<Hub> {
  const dir = t.testdir({ 'handlers.mjs': "export const get_own = () => 'mine'" })
  const file = join(dir, 'sapwood.toml')
  writeFileSync(file, config)
  const flags = ['--target', target, '--handlers', join(dir, 'handlers.mjs'), '--config', file]
  const process = start(t, ['hub', '--port', '0', '--key', 'key', ...flags], QUIET)
  const [line] = await process.says(/^.*"msg":"ready".*$/m)
  const { url } = JSON.parse(line) as { url: string }
  const port = Number(new URL(url).port)
  return {
    url,
    ask: (path, { headers = KEY, ...ask } = {}) =>
      call({ port }, `/client/hub${path}`, { ...ask, headers }),
  }
}

/** A server that says what it was asked. */
async function target(t: Test): Promise<string> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const { method, url = '', headers } = request
    if (url === '/slow') return void t.teardown(() => request.destroy())
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    request.on('end', () => {
      const status = url === '/gone' ? 410 : 200
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-own': 'yes',
        'set-cookie': 'a=b',
      })
      response.end(JSON.stringify({ method, url, bytes, headers }))
    })
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`${data}!`)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('handlers come first, then the target, to which the rest travels verbatim', async (t) => {
  const to = await target(t)
  const hub = await startHub(t, to)
  t.equal((await hub.ask('/own')).json, 'mine')
  const got = await hub.ask('/a%2Fb//x?y=1&wait=1s')
  t.same([got.status, got.headers['x-event-return-code'], got.headers['x-own']], [200, '0', 'yes'])
  t.equal(got.headers['set-cookie'], undefined)
  t.equal(got.headers['content-security-policy'], 'sandbox')
  t.match(got.json, {
    method: 'GET',
    url: '/a%2Fb//x?y=1',
    headers: { host: new URL(to).host, 'sapwood-peer': 'hub', 'x-forwarded-for': '127.0.0.1' },
  })
  t.equal(got.json.headers.authorization, undefined, 'the key is for the hub')
  t.equal((await hub.ask('')).json.url, '/')
  t.equal((await hub.ask('/time')).json.url, '/time', 'what is built in is off')
  t.equal((await hub.ask('/gone')).status, 410)
  const body = Buffer.alloc(3_000_000)
  t.equal((await hub.ask('/up', { method: 'PUT', body })).json.bytes, body.length, 'it streams')
  const head = await hub.ask('/x', { method: 'HEAD' })
  t.same([head.status, head.text], [200, ''])
  t.equal((await hub.ask('/../x')).json.code, 'TARGET_INVALID')
  t.equal((await hub.ask('/x', { headers: {} })).status, 401)
  const late = await hub.ask('/slow?timeout=200ms')
  t.same([late.status, late.headers['x-event-return-code']], [504, '253'])
})

test('pages ask the target, too, and WebSockets reach it', async (t) => {
  const hub = await startHub(t, await target(t))
  const client = connect(hub.url, { token: 'key' })
  t.teardown(() => client.close())
  t.equal((await client.ask('@hub/own')).message, 'mine')
  const { code, message } = await client.ask('@hub/x/y', {
    verb: 'POST',
    args: ['a b'],
    message: { n: 1 },
  })
  t.equal(code, 0)
  t.match(message, { method: 'POST', url: '/x/y//a%20b', bytes: 7 })
  await t.rejects(client.ask('@hub/slow', { timeout: 200 }), { code: 'ANSWER_TIMEOUT' })
  const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/client/hub/socket`, {
    headers: KEY,
  })
  t.teardown(() => socket.terminate())
  socket.on('open', () => socket.send('hi'))
  const echo = await new Promise((resolve, reject) => {
    socket.on('message', (data) => resolve(String(data)))
    socket.on('error', reject)
  })
  t.equal(echo, 'hi!')
})

test('what a target may read as another path is asked of the gate as everything', async (t) => {
  const rule = '[[gate.rule]]\nwho = "anyone"\nmay = ["ask"]\npath = "@hub/open/**"\n'
  const hub = await startHub(t, await target(t), rule)
  const anyone = { headers: {} }
  t.equal((await hub.ask('/open/x', anyone)).status, 200)
  for (const path of ['/closed', '/open//../closed', '/open//x', '/open%2Fx', '']) {
    const { status } = await hub.ask(path, anyone)
    t.ok(status === 401 || status === 400, `${path}: ${status}`)
    if (!path.includes('..')) t.equal((await hub.ask(path)).status, 200, path)
  }
  const client = connect(hub.url)
  t.teardown(() => client.close())
  t.match((await client.ask('@hub/open/x')).message, { url: '/open/x' })
  await t.rejects(client.ask('@hub/open', { args: ['x'] }), { code: 'NOT_ALLOWED' })
})

test('a target that is not there is a 502', async (t) => {
  const hub = await startHub(t, `http://127.0.0.1:${await freePort()}`)
  const answer = await hub.ask('/x')
  t.same([answer.status, answer.headers['x-event-return-code']], [502, '251'])
  t.equal(answer.json.code, 'TARGET_UNREACHABLE')
  t.equal((await hub.ask('/own')).json, 'mine')
})
