/** What an operator sees of the pipe: state hooks, metrics, statsd; names that a resolver finds, and the caller's helper. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AnswerError, raiseForCode } from '@sapwood/client'
import type { Fault } from '@sapwood/core'
import { Code, Wheel } from '@sapwood/core'
import type {
  AnswerExchange,
  AnswerListener,
  Asker,
  Exchange,
  RequestListener,
  StateHooks,
} from '@sapwood/pipe'
import {
  countingObserver,
  hookPath,
  measuredAnswerer,
  measuredAsker,
  PipeCounters,
  pipeMetrics,
  resolvingAsker,
  StateReporter,
  StatsdLines,
  StatsdTap,
} from '@sapwood/pipe'
import { eventually, FakeClock, RecordingComponent } from '@sapwood/testkit'
import type { RequestHead, ResponseHead } from '@sapwood/wire'
import { test } from 'tap'

const FAULT: Fault = { code: 'CONNECTION_LOST', detail: 'gone', status: 502 }

interface Told {
  readonly calls: unknown[][]
  readonly hooks: StateHooks
}

function recording(): Told {
  const calls: unknown[][] = []
  const names = ['connected', 'connect_failed', 'idle', 'connection_added'] as const
  const rest = ['connection_removed', 'start', 'stop'] as const
  const hooks = Object.fromEntries(
    [...names, ...rest].map((name) => [name, (...args: unknown[]) => calls.push([name, ...args])]),
  )
  return { calls, hooks }
}

test('RP-28, W16: failed attempts are counted up to the link, and a loss has a time, clean or not', (t) => {
  const { calls, hooks } = recording()
  const clock = new FakeClock()
  const reporter = new StateReporter({ hooks, wheel: new Wheel(clock), now: () => clock.now() })
  reporter.failed('a:1', FAULT)
  reporter.failed('b:1', FAULT)
  reporter.connected('a:1')
  clock.advance(5_000)
  reporter.lost('a:1', FAULT)
  reporter.failed('a:1', FAULT)
  reporter.connected('b:1')
  reporter.lost('b:1', FAULT)
  const at = new Date(5_000)
  t.strictSame(calls, [
    ['connect_failed', 1, undefined, FAULT, 'a:1'],
    ['connect_failed', 2, undefined, FAULT, 'b:1'],
    ['connected', 2, undefined, 'a:1'],
    ['connect_failed', 0, at, FAULT, 'a:1'],
    ['connect_failed', 1, at, FAULT, 'a:1'],
    ['connected', 1, at, 'b:1'],
    ['connect_failed', 0, at, FAULT, 'b:1'],
  ])
  t.end()
})

test('RP-29, scenario 14: idle at once and each minute until somebody comes; counts in order', (t) => {
  const { calls, hooks } = recording()
  const clock = new FakeClock(1_000)
  const wheel = new Wheel(clock)
  const reporter = new StateReporter({ hooks, wheel, now: () => clock.now() })
  reporter.listening()
  clock.advance(120_100)
  reporter.added('alpha')
  reporter.added('beta')
  clock.advance(300_000)
  reporter.removed('alpha')
  reporter.removed('beta')
  clock.advance(60_100)
  reporter.close()
  clock.advance(600_000)
  const from = (at: number): Date => new Date(at)
  t.strictSame(calls, [
    ['idle', from(1_000), 0],
    ['idle', from(1_000), 60],
    ['idle', from(1_000), 120],
    ['connection_added', 'alpha', 1],
    ['connection_added', 'beta', 2],
    ['connection_removed', 'alpha', 1],
    ['connection_removed', 'beta', 0],
    ['idle', from(421_100), 0],
    ['idle', from(421_100), 60],
  ])
  t.equal(wheel.pending, 0)
  t.end()
})

test('RP-30: hooks are updates too, and one that throws or rejects is told and hinders nothing', async (t) => {
  const thrown: unknown[][] = []
  const to = new RecordingComponent()
  const reasons: Fault[] = []
  const reporter = new StateReporter({
    hooks: {
      start: () => {
        throw new Error('start')
      },
      stop: (_peer, reason) => {
        reasons.push(reason)
        return Promise.reject(new Error('stop'))
      },
    },
    to,
    wheel: new Wheel(new FakeClock()),
    onThrow: (...args) => thrown.push(args),
  })
  reporter.started('alpha')
  // as the protocol tells it
  reporter.stopped('alpha', Object.assign({ last: 3, ends: true }, FAULT))
  t.strictSame(reasons, [FAULT])
  reporter.added('alpha')
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(
    thrown.map(([name, error]) => [name, (error as Error).message]),
    [
      ['start', 'start'],
      ['stop', 'stop'],
    ],
  )
  t.match(
    to.received.map(({ path, message }) => [path, JSON.parse(String(message.body))]),
    [
      ['::pipe/start', { peer: 'alpha' }],
      ['::pipe/stop', { peer: 'alpha', code: 'CONNECTION_LOST', detail: 'gone' }],
      [hookPath('connection_added'), { peer: 'alpha', count: 1 }],
    ],
  )
})

test('RP-41: what happens to links and requests is counted, under every name that RestPipe had', (t) => {
  const clock = new FakeClock()
  const counters = new PipeCounters()
  const seen: string[] = []
  const observer = countingObserver(counters, clock, [
    {},
    { connected: (server) => seen.push(server) },
  ])
  observer.connecting?.('a:1')
  clock.advance(20)
  observer.connected?.('a:1')
  observer.heartbeat?.(3)
  observer.heartbeatMissed?.('server')
  observer.lost?.('a:1', FAULT)
  observer.refused?.('10.0.0.1', { code: 'CERTIFICATE_MISSING', detail: '' })
  t.strictSame(seen, ['a:1'])

  const listener = new Silent()
  const asked: AnswerListener[] = []
  const asker = measuredAsker(askerOf(asked), counters, clock)
  asker.ask('alpha', HEAD, true, listener)
  asker.ask('alpha', HEAD, true, Object.assign(new Silent(), { isWhole: true }))
  t.same(
    asked.map(({ isWhole }) => isWhole),
    [false, true],
    'RP-23: how long the time limit lasts',
  )
  clock.advance(7)
  asked[0]?.ended(undefined)
  asked[1]?.failed(FAULT, false)

  const answers: AnswerExchange[] = []
  const answerer = measuredAnswerer(
    {
      request: (_head, _ends, exchange) => {
        answers.push(exchange)
        return listener
      },
    },
    counters,
    clock,
  )
  const requests = ['/time/ut%63//a/b?c', '/nope', '/time/utc'].map((target) =>
    answerer.request({ ...HEAD, target }, true, listener),
  )
  clock.advance(4)
  answers[0]?.respond(answer(Code.ok), false)
  answers[0]?.endWith(new Uint8Array(1))
  answers[1]?.respond(answer(Code.unhandled), true)
  requests[2]?.failed(FAULT)
  answers[2]?.end()

  const text = pipeMetrics(counters)
  for (const line of [
    'sapwood_pipe_connects_total 1',
    'sapwood_pipe_connected_total 1',
    'sapwood_pipe_broken_total 1',
    'sapwood_pipe_peers 0',
    'sapwood_pipe_heartbeats_total 1',
    'sapwood_pipe_heartbeats_missed_total 1',
    'sapwood_pipe_sent_total 2',
    'sapwood_pipe_received_total 3',
    'sapwood_pipe_failed_total 2',
    'sapwood_pipe_connect_seconds_sum 0.02',
    'sapwood_pipe_send_seconds_sum 0.007',
    'sapwood_pipe_send_seconds_count 1',
    'sapwood_pipe_handle_seconds_count 2',
    'sapwood_pipe_handler_seconds_sum{handler="get_time_utc"} 0.004',
    'sapwood_pipe_handler_seconds_count{handler="get_time_utc"} 1',
    'sapwood_pipe_faults_total{code="CONNECTION_LOST"} 3',
    'sapwood_pipe_faults_total{code="CERTIFICATE_MISSING"} 1',
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
  t.notMatch(text, /get_nope/, 'nobody fills the memory with nouns that nothing handles')
  for (let i = 0; i < 2_000; i++) counters.fault(`MADE_UP_${i}`)
  t.ok(counters.faults.size <= 1_025, 'nor with codes')
  t.ok((counters.faults.get('others') ?? 0) >= 976, 'which are counted all the same')

  const lines = new StatsdLines('x.')
  t.strictSame(lines.since(counters), [
    'x.client.connect.new.tick:1|c',
    'x.client.connect.connected.tick:1|c',
    'x.client.connect.broken.tick:1|c',
    'x.client.connect.heartbeat.success.tick:1|c',
    'x.client.connect.heartbeat.fail.tick:1|c',
    'x.message.send.tick:2|c',
    'x.message.receive.tick:3|c',
    'x.client.connect.new.attempt.timing:20|ms',
    'x.client.connect.heartbeat.timing:3|ms',
    'x.message.send.timing:7|ms',
    'x.message.receive.handle.timing:4|ms|@0.5',
    'x.message.received.handle.get_time_utc.tick:1|c',
    'x.message.received.handle.get_time_utc.timing:4|ms',
  ])
  t.strictSame(lines.since(counters), [], 'only what is new')
  counters.handled('get_a:b|c', 1)
  counters.sent += 5
  t.strictSame(lines.since(counters), [
    'x.message.send.tick:5|c',
    'x.message.receive.handle.timing:1|ms',
    'x.message.received.handle.get_a_b_c.tick:1|c',
    'x.message.received.handle.get_a_b_c.timing:1|ms',
  ])
  for (let i = 0; i < 1_000; i++) counters.handled(`get_${i}`, 1)
  t.ok(counters.handlers.size <= 257)
  t.end()
})

test('scenario 13, RP-41: a statsd hears it over UDP, in pieces that fit, and the rest at the end', async (t) => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  const heard: Buffer[] = []
  socket.on('message', (bytes) => heard.push(bytes))
  const clock = new FakeClock()
  const wheel = new Wheel(clock)
  const counters = new PipeCounters()
  const { port } = socket.address()
  const tap = new StatsdTap(counters, { to: { host: '127.0.0.1', port }, wheel })
  clock.advance(10_000)
  counters.sent++
  clock.advance(1_100)
  await eventually('the first line is there', () => heard.length === 1)
  t.equal(String(heard[0]), 'sapwood.message.send.tick:1|c', 'a quiet process was silent')
  for (let i = 0; i < 200; i++) counters.handled(`get_${'x'.repeat(60)}${i}`, 1)
  await tap.close()
  await eventually('the rest is there', () => String(heard.at(-1)).includes('199.timing'))
  t.ok(heard.length > 10)
  t.ok(heard.every(({ length }) => length <= 1_432))
  t.equal(wheel.pending, 0)
})

test('RP-07: a resolver may take its time, but not for ever; who gives up is not asked for', async (t) => {
  const clock = new FakeClock()
  const asked: string[] = []
  const waits: [string, number][] = []
  const inner: Asker = {
    absence: (name) => (name === 'away' ? 'away' : name === 'alpha' ? undefined : 'unknown'),
    whenBack: (name, wait, done) => {
      waits.push([name, wait])
      done(false)
      return () => undefined
    },
    ask(name) {
      asked.push(name)
      return new Silent()
    },
  }
  const answers = new Map<string, unknown>([
    ['a', Promise.resolve('alpha')],
    ['gone', 'away'],
    ['nobody', undefined],
    ['never', new Promise(() => undefined)],
  ])
  const asker = resolvingAsker(inner, (name) => answers.get(name), new Wheel(clock))
  const ask = (name: string): unknown => {
    try {
      return asker.ask(name, HEAD, true, new Silent())
    } catch (thrown) {
      return thrown
    }
  }
  const found = (name: string): Promise<unknown> =>
    new Promise((resolve) => {
      t.equal(asker.absence(name), 'away', 'whoever it is has to be found first')
      asker.whenBack(name, 70, (isThere) => resolve(isThere ? ask(name) : isThere))
    })
  t.ok((await found('a')) instanceof Silent)
  t.equal(await found('gone'), false)
  t.strictSame(waits, [['away', 70]])
  t.match(await found('nobody'), { code: 'CLIENT_UNKNOWN', status: 404 })
  const never = found('never')
  asker.whenBack('never', 70, () => t.fail('nobody waits for this one'))()
  clock.advance(11_000)
  t.match(await never, { code: 'RESOLVER_FAILED', message: /10000 ms/ })
  t.match(ask('a'), { code: 'CLIENT_UNKNOWN' }, 'what was found counts once')
  t.strictSame(asked, ['alpha'])
  t.equal(clock.pending, 0)
})

const HEAD: RequestHead = {
  method: 'GET',
  target: '/time',
  headers: [],
  timeout: 0,
  trace: '',
  hops: 0,
}

function answer(code: number): ResponseHead {
  return { status: 200, headers: [], code }
}

/** Hears all and does nothing. */
class Silent implements AnswerListener, RequestListener, AnswerExchange, Exchange {
  readonly peer = 'alpha'
  readonly principal = { id: 'cert:alpha', trusted: false }
  response(): void {}
  respond(): void {}
  data(): void {}
  ended(): void {}
  drained(): void {}
  failed(): void {}
  write(): boolean {
    return true
  }
  endWith(): void {}
  end(): void {}
  took(): void {}
  cancel(): void {}
}

