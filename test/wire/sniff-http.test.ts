/** HTTP told by its first request: request line, path, host, upgrade; and another host put into it. */
import assert from 'node:assert/strict'
import { hostPattern, http, rewriteHost } from '@sapwood/wire'
import { test } from 'tap'
import { bytesOf, decidesAt, head, outcome, verdictOf } from './sniffing.ts'

test('HTTP is told by its request line: yes at its end, no at the first byte that cannot be of one', async () => {
  const rule = http()
  for (const text of [
    'GET / HTTP/1.1\r\n‸Host: a\r\n\r\n',
    'GET / HTTP/1.0\n‸',
    'M-SEARCH * HTTP/1.1\r\n‸',
    'OPTIONS * HTTP/1.1\r\n‸',
    'CONNECT example.org:443 HTTP/1.1\r\n‸',
    'get http://example.org/ä?x=[1] HTTP/1.9\r\n‸',
    '\r\n\n\r\nGET / HTTP/1.1\r\n‸',
  ]) {
    decidesAt(rule, text, 'yes')
  }
  for (const text of [
    'GET\r‸\n',
    'GET /\r‸\n',
    'GET  ‸/ HTTP/1.1\r\n',
    'GET / HTTP/2‸.0\r\n',
    'GET / HTTP/1.1 ‸\r\n',
    'GET / HTTP/1.1\r\r‸\n',
    'GET / HTTP/1.10‸\r\n',
    'GET /\0‸ HTTP/1.1\r\n',
    'GET /\x7f‸ HTTP/1.1\r\n',
    ' ‸GET / HTTP/1.1\r\n',
    '\rG‸ET / HTTP/1.1\r\n',
    'a/‸b;message\r\n',
    'EHLO example.org\r‸\n',
    'OPTIONS rtsp://example.org/ R‸TSP/1.0\r\n',
    'SSH-2.0-OpenSSH_9.2\r‸\n',
    '{‸"a":1}',
    '\x16‸\x03\x01',
    'PRI * HTTP/2‸.0\r\n\r\nSM\r\n\r\n',
  ]) {
    decidesAt(rule, text, 'no')
  }
  for (const text of [
    '',
    'GET',
    'GET /',
    'GET / HTTP/1.1',
    'GET / HTTP/1.1\r',
    '\r',
    `GET /${'a'.repeat(2_000)}`,
  ]) {
    assert.equal(verdictOf(rule, text), 'more', text)
  }
})

