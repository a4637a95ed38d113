import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { cuts } from '@sapwood/testkit'
import type { Framer } from '@sapwood/wire'
import { FramingFault, InputBuffer } from '@sapwood/wire'
import fc from 'fast-check'
import { t as root, test } from 'tap'
import { requires } from '../requires.ts'
import { load, peer, startExample } from './example.ts'

interface Line {
  readonly text: string
}
type Value = string | number | null | Line | readonly Value[]

interface FramerModule {
  readonly RespFramer: new (options: { limit: number; inline?: boolean }) => Framer<Value>
}
interface ValueModule {
  readonly Status: new (text: string) => Line
  readonly Failure: new (text: string) => Line
}
interface Store {
  readonly size: number
}
interface CommandModule {
  readonly Store: new (options: { limit: number }) => Store
  readonly answer: (store: Store, words: readonly string[]) => Value
}

const { RespFramer } = await load<FramerModule>('resp/framer.js')
const { Status, Failure } = await load<ValueModule>('resp/value.js')
const { Store, answer } = await load<CommandModule>('resp/commands.js')

const LIMIT = 65_536
const SMALL = 1_024

/** One for all tests. */
const { port, pid } = await startExample(root, 'resp/server.js')

/** All that a framer makes of a stream; a fault by its code. */
function values(framer: Framer<Value>, chunks: readonly Uint8Array[]): (Value | FramingFault)[] {
  const input = new InputBuffer()
  const seen: (Value | FramingFault)[] = []
  for (const chunk of chunks) {
    input.push(chunk)
    for (let next = framer.decode(input); next !== undefined; next = framer.decode(input)) {
      seen.push(next)
      if (next instanceof FramingFault) return seen
    }
  }
  const last = framer.finish(input)
  if (last !== undefined) seen.push(last)
  return seen
}

/** A value as text that tells the kinds apart. */
function shown(value: Value | FramingFault): unknown {
  if (value instanceof FramingFault) return value.code
  if (value instanceof Status) return `+${(value as Line).text}`
  if (value instanceof Failure) return `-${(value as Line).text}`
  return Array.isArray(value) ? value.map(shown) : value
}

const bytes = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 12,
})
const line = bytes.map((text) => text.replaceAll(/[\r\n]/g, ''))
const { value } = fc.letrec<{ value: Value; scalar: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    tie('scalar'),
    fc.array(tie('value'), { maxLength: 4 }) as fc.Arbitrary<Value>,
  ),
  scalar: fc.oneof(
    bytes,
    fc.maxSafeInteger(),
    fc.constant(null),
    line.map((text) => new Status(text)),
    line.map((text) => new Failure(text)),
  ),
}))

test('RESP: every value comes back as it went out, however the stream is cut', async () => {
  const framer = new RespFramer({ limit: LIMIT })
  const stream = fc.array(value, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(stream, fc.integer(), (sent, seed) => {
      const encoded = Buffer.concat(sent.map((one) => framer.encode(one)))
      for (const { name, chunks } of cuts(encoded, { random: 5, seed, twoWay: 60 })) {
        const seen = values(new RespFramer({ limit: LIMIT }), chunks)
        assert.deepEqual(seen.map(shown), sent.map(shown), name)
      }
    }),
    { numRuns: 100 },
  )
})

test('RESP: what is no value is refused, whole and byte by byte, and nothing is read behind it', async (t) => {
  const bad: readonly (readonly [string, string])[] = [
    ['an unknown type', '!1\r\n'],
    ['a negative length', '$-2\r\n'],
    ['a negative count', '*-7\r\n'],
    ['a length of letters', '$x\r\n'],
    ['no length', '$\r\n'],
    ['a length of twenty digits', `$${'9'.repeat(20)}\r\n`],
    ['an integer that is not exact', ':9007199254740993\r\n'],
    ['a length without CR', '$1\nx\r\n'],
    ['CR without LF', '$1\rx'],
    ['a string that is longer than it says', '$1\r\nxyz'],
    ['a string over the limit', `$${SMALL}\r\n`],
    ['an array over the limit', `*${SMALL}\r\n`],
    ['a line over the limit', `+${'x'.repeat(SMALL)}`],
    ['arrays in arrays in arrays', `${'*1\r\n'.repeat(17)}:1\r\n`],
    ['arrays in arrays without end', '*1\r\n'.repeat(SMALL)],
    ['a word where a server is no terminal', 'PING\r\n'],
  ]
  for (const [name, stream] of bad) {
    for (const { chunks } of cuts(stream, { random: 0, twoWay: 0 })) {
      const seen = values(new RespFramer({ limit: SMALL }), [...chunks, Buffer.from('+OK\r\n')])
      t.same(seen.map(shown), ['RESP_INVALID'], name)
    }
  }
  const cut = values(new RespFramer({ limit: 9 }), [Buffer.from('$3\r\nab')])
  t.same(cut.map(shown), ['FRAME_CUT'])
})

