/**
 * A hub on a real port of this machine, and clients for it that are not ours: node:http for requests, plain sockets
 * where bytes matter, `ws` for WebSockets. Everything ends with the test, and every wait has a limit.
 */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { connect as netConnect } from 'node:net'
import type { HttpOptions, HttpServer } from '@sapwood/http'
import { serveHttp } from '@sapwood/http'
import type { Hub, HubOptions } from '@sapwood/hub'
import { hub as makeHub } from '@sapwood/hub'
import WebSocket from 'ws'

/** What a test must be able to do for cleaning up. */
interface Teardown {
  teardown(run: () => unknown): unknown
}

export interface Stand {
  readonly hub: Hub
  readonly server: HttpServer
  readonly url: string
  readonly port: number
}

/** Longest wait for something that should happen at once, in milliseconds. */
const PATIENCE = 5_000

/** A hub in `dev`, unless `http` says otherwise. */
export async function serve(
  t: Teardown,
  options: { readonly hub?: HubOptions; readonly http?: HttpOptions } = {},
): Promise<Stand> {
  const hub = makeHub(options.hub)
  const server = await serveHttp(hub, { dev: true, port: 0, ...options.http })
  t.teardown(async () => {
    await server.close()
    await hub.close()
  })
  return { hub, server, url: server.url, port: Number(new URL(server.url).port) }
}

/** Where a server is. */
export type Reached = Pick<Stand, 'port'>

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
  /** The body as JSON. Throws where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents whose form they check by doing so
  readonly json: any
}

export interface Ask {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Uint8Array
}

/** One request on a connection of its own. `target` travels as it is. */
export async function call(stand: Reached, target: string, ask: Ask = {}): Promise<Answer> {
  const response = await open(stand, target, ask)
  return read(response)
}

/** The same, up to the head of the answer. */
export async function open(
  stand: Reached,
  target: string,
  ask: Ask = {},
): Promise<IncomingMessage> {
  const { method = ask.body === undefined ? 'GET' : 'POST', headers = {}, body } = ask
  return within(
    new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port: stand.port, path: target, method, headers, agent: false },
        resolve,
      )
      request.on('error', reject)
      request.end(body)
    }),
    `${method} ${target}`,
  )
}

export async function read(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  const bytes = await within(
    new Promise<Buffer>((resolve, reject) => {
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(Buffer.concat(chunks)))
      response.on('error', reject)
    }),
    'the body of an answer',
  )
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes,
    text: bytes.toString('utf8'),
    get json() {
      return JSON.parse(bytes.toString('utf8'))
    },
  }
}

/** Publishes a JSON value as a back end does; its receipt. */
export async function publish(
  stand: Stand,
  path: string,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): Promise<{ id: string; at: string; matched: number; duplicate?: boolean }> {
  const body = JSON.stringify(value)
  const answer = await call(stand, `/update/${path}`, {
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`)
  return answer.json
}

/** Subscribes a client as a back end does (DB-22). */
export async function grant(stand: Stand, id: string, ...patterns: string[]): Promise<Answer> {
  return call(stand, `/connect/${id}`, { body: JSON.stringify(patterns) })
}

/** One frame as it came in. */
export interface Got {
  readonly path: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into messages whose form they check by doing so
  readonly message: any
  readonly at?: string
  readonly [field: string]: unknown
}

/** Things that come in one after the other, and waits for them. */
export class Inflow<T> {
  readonly all: T[] = []
  #wake: (() => void)[] = []
  #over = false

  add(...items: readonly T[]): void {
    this.all.push(...items)
    this.#call()
  }

  /** Nothing comes any more. */
  end(): void {
    this.#over = true
    this.#call()
  }

  get over(): boolean {
    return this.#over
  }

  /** The first item that fits, of those before too. */
  async find(fits: (item: T) => boolean, what = 'an item'): Promise<T> {
    const found = (): T | undefined => this.all.find(fits)
    await this.#until(() => found() !== undefined, what)
    return found() as T
  }

  /** Waits until so many have come. */
  async count(count: number, fits: (item: T) => boolean = () => true): Promise<readonly T[]> {
    await this.#until(() => this.all.filter(fits).length >= count, `${count} items`)
    return this.all.filter(fits)
  }

  async ended(): Promise<void> {
    await this.#until(() => this.#over, 'the end')
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    const until = performance.now() + PATIENCE
    while (!done()) {
      const left = until - performance.now()
      if (this.#over || left <= 0) {
        const seen = JSON.stringify(this.all.slice(-20)).slice(0, 2_000)
        throw new Error(
          `${what} never came; ${this.#over ? 'it is over' : 'waited'}, seen: ${seen}`,
        )
      }
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve)
        timer = setTimeout(resolve, left)
      })
      clearTimeout(timer)
    }
  }

  #call(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** A WebSocket of the package `ws`. */
export class WsClient {
  readonly frames = new Inflow<Got>()
  readonly socket: WebSocket
  code: number | undefined
  reason = ''

