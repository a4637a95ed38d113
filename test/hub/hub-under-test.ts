/** A hub whose time stands still, a back end that speaks to it, and clients whose every frame can be looked at. */
import type { Component, Meta, Principal, Update } from '@sapwood/core'
import {
  ANYONE,
  bodyValue,
  CONNECT,
  connection,
  DISCONNECT,
  jsonMessage,
  RECEIPT,
} from '@sapwood/core'
import type { AttachOptions, HubOptions, Session, SessionOptions } from '@sapwood/hub'
import { Hub } from '@sapwood/hub'
import { FakeClock, RecordingComponent } from '@sapwood/testkit'
import type { PipeOptions } from './pipe.ts'
import { Pipe } from './pipe.ts'

export const KEY: Principal = { id: 'key:one', trusted: true }

/** One client: its session and the connection that it has. */
export class Client {
  readonly session: Session
  readonly #hub: Hub
  pipe: Pipe

  constructor(hub: Hub, session: Session, options: PipeOptions = {}) {
    this.#hub = hub
    this.session = session
    this.pipe = new Pipe(session, options)
    session.attach(this.pipe)
  }

  /** Sends the hub a frame. */
  say(path: string, value: unknown, meta?: Meta): void {
    this.#hub.receive(this.session, path, jsonMessage(value, meta))
  }

  /** Comes back, or moves over while the former connection is still there. */
  resume(options: PipeOptions = {}, attach: AttachOptions = {}): void {
    this.pipe = new Pipe(this.session, options)
    this.session.attach(this.pipe, { resumed: true, ...attach })
  }

  /** What arrives when the hub sends what waits. */
  take(): Update[] {
    const found: Update[] = []
    for (;;) {
      this.#hub.outlet.flush()
      const came = this.pipe.arrive()
      if (came.length === 0) return found
      found.push(...came)
    }
  }

  /** The same, as `path value`. */
  lines(): string[] {
    return this.take().map((update) => `${update.path} ${JSON.stringify(bodyValue(update))}`)
  }

  /** The same, the paths only. */
  paths(): string[] {
    return this.take().map(({ path }) => path)
  }

  /** The values of what arrives on one path. */
  values(path: string): unknown[] {
    return this.take().flatMap((update) => (update.path === path ? [bodyValue(update)] : []))
  }
}

export class HubUnderTest {
  readonly clock: FakeClock = new FakeClock(1_000)
  readonly hub: Hub
  /** Somebody with a key. */
  readonly backEnd: RecordingComponent = new RecordingComponent('back end', KEY)

  constructor(options: HubOptions = {}) {
    this.hub = new Hub({ clock: this.clock, public: ['**'], ...options })
  }

  client(options: PipeOptions & Partial<SessionOptions> = {}): Client {
    const { principal = ANYONE, view = false, address = '', ...pipe } = options
    return new Client(this.hub, this.hub.open({ principal, view, address }), pipe)
  }

  /** A client that is subscribed and has heard all about it. */
  subscriber(pattern: string, options: PipeOptions & Partial<SessionOptions> = {}): Client {
    const client = this.client(options)
    this.connect(client, pattern)
    client.take()
    return client
  }

  connect(client: Client, pattern: string, after?: string, by: Component = this.backEnd): void {
    this.hub.update(by, CONNECT, connection(client.session.id, pattern, after))
  }

  disconnect(client: Client, pattern: string): void {
    this.hub.update(this.backEnd, DISCONNECT, connection(client.session.id, pattern))
  }

  publish(path: string, value: unknown, meta?: Meta): void {
    this.hub.update(this.backEnd, path, jsonMessage(value, meta))
  }

  /** Publishes the numbers from 1 on. */
  count(path: string, to: number, size = 0): void {
    for (let i = 1; i <= to; i++) this.publish(path, size === 0 ? i : `${i} ${'x'.repeat(size)}`)
  }
}

/** The offsets of updates, in the order in which they came. */
export function offsetsOf(updates: readonly Update[]): number[] {
  return updates.filter(({ offset }) => offset > 0).map(({ offset }) => offset)
}

/** What a publisher was told in a receipt. */
export interface Told {
  readonly id: string
  readonly at: string
  readonly matched: number
  readonly duplicate?: boolean
}

/** The receipts that a component has got. */
export function receipts(component: RecordingComponent): Told[] {
  return component.values(RECEIPT) as Told[]
}