function askerOf(asked: AnswerListener[]): Asker {
  return {
    absence: () => undefined,
    whenBack: () => () => undefined,
    ask(_name, _head, _ends, listener) {
      asked.push(listener)
      return new Silent()
    },
  }
}

test('RP-17: a caller gets the answer if its code is 0, else an error with what the handler said', async (t) => {
  const server = createHttpServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://x')
    const [code, status, type, body] = ANSWERS[pathname] ?? []
    if (code !== undefined) response.setHeader('X-Event-Return-Code', code)
    response.writeHead(status ?? 200, { 'Content-Type': type ?? 'text/plain' }).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const call = async (path: string): Promise<Response> => raiseForCode(await fetch(base + path))
  t.same(await (await call('/ok')).json(), { a: 1 })
  t.equal((await call('/plain')).status, 200)
  await t.rejects(call('/threw'), {
    code: 'ANSWER_NOT_ZERO',
    returnCode: 251,
    status: 500,
    exceptionClass: 'TypeError',
    traceback: 'here',
    message: 'the answer has code 251: no such file',
  })
  const thrown = await call('/own').catch((error: unknown) => error)
  t.ok(thrown instanceof AnswerError)
  t.match(thrown, { returnCode: 7, body: 'a,b', status: 200 })
  await t.rejects(call('/absent'), { returnCode: 252, message: /CLIENT_ABSENT: away/ })
  await t.rejects(call('/problem'), { code: 'HOST_FOREIGN', message: 'not here', status: 421 })
  await t.rejects(call('/broken'), { code: 'ANSWER_NOT_ZERO', status: 500 })
})

type Said = readonly [code: string | undefined, status: number, type: string, body: string]

const PROBLEM = 'application/problem+json'
const THREW = '{"exception":{"message":"no such file","class":"TypeError","traceback":"here"}}'
const ANSWERS: Readonly<Record<string, Said>> = {
  '/ok': ['0', 200, 'application/json', '{"a":1}'],
  '/plain': [undefined, 200, 'text/plain', ''],
  '/threw': ['251', 500, 'application/json', THREW],
  '/own': ['7', 200, 'text/csv', 'a,b'],
  '/absent': ['252', 503, PROBLEM, '{"code":"CLIENT_ABSENT","detail":"away"}'],
  '/problem': [undefined, 421, PROBLEM, '{"code":"HOST_FOREIGN","detail":"not here"}'],
  '/broken': [undefined, 500, 'text/html', '<html>'],
}
