/** What the history keeps of a request is the update alone: its bound in bytes would mean nothing if all of the request stayed. */
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'tap'
import type { Stand } from './support.ts'
import { call, eventually, Raw, serve, WsClient } from './support.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Requests of each kind, and characters in each. */
const REQUESTS = 60
const LENGTH = 200_000
/** A whole request is no longer than this; so there are more of them. */
const WHOLE = 50_000
const TEXT = 'long enough to be kept as a part of what it was cut from'

/** What the hub holds by now, in bytes. */
async function held(): Promise<number> {
  // V8 gives memory back behind the collection
  for (let i = 0; i < 3; i++) {
    collect()
    await wait(10)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** One update that is kept between many that are not: of their path the history keeps the last alone. */
function updates(request: number, length: number, more: object = {}): object[] {
  const list: object[] = []
  for (let size = 0; size < length; size += 120) {
    list.push({ path: 'dropped', message: { number: list.length, TEXT }, ...more })
  }
  list[1] = { path: `kept/of/request/${request}`, message: { number: request, TEXT }, ...more }
  return list
}

async function array(stand: Stand, request: number): Promise<void> {
  const body = JSON.stringify(updates(request, LENGTH))
  const answer = await call(stand, '/update', { body })
  if (answer.status !== 200) throw new Error(answer.text)
}

async function lines(stand: Stand, request: number, more?: object): Promise<void> {
  const headers = { 'content-type': 'application/x-ndjson' }
  for (let i = 0; i < 4; i++) {
    const list = updates(request * 4 + i, WHOLE, more)
    const body = list.map((update) => JSON.stringify(update)).join('\n')
    const answer = await call(stand, '/update', { body, headers })
    if (answer.status !== 200 || answer.text.includes('code')) throw new Error(answer.text)
  }
}

/** Updates that say something in their head. @param more characters that it has besides. */
async function headed(
  stand: Stand,
  request: number,
  more: number,
  said: (i: number) => Record<string, string>,
): Promise<void> {
  for (let i = request * 10; i < request * 10 + 10; i++) {
    const headers = { ...said(i), 'content-type': 'application/json', 'x-more': 'x'.repeat(more) }
    const answer = await call(stand, `/update/kept/of/request/${i}`, { body: '1', headers })
    if (answer.status !== 200) throw new Error(answer.text)
  }
}

type Sends = (stand: Stand, request: number, client: WsClient) => Promise<void>

const SENDERS: readonly (readonly [string, Sends])[] = [
  ['an array by POST /update', array],
  ['lines of NDJSON', (stand, request) => lines(stand, request)],
  ['lines of NDJSON that say more', (stand, request) => lines(stand, request, { key: 'one' })],
  [
    'an array in a frame of a WebSocket',
    async (_stand, request, client) => {
      client.socket.send(JSON.stringify(updates(request, LENGTH)))
      await client.sync()
    },
  ],
  [
    'one update with much around it',
    async (_stand, request, client) => {
      const [, update] = updates(request, 300)
      client.send({ ...update, about: 'x'.repeat(LENGTH) })
      client.socket.send(JSON.stringify(update).padEnd(LENGTH))
      await client.sync()
    },
  ],
  [
    'the first, long, update of a path',
    async (stand, request) => {
      const long = { path: `kept/of/request/${request}`, message: 'x'.repeat(LENGTH) }
      await call(stand, '/update', { body: JSON.stringify(long) })
      await call(stand, '/update', { body: JSON.stringify({ ...long, message: 1 }) })
    },
  ],
  [
    'bytes among many requests of one read',
    async (stand, request) => {
      const put = (path: string, length: number): string =>
        `PUT /update/${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: ${length}\r\n\r\n${'b'.repeat(length)}`
      for (let i = 0; i < 4; i++) {
        const raw = new Raw(stand)
        raw.write(put(`kept/of/request/${request * 4 + i}`, 40) + put('dropped', WHOLE))
        await eventually(() => raw.text.split('"matched"').length > 2, 'both receipts')
        raw.socket.destroy()
      }
    },
  ],
  [
    'an array that says what only questions have',
    async (stand, request) => {
      const path = `kept/of/request/${request}`
      const body = JSON.stringify([{ path, message: 1, args: ['x'.repeat(LENGTH)] }])
      await call(stand, '/update', { body })
    },
  ],
  [
    'an id among the headers of a long head',
    (stand, request) =>
      headed(stand, request, 3_500, (i) => ({ 'sapwood-id': `the-id-of-update-${i}` })),
  ],
  [
    'a header for traces that says none',
    (stand, request) => headed(stand, request, 0, () => ({ traceparent: 'x'.repeat(8_000) })),
  ],
]

for (const [what, send] of SENDERS) {
  test(`what is kept of ${what} is the update, not all that it came in`, async (t) => {
    const stand = await serve(t, { hub: { history: { pathCount: 1 } } })
    const client = new WsClient(stand)
    await client.hello()
    await send(stand, 1_000, client)
    const before = await held()
    for (let i = 0; i < REQUESTS; i++) await send(stand, i, client)
    const grown = (await held()) - before
    t.ok(stand.hub.engine.count > REQUESTS, `${stand.hub.engine.count} updates are kept`)
    t.ok(grown < 2e6, `they keep ${grown} bytes, and count ${stand.hub.engine.bytes}`)
    client.socket.terminate()
  })
}
