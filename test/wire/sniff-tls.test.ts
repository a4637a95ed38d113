import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { connect } from 'node:tls'
import { pipe, readClientHello, tls } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { bytesOf, outcome, verdictOf } from './sniffing.ts'

/** What a real TLS client sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const socket = new Duplex({ read() {}, write: (chunk, _, done) => heard(chunk, done) })
  let resolve: (bytes: Buffer) => void = () => {}
  const hello = new Promise<Buffer>((done) => {
    resolve = done
  })
  function heard(chunk: Buffer, done: () => void): void {
    resolve(chunk)
    done()
  }
  const client = connect({ socket, rejectUnauthorized: false, ...options })
  client.on('error', () => {})
  const bytes = await hello
  client.destroy()
  return bytes
}

function vector(size: 1 | 2 | 3, content: Uint8Array): Buffer {
  const length = Buffer.alloc(size)
  length.writeUIntBE(content.length, 0, size)
  return Buffer.concat([length, content])
}

function extension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(type >> 8, type & 255), vector(2, content)])
}

function nameExtension(name: string, type = 0): Buffer {
  const entry = Buffer.concat([Buffer.of(type), vector(2, Buffer.from(name, 'latin1'))])
  return extension(0, vector(2, entry))
}

function protocolsExtension(...names: string[]): Buffer {
  return extension(16, vector(2, Buffer.concat(names.map((name) => vector(1, Buffer.from(name))))))
}

/** A hybrid key share as browsers send it since 2024: 1,216 bytes of ML-KEM-768 with X25519, and X25519 alone. */
const KEY_SHARES = extension(
  51,
  vector(
    2,
    Buffer.concat([
      Buffer.of(0x0a, 0x0a, 0, 1, 0),
      Buffer.of(0x11, 0xec),
      vector(2, Buffer.alloc(1_216, 0x16)),
      Buffer.of(0x00, 0x1d),
      vector(2, Buffer.alloc(32, 0x03)),
    ]),
  ),
)

interface Written {
  readonly extensions?: readonly Buffer[]
  readonly ciphers?: Buffer
  readonly compressions?: Buffer
  readonly tail?: Buffer
}

/** The handshake message of a hello. */
function message({ extensions, ciphers, compressions, tail }: Written): Buffer {
  const parts = [
    Buffer.of(3, 3),
    Buffer.alloc(32, 0x5a),
    vector(1, Buffer.alloc(32, 0xa5)),
    vector(2, ciphers ?? Buffer.of(0x13, 0x01, 0x13, 0x02)),
    vector(1, compressions ?? Buffer.of(0)),
  ]
  if (extensions !== undefined) parts.push(vector(2, Buffer.concat(extensions)))
  if (tail !== undefined) parts.push(tail)
  return Buffer.concat([Buffer.of(1), vector(3, Buffer.concat(parts))])
}

/** A message in records of at most `size` bytes. */
function records(message: Uint8Array, size = 16_384): Buffer {
  const out: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    out.push(Buffer.of(22, 3, 1), vector(2, message.subarray(at, at + size)))
  }
  return Buffer.concat(out)
}

const NAMED = [nameExtension('app.example.org'), protocolsExtension('h2', 'http/1.1')]
const ENCRYPTED_HELLO = extension(0xfe0d, Buffer.alloc(400, 0xec))
const HYBRID = message({ extensions: [KEY_SHARES, ENCRYPTED_HELLO, ...NAMED] })

/** A yes only once all of it is there, whatever is asked. */
function readsOnlyWhole(bytes: Uint8Array, serverName: string, protocols: readonly string[]): void {
  const rules = [tls({ sni: serverName }), tls({ sni: 'other.example.org' })]
  for (const [index, rule] of rules.entries()) {
    const expected = { verdict: index === 0 ? 'yes' : 'no', at: bytes.length }
    assert.deepEqual(outcome(rule, bytes), expected)
  }
  for (const alpn of [...protocols, 'sapwood/1']) {
    const verdict = protocols.includes(alpn) ? 'yes' : 'no'
    assert.deepEqual(outcome(tls({ alpn }), bytes), { verdict, at: bytes.length })
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(readClientHello(bytes.subarray(0, length)), 'more', `after ${length} bytes`)
  }
  assert.deepEqual(readClientHello(bytes), { serverName, protocols })
}

