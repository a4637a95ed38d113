/**
 * The in-memory twin of the transports: the hub's end is a Downstream, the client's end a list of frames, and
 * between them a pipe of bounded size that carries the real envelopes. What sits in the pipe is lost when the
 * client is cut off, as in a socket.
 */
import type { Principal, Update } from '@sapwood/core'
import { ANYONE } from '@sapwood/core'
import type { Downstream, Farewell, HubOptions, Session } from '@sapwood/hub'
import { BYE, hub, SOCKET_LIMIT } from '@sapwood/hub'
import type { Frame } from '@sapwood/wire'
import { envelopeText, isFault, parseFrames } from '@sapwood/wire'
import { FakeClock } from './fake-clock.ts'
import type { ComeBack, TransportCase, TransportClient } from './transport-case.ts'

/** Turns of the event loop without any news after which nothing is under way. */
const QUIET_TURNS = 4

/** Both ends of one connection. */
export class MemoryLink implements Downstream, TransportClient {
  readonly kind = 'memory'
  readonly greets = true
  readonly pings = true
  readonly session: Session
  readonly frames: Frame[] = []
  readonly #capacity: number
  #pipe: Update[] = []
  #bytes = 0
  #paused = false
  #closed = false
  #carrying = false
  /** Counts everything that happens here; what does not change is quiet. */
  events = 0

  /** @param capacity bytes that fit into the pipe. */
  constructor(session: Session, capacity: number = SOCKET_LIMIT) {
    this.session = session
    this.#capacity = capacity
  }

  get room(): number {
    return this.#capacity - this.#bytes
  }

  get closed(): boolean {
    return this.#closed
  }

  send(updates: readonly Update[]): void {
    if (this.#closed) return
    for (const update of updates) {
      this.#pipe.push(update)
      this.#bytes += update.size
    }
    this.#carryLater()
  }

  probe(): boolean {
    setImmediate(() => {
      if (!this.#paused && !this.#closed) this.session.seen()
    })
    return true
  }

  close(farewell?: Farewell): readonly Update[] {
    if (this.#closed) return []
    this.#closed = true
    this.events++
    const left = this.#pipe
    this.#empty()
    if (farewell === undefined) this.session.detach(this, true)
    else this.frames.push(...read(JSON.stringify({ path: BYE, message: farewell })))
    return left
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#carryLater()
  }

  break(): void {
    if (this.#closed) return
    this.#closed = true
    this.events++
    this.#empty()
    this.session.detach(this)
  }

  #carryLater(): void {
    if (this.#carrying) return
    this.#carrying = true
    setImmediate(() => {
      this.#carrying = false
      this.#carry()
    })
  }

  #carry(): void {
    if (this.#paused || this.#closed || this.#pipe.length === 0) return
    const arrived = this.#pipe
    this.#empty()
    this.events++
    this.frames.push(...arrived.flatMap((update) => read(envelopeText(update))))
    this.session.drained()
  }

  #empty(): void {
    this.#pipe = []
    this.#bytes = 0
  }
}

export interface MemoryTransportOptions {
  /** Bytes that fit into a pipe. */
  readonly capacity?: number
  /** Who connects. */
  readonly principal?: Principal
}

/**
 * A hub with clients in the same process and a clock that stands still.
 * @example const { hub, connect, settle } = memoryTransport({ public: ['**'] })
 */
export function memoryTransport(
  options: HubOptions = {},
  { capacity, principal = ANYONE }: MemoryTransportOptions = {},
): TransportCase {
  const clock = new FakeClock(1_000)
  const links: MemoryLink[] = []
  const one = hub({ clock, ...options })
  const settle = async (): Promise<void> => {
    let events = -1
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await new Promise(setImmediate)
      const now = links.reduce((sum, link) => sum + link.events, 0)
      quiet = now === events ? quiet + 1 : 0
      events = now
    }
  }
  return {
    hub: one,
    settle,
    async connect({ secret, after }: Partial<ComeBack> = {}) {
      const known = secret === undefined ? undefined : one.sessions.find(secret)
      const session = known ?? one.open({ principal })
      const link = new MemoryLink(session, capacity)
      links.push(link)
      const resumed = known !== undefined
      session.attach(link, after === undefined ? { resumed } : { resumed, after })
      return link
    },
    async advance(ms) {
      clock.advance(ms)
      await settle()
    },
    async close() {
      await one.close()
      await settle()
    },
  }
}

function read(text: string): readonly Frame[] {
  const frames = parseFrames(text)
  if (isFault(frames)) throw new Error(`${frames.code}: ${frames.detail}: ${text}`)
  return frames
}
