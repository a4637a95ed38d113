import { Portal } from '@sapwood/auth'
import { jsonMessage, type Principal } from '@sapwood/core'
import { FakeClock, randomNumbers } from '@sapwood/testkit'
import { test } from 'tap'
import { type LineDatagramSocket, LinePort, until } from './line-port.ts'

test('a datagram holds one or more whole lines, and its sender is not remembered', async (t) => {
  const port = await LinePort.open(t)
  const bodies = port.bodies('**')
  const sender = await port.datagrams()
  sender.say('a;1\nUPDATE b; 2\r\n\nc')
  sender.say('d;3\n')
  sender.say('')
  // neither of these ends the line of another
  sender.say('e;four ')
  sender.say('f;5')
  await until(() => bodies.length === 6)
  t.same(bodies, ['1', '2', '""', '3', 'four ', '5'])
  t.equal(port.hub.counters.opened, 0)
  t.same(sender.came, [])
})

test('an address is proved by its cookie; then updates return to it, and it is a session', async (t) => {
  const port = await LinePort.open(t)
  const client = await port.datagrams()
  client.say('::hello; sensor-1\n')
  const challenge = await client.next()
  t.match(challenge, /^::hello; [A-Za-z0-9_-]{7}\n$/)
  t.equal(port.hub.counters.opened, 0, 'who only asks is nobody yet')
  const cookie = challenge.trim().slice(9)
  client.say(`::hello; sensor-1 ${cookie}\n::connect;a/*`)
  t.match(await client.next(), /^::hello; hub-\S+\n::connected; a\/\*\n$/)
  t.match([...port.hub.sessions], [{ name: 'sensor-1', kind: 'line', address: '127.0.0.1' }])
  port.hub.publish('a/1', { n: 1 })
  t.equal(await client.next(), 'a/1; {"n":1}\n')
  client.say('a/2;own\nbad//;1')
  t.match(await client.next(), /^a\/2; own\n::error; PATH_INVALID /)
  client.say(`::hello; sensor-1 ${cookie}`)
  t.match(await client.next(), /^::hello; hub-\S+\n$/, 'an answer that was lost is given again')
  t.equal(port.hub.sessions.size, 1)
  client.say('::exit\na/3;x')
  await until(() => port.hub.sessions.size === 0)
  client.say('a/4;x')
  await until(() => port.hub.engine.head === 3)
  t.same(client.came, [], 'after ::exit nothing returns, and nothing behind it was taken')
})

test('a short hello gets the cookie alone, and a name is not needed', async (t) => {
  const port = await LinePort.open(t)
  const longer = await port.datagrams()
  longer.say('::hello; sensor\n')
  t.match(await longer.next(), /^::hello; [A-Za-z0-9_-]{7}$/, 'a line has precedence over its end')
  const client = await port.datagrams()
  client.say('::hello')
  const cookie = await client.next()
  t.match(cookie, /^[A-Za-z0-9_-]{7}$/)
  client.say(`::hello; ${cookie}`)
  t.match(await client.next(), /^::hello; hub-/)
  t.match([...port.hub.sessions], [{ name: undefined }])
})

test('a cookie is good for its own address and for a minute or two', async (t) => {
  const clock = new FakeClock(1_000_000)
  const port = await LinePort.open(t, { hub: { clock } })
  const [mine, other] = [await port.datagrams(), await port.datagrams()]
  const ask = async (client: LineDatagramSocket): Promise<string> => {
    client.say('::hello; a-long-enough-name')
    return (await client.next()).trim().slice(9)
  }
  const cookie = await ask(mine)
  t.not(await ask(other), cookie)
  for (const wrong of [cookie, 'AAAAAAA', `${cookie}A`, cookie.slice(1), 'ÄÄÄ']) {
    other.say(`::hello; a-long-enough-name ${wrong}`)
    t.match(await other.next(), /^::hello; \S{7}\n$/, 'what is wrong is asked for again')
  }
  clock.advance(120_000)
  mine.say(`::hello; a-long-enough-name ${cookie}`)
  const fresh = (await mine.next()).trim().slice(9)
  t.not(fresh, cookie)
  t.equal(port.hub.counters.opened, 0)
  clock.advance(60_000)
  mine.say(`::hello; a-long-enough-name ${fresh}`)
  t.match(await mine.next(), /^::hello; hub-/)
})

