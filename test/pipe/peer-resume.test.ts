/** W6, RP-23: what is under way survives a link that is cut, frozen, or cut again and again; nothing is handled twice. */
import { createHash } from 'node:crypto'
import type { Fault } from '@sapwood/core'
import type { AnswerListener, PipeClient } from '@sapwood/pipe'
import { aWhile, eventually, FakeClock, randomNumbers } from '@sapwood/testkit'
import type { RequestHead, ResponseHead } from '@sapwood/wire'
import { test } from 'tap'
import { type Asked, connected, Log, TestAnswerer, World } from './peer-world.ts'

const HEAD: RequestHead = {
  method: 'GET',
  target: '/wait',
  headers: [],
  timeout: 30_000,
  trace: '',
  hops: 0,
}

/** Takes an answer, as fast as it comes. */
class Taken implements AnswerListener {
  head: ResponseHead | undefined
  failure: Fault | undefined
  undelivered = false
  isOver = false
  bytes = 0
  readonly sum = createHash('sha256')
  took: (bytes: number) => void = () => undefined
  onDrain: () => void = () => undefined

  response(head: ResponseHead): void {
    this.head = head
  }
  data(part: Uint8Array): void {
    this.bytes += part.length
    this.sum.update(part)
    this.took(part.length)
  }
  ended(): void {
    this.isOver = true
  }
  drained(): void {
    this.onDrain()
  }
  failed(fault: Fault, undelivered: boolean): void {
    this.failure = fault
    this.undelivered = undelivered
    this.isOver = true
  }
}

function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed) & 255
  return bytes
}

function sumOf(...parts: readonly Uint8Array[]): string {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part)
  return sum.digest('hex')
}

test('a cut link costs a pause: question, answer and bodies both ways go on', async (t) => {
  const world = await World.make(t, 'alpha')
  const [atServer, atClient] = [new TestAnswerer('server'), new Log()]
  const server = await world.server({ answerer: atServer })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port, { observer: atClient })
  await connected(client)
  const taken = new Taken()
  const exchange = client.asker.ask('server', { ...HEAD, method: 'POST' }, false, taken)
  taken.took = (bytes) => exchange.took(bytes)
  const up = Array.from({ length: 40 }, (_, i) => pattern(100_000, i))
  const down = Array.from({ length: 40 }, (_, i) => pattern(90_000, i + 7))
  exchange.write(up[0] as Buffer)
  await eventually('the question is there', () => atServer.asked.length === 1)
  const asked = atServer.asked[0] as Asked
  asked.exchange.respond({ status: 200, headers: [], code: 0 }, false)
  for (let i = 1; i < 40; i++) {
    exchange.write(up[i] as Buffer)
    asked.exchange.write(down[i - 1] as Buffer)
    if (i % 8 === 0) {
      const links = relay.connections
      relay.cut()
      await eventually('it is back', () => relay.connections > links && client.connected)
    }
  }
  exchange.end(['sum', 'x'])
  asked.exchange.endWith(down[39] as Buffer)
  await eventually('both bodies have ended', () => taken.isOver && asked.ends)
  t.equal(taken.failure, undefined)
  t.equal(sumOf(asked.body), sumOf(...up))
  t.strictSame(asked.trailers, ['sum', 'x'])
  t.equal(taken.sum.digest('hex'), sumOf(...down))
  t.equal(atServer.asked.length, 1, 'handled once')
  t.ok(relay.connections > 3)
  t.ok(atClient.has('resumed server'))
  t.notOk(atClient.said.some((what) => what.startsWith('stopped')))
})

