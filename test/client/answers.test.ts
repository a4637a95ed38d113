/** Answering what this client is asked (RP-10 to RP-16). */
import { test } from 'tap'
import { type Json, settle, twin } from './twin.ts'

function setUp() {
  const all = twin()
  all.ws.last.hello()
  const ask = (frame: Json): void => {
    all.ws.last.down({ path: '@hub-1/time', verb: 'GET', reply: 'q1', message: '', ...frame })
  }
  return { ...all, ask, replies: () => all.ws.last.on('::reply') }
}

test('a handler is found by verb and noun, and what it returns is the answer', async (t) => {
  const { client, ask, replies } = setUp()
  const calls: unknown[] = []
  client.answer('GET time', () => ({ now: 1 }))
  client.answer('put a/b', (context, [type, data], ...args) => {
    calls.push([context.verb, context.noun, context.query, context.deadline, type, data, args])
    return ['text/plain', 7, 'done']
  })
  ask({})
  ask({
    path: '@hub-1/a/b',
    verb: 'PUT',
    reply: 'q2',
    args: ['x', ''],
    query: 'n=1',
    deadline: 900,
    message: { n: 1 },
  })
  await settle()
  t.strictSame(replies(), [
    { path: '::reply', message: { now: 1 }, reply: 'q1', code: 0 },
    { path: '::reply', message: 'done', type: 'text/plain', reply: 'q2', code: 7 },
  ])
  t.strictSame(calls, [['PUT', 'a/b', 'n=1', 900, 'application/json', { n: 1 }, ['x', '']]])
})

test('a noun that no path can say stands beside it', async (t) => {
  const { client, ask, replies } = setUp()
  client.answer('GET ', ({ noun, path }) => [noun, path])
  client.answer('GET a/b', ({ noun }) => `${noun}!`)
  ask({ path: '@hub-1/**', noun: '' })
  ask({ path: '@hub-1/**', noun: 'a/b', reply: 'q2' })
  ask({ path: '@hub-1/**', reply: 'q3' })
  await settle()
  for (const [reply, answer] of [
    ['q1', { code: 0, message: ['', '@hub-1/**'] }],
    ['q2', { code: 0, message: 'a/b!' }],
    ['q3', { code: 255 }],
  ] as const) {
    t.match(
      replies().find((one) => one.reply === reply),
      answer,
    )
  }
})

test('RP-14: values, bytes, nothing, and an object with status', async (t) => {
  const { client, ask, replies } = setUp()
  const results = [
    'text',
    null,
    new Uint8Array([1, 2]),
    { status: 201, type: 'text/html', data: '<p>' },
  ]
  client.answer('GET time', () => results.shift())
  for (const reply of ['a', 'b', 'c', 'd']) ask({ reply })
  await settle()
  t.match(replies(), [
    { reply: 'a', code: 0, message: 'text', type: undefined },
    { reply: 'b', code: 0, message: '', type: 'text/plain' },
    { reply: 'c', code: 0, message: 'AQI=', encoding: 'base64' },
    { reply: 'd', code: 0, status: 201, message: '<p>', type: 'text/html' },
  ])
})

test('RP-15, RP-16: 251 with message and class when it throws, 255 where there is none', async (t) => {
  const { client, ask, replies } = setUp()
  client.answer('GET time', async () => {
    throw new RangeError('out of time')
  })
  ask({})
  for (const noun of ['none', 'constructor', '__proto__', 'toString']) {
    ask({ path: `@hub-1/${noun}`, reply: noun })
  }
  await settle()
  const unhandled = { code: 255, message: '', type: 'text/plain' }
  t.match(
    replies().sort((a, b) => Number(a.code) - Number(b.code)),
    [
      { code: 251, message: { exception: { message: 'out of time', class: 'RangeError' } } },
      unhandled,
      unhandled,
      unhandled,
      unhandled,
    ],
  )
})

