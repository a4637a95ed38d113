/**
 * One client across reconnects. Transports attach and detach; the session keeps its id, its subscriptions, what
 * it asked and was asked, and its place in the log. All transports are views of this one object.
 *
 *     attached, live     updates go to the outbox as they come, the outlet sends them once per turn
 *     attached, behind   the log is read as the transport takes it, then live
 *     detached           only control is kept; the log keeps the rest
 *     ended              `::gone` was told, nothing reaches it
 *
 * Invariant: it holds at most its outbox limit, updates leave in the order of their offsets, and whatever it
 * cannot give is told as `::gap`.
 */
import type { Component, Message, Principal, Timed } from '@sapwood/core'
import {
  bodyValue,
  CONNECTED,
  Code,
  DISCONNECTED,
  isDirectPath,
  Mark,
  message as makeMessage,
  NO_ID,
  outcome,
  RECEIPT,
  sizeOf,
  TEXT_TYPE,
  Timer,
  textOf,
  Update,
} from '@sapwood/core'
import { Asks } from './asks.ts'
import { control, ERROR, GAP, HELLO, PING, RESUMED, restamped } from './control.ts'
import type { Downstream, Farewell } from './downstream.ts'
import { Follower } from './follower.ts'
import type { Grantee } from './gate.ts'
import { Outbox } from './outbox.ts'
import type { Flushable } from './outlet.ts'
import { Questions } from './questions.ts'
import type { SessionHost } from './session-host.ts'

export interface SessionOptions {
  readonly principal: Principal
  /** What resumes it; whoever knows it is this client. */
  readonly secret: string
  /** A view ends with its transport and cannot be resumed. */
  readonly view?: boolean
  /** Where it came from, for limits and the list of clients. */
  readonly address?: string
}

export interface AttachOptions {
  /** The client came back: replay what it missed. */
  readonly resumed?: boolean
  /** The last position that the client saw. */
  readonly after?: string
  /** Who the client is now. */
  readonly principal?: Principal
}

/** The protocol that `::hello` tells. */
export const VERSION = 1

/** What a `drop-oldest` policy took, until the client is told. */
interface Dropped {
  readonly paths: Set<string>
  /** The position in front of the first. */
  readonly after: string
}

export class Session implements Component, Grantee, Flushable, Timed {
  id: string = NO_ID
  principal: Principal
  secret: string
  name: string | undefined
  noted = false
  readonly view: boolean
  readonly address: string
  readonly opened: number
  readonly #host: SessionHost
  readonly #outbox: Outbox
  readonly #follower: Follower
  readonly #timer: Timer
  #downstream: Downstream | undefined
  #kind: Downstream['kind'] | undefined
  #grants: string[] | undefined
  #questions: Questions | undefined
  #asks: Asks | undefined
  #dropped: Dropped | undefined
  #lastSent = 0
  #lastSeen = 0
  #probed = 0
  #reading = false
  #ended = false

