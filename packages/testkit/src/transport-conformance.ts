/**
 * What every transport promises to the session behind it and the client in front of it, whatever it is made of:
 * all that is sent arrives, in order and unchanged; a client that does not read costs a bounded amount of memory;
 * whoever is cut off comes back without a loss or a repeat. Checked by examples, and by random lives of a client.
 */
import type { Message } from '@sapwood/core'
import {
  BYTES_TYPE,
  bodyValue,
  CONNECT,
  CONNECTED,
  connection,
  isPlainPath,
  jsonMessage,
  message,
  TEXT_TYPE,
} from '@sapwood/core'
import { BYE, GAP, HELLO, parsePosition, RESUMED } from '@sapwood/hub'
import type { Frame } from '@sapwood/wire'
import { RecordingComponent } from './recording-component.ts'
import type { TestLike } from './test-like.ts'
import type { MakeTransport, TransportCase, TransportClient } from './transport-case.ts'
import { TransportScript } from './transport-script.ts'

export interface TransportSuiteOptions {
  /** How many random lives are lived with each kind of client. */
  readonly scripts?: number
  /**
   * It comes in requests of its own, as a long poll does: who leaves is noticed by its absence only, who comes back
   * was never away, and who is replaced is not told.
   */
  readonly polls?: boolean
}

/**
 * Runs the contract on what `make` gives.
 * @example transportConformance(t, 'WebSocket', async (options) => webSocketCase(await serve(options)))
 */
