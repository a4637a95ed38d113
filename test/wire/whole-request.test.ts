/** Requests that came whole: what is read, what is left, and that node:http reads the same of what is read. */
import type { IncomingMessage, Server } from 'node:http'
import { createServer } from 'node:http'
import { duplexPair } from '@sapwood/net'
import { WHOLE_BODY_LIMIT, WHOLE_HEAD_LIMIT, WholeRequestReader } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { head, nearlyRequest, pieces } from './nearly-requests.ts'

const read = (text: string): ReturnType<WholeRequestReader['read']> =>
  new WholeRequestReader().read(text)

test('a plain request is read as it was sent', (t) => {
  t.same(read(head('GET /client/a//b?x=%2F HTTP/1.1', 'Host: a', 'X-Empty:', 'x-Two:  b c  ')), {
    method: 'GET',
    target: '/client/a//b?x=%2F',
    fields: ['Host', 'a', 'X-Empty', '', 'x-Two', 'b c'],
    length: 0,
    keepsAlive: true,
    upgrade: undefined,
  })
  const post = read(head('POST /update/a HTTP/1.1', 'Host: a', 'Content-Length: 12'))
  t.equal(post?.length, 12)
  t.equal(read(head('DELETE /x HTTP/1.1', 'Host: a'))?.length, 0)
  t.equal(read(head('PUT /x HTTP/1.1', 'Host: a', 'Content-Length: 0'))?.length, 0)
  t.equal(read(head('GET / HTTP/1.1', 'Host: a', 'Connection: close'))?.keepsAlive, false)
  t.equal(read(head('GET / HTTP/1.1', 'Host: a', 'connection: Keep-Alive'))?.keepsAlive, true)
  t.end()
})

test('who wants another protocol is told apart', (t) => {
  for (const connection of ['Upgrade', 'upgrade', 'keep-alive, Upgrade']) {
    const lines = ['GET /ws HTTP/1.1', 'Host: a', `Connection: ${connection}`]
    t.equal(read(head(...lines, 'Upgrade: websocket'))?.upgrade, 'websocket', connection)
    t.equal(read(head(...lines)), undefined, 'to what?')
  }
  t.equal(read(head('GET /ws HTTP/1.1', 'Host: a', 'Upgrade: websocket')), undefined)
  const post = ['POST /ws HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: x']
  t.equal(read(head(...post, 'Content-Length: 0')), undefined)
  t.end()
})

const GET = 'GET / HTTP/1.1'
const POST = 'POST / HTTP/1.1'
const LEFT: Readonly<Record<string, string>> = {
  'without a host': head(GET, 'Accept: */*'),
  'with two hosts': head(GET, 'Host: a', 'Host: a'),
  'of HTTP/1.0': head('GET / HTTP/1.0', 'Host: a'),
  'with an unusual method': head('PROPFIND / HTTP/1.1', 'Host: a'),
  'with a method in lower case': head('get / HTTP/1.1', 'Host: a'),
  'in proxy form': head('GET http://a/ HTTP/1.1', 'Host: a'),
  'with two spaces': head('GET  / HTTP/1.1', 'Host: a'),
  'with a fragment': head('GET /#a HTTP/1.1', 'Host: a'),
  'with bytes beyond ASCII in its target': head('GET /\xe9 HTTP/1.1', 'Host: a'),
  'with bytes beyond ASCII in a value': head(GET, 'Host: a', 'X-A: \xe9'),
  'with a tab in a value': head(GET, 'Host: a', 'X-A: a\tb'),
  'with a space before a colon': head(GET, 'Host : a'),
  'with a folded line': head(GET, 'Host: a', ' b'),
  'with bare line feeds': 'GET / HTTP/1.1\nHost: a\n\n',
  'with a bare line feed in a value': head(GET, 'Host: a\nX-A: b'),
  'with a bare carriage return': head(GET, 'Host: a\rX-A: b'),
  'with an empty line first': `\r\n${head(GET, 'Host: a')}`,
  'with an empty name': head(GET, 'Host: a', ': b'),
  'with chunks': head(POST, 'Host: a', 'Transfer-Encoding: chunked'),
  'with both lengths': head(POST, 'Host: a', 'Content-Length: 3', 'Transfer-Encoding: chunked'),
  'with two lengths': head(POST, 'Host: a', 'Content-Length: 3', 'Content-Length: 3'),
  'with a list of lengths': head(POST, 'Host: a', 'Content-Length: 3, 3'),
  'with a signed length': head(POST, 'Host: a', 'Content-Length: +3'),
  'with a length in hexadecimal': head(POST, 'Host: a', 'Content-Length: 0x3'),
  'with leading zeros': head(POST, 'Host: a', 'Content-Length: 03'),
  'with a long body': head(POST, 'Host: a', `Content-Length: ${WHOLE_BODY_LIMIT + 1}`),
  'of GET with a length': head(GET, 'Host: a', 'Content-Length: 0'),
  'of POST without one': head(POST, 'Host: a'),
  'that waits for 100': head(POST, 'Host: a', 'Content-Length: 3', 'Expect: 100-continue'),
  'with trailers announced': head(POST, 'Host: a', 'Content-Length: 3', 'Trailer: x'),
  'that offers HTTP/2': head(
    GET,
    'Host: a',
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABk',
  ),
  'that names a header of the connection': head(GET, 'Host: a', 'Connection: x-a', 'X-A: b'),
  'with two connections': head(GET, 'Host: a', 'Connection: close', 'Connection: keep-alive'),
  'without its empty line': 'GET / HTTP/1.1\r\nHost: a\r\n',
  'with something behind it': `${head(GET, 'Host: a')}x`,
  'of no fields': 'GET / HTTP/1.1\r\n\r\n',
}

