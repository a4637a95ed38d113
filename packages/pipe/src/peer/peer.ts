/**
 * A session with a peer and the link that carries it now: bytes of the socket go to the protocol, and what the protocol has to
 * say is gathered into writes.
 * Invariant: each session has at most one link that it reads, and the former one is closed as soon as the new one is live.
 */
import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { Fault, Principal, Wheel } from '@sapwood/core'
import type { Address, Link } from '@sapwood/net'
import type { PipeSession, PipeSessionOptions, RequestHead, SessionMessage } from '@sapwood/wire'
import { SESSION_UNKNOWN } from '@sapwood/wire'
import type { Answerer, AnswerListener, Exchange } from '../exchange.ts'
import type { LinkEvents } from '../exchange-session.ts'
import { ExchangeSession } from '../exchange-session.ts'
import type { Flushing } from './output-pace.ts'
import { OutputPace } from './output-pace.ts'
import type { Living } from './peer-life.ts'
import { PeerLife } from './peer-life.ts'
import type { LinkHolder } from './peer-link.ts'
import { PeerLink } from './peer-link.ts'
import type { PeerObserver } from './peer-observer.ts'
import type { PeerOwner } from './peer-owner.ts'
import { peerPrincipal } from './peer-principal.ts'
import type { PeerSettings } from './peer-settings.ts'

export interface PeerOptions {
  readonly session: Pick<PipeSessionOptions, 'side' | 'id' | 'secret' | 'instance' | 'name'>
  /** The names in its certificate; the first is what it is called. */
  readonly names: readonly string[]
  readonly answerer: Answerer
  readonly owner: PeerOwner
  readonly settings: PeerSettings
  readonly observer: PeerObserver
  readonly wheel: Wheel
  /** The wall clock, in milliseconds. */
  readonly wall: () => number
}

export class Peer implements LinkHolder, LinkEvents, Living, Flushing {
  /** The names in its certificate; the first, which it is called by, stays the same. */
  names: readonly string[]
  readonly exchanges: ExchangeSession
  readonly session: PipeSession
  readonly #options: PeerOptions
  readonly #wheel: Wheel
  readonly #life: PeerLife
  readonly #pace: OutputPace = new OutputPace(this)
  #link: PeerLink | undefined
  /** Of a dialler: the link until now, while the new one is greeted. */
  #former: PeerLink | undefined
  /** Of a listener: the link whose greeting is looked at just now. */
  #arriving: PeerLink | undefined
  #isAttached = false
  #isDraining = false
  #farewell: Fault | undefined
  #loss: Fault | undefined
  /** Made when it is first asked for. */
  #principal: Principal | undefined

  constructor(options: PeerOptions) {
    const { names, wheel, answerer, settings, session } = options
    this.#options = options
    this.#wheel = wheel
    this.names = names
    this.exchanges = new ExchangeSession({
      session: { ...session, limits: settings.session, allocate },
      peer: names[0] as string,
      answerer,
      links: this,
      now: () => wheel.now(),
    })
    this.session = this.exchanges.session
    this.#life = new PeerLife(this, { ...options, renewal: options.owner.renewal })
  }

  get name(): string {
    return this.names[0] as string
  }

  /** Whether there is a link on which both ends have greeted. */
  get attached(): boolean {
    return this.#isAttached
  }

  /** Whether it may be asked something now. */
  get takes(): boolean {
    return this.#isAttached && !this.#isDraining && this.session.available > 0
  }

  /** Why the other end takes nothing new, if it has said so. */
  get farewell(): Fault | undefined {
    return this.#farewell
  }

  /** Whether one of both ends takes nothing new. */
  get draining(): boolean {
    return this.#isDraining
  }

  get linked(): boolean {
    return this.#link !== undefined
  }

  /** The certificate on the present link. */
  get certificate(): X509Certificate | undefined {
    return this.#link?.certificate
  }

  /** Whom rules mean by it, by the certificate that it has shown last. */
  get principal(): Principal {
    this.#principal ??= peerPrincipal(this.name, this.#link?.certificate)
    return this.#principal
  }

  /** Where the other end of the present link is. */
  get remote(): Address | undefined {
    return this.#link?.stream.remote
  }