test('RESP: a value over the limit is refused at its head, before it is held', async (t) => {
  const framer = new RespFramer({ limit: SMALL })
  const input = new InputBuffer()
  input.push(Buffer.from(`*2\r\n$3\r\nSET\r\n$${SMALL}\r\n`))
  t.match(framer.decode(input), { code: 'RESP_INVALID', final: true })
})

test('RESP: people may type words, also empty lines, between values', async (t) => {
  const framer = new RespFramer({ limit: LIMIT, inline: true })
  const seen = values(framer, [Buffer.from('PING\r\n\r\n*1\r\n$4\r\nPING\r\nSET  a b\n')])
  t.same(seen, [['PING'], [], ['PING'], ['SET', 'a', 'b']])
})

test('RESP: what a value cannot be is refused at the call', async (t) => {
  const framer = new RespFramer({ limit: LIMIT })
  for (const value of [1.5, Number.NaN, undefined, {}, 'ż', ['ok', 1.5]]) {
    t.throws(() => framer.encode(value as Value), { code: 'RESP_INVALID' })
  }
  t.throws(() => new Status('a\nb'), { code: 'RESP_INVALID' })
  t.throws(() => new Failure('ż'), { code: 'RESP_INVALID' })
})

test('RESP: the commands do what Redis does', async (t) => {
  const store = new Store({ limit: 10_000 })
  const dialogue: readonly (readonly [string, Value])[] = [
    ['PING', new Status('PONG')],
    ['ping hello', 'hello'],
    ['GET a', null],
    ['SET a 1', new Status('OK')],
    ['SET a 2 NX', null],
    ['SET b 2 xx', null],
    ['SET b 2 nx', new Status('OK')],
    ['SET b 2 EX', new Failure('ERR syntax error')],
    ['GET a', '1'],
    ['MGET a c b', ['1', null, '2']],
    ['MSET a 7 d 8 a 1', new Status('OK')],
    ['MSET a 7 d', new Failure('ERR syntax error')],
    ['DEL d', 1],
    ['INCR a', 2],
    ['INCRBY a 40', 42],
    ['DECR none', -1],
    ['APPEND a x', 3],
    ['STRLEN a', 3],
    ['INCR a', new Failure('ERR value is not an integer or out of range')],
    ['INCRBY none 9007199254740991', 9007199254740990],
    ['INCRBY none 9', new Failure('ERR value is not an integer or out of range')],
    ['EXISTS a a c', 2],
    ['DBSIZE', 3],
    ['DEL a c', 1],
    ['GET', new Failure("ERR wrong number of arguments for 'get' command")],
    ['EVAL x', new Failure("ERR unknown command 'EVAL'")],
    ['__proto__', new Failure("ERR unknown command '__proto__'")],
    ['FLUSHALL', new Status('OK')],
    ['DBSIZE', 0],
  ]
  for (const [words, expected] of dialogue) {
    t.same(shown(answer(store, words.split(' '))), shown(expected), words)
  }
})

test('RESP: a store that is full says so, keeps what it has and takes more after a delete', async (t) => {
  const store = new Store({ limit: 1_000 })
  const say = (...words: readonly string[]) => shown(answer(store, words))
  t.equal(say('SET', 'a', 'x'.repeat(600)), '+OK')
  t.match(say('SET', 'b', 'x'.repeat(600)), /^-OOM/)
  t.match(say('APPEND', 'a', 'x'.repeat(600)), /^-OOM/)
  t.equal(say('STRLEN', 'a'), 600)
  t.equal(say('SET', 'a', 'x'), '+OK')
  t.equal(say('SET', 'b', 'x'.repeat(600)), '+OK')
  t.equal(say('DEL', 'b'), 1)
  for (let i = 0; i < 100; i++) t.equal(say('SET', 'b', 'x'.repeat(600)), '+OK')
  t.equal(say('DEL', 'a', 'b'), 2)
  const large = new Store({ limit: 2_000_000 })
  answer(large, ['SET', 'a', 'x'.repeat(1_000_000)])
  const asked = answer(large, ['MGET', ...Array<string>(1_000).fill('a')])
  t.match(shown(asked), /^-ERR the answer is too long/, 'nor does a short command take all memory')
  t.equal(say('SET', 'b', 'x'.repeat(900)), '+OK')
})