test('a frozen link is noticed after 5 s and 10 s, dialled anew, and what was asked is answered', async (t) => {
  const clock = new FakeClock()
  const world = await World.make(t, 'alpha')
  const answerer = new TestAnswerer('server')
  const [serverLog, clientLog] = [new Log(), new Log()]
  const server = await world.server({
    answerer,
    clock,
    settings: { drain: 0 },
    observer: serverLog,
  })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port, {
    clock,
    settings: { drain: 0 },
    observer: clientLog,
  })
  await connected(client)
  const before = client.ask('@server/wait', { timeout: 60_000 })
  await eventually('the question is there', () => answerer.asked.length === 1)
  relay.freeze()
  ;(answerer.asked[0] as Asked).reply('first')
  const meanwhile = client.ask('@server/second', { timeout: 60_000 })
  clock.advance(5_000)
  await aWhile()
  t.ok(client.connected, 'it may be busy')
  for (let i = 0; i < 12; i++) {
    clock.advance(1_000)
    await aWhile()
  }
  t.ok(clientLog.has('missed') && clientLog.has('lost HEARTBEAT_LOST'))
  for (let i = 0; i < 20 && !client.connected; i++) {
    clock.advance(100)
    await aWhile()
  }
  t.equal((await before).message, 'first')
  t.match((await meanwhile).message, { target: '/second' })
  t.equal(answerer.asked.length, 2)
  t.ok(serverLog.has('resumed alpha'))
})

test('RP-25, RP-26: a server gives up the link of a client that says and reads nothing', async (t) => {
  const world = await World.make(t, 'alpha')
  const [clock, log] = [new FakeClock(), new Log()]
  const server = await world.server({ clock, observer: log, settings: { drain: 0 } })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port)
  await connected(client)
  await eventually('it is there', () => log.has('added alpha'))
  relay.freeze()
  relay.target = 0
  const taken = new Taken()
  const exchange = server.asker.ask('alpha', { ...HEAD, method: 'POST', timeout: 0 }, false, taken)
  exchange.write(pattern(1_000_000, 1))
  for (let seconds = 1; seconds <= 15; seconds++) {
    t.equal(server.asker.absence('alpha'), undefined, `after ${seconds - 1} s it may be busy`)
    clock.advance(1_000)
    await aWhile()
  }
  await eventually('it is given up', () => log.has('missed') && log.has('removed alpha'))
  t.same(server.clients(), [{ name: 'alpha', state: 'away', open: 0 }])
  t.equal(taken.failure, undefined, 'what is under way waits for the session')
})

test('a session without a link ends after a minute: bound questions end with it, at both ends', async (t) => {
  const clock = new FakeClock()
  const world = await World.make(t, 'alpha')
  const answerer = new TestAnswerer('server')
  const log = new Log()
  const server = await world.server({ answerer, clock, settings: { drain: 0 }, observer: log })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port, { clock, settings: { drain: 0 } })
  await connected(client)
  const bound = client.ask('@server/wait', { timeout: 100_000 })
  const short = client.ask('@server/wait', { timeout: 20_000 })
  bound.catch(() => undefined)
  short.catch(() => undefined)
  await eventually('the questions are there', () => answerer.asked.length === 2)
  relay.target = 0
  relay.cut()
  await eventually('the loss is noticed', () => !client.connected && log.has('removed alpha'))
  t.equal(server.asker.absence('alpha'), 'away')
  for (let i = 0; i < 21; i++) {
    clock.advance(1_000)
    await aWhile()
  }
  await t.rejects(short, { code: 'ANSWER_TIMEOUT', status: 504 })
  for (let i = 0; i < 41; i++) {
    clock.advance(1_000)
    await aWhile()
  }
  await t.rejects(bound, { code: 'CONNECTION_LOST', status: 502 })
  t.equal(answerer.asked[0]?.failure?.code, 'SESSION_EXPIRED')
  t.ok(log.has('stopped alpha SESSION_EXPIRED'))
})

test('RP-23: the time limit of a question is until its head, where a body may last for hours', async (t) => {
  const clock = new FakeClock()
  const world = await World.make(t, 'alpha')
  const answerer = new TestAnswerer('server')
  const server = await world.server({ answerer, clock, settings: { drain: 0 } })
  const client = await world.client('alpha', server.address.port, {
    clock,
    settings: { drain: 0 },
  })
  await connected(client)
  const [slow, none] = [new Taken(), new Taken()]
  const head = { ...HEAD, timeout: 1_000 }
  const exchange = client.asker.ask('server', head, true, slow)
  slow.took = (bytes) => exchange.took(bytes)
  client.asker.ask('server', head, true, none)
  await eventually('both are asked', () => answerer.asked.length === 2)
  const asked = answerer.asked[0] as Asked
  asked.exchange.respond({ status: 103, headers: [], code: 0 }, false)
  asked.exchange.respond({ status: 200, headers: [], code: 0 }, false)
  await eventually('the head is there', () => slow.head?.status === 200)
  clock.advance(1_020)
  t.equal(none.failure?.code, 'ANSWER_TIMEOUT')
  asked.exchange.endWith(Buffer.from('late'))
  await eventually('the body came', () => slow.isOver)
  t.equal(slow.failure, undefined)
  t.equal(slow.bytes, 4)
})

