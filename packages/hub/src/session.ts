/**
 * One client across reconnects. Transports attach and detach; the session keeps its id, its subscriptions, what
 * it asked and was asked, and its place in the log. All transports are views of this one object.
 *
 *     attached, live     updates go to the feed as they come, the outlet sends them once per turn
 *     attached, behind   the feed reads the log as the transport takes it, then live
 *     detached           only control is kept; the log keeps the rest
 *     ended              `::gone` was told, nothing reaches it
 *
 * Invariant: it has at most one transport, and what one of them left undone the next one does.
 */
import type {
  CarriedSession,
  Component,
  Downstream,
  Farewell,
  Fault,
  Message,
  Principal,
  Timed,
} from '@sapwood/core'
import {
  bodyValue,
  CONNECTED,
  covers,
  DISCONNECTED,
  ERROR,
  isDirectPath,
  NO_ID,
  PING,
  RECEIPT,
  Timer,
  textOf,
  Update,
} from '@sapwood/core'
import type { Asks } from './asks.ts'
import { connected, control, hello, isKept, restamped } from './control.ts'
import { Dialogue } from './dialogue.ts'
import { Feed } from './feed.ts'
import type { Grantee } from './gate.ts'
import { DEAD, Heartbeat } from './heartbeat.ts'
import type { Flushable } from './outlet.ts'
import type { SessionHost } from './session-host.ts'
import type { AttachOptions, SessionOptions } from './session-options.ts'

export class Session implements CarriedSession, Component, Grantee, Flushable, Timed {
  // what each update needs comes first: it stands together in memory
  readonly #feed: Feed
  id: string = NO_ID
  noted = false
  readonly #heartbeat: Heartbeat
  principal: Principal
  secret: string
  name: string | undefined
  readonly view: boolean
  readonly address: string
  readonly holder: string | undefined
  readonly opened: number
  readonly #host: SessionHost
  readonly #timer: Timer
  #kind: Downstream['kind'] | undefined
  #grants: string[] | undefined
  #dialogue: Dialogue | undefined
  #ended = false