/** What the server answers to bytes, until it hangs up. */
async function raw(port: number, chunks: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  let answers = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answers += text
  })
  // it may come before the last byte is sent
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  for (const chunk of chunks) {
    socket.write(chunk)
    await new Promise(setImmediate)
  }
  await closed
  return answers
}

test('RESP: commands in one packet or byte by byte are answered in their order', async (t) => {
  const stream =
    'FLUSHALL\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\xff\r\n\0\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n' +
    '*0\r\n\r\n*2\r\n$4\r\nMGET\r\n$1\r\nx\r\nDBSIZE\r\nNONE\r\nQUIT\r\nPING\r\n'
  const answers = `+OK\r\n+OK\r\n$4\r\n\xff\r\n\0\r\n*1\r\n$-1\r\n:1\r\n-ERR unknown command 'NONE'\r\n+OK\r\n`
  for (const { name, chunks } of cuts(Buffer.from(stream, 'latin1'), { twoWay: 10, random: 2 })) {
    t.equal(await raw(port, chunks), answers, name)
  }
})

test('RESP: what breaks the protocol is told so before the end, others go on', async (t) => {
  const refused = /^\+PONG\r\n-ERR Protocol error: [^\r\n]+\r\n$/
  for (const bad of [
    '$1\r\nx\r\n',
    '*1\r\n:1\r\n',
    '*1\r\n$-5\r\n',
    '*2000000\r\n',
    '$9999999\r\n',
  ]) {
    t.match(await raw(port, [`PING\r\n${bad}PING\r\n`]), refused, bad)
  }
  t.equal(await raw(port, ['QUIT\r\n']), '+OK\r\n')
})

test(
  'RESP: who does not read answers is not listened to, and gets all of them later',
  requires('ps'),
  async (t) => {
    const resident = async () => Number(await peer('ps', ['-o', 'rss=', '-p', `${pid}`]))
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    const before = await resident()
    const value = 'x'.repeat(100_000)
    const count = 1_000
    socket.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n${value}\r\n`)
    await once(socket, 'data')
    socket.pause()
    socket.write(`${'GET k\r\n'.repeat(count)}QUIT\r\n`)
    t.equal(await raw(port, ['PING\r\nQUIT\r\n']), '+PONG\r\n+OK\r\n', 'others are served')
    const grown = (await resident()) - before
    t.ok(grown < 50_000, `${grown} kB more, of 100,000 kB that are asked for`)
    let length = 0
    for await (const chunk of socket) length += chunk.length
    t.equal(length, count * (value.length + `$${value.length}\r\n\r\n`.length) + '+OK\r\n'.length)
  },
)

test(
  'redis-cli and redis-benchmark talk to it, pipelined',
  requires('redis-cli', 'redis-benchmark'),
  async (t) => {
    const cli = (...commands: readonly string[]) =>
      peer('redis-cli', ['-p', `${port}`], { input: commands.join('\n') })
    const said = await cli(
      'FLUSHALL',
      'SET counter 41',
      'INCR counter',
      'GET counter',
      'GET other',
      'MGET counter other',
      'EXISTS counter other',
      'DEL counter',
      'EVAL x',
    )
    t.match(said, /^OK\nOK\n42\n42\n\n42\n\n1\n1\nERR unknown command 'EVAL'\n/)
    const tests = ['-t', 'ping,set,get,incr,mset', '-P', '16', '-n', '2000', '-r', '1000', '--csv']
    const table = await peer('redis-benchmark', ['-p', `${port}`, ...tests])
    const rows = table.trim().split('\n').slice(1)
    const names = rows.map((row) => row.split('"')[1])
    t.same(names, ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)'])
    t.ok(rows.every((row) => Number(row.split('"')[3]) > 0))
    t.match(await cli('DBSIZE'), /^\d{3,4}\n$/)
  },
)
