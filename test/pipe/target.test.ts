/** A local HTTP server that answers through a pipe (`--target`): what reaches it, and what comes back. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { targetAnswerer } from '@sapwood/pipe'
import { test } from 'tap'
import { pattern } from '../wire/pipe-pair.ts'
import { ExchangePair } from './exchange-pair.ts'
import { echoHead, opened, seen, stand, still, unixStand } from './target-stand.ts'

test('the tail is the request line, as it came; the body and what it is travel', async (t) => {
  const { pair } = await stand(t, echoHead)
  const tails = [
    '/',
    '/a//b%2Fc/%20?x=1&&y#',
    '/?',
    '/ä'.replace('ä', '%e4'),
    '/*;x=1/',
    '/a?wait=5s',
  ]
  for (const target of tails) {
    const asked = await pair.ask({ target }).end()
    t.same([asked.json.method, asked.json.url, asked.code], ['GET', target, 0])
  }
  for (const method of ['PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS', 'PROPFIND']) {
    const asked = await pair
      .ask({ target: '/x', method, headers: ['x-a', '1', 'x-a', '2'] }, 'body')
      .end()
    t.same([asked.json.method, asked.json.text], [method, 'body'])
    t.same(seen(asked)['x-a'], ['1', '2'])
    t.same(seen(asked)['transfer-encoding'], ['chunked'])
    const said = await pair
      .ask({ target: '/x', method, headers: ['content-length', '4'] }, 'body')
      .end()
    t.same([said.json.text, seen(said)['content-length']], ['body', ['4']])
  }
  const none = await pair.ask({ target: '/x', method: 'POST' }, undefined).end()
  t.same([none.json.text, seen(none)['content-length']], ['', ['0']])
  const head = await pair.ask({ target: '/x', method: 'HEAD' }).end()
  t.same([head.head?.status, head.size, head.header('content-type')], [200, 0, 'application/json'])
  for (const target of ['/a/..', '/%2E%2e/a', 'http://127.0.0.1/x', '*', '/a b', '/a\r\nX: y']) {
    const asked = await pair.ask({ target }).end()
    t.equal(asked.head?.status, 400, target)
  }
  const tunnel = await pair.ask({ target: '/x', method: 'CONNECT' }).end()
  t.same([tunnel.head?.status, tunnel.json.code], [405, 'METHOD_NOT_ALLOWED'])
})

test('headers of a connection stay behind, those about the caller are what the front found out', async (t) => {
  const { pair, port } = await stand(t, echoHead)
  const headers = [
    ...['host', 'fileserver', 'connection', 'close, x-named, content-length', 'x-named', 'a'],
    ...[
      'keep-alive',
      'timeout=9',
      'te',
      'gzip',
      'proxy-authorization',
      'x',
      'expect',
      '100-continue',
    ],
    ...['x-forwarded-for', '10.1.2.3', 'x-forwarded-evil', 'x', 'forwarded', 'for=x'],
    ...[
      'sapwood-peer',
      'admin',
      'sapwood-hops',
      '0',
      'x-kept',
      'b',
      'trailer',
      'x-t',
      'proxy-connection',
      'close',
    ],
  ]
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const asked = await pair.ask({ target: '/x', headers, trace }).end()
  t.same(seen(asked), {
    host: [`127.0.0.1:${port}`],
    connection: ['keep-alive'],
    'x-kept': ['b'],
    'x-forwarded-for': ['10.1.2.3'],
    'x-forwarded-host': ['fileserver'],
    'sapwood-peer': ['alpha'],
    'sapwood-hops': ['1'],
    traceparent: [trace],
  })
})

test('lengths that two servers could read differently are refused, and no byte of them arrives', async (t) => {
  let requests = 0
  const { pair, sockets } = await stand(t, (request, response) => {
    requests++
    echoHead(request, response)
  })
  for (const headers of [
    ['content-length', '4', 'transfer-encoding', 'chunked'],
    ['content-length', '4', 'content-length', '5'],
    ['content-length', '4', 'content-length', '4'],
    ['content-length', '-1'],
    ['content-length', '0x4'],
    ['content-length', '4, 4'],
  ]) {
    const asked = await pair.ask({ target: '/x', headers }, 'body').end()
    t.same([asked.head?.status, asked.json.code], [400, 'LENGTH_AMBIGUOUS'], headers.join(' '))
  }
  const coded = await pair
    .ask({ target: '/x', headers: ['transfer-encoding', 'gzip'] }, 'body')
    .end()
  t.same([coded.json.text, seen(coded)['transfer-encoding']], ['body', ['chunked']])
  t.equal(requests, 1)
  const smuggled = 'GET /secret HTTP/1.1\r\nHost: x\r\n\r\n'
  for (const [length, body] of [
    ['0', smuggled],
    ['3', `abc${smuggled}`],
    ['9999', 'short'],
  ] as const) {
    const asked = await pair.ask({ target: '/x', headers: ['content-length', length] }, body).end()
    t.same([asked.head?.status, asked.json.code], [400, 'BODY_INVALID'], length)
  }
  const ends = await pair
    .ask({ target: '/x', method: 'PUT', headers: ['content-length', '5'] })
    .end()
  t.equal(ends.json.code, 'BODY_INVALID')
  for (const headers of [
    ['x-a', 'b\r\nx-c: d'],
    ['x a', 'b'],
    ['', 'b'],
  ]) {
    const asked = await pair.ask({ target: '/x', headers }).end()
    t.same([asked.head?.status, asked.json.code], [400, 'HEAD_INVALID'])
  }
  await still(() => sockets.size)
  const fine = await pair.ask({ target: '/fine' }).end()
  t.equal(fine.json.url, '/fine', 'nothing of it is taken for another request')
})

test('answers come as they are: status, headers, interim heads, trailers', async (t) => {
  const { pair } = await stand(t, (request, response) => {
    if (request.url === '/early') response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.writeHead(request.url === '/none' ? 304 : 418, [
      ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Event-Return-Code', '9'],
      ...['Connection', 'x-private', 'X-Private', 'p', 'Keep-Alive', 'timeout=3'],
      ...(request.url === '/none' ? [] : ['Transfer-Encoding', 'chunked']),
    ])
    if (request.url !== '/none') {
      response.write('tea')
      response.addTrailers({ 'X-Sum': '5', 'Set-Cookie': 'c=3' })
    }
    response.end()
  })
  const asked = await pair.ask({ target: '/early' }).end()
  t.same([asked.head?.status, asked.code, asked.text], [418, 0, 'tea'])
  const { headers = [] } = asked.head ?? {}
  t.same(headers.slice(0, 6), [
    'set-cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'x-event-return-code',
    '9',
  ])
  for (const name of ['connection', 'x-private', 'keep-alive', 'transfer-encoding']) {
    t.notOk(headers.includes(name), name)
  }
  t.same(asked.trailers, ['x-sum', '5'])
  t.same(
    asked.interim.map(({ status, headers: hints }) => [status, hints]),
    [[103, ['link', '</a.css>; rel=preload']]],
  )
  const none = await pair.ask({ target: '/none' }).end()
  t.same([none.head?.status, none.size], [304, 0])
})

test('what is not ASCII in a head reaches the target byte by byte, whenever the body comes', async (t) => {
  const { pair } = await stand(t, echoHead)
  const head = { target: '/x', headers: ['x-name', 'caf\xe9', 'x-text', 'caf\xc3\xa9'] }
  const later = opened(pair, head)
  await new Promise((resolve) => setTimeout(resolve, 30))
  later.exchange.endWith(Buffer.from('body'))
  for (const asked of [later, pair.ask({ ...head, method: 'POST' }, 'body'), pair.ask(head)]) {
    await asked.end()
    t.same([seen(asked)['x-name'], seen(asked)['x-text']], [['caf\xe9'], ['caf\xc3\xa9']])
  }
})

test('a head of a target is as long as the pipe can carry, and no longer', async (t) => {
  const { pair } = await stand(t, (request, response) => {
    response.writeHead(200, { 'x-long': 'a'.repeat(Number(request.url?.slice(1))) })
    response.end('done')
  })
  for (const length of [20_000, 60_000]) {
    const asked = await pair.ask({ target: `/${length}` }).end()
    t.same([asked.head?.status, asked.header('x-long')?.length, asked.text], [200, length, 'done'])
  }
  const asked = await pair.ask({ target: '/70000' }).end()
  t.same([asked.head?.status, asked.json.code], [502, 'TARGET_UNREACHABLE'])
})

test('trailers of a request reach the target', async (t) => {
  const { pair } = await stand(t, echoHead)
  const asked = opened(pair, { target: '/x' })
  asked.exchange.write(Buffer.from('body'))
  asked.exchange.end(['x-sum', '5', 'content-length', '3', 'bad name', 'x'])
  await asked.end()
  t.equal(asked.json.text, 'body')
  const plain = opened(pair, { target: '/x' })
  plain.exchange.write(Buffer.from('body'))
  plain.exchange.end(['x-sum', '5', 'content-length', '3'])
  await plain.end()
  t.same(plain.json.rawTrailers, ['x-sum', '5'])
})

test('both bodies stream at once, and no faster than they are read', async (t) => {
  let held: IncomingMessage | undefined
  let written = 0
  const { pair } = await stand(
    t,
    (request, response) => {
      if (request.url === '/echo') return void request.pipe(response)
      if (request.url === '/held') {
        held = request
        return void request.on('end', () => response.end('whole'))
      }
      const more = (): void => {
        while (written < 20_000_000) {
          written += 50_000
          if (!response.write(pattern(50_000))) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    },
    { window: 65_536 },
  )
  const echo = opened(pair, { target: '/echo' })
  for (let i = 0; i < 5; i++) {
    echo.exchange.write(Buffer.from(`${i}`))
    await echo.until(() => echo.size === i + 1)
  }
  echo.exchange.end()
  t.equal((await echo.end()).text, '01234')
  const up = pair.ask({ target: '/held' }, pattern(20_000_000))
  await up.until(() => held !== undefined)
  const gone = await still(() => pair.up)
  t.ok(gone < 15_000_000, `${gone} bytes left for a target that reads nothing`)
  const hash = createHash('sha256')
  held?.on('data', (chunk: Buffer) => hash.update(chunk))
  t.equal((await up.end()).text, 'whole')
  t.equal(hash.digest('hex'), createHash('sha256').update(pattern(20_000_000)).digest('hex'))
  const down = pair.ask({ target: '/down' })
  down.takes = false
  await down.until(() => down.size > 0)
  await still(() => down.size)
  t.ok(down.size <= 65_536 && written < 15_000_000, `${written} bytes written for who takes none`)
  down.takes = true
  down.exchange.took(down.size)
  await down.end()
  t.equal(down.size, 20_000_000)
})

test('server-sent events come one by one; who leaves closes the socket of the target', async (t) => {
  let stream: ServerResponse | undefined
  const { pair, sockets } = await stand(t, (_request, response) => {
    stream = response
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.flushHeaders()
  })
  const asked = pair.ask({ target: '/events' })
  await asked.until(() => asked.head !== undefined)
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    const { size } = asked
    stream?.write(event)
    await asked.until(() => asked.size === size + event.length)
  }
  t.equal(sockets.size, 1)
  asked.exchange.cancel({ code: 'CANCELLED', detail: 'enough' })
  await asked.until(() => sockets.size === 0)
  const waiting = pair.ask({ target: '/events' })
  await waiting.until(() => sockets.size === 1)
  pair.far.session.close({ code: 'PIPE_CLOSED', detail: 'over' })
  await asked.until(() => sockets.size === 0)
  t.equal(pair.far.session.streams, 0)
})

test('a kept connection of a Unix socket that the target has closed is no fault of the target', async (t) => {
  const sockets = new Set<Socket>()
  const { target, server } = await unixStand(t, (_request, response) => response.end('done'))
  server.on('connection', (socket: Socket) => sockets.add(socket))
  // closed just when it is taken: whoever writes to it is told before anybody could read its end
  const pair = new ExchangePair({
    request: (...asked) => {
      for (const socket of sockets) socket.destroy()
      return target.request(...asked)
    },
  })
  t.equal((await pair.ask({ target: '/x' }).end()).text, 'done')
  // by now it is kept, and idle
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal((await pair.ask({ target: '/x' }).end()).text, 'done')
  t.equal(sockets.size, 2, 'asked on another connection')
})

test('rules hold for a target too, and only for what it cannot read otherwise', async (t) => {
  const urls: string[] = []
  const { pair } = await stand(
    t,
    (request, response) => {
      urls.push(request.url ?? '')
      request.resume()
      request.on('end', () => response.end('done'))
    },
    { allow: [{ path: 'public/**', body: 10 }] },
  )
  for (const target of ['/public', '/public/a', '/public/a?b//c', '/public/%61']) {
    t.equal((await pair.ask({ target }).end()).code, 0, target)
  }
  const reached = urls.length
  const others = [
    '/',
    '/secret',
    '/public//secret',
    '/public/',
    '/public/a%2f..',
    '/PUBLIC/a',
    '/public%2fa',
  ]
  for (const target of others) {
    const asked = await pair.ask({ target }).end()
    t.same([asked.head?.status, asked.code], [403, 249], target)
  }
  t.equal(urls.length, reached)
  t.equal((await pair.ask({ target: '/public/a' }, 'x'.repeat(10)).end()).text, 'done')
  const large = await pair.ask({ target: '/public/a' }, 'x'.repeat(11)).end()
  t.same([large.head?.status, large.json.code], [413, 'BODY_TOO_LARGE'])
  const said = await pair
    .ask({ target: '/public/a', method: 'PUT', headers: ['content-length', '11'] })
    .end()
  t.same([said.head?.status, said.json.code], [413, 'BODY_TOO_LARGE'])
})

test('handlers come before the target, the built-ins are off beside it', async (t) => {
  const handlers = { get_mine: () => 'handler' }
  const { pair } = await stand(t, (_request, response) => response.end('target'), { handlers })
  t.equal((await pair.ask({ target: '/mine' }).end()).text, '"handler"')
  t.equal((await pair.ask({ target: '/time' }).end()).text, 'target')
  t.equal((await pair.ask({ target: '/mine', method: 'PUT' }, '').end()).text, 'target')
})

test('a target may be a Unix socket; what is no place is refused at once', async (t) => {
  const { target, wheel } = await unixStand(t, echoHead)
  const asked = await new ExchangePair(target).ask({ target: '/x' }).end()
  t.same([asked.json.url, seen(asked).host], ['/x', ['localhost']])
  const wrong = [
    '',
    'x',
    'unix:',
    'https://x',
    'ftp://x',
    'http://x/path',
    'http://x?y',
    'http://u:p@x',
    '127.0.0.1:80',
  ]
  for (const url of wrong) {
    t.throws(() => targetAnswerer(url, { wheel }), { code: 'TARGET_URL_INVALID' }, url)
  }
})
