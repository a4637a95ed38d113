/** Connections over TCP as a peer sees them that is nothing but a socket. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import type { Connection } from '@sapwood/net'
import { duplexPair } from '@sapwood/net'
import { aWhile, cuts, eventually, RecordingApplication } from '@sapwood/testkit'
import { DelimitedFramer, IdentityFramer, LengthPrefixFramer, LineFramer } from '@sapwood/wire'
import fc from 'fast-check'
import { test } from 'tap'
import { listening, NO_BUFFERS } from '../listening.ts'
import { requires } from '../requires.ts'
import { dial } from './raw-peer.ts'
import { ECHO, tracked } from './tracked.ts'

const TERMINATOR = Buffer.from('\r\n.\r\n')

test('2.4-1: lines in any cut, bare LF and empty ones too, come back as lines', async (t) => {
  const server = tracked(t, 'tcp')
  const address = await server.listen(() => ECHO)
  for (const { name, chunks } of cuts('frame1\r\nframe2\r\n\n\r\nframe3\nlast', { random: 10 })) {
    const peer = await dial(address)
    for (const chunk of chunks) {
      peer.socket.write(chunk)
      await new Promise(setImmediate)
    }
    peer.socket.end()
    await peer.isLeft()
    t.equal(peer.text, 'frame1\r\nframe2\r\n\r\n\r\nframe3\r\nlast\r\n', name)
  }
  t.equal(server.counters.opened, server.counters.closed + server.size)
  t.same([...server.counters.faults], [])
})

test('2.4-3: only the receiving side is switched inside a packet, at every cut of it', async (t) => {
  const server = tracked(t, 'tcp')
  const dialogue = 'HELLO\r\nDATA\r\nline 1\r\nQUIT\r\n.\r\nDATA\r\n\r\n.\r\nQUIT\r\n'
  const address = await server.listen((connection) => {
    const lines = connection.receiveFramer
    return {
      received(frame) {
        const text = Buffer.from(frame as Uint8Array).toString()
        connection.send(Buffer.from(JSON.stringify(text)))
        connection.receiveFramer =
          text === 'DATA' ? new DelimitedFramer({ delimiter: TERMINATOR, limit: 1000 }) : lines
      },
    }
  })
  const said = ['HELLO', 'DATA', 'line 1\r\nQUIT', 'DATA', '', 'QUIT']
  const answers = said.map((text) => `${JSON.stringify(text)}\r\n`).join('')
  for (const { name, chunks } of cuts(dialogue, { random: 10 })) {
    const peer = await dial(address)
    for (const chunk of chunks) {
      peer.socket.write(chunk)
      await new Promise(setImmediate)
    }
    peer.socket.end()
    await peer.isLeft()
    t.equal(peer.text, answers, name)
  }
})

test('2.4-4: length-prefixed frames of every kind, empty ones too, in any cut', async (t) => {
  const kinds = [
    { size: 4, endian: 'big', sent: '\0\0\0\x02ab\0\0\0\0\0\0\0\x01c' },
    { size: 2, endian: 'little', sent: '\x02\0ab\0\0\x01\0c' },
    { size: 1, endian: 'big', sent: '\x02ab\0\x01c' },
  ] as const
  for (const { sent, ...kind } of kinds) {
    const server = tracked(t, 'tcp')
    const address = await server.listen((connection) => {
      connection.setFramers(new LengthPrefixFramer({ ...kind, limit: 100 }))
      return ECHO
    })
    for (const { name, chunks } of cuts(Buffer.from(sent, 'latin1'), { random: 3 })) {
      const peer = await dial(address)
      for (const chunk of chunks) {
        peer.socket.write(chunk)
        await new Promise(setImmediate)
      }
      peer.socket.end()
      await peer.isLeft()
      t.equal(peer.text, sent, `${kind.size} ${kind.endian} ${name}`)
    }
  }
})

test('2.4-4: a frame over its limit ends the connection, whatever length it claims', async (t) => {
  const server = tracked(t, 'tcp')
  const own = new RecordingApplication()
  const address = await server.listen((connection) => {
    connection.setFramers(new LengthPrefixFramer({ size: 4, endian: 'big', limit: 1000 }))
    connection.send(Buffer.alloc(0))
    return own
  })
  const good = await dial(address)
  good.socket.write(Buffer.from('\0\0\0\x02ab\0\0\0\0\0\0\0\x01c', 'latin1'))
  await eventually('frames came', () => own.frames.length === 3)
  t.same(own.frames, ['ab', '', 'c'])
  for (const length of ['\0\0\x03\xe9', '\x7f\xff\xff\xff', '\xff\xff\xff\xff']) {
    const peer = await dial(address)
    peer.socket.write(Buffer.from(length, 'latin1'))
    await peer.isLeft()
    t.equal(peer.text, '\0\0\0\0', 'what was sent before has left')
  }
  t.same(own.reasons, own.faults, 'each is told first, and then the reason')
  t.equal(own.reasons.length, 3)
  t.equal(new Set(own.reasons).size, 1)
  t.equal(server.counters.faults.get(own.reasons[0] ?? ''), 3)
  t.ok(good.socket.writable)
})

test('a line that is left out is counted, told unless it is to be skipped, and the next one comes', async (t) => {
  for (const tooLong of ['error', 'skip'] as const) {
    const server = tracked(t, 'tcp')
    const own = new RecordingApplication()
    const address = await server.listen((connection) => {
      connection.setFramers(new LineFramer({ limit: 10, tooLong }))
      return own
    })
    const peer = await dial(address)
    peer.socket.write(`${'x'.repeat(100_000)}\nshort\n`)
    await eventually('the next line came', () => own.frames.length === 1)
    t.same([own.frames, own.reasons], [['short'], []])
    t.same(own.faults, tooLong === 'error' ? ['LINE_TOO_LONG'] : [])
    t.equal(server.counters.faults.get('LINE_TOO_LONG'), 1)
  }
})

test('TN-11: framers and application can be replaced at any time; default framers come back', async (t) => {
  const server = tracked(t, 'tcp')
  const seen: Connection[] = []
  const first = new RecordingApplication()
  const address = await server.listen((connection) => {
    seen.push(connection)
    return first
  })
  const peer = await dial(address)
  peer.socket.write('one\r\n')
  await eventually('it came', () => first.frames.length === 1)
  const [connection] = seen as [Connection]
  connection.application = undefined
  peer.socket.write('two\r\n')
  await aWhile()
  const second = new RecordingApplication()
  connection.application = second
  await eventually('the new one gets it', () => second.frames.length === 1)
  connection.receiveFramer = undefined
  peer.socket.write('half a')
  await eventually('half of it came', () => connection.bytesReceived === 16)
  connection.receiveFramer = new IdentityFramer()
  await eventually('what waits is framed anew', () => second.frames.length === 2)
  t.same([first.frames, second.frames], [['one'], ['two', 'half a']])
})

/** A stream that notes what is written to it. */
function recorder(): { socket: Duplex; writes: Buffer[] } {
  const writes: Buffer[] = []
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      writes.push(Buffer.from(chunk))
      done()
    },
  })
  return { socket, writes }
}

