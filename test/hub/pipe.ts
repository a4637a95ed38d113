/**
 * The in-memory twin of a transport for tests that decide about every frame: how much fits in, how much arrives,
 * and where it is cut. What did not arrive when it ends is lost, or known to be, as in a long poll.
 */
import type { Update } from '@sapwood/core'
import type { Downstream, Farewell, Session } from '@sapwood/hub'

export interface PipeOptions {
  /** Bytes that fit in. */
  readonly capacity?: number
  readonly greets?: boolean
  readonly pings?: boolean
  /** Does it know what did not arrive, and confirm what did? */
  readonly confirms?: boolean
  /** Does it answer when it is asked for a sign of life? Undefined: it cannot be asked. */
  readonly alive?: boolean
}

export class Pipe implements Downstream {
  readonly kind = 'memory'
  readonly greets: boolean
  readonly pings: boolean
  /** What the client got. */
  readonly arrived: Update[] = []
  farewell: Farewell | undefined
  capacity: number
  probes = 0
  onSend: (updates: readonly Update[]) => void = () => undefined
  readonly #session: Session
  readonly #confirms: boolean
  readonly #alive: boolean | undefined
  #way: Update[] = []
  #bytes = 0

  constructor(session: Session, options: PipeOptions = {}) {
    this.#session = session
    this.capacity = options.capacity ?? Number.POSITIVE_INFINITY
    this.greets = options.greets ?? true
    this.pings = options.pings ?? true
    this.#confirms = options.confirms ?? false
    this.#alive = options.alive
  }

  get room(): number {
    return this.capacity - this.#bytes
  }

  /** Frames that are on their way. */
  get under(): number {
    return this.#way.length
  }

  get paths(): string[] {
    return this.arrived.map(({ path }) => path)
  }

  send(updates: readonly Update[]): void {
    this.onSend(updates)
    for (const update of updates) {
      this.#way.push(update)
      this.#bytes += update.size
    }
  }

  probe(): boolean {
    if (this.#alive === undefined) return false
    this.probes++
    if (this.#alive) this.#session.seen()
    return true
  }

  close(farewell: Farewell): readonly Update[] {
    this.farewell = farewell
    const left = this.#way
    this.#way = []
    return this.#confirms ? left : []
  }

  /** Lets frames arrive, all unless told how many. Returns them. */
  arrive(count: number = this.#way.length): Update[] {
    const full = this.room <= 0
    const came = this.#way.splice(0, count)
    for (const update of came) this.#bytes -= update.size
    this.arrived.push(...came)
    const offset = came.reduce((highest, update) => Math.max(highest, update.offset), 0)
    if (this.#confirms && offset > 0) this.#session.confirm(offset)
    if (full && this.room > 0) this.#session.drained()
    return came
  }

  /** The connection is lost with what is on the way. */
  cut(clean = false): void {
    this.#way = []
    this.#session.detach(this, clean)
  }
}