test('after a restart of the server: what may have been handled fails at once, and is not asked again', async (t) => {
  const world = await World.make(t, 'alpha')
  const first = new TestAnswerer('first')
  const server = await world.server({ answerer: first, settings: { drain: 0 } })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port)
  await connected(client)
  const lost = client.ask('@server/wait')
  lost.catch(() => undefined)
  await eventually('the question is there', () => first.asked.length === 1)
  relay.freeze()
  relay.target = 0
  const big = pattern(4_000_000, 1)
  const held = new Taken()
  const filler = client.asker.ask('server', { ...HEAD, method: 'POST' }, false, held)
  filler.write(big)
  relay.cut()
  await eventually('the loss is noticed', () => !client.connected)
  const second = new TestAnswerer('second')
  const other = await world.server({ answerer: second })
  relay.target = other.address.port
  await t.rejects(lost, { code: 'CONNECTION_LOST', status: 502 })
  await eventually('the body is lost too', () => held.failure !== undefined)
  t.match((await client.ask('@server/next')).message, { from: 'second' })
  t.equal(second.asked.length, 1, 'nothing was asked again that may have been handled')
})

test('RP-27: a server that was restarted has its clients back at once, however long it was away', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server({ settings: { drain: 0 } })
  const relay = await world.relay(server)
  const [clock, log] = [new FakeClock(), new Log()]
  const reconnect = { first: 100, highest: 60_000, stable: 0, random: () => 0.999 }
  const client = await world.client('alpha', relay.port, { clock, observer: log, reconnect })
  await connected(client)
  relay.target = 0
  relay.cut()
  await eventually('the loss is noticed', () => !client.connected)
  for (let waits = 100, failed = 1; failed <= 5; waits *= 2, failed++) {
    clock.advance(waits)
    await eventually('an attempt fails', () => countOf(log, 'failed') === failed)
  }
  relay.target = (await world.server()).address.port
  clock.advance(3_200)
  await connected(client)
})

function countOf(log: Log, what: string): number {
  return log.said.filter((each) => each.startsWith(what)).length
}

test('a session that the server does not know any more is followed by another on the same connection', async (t) => {
  const world = await World.make(t, 'alpha')
  const server = await world.server({ settings: { drain: 0 } })
  const relay = await world.relay(server)
  const told = new Log()
  const client = await world.client('alpha', relay.port, { observer: told })
  await connected(client)
  const log = new Log()
  const other = await world.server({ observer: log, settings: { handshake: 300 } })
  relay.target = other.address.port
  relay.cut()
  await eventually('it is back', () => other.clients().length === 1)
  t.equal(relay.connections, 2)
  t.ok(log.has('refused SESSION_UNKNOWN'))
  t.ok(told.has('stopped server SESSION_UNKNOWN'), 'the session of before is over')
  t.strictSame(
    told.said.filter((line) => line.startsWith('lost') || line.startsWith('failed')),
    ['lost CONNECTION_LOST'],
    'and the loss is told once',
  )
  t.match((await client.ask('@server/x')).message, { to: 'alpha' })
  t.match((await other.ask('@alpha/x')).message, { from: 'alpha' })
})

