/** Protocols told by their first bytes, one by one and all on one port. */
import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { cuts } from '@sapwood/testkit'
import type { EdgeWhen, Matcher } from '@sapwood/wire'
import {
  any,
  decide,
  edgeMatcher,
  http,
  http2,
  line,
  pipe,
  proxy,
  silent,
  ssh,
  tls,
} from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { bytesOf, decidesAt, head, outcome, sniffed, verdictOf } from './sniffing.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

test('HTTP/2, SSH and PROXY are told by how they begin', async () => {
  decidesAt(http2, `${PREFACE}‸\0\0\0`, 'yes')
  assert.equal(verdictOf(http2, PREFACE.slice(0, -1)), 'more')
  decidesAt(http2, 'PO‸ST / HTTP/1.1', 'no')
  decidesAt(ssh, 'SSH-‸2.0-OpenSSH_9.2p1 Debian\r\n', 'yes')
  decidesAt(ssh, 'SSL‸', 'no')
  decidesAt(proxy, 'PROXY ‸TCP4 192.0.2.1 192.0.2.9 1 2\r\n', 'yes')
  decidesAt(proxy, '\r\n\r\n\0\r\nQUIT\n‸!', 'yes')
  assert.equal(verdictOf(proxy, 'PRO'), 'more')
  assert.equal(verdictOf(proxy, '\r\n\r\n\0\r\nQUIT'), 'more')
  decidesAt(proxy, '\r\nG‸ET / HTTP/1.1', 'no')
})

test('a line is told at its first `;` or its end, if all before is UTF-8 without control characters', async (t) => {
  for (const text of [
    'path;‸message\r\n',
    'UPDATE path;‸ m',
    'ä/€/😀;‸',
    'path\n‸',
    'path\r\n‸',
    ';‸',
    '\n‸',
    'GET /a;‸b HTTP/1.1',
  ]) {
    decidesAt(line, text, 'yes')
  }
  for (const text of [
    'a\0‸;',
    'a\tb;',
    '\x1b‸[A;',
    'a\x7f‸;',
    'a\r‸b;',
    '\x16‸\x03\x01;',
    'ab\u0085;',
  ]) {
    t.equal(verdictOf(line, Buffer.from(text.replace('‸', ''))), 'no', JSON.stringify(text))
  }
  const broken = [
    '80',
    'c0af',
    'c1bf',
    'c328',
    'e09fbf',
    'eda080',
    'f08fbfbf',
    'f4908080',
    'f5',
    'ff',
    'e282',
  ]
  for (const hex of broken) {
    t.equal(verdictOf(line, Buffer.from(`61${hex}3b`, 'hex')), 'no', hex)
  }
  t.same(outcome(line, 'path'), { verdict: 'yes', at: undefined }, 'a last line needs no end')
  t.equal(verdictOf(line, ''), 'more')
  t.equal(verdictOf(line, Buffer.from('c3', 'hex')), 'more', 'half a character is no line')
  t.equal(verdictOf(line, 'path\r'), 'more')
  t.equal(line(sniffed('path', { late: true })), 'more')
  t.equal(verdictOf(line, 'a'.repeat(3_000)), 'yes')
})

test('lines are judged as a decoder of UTF-8 judges them', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.string({ unit: 'binary', maxLength: 4 }).map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(bytes, (bytes) => {
      const text = Buffer.concat([bytes, Buffer.of(59)])
      const end = text.findIndex((byte) => byte === 59 || byte === 10)
      const isCrLf = text[end] === 10 && text[end - 1] === 13
      const before = text.subarray(0, isCrLf ? end - 1 : end)
      const isLine = isUtf8(before) && !/\p{Cc}/u.test(before.toString())
      assert.equal(verdictOf(line, text), isLine ? 'yes' : 'no')
    }),
    { numRuns: 500 },
  )
})

test('silent is who says nothing until the time is up, any is everybody at once (4.4 scenario 7)', async (t) => {
  t.equal(silent(sniffed('')), 'more')
  t.equal(silent(sniffed('', { late: true })), 'yes')
  t.equal(silent(sniffed('', { ended: true })), 'yes')
  t.equal(silent(sniffed('a')), 'no')
  t.equal(silent(sniffed('a', { late: true })), 'no')
  t.equal(any(sniffed('')), 'yes')
})

