/**
 * Hands frames to the application, strictly in turn: not while it is paused, not before the promise that it gave for
 * the last one is settled, and not while answers to earlier ones find no room.
 * Invariant: where frames wait, no more than a bounded number of bytes is taken from the peer.
 */
import type { Fault } from '@sapwood/core'
import { FramingFault } from '@sapwood/wire'
import type { Deadlines } from './deadlines.ts'
import type { FrameSource } from './frame-source.ts'
import type { GuardedApplication } from './guarded-application.ts'

/** Bytes that wait for an application before their sender has to wait too. */
const INPUT_LIMIT = 65_536

/** The connection around it. */
export interface Flow {
  /** Is there somebody to take frames? */
  readonly delivers: boolean
  readonly open: boolean
  readonly datagrams: boolean
  /** Ends it in good order. */
  finish(reason: Fault): void
  /** The application threw. */
  threw(thrown: unknown): void
  /** All frames that could be delivered are: their answers may leave. */
  delivered(frames: number): void
  /** No frame will come any more. */
  ended(): void
  /** Takes nothing from the peer, until `release`. */
  hold(): void
  release(): void
  /** Has `run` called at the end of this turn. */
  schedule(): void
}

export class Delivery {
  frames = 0
  /** In `run`: what the application sends now are answers. */
  running = false
  /** Answers found no room. */
  held = false
  readonly #source: FrameSource
  readonly #application: GuardedApplication
  readonly #flow: Flow
  readonly #deadlines: Deadlines
  #paused = false
  /** A promise of the application is not settled. */
  #awaiting = false

  constructor(
    source: FrameSource,
    application: GuardedApplication,
    flow: Flow,
    deadlines: Deadlines,
  ) {
    this.#source = source
    this.#application = application
    this.#flow = flow
    this.#deadlines = deadlines
  }

  /** Is a frame in work, so that what is sent may be an answer to it? */
  get busy(): boolean {
    return this.running || this.#awaiting
  }

  pause(): void {
    this.#paused = true
    this.#flow.hold()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    // even if no frame waits, the peer does
    this.#source.dry = false
    this.#flow.schedule()
  }

  /** Delivers what can be delivered. */
  run(): void {
    const source = this.#source
    if (this.running || source.dry) return
    this.running = true
    const before = this.frames
    try {
      while (this.#goes) {
        const frame = source.next()
        if (frame === undefined) break
        if (frame instanceof FramingFault) this.#misframed(frame)
        else this.#hand(frame)
      }
    } catch (thrown) {
      this.#flow.threw(thrown)
    }
    this.#flow.delivered(this.frames - before)
    this.running = false
    this.#goOn(this.frames !== before)
  }

  get #goes(): boolean {
    return this.#flow.delivers && !(this.#paused || this.#awaiting || this.held)
  }

  #hand(frame: unknown): void {
    this.frames++
    const result = this.#application.received(frame)
    if (typeof result === 'object' && result !== null && 'then' in result) {
      this.#await(result as PromiseLike<unknown>)
    }
  }

  #misframed(fault: FramingFault): void {
    this.#application.misframed(fault)
    if (fault.final) this.#flow.finish(fault)
  }

  #await(promise: PromiseLike<unknown>): void {
    this.#awaiting = true
    const settled = (): void => {
      this.#awaiting = false
      this.#flow.schedule()
    }
    void Promise.resolve(promise).then(settled, (thrown) => {
      settled()
      this.#flow.threw(thrown)
    })
  }

  /** What follows from where the delivery stopped. */
  #goOn(fresh: boolean): void {
    const source = this.#source
    const flow = this.#flow
    if (!flow.open) return
    if (!this.#goes) {
      this.#deadlines.reading(false, false)
      if (flow.datagrams || source.length >= INPUT_LIMIT) flow.hold()
    } else if (!source.dry) flow.schedule()
    else if (source.ended) flow.ended()
    else {
      this.#deadlines.reading(source.length > 0, fresh)
      flow.release()
    }
  }
}