test('a link that is cut all the time: no GET fails, no POST is handled twice, sums are equal', async (t) => {
  const world = await World.make(t, 'alpha')
  const counts = new Map<string, number>()
  class Counting extends TestAnswerer {
    override request(...args: Parameters<TestAnswerer['request']>) {
      const { target } = args[0]
      counts.set(target, (counts.get(target) ?? 0) + 1)
      return super.request(...args)
    }
  }
  const server = await world.server({ answerer: new Counting('server') })
  const relay = await world.relay(server)
  const client = await world.client('alpha', relay.port, { answerer: new Counting('alpha') })
  await connected(client)
  const random = randomNumbers(4)
  const until = performance.now() + 4_000
  let asked = 0
  const asking = async (
    from: Pick<PipeClient, 'ask'>,
    name: string,
    verb: string,
  ): Promise<void> => {
    while (performance.now() < until) {
      asked++
      const text = 'x'.repeat(Math.floor(random() * 20_000))
      const message = verb === 'POST' ? { message: text, type: 'text/plain' } : {}
      const answer = await from.ask(`@${name}/${verb}`, { verb, args: [`${asked}`], ...message })
      const { body, method } = answer.message as { body: string; method: string }
      if (method !== verb || body !== (verb === 'POST' ? text : ''))
        throw new Error('another answer')
    }
  }
  // a link that is not there yet is let come, or a slow machine would never have one
  const cutting = setInterval(() => client.connected && relay.cut(), 100)
  try {
    await Promise.all(
      Array.from({ length: 8 }, (_, i) => {
        const verb = i % 2 === 0 ? 'GET' : 'POST'
        return i < 4 ? asking(client, 'server', verb) : asking(server, 'alpha', verb)
      }),
    )
  } finally {
    clearInterval(cutting)
  }
  t.ok(relay.connections > 10, `${relay.connections} links`)
  t.ok(asked > 100, `${asked} questions`)
  t.equal(counts.size, asked)
  t.ok(
    [...counts.values()].every((count) => count === 1),
    'each was handled once',
  )
})

test('W13: while a server drains, a link that is cut is taken up again for what is open', async (t) => {
  const world = await World.make(t, 'alpha')
  for (const others of [0, 1]) {
    const [atServer, atClient] = [new TestAnswerer('one'), new TestAnswerer('alpha')]
    const log = new Log()
    const server = await world.server({ answerer: atServer })
    const relay = await world.relay(server)
    const next = await world.server({ answerer: new TestAnswerer('two') })
    const ports = [relay.port, ...(others > 0 ? [next.address.port] : [])]
    const client = await world.client('alpha', ports, { answerer: atClient, observer: log })
    await connected(client)
    const [up, down] = [client.ask('@server/wait'), server.ask('@alpha/wait')]
    await eventually('both are asked', () => atServer.asked.length + atClient.asked.length === 2)
    const closing = server.close()
    if (others > 0) t.match((await client.ask('@server/x')).message, { from: 'two' })
    relay.cut()
    await eventually('it is taken up again', () => log.has('resumed server'))
    ;(atServer.asked[0] as Asked).reply('up')
    ;(atClient.asked[0] as Asked).reply('down')
    t.same([(await up).message, (await down).message], ['up', 'down'])
    await closing
    t.same([atServer.asked.length, atClient.asked.length], [1, 1])
    if (others > 0) t.ok(client.connected, 'the link to the next server stays')
    else await t.rejects(client.ask('@server/x', { wait: 50 }), { code: 'CLIENT_ABSENT' })
    await client.close()
  }
})

test('W13: who drains waits until its answers have arrived, also those that were given while the link was away', async (t) => {
  for (const drains of ['server', 'client'] as const) {
    for (const happens of ['cut', 'frozen'] as const) {
      const world = await World.make(t, 'alpha')
      const [atServer, atClient] = [new TestAnswerer('one'), new TestAnswerer('alpha')]
      const server = await world.server({ answerer: atServer })
      const relay = await world.relay(server)
      const client = await world.client('alpha', [relay.port], { answerer: atClient })
      await connected(client)
      const answer = drains === 'server' ? client.ask('@server/wait') : server.ask('@alpha/wait')
      const asked = drains === 'server' ? atServer.asked : atClient.asked
      await eventually('it is asked', () => asked.length === 1)
      relay.target = 0
      if (happens === 'cut') relay.cut()
      else relay.freeze()
      if (happens === 'cut') await eventually('it is away', () => !client.connected)
      ;(asked[0] as Asked).reply('here')
      await aWhile()
      let isClosed = false
      const closing = (drains === 'server' ? server : client).close().then(() => (isClosed = true))
      for (let looks = 0; looks < 5; looks++) await aWhile()
      t.notOk(isClosed, `${drains}, ${happens}: somebody waits for it`)
      relay.target = server.address.port
      relay.cut()
      t.equal((await answer).message, 'here')
      await closing
      await Promise.all([client.close(), server.close()])
    }
  }
})