/** Rules by name, and who gets a stream that comes in these pieces. */
function routed(names: Record<string, Matcher>, chunks: readonly Uint8Array[]): string {
  const rules = Object.values(names).map((match) => ({ match }))
  let bytes: Uint8Array = Buffer.alloc(0)
  const ask = (ended: boolean) => decide(rules, { bytes, ended, late: false })
  for (const chunk of chunks) {
    bytes = Buffer.concat([bytes, chunk])
    const found = ask(false)
    if (found !== 'more') return Object.keys(names)[Number(found)] ?? 'none'
  }
  const last = ask(true)
  return Object.keys(names)[Number(last)] ?? String(last)
}

/** The least hello there is: one cipher, no extensions. */
const HELLO = Buffer.from(`160301002d010000290303${'5a'.repeat(32)}00000213010100`, 'hex')

test('one port, every protocol: the same rule wins at every cut (SP-02, SP-03, 4.4 scenarios 2 and 3)', async () => {
  const rules = {
    tls: tls(),
    http2,
    ssh,
    proxy,
    socket: http({ path: '/ws/**', upgrade: 'websocket' }),
    uploads: http({ path: '/uploads/**', method: 'POST' }),
    site: http({ host: 'app.example.org' }),
    http: http(),
    line,
  }
  const streams: [rule: string, stream: string | Uint8Array][] = [
    ['tls', HELLO],
    ['http2', PREFACE],
    ['ssh', 'SSH-2.0-x\r\n'],
    ['proxy', 'PROXY UNKNOWN\r\n'],
    ['socket', 'GET /ws/a HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['http', 'GET /ws/a HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['uploads', 'POST /uploads/x HTTP/1.1\r\nHost: app.example.org\r\n\r\nbody'],
    ['site', 'GET /uploads/x HTTP/1.1\r\nhost: app.example.org\r\n\r\n'],
    ['http', '\r\nGET / HTTP/1.0\r\n\r\n'],
    ['line', 'path;message\r\n'],
    ['line', 'SSH;x'],
    ['line', 'PROXY;x'],
    ['line', 'PRI * HTTP/3'],
    ['line', 'path'],
    ['none', ''],
    ['none', '\0\0\0\x10'],
    ['none', 'PRI\t'],
  ]
  for (const [rule, stream] of streams) {
    for (const { name, chunks } of cuts(bytesOf(stream))) {
      assert.equal(routed(rules, chunks), rule, `${String(stream)} ${name}`)
    }
  }
})

test('a rule that needs more holds back the rules behind it, until nothing more will be looked at', async (t) => {
  const rules = [
    { match: http({ path: '/a', host: 'b' }) },
    { match: ssh },
    { match: http({ path: '/a' }) },
  ]
  const text = 'GET /a HTTP/1.1\r\nHost: b'
  t.equal(decide(rules, sniffed(text)), 'more')
  t.equal(decide(rules, sniffed(`${text}\r\n\r\n`)), 0)
  t.equal(decide(rules, sniffed(`${text}c\r\n\r\n`)), 2)
  t.equal(decide(rules, sniffed(text, { late: true })), 2, 'undecided is no')
  t.equal(decide(rules, sniffed(text, { ended: true })), 2)
  t.equal(decide(rules, sniffed('SSH-2.0\r\n')), 1, 'a no of a later rule ends nothing')
  t.equal(decide(rules, sniffed('')), 'more')
  t.equal(decide(rules, sniffed('', { late: true })), 'none')
  t.equal(decide(rules, sniffed('\0')), 'none')
  t.equal(decide([], sniffed('')), 'none')
  t.equal(decide([{ match: silent }, { match: any }], sniffed('a')), 1)
  t.equal(decide([{ match: any }], sniffed('')), 0, 'one candidate is not waited for')
})

test('no bytes whatever make a matcher fail or take a yes or no back', async () => {
  const part = fc.constantFrom(
    ...[
      'GET',
      'PRI',
      ' ',
      '/',
      '/a/b',
      '*',
      'HTTP/1.',
      '1',
      '\r\n',
      '\n',
      '\r',
      'Host',
      ':',
      'a.b',
      'SSH-',
    ],
    ...[
      'PROXY ',
      'TCP4',
      ';',
      'ä',
      '%2e',
      '?',
      'http://',
      '\0',
      '\x16\x03\x01',
      'Upgrade: h',
      ' \t',
    ],
  )
  const stream = fc.oneof(
    fc.array(part, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(''), 'latin1')),
    fc.uint8Array({ maxLength: 40 }),
  )
  const when: EdgeWhen[] = [
    { protocol: 'http', path: '/a/**' },
    { protocol: 'http', host: '*.b', upgrade: 'h', method: 'GET' },
    { protocol: 'http2' },
    { protocol: 'tls', sni: '*.b' },
    { protocol: 'ssh' },
    { protocol: 'line' },
    { protocol: 'pipe' },
    { protocol: 'proxy' },
    { protocol: 'silent' },
    { protocol: 'any' },
    { bytes: '^(GET|PRI) ' },
  ]
  const rules = when.map((one) => edgeMatcher(one))
  fc.assert(
    fc.property(stream, (bytes) => {
      for (const rule of rules) outcome(rule, bytes)
    }),
    { numRuns: 2_000 },
  )
})

