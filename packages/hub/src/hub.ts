/**
 * The hub, as programs, sessions and transports see it; what it is made of stands in `hubParts`. Everything else reaches it
 * through `update`, and it reaches everything else through theirs.
 */
import type {
  Component,
  Controller,
  Dispatcher,
  Farewell,
  Inbox,
  Message,
  Principal,
  Question,
  Wheel,
} from '@sapwood/core'
import {
  callAll,
  connection,
  DISCONNECT,
  jsonMessage,
  matches,
  NO_ID,
  PATH_LIMITS,
  pathFault,
  patternFault,
  SapwoodError,
  SYSTEM,
} from '@sapwood/core'
import type { Budget } from './budget.ts'
import type { Counters } from './counters.ts'
import type { Directory, NamedPeers } from './directory.ts'
import type { Engine } from './engine.ts'
import type { Gate } from './gate.ts'
import type { PartsHost } from './hub-parts.ts'
import { hubParts } from './hub-parts.ts'
import { keepTrimmed } from './keep-trimmed.ts'
import type { Names } from './names.ts'
import { randomSecret } from './node.ts'
import type { Outlet } from './outlet.ts'
import { formatPosition } from './position.ts'
import { sendAway } from './send-away.ts'
import { Session } from './session.ts'
import type { Policy, SessionSettings } from './session-host.ts'
import type { SessionOptions } from './session-options.ts'
import type { Sessions } from './sessions.ts'
import type { HubOptions, HubSettings, Log } from './settings.ts'
import { hubSettings } from './settings.ts'
import type { UpstreamHost } from './upstream.ts'
import { receive } from './upstream.ts'

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }

export class Hub implements UpstreamHost, PartsHost {
  readonly controller: Controller
  readonly dispatcher: Dispatcher<Component, Message>
  readonly gate: Gate
  readonly engine: Engine
  readonly directory: Directory
  readonly sessions: Sessions
  readonly counters: Counters
  readonly wheel: Wheel
  readonly outlet: Outlet
  readonly budget: Budget
  readonly options: HubOptions
  /** Every number that it goes by. */
  readonly all: HubSettings
  /** Those of them that its sessions go by. */
  readonly settings: SessionSettings
  readonly askTimeout: number
  readonly log: Log
  readonly #inbox: Inbox
  readonly #names: Names
  #position = ''
  #positionOf = -1
  #draining = false

  constructor(options: HubOptions = {}) {
    const all = hubSettings(options)
    this.options = options
    this.all = all
    this.log = options.log ?? SILENT
    this.settings = {
      outbox: all.session.outbox,
      expire: all.session.expire,
      heartbeat: all.heartbeat,
      patterns: all.limits.patterns,
      path: { ...PATH_LIMITS, bytes: all.limits.path },
    }
    this.askTimeout = all.ask.timeout
    const parts = hubParts(this, options, all, this.log)
    this.controller = parts.controller
    this.dispatcher = parts.dispatcher
    this.gate = parts.gate
    this.engine = parts.engine
    this.directory = parts.directory
    this.sessions = parts.sessions
    this.counters = parts.counters
    this.wheel = parts.wheel
    this.outlet = parts.outlet
    this.budget = parts.budget
    this.#inbox = parts.inbox
    this.#names = parts.names
    keepTrimmed(this.engine, this.wheel)
    this.controller.start()
  }

  /** The position of the newest retained update. */
  get position(): string {
    return this.positionOf(this.engine.head)
  }

  get draining(): boolean {
    return this.#draining
  }

  positionOf(offset: number): string {
    if (offset !== this.#positionOf) {
      this.#positionOf = offset
      this.#position = formatPosition(this.engine.epoch, offset)
    }
    return this.#position
  }

  /** Sends an update into the hub; `sender` gets `::receipt` or `::error`. */
  update(sender: Component, path: string, message: Message): void {
    this.controller.update(sender, path, message)
  }

  /**
   * Publishes a value for the embedding program.
   * @throws SapwoodError `PATH_INVALID`; TypeError for what JSON cannot say.
   */
  publish(path: string, value: unknown): void {
    const fault = pathFault(path, this.settings.path)
    if (fault !== undefined) throw new SapwoodError('PATH_INVALID', `the path "${path}" ${fault}`)
    this.update(this.controller, path, jsonMessage(value))
  }

