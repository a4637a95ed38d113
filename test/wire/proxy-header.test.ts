import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer, isIPv6, SocketAddress } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProxyAddress } from '@sapwood/wire'
import {
  formatIpAddress,
  isFault,
  parseIpAddress,
  parseProxyHeader,
  proxy,
  proxyHeader,
} from '@sapwood/wire'
import fc from 'fast-check'
import type { Test } from 'tap'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { bytesOf, sniffed } from './sniffing.ts'

const INVALID = { code: 'PROXY_INVALID' }
const SIGNATURE = '0d0a0d0a000d0a515549540a'

/** A header of version 2: command and family, then what its length is told of. */
function v2(start: string, content = '', length = content.length / 2): Buffer {
  const size = length.toString(16).padStart(4, '0')
  return Buffer.from(`${SIGNATURE}${start}${size}${content}`, 'hex')
}

/** `more` at each cut before the end, then always the same, whatever follows. */
function parsed(bytes: Uint8Array): ReturnType<typeof parseProxyHeader> {
  const whole = parseProxyHeader(bytes)
  const length = typeof whole === 'object' && !isFault(whole) ? whole.length : bytes.length
  for (let cut = 0; cut < length; cut++) {
    const part = parseProxyHeader(bytes.slice(0, cut))
    if (part !== 'more')
      assert.deepEqual(part, whole, `only a fault is told before the end: ${cut}`)
    if (typeof whole === 'object' && !isFault(whole)) assert.equal(part, 'more', `cut at ${cut}`)
  }
  if (whole === 'more') return whole
  for (const behind of ['', '\r\n', '\0\xff', 'GET / HTTP/1.1\r\n']) {
    const more = Buffer.concat([bytes.subarray(0, length), bytesOf(behind)])
    assert.deepEqual(parseProxyHeader(more), whole)
  }
  return whole
}

const ipv4 = fc.ipV4()
const ipv6 = fc.ipV6().filter((text) => isIPv6(text) && !text.includes('%'))
const port = fc.integer({ min: 0, max: 65_535 })

/** As URLs have it, but for IPv4 inside IPv6, which stays readable. */
function plain(address: string): string {
  if (!isIPv6(address)) return address
  const { address: inet } = new SocketAddress({ address, family: 'ipv6' })
  if (inet.startsWith('::ffff:') && inet.includes('.')) return inet
  return new URL(`http://[${address}]/`).hostname.slice(1, -1)
}

test('addresses of both families come back from both versions', async () => {
  for (const address of [ipv4, ipv6]) {
    fc.assert(
      fc.property(address, address, port, port, (from, to, fromPort, toPort) => {
        const bytes = [from, to].map((text) => parseIpAddress(text) ?? assert.fail(text))
        fc.pre(!bytes.some((ip) => formatIpAddress(ip).startsWith('::ffff:')))
        const [source, destination] = bytes.map((ip, index) => ({
          host: formatIpAddress(ip),
          port: index === 0 ? fromPort : toPort,
        }))
        for (const version of [1, 2] as const) {
          const header = proxyHeader(
            version,
            { host: from, port: fromPort },
            { host: to, port: toPort },
          )
          assert.deepEqual(parsed(header), { length: header.length, source, destination })
          assert.equal(proxy(sniffed(header)), 'yes')
        }
      }),
      { numRuns: 100 },
    )
  }
})

test('headers are written as their specification shows them', async (t) => {
  const source = { host: '192.0.2.1', port: 56_324 }
  const destination = { host: '192.0.2.9', port: 443 }
  const text = (header: Uint8Array) => Buffer.from(header).toString('latin1')
  const hex = (header: Uint8Array) => Buffer.from(header).toString('hex')
  t.equal(text(proxyHeader(1, source, destination)), 'PROXY TCP4 192.0.2.1 192.0.2.9 56324 443\r\n')
  t.equal(hex(proxyHeader(2, source, destination)), `${SIGNATURE}2111000cc0000201c0000209dc0401bb`)
  const mapped = { host: '::ffff:192.0.2.1', port: 1 }
  t.equal(text(proxyHeader(1, mapped, destination)), 'PROXY TCP4 192.0.2.1 192.0.2.9 1 443\r\n')
  const six = { host: '2001:DB8::1%eth0', port: 1 }
  t.equal(text(proxyHeader(1, six, six)), 'PROXY TCP6 2001:db8::1 2001:db8::1 1 1\r\n')
  t.equal(
    text(proxyHeader(1, six, destination)),
    'PROXY TCP6 2001:db8::1 ::ffff:192.0.2.9 1 443\r\n',
    'two families become one',
  )
  t.match(parsed(proxyHeader(2, six, destination)), { destination: { host: '::ffff:192.0.2.9' } })
  const path = { path: '/run/ä.sock' }
  for (const [from, to] of [
    [undefined, undefined],
    [source, undefined],
    [source, path],
  ]) {
    t.equal(text(proxyHeader(1, from, to)), 'PROXY UNKNOWN\r\n')
    t.equal(hex(proxyHeader(2, from, to)), `${SIGNATURE}21000000`)
    t.same(parsed(proxyHeader(2, from, to)), { length: 16 })
  }
  t.equal(text(proxyHeader(1, path, path)), 'PROXY UNKNOWN\r\n')
  t.same(parsed(proxyHeader(2, path, { path: '' })), {
    length: 232,
    source: path,
    destination: { path: '' },
  })
  const longest = { path: 'a'.repeat(108) }
  t.match(parsed(proxyHeader(2, longest, longest)), { source: longest, destination: longest })
  t.same(parsed(proxyHeader(2, { path: 'a'.repeat(109) }, path)), { length: 16 }, 'too long to say')
  const wrong: ProxyAddress[] = [
    { host: 'localhost', port: 1 },
    { host: '192.0.2.1', port: 65_536 },
    { host: '192.0.2.1', port: -1 },
    { host: '192.0.2.1', port: 1.5 },
  ]
  for (const address of wrong) {
    t.throws(() => proxyHeader(2, address, destination), { code: 'ADDRESS_INVALID' })
    t.throws(() => proxyHeader(1, destination, address), { code: 'ADDRESS_INVALID' })
  }
})

