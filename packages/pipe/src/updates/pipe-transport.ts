/**
 * How a client of a hub reaches it over the pipe: a transport as WebSockets are one, whose links live on the session of the pipe
 * that is there now. Connections that break are the pipe's concern; only a new session of the pipe means a new hello.
 *
 *     link      session of the pipe      ::hello of the hub   ::bye    its end
 *     waiting   says hello: greeting     -                    -        -
 *     greeting  greets anew on another   open                 over     over
 *     open      over                     -                    over     over
 *
 * A `::bye` for good holds for the session of the pipe: what waits for the hub is told, and the next session is greeted again.
 * Invariant: at most one hello is unanswered on a session of the pipe, so the next answer is the one to it; what comes before
 * that answer was said to a former link, and is dropped.
 */
import type { Closing, Frame, Greeting, Link, LinkListener, Transport } from '@sapwood/client'
import { frameText, readFrames, takeBundle } from '@sapwood/client'
import type { Fault } from '@sapwood/core'
import { reasonOf } from '@sapwood/core'
import type { UpdateTaker } from '../peer/peer-base.ts'
import { farewellOf, LINK_TOO_LARGE, PIPE_LOST, PIPE_MOVED, unreadable } from './closings.ts'
import type { UpdatedPeer } from './update-host.ts'
import { BYE, ERROR, HELLO } from './update-words.ts'

/** The version of `sapwood.v1` that is spoken. */
const VERSION = 1

export interface PipeTransportEvents {
  /** The server takes no updates, or none of ours any more; on the next session of the pipe it, or another, may. */
  refused(fault: Fault): void
}

/** @example const client = connect(url, { transports: [transport] }); const dialler = new PeerDialler({ updates: transport, … }) */
export class PipeTransport implements Transport, UpdateTaker {
  readonly name = 'pipe'
  readonly #events: PipeTransportEvents
  /** The session of the pipe that updates go over. */
  #peer: UpdatedPeer | undefined
  /** Why it takes none. */
  #refusal: Fault | undefined
  /** Whether a hello on it is unanswered. */
  #isAsked = false
  /** It has taken enough for now. */
  #isFull = false
  #link: PipeUpdateLink | undefined
  #online: (() => void) | undefined

  constructor(events: PipeTransportEvents) {
    this.#events = events
  }

  /** Why the server that is there takes no updates, if it does not. */
  get refusal(): Fault | undefined {
    return this.#refusal
  }

  /** For a platform: calls back when there is a pipe again. */
  onOnline(run: () => void): () => void {
    this.#online = run
    return () => {
      this.#online = undefined
    }
  }

