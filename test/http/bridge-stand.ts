/** What a bridge joins: targets that can be dialled, and a page’s WebSocket on a hub that dials them. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { HttpOptions } from '@sapwood/http'
import type { HubOptions } from '@sapwood/hub'
import type { Test } from 'tap'
import WebSocket from 'ws'
import type { Stand } from './support.ts'
import { eventually, serve } from './support.ts'

/** What can be dialled: the sockets that came, and what each of them does. */
export class Target {
  readonly sockets: Socket[] = []
  /** How many of them a test has seen. */
  passed = 0
  readonly #server
  port = 0

  private constructor(onSocket: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket)
      socket.on('error', () => undefined)
      onSocket(socket)
    })
  }

  static async listen(t: Test, onSocket: (socket: Socket) => void = () => undefined) {
    const target = new Target(onSocket)
    target.#server.listen(0, '127.0.0.1')
    await once(target.#server, 'listening')
    target.port = (target.#server.address() as AddressInfo).port
    t.teardown(() => {
      for (const socket of target.sockets) socket.destroy()
      target.#server.close()
    })
    return target
  }

  get name(): string {
    return `127.0.0.1:${this.port}`
  }

  async socket(index = 0): Promise<Socket> {
    await eventually(() => this.sockets.length > index, 'the target is dialled')
    return this.sockets[index] as Socket
  }
}

export const echo = (socket: Socket): void => {
  socket.pipe(socket)
}

/** A page's WebSocket: what came over it, and its end. */
export class Page {
  readonly socket: WebSocket
  readonly kinds = new Set<string>()
  received = 0
  /** All that came, while it is kept. */
  text = ''
  end: { readonly code: number; readonly reason: string } | undefined
  status: number | undefined
  readonly #hash = createHash('sha256')

  constructor(stand: Stand, path: string, options: WebSocket.ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${stand.port}/tcp/${path}`, options)
    this.socket.on('message', (data: Buffer, isBinary) => {
      this.kinds.add(isBinary ? 'binary' : 'text')
      this.received += data.length
      this.#hash.update(data)
      if (this.received < 100_000) this.text += data
    })
    this.socket.on('unexpected-response', (_request, response) => {
      this.status = response.statusCode ?? 0
      response.resume()
    })
    this.socket.on('close', (code, reason) => {
      this.end = { code, reason: String(reason) }
    })
    this.socket.on('error', () => undefined)
  }

  get digest(): string {
    return this.#hash.copy().digest('hex')
  }

  get isOpen(): boolean {
    return this.socket.readyState !== WebSocket.CLOSED
  }

  async opened(): Promise<this> {
    await eventually(() => this.socket.readyState !== WebSocket.CONNECTING, 'it is open')
    return this
  }

  async got(text: string): Promise<void> {
    await eventually(() => this.text.includes(text), text)
  }

  async closed(): Promise<[code: number, reason: string]> {
    await eventually(() => this.end !== undefined, 'the close')
    const { code, reason } = this.end as { code: number; reason: string }
    return [code, reason]
  }
}

export interface Options {
  readonly hub?: HubOptions
  readonly http?: HttpOptions
  readonly who?: string
}

/** A hub on which anybody may have `target` dialled. */
export function bridged(t: Test, target: Target, options: Options = {}): Promise<Stand> {
  const { who = 'anyone', http, hub } = options
  const bridge = { allow: [{ to: target.name, who }], ...http?.bridge }
  return serve(t, { ...(hub && { hub }), http: { ...http, bridge } })
}

export const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`

/** A frame as a browser sends it; its mask is zeros, which leaves the payload as it is. */
export function frame(
  first: number,
  payload: string | Uint8Array,
  length = payload.length,
): Buffer {
  const head =
    length < 126
      ? [first, 0x80 | length]
      : length < 65_536
        ? [first, 0xfe, length >> 8, length & 255]
        : [
            first,
            0xff,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 255,
            (length >> 8) & 255,
            length & 255,
          ]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.from(payload)])
}

export const BINARY = 0x82
export const PING = 0x89
