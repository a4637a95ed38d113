/**
 * One life of a client, step by step, and the books of it in the plainest form: a list of what was published, the
 * patterns that the client wants with the offset from which on each is owed, what arrived, which gaps were told.
 * The promise of the hub: each update once and in order, nothing missing without a gap that names the pattern, and
 * no position before all that is owed up to it has arrived.
 */
import assert from 'node:assert/strict'
import type { Update } from '@sapwood/core'
import {
  bodyValue,
  CONNECT,
  CONNECTED,
  connection,
  DISCONNECT,
  isPlainPath,
  jsonMessage,
  matches,
} from '@sapwood/core'
import type {
  Engine,
  EngineEvents,
  HubOptions,
  Policy,
  ReadRequest,
  ReadResult,
  Session,
} from '@sapwood/hub'
import { GAP, hub, MemoryEngine, parsePosition } from '@sapwood/hub'
import { FakeClock, RecordingComponent } from '@sapwood/testkit'
import { Pipe } from './pipe.ts'

export const PATHS = ['a', 'a/b', 'a/c', 'b', 'b/c/d']
export const PATTERNS = ['a', 'a/b', 'b', '*', 'a/*', 'a/**', 'b/**', '**', 'nobody']
export const EPOCH = '00000000000000aa'

/** Where a subscription is to begin. */
export type After =
  | { readonly from: 'now' }
  /** A position that the client saw, counted from the newest. */
  | { readonly from: 'seen'; readonly back: number }
  /** A position of this log, counted from the newest. */
  | { readonly from: 'log'; readonly back: number }
  /** Nothing that this log has said. */
  | { readonly from: 'nowhere'; readonly text: string }

export type Step =
  | {
      readonly do: 'publish'
      readonly path: number
      readonly count: number
      readonly size: number
      readonly mine: 'no' | 'own' | 'exclude'
    }
  | { readonly do: 'connect'; readonly pattern: number; readonly after: After }
  | { readonly do: 'disconnect'; readonly pattern: number }
  /** The hub sends what waits. */
  | { readonly do: 'flush' }
  | { readonly do: 'arrive'; readonly count: number }
  | { readonly do: 'room'; readonly capacity: number }
  /** Comes back, or moves. `cut`: so many frames still arrive of what is on the way. */
  | { readonly do: 'resume'; readonly cut: number; readonly over: boolean; readonly bare: boolean }
  /** Is away for so long that its session has ended, and asks for everything anew. */
  | { readonly do: 'renew'; readonly cut: number }
  | { readonly do: 'pass'; readonly ms: number }
  /** The engine answers the reads that wait. */
  | { readonly do: 'answer' }

export interface Life {
  readonly steps: readonly Step[]
  readonly history: { readonly count: number; readonly pathCount: number; readonly age: number }
  readonly outbox: number
  readonly policy: Policy
  readonly capacity: number
  /** Does the engine answer reads later, as one on another machine does? */
  readonly late: boolean
  /** Does the transport confirm, as long polls do? */
  readonly confirms: boolean
}

interface Published {
  readonly offset: number
  readonly path: string
  readonly body: unknown
  /** Excluded from its own copies, or, once its session is gone, free to come or not. */
  mine: 'no' | 'own' | 'exclude' | 'either'
  got: number
  /** It may come again: what brought it is not wanted any more, or was told as lost. */
  repeatable: boolean
}

interface Wanted {
  /** What has a higher offset is owed. */
  from: number
  /** What the client said when it asked for it. */
  after: string | undefined
  /** Nothing is known of the position that it said, and it was not told yet. */
  unknown: boolean
}

interface Gap {
  readonly patterns: readonly string[]
  readonly after: string
  readonly at: string
  readonly reason: string
}

