/** SSE and NDJSON streams: anonymous views and sessions, read by `eventsource` and by plain HTTP. */
import { EventSource } from 'eventsource'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { Upstream } from './clients.ts'
import { curl } from './curl.ts'
import type { Stand, StreamEvent } from './support.ts'
import {
  call,
  eventually,
  grant,
  Inflow,
  publish,
  Raw,
  StreamClient,
  serve,
  WsClient,
} from './support.ts'

const NAMED = [
  'hello',
  'connected',
  'disconnected',
  'problem',
  'gap',
  'resumed',
  'ping',
  'reply',
  'bye',
]

/** An EventSource of the npm package, and all that it saw. */
class Page {
  readonly events = new Inflow<StreamEvent>()
  readonly source: EventSource
  errors = 0
  opened = 0

  constructor(stand: Stand, target: string, lastId?: string) {
    const fetchIt: typeof fetch = (url, init) =>
      fetch(url, {
        ...init,
        headers: {
          ...(init?.headers as Record<string, string>),
          ...(lastId !== undefined && this.opened === 0 && { 'Last-Event-ID': lastId }),
        },
      })
    this.source = new EventSource(`${stand.url}${target}`, { fetch: fetchIt as never })
    for (const type of ['message', ...NAMED]) {
      this.source.addEventListener(type, (event) => {
        const { data, lastEventId } = event as MessageEvent
        this.events.add({ type, data, id: undefined, lastId: lastEventId })
      })
    }
    this.source.onopen = () => {
      this.opened++
    }
    this.source.onerror = () => {
      this.errors++
    }
  }

  event(type: string): Promise<StreamEvent> {
    return this.events.find((event) => event.type === type, type)
  }

  get messages(): unknown[] {
    return this.events.all
      .filter(({ type }) => type === 'message')
      .map(({ data }) => JSON.parse(data).message)
  }
}

test('an EventSource sees updates as messages, control as named events, each with an id', async (t) => {
  const stand = await serve(t, { hub: { heartbeat: { interval: 60, timeout: 60 } } })
  const page = new Page(stand, '/events?path=a/*&path=b')
  await page.events.count(2, ({ type }) => type === 'connected')
  const receipt = await publish(stand, 'a/1', { text: 'ä\u2028\n' }, { 'Sapwood-Key': 'k' })
  await publish(stand, 'c', 0)
  await publish(stand, 'b', 2)
  await page.events.count(2, ({ type }) => type === 'message')
  const [first] = page.events.all.filter(({ type }) => type === 'message')
  t.same(JSON.parse(first?.data ?? ''), {
    path: 'a/1',
    message: { text: 'ä\u2028\n' },
    at: receipt.at,
    key: 'k',
  })
  t.equal(first?.lastId, receipt.at)
  t.same(page.messages.slice(1), [2])
  const ping = await page.event('ping')
  t.equal(JSON.parse(ping.data).path, '::ping')
  t.equal(JSON.parse(ping.data).at, ping.lastId)
  const hello = JSON.parse((await page.event('hello')).data)
  t.match(hello.message, { version: 1, heartbeat: 60, resumed: false })
  page.source.close()
  await eventually(() => stand.hub.sessions.size === 0, 'a view ends with its socket')
})

test('every event has an id and a data line, whatever it is', async (t) => {
  const stand = await serve(t, { hub: { heartbeat: { interval: 40, timeout: 40 } } })
  const stream = await StreamClient.open(stand, '/events?path=a')
  t.equal(stream.response.headers['content-type'], 'text/event-stream')
  t.equal(stream.response.headers['x-accel-buffering'], 'no')
  await stream.path('::connected')
  await publish(stand, 'a', 1)
  await stream.path('::ping')
  const drained = stand.server.drain()
  await stream.path('::bye')
  await drained
  for (const { id, type, data } of stream.events.all) {
    t.match(id, /^[0-9a-f]{16}-\d+/, type)
    const frame = JSON.parse(data)
    t.equal(type, frame.path.startsWith('::') ? frame.path.slice(2) : 'message')
    if (frame.at !== undefined) t.equal(frame.at, id)
  }
  t.match(stream.text, /retry: \d+\n\n/)
})