  open(listener: LinkListener): Link {
    const link = new PipeUpdateLink(this, listener)
    this.#link = link
    // it must not be called before it has this
    queueMicrotask(() => this.#greet())
    return link
  }

  attached(peer: UpdatedPeer): void {
    if (peer !== this.#peer) {
      this.#peer = peer
      this.#refusal = undefined
      this.#isAsked = this.#isFull = false
      const link = this.#link
      if (link?.isOpen) link.lose(PIPE_MOVED)
      else if (link !== undefined) link.isGreeting = false
      this.#greet()
    }
    this.#online?.()
  }

  ended(peer: UpdatedPeer): void {
    if (peer !== this.#peer) return
    this.#peer = this.#refusal = undefined
    this.#isAsked = this.#isFull = false
    if (this.#link?.isGreeting) this.#link.lose(PIPE_LOST)
  }

  writable(peer: UpdatedPeer): void {
    if (peer !== this.#peer) return
    this.#isFull = false
    this.#link?.pump()
  }

  updated(peer: UpdatedPeer, update: Uint8Array): void {
    if (peer !== this.#peer) return
    let frames: readonly Frame[]
    try {
      frames = readFrames(UTF8.decode(update))
    } catch (thrown) {
      return this.#link?.lose(unreadable(reasonOf(thrown)))
    }
    let heard: Frame[] = []
    for (const frame of frames) {
      if (frame.path === HELLO && this.#isAsked) {
        this.#isAsked = false
        heard = []
        if (this.#link?.isGreeting) this.#link.isOpen = true
      }
      if (frame.path === BYE) {
        this.#link?.hear(heard)
        heard = []
        this.#bye(frame)
      } else heard.push(frame)
    }
    this.#link?.hear(heard)
  }

  /** @internal of the link: whether more may be said now. */
  get takes(): boolean {
    return this.#peer !== undefined && !this.#peer.session.over && !this.#isFull
  }

  /** @internal of the link: says this now. @returns false for more than an update may have. */
  say(text: string): boolean {
    const session = this.#peer?.session
    if (session === undefined || session.over) return true
    const bytes = Buffer.from(text)
    if (bytes.length > session.longestUpdate) return false
    if (!session.update(bytes)) this.#isFull = true
    return true
  }

  /** @internal of the link: it is over. */
  left(link: PipeUpdateLink): void {
    if (link === this.#link) this.#link = undefined
  }

  /** Says hello for the link that waits, where it can. */
  #greet(): void {
    const link = this.#link
    const peer = this.#peer
    if (link === undefined || link.isGreeting || peer === undefined || peer.session.over) return
    if (this.#refusal !== undefined) return
    link.isGreeting = true
    const greeting = link.listener.greet()
    // one that was given up is answered still: what it said holds, since nothing was heard after it
    if (this.#isAsked) return
    this.#isAsked = true
    this.say(helloText(greeting))
  }

  /** The hub lets go of the link, or does not take it. */
  #bye(frame: Frame): void {
    const link = this.#link
    if (!this.#isAsked && link?.isOpen !== true) return
    this.#isAsked = false
    const said = farewellOf(frame)
    if (said.comeBack !== 'never') return link?.lose(said)
    const { code, detail } = said
    const refusal: Fault = { code, detail }
    this.#refusal = refusal
    this.#events.refused(refusal)
    link?.listener.frames([{ path: ERROR, message: refusal }])
    link?.lose({ ...said, comeBack: 'later' })
  }
}

class PipeUpdateLink implements Link {
  readonly listener: LinkListener
  /** Whether hello was said for it. */
  isGreeting = false
  /** Whether the hub has answered. */
  isOpen = false
  readonly #transport: PipeTransport
  /** Until the pipe takes them. The client that says them bounds them. */
  #waiting: string[] = []
  #isOver = false

  constructor(transport: PipeTransport, listener: LinkListener) {
    this.#transport = transport
    this.listener = listener
  }

  send(frames: readonly string[]): void {
    if (this.#isOver || !this.isOpen) return
    for (const frame of frames) this.#waiting.push(frame)
    this.pump()
  }

  async close(forGood: boolean): Promise<void> {
    if (forGood && this.isGreeting && !this.#isOver) this.#transport.say(GOOD_BYE)
    this.#end()
  }

  /** What the hub has said. */
  hear(frames: readonly Frame[]): void {
    if (this.isOpen && !this.#isOver && frames.length > 0) this.listener.frames(frames)
  }

  lose(closing: Closing): void {
    if (this.#isOver) return
    this.#end()
    this.listener.closed(closing)
  }

  /** Hands on what the pipe takes. */
  pump(): void {
    while (this.#waiting.length > 0 && this.#transport.takes) {
      if (!this.#transport.say(takeBundle(this.#waiting))) return this.lose(LINK_TOO_LARGE)
    }
  }

  #end(): void {
    this.#isOver = true
    this.#waiting = []
    this.#transport.left(this)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })
const GOOD_BYE: string = frameText({ path: BYE })

function helloText({ name, resume, after }: Greeting): string {
  return frameText({ path: HELLO, message: { version: VERSION, name, resume, after } })
}