test('hellos of real clients are read at every cut: name and protocols (4.4 scenario 3)', async () => {
  const variants: ConnectionOptions[] = [
    {},
    { maxVersion: 'TLSv1.2' },
    { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' },
    { ecdhCurve: 'X25519:P-256:P-384:P-521' },
  ]
  for (const options of variants) {
    const protocols = ['h2', 'http/1.1']
    const hello = await helloOf({
      ...options,
      servername: 'App.Example.org',
      ALPNProtocols: protocols,
    })
    readsOnlyWhole(hello, 'app.example.org', protocols)
  }
  const bare = await helloOf({ host: '127.0.0.1' })
  assert.deepEqual(readClientHello(bare), { protocols: [] })
  assert.equal(verdictOf(tls({ sni: '*' }), bare), 'no', 'no name is no name')
  assert.equal(verdictOf(tls({ alpn: '' }), bare), 'no')
})

for (const { program, args, expected } of [
  {
    program: 'openssl',
    args: ['s_client', '-servername', 'app.example.org', '-alpn', 'sapwood/1', '-connect'],
    expected: { serverName: 'app.example.org', protocols: ['sapwood/1'] },
  },
  {
    program: 'curl',
    args: ['-sk', '--http1.1', '--connect-to'],
    expected: { serverName: 'app.example.org', protocols: ['http/1.1'] },
  },
]) {
  test(`the hello of ${program} is read`, requires(program), async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await once(server, 'listening')
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const target = program === 'curl' ? [`::${address}`, 'https://app.example.org/'] : [address]
    const child = spawn(program, [...args, ...target], { stdio: ['pipe', 'ignore', 'ignore'] })
    const [socket] = await once(server, 'connection')
    let bytes = Buffer.alloc(0)
    while (readClientHello(bytes) === 'more') {
      const [chunk] = await once(socket, 'data')
      bytes = Buffer.concat([bytes, chunk])
    }
    const gone = once(child, 'exit')
    socket.destroy()
    child.stdin.end()
    await gone
    t.match(readClientHello(bytes), expected)
    readsOnlyWhole(bytes, expected.serverName, expected.protocols)
  })
}

test('a post-quantum hello is read however it is cut into packets and records', async (t) => {
  t.ok(HYBRID.length > 1_700, `${HYBRID.length} bytes`)
  const large = message({ extensions: [extension(21, Buffer.alloc(20_000)), KEY_SHARES, ...NAMED] })
  readsOnlyWhole(records(HYBRID), 'app.example.org', ['h2', 'http/1.1'])
  for (const size of [1, 2, 3, 4, 5, 6, 37, 700, 1_300]) {
    const bytes = records(HYBRID, size)
    t.same(readClientHello(bytes), { serverName: 'app.example.org', protocols: ['h2', 'http/1.1'] })
    t.same(outcome(tls({ alpn: 'h2' }), bytes), { verdict: 'yes', at: bytes.length }, `${size}`)
    t.equal(readClientHello(bytes.subarray(0, -1)), 'more')
  }
  const twoRecords = records(large)
  t.ok(twoRecords.length > 16_384 + 5)
  t.match(readClientHello(twoRecords), { serverName: 'app.example.org' })
  t.equal(readClientHello(twoRecords.subarray(0, 16_384 + 5)), 'more')
})

test('what follows the hello is not looked at', async (t) => {
  for (const behind of [[23, 3, 3, 0, 1, 9], [0], [22, 3, 1, 0, 0]]) {
    const bytes = Buffer.concat([records(HYBRID), Buffer.from(behind)])
    t.match(readClientHello(bytes), { serverName: 'app.example.org' })
  }
  // early data in the record of the hello itself
  const bytes = records(Buffer.concat([HYBRID, Buffer.alloc(3)]))
  t.match(readClientHello(bytes), { serverName: 'app.example.org' })
})

test('TLS alone is told by its first bytes, and by nothing that only looks like it', async (t) => {
  t.same(outcome(tls(), records(HYBRID)), { verdict: 'yes', at: 10 })
  t.same(outcome(tls(), records(HYBRID, 1)), { verdict: 'yes', at: 30 })
  const others: Record<string, readonly number[]> = {
    'an alert': [21, 3, 1, 0, 2, 1, 0],
    'another version': [22, 2, 0, 0, 80, 1, 0, 0, 76, 3],
    'no such minor version': [22, 3, 5],
    'an empty record': [22, 3, 1, 0, 0],
    'a record beyond 16 KiB': [22, 3, 1, 0x40, 1],
    'far beyond': [22, 3, 1, 0x41],
    'a hello of a server': [22, 3, 1, 0, 80, 2],
    'a hello of 16 MiB': [22, 3, 1, 0, 80, 1, 0xff],
    'a hello of SSL 2': [0x80, 46, 1, 3, 1],
    'the line form': [...bytesOf('a;b\r\n')],
    HTTP: [...bytesOf('GET / HTTP/1.1\r\n')],
  }
  for (const [name, bytes] of Object.entries(others)) {
    for (const rule of [tls(), tls({ sni: '*' }), pipe]) {
      t.same(outcome(rule, Buffer.from(bytes)).verdict, 'no', name)
    }
  }
  t.equal(outcome(tls(), Buffer.of(22, 3, 1, 0x40)).at, undefined, '16,384 bytes are allowed')
})