function get(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`
}

test('paths match on segment borders, without query (TB-01, SP-07, weakness W3)', async (t) => {
  const matching: Record<string, readonly string[]> = {
    '/uploads/**': [
      '/uploads',
      '/uploads/a',
      '/uploads/a/b.png',
      '/uploads?x=/../',
      '/upl%6fads/ä',
    ],
    '/**': ['/', '/a', '/a/b?c', '/@a/b', '/::a', '/%F0%9F%98%80'],
    '/': ['/', '/?a=1', '/#a'],
    '/a/*': ['/a/b', '/a/*', '/a/b?c/d', 'http://example.org/a/b', 'HTTP://u:p@example.org:80/a/b'],
    '/*/b/**': ['/a/b', '/x/b/c/d'],
    '/ä b': ['/%C3%A4%20b', '/ä%20b'],
  }
  const other: Record<string, readonly string[]> = {
    '/uploads/**': ['/uploadsfoo', '/upload', '/', '/Uploads/a', '/x/uploads', '*', 'uploads/a'],
    '/**': [
      ...['//', '//a', '/a//b', '/a/', '/./a', '/a/..', '/a/../b', '/%2e%2E/a', '/.%2e', '/a%2Fb'],
      ...[
        '/a%2fb',
        '/%00',
        '/a%0d%0ab',
        '/%7f',
        '/%C2%85',
        '/%',
        '/%g1',
        '/%ff',
        '/%C3',
        '/a/%2e',
        'a',
      ],
    ],
    '/': ['/a', '//', '*'],
    '/a/*': ['/a', '/a/b/c', '/a/', '/b/a', 'http://example.org', 'http://example.org/b'],
    '/b/**': ['http://example.org?/b'],
  }
  for (const [path, targets] of Object.entries(matching)) {
    for (const target of targets) {
      t.equal(verdictOf(http({ path }), Buffer.from(get(target))), 'yes', `${path} ${target}`)
    }
  }
  for (const [path, targets] of Object.entries(other)) {
    for (const target of targets) {
      t.equal(verdictOf(http({ path }), Buffer.from(get(target))), 'no', `${path} ${target}`)
    }
  }
  t.equal(verdictOf(http({ path: '/**' }), get('http://example.org')), 'yes', 'no path is the root')
  t.equal(verdictOf(http({ path: '/**' }), 'CONNECT a:1 HTTP/1.1\r\n'), 'no')
  decidesAt(http({ path: '/a' }), 'GET /b ‸HTTP/1.1\r\n', 'no')
  decidesAt(http({ path: '/a' }), 'GET /a HTTP/1.1\r\n‸Host: a', 'yes')
  decidesAt(http({ path: '/a', method: 'POST' }), 'GET ‸/a HTTP/1.1\r\n', 'no')
  decidesAt(http({ method: 'post' }), 'POST /b HTTP/1.1\r\n‸', 'yes')
  t.equal(verdictOf(http({ method: 'POST' }), 'post / HTTP/1.1\r\n'), 'no', 'methods have a case')
})

test('the host is judged by the whole head: any case, any place, never two', async (t) => {
  const rule = http({ host: '*.example.org' })
  const yes = [
    head('Host: app.example.org'),
    head('Accept: */*', 'hOST:  APP.Example.Org.:8443\t'),
    head('Host: app.example.org', 'X-Host: other'),
    'GET http://u@app.example.org:80/a HTTP/1.1\nHost: other\n\n',
    'CONNECT app.example.org:443 HTTP/1.1\r\n\r\n',
  ]
  const no = [
    head(),
    head('Host: example.org'),
    head('Host: a.b.example.org'),
    head('Host: .example.org'),
    head('Host: app.example.org.evil'),
    head('Host:'),
    head('Host: app.example.org', 'Host: app.example.org'),
    head('Host : app.example.org'),
    head('Host: app.example.org', 'broken'),
    head('Accept: a', ' Host: app.example.org', 'Host: app.example.org'),
    'GET http://other/a HTTP/1.1\r\nHost: app.example.org\r\n\r\n',
  ]
  for (const text of yes) t.same(outcome(rule, text), { verdict: 'yes', at: text.length }, text)
  for (const text of no) t.same(outcome(rule, text), { verdict: 'no', at: text.length }, text)
  t.equal(verdictOf(http({ host: '[::1]' }), head('Host: [::1]:80')), 'yes')
  t.equal(verdictOf(http({ host: '*' }), head('Host: a')), 'yes')
  t.equal(verdictOf(http({ host: '*' }), head()), 'no')
  t.equal(verdictOf(http({ host: 'a', path: '/b' }), 'GET /b HTTP/1.1\r\nHost: a'), 'more')
  decidesAt(http({ host: 'a', path: '/b' }), 'GET /a ‸HTTP/1.1\r\nHost: a\r\n\r\n', 'no')
})

test('an upgrade is one that the request really asks for (TB-03)', async (t) => {
  const rule = http({ path: '/a', upgrade: 'WebSocket' })
  const yes = [
    head('Upgrade: websocket', 'Connection: Upgrade'),
    head('connection: keep-alive, upgrade', 'upgrade: h2c, WEBSOCKET'),
    head('Connection: keep-alive', 'Upgrade: h2c', 'Connection: Upgrade', 'Upgrade: websocket'),
  ]
  const no = [
    head(),
    head('Upgrade: websocket'),
    head('Connection: Upgrade'),
    head('Upgrade: websocket2', 'Connection: Upgrade'),
    head('Upgrade-Insecure-Requests: websocket', 'Connection: upgrade'),
  ]
  for (const text of yes) t.equal(verdictOf(rule, text), 'yes', text)
  for (const text of no) t.equal(verdictOf(rule, text), 'no', text)
})

test('names of hosts: one label for `*`, any case', async (t) => {
  const isName = hostPattern('*.Example.org')
  t.same(
    [
      'app.example.org',
      'APP.EXAMPLE.ORG.',
      'example.org',
      '.example.org',
      'a.b.example.org',
      'xexample.org',
      '',
    ].map(isName),
    [true, true, false, false, false, false, false],
  )
  t.equal(hostPattern('app.example.org')('App.example.org.'), true)
})

test('another host before replay: every case, every place, every cut; all else as it came (SP-06, 4.4 scenario 6)', async (t) => {
  const cases: [sent: string, expected: string][] = [
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1\r\nHost: new:1\r\n\r\n'],
    [
      'GET /hOst: HTTP/1.1\r\nX-Host: a\r\nhOsT :a\r\nB: \xe4\r\n\r\nHost: a\r\n\r\n\0\xff',
      'GET /hOst: HTTP/1.1\r\nX-Host: a\r\nhOsT : new:1\r\nB: \xe4\r\n\r\nHost: a\r\n\r\n\0\xff',
    ],
    ['\r\nGET / HTTP/1.1\nA: b\nHOST:\n\nx', '\r\nGET / HTTP/1.1\nA: b\nHOST: new:1\n\nx'],
    ['GET / HTTP/1.0\r\n\r\n', 'GET / HTTP/1.0\r\nHost: new:1\r\n\r\n'],
    [
      'GET / HTTP/1.1\r\nHost: a\r\n b\r\nC: d\r\n e\r\nHost: f\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: new:1\r\nC: d\r\n e\r\nHost: new:1\r\n\r\n',
    ],
    [
      'GET http://u@a:2/b?http://a HTTP/1.1\r\nhost: a\r\n\r\n',
      'GET http://new:1/b?http://a HTTP/1.1\r\nhost: new:1\r\n\r\n',
    ],
    ['CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nHost: new:1\r\n\r\n'],
  ]
  for (const [sent, expected] of cases) {
    const bytes = bytesOf(sent)
    const rewritten = rewriteHost(bytes, 'new:1')
    t.equal(Buffer.from(rewritten).toString('latin1'), expected)
    const whole = sent.search(/\n\r?\n/) + (/\n\r?\n/.exec(sent.slice(4))?.[0].length ?? 0)
    for (let length = 0; length < whole; length++) {
      assert.equal(rewriteHost(bytes.slice(0, length), 'new:1'), 'more', `${length} of ${sent}`)
    }
    t.same(bytesOf(sent), bytes, 'what came is not written to')
  }
  const other = bytesOf('path;Host: a\r\n\r\n')
  t.equal(rewriteHost(other, 'new:1'), other, 'what is no request stays')
  for (const host of ['', 'a b', 'a\r\nX: y', 'ä']) {
    t.throws(() => rewriteHost(other, host), { code: 'EDGE_INVALID' }, host)
  }
})
