/** The fronts of both ends behind a real nginx, with the files of docs/examples/nginx (RP-38, RP-39). */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, createServer as createPort } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerer } from '@sapwood/pipe'
import type { Test } from 'tap'
import { test } from 'tap'
import WebSocket, { WebSocketServer } from 'ws'
import { curl } from '../http/curl.ts'
import { eventually, within } from '../http/support.ts'
import { requires } from '../requires.ts'
import { serve, wheel } from './front-stand.ts'

const EXAMPLE = new URL('../../../docs/examples/nginx/', import.meta.url)

test('both sides behind nginx, as in docs/examples/nginx', requires('nginx', 'curl'), async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'))
  const behind = answerer({ role: 'client', target: await echoServer(t), wheel })
  t.teardown(() => {
    behind.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const sockets = { client: join(folder, 'client.sock'), server: join(folder, 'server.sock') }
  const onClient = answerer({ role: 'server', wheel })
  await serve(t, onClient, { listen: `unix:${sockets.client}`, server: 'server' })
  await serve(t, behind, { listen: `unix:${sockets.server}` })
  const port = await startNginx(t, folder, sockets)
  const ask = (url: string, ...args: string[]): Promise<string> => {
    const host = new URL(url).hostname
    return curl([
      '--resolve',
      `${host}:${port}:127.0.0.1`,
      ...args,
      url.replace(host, `${host}:${port}`),
    ])
  }
  t.match(await ask('http://rpclient.local/server/time', '-i'), /x-event-return-code: 0\r\n/i)
  t.same(JSON.parse(await ask('http://rpclient.local/server/cat//hello%20/world')), {
    result_from_server: 'hello world',
  })
  const seen = JSON.parse(
    await ask(
      'http://rpserver.local/client/localhost/a//b%2Fc?x=1&wait=1s',
      '-H',
      'X-Forwarded-For: 9.9.9.9',
    ),
  )
  t.match(seen, {
    url: '/a//b%2Fc?x=1',
    headers: {
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': `rpserver.local:${port}`,
      'x-forwarded-proto': 'http',
    },
  })
  t.match(await ask('http://rpclient.local/favicon.ico', '-i'), /^HTTP\/1\.1 404 /)
  t.match(await ask('http://rpserver.local/client/nobody/x', '-i'), / 404 [\s\S]*CLIENT_UNKNOWN/)
  const foreign = ['-i', '-H', 'Origin: http://evil.example']
  t.match(await ask('http://rpclient.local/server/time', ...foreign), /^HTTP\/1\.1 403 /)
  const own = ['-i', '-H', `Origin: http://rpclient.local:${port}`]
  t.match(await ask('http://rpclient.local/server/time', ...own), /^HTTP\/1\.1 200 /)
  const body = 'x'.repeat(3_000_000)
  const upload = await curl(
    ['-T', '-', '-H', 'Host: rpserver.local', `http://127.0.0.1:${port}/client/alpha/up`],
    body,
  )
  t.equal(JSON.parse(upload).size, body.length)
  const options = { headers: { host: 'rpserver.local' } }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/client/alpha/ws`, options)
  await within(new Promise((resolve) => socket.once('open', resolve)), 'the handshake')
  socket.send('hello')
  const back = await within(new Promise((resolve) => socket.once('message', resolve)), 'an echo')
  t.equal(String(back), 'hello')
  socket.terminate()
})

/** Says what it was asked, and echoes WebSockets. */
async function echoServer(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    request.on('end', () => {
      response.end(JSON.stringify({ url: request.url, headers: request.headers, size }))
    })
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (peer) => peer.on('message', (data) => peer.send(String(data))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Starts nginx on a free port with the example's files, their port and sockets replaced by those of the test. */
async function startNginx(
  t: Test,
  folder: string,
  sockets: Readonly<Record<string, string>>,
): Promise<number> {
  const port = await freePort()
  for (const [role, path] of Object.entries(sockets)) {
    const text = readFileSync(new URL(`${role}.conf`, EXAMPLE), 'utf8')
    const fitted = text
      .replace('listen 80;', `listen 127.0.0.1:${port};`)
      .replace(`unix:/run/sapwood/${role}.sock;`, `unix:${path};`)
    if (!fitted.includes(`unix:${path};`)) throw new Error(`${role}.conf has another socket`)
    writeFileSync(join(folder, `${role}.conf`), fitted)
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join('\n')
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
    events { worker_connections 64; }
    http { access_log off; ${temporary}
    include ${folder}/client.conf; include ${folder}/server.conf; }`,
  )
  const args = ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')]
  const child = spawn('nginx', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let isUp = false
  const knock = (): void => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      isUp = true
      socket.destroy()
    })
    socket.on('error', () => setTimeout(knock, 20))
  }
  knock()
  await eventually(() => isUp, 'nginx')
  return port
}

async function freePort(): Promise<number> {
  const server = createPort().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
