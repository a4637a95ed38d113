/** Who is asked at the ask gateway, on each transport, and what becomes of a question that waits (RP-08). */
import { request as httpRequest } from 'node:http'
import { test } from 'tap'
import { anyClient, KINDS } from './clients.ts'
import { outcome } from './outcome.ts'
import type { Answer, Stand } from './support.ts'
import { call, eventually, open, pause, publish, serve, WsClient } from './support.ts'

const POLL = { bundle: 0, hold: 10_000, expire: 300 }

for (const kind of KINDS) {
  test(`${kind}: what the client answers is the response (RP-05, RP-06, RP-15)`, async (t) => {
    const stand = await serve(t, { http: { poll: POLL } })
    const client = await anyClient(stand, kind)
    const ask = async (answer: object): Promise<Answer> => {
      const seen = client.frames.all.length
      const asked = call(stand, `/client/${client.id}/some/noun`)
      await client.frames.find(
        (frame) => client.frames.all.indexOf(frame) >= seen && frame.path.startsWith('@'),
      )
      const question = client.frames.all.findLast(({ path }) => path.startsWith('@'))
      await client.send({ path: '::reply', reply: question?.reply, ...answer })
      return asked
    }
    const ok = await ask({ message: { t: 1 } })
    t.same(outcome(ok), [200, '0', '{"t":1}'])
    t.equal(ok.headers['content-type'], 'application/json')
    t.equal(ok.headers['x-content-type-options'], 'nosniff')
    t.equal(ok.headers['content-security-policy'], 'sandbox')
    t.same(outcome(await ask({ message: 'x', code: 7 })), [200, '7', '"x"'])
    t.same(outcome(await ask({ message: 'x', code: 248 })), [200, '248', '"x"'])
    t.same(outcome(await ask({ message: '', code: 0, status: 201 })), [201, '0', '""'])
    const text = await ask({ message: 'grüße', type: 'text/html; charset=utf-8' })
    t.equal(text.text, 'grüße')
    t.match(text.headers['content-type'], /^text\/html/)
    const bytes = await ask({ message: 'AP8K', encoding: 'base64', type: 'image/png' })
    t.same([...bytes.bytes], [0, 255, 10])
    t.equal(bytes.headers['content-type'], 'image/png')
    const thrown = { exception: { message: 'no', class: 'Error' } }
    const threw = await ask({ message: thrown, code: 251 })
    t.same([threw.status, threw.headers['x-event-return-code']], [500, '251'])
    t.same(threw.json, thrown)
    t.same(outcome(await ask({ message: 'ignored', code: 255 })), [404, '255', ''])
  })

  test(`${kind}: verb, arguments, query, type and body travel (RP-10, RP-11, RP-12)`, async (t) => {
    const stand = await serve(t, { http: { poll: POLL } })
    const client = await anyClient(stand, kind)
    const rows: [string, string, Record<string, string>, string | Buffer, object][] = [
      [
        'GET',
        '/cat//hello%20/world',
        {},
        '',
        { path: 'cat', verb: 'GET', args: ['hello ', 'world'], message: '' },
      ],
      ['GET', '/time//', {}, '', { path: 'time', verb: 'GET', args: [''], message: '' }],
      [
        'POST',
        '/a/b//x//y/%2F',
        { 'content-type': 'application/json' },
        '{"n": 1e400}',
        { path: 'a/b', verb: 'POST', args: ['x', '', 'y', '/'] },
      ],
      [
        'PUT',
        '/a?x=1&wait=1s&y=%20',
        { 'content-type': 'text/plain; charset=utf-8' },
        'hä',
        { path: 'a', query: 'x=1&y=%20', verb: 'PUT', message: 'hä', type: 'text/plain' },
      ],
      ['DELETE', '/a?timeout=3s', {}, '', { path: 'a', verb: 'DELETE' }],
      [
        'PATCH',
        '/%C3%A4',
        { 'sapwood-timeout': '4s', 'content-type': 'image/png' },
        Buffer.from([255]),
        { path: 'ä', verb: 'PATCH', message: '/w==', encoding: 'base64' },
      ],
      ['PUT', '/q?timeout=5', { 'sapwood-timeout': '4s' }, '', { path: 'q', query: 'timeout=5' }],
      [
        'POST',
        '/form',
        { 'content-type': 'application/x-www-form-urlencoded' },
        '5',
        { path: 'form', message: '5', type: 'application/x-www-form-urlencoded' },
      ],
      ['QUERY', '/a*b', {}, 'form=1', { path: 'a*b', message: 'form=1' }],
    ]
    for (const [method, tail, headers, body, wanted] of rows) {
      const seen = client.frames.all.length
      const asked = call(stand, `/client/${client.id}${tail}`, { method, headers, body })
      await client.frames.find((frame) => client.frames.all.indexOf(frame) >= seen)
      const question = client.frames.all.at(-1)
      const { path, reply, deadline, ...rest } = question as Record<string, unknown>
      const { path: noun, ...more } = wanted as { path: string }
      t.equal(path, `@${client.id}/${noun}`, tail)
      t.match(rest, more, tail)
      t.type(reply, 'string')
      t.ok(Number(deadline) > 0 && Number(deadline) <= 50_000, `${deadline}`)
      await client.send({ path: '::reply', reply, message: 1 })
      t.equal((await asked).status, 200)
    }
  })

  test(`${kind}: no answer in time is 253 and 504, and the client is told to stop`, async (t) => {
    const stand = await serve(t, {
      http: { poll: POLL },
      hub: { ask: { wait: 5_000, timeout: 100 } },
    })
    const client = await anyClient(stand, kind)
    for (const [tail, least] of [
      ['/slow', 100],
      ['/slow?timeout=50ms', 50],
      ['/slow?timeout=50ms&wait=60s', 50],
    ] as const) {
      const seen = client.frames.all.length
      const since = performance.now()
      const answer = await call(stand, `/client/${client.id}${tail}`)
      const took = performance.now() - since
      t.same(outcome(answer), [504, '253', 'ANSWER_TIMEOUT'], tail)
      t.equal(answer.headers['content-type'], 'application/problem+json')
      t.ok(took >= least - 2 && took < least + 300, `${took} ms for ${tail}`)
      await client.frames.find(
        (frame) => frame.path === '::cancel' && client.frames.all.indexOf(frame) >= seen,
      )
      const [question, cancel] = client.frames.all.slice(seen)
      t.equal(cancel?.reply, question?.reply)
      t.equal(cancel?.code, 250)
      await client.send({ path: '::reply', reply: question?.reply, message: 'late' })
      await client.frames.find(
        ({ path, message }) => path === '::error' && message.reply === question?.reply,
      )
    }
  })

  test(`${kind}: a caller that goes away cancels its question`, async (t) => {
    const stand = await serve(t, { http: { poll: POLL } })
    const client = await anyClient(stand, kind)
    const request = httpRequest({
      host: '127.0.0.1',
      port: stand.port,
      path: `/client/${client.id}/x`,
      agent: false,
    })
    request.on('error', () => undefined)
    request.end()
    const question = await client.frames.find(({ path }) => path.startsWith('@'))
    request.destroy()
    const cancel = await client.frames.find(({ path }) => path === '::cancel')
    t.equal(cancel.reply, question.reply)
    t.same((await call(stand, '/client')).json[0].questions, 0)
  })

  test(`${kind}: cut off before the answer: 254 and 502 at the session's end`, async (t) => {
    const stand = await serve(t, {
      http: { poll: { ...POLL, expire: 150 } },
      hub: { session: { expire: 150 } },
    })
    const client = await anyClient(stand, kind)
    const since = performance.now()
    const asked = call(stand, `/client/${client.id}/x`)
    await client.frames.find(({ path }) => path.startsWith('@'))
    client.cut()
    t.same(outcome(await asked), [502, '254', 'CONNECTION_LOST'])
    const took = performance.now() - since
    t.ok(took > 140 && took < 1_000, `${took} ms`)
  })

  test(`${kind}: after a resume an unanswered question comes again, and is answered once`, async (t) => {
    const stand = await serve(t, { http: { poll: { ...POLL, expire: 5_000 } } })
    const client = await anyClient(stand, kind)
    const asked = call(stand, `/client/${client.id}/x`, { body: '{"a":1}' })
    const first = await client.frames.find(({ path }) => path.startsWith('@'))
    client.cut()
    let { token } = client
    for (const next of KINDS) {
      const again = await anyClient(stand, next, token)
      const second = await again.frames.find(({ path }) => path.startsWith('@'), next)
      const timeless = (frame: object): object => ({ ...frame, at: 0, deadline: 0 })
      t.same(timeless(second), timeless(first), `${kind} to ${next}`)
      if (next === 'poll') await again.send({ path: '::reply', reply: second.reply, message: 5 })
      else again.cut()
      token = again.token
    }
    t.same(outcome(await asked), [200, '0', '5'])
  })
}

