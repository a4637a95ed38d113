/** Asking an answerer of the same process: what one end does the other hears, in turns, and not too much at once. */
import assert from 'node:assert/strict'
import type { Fault } from '@sapwood/core'
import { SYSTEM, Wheel } from '@sapwood/core'
import type { AnswerExchange, AnswerListener, Exchange, RequestListener } from '@sapwood/pipe'
import { LocalAsker } from '@sapwood/pipe'
import { FakeClock } from '@sapwood/testkit'
import type { FieldList, RequestHead, ResponseHead } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'

const HEAD: RequestHead = {
  method: 'POST',
  target: '/x',
  headers: [],
  timeout: 1_000,
  trace: '',
  hops: 0,
}
const OK: ResponseHead = { status: 200, headers: [], code: 0 }
const STOP: Fault = { code: 'STOP', detail: 'enough', status: 502 }

/** One end of an exchange: hears, takes when it is told to, and writes on when there is room. */
class End implements RequestListener, AnswerListener {
  readonly heard: string[] = []
  readonly isWhole: boolean
  exchange: Exchange | AnswerExchange | undefined
  /** Heard, and not taken. */
  untaken = 0
  most = 0
  #left: Uint8Array[] = []

  constructor(isWhole = false) {
    this.isWhole = isWhole
  }

  get body(): string {
    return this.heard.filter((one) => !one.startsWith(':')).join('')
  }

  send(parts: readonly Uint8Array[]): void {
    this.#left = [...parts]
    this.drained()
  }

  take(): void {
    const bytes = this.untaken
    this.untaken = 0
    this.exchange?.took(bytes)
  }

  response({ status }: ResponseHead): void {
    this.heard.push(`:${status}`)
  }

  data(part: Uint8Array): void {
    this.heard.push(Buffer.from(part).toString('latin1'))
    this.untaken += part.length
    this.most = Math.max(this.most, this.untaken)
  }

  ended(trailers: FieldList | undefined): void {
    this.heard.push(trailers === undefined ? ':ended' : `:ended ${trailers}`)
  }

  drained(): void {
    for (let part = this.#left.shift(); part !== undefined; part = this.#left.shift()) {
      if (this.exchange?.write(part) === false && this.#left.length > 0) return
    }
    this.exchange?.end()
  }

  failed({ code }: Fault): void {
    this.heard.push(`:${code}`)
  }
}

function setUp(near: End, ends = false) {
  const clock = new FakeClock(0)
  const wheel = new Wheel(clock)
  const far = new End()
  const asker = new LocalAsker({
    ...{ name: 'hub', peer: 'hub', principal: SYSTEM, wheel },
    answerer: {
      request(_head, _ends, exchange) {
        far.exchange = exchange
        return far
      },
    },
  })
  near.exchange = asker.ask('hub', HEAD, ends, near)
  return { clock, wheel, far, asker }
}

async function turn(): Promise<void> {
  await new Promise(setImmediate)
}

test('bodies arrive whole and in order both ways, and a writer waits for who takes', async () => {
  const body = fc.array(
    fc.integer({ min: 1, max: 60_000 }).map((length) => Buffer.alloc(length, String(length % 10))),
    { maxLength: 8 },
  )
  await fc.assert(
    fc.asyncProperty(body, body, async (up, down) => {
      const near = new End()
      const { far, wheel } = setUp(near)
      near.send(up)
      assert.deepEqual(far.heard, [], 'nobody hears within a call')
      await turn()
      ;(far.exchange as AnswerExchange).respond(OK, false)
      far.send(down)
      for (let i = 0; i < 32; i++) {
        await turn()
        near.take()
        far.take()
      }
      assert.equal(far.body, Buffer.concat(up).toString('latin1'))
      assert.equal(near.body, Buffer.concat(down).toString('latin1'))
      assert.equal(near.heard[0], ':200')
      assert.equal(near.heard.at(-1), ':ended')
      assert.equal(far.heard.at(-1), ':ended')
      // the part that fills the room is there already
      for (const end of [near, far]) assert.ok(end.most < 65_536 + 60_000, `${end.most}`)
      near.exchange?.cancel(STOP)
      far.exchange?.cancel(STOP)
      await turn()
      for (const end of [near, far]) assert.ok(!end.heard.includes(':STOP'), 'it was over')
      wheel.close()
    }),
    { numRuns: 50 },
  )
})

test('who gives up hears nothing more, the other end hears why, once', async (t) => {
  for (const gives of ['near', 'far'] as const) {
    const near = new End()
    const { far, wheel } = setUp(near)
    await turn()
    const [first, second] = gives === 'near' ? [near, far] : [far, near]
    second.exchange?.write(Buffer.from('late'))
    first.exchange?.cancel(STOP)
    first.exchange?.cancel(STOP)
    await turn()
    second.exchange?.write(Buffer.from('later'))
    second.exchange?.end()
    second.exchange?.cancel(STOP)
    await turn()
    t.same(first.heard, [], gives)
    t.same(second.heard, [':STOP'], gives)
    wheel.close()
  }
})

test('a question that is taken back at once reaches nobody', async (t) => {
  const near = new End()
  const { far, wheel } = setUp(near, true)
  near.exchange?.cancel(STOP)
  await turn()
  t.equal(far.exchange, undefined)
  wheel.close()
})

test('the time limit is for the whole answer where the asker says so', async (t) => {
  for (const isWhole of [true, false]) {
    const near = new End(isWhole)
    const { clock, far, wheel } = setUp(near, true)
    await turn()
    ;(far.exchange as AnswerExchange).respond(OK, false)
    clock.advance(2_000)
    await turn()
    t.same(near.heard, isWhole ? [':200', ':ANSWER_TIMEOUT'] : [':200'])
    t.same(far.heard, isWhole ? [':ANSWER_TIMEOUT'] : [])
    wheel.close()
  }
  const near = new End(true)
  const { clock, far, wheel } = setUp(near, true)
  await turn()
  ;(far.exchange as AnswerExchange).respond(OK, true)
  await turn()
  clock.advance(2_000)
  await turn()
  t.same(near.heard, [':200', ':ended'], 'it was over')
  wheel.close()
})

test('nobody else is asked', async (t) => {
  const { asker, wheel } = setUp(new End(), true)
  t.equal(asker.absence('hub'), undefined)
  t.equal(asker.absence('other'), 'unknown')
  t.throws(() => asker.ask('other', HEAD, true, new End()), { code: 'CLIENT_UNKNOWN' })
  wheel.close()
})