test('no datagram of an address that is not proved is answered with more bytes than it has', async (t) => {
  const port = await LinePort.open(t, { dev: false })
  const random = randomNumbers(7)
  const pieces = [
    ...[
      '::hello',
      '::hello; x',
      '::hello; a-long-enough-name',
      '\n',
      '\n\n',
      'a',
      'a;1',
      '::connect;a',
    ],
    ...['::key;wrong', '::key', 'a//b;1', '::exit', '\x16\x03\x01', '\xff', '::bye', '@x/y;1'],
  ]
  const clients: [LineDatagramSocket, number][] = []
  for (let i = 0; i < 120; i++) {
    const client = await port.datagrams()
    let text = ''
    for (let n = Math.floor(random() * 4); n >= 0; n--) {
      text += pieces[Math.floor(random() * pieces.length)]
      if (random() < 0.7) text += '\n'
    }
    const bytes = Buffer.from(text, 'latin1')
    client.say(bytes)
    clients.push([client, bytes.length])
  }
  const last = await port.datagrams()
  last.say('::hello; the last of all')
  await last.next()
  await until(() => clients.filter(([{ came }]) => came.length > 0).length > 30, 'answers to many')
  await new Promise((resolve) => setTimeout(resolve, 20))
  for (const [client, came] of clients) {
    const back = client.came.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    t.ok(back <= came, `${back} of ${came}`)
  }
  t.equal(port.hub.counters.opened, 0)
})

test('a key counts for its own datagram', async (t) => {
  const port = await LinePort.open(t, { dev: false })
  const bodies = port.bodies('**')
  const client = await port.datagrams()
  client.say('a;0\n::key;s3cret\na;1')
  client.say(`a;2${' '.repeat(200)}`)
  t.match(await client.next(), /^::error; NOT_ALLOWED$/, 'as much of it as may return')
  t.match(await client.next(), /^::error; NOT_ALLOWED anyone may not publish a/)
  client.say(`::key;wrong\na;3\n${' '.repeat(200)}`)
  t.match(await client.next(), /^::error; CREDENTIAL_INVALID /)
  client.say('::hello; sensor-one')
  const cookie = (await client.next()).trim().slice(9)
  client.say(`::key;s3cret\n::hello; sensor-one ${cookie}\n::connect;a`)
  t.match(await client.next(), /^::hello; hub-\S+\n::connected; a\n$/)
  t.match([...port.hub.sessions], [{ name: 'sensor-one', principal: { trusted: false } }])
  client.say('a;4\n::connect;b')
  t.match(
    await client.next(),
    /^::error; NOT_ALLOWED .* publish a.*\n::error; NOT_ALLOWED .* subscribe b/,
  )
  client.say('::key;s3cret\na;5')
  t.equal(await client.next(), 'a; 5\n')
  t.same(bodies, ['1', '5'])
})

test('without a session there is nothing to subscribe, but a key connects others', async (t) => {
  const port = await LinePort.open(t, { dev: false })
  const follower = await port.client('::hello\n')
  const id = (await follower.line()).slice(9)
  const client = await port.datagrams()
  client.say(`::connect;a${' '.repeat(200)}`)
  t.match(
    await client.next(),
    /^::error; PATH_CONTROL ::connect needs a session; say ::hello first/,
  )
  client.say(`::key;s3cret\n::connect;${id}->a`)
  t.equal(await follower.line(), '::connected; a')
})

test('an address that is silent for a minute is forgotten, however much is sent to it', async (t) => {
  const clock = new FakeClock(1_000_000)
  const port = await LinePort.open(t, { hub: { clock } })
  const client = await port.datagrams()
  t.match(await client.prove('sensor-one'), /^::hello; hub-/)
  client.say('::connect;a')
  await client.next()
  for (let i = 0; i < 5; i++) {
    clock.advance(50_000)
    client.say('a;still here')
    await client.next()
  }
  t.equal(port.hub.sessions.size, 1)
  for (let i = 0; i < 5; i++) {
    clock.advance(11_900)
    port.hub.publish('a', i)
    await client.next()
  }
  clock.advance(1000)
  t.equal(port.hub.sessions.size, 0)
  port.hub.publish('a', 'late')
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.same(client.came, [])
})

test('only so many addresses are sessions; a flood of strangers pushes none of them out', async (t) => {
  const port = await LinePort.open(t, { line: { addresses: 1 } })
  const bodies = port.bodies('flood')
  const one = await port.datagrams()
  await one.prove('sensor-one')
  const two = await port.datagrams()
  t.match(await two.prove('sensor-two'), /^::error; LIMIT_ADDRESSES/)
  one.say('::connect;a')
  await one.next()
  for (let i = 1; i <= 100; i++) {
    const stranger = await port.datagrams()
    for (let n = 0; n < 10; n++) stranger.say(`flood;${n}`)
    // no more than the kernel keeps for a port: what it drops nobody here has seen
    if (i % 10 === 0) await until(() => bodies.length === i * 10)
  }
  port.hub.publish('a', 1)
  t.equal(await one.next(), 'a; 1\n')
  t.equal(port.hub.sessions.size, 1)
})