test('resume by position: Last-Event-ID and after= bring what was missed, once and in order', async (t) => {
  const stand = await serve(t)
  const first = await StreamClient.open(stand, '/events?path=a/**')
  await first.path('::connected')
  await publish(stand, 'a/1', 1)
  await first.path('a/1')
  first.close()
  const lastId = first.events.all.at(-1)?.lastId ?? ''
  await publish(stand, 'a/2', 2)
  await publish(stand, 'b', 'other')
  await publish(stand, 'a/3', 3)
  const ways: [string, Record<string, string>][] = [
    ['/events?path=a/**', { 'Last-Event-ID': lastId }],
    [`/events?path=a/**&after=${lastId}`, {}],
    [`/events?path=a/**&lastEventId=${lastId}`, {}],
    [`/stream?path=a/**&after=${lastId}`, {}],
    [`/events?path=a/**&after=${lastId.replace(/\d+$/, '0')}`, { 'Last-Event-ID': lastId }],
  ]
  for (const [target, headers] of ways) {
    const stream = await StreamClient.open(stand, target, headers)
    await stream.path('a/3')
    const got = stream.frames.all.filter(({ path }) => path.startsWith('a/'))
    t.same(
      got.map(({ message, replay }) => [message, replay]),
      [
        [2, true],
        [3, true],
      ],
      target,
    )
    t.ok(stream.frames.all.some(({ path }) => path === '::resumed'))
    stream.close()
  }
})

test('whichever event of a view was the last to arrive, its id brings the rest and nothing twice', async (t) => {
  const stand = await serve(t)
  const { at: start } = await publish(stand, 'b', 'before')
  for (let i = 0; i < 4; i++) await publish(stand, i % 2 ? 'a/1' : 'b', i)
  const view = async (after: string) => {
    const stream = await StreamClient.open(stand, '/events?path=a/*&path=b', {
      'Last-Event-ID': after,
    })
    const { at } = await publish(stand, 'b', 'end')
    await stream.events.find(({ id }) => id === at)
    stream.close()
    return stream.events.all.map(({ id, data, type }) => ({ id: id ?? '', type, data }))
  }
  const messages = (events: readonly { type: string; data: string }[]): unknown[] =>
    events
      .filter(({ type }) => type === 'message')
      .map(({ data }) => JSON.parse(data).message)
      .filter((message) => message !== 'end')
  const first = await view(start)
  t.same(messages(first), [0, 1, 2, 3])
  for (const [place, { id }] of first.entries()) {
    const seen = messages(first.slice(0, place + 1))
    t.same([...seen, ...messages(await view(id))], [0, 1, 2, 3], `cut behind ${first[place]?.type}`)
  }
})

test('an EventSource comes back by itself: nothing lost, nothing twice', async (t) => {
  const stand = await serve(t)
  const page = new Page(stand, '/events?path=a')
  await page.event('connected')
  for (let i = 0; i < 3; i++) {
    await publish(stand, 'a', i)
    await page.events.find(({ type, data }) => type === 'message' && JSON.parse(data).message === i)
    for (const session of stand.hub.sessions) session.dismiss({ reason: 'drain', retryAfter: 10 })
    await publish(stand, 'a', `missed ${i}`)
  }
  await page.events.count(6, ({ type }) => type === 'message')
  t.same(page.messages, [0, 'missed 0', 1, 'missed 1', 2, 'missed 2'])
  t.notOk(page.events.all.some(({ type }) => type === 'gap'))
  page.source.close()
})

test('a cursor of another hub, or a lost one, is a gap and never silence', async (t) => {
  const stand = await serve(t, { hub: { history: { count: 3 } } })
  const start = await publish(stand, 'a', 0)
  for (let i = 1; i < 8; i++) await publish(stand, 'a', i)
  const foreign = '0123456789abcdef-5'
  for (const [after, reason] of [
    [foreign, 'restart'],
    [start.at, 'evicted'],
    [start.at.replace(/\d+$/, '999'), 'unknown'],
  ] as const) {
    const stream = await StreamClient.open(stand, '/events?path=a', { 'Last-Event-ID': after })
    const gap = await stream.path('::gap')
    t.match(gap.message, { patterns: ['a'], after, reason })
    const event = stream.events.all.find(({ type }) => type === 'gap')
    t.equal(gap.message.at, event?.id)
    const { message } = gap
    stream.close()
    const again = await StreamClient.open(stand, `/stream?path=a&after=${message.at}`)
    await again.path('::connected')
    await publish(stand, 'a', 'next')
    await again.path('a')
    t.notOk(
      again.frames.all.some(({ path }) => path === '::gap'),
      'its cursor is one to go on from',
    )
    again.close()
  }
  const kept = await StreamClient.open(stand, '/events?path=a', {
    'Last-Event-ID': 'from elsewhere',
  })
  t.match((await kept.path('::gap')).message, { reason: 'unknown' })
  kept.close()
})

