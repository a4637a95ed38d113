/**
 * Who is reached at `@name/…`: the component of that id or one of the pool of that name. Where everybody of a
 * known name is away for the moment, a question waits for the first to come.
 * Invariant: names of one pool belong to one principal, a name of a peer is never a session's, a stream reaches only who
 * takes streams, and every question that waits here ends: it is put to somebody, its time is up, or it is cancelled.
 */
import type { Component, Fault, Message, Wheel } from '@sapwood/core'
import { Code, isStream, nameFault, nameOf, outcome } from '@sapwood/core'
import type { Session } from './session.ts'

/** A component that can be asked. Without these it is always there, never busy, and takes no streams. */
export interface Answerer extends Component {
  readonly attached?: boolean
  readonly openQuestions?: number
  /** May the body of this question be a stream? */
  takesStream?(verb: string, path: string): boolean
}

/**
 * Who answers under many names and is no session: the peers of a pipe, as one component. It waits by itself for those that
 * are away.
 */
export interface NamedPeers extends Component {
  /** Is this the name of a peer, there or away? */
  has(name: string): boolean
}

export interface DirectoryDeps {
  readonly find: (id: string) => Component | undefined
  readonly named: (name: string) => ReadonlySet<Component> | undefined
  /** Registers a name; returns its undo. */
  readonly name: (component: Component, name: string) => () => void
  /** Sends an answer to an asker. */
  readonly reply: (path: string, answer: Message) => void
  /** Somebody threw when it was asked. */
  readonly onThrow: (thrown: unknown, component: Component, path: string) => void
  readonly wheel: Wheel
  /** Milliseconds that an absent client of a known name is waited for. */
  readonly wait: number
}

/** Milliseconds that a name stays known after it was last seen. */
const KNOWN = 86_400_000
/** Names remembered, and questions waiting, at most. */
const MOST = 100_000

interface Waiting {
  /** Ends the wait: somebody is there. */
  readonly come: () => void
}

export class Directory {
  readonly #deps: DirectoryDeps
  readonly #undo = new Map<Session, () => void>()
  readonly #seen = new Map<string, number>()
  readonly #waiting = new Map<string, Set<Waiting>>()
  #waiters = 0
  /** Their names are theirs, whatever a session says. */
  peers: NamedPeers | undefined = undefined

  constructor(deps: DirectoryDeps) {
    this.#deps = deps
  }

  /** Questions that wait for somebody to come. */
  get waiting(): number {
    return this.#waiters
  }

  /** Takes an update to `@name/…`. Returns how many it reached: one or none. */
  route(sender: Component, path: string, message: Message): number {
    const name = nameOf(path)
    const target: Answerer | undefined = this.peers?.has(name) ? this.peers : this.#pick(name)
    if (target !== undefined) {
      if (isStream(message.body) && !takesStream(target, message.meta.verb, path)) {
        this.#refuseStream(message)
        return 0
      }
      this.#put(target, sender, path, message)
      return 1
    }
    if (message.meta.reply === undefined) return 0
    if (!this.#isKnown(name)) {
      this.#refuse(message, 404, 'CLIENT_UNKNOWN', `nobody called "${name}" was here`)
    } else this.#wait(name, sender, path, message)
    return 0
  }

  /** Would a question to `name` be put to somebody who takes its body as a stream? */
  takesStream(name: string, verb: string, path: string): boolean {
    const target = this.#pick(name)
    return target !== undefined && takesStream(target, verb, path)
  }

  /** Is everybody of this name, which is known, away for the moment? */
  isAway(name: string): boolean {
    return this.#pick(name) === undefined && this.#isKnown(name)
  }