test('senders whose keys take long to check are held up to a bound, and push nobody out', async (t) => {
  const waiting: (() => void)[] = []
  const alice: Principal = { id: 'user:alice', trusted: false }
  const portal = new Portal([{ check: (_, done) => waiting.push(() => done(alice)) }])
  const rules = [{ who: 'user:alice', may: ['publish'], path: 'b' }] as const
  const hub = { portal, rules, public: ['a'] }
  const port = await LinePort.open(t, { dev: false, hub, line: { addresses: 1 } })
  const bodies = port.bodies('b')
  const one = await port.datagrams()
  await one.prove('')
  one.say('::connect;a')
  await one.next()
  const strangers: LineDatagramSocket[] = []
  for (let i = 0; i < 256; i++) {
    const stranger = await port.datagrams()
    strangers.push(stranger)
    stranger.say(`::key;slow\nb;${i}`)
    if (i % 64 === 63) await until(() => waiting.length === i + 1)
  }
  const late = await port.datagrams()
  late.say(`::key;slow\nb;late${' '.repeat(100)}`)
  t.match(await late.next(), /^::error; LIMIT_CHECKS /)
  t.equal(waiting.length, 256)
  const [first = late] = strangers
  first.say('b;without the key of another datagram')
  t.match(await first.next(), /^::error; NOT_ALLOWED/, 'which it does not wait for')
  port.hub.update(port.hub.controller, 'a', jsonMessage(1))
  t.equal(await one.next(), 'a; 1\n')
  for (const answer of waiting.splice(0)) answer()
  await until(() => bodies.length === 256)
  late.say('::key;slow\nb;late')
  await until(() => waiting.length === 1)
  waiting[0]?.()
  await until(() => bodies.length === 257)
  t.equal(port.hub.counters.faults.get('LIMIT_CHECKS'), 1)
})

test('updates share datagrams up to what every network carries; one that fits in none is told', async (t) => {
  const port = await LinePort.open(t)
  const client = await port.datagrams()
  await client.prove('sensor-one')
  client.say('::connect;a')
  await client.next()
  const { hub } = port
  const expected: string[] = []
  for (let i = 0; i < 100; i++) {
    hub.publish('a', `${i} ${'x'.repeat(i)}`)
    expected.push(`a; "${i} ${'x'.repeat(i)}"`)
  }
  hub.update(hub.controller, 'a', jsonMessage('y'.repeat(50_000)))
  hub.update(hub.controller, 'a', jsonMessage('z'.repeat(65_507)))
  hub.publish('a', 'last')
  const lines: string[] = []
  const sizes: number[] = []
  while (lines.at(-1) !== 'a; "last"') {
    const datagram = await client.next()
    t.match(datagram, /\n$/, 'whole lines only')
    sizes.push(datagram.length)
    lines.push(...datagram.trimEnd().split('\n'))
  }
  t.same(lines.slice(0, 100), expected)
  t.ok(sizes.length < 20 && sizes.filter((size) => size > 1200).length === 1, String(sizes))
  t.equal(lines[100]?.length, 50_005)
  t.match(lines[101], /^::error; DATAGRAM_TOO_LARGE /)
})

test('a line over the limit or not UTF-8 is told and skipped, the other lines of its datagram count', async (t) => {
  const port = await LinePort.open(t, { line: { length: 100 } })
  const bodies = port.bodies('a')
  const client = await port.datagrams()
  client.say(`a;1\na;${'x'.repeat(99)}\na;2`)
  t.match(await client.next(), /^::error; LINE_TOO_LONG/)
  client.say(
    Buffer.concat([Buffer.from('a;3\n'), Buffer.of(0xc3, 0x0a), Buffer.from('a;4\n'.repeat(20))]),
  )
  t.match(await client.next(), /^::error; LINE_INVALID/)
  client.say(`a;${'x'.repeat(200)}`)
  client.say('a;5')
  await until(() => bodies.at(-1) === '5')
  t.same(bodies, ['1', '2', '3', ...Array(20).fill('4'), '5'])
})

test('a hub that drains says so to those it knows, and a close leaves no timer', async (t) => {
  const clock = new FakeClock(1000)
  const port = new LinePort({ hub: { clock } })
  port.address = (await port.ingress.listen(port.address)) as typeof port.address
  const client = await port.datagrams()
  await client.prove('sensor-one')
  port.hub.drain(0)
  t.equal(await client.next(), '::bye; {"reason":"drain","retryAfter":0}\n')
  const other = await port.datagrams()
  t.match(await other.prove('sensor-two'), /^::error; DRAINING/)
  await port.close()
  t.equal(clock.pending, 0)
})