test('paths that are refused get a problem each; none, unknown or wrong ones a 400', async (t) => {
  const stand = await serve(t, { hub: { public: ['news/**'] }, http: { dev: false, keys: ['k'] } })
  const stream = await StreamClient.open(
    stand,
    '/events?path=news/a&path=secret&path=news/b&path=other/**',
  )
  await stream.frames.count(2, ({ path }) => path === '::error')
  await stream.frames.count(2, ({ path }) => path === '::connected')
  const problems = stream.events.all.filter(({ type }) => type === 'problem')
  t.same(
    problems.map(({ data }) => JSON.parse(data).message.pattern),
    ['secret', 'other/**'],
  )
  t.ok(problems.every(({ data }) => JSON.parse(data).message.code === 'NOT_ALLOWED'))
  stream.close()
  for (const [target, status, code] of [
    ['/events', 400, 'PATTERN_MISSING'],
    ['/stream', 400, 'PATTERN_MISSING'],
    ['/events?paht=a', 400, 'QUERY_UNKNOWN'],
    ['/events?path=news/a&x', 400, 'QUERY_UNKNOWN'],
    ['/stream?path=news/a&Path=b', 400, 'QUERY_UNKNOWN'],
    ['/events?path=', 400, 'PATTERN_INVALID'],
    ['/events?path=a//b', 400, 'PATTERN_INVALID'],
    ['/events?path=**/a', 400, 'PATTERN_INVALID'],
    ['/events?path=a-%3Eb', 400, 'PATTERN_INVALID'],
    ['/events?path=news/a&after=never', 400, 'POSITION_INVALID'],
    [`/events?${'path=news/a&'.repeat(300)}path=news/b`, 400, 'LIMIT_PATTERNS'],
    ['/events?path=news/a&token=wrong', 401, 'CREDENTIAL_INVALID'],
  ] as const) {
    const answer = await call(stand, target)
    t.equal(answer.status, status, target.slice(0, 60))
    t.equal(answer.json.code, code, target.slice(0, 60))
  }
  t.equal(stand.hub.sessions.size, 0, 'and leaves nothing behind')
})

test('of several paths one that is no pattern gets a problem of its own; the others are followed', async (t) => {
  const stand = await serve(t)
  for (const kind of ['events', 'stream', 'events/none', 'stream/none']) {
    const stream = await StreamClient.open(
      stand,
      `/${kind}?path=a/b&path=a//b&path=x-%3Ey&path=c/*`,
    )
    await stream.frames.count(2, ({ path }) => path === '::connected')
    await stream.frames.count(2, ({ path }) => path === '::error')
    const told = (wanted: string): unknown[] =>
      stream.frames.all.filter(({ path }) => path === wanted).map(({ message }) => message)
    t.match(told('::connected'), [{ pattern: 'a/b' }, { pattern: 'c/*' }], kind)
    t.match(
      told('::error'),
      [
        { code: 'PATTERN_INVALID', pattern: 'a//b', detail: /empty segment/ },
        { code: 'PATTERN_INVALID', pattern: 'x->y', detail: /"->"/ },
      ],
      kind,
    )
    await publish(stand, 'a/b', kind)
    t.equal((await stream.path('a/b')).message, kind)
    stream.close()
  }
  const wrong = await call(stand, '/events?path=a//b&path=**/c')
  t.equal(wrong.status, 400, 'if none is a pattern there is nothing to follow')
  t.equal(wrong.json.code, 'PATTERN_INVALID')
})

test('a session on a stream: the token form resumes it, a token that is gone gets a new id', async (t) => {
  const stand = await serve(t)
  for (const kind of ['events', 'stream']) {
    const first = await StreamClient.open(stand, `/${kind}/none`)
    const hello = (await first.path('::hello')).message
    t.match(hello, { resumed: false, version: 1 })
    await grant(stand, hello.id, 'a')
    await first.path('::connected')
    await publish(stand, 'a', 1)
    const seen = await first.path('a')
    first.close()
    await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
    await publish(stand, 'a', 2)
    const again = await StreamClient.open(stand, `/${kind}/${hello.resume}?after=${seen.at}`)
    const back = (await again.path('::hello')).message
    t.match(back, { id: hello.id, resumed: true, patterns: ['a'] })
    await again.path('::resumed')
    t.same((await again.path('a')).message, 2)
    await publish(stand, 'a', 3)
    await again.frames.count(2, ({ path }) => path === 'a')
    t.same(
      again.frames.all.filter(({ path }) => path === 'a').map(({ message }) => message),
      [2, 3],
    )
    again.close()
  }
})

