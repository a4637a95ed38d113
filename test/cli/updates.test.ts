/**
 * Updates over the pipe as operators meet them (surface 5): `sapwood hub --pipe`, `sapwood pipe client`, and curl at
 * its front.
 */
import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { test } from 'tap'
import { until } from '../docs/terminal.ts'
import { temporary } from '../pipe/openssl.ts'
import { requires } from '../requires.ts'
import { start } from './command.ts'
import { get, identities, QUIET, ready, startClient, startServer } from './pipe-process.ts'

const run = promisify(execFile)

const SETTINGS = `
[limits]
body = "2kB"

[[gate.rule]]
who = "cert:alpha"
may = ["publish", "subscribe"]
path = "my/**"
`

interface Place {
  /** Of the hub, and of the client's front. */
  readonly hub: string
  readonly front: string
}

async function place(t: Test, settings: string = SETTINGS, ...keys: string[]): Promise<Place> {
  const dir = await identities(t, 'server', 'alpha')
  const config = join(temporary(t), 'hub.toml')
  writeFileSync(config, settings)
  const flags = ['--port', '0', '--pipe', '127.0.0.1:0', '--dir', dir, '--config', config]
  const hub = start(t, ['hub', '--json', ...keys, ...flags], QUIET)
  const { listen } = await ready(hub)
  const client = await startClient(t, dir, listen.pipe as string, 'alpha')
  return { hub: await hub.url(), front: client.url }
}

async function curl(...args: readonly string[]): Promise<string> {
  return (await run('curl', ['-s', ...args])).stdout
}

/** `curl -N`, until it is stopped. */
class Stream {
  text = ''
  readonly stop: () => void

  constructor(t: Test, ...args: readonly string[]) {
    const child = spawn('curl', ['-sN', ...args])
    this.stop = () => child.kill('SIGKILL')
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.text += text
    })
    t.teardown(this.stop)
  }

  async says(what: string | RegExp): Promise<void> {
    await until(`${what} comes`, () => this.text.search(what) >= 0)
  }

  /** The last position that it was told. */
  get at(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? ''
  }
}

