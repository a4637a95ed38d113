/** What the network suite needs of a transport, and the two ends of a connection to try it with. */
import type { Fault } from '@sapwood/core'
import { Wheel } from '@sapwood/core'
import type {
  Acceptor,
  Address,
  Application,
  Connection,
  ConnectionLimits,
  Connections,
  ConnectionsOptions,
  ConnectOptions,
} from '@sapwood/net'
import { FakeClock } from './fake-clock.ts'

/** Makes the two sides of a transport. Each call of `listener` has an endpoint of its own. */
export interface NetworkCase {
  listener(options: ConnectionsOptions): Connections
  dialler(options: ConnectionsOptions): Connections
}

/** Turns of a millisecond that anything may take. */
const PATIENCE = 8_000

/** Resolves once `condition` holds. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns === PATIENCE) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Gives the event loop time for what should not happen. */
export async function aWhile(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 15))
}

/** Writes down what it is told. */
export class RecordingApplication implements Application<Uint8Array> {
  readonly frames: string[] = []
  readonly faults: string[] = []
  /** The codes of what ended it, null for the peer's end of file. */
  readonly reasons: (string | null)[] = []
  bytes = 0
  drains = 0

  received(frame: Uint8Array, _connection?: Connection): unknown {
    this.bytes += frame.length
    this.frames.push(Buffer.from(frame).toString('latin1'))
    return undefined
  }

  misframed(fault: Fault): void {
    this.faults.push(fault.code)
  }

  drained(): void {
    this.drains++
  }

  closed(reason: Fault | null): void {
    this.reasons.push(reason === null ? null : reason.code)
  }
}

/** A listener and who dials it, on a clock that stands still. */
export class Network {
  readonly clock: FakeClock = new FakeClock(1_000)
  readonly wheel: Wheel = new Wheel(this.clock)
  readonly reported: string[] = []
  readonly server: Connections
  readonly client: Connections
  /** The listener's ends, in the order in which they came. */
  readonly accepted: Connection[] = []
  address: Address | undefined

  constructor(
    it: NetworkCase,
    limits: Partial<ConnectionLimits> = {},
    more: ConnectionsOptions = {},
  ) {
    const { wheel } = this
    const report = (code: string): void => void this.reported.push(code)
    this.server = it.listener({ wheel, limits, report, ...more })
    this.client = it.dialler({ wheel, limits: { idle: 0, write: 0 } })
  }

  async listen(acceptor: Acceptor): Promise<void> {
    this.address = await this.server.listen((connection) => {
      this.accepted.push(connection)
      return acceptor(connection)
    })
  }

  /** Dials, and waits until the other end is there too. */
  async dial(
    application: Application<never>,
    options: ConnectOptions = {},
  ): Promise<[near: Connection, far: Connection]> {
    const count = this.accepted.length
    const near = await this.reach(application, options)
    await eventually('the connection is accepted', () => this.accepted.length > count)
    return [near, this.accepted[count] as Connection]
  }

  async reach(application: Application<never>, options: ConnectOptions = {}): Promise<Connection> {
    const target = this.address as Address
    const near = await this.client.connect(target, () => application as Application, options)
    if (near === undefined) throw new Error('nobody was to reject it')
    return near
  }

  async close(): Promise<void> {
    await Promise.all([this.client.shutdown(), this.server.shutdown()])
    this.wheel.close()
  }
}

export function bytes(line: string): Uint8Array {
  return Buffer.from(line, 'latin1')
}

export function text(frame: unknown): string {
  return Buffer.from(frame as Uint8Array).toString('latin1')
}