for (const [what, text] of Object.entries(LEFT)) {
  test(`a request ${what} is left`, (t) => {
    t.equal(read(text), undefined)
    t.end()
  })
}

test('fields that come again are read again only if they differ', (t) => {
  const reader = new WholeRequestReader()
  const first = reader.read(head('GET /a HTTP/1.1', 'Host: a'))
  const again = reader.read(head('GET /b HTTP/1.1', 'Host: a'))
  t.equal(again?.target, '/b')
  t.equal(again?.fields, first?.fields)
  t.equal(reader.read(head('GET /c HTTP/1.1', 'Host: a', 'Host: b')), undefined)
  t.equal(reader.read(head('GET /d HTTP/1.1', 'Host: a', 'Host: b')), undefined)
  t.same(reader.read(head('GET /e HTTP/1.1', 'Host: b'))?.fields, ['Host', 'b'])
  t.equal(reader.read(head('POST /e HTTP/1.1', 'Host: b')), undefined, 'the method decides, too')
  t.end()
})

test('the limit of a head is less than what a server takes', (t) => {
  t.ok(WHOLE_HEAD_LIMIT <= 16 * 1024)
  t.end()
})

/** What node:http makes of bytes: a request, or the name of what it was. */
function byNode(server: Server, bytes: string): Promise<IncomingMessage | 'refused' | 'upgrade'> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair()
    const done = (found: IncomingMessage | 'refused' | 'upgrade'): void => {
      server.removeAllListeners('request')
      server.removeAllListeners('upgrade')
      server.removeAllListeners('clientError')
      resolve(found)
    }
    server.once('request', (request) => {
      request.on('error', () => undefined)
      done(request)
    })
    server.once('upgrade', () => done('upgrade'))
    server.once('clientError', () => done('refused'))
    near.on('error', () => undefined)
    far.on('error', () => undefined)
    server.emit('connection', far)
    near.end(Buffer.from(bytes, 'latin1'))
  })
}

test('what is read is read alike by node:http', async (t) => {
  const server = createServer({ requireHostHeader: false })
  let alike = 0
  await fc.assert(
    fc.asyncProperty(fc.oneof(nearlyRequest, pieces), async (text) => {
      const found = read(text)
      if (found === undefined) return
      const node = await byNode(server, text + 'x'.repeat(found.length))
      if (node === 'upgrade') return void t.not(found.upgrade, undefined)
      if (node === 'refused') throw new Error(`node:http refuses ${JSON.stringify(text)}`)
      const seen = { method: node.method, target: node.url, fields: node.rawHeaders }
      t.same(seen, { method: found.method, target: found.target, fields: found.fields })
      t.equal(Number(node.headers['content-length'] ?? 0), found.length)
      alike++
    }),
    { numRuns: 3000 },
  )
  t.ok(alike > 100, `${alike} were read`)
})
