/** `/connect` and `/disconnect`: the back end subscribes a client. */
import { test } from 'tap'
import { call, publish, serve, WsClient } from './support.ts'

test('DB-22: the back end subscribes a client, and the client may drop and retake that', async (t) => {
  const stand = await serve(t, { http: { dev: false, keys: ['key'] } })
  const headers = { authorization: 'Bearer key' }
  const client = new WsClient(stand)
  const { id } = (await client.hello()).message
  const change = (what: string, body: unknown, query = ''): ReturnType<typeof call> =>
    call(stand, `/${what}/${id}${query}`, { body: JSON.stringify(body), headers })
  client.send({ path: '::connect', message: 'rooms/1/chat' })
  t.equal((await client.path('::error')).message.code, 'NOT_ALLOWED')
  const answer = await change('connect', ['rooms/1/**', 'orders/42'])
  t.equal(answer.status, 200)
  t.same(answer.json.patterns, ['rooms/1/**', 'orders/42'])
  t.match(answer.json.at, /^[0-9a-f]{16}-\d+$/)
  await client.frames.count(2, ({ path }) => path === '::connected')
  t.equal((await publish(stand, 'rooms/1/chat', 1, headers)).matched, 1)
  client.send({ path: '::disconnect', message: 'rooms/1/**' })
  await client.path('::disconnected')
  t.equal((await publish(stand, 'rooms/1/chat', 2, headers)).matched, 0)
  await client.subscribe('rooms/1/chat')
  t.equal((await publish(stand, 'rooms/1/chat', 3, headers)).matched, 1, 'what a grant covers')
  await change('disconnect', ['rooms/1/**', 'rooms/1/chat'])
  await client.frames.count(2, ({ path }) => path === '::disconnected')
  client.send({ path: '::connect', message: 'rooms/1/chat' })
  await client.frames.count(2, ({ path }) => path === '::error')
  t.equal((await publish(stand, 'rooms/1/chat', 4, headers)).matched, 0, 'no right any more')
  t.equal((await publish(stand, 'orders/42', 5, headers)).matched, 1, 'others are untouched')
  const unknown = await call(stand, '/connect/nobody', { body: '["a"]', headers })
  t.equal(unknown.status, 404)
  t.equal(unknown.json.code, 'CLIENT_UNKNOWN')
  for (const body of [{ a: 1 }, [1], 'a//b', ['**/a'], ['a->b'], ['']]) {
    const refused = await change('connect', body)
    t.equal(refused.status, 400, JSON.stringify(body))
  }
  t.equal((await change('connect', ['a'], '?after=nonsense')).json.code, 'POSITION_INVALID')
  t.equal((await change('connect', ['a'], '?afer=x')).json.code, 'QUERY_UNKNOWN')
  t.equal((await call(stand, `/connect/${id}`, { body: '["a"]' })).status, 401, 'without a key')
  const many = Array.from({ length: 300 }, (_, i) => `p/${i}`)
  t.equal((await change('connect', many)).json.code, 'LIMIT_PATTERNS')
})

test('/connect with ?after= brings what was missed first', async (t) => {
  const stand = await serve(t)
  const client = new WsClient(stand)
  const { id, at } = (await client.hello()).message
  await publish(stand, 'a', 1)
  await publish(stand, 'b', 2)
  await publish(stand, 'a', 3)
  const answer = await call(stand, `/connect/${id}?after=${at}`, { body: '["a"]' })
  t.equal(answer.status, 200)
  await publish(stand, 'a', 4)
  const got = await client.frames.count(3, ({ path }) => path === 'a')
  t.same(
    got.map(({ message, replay }) => [message, replay]),
    [
      [1, true],
      [3, true],
      [4, undefined],
    ],
  )
})