test('a `when` that makes no sense is refused when it is read', async (t) => {
  const wrong: [when: object, message: RegExp][] = [
    [{}, /neither/],
    [{ path: '/a' }, /neither/],
    [{ protocol: 'http', bytes: '^a' }, /both/],
    [{ protocol: 'smtp' }, /one of http, http2, tls/],
    [{ protocol: 'toString' }, /one of/],
    [{ protocol: 'tls', path: '/a' }, /`path` belongs to protocol "http"/],
    [{ protocol: 'http2', host: 'a' }, /`host` belongs/],
    [{ protocol: 'line', method: 'GET' }, /`method` belongs/],
    [{ bytes: '^a', path: '/a' }, /of `bytes`/],
    [{ protocol: 'http', sni: 'a' }, /`sni` belongs to protocol "tls"/],
    [{ protocol: 'pipe', alpn: 'h2' }, /`alpn` belongs/],
    [{ protocol: 'http', paht: '/a' }, /no key `paht`/],
    [{ protocol: 'http', path: 3 }, /`path` is no text/],
    [{ protocol: ['http'] }, /`protocol` is no text/],
    [{ protocol: 'http', path: 'a' }, /begin/],
    [{ protocol: 'http', path: '' }, /begin/],
    [{ protocol: 'http', path: '/a/' }, /empty segment/],
    [{ protocol: 'http', path: '/a/../b' }, /empty segment/],
    [{ protocol: 'http', path: '/**/a' }, /before its last/],
    [{ protocol: 'http', path: '/a*' }, /inside a segment/],
    [{ protocol: 'http', path: '/a?b' }, /query/],
    [{ protocol: 'http', path: '/a%20b' }, /percent/],
    [{ protocol: 'http', path: '/a\n' }, /control/],
    [{ protocol: 'http', method: 'GET POST' }, /no word/],
    [{ protocol: 'http', upgrade: '' }, /no word/],
    [{ protocol: 'http', host: 'a:80' }, /no name of a host/],
    [{ protocol: 'http', host: 'http://a' }, /no name/],
    [{ protocol: 'http', host: 'a.*' }, /no name/],
    [{ protocol: 'http', host: '' }, /no name/],
    [{ protocol: 'tls', sni: '*a.b' }, /no name/],
  ]
  for (const [when, message] of wrong) {
    t.throws(
      () => edgeMatcher(when as EdgeWhen),
      { code: 'EDGE_INVALID', message },
      JSON.stringify(when),
    )
  }
  t.throws(() => edgeMatcher({ bytes: '(?=a)' }), { code: 'BYTES_PATTERN_INVALID' })
  t.equal(verdictOf(edgeMatcher({ protocol: 'pipe' }), HELLO), verdictOf(pipe, HELLO))
  const full = {
    protocol: 'http',
    path: '/a',
    host: '*.b',
    method: 'GET',
    upgrade: 'websocket',
  } as const
  t.equal(
    verdictOf(edgeMatcher(full), head('Host: a.b', 'Upgrade: websocket', 'Connection: upgrade')),
    'yes',
  )
})
