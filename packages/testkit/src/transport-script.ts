/**
 * One random life of a client: it subscribes, reads or does not read, is cut off, comes back, moves to another
 * connection, while others publish. A plain model keeps the books: what was published, what the client is owed,
 * what it got. The promise: each update once, in order, nothing missing without a `::gap`, and no position told
 * before everything owed up to it has arrived.
 */
import type { Message } from '@sapwood/core'
import {
  bodyValue,
  CONNECT,
  connection,
  DISCONNECT,
  isPlainPath,
  jsonMessage,
  matches,
} from '@sapwood/core'
import type { HubOptions } from '@sapwood/hub'
import { BYE, GAP, parsePosition } from '@sapwood/hub'
import type { Frame } from '@sapwood/wire'
import { randomNumbers } from './random.ts'
import { RecordingComponent } from './recording-component.ts'
import type { MakeTransport, TransportCase, TransportClient } from './transport-case.ts'

interface Published {
  readonly offset: number
  readonly path: string
  readonly body: Message['body']
  /** Not asked for any more before it arrived: it may come or not. */
  optional: boolean
  got: boolean
  /** It came, or is on its way, through a pattern that is held no more: a later one may bring it again. */
  repeatable: boolean
}

interface Gap {
  readonly patterns: readonly string[]
  readonly after: string
  /** What is lost was published before the gap arrived. */
  readonly until: number
}

const PATHS = ['a', 'a/b', 'a/c', 'b', 'b/c/d', 'c']
const PATTERNS = ['a', 'a/b', 'b', 'c', '*', 'a/*', 'a/**', 'b/**', '*/c/*', '**']

export class TransportScript {
  readonly #random: () => number
  readonly #publisher = new RecordingComponent('publisher')
  readonly #published: Published[] = []
  /** Each pattern with the offset from which on it is owed. */
  readonly #patterns = new Map<string, number>()
  readonly #gaps: Gap[] = []
  readonly #joins: boolean
  readonly #log: string[] = []
  #client: TransportClient | undefined
  #secret = ''
  #read = 0
  #last = 0
  #cursor: string | undefined
  #fault: string | undefined

  /** @param joins may it subscribe with a position of its own? */
  constructor(seed: number, joins: boolean) {
    this.#random = randomNumbers(seed)
    this.#joins = joins
  }