/** Answers reads when it is told to, from what it has by then or had when it was asked. */
class LateEngine implements Engine {
  readonly #engine: Engine
  readonly #reads: (() => void)[] = []

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get epoch(): string {
    return this.#engine.epoch
  }
  get head(): number {
    return this.#engine.head
  }
  get oldest(): number {
    return this.#engine.oldest
  }
  get count(): number {
    return this.#engine.count
  }
  get bytes(): number {
    return this.#engine.bytes
  }
  open(events: EngineEvents): void {
    this.#engine.open(events)
  }
  append(...args: Parameters<Engine['append']>): void {
    this.#engine.append(...args)
  }
  read(request: ReadRequest, done: (result: ReadResult) => void): void {
    if (this.#reads.length % 2 === 0) {
      this.#engine.read(request, (result) => this.#reads.push(() => done(result)))
    } else this.#reads.push(() => this.#engine.read(request, done))
  }
  /** Says whether there was anything to answer. */
  answer(): boolean {
    const reads = this.#reads.splice(0)
    for (const read of reads) read()
    return reads.length > 0
  }
  close(): void {
    this.#engine.close()
  }
}

export class SessionLife {
  readonly #life: Life
  readonly #clock = new FakeClock(1_000)
  readonly #engine: MemoryEngine
  readonly #late: LateEngine
  readonly #hub
  readonly #publisher = new RecordingComponent('publisher')
  readonly #published: Published[] = []
  readonly #wanted = new Map<string, Wanted>()
  /** Everything that was ever wanted, with the lowest offset. */
  readonly #everWanted = new Map<string, number>()
  readonly #gaps: { readonly gap: Gap; readonly until: number }[] = []
  readonly #seen: string[] = []
  /** Confirmations that are to come, of each pattern, and how many of them still wait in the hub. */
  readonly #open = new Map<string, number>()
  readonly #queued = new Map<string, number>()
  /** How far the log was when each frame was sent. */
  readonly #sentAt = new Map<Update, number>()
  #session: Session
  #pipe: Pipe
  /** In this connection: the last offset that came of each pattern. */
  #last = new Map<string, number>()
  #cursor: string | undefined
  #capacity: number
  #renewed = false
  /** Has the client seen anything of its session? */
  #met = false

  constructor(life: Life) {
    this.#life = life
    this.#engine = new MemoryEngine(this.#clock, { epoch: EPOCH, bytes: 1e9, ...life.history })
    this.#late = new LateEngine(this.#engine)
    this.#capacity = life.capacity
    const options: HubOptions = {
      clock: this.#clock,
      engine: life.late ? this.#late : this.#engine,
      public: ['**'],
      session: {
        outbox: life.outbox,
        expire: 1e9,
        policies: [{ path: '**', policy: life.policy }],
      },
      heartbeat: { interval: 1e9, timeout: 1e9 },
    }
    this.#hub = hub(options)
    this.#session = this.#newSession()
    this.#pipe = this.#attach(false)
  }

  /** @throws AssertionError when a promise was broken. */
  async run(): Promise<void> {
    try {
      for (const step of this.#life.steps) this.#step(step)
      this.#finish()
    } finally {
      await this.#hub.close()
      // what the hub put off to a later turn would keep it alive
      await new Promise(setImmediate)
    }
  }

  get #head(): number {
    return this.#engine.head
  }

