/**
 * One client at the hub across reconnects: its secret, its cursor, the patterns that it wants and the requests
 * that wait. On each new link everything that is unsaid goes out at once, subscriptions first.
 * Invariant: whatever the user asked for is kept until the hub has answered it, so a lost link loses nothing; and
 * what a lost session may have missed is asked for from the cursor on, so the hub replays it or tells a gap.
 */
import { Backoff, isDirectPath } from '@sapwood/core'
import type { ClientEvents, ClientState, Gap } from './client-events.ts'
import { Connection, type ConnectionDeps, type ConnectionOwner } from './connection.ts'
import { type ExchangeLimits, Exchanges, type Request } from './exchanges.ts'
import { failure } from './failure.ts'
import { type Frame, frameText, type Values, valuesOf } from './frame.ts'
import { type Authorize, Grants, subscriptionFrames } from './grants.ts'
import { Interest } from './interest.ts'
import type { Closing, Greeting, Transport, TransportName } from './transport.ts'

/** Whom a session tells. */
export interface SessionOwner {
  update(frame: Frame): void
  /** Somebody asks; its `reply` is where the answer goes. */
  request(frame: Frame): void
  /** Whoever asked under `reply` waits no longer; without one, nobody does. */
  cancelled(reply?: string): void
  event<Name extends keyof ClientEvents>(name: Name, event: ClientEvents[Name]): void
}

export interface SessionDeps extends ConnectionDeps {
  readonly fetch: typeof fetch
}

export interface SessionOptions {
  readonly token?: string | undefined
  readonly name?: string | undefined
  /** A position up to which everything is known. */
  readonly after?: string | undefined
  readonly authorize?: Authorize | undefined
  readonly unauthorize?: Authorize | undefined
  readonly limits: ExchangeLimits
}

export class Session implements ConnectionOwner {
  readonly #owner: SessionOwner
  readonly #deps: SessionDeps
  readonly #options: SessionOptions
  readonly #interest: Interest
  readonly #exchanges: Exchanges
  readonly #grants: Grants | undefined
  #connection: Connection
  #id: string | undefined
  #resume: string | undefined
  #cursor: string | undefined
  /** Frames that nobody answers, until they are said on this link. */
  #outbox: string[] = []
  #stirred = false
  #conclude!: (closing: Closing) => void
  /** Why it is over, once it is. */
  readonly closed: Promise<Closing> = new Promise((resolve) => {
    this.#conclude = resolve
  })
  #over = false

