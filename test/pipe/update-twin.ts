/**
 * Updates over the pipe in memory: a hub, and sessions of the pipe between it and its clients, whose links are cut wherever a
 * test wants it. Bytes arrive a turn of the event loop later, and what is under way when a link is cut is lost.
 */
import type { Fault, Principal } from '@sapwood/core'
import { Wheel } from '@sapwood/core'
import type { Hub, HubOptions, Session } from '@sapwood/hub'
import { hub as makeHub } from '@sapwood/hub'
import type { UpdatedPeer } from '@sapwood/pipe'
import { UpdateSessions } from '@sapwood/pipe'
import { PeerUpdates } from '@sapwood/pipe/updates'
import type { ComeBack, MakeTransport, TransportCase, TransportClient } from '@sapwood/testkit'
import { FakeClock, randomNumbers } from '@sapwood/testkit'
import type { Frame, PipeEvents } from '@sapwood/wire'
import { isFault, PipeLink, PipeSession, parseFrames } from '@sapwood/wire'
import { updateHost } from 'sapwood'

const ROOM = 131_072
const GONE: Fault = { code: 'SESSION_EXPIRED', detail: 'the test has ended it' }

/** Who hears of the updates of one end. */
interface Taker {
  updated(peer: UpdatedPeer, update: Uint8Array): void
  writable(peer: UpdatedPeer): void
  attached?(peer: UpdatedPeer): void
  ended?(peer: UpdatedPeer, fault: Fault): void
}

/** One end of a session of the pipe. */
class End implements PipeEvents, UpdatedPeer {
  readonly session: PipeSession
  readonly remote = { host: '192.0.2.7', port: 1 }
  principal: Principal
  linked = false
  readonly #taker: Taker
  readonly #wake: () => void

  constructor(side: 'dialler' | 'listener', name: string, taker: Taker, wake: () => void) {
    const id = new Uint8Array(16).fill(1)
    const secret = new Uint8Array(32).fill(2)
    this.session = new PipeSession({ side, id, secret, instance: side }, this)
    this.principal = { id: `cert:${name}`, trusted: false }
    this.#taker = taker
    this.#wake = wake
  }

  output(): void {
    this.#wake()
  }
  live(): void {
    this.linked = true
    this.#taker.attached?.(this)
    this.#wake()
  }
  writable(): void {
    this.#taker.writable(this)
  }
  update(bytes: Uint8Array): void {
    this.#taker.updated(this, bytes)
  }
  closed(fault: Fault): void {
    this.linked = false
    this.#taker.ended?.(this, fault)
  }
  goaway(): void {}
  fault(): void {}
  refused(): void {}
  request(): void {}
  response(): void {}
  data(): void {}
  ended(): void {}
  reset(): void {}
  drained(): void {}
}

/** A session of the pipe with both its ends. */
export class TwinPipe {
  readonly near: End
  readonly far: End
  /** The dialler's process reads nothing. */
  paused = false
  /** Counts what happens. */
  events = 0
  readonly #links: [near: PipeLink, far: PipeLink]
  #up: Uint8Array[] = []
  #down: Uint8Array[] = []
  #unread = 0
  #isMet = false
  #isDue = false
  #isOver = false

  /** @param name in the certificate of the dialler. */
  constructor(name: string, nearTaker: Taker, farTaker: Taker) {
    const wake = (): void => this.#wake()
    this.near = new End('dialler', name, nearTaker, wake)
    this.far = new End('listener', name, farTaker, wake)
    this.#links = [this.near.session.dial(time()), new PipeLink()]
    this.#wake()
  }

