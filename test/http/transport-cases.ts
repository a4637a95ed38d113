/**
 * The four transports over real sockets, as the conformance suite wants them: a hub with a clock that stands still, a
 * server on a port of this machine, and clients that can stop reading or be cut off.
 */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { HttpServer } from '@sapwood/http'
import { serveHttp } from '@sapwood/http'
import type { Hub, HubOptions, Session } from '@sapwood/hub'
import { hub as makeHub } from '@sapwood/hub'
import type { ComeBack, MakeTransport, TransportCase, TransportClient } from '@sapwood/testkit'
import { FakeClock } from '@sapwood/testkit'
import type { Frame } from '@sapwood/wire'
import { isFault, parseFrames } from '@sapwood/wire'
import WebSocket from 'ws'

/** Turns of the event loop without any news after which nothing is under way. */
const QUIET_TURNS = 12

/** A client, and a count of everything that happens to it. */
abstract class Client implements TransportClient {
  readonly frames: Frame[] = []
  closed = false
  events = 0
  readonly #hub: Hub
  #session: Session | undefined

  constructor(hub: Hub) {
    this.#hub = hub
  }

  get session(): Session {
    if (this.#session === undefined) throw new Error('no hello has come')
    return this.#session
  }

  get known(): boolean {
    return this.#session !== undefined
  }

  take(text: string): void {
    const frames = parseFrames(text)
    if (isFault(frames)) throw new Error(`${frames.code}: ${frames.detail}: ${text}`)
    this.frames.push(...frames)
    this.events++
    const hello = frames.find(({ path }) => path === '::hello')
    if (hello !== undefined) this.follow(JSON.parse(hello.message.body as string).id)
  }

  /** It is a view of the session of this id. */
  follow(id: string): void {
    if (this.#session?.id !== id) this.#session = this.#hub.controller.get(id) as Session
  }

  over(): void {
    this.closed = true
    this.events++
  }

  abstract pause(): void
  abstract resume(): void
  abstract close(): void
  abstract break(): void
}

class SocketClient extends Client {
  readonly #socket: WebSocket

  constructor(hub: Hub, port: number, comeBack: Partial<ComeBack>) {
    super(hub)
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'sapwood.v1')
    this.#socket.on('message', (data) => this.take(String(data)))
    this.#socket.on('close', () => this.over())
    this.#socket.on('error', () => undefined)
    this.#socket.on('open', () => {
      const { secret: resume, after } = comeBack
      this.#socket.send(JSON.stringify({ path: '::hello', message: { version: 1, resume, after } }))
    })
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#socket.close(1000)
  }

  break(): void {
    this.over()
    this.#socket.removeAllListeners('message')
    this.#socket.terminate()
  }
}

class StreamingClient extends Client {
  readonly #separator: string
  #response: IncomingMessage | undefined
  #paused = false
  #rest = ''

  constructor(hub: Hub, port: number, kind: 'events' | 'stream', comeBack: Partial<ComeBack>) {
    super(hub)
    this.#separator = kind === 'events' ? '\n\n' : '\n'
    const { secret = 'none', after } = comeBack
    const path = `/${kind}/${secret}${after === undefined ? '' : `?after=${after}`}`
    const request = httpRequest({ host: '127.0.0.1', port, path, agent: false })
    request.on('error', () => this.over())
    request.on('response', (response) => {
      this.#response = response
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => this.#read(chunk))
      response.on('close', () => this.over())
      response.on('error', () => undefined)
      if (this.#paused) response.pause()
    })
    request.end()
  }

  pause(): void {
    this.#paused = true
    this.#response?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#response?.resume()
  }

  close(): void {
    this.#response?.destroy()
  }

  break(): void {
    this.over()
    this.#response?.removeAllListeners('data')
    this.#response?.destroy()
  }

  #read(chunk: string): void {
    this.events++
    const pieces = (this.#rest + chunk).split(this.#separator)
    this.#rest = pieces.pop() ?? ''
    for (const piece of pieces) {
      const data = this.#separator === '\n' ? piece : /^data: (.*)$/m.exec(piece)?.[1]
      if (data !== undefined) this.take(data)
    }
  }
}

/** Polls again as soon as it was answered; what comes while it does not read stays unread. */
class PollingClient extends Client {
  readonly #port: number
  reconnectWith: string
  #after: string | undefined
  #request: ReturnType<typeof httpRequest> | undefined
  #paused = false
  #unread: string | undefined

