/**
 * Who is there, by name, and whoever waits for somebody to come; questions go to the instance of a name that has the fewest
 * open.
 * Invariant: a question is put to peers that are attached and take something, never to one whose link is gone; every wait
 * ends.
 */

import type { Wheel } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { RequestHead } from '@sapwood/wire'
import type { AnswerListener, Asker, Exchange } from '../exchange.ts'
import { Deadlines } from './deadlines.ts'
import type { Peer } from './peer.ts'
import { SHUTDOWN } from './peer-faults.ts'
import type { QuestionOwner } from './question.ts'
import { Question } from './question.ts'

export interface PeerDirectoryOptions {
  readonly wheel: Wheel
  /** Is somebody of this name expected, though nobody of it was here: by a certificate, or a setting? */
  readonly known?: (name: string) => boolean
  /** Questions that may wait for somebody: 10,000. */
  readonly waiting: number
}

/** A name is known for so long after it was here: 24 h, in milliseconds. */
const REMEMBERED = 86_400_000
/** Names that are remembered. */
const MOST_NAMES = 10_000
/** A question without a time limit that has to be asked again waits for so long: 60 s. */
const AGAIN = 60_000

interface Waiter {
  done(there: boolean): void
}

export class PeerDirectory implements Asker, QuestionOwner {
  readonly #options: PeerDirectoryOptions
  readonly #wheel: Wheel
  readonly #deadlines: Deadlines
  readonly #peers = new Map<string, Peer[]>()
  /** When names were here last, the longest ago first. */
  readonly #seen = new Map<string, number>()
  readonly #waiters = new Map<string, Set<Waiter>>()
  #waiting = 0
  #isClosed = false

  constructor(options: PeerDirectoryOptions) {
    this.#options = options
    this.#wheel = options.wheel
    this.#deadlines = new Deadlines(options.wheel)
  }

