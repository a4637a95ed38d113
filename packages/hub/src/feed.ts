/**
 * What one session is owed and was not sent yet: what waits in the outbox, what the log still has, and what is told
 * in the place of either. A live session's updates go to the outbox as they come; one that is behind has them read
 * from the log as its transport takes them.
 *
 * Invariant: it holds at most the outbox limit, updates leave in the order of their offsets, and whatever it cannot
 * give is told as `::gap`.
 */
import type { Component, Downstream, Farewell } from '@sapwood/core'
import { GAP, Mark, Update } from '@sapwood/core'
import { control, restamped } from './control.ts'
import type { FollowerOutput } from './follower.ts'
import { Follower } from './follower.ts'
import { Outbox } from './outbox.ts'
import type { Flushable } from './outlet.ts'
import type { SessionHost } from './session-host.ts'

/** The session that a feed belongs to. */
export interface FeedOwner extends Component, Flushable {
  readonly ended: boolean
  dismiss(farewell: Farewell): void
  end(farewell: Farewell): void
}

/** What a `drop-oldest` policy took, until the client is told. */
interface Dropped {
  readonly paths: Set<string>
  /** The position in front of the first. */
  readonly after: string
}

export class Feed implements FollowerOutput {
  /** The transport, while there is one. */
  downstream: Downstream | undefined
  readonly follower: Follower
  readonly #host: SessionHost
  readonly #owner: FeedOwner
  readonly #outbox: Outbox
  #dropped: Dropped | undefined
  #reading = false

  /** @param resumable false for a client that never comes back. */
  constructor(host: SessionHost, owner: FeedOwner, resumable: boolean) {
    this.#host = host
    this.#owner = owner
    this.#outbox = new Outbox(host.budget, host.settings.outbox)
    this.follower = new Follower(host.engine, this, resumable)
  }

  /** All that is owed up to here was queued. */
  get watermark(): string {
    return this.follower.watermark
  }

  /** The offset up to which everything was handed to the transport. */
  get sent(): number {
    const waiting = this.#outbox.firstUpdate
    if (waiting !== undefined) return waiting.offset - 1
    return this.follower.live ? this.#host.engine.head : 0
  }

  /** Nothing waits, and the log has no more. */
  get done(): boolean {
    return this.#outbox.empty && this.follower.live
  }