  /** @param number up to which a former poller of this session was answered. */
  constructor(hub: Hub, port: number, { secret, after }: Partial<ComeBack>, number: number) {
    super(hub)
    this.#port = port
    this.reconnectWith = secret === undefined ? '' : `${secret}/${number}`
    // a poll without news is not answered, so nothing would tell
    const session = secret === undefined ? undefined : hub.sessions.find(secret)
    if (session !== undefined) this.follow(session.id)
    this.#after = after
    this.#poll()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    const unread = this.#unread
    this.#unread = undefined
    if (unread !== undefined) this.#answered(unread)
  }

  close(): void {
    this.break()
  }

  break(): void {
    this.over()
    this.#request?.destroy()
  }

  #poll(): void {
    const query = this.#after === undefined ? '' : `?after=${this.#after}`
    this.#after = undefined
    const path = `/poll${this.reconnectWith && '/'}${this.reconnectWith}${query}`
    const request = httpRequest({ host: '127.0.0.1', port: this.#port, path, agent: false })
    this.#request = request
    request.on('error', () => this.over())
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', () => undefined)
      response.on('end', () => {
        this.events++
        if (this.#paused) this.#unread = text
        else this.#answered(text)
      })
    })
    request.end()
  }

  #answered(text: string): void {
    if (this.closed) return
    const { id, updates, reconnectWith } = JSON.parse(text)
    this.follow(id)
    this.reconnectWith = reconnectWith
    // the list as it was written: bodies are verbatim
    const start = text.indexOf('"updates":') + 10
    const end = text.lastIndexOf(',"at":')
    if (updates.length > 0) this.take(text.slice(start, end))
    if (this.frames.some(({ path }) => path === '::bye')) this.over()
    else this.#poll()
  }
}

type Make = (hub: Hub, port: number, comeBack: Partial<ComeBack>, number: number) => Client

const MAKE = {
  ws: (hub, port, comeBack) => new SocketClient(hub, port, comeBack),
  sse: (hub, port, comeBack) => new StreamingClient(hub, port, 'events', comeBack),
  stream: (hub, port, comeBack) => new StreamingClient(hub, port, 'stream', comeBack),
  poll: (hub, port, comeBack, number) => new PollingClient(hub, port, comeBack, number),
} as const satisfies Readonly<Record<string, Make>>

export type TransportKind = keyof typeof MAKE

/** Makes cases whose clients come by the transports that `kind` says, for each connection anew. */
export function transportCases(kind: () => TransportKind): MakeTransport {
  return async (options: HubOptions): Promise<TransportCase> => {
    const clock = new FakeClock(1_000)
    const hub = makeHub({ clock, ...options })
    const forEver = 1e9
    const server: HttpServer = await serveHttp(hub, {
      dev: true,
      port: 0,
      poll: { bundle: 0, hold: forEver, expire: forEver },
    })
    const port = Number(new URL(server.url).port)
    const clients: Client[] = []
    const settle = async (): Promise<void> => {
      let before = -1
      for (let quiet = 0; quiet < QUIET_TURNS; ) {
        await new Promise(setImmediate)
        let now = hub.counters.deliveries + hub.engine.head
        for (const { events } of clients) now += events
        quiet = now === before ? quiet + 1 : 0
        before = now
      }
    }
    return {
      hub,
      settle,
      async connect(comeBack: Partial<ComeBack> = {}) {
        // two that poll for one session would end each other's polls for ever
        const of = comeBack.secret && hub.sessions.find(comeBack.secret)
        let number = 0
        for (const client of clients) {
          if (!(client instanceof PollingClient) || !client.known || client.session !== of) continue
          client.break()
          number = Number(client.reconnectWith.split('/')[1])
        }
        const client = MAKE[kind()](hub, port, comeBack, number)
        clients.push(client)
        const until = performance.now() + 5_000
        while (!client.known) {
          if (client.closed || performance.now() > until) throw new Error('it cannot connect')
          await new Promise(setImmediate)
        }
        return client
      },
      async advance(ms) {
        clock.advance(ms)
        await settle()
      },
      async close() {
        for (const client of clients) client.break()
        await server.close()
        await hub.close()
      },
    }
  }
}