test('version 1: what is no such line is a fault, as soon as it cannot become one', async (t) => {
  const unknown = 'PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n'
  t.same(parsed(bytesOf(unknown)), { length: unknown.length })
  t.same(parsed(bytesOf('PROXY UNKNOWN\r\n')), { length: 15 })
  const longest = `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`
  t.equal(longest.length, 104)
  t.match(parsed(bytesOf(longest)), { length: 104, source: { port: 65_535 } })
  const wrong = [
    'PROXY\r\n',
    'PROXY  TCP4 192.0.2.1 192.0.2.9 1 2\r\n',
    'PROXY TCP5 192.0.2.1 192.0.2.9 1 2\r\n',
    'PROXY tcp4 192.0.2.1 192.0.2.9 1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.9 1 2\n',
    'PROXY TCP4 192.0.2.1 192.0.2.9 1 2 \r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.9 1 2 3\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.9 1\r\n',
    'PROXY TCP4 192.0.2.01 192.0.2.9 1 2\r\n',
    'PROXY TCP4 192.0.2 192.0.2.9 1 2\r\n',
    'PROXY TCP4 192.0.2.256 192.0.2.9 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 192.0.2.1 192.0.2.9 1 2\r\n',
    'PROXY TCP6 fe80::1%1 ::1 1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.9 01 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.9 65536 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.9 -1 2\r\n',
    `PROXY UNKNOWN ${'a'.repeat(200)}\r\n`,
    `PROXY ${'\0'.repeat(200)}`,
    'PROXZ',
    'GET / HTTP/1.1\r\n',
  ]
  for (const line of wrong) t.match(parsed(bytesOf(line)), INVALID, line)
  t.equal(parseProxyHeader(bytesOf(`PROXY ${'a'.repeat(100)}`)), 'more', '106 bytes may still end')
  t.match(parseProxyHeader(bytesOf(`PROXY ${'a'.repeat(101)}`)), INVALID, '107 may not')
})

test('version 2: lengths, families and commands are checked, what follows the addresses is passed over', async (t) => {
  const addresses = 'c0000201c00002090001ffff'
  const ends = {
    source: { host: '192.0.2.1', port: 1 },
    destination: { host: '192.0.2.9', port: 65_535 },
  }
  t.same(parsed(v2('2111', addresses)), { length: 28, ...ends })
  t.same(parsed(v2('2112', addresses)), { length: 28, ...ends }, 'a datagram')
  t.same(parsed(v2('2111', `${addresses}0400021234`)), { length: 33, ...ends }, 'with extras')
  t.same(parsed(v2('2011', addresses)), { length: 28 }, 'the proxy speaks for itself')
  t.same(parsed(v2('2000')), { length: 16 })
  t.same(parsed(v2('2100', 'ffffff')), { length: 19 })
  t.same(parsed(v2('2110', addresses)), { length: 28 }, 'no transport')
  t.same(parsed(v2('2121', `${'20'.repeat(16)}${'00'.repeat(15)}0101bb0002`)), {
    length: 52,
    source: { host: '2020:2020:2020:2020:2020:2020:2020:2020', port: 443 },
    destination: { host: '::1', port: 2 },
  })
  const wrong: Record<string, Buffer> = {
    'version 1': v2('1111', addresses),
    'command 2': v2('2211', addresses),
    'family 4': v2('2141', addresses),
    'transport 3': v2('2113', addresses),
    'addresses too short': v2('2111', addresses.slice(2)),
    'IPv6 too short': v2('2121', addresses),
    'Unix too short': v2('2131', '00'.repeat(215)),
  }
  for (const [name, bytes] of Object.entries(wrong)) t.match(parsed(bytes), INVALID, name)
  t.match(parseProxyHeader(v2('2111', '', 11)), INVALID, 'on its length, before its content')
  t.equal(parseProxyHeader(v2('2111', '', 65_535)), 'more')
})