  /**
   * Calls `callback` with each update that `pattern` matches. Returns its undo.
   * @throws SapwoodError `PATTERN_INVALID`
   */
  subscribe(
    pattern: string,
    callback: (message: Message, path: string, sender: Component) => void,
  ): () => void {
    const fault = patternFault(pattern, this.settings.path)
    if (fault !== undefined) {
      throw new SapwoodError('PATTERN_INVALID', `the pattern "${pattern}" ${fault}`)
    }
    const component: Component = {
      id: NO_ID,
      principal: SYSTEM,
      update: (sender, path, message) => callback(message, path, sender),
    }
    this.controller.register(component)
    this.dispatcher.subscribe(component, pattern)
    return () => {
      this.controller.unregister(component)
    }
  }

  /** Lets `component` answer what is asked of `name`. Returns its undo. */
  answer(name: string, component: Component): () => void {
    this.controller.register(component)
    const forget = this.controller.name(component, name)
    return () => {
      forget()
      this.controller.unregister(component)
    }
  }

  /** Lets `peers` answer under their names, which nobody else has from now on. Returns its undo. */
  addPeers(peers: NamedPeers): () => void {
    this.controller.register(peers)
    this.directory.peers = peers
    return () => {
      this.directory.peers = undefined
      this.controller.unregister(peers)
    }
  }

  /** A peer has this name: it is no session's from now on. */
  reclaim(name: string): void {
    this.#names.reclaim(name)
  }

  /** Asks `question`, and calls `answered` once. Returns what gives up. */
  ask(question: Question, answered: (answer: Message) => void): () => void {
    return this.#inbox.ask(question, answered)
  }

  /**
   * Opens a session. Ask `sessions.full` first.
   * @example const session = hub.open({ principal }); session.attach(downstream)
   */
  open(options: Omit<SessionOptions, 'secret'>): Session {
    const session = new Session(this, { ...options, secret: randomSecret() })
    this.controller.register(session)
    this.sessions.add(session)
    this.counters.opened++
    return session
  }

  /**
   * Takes a frame of a client.
   * @param principal on whose behalf, where that is not who the client is all the time.
   */
  receive(session: Session, path: string, message: Message, principal?: Principal): void {
    receive(this, session, path, message, principal)
  }

  /** What happens at the limit of an outbox that `path` waits in. */
  policyOf(path: string): Policy {
    for (const entry of this.all.session.policies) {
      if (matches(entry.path, path)) return entry.policy
    }
    return 'catch-up'
  }

  arrived(session: Session): void {
    if (session.name !== undefined || this.directory.waiting > 0) this.directory.arrived(session)
  }

  resumed(session: Session): void {
    this.review(session)
    this.#names.keep(session)
  }

  /** Gives a session the name that its client asks for, or tells the client why not. */
  claim(session: Session, name: string, principal: Principal = session.principal): boolean {
    return this.#names.claim(session, name, principal)
  }

  ended(session: Session): void {
    this.counters.ended++
    this.sessions.remove(session)
    this.directory.release(session)
    this.controller.unregister(session)
  }

  /**
   * Sends every client away; those who were asked something when they have answered.
   * @param spread within how many milliseconds they may come back.
   */
  drain(spread = 2000): void {
    this.#draining = true
    sendAway(this.sessions, spread, this.wheel)
  }

  /**
   * Ends everything; leaves no timer behind.
   * @throws what an asker, a hook or the engine threw first, after everything has ended.
   */
  async close(): Promise<void> {
    const farewell: Farewell = { reason: 'closed', retryAfter: 1000 }
    callAll([
      () => this.#inbox.close(),
      ...[...this.sessions].map((session) => () => session.end(farewell)),
      () => this.controller.stop(),
      () => this.engine.close(),
      () => this.wheel.close(),
    ])
  }

  /** @internal of the gate: takes from a session what it may not follow any more. */
  review(session: Session): void {
    for (const pattern of [...session.patterns.keys()]) {
      if (this.gate.maySubscribe(session, pattern)) continue
      const detail = `${session.principal.id} may not subscribe ${pattern} any more`
      session.withdraw(pattern, { code: 'NOT_ALLOWED', detail })
      this.update(this.controller, DISCONNECT, connection(session.id, pattern))
    }
  }
}

/**
 * Makes a hub. It listens nowhere: `@sapwood/http` gives it a port.
 * @example
 * const it = hub({ public: ['news/**'] })
 * it.subscribe('orders/*', (message, path) => console.log(path, message.body))
 * it.publish('orders/42', { state: 'paid' })
 */
export function hub(options: HubOptions = {}): Hub {
  return new Hub(options)
}