  constructor(owner: SessionOwner, deps: SessionDeps, options: SessionOptions) {
    const { clock, random, fetch } = deps
    this.#owner = owner
    this.#deps = deps
    this.#options = options
    this.#cursor = options.after
    this.#interest = new Interest(options.after)
    this.#exchanges = new Exchanges({
      clock,
      limits: options.limits,
      prefix: `${random()}-`,
      stir: () => this.#stir(),
      cancel: (reply) => this.send(frameText({ path: '::cancel', reply })),
    })
    if (options.authorize !== undefined) {
      this.#grants = new Grants(options.authorize, options.unauthorize, {
        interest: this.#interest,
        clock,
        fetch,
        backoff: new Backoff({ first: 500, random }),
        session: () => (this.#ready ? this.#id : undefined),
        send: (frames) => this.#connection.send(frames),
        failed: (problem) => this.#owner.event('error', problem),
      })
    }
    this.#connection = new Connection(this, deps)
  }

  /** Its public id; undefined before the first hello. */
  get id(): string | undefined {
    return this.#id
  }

  get state(): ClientState {
    if (this.#over) return 'closed'
    const { state } = this.#connection
    return state === 'moving' ? 'connected' : state
  }

  get transport(): TransportName | undefined {
    return this.#connection.transport?.name
  }

  /** Begins to connect. @param transports others than at first: what was said before is said again over these. */
  start(transports?: readonly Transport[]): void {
    if (this.#over) return
    if (transports !== undefined) {
      void this.#connection.close()
      this.#unsay()
      this.#connection = new Connection(this, { ...this.#deps, transports })
    }
    this.#connection.start()
  }

  /** Wants the updates of a pattern, or wants them no longer. */
  want(pattern: string, wanted: boolean): void {
    this.#interest.want(pattern, wanted)
    this.#stir()
  }

  /** Says something that is answered, again if need be. @returns the answer, whatever its code. */
  request(request: Request, signal?: AbortSignal): Promise<Frame> {
    return this.#exchanges.start(request, signal)
  }

  /** Sends a frame that nobody answers; without a link it is dropped. */
  send(frame: string): void {
    if (!this.#ready) return
    this.#outbox.push(frame)
    this.#stir()
  }

  /** Ends the session at the hub as well; what waits is rejected. */
  async close(): Promise<void> {
    const ended = this.#connection.close()
    this.#finish({ code: 'CLIENT_CLOSED', detail: 'the client was closed' })
    await ended
  }

  // what the connection tells

  greet(): Greeting {
    const { token, name } = this.#options
    if (this.#resume === undefined) return { token, name }
    return { token, name, id: this.#id, resume: this.#resume, after: this.#cursor }
  }

  connecting(): void {
    this.#owner.event('state', { state: 'connecting' })
  }

  greeted({ id, resume, resumed, patterns, at }: Values): void {
    const goesOn = resumed === true && id === this.#id
    this.#id = id as string
    this.#resume = resume as string | undefined
    if (goesOn) this.#interest.resumed(patterns as string[] | undefined)
    else {
      this.#interest.renewed(this.#cursor)
      this.#exchanges.sessionLost()
      this.#owner.cancelled()
      this.#cursor = at as string | undefined
    }
    // also after a move: what went over the former link may not have arrived
    this.#exchanges.linkLost()
    this.#owner.event('state', { state: 'connected', resumed: goesOn, transport: this.transport })
    this.#say()
  }

  heard(frame: Frame): void {
    const word = WORDS.get(frame.path)
    if (word !== undefined) this.#take(word, frame, valuesOf(frame))
    else if (isDirectPath(frame.path)) this.#owner.request(frame)
    else if (frame.replay || !this.#interest.replays(frame.path)) this.#owner.update(frame)
    this.#cursor = frame.at ?? this.#cursor
  }

  lost(closing: Closing, retryIn?: number): void {
    const { code, detail, forgotten } = closing
    if (retryIn === undefined) return this.#finish(closing)
    if (code === 'MESSAGE_TOO_LARGE') this.#exchanges.rejectLargest(failure(code, detail, 413))
    if (forgotten) this.#resume = undefined
    this.#unsay()
    this.#owner.event('state', { state: 'disconnected', retryIn, code, detail })
  }

  get #ready(): boolean {
    return this.#connection.state === 'connected'
  }

  #take(
    word: keyof ClientEvents | 'reply' | 'cancel' | 'ping',
    frame: Frame,
    values: Values,
  ): void {
    const { pattern } = values as { readonly pattern: string }
    switch (word) {
      case 'reply':
        this.#exchanges.take(frame)
        return
      case 'cancel':
        return this.#owner.cancelled(frame.reply)
      case 'subscribed':
      case 'unsubscribed':
        this.#interest.happened(word, pattern)
        break
      case 'gap':
        this.#cursor = (values as unknown as Gap).at
        break
      case 'error':
        // who asked is told; whoever gave up needs no news
        if ((frame.reply ?? values.reply) !== undefined) return this.#exchanges.take(frame)
        this.#interest.happened('refused', pattern)
        break
      case 'ping':
        return
    }
    this.#owner.event(word, values as ClientEvents[typeof word])
    this.#stir()
  }

  /** Has what is unsaid said in a moment, together with what else comes up until then. */
  #stir(): void {
    if (this.#stirred) return
    this.#stirred = true
    queueMicrotask(() => {
      this.#stirred = false
      this.#say()
    })
  }

  /** Says all that is unsaid: subscriptions, then requests, then the rest. */
  #say(): void {
    if (!this.#ready) return
    const frames = this.#grants === undefined ? subscriptionFrames(this.#interest.plan()) : []
    this.#connection.send([...frames, ...this.#exchanges.unsaid(), ...this.#outbox.splice(0)])
    void this.#grants?.run()
  }

  /** What was said and not answered is to be said again on the next link. */
  #unsay(): void {
    this.#exchanges.linkLost()
    this.#outbox = []
    this.#grants?.stop()
  }

  #finish(closing: Closing): void {
    if (this.#over) return
    this.#over = true
    const { code, detail } = closing
    this.#unsay()
    this.#exchanges.fail(failure(code, detail, 503))
    this.#owner.cancelled()
    this.#owner.event('state', { state: 'closed', code, detail })
    this.#conclude(closing)
  }
}

/** Control updates that are for the session, and the event that each is; any other goes to its subscribers. */
const WORDS: ReadonlyMap<string, keyof ClientEvents | 'reply' | 'cancel' | 'ping'> = new Map([
  ['::connected', 'subscribed'],
  ['::disconnected', 'unsubscribed'],
  ['::reply', 'reply'],
  ['::cancel', 'cancel'],
  ['::resumed', 'resumed'],
  ['::gap', 'gap'],
  ['::error', 'error'],
  ['::ping', 'ping'],
])
