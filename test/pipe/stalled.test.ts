/** W6, W9: who is silent, slow, frozen or half there is found out in its time, at both ends, and harms nobody else. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createServer } from 'node:tls'
import { PIPE_ALPN } from '@sapwood/pipe'
import { eventually, FakeClock } from '@sapwood/testkit'
import { FrameType, refusal } from '@sapwood/wire'
import { type Test, test } from 'tap'
import { requires } from '../requires.ts'
import { frame } from '../wire/pipe-pair.ts'
import { HostilePeer } from './hostile-peer.ts'
import { answer, ask, counted, GARBAGE, HUGE, stand, unharmed } from './hostile-stand.ts'
import { connected, Log, TestAnswerer, World } from './peer-world.ts'

test('W6: an answer that breaks off within a frame is lost once nobody can take it up', async (t) => {
  const all = await stand(t, { hold: 300 })
  const { world, port, url } = all
  const alpha = await HostilePeer.dial(world, port, 'alpha')
  const none = ask(url, 'alpha/x')
  await alpha.question()
  const half = fetch(`${url}/client/alpha/y`)
  const stream = await alpha.question()
  alpha.write(frame(FrameType.headers, stream, answer(200)))
  const response = await half
  t.equal(response.status, 200)
  const broken = response.text().then(
    () => false,
    () => true,
  )
  alpha.write(frame(FrameType.data, stream, Buffer.alloc(100)).subarray(0, 50))
  alpha.socket.end()
  t.match(await none, { status: 502, returned: '254', detail: /SESSION_EXPIRED/ })
  t.ok(await broken, 'half a body does not pass for a whole one')
  t.ok(counted(all, 'CONNECTION_LOST') > 0)
  await unharmed(t, all, 'that')
})

test('W9: a peer that never answers costs its callers their time, and nobody anything else', async (t) => {
  const all = await stand(t)
  const { world, port, url, server } = all
  const alpha = await HostilePeer.dial(world, port, 'alpha')
  const asked = Array.from({ length: 100 }, () => ask(url, 'alpha/x?timeout=300ms'))
  await unharmed(t, all, 'all of them')
  for (const each of await Promise.all(asked)) {
    t.match(each, { status: 504, returned: '253', code: 'ANSWER_TIMEOUT' })
  }
  t.equal(counted(all, 'ANSWER_TIMEOUT', 'pipe_front'), 100)
  await eventually('it is told', () => alpha.heard(FrameType.reset).length === 100)
  t.match(server.clients(), [{ open: 0 }, { open: 0 }])
})

/** What a caller could send before it was held back. */
async function sent(call: ClientRequest): Promise<number> {
  const part = Buffer.alloc(65_536)
  let bytes = 0
  for (;;) {
    bytes += part.length
    if (call.write(part)) continue
    const drained = once(call, 'drain').then(() => true)
    if (!(await Promise.race([drained, pause(300, false)]))) return bytes
  }
}

test('W9: a peer that never reads holds back its callers, is found out, and leaves nothing behind', async (t) => {
  const quick = { heartbeat: 1_500, heartbeatTimeout: 1_000, hold: 200 }
  const all = await stand(t, quick)
  const { world, server, port, url, log } = all
  const alpha = await HostilePeer.dial(world, port, 'alpha')
  alpha.socket.pause()
  const call = request(`${url}/client/alpha/x`, { method: 'POST' })
  const outcome = once(call, 'response')
  const taken = await sent(call)
  t.ok(taken < 2 ** 24, `${taken} bytes of the question were taken, mostly by the system`)
  const kept = server.peers().find(({ name }) => name === 'alpha')?.session.kept
  t.ok(kept !== undefined && kept < 2 ** 19, `${kept} bytes are held here`)
  await unharmed(t, all, 'a while')
  const [response] = (await outcome) as [IncomingMessage]
  response.resume()
  t.equal(response.statusCode, 502)
  call.destroy()
  t.ok(log.has('stopped alpha SESSION_EXPIRED'))
  t.equal(counted(all, 'HEARTBEAT_LOST'), 1)
  await unharmed(t, all, 'its end')
})

