/**
 * Whatever bytes come, and however they are cut: a server with `WholeRequests` in front sees the requests that
 * node:http alone sees. A request that only one of two programs sees is how requests are smuggled past a proxy.
 */
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { Wheel } from '@sapwood/core'
import type { HttpRequest } from '@sapwood/http'
import { WholeRequests } from '@sapwood/http'
import { nodeClock } from '@sapwood/net'
import fc from 'fast-check'
import { test } from 'tap'
import { head, nearlyRequest, pieces } from '../wire/nearly-requests.ts'

/** What servers see of a connection: its requests, up to one that ends it. */
class Seen {
  readonly requests: string[] = []
  #isOver = false

  add({ method, url, rawHeaders }: Pick<HttpRequest, 'method' | 'url' | 'rawHeaders'>): void {
    if (this.#isOver) return
    this.requests.push(JSON.stringify([method, url, rawHeaders]))
    // Node reads on behind it, but must not (RFC 9112, 9.6), and nobody is answered
    const i = rawHeaders.findIndex((name, at) => at % 2 === 0 && /^connection$/i.test(name))
    this.#isOver = /\bclose\b/i.test(i < 0 ? '' : (rawHeaders[i + 1] ?? ''))
  }
}

/** By the ports of both ends: one end alone may have the same at both servers. */
const SEEN = new Map<string, Seen>()

function seenOf({ localPort, remotePort }: Socket): Seen {
  const ends = `${remotePort}-${localPort}`
  const seen = SEEN.get(ends) ?? new Seen()
  SEEN.set(ends, seen)
  return seen
}

function makeServer(): Server {
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: 5_000 })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    seenOf(request.socket).add(request)
    request.on('error', () => undefined)
    request.on('end', () => response.end('seen'))
    request.resume()
  })
  server.on('upgrade', (request: IncomingMessage, socket) => {
    seenOf(request.socket).add(request)
    socket.end('upgrade')
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

/** What a server sees of these parts, until it ends the connection or has nothing more to say. */
async function seen(port: number, parts: readonly string[]): Promise<readonly string[]> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const ends = `${socket.localPort}-${port}`
  await new Promise<void>((resolve) => {
    let quiet: NodeJS.Timeout | undefined
    const wait = (): void => {
      clearTimeout(quiet)
      quiet = setTimeout(() => socket.destroy(), QUIET)
    }
    socket.on('data', wait)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(quiet)
      resolve()
    })
    const send = (i: number): void => {
      const part = parts[i]
      if (part === undefined || socket.destroyed) return wait()
      socket.write(part, 'latin1')
      setTimeout(send, PAUSE, i + 1)
    }
    send(0)
  })
  const found = SEEN.get(ends)?.requests ?? []
  SEEN.delete(ends)
  return found
}

/** Milliseconds after which nothing more is expected, and between parts. */
const QUIET = 60
const PAUSE = 3
/** So that most runs end with a word of the server's. */
const LAST = head('GET /last HTTP/1.1', 'Host: a', 'Connection: close')

test('two servers see the same requests in the same bytes', async (t) => {
  const plain = makeServer()
  const fronted = makeServer()
  let whole = 0
  const wheel = new Wheel(nodeClock)
  const front = new WholeRequests(fronted, {
    wheel,
    take: (request, response) => {
      whole++
      seenOf(request.socket).add(request)
      response.writeHead(200, [])
      response.end('seen')
      return true
    },
    upgrade: (request, socket) => {
      seenOf(socket).add(request)
      socket.end('upgrade')
    },
    late: (socket) => socket.destroy(),
  })
  const ports = await Promise.all(
    [plain, fronted].map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
        }),
    ),
  )
  t.teardown(() => {
    front.close()
    wheel.close()
    for (const server of [plain, fronted]) {
      server.closeAllConnections()
      server.close()
    }
  })
  const request = fc.oneof(
    { weight: 4, arbitrary: nearlyRequest.map((text) => (text[0] === 'P' ? `${text}{}` : text)) },
    { weight: 1, arbitrary: pieces },
  )
  const requests = fc.array(request, { minLength: 1, maxLength: 4 })
  const places = fc.array(fc.nat(400), { maxLength: 2 })
  await fc.assert(
    fc.asyncProperty(requests, places, async (all, cut) => {
      const bytes = all.join('') + LAST
      const ends = [...new Set(cut)]
        .filter((at) => at > 0 && at < bytes.length)
        .sort((a, b) => a - b)
      const parts = [0, ...ends].map((start, i) => bytes.slice(start, ends[i] ?? bytes.length))
      const [alone, behind] = await Promise.all(ports.map((port) => seen(port, parts)))
      t.same(behind, alone, JSON.stringify(parts))
    }),
    { numRuns: 800 },
  )
  t.ok(whole > 60, `${whole} came whole`)
})