test('what one turn of the event loop sends leaves in one write', async (t) => {
  const any = tracked(t, 'tcp')
  const { socket, writes } = recorder()
  const connection = any.adopt(socket, (connection) => {
    connection.setFramers(new IdentityFramer())
    connection.receiveFramer = new LineFramer({ limit: 100 })
    connection.send(Buffer.from('greeting '))
    return ECHO
  }) as Connection
  for (let i = 0; i < 100; i++) connection.send(Buffer.from(`${i} `))
  t.equal(writes.length, 0)
  await new Promise(setImmediate)
  t.equal(writes.length, 1)
  t.match(String(writes[0]), /^greeting 0 1 .* 99 $/)
  socket.push('a\nb\nc\n')
  await eventually('the answers leave', () => writes.length > 1)
  t.same(writes.slice(1).map(String), ['abc'], 'answers to one packet too')
  connection.send(Buffer.from('now'))
  connection.flush()
  t.equal(String(writes[2]), 'now')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(90_000), { maxLength: 8 }), { maxLength: 6 }),
      async (turns) => {
        writes.length = 0
        const sent: Buffer[] = []
        let most = 0
        for (const turn of turns) {
          let sum = 0
          for (const size of turn) {
            const bytes = Buffer.alloc(size, sent.length)
            sent.push(bytes)
            sum += size
            connection.send(bytes)
          }
          // a write is not longer than 64 KiB, and two that follow are together
          most += Math.ceil((2 * sum) / 65_536) + 1
          await new Promise(setImmediate)
          await new Promise(setImmediate)
        }
        t.ok(Buffer.concat(writes).equals(Buffer.concat(sent)))
        t.ok(writes.length <= most)
        t.ok(writes.every((bytes) => bytes.length <= 65_536))
      },
    ),
    { numRuns: 40 },
  )
})

