/** Fronts, as curl and the package ws use them: the commands of the documentation as typed, and bodies of any size. */
import { spawn } from 'node:child_process'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import type { HandlerContext } from '@sapwood/http'
import { answerer } from '@sapwood/pipe'
import type { Handlers } from '@sapwood/wire'
import type { Test } from 'tap'
import { test } from 'tap'
import WebSocket, { WebSocketServer } from 'ws'
import { curl } from '../http/curl.ts'
import { eventually, within } from '../http/support.ts'
import { requires } from '../requires.ts'
import type { FrontStand } from './front-stand.ts'
import { serve, wheel } from './front-stand.ts'

const CURL = requires('curl')
const MB = 1_000_000
const REFUSAL = 'HTTP/1.1 401 Unauthorized\r\nX-Why: no\r\nContent-Length: 4\r\n\r\nnope'

async function withHandlers(t: Test, handlers: Handlers<HandlerContext>): Promise<FrontStand> {
  return serve(t, answerer({ role: 'client', handlers, wheel }))
}

test('the four lines, both ways (scenarios 1 to 4)', CURL, async (t) => {
  const onClient = await serve(t, answerer({ role: 'server', wheel }), { server: 'server' })
  const onServer = await serve(t, answerer({ role: 'client', wheel }))
  const time = await curl(['-i', `${onClient.url}/server/time`])
  t.match(time, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(time, /x-event-return-code: 0\r\n/i)
  t.match(time, /content-type: application\/json\r\n/i)
  t.match(time, /"time_from_server":\d+\.?\d*/)
  t.match(await curl([`${onServer.url}/client/localhost/time`]), /^\{"time_from_client":\d+/)
  t.same(JSON.parse(await curl([`${onClient.url}/server/cat//hello%20/world`])), {
    result_from_server: 'hello world',
  })
  t.same(JSON.parse(await curl([`${onServer.url}/client/localhost/cat//hello%20/world`])), {
    result_from_client: 'hello world',
  })
})

test('http_proxy=… curl http://fileserver/x', CURL, async (t) => {
  const stand = await serve(t, answerer({ role: 'client', wheel }), { keys: ['s3cret'] })
  const env = { http_proxy: `http://me:s3cret@127.0.0.1:${stand.port}` }
  const ask = (...args: string[]): Promise<string> => run('curl', ['-s', ...args], env)
  t.match(await ask('http://fileserver/time'), /^\{"time_from_client":/)
  t.match(await ask('-i', 'http://nobody.example/x'), /^HTTP\/1\.1 404 [\s\S]*CLIENT_UNKNOWN/)
  t.match(await ask('-i', 'https://fileserver/x', '-p', '-x', env.http_proxy), /^HTTP\/1\.1 405 /)
})

test(
  'a handler that throws, one that is not there, codes of its own (scenarios 5 and 6)',
  CURL,
  async (t) => {
    const stand = await withHandlers(t, {
      get_throws: () => {
        throw new RangeError('too far')
      },
      get_csv: () => ['text/csv', 7, 'a,b'],
      put_what: (_context, [type, data]) => [null, 0, { type, data }],
    })
    const ask = (...args: string[]): Promise<string> =>
      curl([...args.slice(1), '-i', `${stand.url}/client/alpha/${args[0]}`])
    t.match(await ask('throws'), /^HTTP\/1\.1 500 [\s\S]*return-code: 251[\s\S]*"too far"/i)
    t.match(await ask('nope'), /^HTTP\/1\.1 404 [\s\S]*return-code: 255[\s\S]*\r\n\r\n$/i)
    t.match(await ask('csv'), /200 [\s\S]*return-code: 7\r\n[\s\S]*a,b$/i)
    const json = 'Content-Type: application/json; charset=utf-8'
    t.match(
      await ask('what', '-X', 'PUT', '-d', '{"a": 1}', '-H', json),
      /\{"type":"application\/json","data":\{"a":1\}\}$/,
    )
    t.match(await ask('what', '-X', 'PUT', '-d', '{"a": ', '-H', json), / 400 [\s\S]*code: 251/i)
  },
)

test('100 MB up and down in flat memory', CURL, async (t) => {
  let sum = 0
  const take = async (_context: HandlerContext, [, body]: readonly [string, unknown]) => {
    for await (const chunk of body as Readable) {
      sum += (chunk as Buffer).length
    }
    return sum
  }
  const stand = await withHandlers(t, {
    put_take: Object.assign(take, { stream: true }),
    get_give: () => ({ type: 'application/octet-stream', data: chunks(100 * MB) }),
  })
  const memory = new Memory()
  const upload = `head -c ${100 * MB} /dev/zero | curl -s -T - ${stand.url}/client/alpha/take`
  t.equal(await run('sh', ['-c', upload]), String(100 * MB))
  const download = `curl -s ${stand.url}/client/alpha/give | wc -c`
  t.equal((await run('sh', ['-c', download])).trim(), String(100 * MB))
  const { grown } = memory.end()
  t.ok(grown < 90 * MB, `${Math.round(grown / MB)} MB more at the most`)
})

test(
  'Server-Sent Events leave as they come; a caller that leaves aborts the handler',
  CURL,
  async (t) => {
    let isAborted = false
    async function* events(context: HandlerContext): AsyncGenerator<string> {
      context.signal.addEventListener('abort', () => {
        isAborted = true
      })
      for (let i = 0; i < 3; i++) {
        yield `data: ${i}\n\n`
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve))
    }
    const stand = await serve(
      t,
      answerer({
        role: 'client',
        wheel,
        handlers: {
          get_events: (context) => ({ type: 'text/event-stream', data: events(context) }),
        },
      }),
      { timeout: 100 },
    )
    const seen = await curl(['-N', '--max-time', '0.5', `${stand.url}/client/alpha/events`])
    t.equal(seen, 'data: 0\n\ndata: 1\n\ndata: 2\n\n', 'it outlives the time limit of its head')
    await eventually(() => isAborted, 'an abort')
  },
)

test('WebSocket through the pipe: messages of any size, close codes, refusals', async (t) => {
  const http = createServer((request, response) => {
    response.end(`${request.method} ${request.headers['x-forwarded-host']}`)
  })
  const sockets = new WebSocketServer({ noServer: true })
  http.on('upgrade', (request, socket, head) => {
    if (request.url === '/no') return void socket.end(REFUSAL)
    sockets.handleUpgrade(request, socket, head, (peer) => {
      peer.on('message', (data, isBinary) => {
        if (String(data) === 'bye') peer.close(4321, 'as asked')
        else peer.send(data, { binary: isBinary })
      })
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const behind = answerer({ role: 'client', target: `http://127.0.0.1:${port}`, wheel })
  t.teardown(() => {
    behind.close()
    http.closeAllConnections()
    http.close()
  })
  const stand = await serve(t, behind)
  const url = `ws://127.0.0.1:${stand.port}/client/alpha`
  const socket = new WebSocket(`${url}/yes`)
  await within(new Promise((resolve) => socket.once('open', resolve)), 'the handshake')
  const big = Buffer.alloc(3 * MB, 'x')
  for (const message of [Buffer.from('hello'), big]) {
    socket.send(message)
    const back = await within(new Promise((resolve) => socket.once('message', resolve)), 'an echo')
    t.ok(message.equals(back as Buffer), `${message.length} bytes`)
  }
  t.equal(stand.front.counters.upgrades, 1)
  socket.send('bye')
  const code = await within(new Promise((resolve) => socket.once('close', resolve)), 'a close')
  t.equal(code, 4321)
  const refused = new WebSocket(`${url}/no`)
  const response = await within(
    new Promise<IncomingMessage>((resolve) =>
      refused.once('unexpected-response', (_request, response) => resolve(response)),
    ),
    'a refusal',
  )
  t.same([response.statusCode, response.headers['x-why']], [401, 'no'])
  refused.on('error', () => undefined)
  refused.terminate()
  const unknown = new WebSocket(`ws://127.0.0.1:${stand.port}/client/nobody/x`)
  const error = await within(new Promise((resolve) => unknown.once('error', resolve)), 'an error')
  t.match(String(error), /404/)
  const cut = new WebSocket(`${url}/yes`)
  await within(new Promise((resolve) => cut.once('open', resolve)), 'the handshake')
  cut.terminate()
  await eventually(() => stand.front.counters.open === 0, 'nothing open')
  await t.test('an offer of HTTP/2 is answered as what it is', CURL, async (t) => {
    const plain = await curl(['--http2', `${stand.url}/client/alpha/plain`])
    t.equal(plain, `GET 127.0.0.1:${stand.port}`)
    const sent = await curl(['--http2', '-d', 'x=1', `${stand.url}/client/alpha/plain`])
    t.equal(sent, `POST 127.0.0.1:${stand.port}`)
  })
})

async function* chunks(size: number): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(65_536)
  for (let left = size; left > 0; left -= chunk.length) {
    yield left < chunk.length ? chunk.subarray(0, left) : chunk
  }
}

/** The most memory of this process, beyond what it has at first. */
class Memory {
  readonly #first = process.memoryUsage.rss()
  #most = this.#first
  readonly #timer = setInterval(() => {
    this.#most = Math.max(this.#most, process.memoryUsage.rss())
  }, 10)

  end(): { readonly grown: number } {
    clearInterval(this.#timer)
    return { grown: this.#most - this.#first }
  }
}

async function run(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  await within(new Promise((resolve) => child.on('close', resolve)), program, 30_000)
  return text
}
