/**
 * The in-memory twin of a transport and a client on it: links that record what they are told, and say what a test
 * has them say, on a clock that stands still.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import type {
  Client,
  ClientEvents,
  Closing,
  ConnectOptions,
  Greeting,
  Link,
  LinkListener,
  Platform,
  Transport,
  TransportName,
} from '@sapwood/client'
import { connect } from '@sapwood/client'
import { FakeClock } from '@sapwood/testkit'

/** A frame as JSON has it. */
export type Json = Record<string, unknown>

export class TwinLink implements Link {
  readonly #listener: LinkListener
  /** What came up, frame by frame. */
  readonly sent: Json[] = []
  /** How many frames each bundle had. */
  readonly bundles: number[] = []
  greeting: Greeting | undefined
  /** Whether it was closed, and how. */
  closed: 'no' | 'for a while' | 'for good' = 'no'

  constructor(listener: LinkListener) {
    this.#listener = listener
  }

  send(frames: readonly string[]): void {
    this.bundles.push(frames.length)
    for (const frame of frames) this.sent.push(JSON.parse(frame))
  }

  async close(forGood: boolean): Promise<void> {
    this.closed = forGood ? 'for good' : 'for a while'
  }

  /** The hub can be reached. */
  open(): Greeting {
    this.greeting = this.#listener.greet()
    return this.greeting
  }

  /** The hub says hello; opens first, if that was not done. */
  hello(message: Json = {}): this {
    if (this.greeting === undefined) this.open()
    const { id = 'hub-1', resume: secret } = message
    const said = { id, resume: secret ?? `secret of ${id}`, version: 1, heartbeat: 25_000 }
    return this.down({
      path: '::hello',
      message: { ...said, patterns: [], resumed: false, ...message },
    })
  }

  /** Frames of the hub. */
  down(...frames: Json[]): this {
    this.#listener.frames(frames as unknown as Parameters<LinkListener['frames']>[0])
    return this
  }

  /** The link ends. */
  lose(closing: Partial<Closing> = {}): void {
    this.#listener.closed({ code: 'CONNECTION_LOST', detail: 'cut by the test', ...closing })
  }

  /** Frames of one path that came up. */
  on(path: string): Json[] {
    return this.sent.filter((frame) => frame.path === path)
  }
}

export class TwinTransport implements Transport {
  readonly name: TransportName
  readonly links: TwinLink[] = []

  constructor(name: TransportName) {
    this.name = name
  }

  readonly open = (listener: LinkListener): Link => {
    const link = new TwinLink(listener)
    this.links.push(link)
    return link
  }

  /** The link opened last. */
  get last(): TwinLink {
    const last = this.links.at(-1)
    if (last === undefined) throw new Error(`${this.name} was not opened`)
    return last
  }
}

export interface Twin {
  readonly client: Client
  readonly clock: FakeClock
  readonly ws: TwinTransport
  readonly sse: TwinTransport
  readonly poll: TwinTransport
  /** Everything the client told, in order. */
  readonly told: { readonly name: string; readonly event: Json }[]
  /** The events of one name. */
  events<Name extends keyof ClientEvents>(name: Name): ClientEvents[Name][]
  online(): void
}

const NAMES: readonly (keyof ClientEvents)[] = [
  'state',
  'gap',
  'error',
  'subscribed',
  'unsubscribed',
  'resumed',
]

/** A client on twins of all three transports. */
export function twin(options: ConnectOptions = {}, given: Partial<Platform> = {}): Twin {
  const clock = (given.clock as FakeClock | undefined) ?? new FakeClock(1_000)
  const [ws, sse, poll] = [
    new TwinTransport('ws'),
    new TwinTransport('sse'),
    new TwinTransport('poll'),
  ]
  let ids = 0
  let goOnline = (): void => undefined
  const platform: Platform = {
    clock,
    random: () => 0.5,
    id: () => `id-${++ids}`,
    fetch: () => Promise.reject(new TypeError('no network in this test')),
    openSocket: () => {
      throw new Error('no sockets in this test')
    },
    onOnline: (run) => {
      goOnline = run
      return () => {
        goOnline = () => undefined
      }
    },
    ...given,
  }
  const client = connect('http://twin', { transports: [ws, sse, poll], ...options }, platform)
  const told: Twin['told'] = []
  for (const name of NAMES) client.on(name, (event) => told.push({ name, event: event as Json }))
  return {
    client,
    clock,
    ws,
    sse,
    poll,
    told,
    events: (name) => told.filter((one) => one.name === name).map((one) => one.event as never),
    online: () => goOnline(),
  }
}

/** Lets everything run that waits for no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await immediate()
}