  constructor(
    stand: Stand,
    { query = '', ...options }: WebSocket.ClientOptions & { readonly query?: string } = {},
  ) {
    const url = `ws://127.0.0.1:${stand.port}/ws${query}`
    this.socket = new WebSocket(url, 'sapwood.v1', options)
    this.socket.on('message', (data, binary) => {
      if (binary) throw new Error('the hub sends text only')
      const value = JSON.parse(String(data)) as Got | Got[]
      this.frames.add(...(Array.isArray(value) ? value : [value]))
    })
    this.socket.on('close', (code, reason) => {
      this.code = code
      this.reason = String(reason)
      this.frames.end()
    })
    this.socket.on('error', () => undefined)
  }

  async opened(): Promise<this> {
    await within(
      new Promise<void>((resolve, reject) => {
        if (this.socket.readyState === WebSocket.OPEN) return resolve()
        this.socket.once('open', () => resolve())
        this.socket.once('close', (code) => reject(new Error(`closed with ${code}`)))
      }),
      'the handshake',
    )
    return this
  }

  send(...frames: readonly object[]): void {
    for (const frame of frames) this.socket.send(JSON.stringify(frame))
  }

  path(path: string): Promise<Got> {
    return this.frames.find((frame) => frame.path === path, path)
  }

  /** Says hello; the hub's. */
  async hello(said: object = {}): Promise<Got> {
    await this.opened()
    this.send({ path: '::hello', message: { version: 1, ...said } })
    return this.path('::hello')
  }

  /** Subscribes, and waits for the confirmation. */
  async subscribe(...patterns: readonly string[]): Promise<void> {
    this.send({ path: '::connect', message: patterns })
    for (const pattern of patterns) {
      await this.frames.find(
        ({ path, message }) => path === '::connected' && message.pattern === pattern,
        `::connected ${pattern}`,
      )
    }
  }

  /** Resolves when the hub has taken everything that was sent before. */
  async sync(): Promise<void> {
    const reply = `sync-${this.frames.all.length}-${Math.random()}`
    this.send({ path: '::unheard-of', reply })
    await this.frames.find((frame) => frame.message?.reply === reply, 'the echo of a mistake')
  }
}

/** An event as an EventSource gives it, and the id that stood in it. */
export interface StreamEvent {
  readonly type: string
  readonly data: string
  readonly id: string | undefined
  readonly lastId: string
}

/** A response that goes on: SSE or NDJSON. */
export class StreamClient {
  readonly response: IncomingMessage
  readonly frames = new Inflow<Got>()
  readonly events = new Inflow<StreamEvent>()
  text = ''

  private constructor(response: IncomingMessage, kind: 'sse' | 'stream') {
    this.response = response
    let rest = ''
    let lastId = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      this.text += chunk
      const pieces = (rest + chunk).split(kind === 'sse' ? '\n\n' : '\n')
      rest = pieces.pop() ?? ''
      if (kind === 'stream') return this.frames.add(...pieces.map((line) => JSON.parse(line)))
      for (const piece of pieces) {
        const fields = new Map(
          piece.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]),
        )
        lastId = fields.get('id') ?? lastId
        const data = fields.get('data')
        if (data === undefined) continue
        this.events.add({
          type: fields.get('event') ?? 'message',
          data,
          id: fields.get('id'),
          lastId,
        })
        this.frames.add(JSON.parse(data) as Got)
      }
    })
    const over = (): void => {
      this.frames.end()
      this.events.end()
    }
    response.on('end', over)
    response.on('close', over)
    response.on('error', over)
  }

  static async open(
    stand: Stand,
    target: string,
    headers: OutgoingHttpHeaders = {},
  ): Promise<StreamClient> {
    const response = await open(stand, target, { headers })
    if (response.statusCode !== 200) {
      const { status, text } = await read(response)
      throw new Error(`${status}: ${text}`)
    }
    return new StreamClient(response, target.startsWith('/stream') ? 'stream' : 'sse')
  }

  path(path: string): Promise<Got> {
    return this.frames.find((frame) => frame.path === path, path)
  }

  close(): void {
    this.response.destroy()
  }
}

/** A plain socket. */
export class Raw {
  readonly socket: Socket
  text = ''
  readonly #bytes = new Inflow<string>()

  constructor(stand: Reached) {
    this.socket = netConnect({ port: stand.port, host: '127.0.0.1', noDelay: true })
    this.socket.setEncoding('latin1')
    this.socket.on('data', (chunk: string) => {
      this.text += chunk
      this.#bytes.add(chunk)
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => this.#bytes.end())
  }

  write(data: string | Uint8Array): this {
    this.socket.write(data)
    return this
  }

  /** Waits for a text among what has come. */
  async got(text: string): Promise<void> {
    await this.#bytes.find(() => this.text.includes(text), text)
  }

  /** Waits for the end; all that came. */
  async ended(): Promise<string> {
    await this.#bytes.ended()
    return this.text
  }
}

/** Only so long. */
export async function within<T>(promise: Promise<T>, what: string, ms = PATIENCE): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** Looks again and again until it holds. */
export async function eventually(holds: () => boolean, what: string): Promise<void> {
  const until = performance.now() + PATIENCE
  while (!holds()) {
    if (performance.now() > until) throw new Error(`${what}: never`)
    await pause(5)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
