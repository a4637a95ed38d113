import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import fc from 'fast-check'
import { t as root, test } from 'tap'
import { requires } from '../requires.ts'
import { exampleFile, load, peer, startExample } from './example.ts'

interface Question {
  readonly name: string
  readonly type: number
}
interface DnsRecord {
  readonly name: string
  readonly type: number
  readonly ttl: number
  readonly data: Uint8Array
}
interface DnsMessage {
  readonly id: number
  readonly isAnswer: boolean
  readonly isTruncated: boolean
  readonly code: number
  readonly question: Question | undefined
  readonly records: readonly DnsRecord[]
  readonly room: number
}
interface MessageModule {
  readonly Code: Readonly<Record<'NONE' | 'FORMAT' | 'NO_SUCH_NAME' | 'REFUSED', number>>
  readonly readMessage: (bytes: Uint8Array) => DnsMessage | undefined
  readonly queryOf: (query: { id: number; name: string; type: number }) => Buffer
}
interface RecordsModule {
  readonly recordText: (record: DnsRecord) => string
  readonly Type: Readonly<Record<'A' | 'AAAA' | 'TXT', number>>
  readonly DATA: Readonly<
    Record<
      'A' | 'AAAA' | 'TXT',
      { write: (text: string) => Buffer; read: (bytes: Uint8Array) => string }
    >
  >
}
interface ZoneModule {
  readonly respond: (bytes: Uint8Array, transport: 'udp' | 'tcp') => Buffer | undefined
}

interface ClientModule {
  readonly lookUp: (
    server: { host: string; port: number },
    name: string,
    type: number,
  ) => Promise<DnsMessage>
}

const { Code, queryOf, readMessage } = await load<MessageModule>('dns/message.js')
const { DATA, recordText, Type } = await load<RecordsModule>('dns/records.js')
const { respond } = await load<ZoneModule>('dns/zone.js')
const { lookUp } = await load<ClientModule>('dns/client.js')

const NAME = 'sapwood.example'
const host = '127.0.0.1'

/** One for all tests. */
const { port } = await startExample(root, 'dns/server.js')

function answer(bytes: Uint8Array, transport: 'udp' | 'tcp' = 'udp'): DnsMessage {
  const answered = respond(bytes, transport)
  assert.ok(answered !== undefined)
  const message = readMessage(answered)
  assert.ok(message !== undefined)
  return message
}

test('DNS: names and types are answered from the table, whatever case they are asked in', async (t) => {
  const asked = answer(queryOf({ id: 4_711, name: 'WWW.Sapwood.example.', type: Type.A }))
  t.match(asked, { id: 4_711, isAnswer: true, isTruncated: false, code: Code.NONE })
  t.same(
    asked.records.map(({ name }) => name),
    Array(2).fill('www.sapwood.example'),
  )
  t.same(
    asked.records.map(({ data }) => DATA.A.read(data)),
    ['192.0.2.10', '192.0.2.11'],
  )
  const text = answer(queryOf({ id: 1, name: NAME, type: Type.TXT })).records
  t.match(DATA.TXT.read(text[0]?.data ?? new Uint8Array()), /^carries messages/)
  const codeOf = (name: string, type = Type.A) => answer(queryOf({ id: 1, name, type })).code
  t.equal(codeOf(`none.${NAME}`), Code.NO_SUCH_NAME)
  t.equal(codeOf('other.example'), Code.REFUSED)
  t.equal(codeOf(`not${NAME}`), Code.REFUSED)
  t.equal(codeOf('__proto__.sapwood.example'), Code.NO_SUCH_NAME)
  t.same(answer(queryOf({ id: 1, name: NAME, type: 15 })).records, [], 'a name without that type')
})

test('DNS: what a datagram cannot carry is left out and marked, over a stream it is there', async (t) => {
  const query = queryOf({ id: 1, name: `rings.${NAME}`, type: Type.TXT })
  const short = respond(query, 'udp') ?? Buffer.alloc(0)
  t.ok(short.length <= 512)
  t.match(readMessage(short), { isTruncated: true, records: [], question: { type: Type.TXT } })
  t.match(answer(query, 'tcp'), { isTruncated: false, records: { length: 40 } })
})