test('a socket that was handed over is replayed first, tracked and limited like any other', async (t) => {
  const any = tracked(t, 'tcp', { limits: { connections: 2 } })
  const own = new RecordingApplication()
  const [near, far] = duplexPair()
  const remote = { host: '192.0.2.7', port: 7 }
  const replay = Buffer.from('first li')
  const connection = any.adopt(far, () => own, { replay, remote }) as Connection
  near.write('ne\r\nsecond\r\n')
  await eventually('both lines came', () => own.frames.length === 2)
  t.same(own.frames, ['first line', 'second'])
  t.same(connection.remote, remote)
  t.equal(any.find(connection.local, remote), connection)
  const [[other, second], [peer, third]] = [duplexPair(), duplexPair()]
  for (const end of [near, other]) end.on('error', () => {})
  t.ok(any.adopt(second, () => own))
  t.equal(
    any.adopt(third, () => own),
    undefined,
  )
  t.ok(third.destroyed)
  const [error] = (await once(peer, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNRESET', 'its peer is not left waiting')
  near.end()
  await eventually('the end is told', () => own.reasons.length === 1)
  t.same(own.reasons, [null])
})

test('one address cannot take all the room', async (t) => {
  const server = tracked(t, 'tcp', {
    endpoint: { host: '0.0.0.0', port: 0 },
    limits: { perAddress: 3 },
  })
  const { port } = (await server.listen(() => ECHO)) as { port: number }
  const greedy = await Promise.all(
    Array.from({ length: 6 }, () => dial({ host: '127.0.0.1', port })),
  )
  await eventually('three are sent away', () => greedy.filter(({ closed }) => closed).length === 3)
  const other = await dial({ host: '127.0.0.1', port }, '127.0.0.2')
  other.socket.write('hello\n')
  await other.gets('hello\r\n')
  t.equal(server.counters.faults.get('LIMIT_CONNECTIONS_PER_ADDRESS'), 3)
})

test('a reset is told as one, and hinders nobody', async (t) => {
  const server = tracked(t, 'tcp')
  const own = new RecordingApplication()
  const address = await server.listen(() => own)
  const peer = await dial(address)
  peer.socket.write('x\n')
  await eventually('it came', () => own.frames.length === 1)
  ;(peer.socket as unknown as { resetAndDestroy(): void }).resetAndDestroy()
  await eventually('the end is told', () => own.reasons.length === 1)
  t.same(own.reasons, ['CONNECTION_RESET'])
})

test('an exception in closed or drained ends nothing else', async (t) => {
  const reported: unknown[] = []
  const server = tracked(t, 'tcp', { report: (...said) => reported.push(said) })
  const address = await server.listen(() => ({
    received: (frame, connection) => connection.send(frame),
    closed() {
      throw new TypeError('in closed')
    },
  }))
  const peer = await dial(address)
  peer.socket.end('bye\n')
  await peer.isLeft()
  await eventually('it is reported', () => reported.length === 1)
  t.match(reported, [['APPLICATION_FAILED', TypeError]])
  const next = await dial(address)
  next.socket.write('still there\n')
  await next.gets('still there\r\n')
})

test('2.4-7: errors of accepting are named, and however many do not end the listener', async (t) => {
  const servers = listening(t)
  const reported: unknown[] = []
  const server = tracked(t, 'tcp', { report: (code, cause) => reported.push([code, cause]) })
  const address = await server.listen(() => ECHO)
  for (let i = 0; i < 12; i++) servers[0]?.emit('error', NO_BUFFERS)
  t.same(reported, Array(12).fill(['ACCEPT_FAILED', NO_BUFFERS]))
  t.equal(server.counters.faults.get('ACCEPT_FAILED'), 12)
  const peer = await dial(address)
  peer.socket.write('still there\n')
  await peer.gets('still there\r\n')
})

const OUT_OF_HANDLES = `
import { connections } from '@sapwood/net'
const server = connections('tcp', { limits: { perAddress: 0 } })
const address = await server.listen(() => ({ received: (line, one) => one.send(line) }))
console.log('port', address.port)
`

test('W8: a process that is out of file handles serves again', requires('sh'), async (t) => {
  const node = JSON.stringify(process.execPath)
  const run = `ulimit -n 160; exec ${node} --input-type=module -e "$PROGRAM"`
  const env = { ...process.env, PROGRAM: OUT_OF_HANDLES }
  const child = spawn('sh', ['-c', run], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk
  })
  await eventually('it listens', () => said.includes('port'))
  const address = { host: '127.0.0.1', port: Number(/port (\d+)/.exec(said)?.[1]) }
  const crowd = await Promise.all(Array.from({ length: 200 }, () => dial(address)))
  await eventually('some are sent away', () => crowd.some(({ ended, closed }) => ended || closed))
  for (const { socket } of crowd) socket.destroy()
  let answer = ''
  for (let tries = 0; answer === '' && tries < 50; tries++) {
    const peer = await dial(address)
    peer.socket.write('hello\n')
    await aWhile()
    answer = peer.text
    peer.socket.destroy()
  }
  t.equal(answer, 'hello\r\n')
})

test('nothing is opened by importing, and nothing is left by a shutdown', async (t) => {
  const program = `
    import { connections } from '@sapwood/net'
    const server = connections('tcp'), client = connections('tcp'), udp = connections('udp')
    const to = await server.listen(() => ({ received() {} }))
    await udp.listen(() => ({ received() {} }))
    const one = await client.connect(to, () => ({ received() {} }))
    one.send(new Uint8Array(1))
    await Promise.all([server.shutdown(), client.shutdown(), udp.shutdown()])
    console.log('done')
  `
  const child = execFile(process.execPath, ['--input-type=module', '-e', program])
  let said = ''
  child.stdout?.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(child, 'exit')
  t.same([said, code], ['done\n', 0])
})