test('no bytes whatever make the reader fail, and faults are final', async () => {
  const start = fc.constantFrom(
    '',
    '50524f585920',
    '50524f58592054435034',
    SIGNATURE,
    `${SIGNATURE}21`,
  )
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 130 }), (start, rest) => {
      parsed(Buffer.concat([Buffer.from(start, 'hex'), rest]))
    }),
    { numRuns: 3_000 },
  )
})

test('IP addresses are read as the platform reads them and written in their shortest form', async (t) => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (text) => {
      const bytes = parseIpAddress(text) ?? assert.fail(text)
      assert.equal(formatIpAddress(bytes), plain(text))
    }),
    { numRuns: 1_000 },
  )
  const any = fc
    .array(fc.constantFrom('0', '1', 'f00', '255', '256', '::', ':', '.', '1.2.3.4', 'g', ''), {
      maxLength: 14,
    })
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(any, (text) => {
      const isSix = isIPv6(text)
      if (text.includes(':')) assert.equal(parseIpAddress(text) !== undefined, isSix, text)
    }),
    { numRuns: 3_000 },
  )
  for (const text of [
    '::',
    '::1',
    '1::',
    '1::2:0:0:3',
    '1:0:0:2::3',
    '::ffff:1.2.3.4',
    '0:1:0:1:0:1:0:1',
  ]) {
    t.equal(formatIpAddress(parseIpAddress(text) ?? new Uint8Array()), plain(text))
  }
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    '1.2.3.4::',
  ]) {
    t.equal(parseIpAddress(text), undefined, text)
  }
})

/** Listens on a free port of this machine until the test ends. */
async function listening(server: Server, t: Test): Promise<number> {
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** The header that the next connection begins with. */
async function headerFrom(server: Server): Promise<ReturnType<typeof parseProxyHeader>> {
  const [socket] = (await once(server, 'connection')) as [Socket]
  let bytes = Buffer.alloc(0)
  while (parseProxyHeader(bytes) === 'more') {
    const [chunk] = await once(socket, 'data')
    bytes = Buffer.concat([bytes, chunk])
  }
  socket.destroy()
  return parseProxyHeader(bytes)
}

test('the header of curl is read', requires('curl'), async (t) => {
  const server = createServer()
  const port = await listening(server, t)
  const child = spawn('curl', ['-s', '--haproxy-protocol', `http://127.0.0.1:${port}/`])
  const exit = once(child, 'exit')
  t.match(await headerFrom(server), {
    source: { host: '127.0.0.1' },
    destination: { host: '127.0.0.1', port },
  })
  await exit
})

test(
  'haproxy reads our headers, and we read those that it makes of them',
  requires('haproxy'),
  async (t) => {
    const server = createServer()
    const behind = await listening(server, t)
    const free = [createServer(), createServer()]
    const ports = await Promise.all(free.map((server) => listening(server, t)))
    for (const server of free) server.close()
    const folder = mkdtempSync(join(tmpdir(), 'proxy-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'haproxy.cfg')
    const listeners = ['send-proxy', 'send-proxy-v2'].map(
      (option, index) =>
        `listen ${option}\n bind 127.0.0.1:${ports[index]} accept-proxy\n server s 127.0.0.1:${behind} ${option}\n`,
    )
    const waits = ['connect', 'client', 'server'].map((kind) => ` timeout ${kind} 5s\n`).join('')
    writeFileSync(file, `global\n maxconn 20\ndefaults\n mode tcp\n${waits}${listeners.join('')}`)
    const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
    t.teardown(async () => {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    })
    const families: [ProxyAddress, ProxyAddress][] = [
      [
        { host: '192.0.2.1', port: 56_324 },
        { host: '192.0.2.9', port: 443 },
      ],
      [
        { host: '2001:db8::1', port: 1 },
        { host: '2001:db8::ffff', port: 65_535 },
      ],
    ]
    for (const port of ports) {
      for (const version of [1, 2] as const) {
        for (const [source, destination] of families) {
          const header = headerFrom(server)
          const client = await dialled(port)
          client.write(proxyHeader(version, source, destination))
          t.match(await header, { source, destination }, `version ${version} to port ${port}`)
          client.destroy()
        }
      }
    }
  },
)

/** A connection to a program that may still be starting. */
async function dialled(port: number): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (isOpen) return socket
    if (attempt === 100) throw new Error(`nobody listens on ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