test('an answer that cannot be sent counts as thrown', async (t) => {
  const { client, ask, replies } = setUp()
  client.answer('GET time', () => ['text/plain', 0, { no: 'text' }])
  client.answer('GET long', () => [`text/${'x'.repeat(600)}`, 0, 'too long a type'])
  client.answer('GET big', () => 1n)
  ask({})
  ask({ path: '@hub-1/long', reply: 'q2' })
  ask({ path: '@hub-1/big', reply: 'q3' })
  await settle()
  t.match(
    replies().map(({ code }) => code),
    [251, 251, 251],
  )
})

test('a question that comes again is answered again, but its handler runs once', async (t) => {
  const { client, ask, replies } = setUp()
  let runs = 0
  let finish = (): void => undefined
  client.answer('GET time', async () => {
    runs++
    await new Promise<void>((resolve) => {
      finish = resolve
    })
    return runs
  })
  ask({})
  ask({})
  await settle()
  finish()
  await settle()
  t.equal(replies().length, 1)
  ask({})
  await settle()
  t.equal(runs, 1)
  t.strictSame(replies()[1], replies()[0])
})

test('an answer that was ready while there was no link goes out when the hub asks again', async (t) => {
  const { client, clock, ws, ask } = setUp()
  let finish = (): void => undefined
  client.answer(
    'GET time',
    () => new Promise<string>((resolve) => (finish = () => resolve('late'))),
  )
  ask({})
  await settle()
  ws.last.lose()
  finish()
  await settle()
  clock.advance(500)
  ws.last.hello({ resumed: true })
  await settle()
  t.strictSame(ws.last.sent, [])
  ws.last.down({ path: '@hub-1/time', verb: 'GET', reply: 'q1', message: '' })
  await settle()
  t.match(ws.last.sent, [{ path: '::reply', reply: 'q1', message: 'late' }])
})

test('one slow handler does not hold up the others', async (t) => {
  const { client, ask, replies } = setUp()
  client.answer('GET slow', () => new Promise(() => undefined))
  client.answer('GET time', () => 1)
  ask({ path: '@hub-1/slow', reply: 'slow' })
  ask({})
  await settle()
  t.match(replies(), [{ reply: 'q1' }])
})

test('a cancel aborts the signal, and nothing is answered any more', async (t) => {
  const { client, ws, ask, replies } = setUp()
  const signals: AbortSignal[] = []
  client.answer('GET time', ({ signal }) => {
    signals.push(signal)
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late')))
  })
  ask({})
  await settle()
  ws.last.down({ path: '::cancel', reply: 'q1', message: 'q1' })
  await settle()
  t.equal(signals[0]?.aborted, true)
  t.strictSame(replies(), [])
  ws.last.down({ path: '::cancel', reply: 'never asked' })
})

test('with a session end its questions: signals abort, answers are forgotten', async (t) => {
  const { client, clock, ws, ask } = setUp()
  const signals: AbortSignal[] = []
  let runs = 0
  client.answer('GET time', () => ++runs)
  client.answer('GET slow', ({ signal }) => {
    signals.push(signal)
    return new Promise(() => undefined)
  })
  ask({})
  ask({ path: '@hub-1/slow', reply: 'q2' })
  await settle()
  ws.last.lose()
  clock.advance(500)
  ws.last.hello({ id: 'hub-2' })
  t.equal(signals[0]?.aborted, true)
  ws.last.down({ path: '@hub-2/time', verb: 'GET', reply: 'q1', message: '' })
  await settle()
  t.equal(runs, 2)
  t.match(ws.last.sent, [{ path: '::reply', reply: 'q1', message: 2 }])
})

test('what wants no answer gets none, but is handled', async (t) => {
  const { client, ws } = setUp()
  let runs = 0
  client.answer('GET time', () => ++runs)
  ws.last.down({ path: '@hub-1/time', message: '' })
  await settle()
  t.equal(runs, 1)
  t.strictSame(ws.last.sent, [])
})

test('a handler is taken back by its undo, and replaced by the next of its key', async (t) => {
  const { client, ask, replies } = setUp()
  const off = client.answer('GET time', () => 'first')
  const offSecond = client.answer('GET time', () => 'second')
  off()
  ask({})
  await settle()
  offSecond()
  ask({ reply: 'q2' })
  await settle()
  t.match(replies(), [{ message: 'second' }, { code: 255 }])
})