  constructor(host: SessionHost, options: SessionOptions) {
    this.#host = host
    this.principal = options.principal
    this.secret = options.secret
    this.view = options.view ?? false
    this.address = options.address ?? ''
    this.holder = options.holder
    this.opened = host.wheel.now()
    this.#feed = new Feed(host, this, !this.view)
    this.#heartbeat = new Heartbeat(host.settings.heartbeat)
    this.#timer = new Timer(this)
    host.wheel.set(this.#timer, host.settings.expire)
  }

  get attached(): boolean {
    return this.downstream !== undefined
  }

  get ended(): boolean {
    return this.#ended
  }

  /** The transport it has, or had last. */
  get kind(): Downstream['kind'] | undefined {
    return this.#kind
  }

  /** Questions put to this client that it has not answered. */
  get openQuestions(): number {
    return this.#dialogue?.open ?? 0
  }

  get patterns(): ReadonlyMap<string, number> {
    return this.#feed.follower.patterns
  }

  /** All that this session is owed up to here was queued for it. */
  get watermark(): string {
    return this.#feed.watermark
  }

  get downstream(): Downstream | undefined {
    return this.#feed.downstream
  }

  /** The offset up to which everything was handed to the transport. */
  get sent(): number {
    return this.#feed.sent
  }

  update(_sender: Component, path: string, message: Message): void {
    if (message instanceof Update) this.#feed.deliver(message)
    else if (path === CONNECTED) this.#connected(textOf(message), message.meta.after)
    else if (path === DISCONNECTED) this.#disconnected(textOf(message))
    else if (path === ERROR) this.tell(ERROR, bodyValue(message))
    else if (isDirectPath(path)) this.#talk.put(path, message)
    else if (path !== RECEIPT) this.#feed.push(new Update(path, message, 0, this.watermark))
  }

  /** Gives this session a transport. The one that it had is told `replaced`; a session that has ended takes none. */
  attach(downstream: Downstream, options: AttachOptions = {}): void {
    if (this.#ended) {
      downstream.close({ reason: 'closed' })
      return
    }
    if (options.principal !== undefined) this.principal = options.principal
    const kept = this.#leave({ reason: 'replaced' })
    this.#feed.downstream = downstream
    this.#kind = downstream.kind
    this.#heartbeat.start(this.#host.wheel.now())
    if (options.resumed) this.#resume(kept, options.after)
    else if (downstream.greets) this.#feed.pushFirst([this.#hello(false)])
    this.#host.wheel.set(this.#timer, this.#host.settings.heartbeat.interval)
    this.#host.arrived(this)
    this.#host.outlet.note(this)
  }

  /**
   * The transport is gone.
   * @param clean the client said good-bye: who asked it something need not wait.
   */
  detach(downstream: Downstream, clean = false): void {
    if (this.downstream !== downstream) return
    this.#feed.downstream = undefined
    if (this.view) return this.end()
    this.#feed.detached()
    if (clean) this.#dialogue?.lost()
    this.#host.wheel.set(this.#timer, this.#host.settings.expire)
  }

  /** The transport has room again. */
  drained(): void {
    this.seen()
    if (!this.#feed.done) this.#host.outlet.note(this)
  }

  /** The other end gave a sign of life. */
  seen(): void {
    this.#heartbeat.seen(this.#host.wheel.now())
  }

  /** The client is known to have everything up to `offset`. */
  confirm(offset: number): void {
    this.#feed.follower.confirm(offset)
  }

  /** Closes the transport with `::bye` and ends the session for good. */
  end(farewell: Farewell = { reason: 'closed' }): void {
    if (this.#ended) return
    this.#ended = true
    const { downstream } = this
    this.#feed.downstream = undefined
    downstream?.close(farewell)
    this.#host.wheel.clear(this.#timer)
    this.#feed.end()
    this.#dialogue?.close()
    this.#host.ended(this)
  }

  /** Closes the transport with `::bye`; the session waits for the client to come back. */
  dismiss(farewell: Farewell): void {
    const { downstream } = this
    if (downstream === undefined) return
    const unconfirmed = downstream.close(farewell)
    this.detach(downstream)
    this.#keep(unconfirmed)
  }

  /** Its transport failed: lets go of it. The session waits for the client to come back. */
  failed(): void {
    const { downstream } = this
    if (downstream === undefined) return
    this.detach(downstream)
    this.#keep(downstream.close({ reason: 'dead', retryAfter: 0 }))
  }

  /** Sends the client a control update. */
  tell(path: string, value: unknown): void {
    this.#feed.push(control(path, value, this.watermark))
  }

  /** Sends the client a control update that has fields of its own. */
  tellMessage(path: string, message: Message): void {
    this.#feed.push(new Update(path, message, 0, this.watermark))
  }

  /** Takes an answer of the client. False if that was not asked of it. */
  answer(token: string, message: Message): boolean {
    return this.#dialogue?.answer(token, message) ?? false
  }

  /** What this client asks of others. */
  get asks(): Asks {
    return this.#talk.asks
  }

  grant(pattern: string): void {
    this.#grants ??= []
    if (!this.#grants.includes(pattern)) this.#grants.push(pattern)
  }

  revoke(pattern: string): void {
    this.#grants = this.#grants?.filter((granted) => granted !== pattern)
  }

  granted(pattern: string): boolean {
    return this.#grants?.some((granted) => covers(granted, pattern)) ?? false
  }

  /** It may not follow `pattern` any more: it is told so once, however long it takes until it is unsubscribed. */
  withdraw(pattern: string, fault: Fault): void {
    this.#feed.follower.disconnect(pattern)
    this.tell(ERROR, { ...fault, pattern })
  }

  /** Sends what waits, as far as the transport takes it. The outlet calls this. */
  flush(now: number): void {
    if (this.#feed.flush()) this.#heartbeat.sent(now)
  }

  /** Heartbeat while attached, expiry while not. The timing wheel calls this. */
  expired(): void {
    const { downstream } = this
    if (downstream === undefined) return this.end()
    const now = this.#host.wheel.now()
    const ping = (): void => this.tell(PING, {})
    const wait = this.#heartbeat.beat(now, downstream, ping)
    if (wait === DEAD) this.dismiss({ reason: 'dead', retryAfter: 0 })
    else if (this.attached) this.#host.wheel.set(this.#timer, wait)
  }

  get #talk(): Dialogue {
    this.#dialogue ??= new Dialogue(this.#host, this, this.#feed)
    return this.#dialogue
  }

  /** Control that a transport has left undone waits for the next one. */
  #keep(unconfirmed: readonly Update[]): void {
    if (!this.#ended) this.#feed.pushFirst(unconfirmed.filter(isKept))
  }

  #leave(farewell: Farewell): readonly Update[] {
    const former = this.downstream
    if (former === undefined) return []
    this.#feed.downstream = undefined
    return former.close(farewell)
  }

  /** Hello, what was kept, unanswered questions; the log follows as it is read. */
  #resume(unconfirmed: readonly Update[], after: string | undefined): void {
    this.#host.counters.resumed++
    const kept = [...unconfirmed, ...this.#feed.resume(after)].filter(isKept)
    kept.push(...(this.#dialogue?.again() ?? []))
    const at = this.watermark
    const greeting = this.downstream?.greets ? [this.#hello(true)] : []
    this.#feed.pushFirst([...greeting, ...kept.map((update) => restamped(update, at))])
    this.#host.resumed(this)
  }

  #hello(resumed: boolean): Update {
    this.#feed.follower.told()
    const { id, secret, patterns } = this
    const { interval: heartbeat } = this.#host.settings.heartbeat
    return hello({ id, secret, heartbeat, patterns: patterns.keys(), resumed }, this.watermark)
  }

  #connected(pattern: string, after: string | undefined): void {
    this.#feed.push(connected(pattern, this.#feed.follower.connect(pattern, after)))
  }

  #disconnected(pattern: string): void {
    this.#feed.follower.disconnect(pattern)
    this.tell(DISCONNECTED, { pattern, at: this.watermark })
  }
}