  /** All that are attached; one with several names once. */
  peers(): Peer[] {
    return [...new Set([...this.#peers.values()].flat())]
  }

  /** Names that were here within 24 hours and are not now. */
  away(): string[] {
    return [...this.#seen.keys()].filter((name) => this.absence(name) === 'away')
  }

  absence(name: string): 'unknown' | 'away' | undefined {
    const found = this.#find(name)
    if (found?.some(({ draining }) => !draining)) return undefined
    if (found !== undefined || this.#wasSeen(name)) return 'away'
    return this.#options.known?.(name) === true ? 'away' : 'unknown'
  }

  whenBack(name: string, wait: number, done: (there: boolean) => void): () => void {
    if (this.absence(name) === undefined) {
      done(true)
      return () => undefined
    }
    // what is no number is no time to wait either
    const waits = wait > 0 && this.#waiting < this.#options.waiting
    if (this.#isClosed || !waits) {
      done(false)
      return () => undefined
    }
    const key = name.toLowerCase()
    const waiters = this.#waiters.get(key) ?? new Set()
    this.#waiters.set(key, waiters)
    this.#waiting++
    const forget = (): boolean => {
      stop()
      if (!waiters.delete(waiter)) return false
      this.#waiting--
      if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key)
      return true
    }
    const waiter: Waiter = { done: (there) => void (forget() && done(there)) }
    const stop = this.#wheel.after(wait, () => waiter.done(false))
    waiters.add(waiter)
    return () => void forget()
  }

  ask(name: string, head: RequestHead, ends: boolean, listener: AnswerListener): Exchange {
    const peer = this.#choose(name)
    const deadline = head.timeout > 0 ? this.#wheel.now() + head.timeout : Number.POSITIVE_INFINITY
    const question = new Question(this, name, head, ends, listener, deadline)
    question.bind(peer, head)
    if (head.timeout > 0) this.#deadlines.add(question)
    return question
  }

  /** @internal of questions. */
  again(question: Question): void {
    if (this.#isClosed) return question.unanswered(this.#absent(question.name))
    let isWaiting = true
    question.waiting = () => {
      isWaiting = false
    }
    // in a turn of its own: the session that has just failed it is still being taken down
    process.nextTick(() => {
      if (isWaiting) this.#findAgain(question)
    })
  }

  /** @internal of questions. */
  finished(question: Question): void {
    this.#deadlines.delete(question)
  }

  /** Somebody has a live link. */
  attached(peer: Peer): void {
    for (const name of peer.names) {
      const peers = this.#peers.get(name) ?? []
      this.#peers.set(name, peers)
      peers.push(peer)
      this.#seen.delete(name)
    }
    if (peer.draining) return
    for (const name of peer.names) {
      for (const waiter of [...(this.#waiters.get(name.toLowerCase()) ?? [])]) waiter.done(true)
    }
  }

  /** A certificate with these names is on its link now. */
  named(peer: Peer, names: readonly string[]): void {
    const all = [peer.name, ...names.filter((name) => name !== peer.name)]
    if (all.join() === peer.names.join()) return
    const wasThere = this.detached(peer)
    peer.names = all
    if (wasThere) this.attached(peer)
  }

  /** Its link is gone. @returns whether it was there. */
  detached(peer: Peer): boolean {
    let wasThere = false
    for (const name of peer.names) {
      const peers = this.#peers.get(name)
      const at = peers?.indexOf(peer) ?? -1
      if (peers === undefined || at < 0) continue
      wasThere = true
      peers.splice(at, 1)
      if (peers.length === 0) this.#peers.delete(name)
      this.#remember(name)
    }
    return wasThere
  }

  /** Nobody waits any more. */
  close(): void {
    this.#isClosed = true
    for (const waiters of [...this.#waiters.values()]) {
      for (const waiter of [...waiters]) waiter.done(false)
    }
  }

  #findAgain(question: Question): void {
    const { name, head, deadline } = question
    const isBounded = deadline !== Number.POSITIVE_INFINITY
    const left = isBounded ? deadline - this.#wheel.now() : AGAIN
    question.waiting = undefined
    question.waiting = this.whenBack(name, left, (there) => {
      question.waiting = undefined
      if (!there) return question.unanswered(this.#absent(name))
      const timeout = isBounded ? Math.max(1, Math.ceil(deadline - this.#wheel.now())) : 0
      try {
        question.bind(this.#choose(name), { ...head, timeout })
      } catch (thrown) {
        question.unanswered(thrown as SapwoodError)
      }
    })
  }

  #find(name: string): Peer[] | undefined {
    return this.#peers.get(name) ?? this.#peers.get(name.toLowerCase())
  }

  /** @throws SapwoodError */
  #choose(name: string): Peer {
    let chosen: Peer | undefined
    let isFull = false
    for (const peer of this.#find(name) ?? []) {
      if (peer.draining) continue
      if (!peer.takes) isFull = true
      else if (chosen === undefined || peer.exchanges.open < chosen.exchanges.open) chosen = peer
    }
    if (chosen !== undefined) return chosen
    if (!isFull) throw this.#absent(name)
    const detail = `${name} has as many questions open as it takes at once; ask again later`
    throw new SapwoodError('STREAMS_FULL', detail, { status: 503 })
  }

  #absent(name: string): SapwoodError {
    if (this.#isClosed) return new SapwoodError(SHUTDOWN.code, SHUTDOWN.detail, { status: 503 })
    if (this.absence(name) === 'unknown') {
      const detail = `nobody called "${name}" was here in the last 24 hours; is that its name, and is it running?`
      return new SapwoodError('CLIENT_UNKNOWN', detail, { status: 404 })
    }
    const detail = `"${name}" is not connected now; it is expected back, so ask again, or wait longer`
    return new SapwoodError('CLIENT_ABSENT', detail, { status: 503 })
  }

  #wasSeen(name: string): boolean {
    const at = this.#seen.get(name) ?? this.#seen.get(name.toLowerCase())
    return at !== undefined && this.#wheel.now() - at < REMEMBERED
  }

  #remember(name: string): void {
    this.#seen.delete(name)
    this.#seen.set(name, this.#wheel.now())
    if (this.#seen.size <= MOST_NAMES) return
    const [oldest] = this.#seen.keys()
    if (oldest !== undefined) this.#seen.delete(oldest)
  }
}
