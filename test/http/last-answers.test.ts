/**
 * Callers who still wait when a server ends, at the limit of its drain or at once: each hears why, and its connection
 * closes.
 */
import { serveHttp } from '@sapwood/http'
import { hub as makeHub } from '@sapwood/hub'
import { type Test, test } from 'tap'
import { eventually, Raw, type Stand, WsClient, within } from './support.ts'

const never = (): Promise<never> => new Promise(() => undefined)
const HANDLERS = {
  get_never: never,
  put_never: Object.assign(never, { stream: true }),
}

async function stand(t: Test): Promise<Stand> {
  const hub = makeHub({ ask: { wait: 10_000 } })
  const drain = { limit: 150 }
  const server = await serveHttp(hub, { dev: true, port: 0, drain, handlers: HANDLERS })
  t.teardown(async () => {
    await server.close()
    await hub.close()
  })
  return { hub, server, url: server.url, port: Number(new URL(server.url).port) }
}

interface Case {
  readonly name: string
  readonly request: string
  readonly status: number
  readonly code: string
  readonly returned?: number
}

const HALF = 'Content-Length: 9\r\n\r\n{"path'
const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n'
const CASES: readonly Case[] = [
  {
    name: 'a session was asked',
    request: 'GET /client/page/never HTTP/1.1\r\n\r\n',
    status: 502,
    code: 'CONNECTION_LOST',
    returned: 254,
  },
  {
    name: 'a handler of the hub was asked',
    request: 'GET /client/hub/never HTTP/1.1\r\n\r\n',
    status: 502,
    code: 'CONNECTION_LOST',
    returned: 254,
  },
  {
    name: 'a handler reads the body as a stream',
    request: `PUT /client/hub/never HTTP/1.1\r\n${HALF}`,
    status: 502,
    code: 'CONNECTION_LOST',
    returned: 254,
  },
  {
    name: 'somebody who is away is waited for',
    request: 'GET /client/away/time HTTP/1.1\r\n\r\n',
    status: 503,
    code: 'DRAINING',
    returned: 252,
  },
  {
    name: 'half of a question has come',
    request: `POST /client/hub/cat HTTP/1.1\r\n${HALF}`,
    status: 503,
    code: 'DRAINING',
    returned: 249,
  },
  {
    name: 'half of an update has come',
    request: `POST /update/a HTTP/1.1\r\n${HALF}`,
    status: 503,
    code: 'DRAINING',
  },
  {
    name: 'half of an array of updates has come',
    request: `POST /update HTTP/1.1\r\n${HALF}`,
    status: 503,
    code: 'DRAINING',
  },
  {
    name: 'no line has come yet',
    request: `POST /update HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n${CHUNKED}`,
    status: 503,
    code: 'DRAINING',
  },
]

for (const end of ['drain', 'close'] as const) {
  test(`${end}: whoever still waits is answered before the connection closes`, async (t) => {
    const it = await stand(t)
    const [page, away] = [new WsClient(it), new WsClient(it)]
    await page.hello({ name: 'page' })
    await away.hello({ name: 'away' })
    away.socket.terminate()
    await eventually(() => it.hub.directory.isAway('away'), 'it is away')
    const callers = CASES.map(({ request }) => {
      const [line, ...rest] = request.split('\r\n')
      return new Raw(it).write([line, 'Host: localhost', ...rest].join('\r\n'))
    })
    await page.path('@page/never')
    await eventually(() => it.hub.directory.waiting === 1, 'one waits')
    // the bodies that have begun are read by then
    const probe = new Raw(it).write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await probe.got('live')
    await it.server[end]()
    for (const [index, { name, status, code, returned }] of CASES.entries()) {
      const said = await within((callers[index] as Raw).ended(), name)
      t.match(said, new RegExp(`^HTTP/1\\.1 ${status} `), name)
      t.match(said, `"code":"${code}"`, name)
      if (returned !== undefined) {
        t.match(said, new RegExp(`x-event-return-code: ${returned}\r\n`, 'i'), name)
      }
    }
  })
}

test('a publisher of lines gets the receipts of all lines that were taken, and the reason behind them', async (t) => {
  const it = await stand(t)
  const lines = new Raw(it)
  const type = 'Content-Type: application/x-ndjson'
  const [whole, half] = ['{"path":"a","message":1}\n', '{"path":"b"']
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
  lines.write(`POST /update HTTP/1.1\r\nHost: localhost\r\n${type}\r\n${CHUNKED}${chunk(whole)}`)
  await lines.got('"matched"')
  lines.write(chunk(half))
  await it.server.drain()
  const said = await within(lines.ended(), 'the end')
  t.match(said, /^HTTP\/1\.1 200 .*"matched":0.*\n.*"code":"DRAINING".*\n\r\n0\r\n\r\n$/s)
})