test('a second connection takes a session over; the first is told replaced and ends', async (t) => {
  const stand = await serve(t)
  const first = await StreamClient.open(stand, '/events/none')
  const { resume } = (await first.path('::hello')).message
  const second = await StreamClient.open(stand, `/stream/${resume}`)
  t.equal((await first.path('::bye')).message.reason, 'replaced')
  await first.frames.ended()
  await second.path('::hello')
  const third = new WsClient(stand)
  await third.hello({ resume })
  t.equal((await second.path('::bye')).message.reason, 'replaced')
  third.socket.close()
})

test('upstream: a client of a stream subscribes, publishes, drops (DB-22 without WebSocket)', async (t) => {
  const stand = await serve(t)
  const stream = await StreamClient.open(stand, '/events/none')
  const { resume, id } = (await stream.path('::hello')).message
  const up = new Upstream(stand, resume)
  t.same((await up.send([{ path: '::connect', message: ['a', 'b/*'] }])).json, { n: 1 })
  await stream.frames.count(2, ({ path }) => path === '::connected')
  await up.send([
    { path: 'a', message: 1, reply: 'r', id: 'i' },
    { path: 'b/1', message: 2 },
  ])
  t.match(await stream.path('a'), { message: 1, own: true, origin: id, id: 'i' })
  t.match((await stream.path('::reply')).message, { matched: 1 })
  await up.send([{ path: '::disconnect', message: 'a' }])
  await stream.path('::disconnected')
  t.equal((await publish(stand, 'a', 3)).matched, 0)
  const bad = await up.send([{ path: '::nonsense', message: {} }, { path: '*' }])
  t.equal(bad.status, 200, 'what is wrong inside is told downstream')
  await stream.frames.count(2, ({ path }) => path === '::error')
  await up.send([{ path: '::hello', message: { version: 1, name: 'alpha' } }])
  const [entry] = (await call(stand, '/client')).json
  t.match(entry, { id, name: 'alpha' }, 'a hello tells the name here, too')
  stream.close()
})

test('upstream: in order of n from 1, a repeat gets its old answer, a gap is a 409 (OR-06)', async (t) => {
  const stand = await serve(t)
  const stream = await StreamClient.open(stand, '/events/none')
  const { resume } = (await stream.path('::hello')).message
  const send = (n: string | number, frames: unknown): ReturnType<typeof call> =>
    call(stand, `/session/${resume}/${n}`, {
      body: typeof frames === 'string' ? frames : JSON.stringify(frames),
    })
  const watcher = new WsClient(stand)
  await watcher.hello()
  await watcher.subscribe('a')
  t.equal((await send(1, { path: 'a', message: 1 })).status, 200)
  t.equal((await send(1, { path: 'a', message: 1 })).status, 200)
  t.equal((await send(2, [{ path: 'a', message: 2 }])).status, 200)
  t.same((await send(1, { path: 'a', message: 'never' })).json, { n: 1 })
  const gap = await send(4, { path: 'a', message: 4 })
  t.equal(gap.status, 409)
  t.equal(gap.json.code, 'NUMBER_GAP')
  t.equal(gap.json.next, 3)
  const broken = await send(3, '{broken')
  t.equal(broken.status, 400)
  t.equal(broken.json.code, 'FRAME_INVALID')
  t.equal((await send(3, [])).status, 200)
  for (const n of ['0', '-1', 'x', '', '1.5', '99999999999999999']) {
    t.equal((await send(n, [])).status, 400, n)
  }
  t.equal((await send(4, [{ path: 'a', message: 4 }])).status, 200)
  t.equal((await call(stand, '/session/unknown/1', { body: '[]' })).json.code, 'SESSION_UNKNOWN')
  const got = await watcher.frames.count(3, ({ path }) => path === 'a')
  t.same(
    got.map(({ message }) => message),
    [1, 2, 4],
  )
  stream.close()
})

