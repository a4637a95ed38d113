import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { acceptAnswer, isFault, WEB_SOCKET_GUID, webSocketHandshake } from '@sapwood/wire'
import { test } from 'tap'

const PROTOCOLS = ['sapwood.v1', 'sapwood.v2']
/** The example of RFC 6455 section 1.3. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const RIGHT: IncomingHttpHeaders = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': KEY,
  'sec-websocket-version': '13',
}

function judged(headers: IncomingHttpHeaders): unknown {
  const handshake = webSocketHandshake({ ...RIGHT, ...headers }, PROTOCOLS)
  return isFault(handshake) ? [handshake.status, handshake.code] : handshake
}

test('a right handshake is accepted; case and company of the words do not matter', async (t) => {
  t.same(judged({}), { key: KEY })
  t.same(judged({ upgrade: 'WebSocket', connection: 'keep-alive,  UPGRADE' }), { key: KEY })
  t.same(judged({ upgrade: 'h2c, websocket' }), { key: KEY })
})

test('of the protocols offered the first that is known is taken, or none', async (t) => {
  const protocol = (offered: string) => judged({ 'sec-websocket-protocol': offered })
  t.same(protocol('sapwood.v1'), { key: KEY, protocol: 'sapwood.v1' })
  t.same(protocol('chat , sapwood.v2,sapwood.v1'), { key: KEY, protocol: 'sapwood.v2' })
  t.same(protocol('chat, Sapwood.v1'), { key: KEY })
})

test('anything else is refused with 400', async (t) => {
  const wrong: readonly IncomingHttpHeaders[] = [
    { upgrade: undefined },
    { upgrade: 'h2c' },
    { upgrade: 'websockets' },
    { connection: undefined },
    { connection: 'keep-alive' },
    { 'sec-websocket-key': undefined },
    { 'sec-websocket-key': '' },
    { 'sec-websocket-key': Buffer.alloc(15).toString('base64') },
    { 'sec-websocket-key': Buffer.alloc(17).toString('base64') },
    { 'sec-websocket-key': Buffer.alloc(19).toString('base64') },
    { 'sec-websocket-key': `${KEY}\r\nX-Header: 1` },
    { 'sec-websocket-key': KEY.replace('d', '-') },
    { 'sec-websocket-protocol': '' },
    { 'sec-websocket-protocol': 'sapwood.v1,,chat' },
    { 'sec-websocket-protocol': 'sapwood.v1, chat, sapwood.v1' },
    { 'sec-websocket-protocol': 'sapwood v1' },
  ]
  for (const headers of wrong) {
    t.same(judged(headers), [400, 'HANDSHAKE_INVALID'], JSON.stringify(headers))
  }
})

test('another version is refused with 426, which tells the right one', async (t) => {
  for (const version of [undefined, '8', '013', '13, 8']) {
    const headers = { ...RIGHT, 'sec-websocket-version': version }
    t.match(webSocketHandshake(headers, PROTOCOLS), {
      status: 426,
      code: 'HANDSHAKE_VERSION',
      headers: ['Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'],
    })
  }
})

test('the answer is that of the standard', async (t) => {
  const accept = createHash('sha1').update(`${KEY}${WEB_SOCKET_GUID}`).digest('base64')
  t.equal(accept, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  const head = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
  ]
  t.equal(acceptAnswer(accept), [...head, '', ''].join('\r\n'))
  const protocol = 'Sec-WebSocket-Protocol: sapwood.v1'
  t.equal(acceptAnswer(accept, 'sapwood.v1'), [...head, protocol, '', ''].join('\r\n'))
})