  constructor(host: SessionHost, options: SessionOptions) {
    this.#host = host
    this.principal = options.principal
    this.secret = options.secret
    this.view = options.view ?? false
    this.address = options.address ?? ''
    this.opened = host.wheel.now()
    this.#outbox = new Outbox(host.budget, host.settings.outbox)
    this.#follower = new Follower(host.engine, this, !this.view)
    this.#timer = new Timer(this)
    host.wheel.set(this.#timer, host.settings.expire)
  }

  get attached(): boolean {
    return this.#downstream !== undefined
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
    return this.#questions?.open ?? 0
  }

  get patterns(): ReadonlyMap<string, number> {
    return this.#follower.patterns
  }

  /** All that this session is owed up to here was queued for it. */
  get watermark(): string {
    return this.#follower.watermark
  }

  get downstream(): Downstream | undefined {
    return this.#downstream
  }

  /** The offset up to which everything was handed to the transport. */
  get sent(): number {
    const waiting = this.#outbox.firstUpdate
    if (waiting !== undefined) return waiting.offset - 1
    return this.#follower.live ? this.#host.engine.head : 0
  }

  update(_sender: Component, path: string, message: Message): void {
    if (message instanceof Update) this.#deliver(message)
    else if (path === CONNECTED) this.#connected(textOf(message), message.meta.after)
    else if (path === DISCONNECTED) this.#disconnected(textOf(message))
    else if (path === ERROR) this.tell(ERROR, bodyValue(message))
    else if (isDirectPath(path)) this.#question(path, message)
    else if (path !== RECEIPT) this.#push(new Update(path, message, 0, this.watermark))
  }

  /** Gives this session a transport. The one that it had is told `replaced`; a session that has ended takes none. */
  attach(downstream: Downstream, options: AttachOptions = {}): void {
    if (this.#ended) {
      downstream.close({ reason: 'closed' })
      return
    }
    if (options.principal !== undefined) this.principal = options.principal
    const kept = this.#leave({ reason: 'replaced' })
    this.#downstream = downstream
    this.#kind = downstream.kind
    this.#lastSent = this.#lastSeen = this.#host.wheel.now()
    this.#probed = 0
    if (options.resumed) this.#resume(kept, options.after)
    else if (downstream.greets) this.#outbox.addFirst([this.#hello(false)])
    this.#host.wheel.set(this.#timer, this.#host.settings.heartbeat.interval)
    this.#host.arrived(this)
    this.#host.outlet.note(this)
  }

  /**
   * The transport is gone.
   * @param clean the client said good-bye: who asked it something need not wait.
   */
  detach(downstream: Downstream, clean = false): void {
    if (this.#downstream !== downstream) return
    this.#downstream = undefined
    if (this.view) return this.end()
    this.#fallBehind()
    if (clean) this.#questions?.lost()
    this.#host.wheel.set(this.#timer, this.#host.settings.expire)
  }

  /** The transport has room again. */
  drained(): void {
    this.seen()
    if (!this.#outbox.empty || !this.#follower.live) this.#host.outlet.note(this)
  }

  /** The other end gave a sign of life. */
  seen(): void {
    this.#lastSeen = this.#host.wheel.now()
  }

  /** The client is known to have everything up to `offset`. */
  confirm(offset: number): void {
    this.#follower.confirm(offset)
  }

  /** Closes the transport with `::bye` and ends the session for good. */
  end(farewell: Farewell = { reason: 'closed' }): void {
    if (this.#ended) return
    this.#ended = true
    const downstream = this.#downstream
    this.#downstream = undefined
    downstream?.close(farewell)
    this.#host.wheel.clear(this.#timer)
    // some updates may be on their way to it still
    this.#follower.detached()
    this.#outbox.clear()
    this.#questions?.lost()
    this.#asks?.close()
    this.#host.ended(this)
  }

  /** Closes the transport with `::bye`; the session waits for the client to come back. */
  dismiss(farewell: Farewell): void {
    const downstream = this.#downstream
    if (downstream === undefined) return
    downstream.close(farewell)
    this.detach(downstream)
  }

  /** Its transport failed: lets go of it. The session waits for the client to come back. */
  failed(): void {
    const downstream = this.#downstream
    if (downstream === undefined) return
    this.detach(downstream)
    downstream.close({ reason: 'dead', retryAfter: 0 })
  }

  /** Sends the client a control update. */
  tell(path: string, value: unknown): void {
    this.#push(control(path, value, this.watermark))
  }

  /** Sends the client a control update that has fields of its own. */
  tellMessage(path: string, message: Message): void {
    this.#push(new Update(path, message, 0, this.watermark))
  }

  /** Takes an answer of the client. False if that was not asked of it. */
  answer(token: string, message: Message): boolean {
    return this.#questions?.answer(token, message) ?? false
  }

  /** What this client asks of others. */
  get asks(): Asks {
    this.#asks ??= new Asks({
      ask: (question, answered) => this.#host.ask(question, answered),
      reply: (path, message) => this.tellMessage(path, message),
    })
    return this.#asks
  }

  grant(pattern: string): void {
    this.#grants ??= []
    if (!this.#grants.includes(pattern)) this.#grants.push(pattern)
  }

  revoke(pattern: string): void {
    this.#grants = this.#grants?.filter((granted) => granted !== pattern)
  }

  granted(pattern: string): boolean {
    return this.#grants?.some((granted) => this.#host.covers(granted, pattern)) ?? false
  }

  /** Sends what waits, as far as the transport takes it. The outlet calls this. */
  flush(now: number): void {
    const downstream = this.#downstream
    if (downstream === undefined) return
    for (;;) {
      const { room } = downstream
      if (room <= 0) return
      if (this.#dropped !== undefined) this.#tellDropped(this.#dropped)
      if (this.#outbox.empty) {
        if (this.#reading || this.#follower.live) return
        this.#read(room)
        if (this.#outbox.empty && this.#follower.live) return
        if (this.#outbox.empty && this.#reading) return
        continue
      }
      const batch = this.#outbox.take(room)
      this.#host.counters.deliveries += batch.length
      this.#lastSent = now
      downstream.send(batch)
      if (this.#downstream !== downstream) return
      if (this.#outbox.empty && this.#follower.live) return
    }
  }

  /** Heartbeat while attached, expiry while not. The timing wheel calls this. */
  expired(): void {
    const downstream = this.#downstream
    if (downstream === undefined) return this.end()
    const { interval, timeout } = this.#host.settings.heartbeat
    const now = this.#host.wheel.now()
    if (this.#probed > 0) {
      if (this.#lastSeen < this.#probed) return this.dismiss({ reason: 'dead', retryAfter: 0 })
      this.#probed = 0
    }
    const idle = now - this.#lastSent
    const unheard = now - this.#lastSeen
    const full = downstream.room <= 0
    if (idle >= interval && !full && downstream.pings) this.#push(control(PING, {}, this.watermark))
    if ((full || unheard >= interval) && (downstream.probe() || full)) {
      this.#probed = now
      this.#host.wheel.set(this.#timer, timeout)
    } else {
      const since = Math.max(idle < interval ? idle : 0, unheard < interval ? unheard : 0)
      this.#host.wheel.set(this.#timer, interval - since)
    }
  }

  control(path: string, message: unknown, at: string): void {
    if (path === GAP) this.#host.counters.gaps++
    this.#outbox.add(control(path, message, at))
  }

  replay(update: Update, at: string): void {
    const own = update.meta.origin === this.id
    if (own && update.meta.exclude) return
    const mark = own ? Mark.own | Mark.replay : Mark.replay
    this.#outbox.add(new Update(update.path, update, update.offset, at, mark))
  }

  #deliver(update: Update): void {
    if (!this.#follower.live) return
    let entry = update
    if (update.meta.origin === this.id) {
      if (update.meta.exclude) return
      entry = update.own()
    }
    const policy = this.#host.policyOf(update.path)
    if (policy === 'conflate' && update.meta.key !== undefined) this.#outbox.conflate(entry)
    else this.#outbox.add(entry)
    if (this.#outbox.exceeded) this.#overflow(policy)
    if (!this.noted) this.#host.outlet.note(this)
  }

  #push(update: Update): void {
    if (this.#ended) return
    this.#follower.told()
    this.#outbox.add(update)
    // unlike an update of the log it cannot be had again: first it gets the chance to leave
    if (this.#outbox.exceeded) this.flush(this.#host.wheel.now())
    if (this.#outbox.exceeded) this.#overflow('catch-up')
    this.#host.outlet.note(this)
  }

  #overflow(policy: string): void {
    this.#host.counters.overflows++
    if (policy === 'drop-oldest') {
      this.#drop(this.#outbox.dropOldest())
    } else if (policy === 'disconnect') {
      this.dismiss({ reason: 'slow', retryAfter: 1000 })
    }
    if (!this.#outbox.exceeded) return
    this.#fallBehind('slow')
    // what is left cannot be had again from the log
    if (this.#outbox.bytes > this.#host.settings.outbox)
      this.end({ reason: 'slow', retryAfter: 1000 })
  }

  /** Lets the log keep the updates that wait. */
  #fallBehind(reason?: 'slow'): void {
    const first = this.#outbox.firstUpdate
    if (reason !== 'slow') this.#follower.detached()
    else if (first !== undefined) this.#follower.rewind(first)
    const at = this.watermark
    this.#outbox.dropUpdates((update) => restamped(update, at))
  }

  #leave(farewell: Farewell): readonly Update[] {
    const former = this.#downstream
    if (former === undefined) return []
    this.#downstream = undefined
    return former.close(farewell)
  }

  /** Hello, what was kept, unanswered questions; the log follows as it is read. */
  #resume(unconfirmed: readonly Update[], after: string | undefined): void {
    this.#host.counters.resumed++
    // the log still has it
    this.#dropped = undefined
    const kept = unconfirmed.filter(isKept)
    this.#outbox.dropUpdates((update) => {
      if (isKept(update)) kept.push(update)
      return undefined
    })
    kept.push(...(this.#questions?.again() ?? []))
    this.#follower.resume(after)
    const at = this.watermark
    const hello = this.#downstream?.greets ? [this.#hello(true)] : []
    this.#outbox.addFirst([...hello, ...kept.map((update) => restamped(update, at))])
    this.#host.resumed(this)
  }

  #hello(resumed: boolean): Update {
    this.#follower.told()
    const at = this.watermark
    const { interval } = this.#host.settings.heartbeat
    const patterns = JSON.stringify([...this.patterns.keys()])
    // put together by hand: in a storm of handshakes the general way is what costs
    const text = `{"id":"${this.id}","resume":"${this.secret}","version":${VERSION},"heartbeat":${interval},"at":"${at}","patterns":${patterns},"resumed":${resumed}}`
    return new Update(HELLO, makeMessage(text), 0, at)
  }

  #read(room: number): void {
    const request = this.#follower.next(Math.min(room, this.#host.settings.outbox))
    if (request === undefined) return
    this.#reading = true
    this.#host.engine.read(request, (result) => {
      this.#reading = false
      if (this.#downstream === undefined || this.#ended) return
      this.#follower.took(request, result)
      this.#host.outlet.note(this)
    })
  }

  #drop(updates: readonly Update[]): void {
    const [first] = updates
    if (first === undefined) return
    this.#dropped ??= { paths: new Set(), after: this.#follower.before(first) }
    for (const { path } of updates) this.#dropped.paths.add(path)
  }

  #tellDropped({ paths, after }: Dropped): void {
    this.#dropped = undefined
    const first = this.#outbox.firstUpdate
    const at = first === undefined ? this.watermark : this.#follower.before(first)
    this.#host.counters.gaps++
    const message = { patterns: [...paths], after, at, reason: 'dropped' }
    this.#outbox.addFirst([control(GAP, message, at)])
  }

  #connected(pattern: string, after: string | undefined): void {
    const at = this.#follower.connect(pattern, after)
    const text = `{"pattern":${JSON.stringify(pattern)},"at":"${at}"}`
    this.#push(new Update(CONNECTED, makeMessage(text), 0, at))
  }

  #disconnected(pattern: string): void {
    this.#follower.disconnect(pattern)
    this.tell(DISCONNECTED, { pattern, at: this.watermark })
  }

  /** Would a question of so many bytes take more than the outbox has room for? */
  #isBusy(size: number): boolean {
    const { outbox } = this.#host.settings
    if (this.#outbox.bytes + size <= outbox) return false
    this.flush(this.#host.wheel.now())
    const room = this.#downstream?.room ?? 0
    return this.#outbox.bytes + size > outbox && (!this.#outbox.empty || room <= 0)
  }

  #question(path: string, message: Message): void {
    this.#host.counters.questions++
    if (this.#isBusy(sizeOf(message.body))) {
      const { reply } = message.meta
      const detail = 'too much waits for this client already; ask again in a moment'
      const busy = outcome(Code.absent, 503, 'CLIENT_BUSY', detail)
      if (reply !== undefined) this.#host.update(this, reply, busy)
      return
    }
    this.#questions ??= new Questions({
      push: (update) => this.#push(update),
      update: (to, answer) => this.#host.update(this, to, answer),
      watermark: () => this.watermark,
      now: () => this.#host.wheel.now(),
    })
    const { body, type } = message
    // a client speaks JSON frames: bytes and text travel, a stream cannot
    const sendable = typeof body === 'string' || body instanceof Uint8Array
    this.#questions.put(path, sendable ? message : makeMessage('', type ?? TEXT_TYPE, message.meta))
  }
}

/** Control that a resume makes anew from what it finds then. */
const MADE_ANEW: readonly string[] = [HELLO, PING, GAP, RESUMED]

/** Does a resume send it again as it was? The log has updates, and questions are kept until they are answered. */
function isKept({ offset, path, meta }: Update): boolean {
  const isQuestion = isDirectPath(path) && meta.reply !== undefined
  return offset === 0 && !isQuestion && !MADE_ANEW.includes(path)
}