test('questions as large as they may be reach a client that reads, one after the other', async (t) => {
  const stand = await serve(t, { http: { poll: POLL } })
  const body = 'x'.repeat(1024 * 1024)
  for (const kind of KINDS) {
    const client = await anyClient(stand, kind)
    for (let i = 1; i <= 3; i++) {
      const asked = call(stand, `/client/${client.id}/x`, { body })
      const questions = await client.frames.count(i, ({ path }) => path.startsWith('@'))
      t.equal(questions.at(-1)?.message.length, body.length, kind)
      await client.send({ path: '::reply', reply: questions.at(-1)?.reply, message: i })
      t.equal((await asked).json, i)
    }
    client.cut()
  }
})

test('more questions than its outbox takes are refused, the client stays', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  const { id } = (await client.hello()).message
  client.socket.pause()
  const body = 'x'.repeat(700_000)
  const asked = Array.from({ length: 30 }, (_, i) => call(stand, `/client/${id}/n${i}`, { body }))
  const busy = await Promise.race(asked)
  t.same(outcome(busy), [503, '252', 'CLIENT_BUSY'])
  client.socket.resume()
  const answered = new Set<unknown>()
  let all = 0
  const done = Promise.all(asked.map((each) => each.then(() => all++)))
  while (all < asked.length) {
    for (const { path, reply } of client.frames.all) {
      if (!path.startsWith('@') || answered.has(reply)) continue
      answered.add(reply)
      client.send({ path: '::reply', reply, message: 1 })
    }
    await pause(5)
  }
  await done
  const statuses = (await Promise.all(asked)).map(({ status }) => status)
  t.ok(statuses.filter((status) => status === 200).length > 0)
  t.ok(
    statuses.every((status) => status === 200 || status === 503),
    `${statuses}`,
  )
  t.notOk(client.frames.over)
})