test('DNS: an answer is not answered, and every query cut short is told so', async (t) => {
  const query = queryOf({ id: 1, name: NAME, type: Type.A })
  const answered = respond(query, 'udp') ?? Buffer.alloc(0)
  t.equal(respond(answered, 'udp'), undefined)
  for (let length = 0; length < query.length; length++) {
    const cut = respond(query.subarray(0, length), 'udp')
    if (length < 12) t.equal(cut, undefined)
    else t.match(readMessage(cut ?? query), { code: Code.FORMAT, records: [] }, `${length} bytes`)
  }
})

/** A header that announces one question and `records` records, and what follows. */
function message(body: Uint8Array, records = 0): Buffer {
  return Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, records]), body])
}

test('DNS: no bytes make the server fail or read for ever', async (t) => {
  t.match(answer(message(Buffer.from([0xc0, 12, 0, 1, 0, 1]))), { code: Code.FORMAT }, 'to itself')
  t.match(answer(message(Buffer.from([0xc0, 30, 0, 1, 0, 1]))), { code: Code.FORMAT }, 'forward')
  const around = Buffer.from([1, 97, 0xc0, 12, 0, 1, 0, 1])
  t.match(answer(message(around)), { code: Code.FORMAT }, 'round and round')
  const long = Buffer.concat(Array(5).fill(Buffer.from(`\x3f${'x'.repeat(63)}`)))
  t.match(answer(message(Buffer.concat([long, Buffer.from([0, 0, 1, 0, 1])]))), {
    code: Code.FORMAT,
  })
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.uint8Array({ maxLength: 60 }).map((body) => message(body, 3)),
  )
  fc.assert(
    fc.property(bytes, fc.constantFrom('udp', 'tcp'), (bytes, transport) => {
      const answered = respond(bytes, transport)
      if (answered === undefined) return
      assert.ok(answered.length <= 1_232, 'nobody can be flooded through this server')
      assert.ok(readMessage(answered)?.isAnswer)
    }),
    { numRuns: 5_000 },
  )
})

test('DNS: what is no name is refused at the call, what is no data is shown as it is', async (t) => {
  const name = (name: string) => () => queryOf({ id: 1, name, type: Type.A })
  t.throws(name(`${'x'.repeat(64)}.example`), RangeError)
  t.throws(name('x.'.repeat(128)), RangeError)
  t.doesNotThrow(name(`${'x'.repeat(63)}.example`))
  const text = (type: number, ...bytes: number[]) =>
    recordText({ name: 'a', ttl: 5, type, data: Buffer.from(bytes) })
  t.equal(text(Type.A, 192, 0, 2, 1), 'a 5 A 192.0.2.1')
  t.equal(text(Type.A, 192, 0, 2), 'a 5 A \\# 3 c00002')
  t.equal(text(Type.AAAA, 1), 'a 5 AAAA \\# 1 01')
  t.equal(text(15, 255), 'a 5 TYPE15 \\# 1 ff')
})

test('DNS: data of every type comes back as it went out', async () => {
  fc.assert(
    fc.property(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ maxLength: 600, unit: 'grapheme-ascii' }),
      (v4, v6, text) => {
        assert.equal(DATA.A.read(DATA.A.write(v4)), v4)
        const address = DATA.AAAA.write(v6)
        assert.equal(address.length, 16)
        assert.deepEqual(DATA.AAAA.write(DATA.AAAA.read(address)), address)
        assert.equal(DATA.TXT.read(DATA.TXT.write(`ż${text}`)), `ż${text}`)
      },
    ),
    { numRuns: 50 },
  )
})

function dig(...args: readonly string[]): Promise<string> {
  return peer('dig', [`@${host}`, '-p', `${port}`, '+tries=1', '+time=5', ...args])
}

test(
  'dig is answered over UDP, and again over TCP for what did not fit',
  requires('dig'),
  async (t) => {
    const query = (name: string, type: string, ...how: readonly string[]) =>
      ['-q', name, '-t', type, ...how] as const
    const said = await dig(
      ...query(`www.${NAME}`, 'A', '+noedns'),
      ...query(`www.${NAME}`, 'AAAA', '+edns'),
      ...query(`none.${NAME}`, 'A'),
      ...query('example.com', 'A'),
      ...query(NAME, 'A', '-c', 'CH'),
      ...query(`rings.${NAME}`, 'TXT', '+ignore'),
      ...query(`rings.${NAME}`, 'TXT', '+noignore'),
      ...query(NAME, 'A', '+opcode=status'),
    )
    const answers = said.split(/^;; Got answer:$/m).slice(1)
    const [v4, v6, none, other, chaos, cut, whole, status] = answers
    t.match(v4, /NOERROR[\s\S]*A\s192\.0\.2\.10\n[\s\S]*A\s192\.0\.2\.11\n/)
    t.match(v6, /NOERROR[\s\S]*; EDNS: [\s\S]*AAAA\s2001:db8::10\n/)
    t.match(none, /status: NXDOMAIN/)
    t.match(other, /status: REFUSED/)
    t.match(chaos, /status: REFUSED/)
    t.match(status, /status: NOTIMP/)
    t.match(cut, /flags: qr aa tc rd[\s\S]*ANSWER: 0/)
    t.match(whole, /flags: qr aa rd[\s\S]*ANSWER: 40[\s\S]*\(TCP\)/)
  },
)