test('at a hub', requires('curl'), async (t) => {
  const { hub, front } = await place(t, SETTINGS, '--key', 'k')

  t.test(
    'a client publishes at its front, and the hub gives the receipt; followers there hear of it',
    async (t) => {
      const stream = new Stream(t, `${front}/events?path=my/**`)
      await stream.says('event: hello')
      const there = new Stream(t, '-H', 'Authorization: Bearer k', `${hub}/events?path=my/data`)
      await there.says('event: hello')

      const put = await curl('-i', '-X', 'PUT', '-d', '{"n": 1}', `${front}/update/my/data`)
      t.match(put, /^HTTP\/1\.1 200 OK\r\n/)
      t.match(put, /^content-type: application\/json\r$/im)
      const receipt = JSON.parse(put.split('\r\n\r\n')[1] as string)
      t.match(receipt, { id: String, at: /^[0-9a-f]{16}-\d+$/, matched: 2 })
      await stream.says('data: {"path":"my/data","message":{"n": 1}')
      await there.says('"message":{"n": 1}')

      const argued = JSON.parse(await curl('-d', 'two', `${front}/server/publish//my/data`))
      t.match(argued, { matched: 2 }, 'scenario 10 of RestPipe: a noun of the server')
      await there.says('"message":"two"')

      const said = ['-H', 'Sapwood-Id: once', '-H', 'Sapwood-Key: key', '-d', '3']
      const first = JSON.parse(await curl(...said, `${front}/update/my/data`))
      const second = JSON.parse(await curl(...said, `${front}/update/my/data`))
      t.strictSame(second, { ...first, duplicate: true })
      await there.says('"id":"once"')

      const lines = '{"path":"my/data","message":5}\n{"path":"other","message":6}\n'
      const batch = ['-H', 'Content-Type: application/x-ndjson', '--data-binary', lines]
      t.match(await curl(...batch, `${front}/update`), /^\{"id".*\}\n\{.*NOT_ALLOWED.*\}\n$/)

      const missed = stream.at
      await curl('-d', '4', `${front}/update/my/other`)
      const again = new Stream(t, '-H', `Last-Event-ID: ${missed}`, `${front}/events?path=my/**`)
      await again.says('"message":4')
      t.notMatch(again.text, '"message":3')
      again.stop()
      await until('who leaves is gone at the hub, too', async () => {
        return JSON.parse(await curl('-d', '{}', `${front}/update/my/more`)).matched === 1
      })
      const after = new Stream(t, `${front}/events?path=my/**&after=${missed}`)
      await after.says('"message":4')
    },
  )

  t.test(
    'what the gate, the hub or its limits refuse is refused as at the hub itself',
    async (t) => {
      const post = (
        path: string,
        body = '1',
        headers: Record<string, string> = {},
      ): Promise<unknown> => get(`${front}${path}`, { method: 'POST', body, headers })
      t.match(await post('/update/other'), {
        status: 403,
        code: '249',
        body: /NOT_ALLOWED.*cert:alpha/,
      })
      t.match(await get(`${front}/events?path=other`), { status: 403, body: /NOT_ALLOWED/ })
      t.match(await get(`${front}/events?path=my/a&wait=1s`), {
        status: 400,
        body: /QUERY_UNKNOWN/,
      })
      t.match(await get(`${front}/events`), { status: 400, body: /PATTERN_MISSING/ })
      t.match(await post('/update/my/a', 'x'.repeat(3_000)), {
        status: 413,
        body: /BODY_TOO_LARGE/,
      })
      t.match(await post('/update/my//a'), { status: 400, body: /PATH_INVALID/ })
      const json = { 'Content-Type': 'application/json' }
      t.match(await post('/update/my/a', '{', json), {
        status: 400,
        code: '251',
        body: /BODY_INVALID/,
      })
      t.match(await get(`${front}/update/my/a`), { status: 405, body: /METHOD_NOT_ALLOWED/ })
      t.match(
        await post('/update/%3A%3Aconnect', 'x->y'),
        { status: 403 },
        'control is for who may',
      )
      t.match(await get(`${front}/events/token`), { status: 404 }, 'sessions stay with the hub')
      t.match(await get(`${front}/client`), { status: 404 })
      t.match(await post('/update', '[{"path":"my/a","message":1}]', json), { status: 200 })
      const key = { Authorization: 'Bearer k' }
      t.match(await post('/update/other', '1', key), { status: 200 }, 'a key is a key there, too')
      t.match(await get(`${hub}/client`, { headers: key }), { body: /"name":"alpha"/ })
    },
  )
})

test('where no rule speaks of certificates, whoever has one publishes and follows: a hub needs no key then', async (t) => {
  const { hub, front } = await place(t, '')
  const stream = new Stream(t, `${front}/events?path=my/**`)
  await stream.says('event: hello')
  t.match(await get(`${front}/server/publish//my/data`, { method: 'POST', body: '1' }), {
    status: 200,
    body: /"matched":1/,
  })
  await stream.says('"message":"1"')
  const control = { method: 'POST', body: 'x->y' }
  t.match(await get(`${front}/update/%3A%3Aconnect`, control), { status: 403 }, 'not control')
  const nobody = await get(`${hub}/update/my/data`, { method: 'POST', body: '1' })
  t.match(nobody, { status: 401 }, 'others may nothing')
})

test("a pipe server is no hub: its clients are told so, and the noun is nobody's", async (t) => {
  const dir = await identities(t, 'server', 'alpha')
  const server = await startServer(t, dir)
  const client = await startClient(t, dir, server.pipe, 'alpha')
  for (const path of ['/update/my/data', '/update', '/server/publish//my/data']) {
    const { status, body } = await get(`${client.url}${path}`, { method: 'POST', body: '1' })
    t.equal(status, 404, path)
    if (path.startsWith('/update')) t.match(body, /NOT_FOUND.*hub --pipe/)
  }
  t.match(await get(`${client.url}/events?path=my/data`), { status: 404, body: /hub --pipe/ })
  t.match(await get(`${server.url}/update/my/data`, { method: 'POST' }), { status: 404 })
})