test('a hello that is cut or never ends stays undecided and is never read', async (t) => {
  const endless = records(Buffer.concat([Buffer.of(1, 1, 0xff, 0xff, 3, 3), Buffer.alloc(60_000)]))
  t.same(outcome(tls({ sni: '*' }), endless.subarray(0, 2_000)), { verdict: 'more', at: undefined })
  t.equal(readClientHello(endless), 'more')
  t.equal(readClientHello(Buffer.alloc(0)), 'more')
  // the second record is none: nothing that comes could make it one
  const broken = Buffer.concat([records(HYBRID.subarray(0, 500)), Buffer.from('GET / HTTP/1.1')])
  t.same(outcome(tls({ sni: '*' }), broken), { verdict: 'no', at: 506 })
})

test('a hello that breaks its own form is none', async (t) => {
  const wrong: Record<string, Buffer> = {
    'no cipher': message({ ciphers: Buffer.alloc(0), extensions: NAMED }),
    'half a cipher': message({ ciphers: Buffer.alloc(3), extensions: NAMED }),
    'no compression': message({ compressions: Buffer.alloc(0), extensions: NAMED }),
    'bytes behind the extensions': message({ extensions: NAMED, tail: Buffer.of(0) }),
    'an extension twice': message({ extensions: [...NAMED, nameExtension('b.example.org')] }),
    'an extension that is cut': message({ extensions: [Buffer.of(0, 0, 0, 9, 1)] }),
    'half an extension': message({ extensions: [Buffer.of(0)] }),
    'no name in the list': message({ extensions: [extension(0, vector(2, Buffer.alloc(0)))] }),
    'an empty name': message({ extensions: [nameExtension('')] }),
    'a name with a space': message({ extensions: [nameExtension('a b')] }),
    'a name beyond ASCII': message({ extensions: [nameExtension('\xe4.example.org')] }),
    'a name of another type': message({ extensions: [nameExtension('a.example.org', 1)] }),
    'no protocol': message({ extensions: [extension(16, vector(2, Buffer.alloc(0)))] }),
    'an empty protocol': message({ extensions: [protocolsExtension('h2', '')] }),
    'protocols that are cut': message({
      extensions: [extension(16, vector(2, Buffer.of(2, 104)))],
    }),
    'nothing in it': Buffer.of(1, 0, 0, 1, 3),
  }
  for (const [name, handshake] of Object.entries(wrong)) {
    t.same(outcome(tls({ sni: '*' }), records(handshake)).verdict, 'no', name)
  }
  t.same(readClientHello(records(message({}))), { protocols: [] }, 'TLS 1.2 without extensions')
  t.same(readClientHello(records(message({ extensions: [] }))), { protocols: [] })
  const dotted = message({ extensions: [nameExtension('APP.example.org.')] })
  t.same(readClientHello(records(dotted)), { serverName: 'app.example.org', protocols: [] })
})

test('both conditions of a rule have to hold, and a pipe is told by its protocol', async (t) => {
  for (const [protocol, verdict] of [
    ['sapwood/1', 'yes'],
    ['sapwood-join/1', 'yes'],
    ['sapwood/2', 'no'],
  ] as const) {
    const hello = records(message({ extensions: [protocolsExtension(protocol)] }))
    t.equal(verdictOf(pipe, hello), verdict, protocol)
  }
  t.equal(verdictOf(pipe, records(HYBRID)), 'no')
  const bytes = records(HYBRID)
  t.equal(verdictOf(tls({ sni: '*.example.org', alpn: 'h2' }), bytes), 'yes')
  t.equal(verdictOf(tls({ sni: '*.example.org', alpn: 'h3' }), bytes), 'no')
  t.equal(verdictOf(tls({ sni: 'example.org', alpn: 'h2' }), bytes), 'no')
  t.throws(() => tls({ sni: 'app.example.org:443' }), { code: 'EDGE_INVALID' })
})

test('no bytes whatever make the reader fail, and every yes or no stays', async () => {
  const changed = fc
    .tuple(
      fc.nat({ max: HYBRID.length + 200 }),
      fc.nat({ max: 255 }),
      fc.integer({ min: 1, max: 900 }),
    )
    .map(([place, byte, size]) => {
      const bytes = records(HYBRID, size)
      bytes[place % bytes.length] = byte
      return bytes
    })
  const any = fc.oneof(fc.uint8Array({ maxLength: 80 }), changed)
  fc.assert(
    fc.property(any, fc.array(fc.nat({ max: 2_000 }), { maxLength: 8 }), (bytes, cuts) => {
      for (const rule of [tls(), tls({ sni: '*.example.org' }), pipe]) {
        let known = 'more'
        for (const length of [...cuts.sort((a, b) => a - b), bytes.length]) {
          const verdict = rule({ bytes: bytes.slice(0, length), ended: false, late: false })
          if (known !== 'more' && length <= bytes.length) assert.equal(verdict, known)
          known = verdict
        }
      }
    }),
    { numRuns: 2_000 },
  )
})