  #newSession(): Session {
    return this.#hub.open({ principal: { id: 'anyone', trusted: false } })
  }

  #attach(resumed: boolean, after?: string): Pipe {
    const pipe = new Pipe(this.#session, {
      capacity: this.#capacity,
      confirms: this.#life.confirms,
    })
    pipe.onSend = (updates) => {
      for (const update of updates) {
        this.#sentAt.set(update, this.#head)
        if (update.path === CONNECTED) add(this.#queued, patternOf(update), -1)
      }
    }
    this.#last = new Map()
    this.#session.attach(pipe, after === undefined ? { resumed } : { resumed, after })
    return pipe
  }

  #step(step: Step): void {
    switch (step.do) {
      case 'publish':
        for (let i = 0; i < step.count; i++) this.#publish(step.path, step.size, step.mine)
        break
      case 'connect':
        this.#connect(PATTERNS[step.pattern % PATTERNS.length] as string, this.#text(step.after))
        break
      case 'disconnect':
        this.#disconnect(step.pattern)
        break
      case 'flush':
        this.#hub.outlet.flush()
        break
      case 'arrive':
        this.#take(this.#pipe.arrive(step.count))
        break
      case 'room':
        this.#capacity = this.#pipe.capacity = step.capacity
        this.#session.drained()
        break
      case 'resume':
        this.#take(this.#pipe.arrive(step.cut))
        this.#resume(step.over, step.bare)
        break
      case 'renew':
        this.#take(this.#pipe.arrive(step.cut))
        this.#renew()
        break
      case 'pass':
        this.#clock.advance(step.ms)
        break
      case 'answer':
        this.#late.answer()
        break
    }
  }

  #publish(path: number, size: number, mine: 'no' | 'own' | 'exclude'): void {
    const meta = {
      ...(mine !== 'no' && { origin: this.#session.id }),
      ...(mine === 'exclude' && { exclude: true }),
    }
    const said = jsonMessage(`${this.#head + 1} ${'x'.repeat(size)}`, meta)
    const where = PATHS[path % PATHS.length] as string
    this.#hub.update(this.#publisher, where, said)
    const { length } = this.#published
    const published = { offset: this.#head, path: where, body: said.body, mine }
    this.#published.push({ ...published, got: 0, repeatable: false })
    assert.equal(this.#head, length + 1)
  }

  #text(after: After): string | undefined {
    if (after.from === 'now') return undefined
    if (after.from === 'nowhere') return after.text
    if (after.from === 'seen') return this.#seen.at(-1 - after.back) ?? this.#seen[0]
    return `${EPOCH}-${Math.max(0, this.#head - after.back)}`
  }

  #connect(pattern: string, after: string | undefined): void {
    const former = this.#wanted.get(pattern)
    const known = this.#isKnown(after)
    const position = known ? parsePosition(after as string)?.offset : undefined
    const from = position ?? former?.from ?? this.#head
    // a session does not know what a former one gave
    if (this.#renewed && position !== undefined) {
      this.#repeatable((each) => each.offset > position && matches(pattern, each.path))
    }
    const lowest = Math.min(from, former?.from ?? from)
    this.#wanted.set(pattern, {
      from: lowest,
      after: known ? `${EPOCH}-${lowest}` : (after ?? former?.after),
      unknown: after !== undefined && !known,
    })
    add(this.#open, pattern, 1)
    add(this.#queued, pattern, 1)
    this.#everWanted.set(pattern, Math.min(from, this.#everWanted.get(pattern) ?? from))
    this.#hub.update(this.#publisher, CONNECT, connection(this.#session.id, pattern, after))
  }

  /** Is a confirmation still to come? */
  #isOpen(pattern: string): boolean {
    return (this.#open.get(pattern) ?? 0) > 0
  }

  /** A new connection: confirmations on their way are lost. Returns the patterns that wait for one. */
  #startAnew(): Set<string> {
    const open = new Set([...this.#wanted.keys()].filter((pattern) => this.#isOpen(pattern)))
    for (const pattern of this.#open.keys()) {
      this.#open.set(pattern, this.#queued.get(pattern) ?? 0)
    }
    return open
  }

  #isKnown(after: string | undefined): boolean {
    const position = after === undefined ? undefined : parsePosition(after)
    return position?.epoch === EPOCH && position.offset <= this.#head
  }

  #disconnect(which: number): void {
    const pattern = [...this.#wanted.keys()][which % (this.#wanted.size || 1)]
    if (pattern === undefined) return
    this.#wanted.delete(pattern)
    this.#repeatable((each) => matches(pattern, each.path))
    this.#hub.update(this.#publisher, DISCONNECT, connection(this.#session.id, pattern))
  }

  #repeatable(which: (each: Published) => boolean): void {
    for (const each of this.#published) each.repeatable ||= which(each)
  }

  #resume(over: boolean, bare: boolean): void {
    // what a transport knows not to have arrived is sent again: to the books that is as if it waited
    if (over && this.#life.confirms) {
      for (const [pattern, open] of this.#open) this.#queued.set(pattern, open)
    }
    if (!over) this.#pipe.cut()
    // who has seen nothing of a session does not know what resumes it
    if (this.#session.ended || !this.#met) return this.#renew()
    // without a position it begins where everything is known to have arrived; nobody says where that is
    if (bare || this.#cursor === undefined) this.#repeatable(() => true)
    this.#pipe = this.#attach(true, bare ? undefined : this.#cursor)
    // who has no confirmation cannot know whether its request arrived, and asks again
    const open = this.#startAnew()
    for (const [pattern, wanted] of [...this.#wanted]) {
      if (!open.has(pattern)) continue
      this.#connect(pattern, wanted.after)
    }
  }

  #renew(): void {
    this.#renewed = true
    this.#met = false
    this.#session.end()
    this.#session = this.#newSession()
    this.#pipe = this.#attach(false)
    const open = this.#startAnew()
    this.#open.clear()
    this.#queued.clear()
    const since = this.#cursor === undefined ? 0 : (parsePosition(this.#cursor)?.offset ?? 0)
    this.#repeatable(({ offset }) => offset > since)
    for (const each of this.#published) if (each.mine === 'exclude') each.mine = 'either'
    for (const [pattern, wanted] of [...this.#wanted]) {
      // what was not confirmed is asked for once more as it was
      const isOpen = open.has(pattern)
      const after = isOpen || wanted.unknown ? wanted.after : this.#cursor
      const { from } = wanted
      if (isOpen) this.#repeatable(({ offset }) => offset > from)
      // nobody says any more what was owed: from now on, or a gap
      if (!this.#isKnown(after)) this.#wanted.delete(pattern)
      this.#connect(pattern, after)
      const now = this.#wanted.get(pattern) as Wanted
      now.after = after
      now.unknown ||= wanted.unknown
    }
  }

  #take(frames: readonly Update[]): void {
    for (const frame of frames) {
      this.#met = true
      if (frame.path === GAP) this.#takeGap(frame)
      if (frame.path === CONNECTED) {
        const pattern = patternOf(frame)
        add(this.#open, pattern, -1)
        // it may have been asked for from further back: in this connection its order begins here
        this.#last.delete(pattern)
      }
      if (isPlainPath(frame.path)) this.#takeUpdate(frame)
      const position = parsePosition(frame.at)
      assert.ok(position, `${frame.path} came without a position: ${frame.at}`)
      this.#cursor = frame.at
      this.#seen.push(frame.at)
      for (const pattern of this.#wanted.keys()) {
        const isTrue =
          this.#isOpen(pattern) || this.#missing(pattern, position.offset) === undefined
        assert.ok(isTrue, `${frame.path} told ${frame.at} before ${pattern} had all up to there`)
      }
    }
  }

  #takeGap(frame: Update): void {
    const gap = bodyValue(frame) as Gap
    assert.equal(gap.at, frame.at)
    const until = this.#sentAt.get(frame) ?? 0
    this.#gaps.push({ gap, until })
    const after = parsePosition(gap.after)
    for (const pattern of gap.patterns) {
      const wanted = this.#wanted.get(pattern)
      if (gap.reason === 'unknown' || gap.reason === 'restart') {
        if (wanted) wanted.unknown = false
      } else if (gap.reason !== 'dropped') this.#mustBeLost(pattern, after?.offset ?? 0)
    }
    this.#repeatable((each) => gap.patterns.some((pattern) => matches(pattern, each.path)))
  }

  /** A gap without a loss is told only to who stands before the oldest that is there. */
  #mustBeLost(pattern: string, after: number): void {
    if (after < this.#engine.oldest) return
    const there = new Set<number>()
    const interests = [{ pattern, since: this.#engine.oldest }]
    for (const path of PATHS) {
      this.#engine.read(
        { interests: [{ pattern: path, since: this.#engine.oldest }], after: 0, bytes: 1e9 },
        ({ updates }) => {
          for (const { offset } of updates) there.add(offset)
        },
      )
    }
    assert.ok(interests.length)
    const lost = this.#published.some(
      ({ offset, path }) => offset > after && matches(pattern, path) && !there.has(offset),
    )
    assert.ok(lost, `a gap of ${pattern} after ${after} was told, but nothing is lost`)
  }

  #takeUpdate(frame: Update): void {
    const { offset, path, body } = frame
    const published = this.#published[offset - 1]
    assert.ok(published)
    assert.deepEqual([path, body], [published.path, published.body])
    assert.equal(parsePosition(frame.at)?.offset, offset)
    assert.notEqual(published.mine, 'exclude', `${offset} came though it was excluded`)
    const owed = [...this.#everWanted].some(
      ([pattern, from]) => from < offset && matches(pattern, path),
    )
    assert.ok(owed, `${offset} came though nobody asked for it`)
    published.got++
    if (!published.repeatable) assert.equal(published.got, 1, `${offset} on ${path} came again`)
    for (const [pattern, { from }] of this.#wanted) {
      if (offset <= from || !matches(pattern, path)) continue
      const last = this.#last.get(pattern) ?? 0
      const inOrder = offset > last || published.repeatable
      assert.ok(inOrder, `${offset} of ${pattern} came behind ${last}`)
      this.#last.set(pattern, offset)
    }
  }

  /** What is owed of `pattern` up to `until`, has not come, and was not told as lost. */
  #missing(pattern: string, until: number): Published | undefined {
    const { from } = this.#wanted.get(pattern) as Wanted
    return this.#published.find(
      ({ offset, path, got, mine }) =>
        offset > from &&
        offset <= until &&
        got === 0 &&
        mine !== 'exclude' &&
        mine !== 'either' &&
        matches(pattern, path) &&
        !this.#isTold(pattern, path, offset),
    )
  }

  #isTold(pattern: string, path: string, offset: number): boolean {
    return this.#gaps.some(({ gap, until }) => {
      const after = parsePosition(gap.after)
      const from = after?.epoch === EPOCH ? after.offset : 0
      // what a policy dropped is told by its path
      const named =
        gap.patterns.includes(pattern) ||
        (gap.reason === 'dropped' && gap.patterns.includes(path) && matches(pattern, path))
      return named && offset > from && offset <= until
    })
  }

  #finish(): void {
    this.#capacity = Number.POSITIVE_INFINITY
    if (this.#session.ended || this.#pipe.farewell !== undefined) this.#resume(false, false)
    else {
      this.#pipe.capacity = this.#capacity
      this.#session.drained()
    }
    for (let more = true; more; ) {
      this.#hub.outlet.flush()
      const answered = this.#late.answer()
      this.#hub.outlet.flush()
      const came = this.#pipe.arrive()
      this.#take(came)
      more = came.length > 0 || answered
    }
    for (const [pattern, { unknown }] of this.#wanted) {
      assert.deepEqual(this.#missing(pattern, this.#head), undefined, `${pattern} misses`)
      assert.ok(!unknown, `${pattern} from an unknown position was not told as a gap`)
      assert.ok(this.#session.patterns.has(pattern), `${pattern} is not held`)
    }
    assert.equal(this.#session.watermark.split('.')[0], `${EPOCH}-${this.#head}`)
    assert.equal(this.#hub.budget.used, 0)
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  counts.set(key, (counts.get(key) ?? 0) + change)
}

function patternOf(connected: Update): string {
  return (bodyValue(connected) as { pattern: string }).pattern
}
