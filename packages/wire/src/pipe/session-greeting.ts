/**
 * What the two ends tell each other first on every link: who they are, which versions they speak, how far they have come.
 * Invariant: a link goes on only between the two ends that began the session, each knowing the other's secret or session, with
 * a number above every link before and a count of frames that this end can go on from.
 */
import type { Fault } from '@sapwood/core'
import {
  ACK_INVALID,
  CREDIT_INVALID,
  LINK_STALE,
  OUT_OF_ORDER,
  SESSION_UNKNOWN,
  VERSION_UNSUPPORTED,
} from './pipe-faults.ts'
import type { PipeLimits } from './pipe-limits.ts'
import { CREDIT_MOST } from './pipe-limits.ts'
import type { SentLog } from './sent-log.ts'
import type { SessionMessage } from './session-messages.ts'
import { OLDEST_PIPE_VERSION, PIPE_VERSION, sameBytes, writeSession } from './session-messages.ts'

/** Which session it is, and who this end. */
export interface SessionIdentity {
  /** 16 random bytes; a listener takes them from the greeting. */
  readonly id: Uint8Array
  /** 32 random bytes; a listener takes them from the greeting. */
  readonly secret: Uint8Array
  /** This process: random, up to 128 characters. */
  readonly instance: string
  /** Of a dialler: which of the names in its certificate it goes by. The first, if it says none. */
  readonly name?: string
}

/** The listener does not say the secret again. */
const NOTHING = new Uint8Array(0)

export class SessionGreeting {
  readonly id: Uint8Array
  readonly #secret: Uint8Array
  readonly #instance: string
  readonly #name: string
  readonly #limits: PipeLimits
  readonly #log: SentLog
  /** The number of the newest link, from 1. */
  #link = 0
  #isMet = false
  #peerInstance = ''

  constructor(
    { id, secret, instance, name = '' }: SessionIdentity,
    limits: PipeLimits,
    log: SentLog,
  ) {
    this.id = id
    this.#secret = secret
    this.#instance = instance
    this.#name = name
    this.#limits = limits
    this.#log = log
  }

  get link(): number {
    return this.#link
  }

  get peerInstance(): string {
    return this.#peerInstance
  }

  /** Of a dialler: begins the next link. @param received frames of the peer that were processed. */
  hello(received: number): Uint8Array {
    this.#link++
    return this.#write(this.#secret, received, this.#isMet)
  }

  /** Of a listener: takes the link of `hello`. @returns the answer. */
  answer(hello: SessionMessage, received: number): Uint8Array {
    const isResumed = this.#link > 0
    this.#link = hello.link
    return this.#write(NOTHING, received, isResumed)
  }

  /** Of a listener: why it does not take this link. */
  refusalOf(hello: SessionMessage): Fault | undefined {
    const { version, oldest, id, secret, link, resumed } = hello
    if (version < OLDEST_PIPE_VERSION || oldest > PIPE_VERSION) return VERSION_UNSUPPORTED
    if (!sameBytes(id, this.id) || !sameBytes(secret, this.#secret)) return SESSION_UNKNOWN
    if (resumed && this.#link === 0) return SESSION_UNKNOWN
    if (link <= this.#link) return LINK_STALE
    return this.#countFaultOf(hello)
  }

  /** Of a dialler: what is wrong with the answer. */
  faultOf(answer: SessionMessage): Fault | undefined {
    const { version, id, link, resumed } = answer
    if (version < OLDEST_PIPE_VERSION || version > PIPE_VERSION) return VERSION_UNSUPPORTED
    if (!sameBytes(id, this.id) || link !== this.#link) return OUT_OF_ORDER
    if (this.#isMet && !resumed) return SESSION_UNKNOWN
    return this.#countFaultOf(answer)
  }

  /** The peer is who it should be. @returns whether it is the first time: its windows count from then on. */
  meet({ instance }: SessionMessage): boolean {
    if (this.#isMet) return false
    this.#isMet = true
    this.#peerInstance = instance
    return true
  }

  #countFaultOf({ streamWindow, received }: SessionMessage): Fault | undefined {
    if (streamWindow > CREDIT_MOST) return CREDIT_INVALID
    const { acknowledged, handedEver } = this.#log
    return received < acknowledged || received > handedEver ? ACK_INVALID : undefined
  }

  #write(secret: Uint8Array, received: number, resumed: boolean): Uint8Array {
    const { streamWindow, sessionWindow, streams } = this.#limits
    return writeSession({
      version: PIPE_VERSION,
      oldest: OLDEST_PIPE_VERSION,
      id: this.id,
      secret,
      link: this.#link,
      received,
      resumed,
      instance: this.#instance,
      streamWindow,
      sessionWindow,
      streams,
      name: this.#name,
    })
  }
}