  /** The link breaks: what is under way is lost. @param stays whether another is dialled at once. */
  cut(stays = false): void {
    if (this.#isOver) return
    this.events++
    this.near.session.cut(this.#links[0])
    this.far.session.cut(this.#links[1])
    this.near.linked = this.far.linked = false
    this.#up = []
    this.#down = []
    this.#unread = 0
    if (!stays) this.redial()
  }

  redial(): void {
    if (this.#isOver) return
    this.#isMet = false
    this.#links[0] = this.near.session.dial(time())
    this.#links[1] = new PipeLink()
    this.#wake()
  }

  /** The sessions at both ends are over. */
  end(fault: Fault = GONE): void {
    if (this.#isOver) return
    this.#isOver = true
    this.events++
    this.near.session.close(fault)
    this.far.session.close(fault)
  }

  resume(): void {
    this.paused = false
    this.#wake()
  }

  #wake(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#carry()
    })
  }

  #carry(): void {
    if (this.#isOver) return
    const now = time()
    const { near, far } = this
    const [nearLink, farLink] = this.#links
    near.session.flush(nearLink, ROOM, { write: (bytes) => this.#up.push(bytes.slice()) }, now)
    for (const bytes of this.#up.splice(0)) {
      this.events++
      if (this.#isMet) far.session.receive(farLink, bytes, now)
      else this.#meet(farLink, bytes, now)
    }
    const down = {
      write: (bytes: Uint8Array) => {
        this.#unread += bytes.length
        return this.#down.push(bytes.slice())
      },
    }
    if (this.#isMet) far.session.flush(farLink, ROOM - this.#unread, down, now)
    if (this.paused) return
    this.#unread = 0
    for (const bytes of this.#down.splice(0)) {
      this.events++
      near.session.receive(nearLink, bytes, now)
    }
    if (near.session.pending || far.session.pending) this.#wake()
  }

  #meet(link: PipeLink, bytes: Uint8Array, now: number): void {
    const hello = link.greet(bytes)
    if (hello === undefined) return
    if (isFault(hello)) throw new Error(hello.code)
    this.#isMet = true
    const fault = this.far.session.accept(link, hello, now)
    if (fault !== undefined) throw new Error(fault.code)
  }
}

/** A raw client of the contract of transports: it says a hello, and keeps what comes. */
class FrameClient implements TransportClient, Taker {
  readonly frames: Frame[] = []
  closed = false
  readonly pipe: TwinPipe
  readonly #hub: Hub
  #session: Session | undefined

  constructor(hub: Hub, sessions: Taker, comeBack: Partial<ComeBack>) {
    this.#hub = hub
    this.pipe = new TwinPipe('alpha', this, sessions)
    const { secret: resume, after } = comeBack
    const message = { version: 1, resume, after }
    this.pipe.near.session.update(Buffer.from(JSON.stringify({ path: '::hello', message })))
  }

  get session(): Session {
    if (this.#session === undefined) throw new Error('no hello has come')
    return this.#session
  }

  get known(): boolean {
    return this.#session !== undefined
  }

  updated(_peer: UpdatedPeer, update: Uint8Array): void {
    if (this.closed) return
    const frames = parseFrames(Buffer.from(update).toString())
    if (isFault(frames)) throw new Error(`${frames.code}: ${frames.detail}`)
    for (const frame of frames) {
      this.frames.push(frame)
      if (frame.path === '::bye') this.closed = true
      if (frame.path !== '::hello') continue
      const { id } = JSON.parse(frame.message.body as string)
      this.#session = this.#hub.controller.get(id) as Session
    }
  }

  writable(): void {}

  pause(): void {
    this.pipe.paused = true
  }

  resume(): void {
    this.pipe.resume()
  }

  close(): void {
    this.break({ code: 'SHUTDOWN', detail: 'in good order' })
  }

  break(fault: Fault = GONE): void {
    this.closed = true
    this.pipe.end(fault)
  }
}

/** Turns of the event loop without any news after which nothing is under way. */
const QUIET_TURNS = 6

/**
 * Makes cases for the contract of transports.
 * @param cuts how likely a turn of the event loop is one in which a link is cut.
 */
export function updateCases(cuts = 0): MakeTransport {
  const random = randomNumbers(7)
  return async (options: HubOptions): Promise<TransportCase> => {
    const clock = new FakeClock(1_000)
    const hub = makeHub({ clock, ...options })
    const sessions = new UpdateSessions(updateHost(hub, 1_048_576))
    const clients: FrameClient[] = []
    const settle = async (): Promise<void> => {
      let before = -1
      for (let quiet = 0; quiet < QUIET_TURNS; ) {
        await new Promise(setImmediate)
        if (random() < cuts) pick(random, clients)?.pipe.cut()
        let now = hub.counters.deliveries + hub.engine.head
        for (const { frames, pipe } of clients) now += frames.length + pipe.events
        quiet = now === before ? quiet + 1 : 0
        before = now
      }
    }
    return {
      hub,
      settle,
      async connect(comeBack: Partial<ComeBack> = {}) {
        const client = new FrameClient(hub, sessions, comeBack)
        clients.push(client)
        const until = time() + 5_000
        while (!client.known) {
          if (client.closed || time() > until) throw new Error('it cannot connect')
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
        sessions.close()
        await hub.close()
      },
    }
  }
}

/** A peer that says frames by hand, and keeps those that come. */
export class RawPeer implements Taker {
  readonly pipe: TwinPipe
  readonly heard: Json[] = []

  constructor(name: string, sessions: Taker) {
    this.pipe = new TwinPipe(name, this, sessions)
  }

  say(...frames: readonly (Json | string | Uint8Array)[]): void {
    for (const frame of frames) {
      const isRaw = typeof frame === 'string' || frame instanceof Uint8Array
      this.pipe.near.session.update(Buffer.from(isRaw ? frame : JSON.stringify(frame)))
    }
  }

  /** Those of one path. */
  on(path: string): Json[] {
    return this.heard.filter((frame) => frame.path === path)
  }

  /** What the messages of one path say. */
  messages(path: string): Json[] {
    return this.on(path).map(({ message }) => message as Json)
  }

  updated(_peer: UpdatedPeer, update: Uint8Array): void {
    this.heard.push(JSON.parse(Buffer.from(update).toString()))
  }

  writable(): void {}
}

export type Json = Readonly<Record<string, unknown>>

/** A hub, and clients of the pipe as their users have them. */
export class UpdateWorld {
  readonly clock: FakeClock = new FakeClock(1_000)
  readonly hub: Hub
  readonly sessions: UpdateSessions<Session>
  readonly clients: TwinClient[] = []
  readonly peers: RawPeer[] = []

  /** @param options by default everybody with a certificate may publish and subscribe. */
  constructor(options: HubOptions = {}, body = 1_048_576) {
    const rules = [{ who: 'cert:*', may: ['publish', 'subscribe'], path: '**' }] as const
    this.hub = makeHub({ clock: this.clock, rules, ...options })
    this.sessions = new UpdateSessions(updateHost(this.hub, body))
  }

  /** A client with this name in its certificate, connected. */
  client(name: string): TwinClient {
    const client = new TwinClient(this, name)
    this.clients.push(client)
    client.begin()
    return client
  }

  /** A peer with this name in its certificate, by hand. */
  peer(name: string): RawPeer {
    const peer = new RawPeer(name, this.sessions)
    this.peers.push(peer)
    return peer
  }

  /** Lets everything happen that waits for no time. */
  async settle(): Promise<void> {
    let before = -1
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await new Promise(setImmediate)
      let now = this.hub.counters.deliveries + this.hub.engine.head
      for (const { events } of this.clients) now += events
      for (const { pipe } of this.peers) now += pipe.events
      quiet = now === before ? quiet + 1 : 0
      before = now
    }
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.settle()
  }

  async close(): Promise<void> {
    for (const client of this.clients) await client.close()
    for (const { pipe } of this.peers) pipe.end()
    this.sessions.close()
    await this.hub.close()
  }
}

export class TwinClient {
  readonly updates: PeerUpdates
  readonly faults: Fault[] = []
  /** What takes the updates at the other end: a hub's sessions, unless a test says otherwise. */
  taker: Taker
  pipe: TwinPipe | undefined
  readonly #name: string
  readonly #wheel: Wheel
  #former = 0

  constructor(world: UpdateWorld, name: string) {
    this.#name = name
    this.taker = world.sessions
    this.#wheel = new Wheel(world.clock)
    this.updates = new PeerUpdates({
      wheel: this.#wheel,
      hold: 60_000,
      onRefused: (fault) => this.faults.push(fault),
    })
  }

  get events(): number {
    return this.#former + (this.pipe?.events ?? 0)
  }

  /** A session of the pipe begins. */
  begin(): TwinPipe {
    this.end()
    this.pipe = new TwinPipe(this.#name, this.updates.transport, this.taker)
    return this.pipe
  }

  /** It is over. */
  end(): void {
    this.pipe?.end()
    this.#former += this.pipe?.events ?? 0
    this.pipe = undefined
  }

  async close(): Promise<void> {
    await this.updates.close()
    this.end()
    this.#wheel.close()
  }
}

function pick<One>(random: () => number, from: readonly One[]): One | undefined {
  return from[Math.floor(random() * from.length)]
}

function time(): number {
  return performance.now()
}
