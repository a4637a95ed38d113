/** Exchanges over a session of the pipe: who hears what, once, and what is forgotten. */
import type { Fault } from '@sapwood/core'
import type { AnswerExchange, Answerer, RequestListener } from '@sapwood/pipe'
import type { FieldList, RequestHead } from '@sapwood/wire'
import { test } from 'tap'
import { OK, pattern } from '../wire/pipe-pair.ts'
import { ExchangePair } from './exchange-pair.ts'

/** Writes down what it hears and does nothing else. */
class Silent implements Answerer, RequestListener {
  exchange: AnswerExchange | undefined
  readonly heard: string[] = []
  size = 0

  request(head: RequestHead, ends: boolean, exchange: AnswerExchange): RequestListener {
    this.exchange = exchange
    this.heard.push(`${exchange.peer} ${head.method} ${head.target}${ends ? ' ends' : ''}`)
    return this
  }
  data(part: Uint8Array): void {
    this.size += part.length
  }
  ended(trailers: FieldList | undefined): void {
    this.heard.push(`ended ${trailers?.join() ?? ''}`)
  }
  drained(): void {
    this.heard.push('drained')
  }
  failed({ code }: Fault): void {
    this.heard.push(code)
  }
}

function settle(pair: ExchangePair): void {
  for (let i = 0; i < 10; i++) pair.carry()
}

test('a request without a body is told so, and no end of it; one with a body ends once, with its trailers', async (t) => {
  const answerer = new Silent()
  const pair = new ExchangePair(answerer)
  pair.ask({ target: '/a' })
  settle(pair)
  t.same(answerer.heard.splice(0), ['alpha GET /a ends'])
  const open = pair.ask({ target: '/b' }, 'x')
  settle(pair)
  t.same(answerer.heard.splice(0), ['alpha POST /b', 'ended '])
  answerer.exchange?.respond({ ...OK, status: 103 }, false)
  answerer.exchange?.respond(OK, false)
  answerer.exchange?.write(pattern(5))
  answerer.exchange?.end(['x-sum', '5'])
  settle(pair)
  t.same([open.interim.length, open.head?.status, open.size, open.done], [1, 200, 5, true])
  t.same(open.trailers, ['x-sum', '5'])
  t.equal(pair.near.open, 1)
})

test('bytes that nobody took hold the sender back; taking them lets it go on', async (t) => {
  const answerer = new Silent()
  const pair = new ExchangePair(answerer, { streamWindow: 100_000, streamWindowMost: 100_000 })
  const asked = pair.ask({ target: '/a', method: 'POST' }, '')
  const { exchange } = asked
  t.ok(exchange)
  const more = pair.near.ask(
    { method: 'PUT', target: '/b', headers: [], timeout: 0, trace: '', hops: 0 },
    false,
    asked,
  )
  t.notOk(more.write(pattern(250_000)))
  settle(pair)
  t.equal(answerer.size, 100_000)
  t.equal(asked.drains, 0)
  answerer.exchange?.took(100_000)
  settle(pair)
  answerer.exchange?.took(100_000)
  settle(pair)
  t.equal(answerer.size, 250_000)
  t.equal(asked.drains, 1)
})

test('who cancels hears no more, the other end hears it once; calls after the end do nothing', async (t) => {
  const answerer = new Silent()
  const pair = new ExchangePair(answerer)
  const asked = pair.ask({ target: '/a' }, 'x')
  settle(pair)
  t.equal(pair.near.open, 1)
  asked.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  asked.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  t.equal(pair.near.open, 0)
  settle(pair)
  t.same(answerer.heard, ['alpha POST /a', 'ended ', 'CANCELLED'])
  const { exchange } = answerer
  exchange?.respond(OK, false)
  t.ok(exchange?.write(pattern(10)))
  exchange?.endWith(pattern(10))
  exchange?.end()
  exchange?.took(5)
  settle(pair)
  t.same([asked.done, asked.head, asked.size], [false, undefined, 0])
  t.equal(pair.near.session.streams + pair.far.session.streams, 0)
  t.same(pair.faults, [])
})

test('a session that ends fails every exchange at both ends, once', async (t) => {
  const answerer = new Silent()
  const pair = new ExchangePair(answerer)
  const all = [pair.ask({ target: '/a' }), pair.ask({ target: '/b' }, 'x')]
  settle(pair)
  answerer.heard.splice(0)
  pair.far.session.close({ code: 'PIPE_CLOSED', detail: 'over' })
  settle(pair)
  t.same(answerer.heard, ['PIPE_CLOSED', 'PIPE_CLOSED'])
  t.same(
    all.map(({ fault }) => fault?.code),
    ['PIPE_CLOSED', 'PIPE_CLOSED'],
  )
  t.equal(pair.near.open, 0)
  t.throws(() => pair.ask({ target: '/c' }), { code: 'PIPE_CLOSED' })
})

test('an answerer whose request ends the session is told of it too', async (t) => {
  const heard: string[] = []
  const pair: ExchangePair = new ExchangePair({
    request(): RequestListener {
      pair.far.session.close({ code: 'PIPE_CLOSED', detail: 'over' })
      return {
        data: () => undefined,
        ended: () => heard.push('ended'),
        drained: () => undefined,
        failed: ({ code }) => heard.push(code),
      }
    },
  })
  pair.ask({ target: '/a' }, 'x')
  settle(pair)
  t.same(heard, ['PIPE_CLOSED'])
})