test('NDJSON: the same frames as lines, hello first', requires('curl'), async (t) => {
  const stand = await serve(t)
  await publish(stand, 'a', 'earlier')
  const reading = curl(['-N', '-m', '1', `${stand.url}/stream?path=a&path=::connect`])
  await eventually(() => stand.hub.sessions.size === 1, 'curl came')
  await eventually(() => [...stand.hub.sessions][0]?.patterns.size === 2, 'subscribed')
  await publish(stand, 'a', { n: 1 })
  const lines = (await reading)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.same(lines.map(({ path }) => path).slice(0, 1), ['::hello'])
  t.match(
    lines.find(({ path }) => path === 'a'),
    { message: { n: 1 } },
  )
})

test('bytes: the head is plain HTTP/1.1, the body ends with the connection', async (t) => {
  const stand = await serve(t)
  const raw = new Raw(stand)
  raw.write('GET /events?path=a HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await raw.got('event: connected')
  t.match(raw.text, /^HTTP\/1\.1 200 OK\r\n/)
  t.notMatch(raw.text, /transfer-encoding|content-length/i)
  t.match(raw.text, /connection: close/i)
  await publish(stand, 'a', 1)
  await raw.got('data: {"path":"a","message":1')
  raw.socket.destroy()
  await eventually(() => stand.hub.sessions.size === 0, 'the view ended')
})

test('a full hub answers 200, retry and bye; what is gone makes room', async (t) => {
  const stand = await serve(t, { hub: { limits: { sessions: 1 } } })
  const first = await StreamClient.open(stand, '/events?path=a')
  await first.path('::connected')
  for (const target of ['/events?path=a', '/events/unknown', '/stream?path=a', '/stream/unknown']) {
    const refused = await StreamClient.open(stand, target)
    const bye = await refused.path('::bye')
    t.equal(bye.message.reason, 'full', target)
    t.ok(bye.message.retryAfter > 0)
    await refused.frames.ended()
    if (target.startsWith('/events')) {
      t.match(refused.text, /^retry: \d+\n/)
      t.ok(
        refused.events.all.every(({ id }) => id !== undefined),
        'every event has an id',
      )
    }
  }
  t.equal(stand.hub.sessions.size, 1)
  first.close()
  await eventually(() => stand.hub.sessions.size === 0, 'the view ended')
  const second = await StreamClient.open(stand, '/events?path=a')
  await second.path('::connected')
  second.close()
})

test('who is sent away keeps its cursor: nothing is lost on the way back', async (t) => {
  const stand = await serve(t, { hub: { limits: { sessions: 1 } } })
  const first = await StreamClient.open(stand, '/events?path=a')
  const at = (await first.path('::connected')).at as string
  first.close()
  await eventually(() => stand.hub.sessions.size === 0, 'the view ended')
  const other = await StreamClient.open(stand, '/events?path=b')
  await publish(stand, 'a', 'missed')
  const away = await StreamClient.open(stand, '/events?path=a', { 'Last-Event-ID': at })
  await away.path('::bye')
  await away.frames.ended()
  t.equal(away.events.all.at(-1)?.lastId, at)
  other.close()
  await eventually(() => stand.hub.sessions.size === 0, 'there is room')
  const back = await StreamClient.open(stand, '/events?path=a', { 'Last-Event-ID': at })
  t.equal((await back.path('a')).message, 'missed')
  back.close()
})

test('the position of a bye is one that everything before it was given for', async (t) => {
  const stand = await serve(t)
  for (const kind of ['events', 'stream']) {
    const stream = await StreamClient.open(stand, `/${kind}/none`)
    const { id, resume } = (await stream.path('::hello')).message
    await grant(stand, id, 'a')
    await stream.path('::connected')
    // what is published in the turn of the good-bye has not left yet
    stand.hub.publish('a', 'left behind')
    for (const session of stand.hub.sessions) session.dismiss({ reason: 'drain', retryAfter: 1 })
    await stream.path('::bye')
    await stream.frames.ended()
    const after = stream.frames.all.findLast(({ at }) => at !== undefined)?.at
    const query = after === undefined ? '' : `?after=${after}`
    const back = await StreamClient.open(stand, `/${kind}/${resume}${query}`)
    await publish(stand, 'a', 'end')
    await back.frames.find(({ message }) => message === 'end')
    t.same(
      [...stream.frames.all, ...back.frames.all]
        .filter(({ path }) => path === 'a')
        .map(({ message }) => message),
      ['left behind', 'end'],
      kind,
    )
    back.close()
    await eventually(() => [...stand.hub.sessions].every(({ attached }) => !attached), 'detached')
  }
})