test('W9: what is no handshake, or half of one, is closed in its time and counted', async (t) => {
  const all = await stand(t, { handshake: 600 })
  const hello = Buffer.from('16030100f8010000f40303', 'hex')
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['silence', new Uint8Array(0), 'HANDSHAKE_TIMEOUT'],
    ['half a ClientHello', hello, 'HANDSHAKE_TIMEOUT'],
    ['a record of 2^16 bytes', Buffer.from('160301ffff', 'hex'), 'HANDSHAKE_FAILED'],
    ['plain HTTP', GARBAGE, 'HANDSHAKE_FAILED'],
    ['another protocol', Buffer.from('SSH-2.0-x\r\n'), 'HANDSHAKE_FAILED'],
    ['zeros', Buffer.alloc(1_000), 'HANDSHAKE_FAILED'],
  ]
  for (const [why, bytes, code] of cases) {
    const before = counted(all, code)
    const socket = connect(all.port, '127.0.0.1').on('error', () => undefined)
    socket.resume()
    socket.write(bytes)
    await once(socket, 'close')
    await eventually(`${why} is counted`, () => counted(all, code) === before + 1)
  }
  await unharmed(t, all, 'all of them')
})

/** A relay that is another program, and can be stopped like one. */
async function relayProcess(t: Test, to: number): Promise<{ port: number; relay: ChildProcess }> {
  const listen = 'TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr'
  const args = ['-d', '-d', listen, `TCP:127.0.0.1:${to}`]
  // with a group of its own: it forks for each connection
  const relay = spawn('socat', args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => signal(relay, 'SIGKILL'))
  let said = ''
  relay.stderr.on('data', (bytes) => {
    said += bytes
  })
  await eventually('it listens', () => /listening on .*:\d+/.test(said))
  return { port: Number(/listening on .*:(\d+)/.exec(said)?.[1]), relay }
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  process.kill(-(pid as number), name)
}

test(
  'W6: a relay that stands still is noticed at both ends; when it goes on, all is answered, and nothing twice',
  requires('socat'),
  async (t) => {
    const quick = { heartbeat: 500, heartbeatTimeout: 1_000, handshake: 1_000 }
    const answerer = new TestAnswerer('server')
    const all = await stand(t, quick, answerer)
    const { port, relay } = await relayProcess(t, all.port)
    const log = new Log()
    const client = await all.world.client('alpha', port, { observer: log, settings: quick })
    await connected(client)
    const first = client.ask('@server/wait')
    await eventually('it is asked', () => answerer.asked.length === 1)
    signal(relay, 'SIGSTOP')
    const second = client.ask('@server/x')
    const from = ask(all.url, 'alpha/x?timeout=20s')
    await eventually('it is noticed', () => log.has('lost HEARTBEAT_LOST'))
    await eventually('there, too', () => all.log.has('removed alpha'))
    answerer.asked[0]?.reply('late')
    signal(relay, 'SIGCONT')
    t.equal((await first).message, 'late')
    t.match((await second).message, { from: 'server' })
    t.match(await from, { status: 200, returned: '0' })
    t.equal(answerer.asked.length, 2, 'each was handled once')
    t.ok(all.log.has('resumed alpha'))
    t.ok(counted(all, 'HEARTBEAT_LOST') > 0)
    await unharmed(t, all, 'that')
  },
)

test('W9: a server that answers with nonsense, or wants to be left alone for 49 days, is dialled on', async (t) => {
  const world = await World.make(t, 'alpha')
  const busy = refusal({ code: 'BUSY', detail: '' }, false, 2 ** 32 - 1)
  const answers: readonly (readonly [Uint8Array, string])[] = [
    [GARBAGE, 'FRAME_INVALID'],
    [frame(FrameType.headers, 2, [1]), 'PIPE_OUT_OF_ORDER'],
    [frame(FrameType.session, 0, HUGE), 'PIPE_MESSAGE_INVALID'],
    [busy, 'BUSY'],
    [busy, 'BUSY'],
  ]
  let links = 0
  const { key, cert } = world.identity('server')
  const server = createServer({ key, cert, ALPNProtocols: [PIPE_ALPN] }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(answers[links++]?.[0] ?? ''))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const [clock, log] = [new FakeClock(), new Log()]
  const { port } = server.address() as AddressInfo
  const client = await world.client('alpha', port, { clock, observer: log })
  for (const [index, [, code]] of answers.entries()) {
    for (let waited = 0; links <= index && waited <= 62_000; waited += 500) {
      clock.advance(500)
      await pause(5)
    }
    t.equal(links, index + 1, code)
    await eventually(code, () => log.said.filter((said) => /^failed/.test(said)).length > index)
    t.equal(log.said.at(-1), `failed ${code}`)
  }
  t.notOk(client.connected)
})