  /**
   * Waits for somebody to come at `name`, and calls `done` once: with nothing when somebody has, with the answer that
   * says so when nobody did. Returns what gives up.
   * @param wait milliseconds.
   */
  whenBack(name: string, wait: number, done: (absent?: Message) => void): () => void {
    if (wait <= 0 || this.#waiters >= MOST) {
      done(absent(name))
      return () => undefined
    }
    const waiting = this.#waiting.get(name) ?? new Set()
    this.#waiting.set(name, waiting)
    const stopTimer = this.#deps.wheel.after(wait, () => {
      stop()
      done(absent(name))
    })
    const stop = (): void => {
      stopTimer()
      if (waiting.delete(entry)) this.#waiters--
      if (waiting.size === 0 && this.#waiting.get(name) === waiting) this.#waiting.delete(name)
    }
    const entry: Waiting = {
      come: () => {
        stop()
        done()
      },
    }
    waiting.add(entry)
    this.#waiters++
    return stop
  }

  /** Gives a session its name, or says why not. */
  claim(session: Session, name: string): Fault | undefined {
    const fault = nameFault(name)
    if (fault !== undefined) {
      return { code: 'NAME_INVALID', detail: `the name ${fault}`, status: 400 }
    }
    if (this.peers?.has(name)) return nameTaken(name)
    for (const other of this.#deps.named(name) ?? []) {
      if (other !== session && other.principal.id !== session.principal.id) {
        return nameTaken(name)
      }
    }
    this.release(session)
    session.name = name
    this.#undo.set(session, this.#deps.name(session, name))
    this.#remember(name)
    if (session.attached) this.arrived(session)
    return undefined
  }

  /** Takes a session's name from it. */
  release(session: Session): void {
    if (session.name !== undefined) this.#remember(session.name)
    session.name = undefined
    this.#undo.get(session)?.()
    this.#undo.delete(session)
  }

  /** A session has a transport: what waited for it is put to it. */
  arrived(session: Session): void {
    if (session.name !== undefined) this.came(session.name)
    this.came(session.id)
  }

  /** Somebody of this name is there: what waited is put to whoever it is. */
  came(name: string): void {
    for (const { come } of [...(this.#waiting.get(name) ?? [])]) come()
  }

  #put(target: Component, sender: Component, path: string, message: Message): void {
    try {
      target.update(sender, path, message)
    } catch (thrown) {
      this.#deps.onThrow(thrown, target, path)
      const { reply } = message.meta
      const detail = 'the answering side failed; its log says how'
      if (reply !== undefined) {
        this.#deps.reply(reply, outcome(Code.threw, 500, 'COMPONENT_THREW', detail))
      }
    }
  }

  #pick(name: string): Answerer | undefined {
    const byId = this.#deps.find(name) as Answerer | undefined
    if (byId !== undefined) return byId.attached === false ? undefined : byId
    let best: Answerer | undefined
    for (const one of (this.#deps.named(name) ?? []) as Iterable<Answerer>) {
      if (one.attached === false) continue
      if (best === undefined || (one.openQuestions ?? 0) < (best.openQuestions ?? 0)) best = one
    }
    return best
  }

  #isKnown(name: string): boolean {
    if (this.#deps.find(name) !== undefined || this.#deps.named(name) !== undefined) return true
    const seen = this.#seen.get(name)
    return seen !== undefined && this.#deps.wheel.now() - seen <= KNOWN
  }

  #remember(name: string): void {
    this.#seen.delete(name)
    this.#seen.set(name, this.#deps.wheel.now())
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= MOST) break
      this.#seen.delete(oldest)
    }
  }

  #wait(name: string, sender: Component, path: string, message: Message): void {
    let forget = (): void => undefined
    const stop = this.whenBack(name, message.meta.wait ?? this.#deps.wait, (absent) => {
      forget()
      if (absent === undefined) this.route(sender, path, message)
      else this.#deps.reply(message.meta.reply as string, absent)
    })
    forget = message.meta.cancel?.onCancel(stop) ?? forget
  }

  #refuseStream({ meta }: Message): void {
    const detail = 'the answering side takes no streams; send a body within limits.body'
    if (meta.reply !== undefined) {
      this.#deps.reply(meta.reply, outcome(Code.threw, 413, 'BODY_STREAM', detail))
    }
  }

  #refuse(message: Message, status: number, code: string, detail: string): void {
    this.#deps.reply(message.meta.reply as string, outcome(Code.absent, status, code, detail))
  }
}

function takesStream(target: Answerer, verb = 'GET', path: string): boolean {
  return target.takesStream?.(verb, path) ?? false
}

/** Why nobody else is called so. */
export function nameTaken(name: string): Fault {
  return { code: 'NAME_TAKEN', detail: `"${name}" belongs to somebody else`, status: 409 }
}

function absent(name: string): Message {
  const detail = `"${name}" is known but not connected; wait longer with ?wait= or start it`
  return outcome(Code.absent, 503, 'CLIENT_ABSENT', detail)
}
