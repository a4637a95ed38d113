/** A server and clients of the pipe over real TLS, a relay between them that can be cut and frozen, and answers to ask for. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Fault } from '@sapwood/core'
import {
  type AnswerExchange,
  type Answerer,
  Authority,
  type PeerObserver,
  type PipeClient,
  type PipeClientOptions,
  type PipeServer,
  type PipeServerOptions,
  pipeClient,
  pipeServer,
  type RequestListener,
  type TrustOption,
} from '@sapwood/pipe'
import { eventually } from '@sapwood/testkit'
import type { FieldList, RequestHead } from '@sapwood/wire'
import type { Test } from 'tap'
import { temporary } from './openssl.ts'

/** One request as it arrived, to be answered by the test or by `reply`. */
export class Asked implements RequestListener {
  readonly head: RequestHead
  readonly exchange: AnswerExchange
  readonly parts: Buffer[] = []
  ends: boolean
  trailers: FieldList | undefined
  failure: Fault | undefined
  onEnd: () => void = () => undefined

  constructor(head: RequestHead, ends: boolean, exchange: AnswerExchange) {
    this.head = head
    this.ends = ends
    this.exchange = exchange
  }

  get body(): Buffer {
    return Buffer.concat(this.parts)
  }

  reply(value: unknown, code = 0, status = 200): void {
    const body = Buffer.from(JSON.stringify(value))
    const headers = ['content-type', 'application/json']
    this.exchange.respond({ status, headers, code }, false)
    this.exchange.endWith(body)
  }

  data(part: Uint8Array): void {
    this.parts.push(Buffer.from(part))
    this.exchange.took(part.length)
  }

  ended(trailers: FieldList | undefined): void {
    this.ends = true
    this.trailers = trailers
    this.onEnd()
  }

  drained(): void {}

  failed(fault: Fault): void {
    this.failure = fault
  }
}

/** Answers with its name, the method, the target and the body; `/wait` is left to the test. */
export class TestAnswerer implements Answerer {
  readonly name: string
  readonly asked: Asked[] = []

  constructor(name: string) {
    this.name = name
  }

  request(head: RequestHead, ends: boolean, exchange: AnswerExchange): RequestListener {
    const asked = new Asked(head, ends, exchange)
    this.asked.push(asked)
    if (head.target === '/throw') throw new Error('no answer from me')
    if (head.target.startsWith('/wait')) return asked
    const answer = (): void => {
      const { method, target } = head
      asked.reply({ from: this.name, to: exchange.peer, method, target, body: `${asked.body}` })
    }
    asked.onEnd = answer
    if (ends) answer()
    return asked
  }
}

/** Lets bytes through, until it is told otherwise. */
export class Relay {
  readonly server: Server
  port = 0
  /** Where to; 0 refuses. */
  target: number
  connections = 0
  readonly #pairs = new Set<readonly [Socket, Socket]>()

  constructor(target: number) {
    this.target = target
    this.server = createServer((near) => this.#splice(near))
  }

  async listen(): Promise<this> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = (this.server.address() as AddressInfo).port
    return this
  }

  /** Breaks what is open; new connections go through. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy()
      far.destroy()
    }
    this.#pairs.clear()
  }

  /** What is open stays open, and nothing passes any more; new connections go through. */
  freeze(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far)
      far.unpipe(near)
      near.pause()
      far.pause()
    }
  }

  close(): void {
    this.cut()
    this.server.close()
  }

  #splice(near: Socket): void {
    if (this.target === 0) return void near.destroy()
    this.connections++
    const far = connect(this.target, '127.0.0.1')
    this.#pairs.add([near, far])
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
      one.pipe(other)
    }
  }
}

/** What went on, in words. */
export class Log implements PeerObserver {
  readonly said: string[] = []
  readonly faults: Fault[] = []

  connected = (): void => void this.said.push('connected')
  failed = (_server: string, { code }: Fault): void => void this.said.push(`failed ${code}`)
  lost = (_server: string, { code }: Fault): void => void this.said.push(`lost ${code}`)
  added = (name: string): void => void this.said.push(`added ${name}`)
  removed = (name: string): void => void this.said.push(`removed ${name}`)
  started = (peer: string): void => void this.said.push(`started ${peer}`)
  stopped = (peer: string, { code }: Fault): void => void this.said.push(`stopped ${peer} ${code}`)
  resumed = (peer: string): void => void this.said.push(`resumed ${peer}`)
  refused = (_remote: string, { code }: Fault): void => void this.said.push(`refused ${code}`)
  heartbeatMissed = (): void => void this.said.push('missed')
  fault = (fault: Fault): void => void this.faults.push(fault)

  has(what: string): boolean {
    return this.said.includes(what)
  }
}

const FAST = { first: 5, highest: 40, least: 0, stable: 100 }

/** A CA, and who it vouches for. */
export class World {
  readonly t: Test
  readonly dir: string
  readonly authority: Authority

  private constructor(t: Test, dir: string, authority: Authority) {
    this.t = t
    this.dir = dir
    this.authority = authority
  }

  static async make(t: Test, ...names: readonly string[]): Promise<World> {
    const dir = temporary(t)
    const authority = await Authority.init(dir)
    const world = new World(t, dir, authority)
    for (const name of ['server', ...names]) await authority.issue(name)
    return world
  }

  read(file: string): string {
    return readFileSync(join(this.dir, file), 'utf8')
  }

  identity(name: string): { key: string; cert: string; ca: string } {
    return {
      key: this.read(`${name}.key.pem`),
      cert: this.read(`${name}.crt.pem`),
      ca: this.read('ca.crt.pem'),
    }
  }

  async server(options: Partial<PipeServerOptions & TrustOption> = {}): Promise<PipeServer> {
    const answerer = new TestAnswerer('server')
    const server = await pipeServer({ ...this.identity('server'), answerer, ...options })
    this.t.teardown(() => server.close())
    return server
  }

  async client(
    name: string,
    to: number | readonly number[],
    options: Partial<PipeClientOptions & TrustOption> = {},
  ): Promise<PipeClient> {
    const client = await pipeClient({
      ...this.identity(name),
      name,
      server: [to].flat().map((port) => `127.0.0.1:${port}`),
      answerer: new TestAnswerer(name),
      reconnect: FAST,
      ...options,
    })
    this.t.teardown(() => client.close())
    return client
  }

  async relay(server: PipeServer): Promise<Relay> {
    const relay = await new Relay(server.address.port).listen()
    this.t.teardown(() => relay.close())
    return relay
  }
}

export async function connected(client: PipeClient): Promise<void> {
  await eventually('the client is connected', () => client.connected)
}