test('a clean close ends what was asked at once; so does the end of the name', async (t) => {
  const stand = await serve(t)
  for (const code of [1000, 1001, undefined, 4000]) {
    const client = new WsClient(stand)
    const { id } = (await client.hello()).message
    const since = performance.now()
    const asked = call(stand, `/client/${id}/x`)
    await client.path(`@${id}/x`)
    client.socket.close(code)
    t.same(outcome(await asked), [502, '254', 'CONNECTION_LOST'], `${code}`)
    t.ok(performance.now() - since < 500)
  }
})

test('RP-08: unknown is 404 at once, known but absent is 503 after the wait, who comes is asked', async (t) => {
  const stand = await serve(t, { hub: { ask: { wait: 150, timeout: 5_000 } } })
  const unknown = await call(stand, '/client/nobody/x')
  t.same(outcome(unknown), [404, '252', 'CLIENT_UNKNOWN'])
  const client = new WsClient(stand)
  const { id } = (await client.hello({ name: 'alpha' })).message
  client.socket.terminate()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
  for (const name of ['alpha', id]) {
    for (const [tail, headers, least] of [
      ['/x', {}, 150],
      ['/x?wait=50ms', {}, 50],
      ['/x', { 'sapwood-wait': '0' }, 0],
      ['/x?wait=5m', { 'sapwood-wait': '20ms' }, 20],
    ] as const) {
      const since = performance.now()
      const answer = await call(stand, `/client/${name}${tail}`, { headers })
      const took = performance.now() - since
      t.same(outcome(answer), [503, '252', 'CLIENT_ABSENT'], tail)
      t.ok(took >= least - 2 && took < least + 2_000, `${took} ms of ${least}`)
    }
  }
  const asked = call(stand, '/client/alpha/x?wait=5s')
  await eventually(() => stand.hub.directory.waiting === 1, 'it waits')
  const back = new WsClient(stand)
  await back.hello({ name: 'alpha' })
  const question = await back.path('@alpha/x')
  back.send({ path: '::reply', reply: question.reply, message: 'here' })
  t.same(outcome(await asked), [200, '0', '"here"'])
  t.same((await call(stand, '/client/..%2F/x')).status, 400)
})

test('the time limit counts from when the client was there, the wait from when it was not', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  await client.hello({ name: 'alpha' })
  client.socket.terminate()
  await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
  const since = performance.now()
  const asked = call(stand, '/client/alpha/x?wait=5s&timeout=300ms')
  await pause(200)
  const back = new WsClient(stand)
  await back.hello({ name: 'alpha' })
  await back.path('@alpha/x')
  t.same(outcome(await asked), [504, '253', 'ANSWER_TIMEOUT'])
  const took = performance.now() - since
  t.ok(took >= 298 && took < 1_500, `${took} ms`)
})