  /** Of a dialler: goes on on this connection, or begins on it. */
  dial(stream: Link, certificate: X509Certificate): void {
    const pipe = this.session.dial(this.#wheel.now())
    const link = new PeerLink(stream, pipe, certificate, this)
    this.#former?.destroy()
    this.#former = this.#link
    this.#take(link)
    link.open()
    this.flush()
  }

  /** Of a dialler: begins on a link that was for a session which the listener does not know. */
  dialOn(link: PeerLink): void {
    link.begin(this.session.dial(this.#wheel.now()), this)
    this.#take(link)
    this.flush()
  }

  /** Of a listener: goes on on this link, or begins on it. @returns why not. */
  accept(link: PeerLink, hello: SessionMessage): Fault | undefined {
    this.#arriving = link
    link.holder = this
    const fault = this.session.accept(link.pipe, hello, this.#wheel.now())
    this.#arriving = undefined
    // what came behind the greeting may have ended the session already
    if (fault === undefined && !this.session.over) this.flush()
    return fault
  }

  /** What a question is told that was open when the session ended with `fault`. */
  lossOf({ code, detail }: Fault): Fault {
    // one for all that were open
    this.#loss ??= {
      code: 'CONNECTION_LOST',
      detail: `the session with ${this.name} is over (${code}: ${detail}); the question may have been handled`,
      status: 502,
    }
    return this.#loss
  }

  /** Whether the present link began with a ticket of a former one. */
  get resumedTls(): boolean {
    const socket = this.#link?.stream.socket
    return socket instanceof TLSSocket && socket.isSessionReused()
  }

  ask(head: RequestHead, ends: boolean, listener: AnswerListener): Exchange {
    return this.exchanges.ask(head, ends, listener)
  }

  /** Takes nothing new from the peer; what is open goes on. */
  drain(fault: Fault, retryAfter = 0): void {
    this.#isDraining = true
    this.session.goaway(fault, retryAfter)
  }

  /** Ends the session; the peer is told why, behind what was said before. */
  close(fault: Fault): void {
    if (this.#link !== undefined && this.session.state === 'live') this.#write(this.#link)
    this.session.close(fault)
  }

  /** Checks the certificate on the link again: what was trusted then may not be now. */
  check(): void {
    const { certificate } = this
    if (certificate === undefined) return
    const { owner } = this.#options
    const fault = owner.checkAgain(this, certificate)
    if (fault !== undefined) return this.close(fault)
    this.#life.shown(owner.validUntil(certificate))
  }

  arrived(link: PeerLink, bytes: Uint8Array): void {
    this.session.receive(link.pipe, bytes, this.#wheel.now())
    if (link === this.#link) this.#life.heard()
  }

  emptied(link: PeerLink): void {
    if (link === this.#link && this.session.pending) this.flush()
  }

  lost(link: PeerLink, fault: Fault): void {
    if (link === this.#former) this.#former = undefined
    if (link === this.#link) this.drop(fault)
  }

  output(): void {
    this.#pace.schedule()
  }

  live(resumed: boolean): void {
    if (this.#arriving !== undefined) {
      this.#link?.destroy()
      this.#take(this.#arriving)
      this.#arriving.releaseCertificate()
    }
    this.#life.begin()
    this.#former?.end(this.#wheel)
    this.#former = undefined
    const { owner, observer } = this.#options
    if (resumed) observer.resumed?.(this.name)
    if (this.#isAttached) return owner.relinked(this)
    this.#isAttached = true
    owner.attached(this)
  }

  goaway(fault: Fault, retryAfter: number): void {
    this.#isDraining = true
    this.#farewell = fault
    this.#options.owner.goaway(this, fault, retryAfter)
  }

  refused(fault: Fault, retryAfter: number): void {
    this.drop(fault, retryAfter)
  }

  fault(fault: Fault): void {
    this.#options.observer.fault?.(fault)
  }

  update(update: Uint8Array): void {
    this.#options.owner.updated(this, update)
  }

  writable(): void {
    this.#options.owner.writable(this)
  }

  closed(fault: Fault): void {
    const link = this.#link
    this.#link = undefined
    const isRefused = this.session.side === 'dialler' && !this.#isAttached
    const isSpare = isRefused && fault.code === SESSION_UNKNOWN.code
    if (link !== undefined && !isSpare) {
      // the last words
      this.#write(link)
      link.end(this.#wheel)
    }
    this.#former?.destroy()
    this.#former = undefined
    this.#life.end()
    this.#isAttached = false
    this.#options.owner.ended(this, fault, isSpare ? link : undefined)
  }

  /** The certificate of the peer is about to run out. */
  renew(): void {
    this.#options.owner.renew(this)
  }

  /** The link is gone, or given up. @param retryAfter milliseconds after which to come back. */
  drop(fault: Fault, retryAfter = 0): void {
    const link = this.#link
    if (link === undefined) return
    link.destroy()
    this.#former?.destroy()
    this.#link = this.#former = undefined
    this.session.cut(link.pipe)
    this.#life.begin()
    const wasLive = this.#isAttached
    this.#isAttached = false
    this.#options.owner.detached(this, fault, wasLive, retryAfter)
  }

  /** @internal of its pace: writes what there is to say. */
  flush(): void {
    this.#pace.left()
    if (this.#link === undefined) return
    this.#write(this.#link)
    this.#life.moved()
  }

  #take(link: PeerLink): void {
    this.#link = link
    const { certificate } = link
    this.#principal = peerPrincipal(this.name, certificate)
    this.exchanges.principal = this.#principal
    if (certificate !== undefined) this.#life.shown(this.#options.owner.validUntil(certificate))
    this.#life.begin()
  }

  #write(link: PeerLink): void {
    link.cork()
    this.session.flush(link.pipe, link.room, link, this.#wheel.now())
    link.uncork()
  }
}

function allocate(size: number): Uint8Array {
  return Buffer.allocUnsafeSlow(size)
}
