/** A real hub on a real port, something in the middle that can refuse and cut, and clients that close with the test. */
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect as dial } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  type Client,
  type ConnectOptions,
  connect,
  type Platform,
  thisPlatform,
} from '@sapwood/client'
import type { HttpOptions, HttpServer } from '@sapwood/http'
import { serveHttp } from '@sapwood/http'
import type { Hub, HubOptions } from '@sapwood/hub'
import { hub as makeHub } from '@sapwood/hub'

interface Teardown {
  teardown(handler: () => unknown): unknown
}

export interface Serving {
  readonly hub: Hub
  readonly server: HttpServer
  readonly url: string
  stop(): Promise<void>
}

/** A hub in `dev`, where anybody on this machine may do anything. */
export async function serve(
  t: Teardown,
  hubOptions: HubOptions = {},
  httpOptions: HttpOptions = {},
): Promise<Serving> {
  const hub = makeHub(hubOptions)
  const server = await serveHttp(hub, { port: 0, dev: true, ...httpOptions })
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= server.close().then(() => hub.close())
    return stopped
  }
  t.teardown(stop)
  return { hub, server, url: server.url, stop }
}

/** A client that is closed with the test. */
export function open(
  t: Teardown,
  url: string,
  options: ConnectOptions = {},
  platform: Partial<Platform> = {},
): Client {
  const client = connect(url, options, { ...thisPlatform(), ...platform })
  client.on('error', () => undefined)
  t.teardown(() => client.close())
  return client
}

/** Waits until something is so. */
export async function until(what: string, isSo: () => unknown, limit = 8_000): Promise<void> {
  const end = performance.now() + limit
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`${what}: not so within ${limit} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export function connected(client: Client): Promise<void> {
  return until('the client is connected', () => client.state === 'connected')
}

/** A platform on which `factor` seconds pass in one. */
export function faster(factor: number): Partial<Platform> {
  const { clock } = thisPlatform()
  return {
    clock: {
      now: () => clock.now() * factor,
      after: (ms, run) => clock.after(ms / factor, run),
    },
  }
}

/** Stands between client and hub, as whatever stands there in the world does. */
export class Middle {
  /** Requests whose path begins so are refused. */
  readonly refused = new Set<string>()
  /** What the hub says does not arrive. */
  deaf = false
  /** Paths of the requests that came, without their secrets. */
  readonly requests: string[] = []
  target: string
  url = ''
  readonly #sockets = new Set<Duplex>()
  readonly #server = createServer()

  constructor(target: string) {
    this.target = target
    this.#server.on('connection', (socket: Socket) => this.#keep(socket))
    this.#server.on('request', (incoming, response) => {
      if (this.#refuses(incoming)) {
        response.writeHead(502).end()
        return
      }
      const outgoing = request(
        this.target + incoming.url,
        { method: incoming.method ?? 'GET', headers: incoming.headers, agent: false },
        (answer) => {
          if (this.deaf) return
          response.writeHead(answer.statusCode ?? 502, answer.headers)
          response.flushHeaders()
          answer.on('data', (chunk) => this.deaf || response.write(chunk))
          answer.on('end', () => this.deaf || response.end())
          answer.on('error', () => response.destroy())
          answer.on('aborted', () => response.destroy())
        },
      )
      outgoing.on('error', () => response.destroy())
      outgoing.on('socket', (socket) => this.#keep(socket))
      response.on('close', () => outgoing.destroy())
      incoming.pipe(outgoing)
    })
    this.#server.on('upgrade', (incoming, socket, head) => {
      if (this.#refuses(incoming)) {
        socket.destroy()
        return
      }
      const { hostname, port } = new URL(this.target)
      const upward = dial(Number(port), hostname, () => {
        const headers = incoming.rawHeaders
        let text = `GET ${incoming.url} HTTP/1.1\r\n`
        for (let at = 0; at < headers.length; at += 2)
          text += `${headers[at]}: ${headers[at + 1]}\r\n`
        upward.write(`${text}\r\n`)
        upward.write(head)
        socket.pipe(upward)
      })
      this.#keep(upward)
      upward.on('data', (chunk) => this.deaf || socket.write(chunk))
      upward.on('close', () => socket.destroy())
      upward.on('error', () => socket.destroy())
      socket.on('error', () => upward.destroy())
      socket.on('close', () => upward.destroy())
    })
  }

  static async to(t: Teardown, target: string): Promise<Middle> {
    const proxy = new Middle(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    proxy.url = `http://127.0.0.1:${(proxy.#server.address() as AddressInfo).port}`
    t.teardown(() => {
      proxy.#server.close()
      proxy.cut()
    })
    return proxy
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #refuses({ url = '' }: IncomingMessage): boolean {
    const [, first = ''] = url.split(/[/?]/)
    this.requests.push(first)
    return this.refused.has(first)
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => undefined)
  }
}