test('pools: the member with the fewest open questions is asked, only who is there', async (t) => {
  const stand = await serve(t)
  const pool = [new WsClient(stand), new WsClient(stand), new WsClient(stand)]
  for (const member of pool) await member.hello({ name: 'pool' })
  const asked = Array.from({ length: 6 }, (_, i) => call(stand, `/client/pool/n${i}`))
  const isQuestion = ({ path }: { path: string }): boolean => path.startsWith('@pool/')
  for (const member of pool) await member.frames.count(2, isQuestion)
  pool[0]?.socket.close(1000)
  const lost = (await Promise.all(asked.slice(0, 0))) as Answer[]
  t.same(lost, [])
  for (const member of pool.slice(1)) {
    for (const { reply } of member.frames.all.filter(isQuestion))
      member.send({ path: '::reply', reply, message: 1 })
  }
  const statuses = (await Promise.all(asked)).map(({ status }) => status).sort()
  t.same(statuses, [200, 200, 200, 200, 502, 502])
})

test('clients ask each other and get every outcome as ::reply', async (t) => {
  const stand = await serve(t, { hub: { ask: { wait: 30, timeout: 60 } } })
  const [asker, answerer] = [new WsClient(stand), new WsClient(stand)]
  await asker.hello()
  await answerer.hello({ name: 'alpha' })
  const put = (path: string, reply: string, more: object = {}): void =>
    asker.send({ path, reply, verb: 'GET', ...more })
  const reply = (token: string): Promise<Record<string, unknown>> =>
    asker.frames.find((frame) => frame.path === '::reply' && frame.reply === token)
  put('@alpha/time', '1', { args: ['a', ''], message: { q: 1 } })
  const question = await answerer.path('@alpha/time')
  t.same([question.verb, question.args, question.message], ['GET', ['a', ''], { q: 1 }])
  t.not(question.reply, '1', 'tokens of others are not told')
  answerer.send({
    path: '::reply',
    reply: question.reply,
    code: 3,
    message: 'x',
    type: 'text/plain',
  })
  t.match(await reply('1'), { code: 3, message: 'x', type: 'text/plain' })
  put('@nobody/x', '2')
  t.match(await reply('2'), { code: 252, status: 404 })
  put('@alpha/slow', '3')
  t.match(await reply('3'), { code: 253, status: 504 })
  put('@alpha/slow', '4', { deadline: 10_000 })
  await answerer.frames.count(2, ({ path }) => path === '@alpha/slow')
  asker.send({ path: '::cancel', reply: '4' })
  await answerer.frames.count(2, ({ path }) => path === '::cancel')
  put('@hub/time', '5')
  t.equal((await reply('5')).code, 0)
  put('@hub/nothing', '6')
  t.equal((await reply('6')).code, 255)
  put('@alpha/gone', '7', { deadline: 10_000 })
  await answerer.path('@alpha/gone')
  answerer.socket.close(1000)
  t.match(await reply('7'), { code: 254, status: 502 })
  put('@alpha/gone', '8', { deadline: 10_000 })
  t.match(await reply('8'), { code: 252, status: 503 })
  asker.send({ path: '::reply', reply: 'never asked', message: 1 })
  t.equal((await asker.path('::error')).message.code, 'REPLY_UNKNOWN')
  put('@hub/time', '5')
  await asker.frames.count(2, (frame) => frame.path === '::reply' && frame.reply === '5')
  t.pass('a repeat gets its answer again')
})

test('a publish with reply gets its receipt, and subscribers never see that reply', async (t) => {
  const stand = await serve(t)
  const [one, two] = [new WsClient(stand), new WsClient(stand)]
  await one.hello()
  await two.hello()
  await two.subscribe('a')
  one.send({ path: 'a', message: 1, reply: 'r1', id: 'm1' })
  const receipt = await one.path('::reply')
  t.same([receipt.reply, receipt.code], ['r1', 0])
  t.match(receipt.message, { id: 'm1', matched: 1 })
  const got = await two.path('a')
  t.equal(got.reply, undefined)
  one.send({ path: 'a', message: 1, reply: 'r2', id: 'm1' })
  const again = await one.frames.find((frame) => frame.reply === 'r2')
  t.equal(again.message.duplicate, true)
  one.send({ path: 'a//b', message: 1, reply: 'r3' })
  t.equal((await one.path('::error')).message.reply, 'r3')
  t.ok(await publish(stand as Stand, 'a', 2))
  t.ok(await open(stand, '/health/live'))
})