test('dig asks twice on one TCP connection', requires('dig'), async (t) => {
  const said = await dig('+tcp', '+keepopen', '+short', NAME, 'A', NAME, 'AAAA')
  t.equal(said, '192.0.2.1\n2001:db8::1\n')
})

test('dnsperf finds no query lost, over UDP and over TCP', requires('dnsperf'), async (t) => {
  const queries = `${t.testdir()}/queries`
  writeFileSync(queries, `www.${NAME} A\n${NAME} AAAA\n${NAME} TXT\nnone.${NAME} A\n`)
  for (const mode of ['udp', 'tcp']) {
    const where = ['-s', host, '-p', `${port}`, '-m', mode, '-d', queries]
    const said = await peer('dnsperf', [...where, '-n', '500', '-q', '100', '-c', '4'])
    t.match(said, /Queries lost:\s+0 /, mode)
    t.match(said, /Queries completed:\s+2000 /, mode)
    t.match(said, /Response codes:\s+NOERROR 1500 \(75\.00%\), NXDOMAIN 500 \(25\.00%\)/, mode)
  }
})

test('DNS: what the client prints', async (t) => {
  const ask = (name: string, options: { status?: number } = {}) =>
    peer(process.execPath, [exampleFile('dns/ask.js'), `${host}:${port}`, name], options)
  t.equal(await ask(NAME), `${NAME} 300 A 192.0.2.1\n`)
  t.equal(await ask(`none.${NAME}`, { status: 1 }), 'NO_SUCH_NAME\n')
})

test('DNS: the client asks again, over TCP for what was cut, over UDP for what was lost', async (t) => {
  t.match(await lookUp({ host, port }, `rings.${NAME}`, Type.TXT), { records: { length: 40 } })
  t.match(await lookUp({ host, port }, NAME, Type.AAAA), { records: { length: 1 } })

  // somebody between who loses the first datagram, and lies in the second
  const lossy = createSocket('udp4')
  t.teardown(() => lossy.close())
  lossy.bind(0, host)
  await once(lossy, 'listening')
  let datagrams = 0
  lossy.on('message', (bytes, { port }) => {
    const answered = respond(bytes, 'udp') ?? bytes
    const other = Buffer.from(answered)
    other.writeUInt16BE(other.readUInt16BE(0) ^ 1, 0)
    if (++datagrams > 1) for (const sent of [other, answered]) lossy.send(sent, port, host)
  })
  const { records } = await lookUp({ host, port: lossy.address().port }, NAME, Type.A)
  t.equal(records.length, 1)
  t.equal(datagrams, 2)
})

test('DNS: datagrams and streams that are no queries end nothing', async (t) => {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  for (const bytes of ['', 'x', 'x'.repeat(5_000), Buffer.alloc(12, 0xff)]) {
    socket.send(bytes, port, host)
  }
  const stream = connect(port, host)
  stream.on('error', () => {})
  stream.end(Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(100)]))
  await once(stream.resume(), 'close')
  const query = queryOf({ id: 7, name: NAME, type: Type.A })
  socket.send(query, port, host)
  const [answered] = await once(socket, 'message')
  t.match(readMessage(answered), { id: 7, isAnswer: true })

  const split = connect(port, host)
  t.teardown(() => split.destroy())
  const framed = Buffer.concat([Buffer.from([0, query.length]), query])
  for (const byte of Buffer.concat([framed, framed])) split.write(Buffer.of(byte))
  split.end()
  const received = Buffer.concat(await split.toArray())
  const one = Buffer.concat([Buffer.from([0, answered.length]), answered])
  t.same(received, Buffer.concat([one, one]), 'two queries, byte by byte')
})