  /** Takes an update that was published just now. */
  deliver(update: Update): void {
    if (!this.follower.live) return
    let entry = update
    if (update.meta.origin === this.#owner.id) {
      if (update.meta.exclude) return
      entry = update.own()
    }
    const policy = this.#host.policyOf(update.path)
    if (policy === 'conflate' && update.meta.key !== undefined) this.#outbox.conflate(entry)
    else this.#outbox.add(entry)
    if (this.#outbox.exceeded) this.#overflow(policy)
    if (!this.#owner.noted) this.#host.outlet.note(this.#owner)
  }

  /** Takes control: unlike an update of the log it cannot be had again. */
  push(update: Update): void {
    if (this.#owner.ended) return
    this.follower.told()
    this.#outbox.add(update)
    // first it gets the chance to leave
    if (this.#outbox.exceeded) this.#owner.flush(this.#host.wheel.now())
    if (this.#outbox.exceeded) this.#overflow('catch-up')
    this.#host.outlet.note(this.#owner)
  }

  /** Puts control in front of all that waits. */
  pushFirst(updates: readonly Update[]): void {
    this.#outbox.addFirst(updates)
  }

  /** The follower tells the client something. */
  control(path: string, message: unknown, at: string): void {
    if (path === GAP) this.#host.counters.gaps++
    this.#outbox.add(control(path, message, at))
  }

  /** The follower gives the client an update of the log. */
  replay(update: Update, at: string): void {
    const own = update.meta.origin === this.#owner.id
    if (own && update.meta.exclude) return
    const mark = own ? Mark.own | Mark.replay : Mark.replay
    this.#outbox.add(new Update(update.path, update, update.offset, at, mark))
  }

  /** Sends what waits, as far as the transport takes it. Returns true if anything was sent. */
  flush(): boolean {
    const { downstream } = this
    let sent = false
    while (downstream !== undefined && downstream === this.downstream) {
      const { room } = downstream
      if (room <= 0) break
      if (this.#dropped !== undefined) this.#tellDropped(this.#dropped)
      if (this.#outbox.empty) {
        if (this.#reading || this.follower.live) break
        this.#read(room)
        if (this.#outbox.empty && (this.#reading || this.follower.live)) break
        continue
      }
      const batch = this.#outbox.take(room)
      this.#host.counters.deliveries += batch.length
      sent = true
      downstream.send(batch)
      if (this.done) break
    }
    return sent
  }

  /** Lets the log keep the updates that wait: the transport is gone. */
  detached(): void {
    this.follower.detached()
    this.#letGo()
  }

  /**
   * The client came back, and saw all up to `after`: the log is read from there.
   * Returns the control that was waiting, which is the caller's now.
   */
  resume(after: string | undefined): Update[] {
    // the log still has it
    this.#dropped = undefined
    const waiting: Update[] = []
    this.#outbox.dropUpdates((update) => {
      waiting.push(update)
      return undefined
    })
    this.follower.resume(after)
    return waiting
  }

  /** Would so many bytes more be too much, though what can leave has left? */
  isBusy(bytes: number): boolean {
    const { outbox } = this.#host.settings
    if (this.#outbox.bytes + bytes <= outbox) return false
    this.#owner.flush(this.#host.wheel.now())
    const room = this.downstream?.room ?? 0
    return this.#outbox.bytes + bytes > outbox && (!this.#outbox.empty || room <= 0)
  }

  /** The session is over. */
  end(): void {
    this.downstream = undefined
    // some updates may be on their way to it still
    this.follower.detached()
    this.#outbox.clear()
  }

  #overflow(policy: string): void {
    this.#host.counters.overflows++
    if (policy === 'drop-oldest') {
      // the operator let these paths lose something, and no others
      this.#drop(this.#outbox.dropOldest(({ path }) => this.#host.policyOf(path) === policy))
    } else if (policy === 'disconnect') {
      this.#owner.dismiss({ reason: 'slow', retryAfter: 1000 })
    }
    if (!this.#outbox.exceeded) return
    const first = this.#outbox.firstUpdate
    if (first !== undefined) this.follower.rewind(first)
    this.#letGo()
    // what is left cannot be had again from the log
    if (this.#outbox.bytes > this.#host.settings.outbox)
      this.#owner.end({ reason: 'slow', retryAfter: 1000 })
  }

  #letGo(): void {
    const at = this.watermark
    this.#outbox.dropUpdates((update) => restamped(update, at))
  }

  #read(room: number): void {
    const request = this.follower.next(Math.min(room, this.#host.settings.outbox))
    if (request === undefined) return
    this.#reading = true
    this.#host.engine.read(request, (result) => {
      this.#reading = false
      if (this.downstream === undefined || this.#owner.ended) return
      this.follower.took(request, result)
      this.#host.outlet.note(this.#owner)
    })
  }

  #drop(updates: readonly Update[]): void {
    const [first] = updates
    if (first === undefined) return
    this.#dropped ??= { paths: new Set(), after: this.follower.before(first) }
    for (const { path } of updates) this.#dropped.paths.add(path)
  }

  #tellDropped({ paths, after }: Dropped): void {
    this.#dropped = undefined
    const first = this.#outbox.firstUpdate
    const at = first === undefined ? this.watermark : this.follower.before(first)
    this.#host.counters.gaps++
    const message = { patterns: [...paths], after, at, reason: 'dropped' }
    this.pushFirst([control(GAP, message, at)])
  }
}