export function transportConformance(
  t: TestLike,
  name: string,
  make: MakeTransport,
  { scripts = 100, polls = false }: TransportSuiteOptions = {},
): void {
  t.test(`${name}: what is published arrives unchanged, in order, with its position`, async (t) => {
    const it = await make({})
    const client = await subscribed(it, '**')
    const all: [path: string, message: Message][] = [
      ['a', message('{"n": 1e400, "s": "ä😀"}')],
      ['a/b', message('text; of\ntwo lines', TEXT_TYPE)],
      ['a/c', message(Uint8Array.of(0, 255, 10, 13), BYTES_TYPE)],
      ['ä 😀', jsonMessage('')],
      ['a', jsonMessage('x'.repeat(70_000))],
      ['a', message('null', undefined, { id: 'i', key: 'k' })],
    ]
    for (const [path, said] of all) publish(it, path, said)
    await it.settle()
    const found = updatesOf(client)
    t.same(
      found.map(({ path, message: { type, body } }) => [path, type, plain(body)]),
      all.map(([path, { type, body }]) => [path, type, plain(body)]),
    )
    t.same(
      found.map(({ at }) => parsePosition(at ?? '')?.offset),
      all.map((_, i) => it.hub.engine.head - all.length + 1 + i),
    )
    t.same(found.at(-1)?.message.meta, { id: 'i', key: 'k' })
    await it.close()
  })

  t.test(`${name}: begins with hello where it greets, and control keeps its place`, async (t) => {
    const it = await make({})
    const client = await subscribed(it, 'a')
    publish(it, 'a', jsonMessage(1))
    client.session.tell('::error', { code: 'SOMETHING' })
    publish(it, 'a', jsonMessage(2))
    await it.settle()
    const { session } = client
    const told = client.frames.map(({ path }) => path)
    if (session.downstream?.greets) {
      const hello = bodyValue(client.frames[0]?.message ?? jsonMessage({})) as { id?: string }
      t.equal(told.shift(), HELLO)
      t.equal(hello.id, session.id)
    }
    t.same(told, [CONNECTED, 'a', '::error', 'a'])
    t.ok(
      client.frames.every(({ at }) => parsePosition(at ?? '') !== undefined),
      'each has a position',
    )
    await it.close()
  })

  t.test(`${name}: much at once arrives whole`, async (t) => {
    const it = await make({})
    const client = await subscribed(it, '**')
    for (let i = 0; i < 3_000; i++)
      publish(it, `a/${i % 7}`, jsonMessage({ i, x: 'x'.repeat(i % 900) }))
    await it.settle()
    const numbers = updatesOf(client).map(({ message }) => (bodyValue(message) as { i: number }).i)
    t.same(
      numbers,
      Array.from({ length: 3_000 }, (_, i) => i),
    )
    t.ok(!client.frames.some(({ path }) => path === GAP))
    await it.close()
  })

  t.test(
    `${name}: a client that does not read holds a bounded amount, others do not wait`,
    async (t) => {
      const it = await make({ session: { outbox: 100_000 } })
      const [stalled, other] = [await subscribed(it, '**'), await subscribed(it, '**')]
      await it.settle()
      stalled.pause()
      for (let i = 0; i < 200; i++) {
        for (let j = 0; j < 25; j++) publish(it, 'a', jsonMessage('x'.repeat(1_000)))
        await it.settle()
      }
      t.equal(updatesOf(other).length, 5_000)
      // the socket's own buffers come on top of what the hub holds
      t.ok(updatesOf(stalled).length < 5_000)
      t.ok(it.hub.budget.used <= 200_000, `${it.hub.budget.used} bytes wait in the hub`)
      stalled.resume()
      await it.settle()
      t.same(offsetsOf(stalled), offsetsOf(other), 'and gets everything later: history has it')
      await it.close()
    },
  )

  t.test(`${name}: what a stalled client can no longer have is told as a gap`, async (t) => {
    const it = await make({ session: { outbox: 50_000 }, history: { count: 100 } })
    const client = await subscribed(it, 'a')
    await it.settle()
    client.pause()
    // more than the buffers of two sockets hold
    for (let i = 0; i < 80; i++) {
      for (let j = 0; j < 25; j++) publish(it, 'a', jsonMessage('x'.repeat(10_000)))
      await it.settle()
    }
    client.resume()
    await it.settle()
    publish(it, 'a', jsonMessage('afterwards'))
    await it.settle()
    const gap = client.frames.find(({ path }) => path === GAP)
    const told = gap && (bodyValue(gap.message) as { patterns?: string[]; reason?: string })
    t.same(told?.patterns, ['a'])
    t.equal(told?.reason, 'slow')
    const offsets = offsetsOf(client)
    t.same(
      offsets,
      [...new Set(offsets)].sort((a, b) => a - b),
    )
    t.equal(offsets.at(-1), it.hub.engine.head)
    await it.close()
  })

  t.test(`${name}: who leaves or is cut off is detached at once`, async (t) => {
    for (const way of ['close', 'break'] as const) {
      const it = await make({})
      const client = await subscribed(it, 'a')
      await it.settle()
      t.ok(client.session.attached)
      client[way]()
      await it.settle()
      t.ok(client.closed)
      if (!polls) t.equal(client.session.attached, false, way)
      t.equal(client.session.ended, false, 'the session waits')
      await it.close()
    }
  })

  t.test(
    `${name}: who comes back gets what it missed, once, in front of what is new`,
    async (t) => {
      const it = await make({})
      const client = await subscribed(it, 'a/*')
      publish(it, 'a/1', jsonMessage(1))
      await it.settle()
      client.break()
      for (const i of [2, 3]) publish(it, 'a/1', jsonMessage(i))
      publish(it, 'b', jsonMessage('for others'))
      await it.settle()
      const after = client.frames.at(-1)?.at
      const { secret } = client.session
      const again = await it.connect(after === undefined ? { secret } : { secret, after })
      publish(it, 'a/1', jsonMessage(4))
      await it.settle()
      t.equal(again.session, client.session)
      t.same(
        updatesOf(client).map(({ message }) => bodyValue(message)),
        [1],
      )
      t.same(
        updatesOf(again).map(({ message }) => bodyValue(message)),
        [2, 3, 4],
      )
      if (polls) return it.close()
      t.same(
        updatesOf(again)
          .slice(0, 2)
          .map(({ replay }) => replay),
        [true, true],
      )
      const resumed = again.frames.find(({ path }) => path === RESUMED)
      t.ok(resumed, 'and is told so')
      await it.close()
    },
  )

  t.test(`${name}: a second connection takes the session over`, async (t) => {
    const it = await make({})
    const former = await subscribed(it, 'a')
    publish(it, 'a', jsonMessage(1))
    await it.settle()
    const after = former.frames.at(-1)?.at ?? ''
    const next = await it.connect({ secret: former.session.secret, after })
    publish(it, 'a', jsonMessage(2))
    await it.settle()
    t.ok(former.closed)
    if (!polls) t.same(farewellOf(former), { reason: 'replaced' })
    t.same(
      updatesOf(former).map(({ message }) => bodyValue(message)),
      [1],
    )
    t.same(
      updatesOf(next).map(({ message }) => bodyValue(message)),
      [2],
    )
    t.equal(next.session, former.session)
    former.break()
    await it.settle()
    t.ok(next.session.attached, 'the end of the former one does not touch it')
    await it.close()
  })

  t.test(`${name}: a hub that sends its clients away says so and when to come back`, async (t) => {
    const it = await make({})
    const client = await subscribed(it, 'a')
    await it.settle()
    client.session.dismiss({ reason: 'drain', retryAfter: 1_234 })
    await it.settle()
    t.same(farewellOf(client), { reason: 'drain', retryAfter: 1_234 })
    t.ok(client.closed)
    t.equal(client.session.attached, false)
    const before = client.frames.length
    publish(it, 'a', jsonMessage(1))
    await it.settle()
    t.equal(client.frames.length, before, 'nothing comes after that')
    await it.close()
  })

  t.test(`${name}: the end of a session ends its transport`, async (t) => {
    const it = await make({})
    const client = await subscribed(it, 'a')
    await it.settle()
    client.session.end()
    await it.settle()
    t.ok(client.closed)
    t.equal(farewellOf(client)?.reason, 'closed')
    t.equal(it.hub.dispatcher.subscribers.get(client.session.id)?.patterns, undefined)
    await it.close()
  })

  t.test(`${name}: a quiet client stays, one that shows no sign of life does not`, async (t) => {
    const it = await make({ heartbeat: { interval: 1_000, timeout: 400 } })
    const [quiet, dead] = [await subscribed(it, 'a'), await subscribed(it, 'a')]
    await it.settle()
    const probes = dead.session.downstream?.probe() ?? false
    await it.settle()
    dead.pause()
    for (let i = 0; i < 20; i++) await it.advance(250)
    t.ok(quiet.session.attached)
    if (probes) t.equal(dead.session.attached, false)
    await it.close()
  })

  for (const joins of [false, true]) {
    const kind = joins ? 'that also subscribes from a position' : 'that comes and goes'
    t.test(`${name}: a client ${kind} gets each update once or is told of a gap`, async (t) => {
      for (let seed = 1; seed <= scripts; seed++) {
        const fault = await new TransportScript(seed, joins).run(make)
        if (fault !== undefined) t.ok(false, `life ${seed}: ${fault}`)
      }
      t.ok(true)
    })
  }
}

const publisher = new RecordingComponent('publisher')

function publish(it: TransportCase, path: string, said: Message): void {
  it.hub.update(publisher, path, said)
}

/** A client with one subscription, made by the back end, so that no upstream is needed. */
async function subscribed(it: TransportCase, pattern: string): Promise<TransportClient> {
  const client = await it.connect()
  it.hub.update(publisher, CONNECT, connection(client.session.id, pattern))
  return client
}

function updatesOf(client: TransportClient): readonly Frame[] {
  return client.frames.filter(({ path }) => isPlainPath(path))
}

function offsetsOf(client: TransportClient): number[] {
  return updatesOf(client).map(({ at }) => parsePosition(at ?? '')?.offset ?? 0)
}

function farewellOf(client: TransportClient): { reason?: string; retryAfter?: number } | undefined {
  const bye = client.frames.find(({ path }) => path === BYE)
  return bye && (bodyValue(bye.message) as { reason?: string; retryAfter?: number })
}

function plain(body: Message['body']): unknown {
  return body instanceof Uint8Array ? [...body] : body
}