  /** What went wrong first, with what led to it, or undefined. */
  async run(make: MakeTransport): Promise<string | undefined> {
    const it = await make(this.#options())
    await this.#connect(it)
    for (let step = 0; step < 40 && this.#fault === undefined; step++) await this.#step(it)
    if (this.#client?.closed !== false) await this.#connect(it)
    this.#client?.resume()
    await it.settle()
    this.#collect()
    const missing = this.#missing(it.hub.engine.head)
    if (missing) this.#fault ??= `${missing.path} at ${missing.offset} never came`
    await it.close()
    return this.#fault && `${this.#fault}, after: ${this.#log.join(', ')}`
  }

  #options(): HubOptions {
    const history = {
      age: 20_000,
      count: this.#pick([40, 100_000, 100_000]),
      pathCount: this.#pick([10, 100_000, 100_000]),
    }
    const outbox = this.#pick([6_000, 1_000_000])
    return { history, session: { outbox, expire: 100_000_000 }, public: ['**'] }
  }

  async #step(it: TransportCase): Promise<void> {
    const choice = this.#random()
    if (this.#client?.closed !== false && choice < 0.3) return this.#connect(it)
    if (choice < 0.4) return this.#publish(it, 1 + this.#int(this.#pick([3, 40])))
    if (choice < 0.6) {
      this.#note('settle')
      await it.settle()
      this.#collect()
    } else if (choice < 0.7) this.#subscribe(it)
    else if (choice < 0.75) this.#unsubscribe(it)
    else if (choice < 0.8) {
      this.#note('pause')
      this.#client?.pause()
    } else if (choice < 0.87) {
      this.#note('read on')
      this.#client?.resume()
    } else if (choice < 0.92) {
      this.#collect()
      this.#note('break')
      this.#client?.break()
    } else if (choice < 0.95) await this.#connect(it)
    else {
      const ms = this.#int(9_000)
      this.#note(`advance ${ms}`)
      await it.advance(ms)
      this.#collect()
    }
  }

  /** Comes back with the last position that it saw, or comes for the first time. */
  async #connect(it: TransportCase): Promise<void> {
    this.#collect()
    this.#note(`connect after ${this.#cursor}`)
    const after = this.#cursor === undefined ? {} : { after: this.#cursor }
    const comeBack = this.#client && { secret: this.#secret, ...after }
    this.#client = await it.connect(comeBack)
    this.#secret = this.#client.session.secret
    this.#read = 0
    this.#last = 0
  }

  async #publish(it: TransportCase, count: number): Promise<void> {
    this.#note(`publish ${count}`)
    for (let i = 0; i < count; i++) {
      const path = this.#pick(PATHS)
      const said = jsonMessage('x'.repeat(this.#int(this.#pick([20, 800]))))
      it.hub.update(this.#publisher, path, said)
      const { head } = it.hub.engine
      const owed = this.#owing(path, head).length > 0
      this.#published.push({
        offset: head,
        path,
        body: said.body,
        optional: !owed,
        got: false,
        repeatable: false,
      })
    }
  }

  #subscribe(it: TransportCase): void {
    const pattern = this.#pick(PATTERNS)
    const { session } = this.#client as TransportClient
    if (this.#patterns.has(pattern)) return
    const at = this.#cursor === undefined ? undefined : parsePosition(this.#cursor)
    // one position of its own at a time: a client that still waits for a replay does not ask for the next
    const joins = this.#joins && at?.step === undefined && this.#random() < 0.5
    const after = joins ? this.#cursor : undefined
    const from = (after === undefined ? undefined : at?.offset) ?? it.hub.engine.head
    this.#note(`subscribe ${pattern} after ${after}`)
    this.#patterns.set(pattern, from)
    for (const each of this.#published) {
      if (each.offset > from && matches(pattern, each.path)) each.optional = false
    }
    it.hub.update(this.#publisher, CONNECT, connection(session.id, pattern, after))
  }

  #unsubscribe(it: TransportCase): void {
    const pattern = [...this.#patterns.keys()][this.#int(this.#patterns.size || 1)]
    if (pattern === undefined) return
    this.#note(`unsubscribe ${pattern}`)
    this.#patterns.delete(pattern)
    for (const each of this.#published) {
      each.repeatable ||= matches(pattern, each.path)
      if (!each.got && this.#owing(each.path, each.offset).length === 0) each.optional = true
    }
    const { session } = this.#client as TransportClient
    it.hub.update(this.#publisher, DISCONNECT, connection(session.id, pattern))
  }

  /** The patterns through which it is owed what was published on `path` at `offset`. */
  #owing(path: string, offset: number): string[] {
    const found: string[] = []
    for (const [pattern, from] of this.#patterns) {
      if (offset > from && matches(pattern, path)) found.push(pattern)
    }
    return found
  }

  #collect(): void {
    const frames = this.#client?.frames ?? []
    for (const frame of frames.slice(this.#read)) this.#take(frame)
    this.#read = frames.length
  }

  #take(frame: Frame): void {
    if (frame.path === GAP) {
      const { patterns, after } = bodyValue(frame.message) as Gap
      this.#gaps.push({ patterns, after, until: this.#published.at(-1)?.offset ?? 0 })
    }
    const position = frame.at ? parsePosition(frame.at) : undefined
    if (isPlainPath(frame.path)) this.#takeUpdate(frame, position?.offset ?? 0)
    if (position === undefined) {
      if (frame.path !== BYE) this.#fault ??= `${frame.path} came without a position`
      return
    }
    this.#cursor = frame.at
    // what was on its way when a subscription from a position of its own was made holds for the others only
    if (this.#joins) return
    const missing = this.#missing(position.offset)
    if (missing) {
      this.#fault ??= `${frame.path} told ${position.offset} before ${missing.path} at ${missing.offset} came`
    }
  }

  #takeUpdate(frame: Frame, offset: number): void {
    const published = this.#published.find((each) => each.offset === offset)
    if (published?.path !== frame.path || published.body !== frame.message.body) {
      this.#fault ??= `${frame.path} at ${frame.at} is not what was published`
      return
    }
    if (published.got && !published.repeatable)
      this.#fault ??= `${frame.path} at ${offset} came twice`
    if (offset <= this.#last && !this.#joins) this.#fault ??= `${offset} came behind ${this.#last}`
    published.got = true
    this.#last = offset
  }

  /** The first that is owed up to `offset`, did not come, and was not told as lost. */
  #missing(offset: number): Published | undefined {
    return this.#published.find(
      (each) => each.offset <= offset && !each.got && !each.optional && !this.#isTold(each),
    )
  }

  #isTold({ path, offset }: Published): boolean {
    const owing = this.#owing(path, offset)
    return owing.every((pattern) =>
      this.#gaps.some(({ patterns, after, until }) => {
        const from = parsePosition(after)
        if (!patterns.includes(pattern) || from === undefined) return false
        return offset > from.offset && offset <= until
      }),
    )
  }

  #note(what: string): void {
    this.#log.push(what)
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below)
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#int(choices.length)] as T
  }
}
