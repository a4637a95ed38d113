/**
 * The dialling end of the pipe: keeps a session with one of several servers, for ever.
 *
 *     state        next
 *     dialling     greeting, or waiting
 *     greeting     live, or waiting
 *     live         waiting when the link breaks; dialling beside it, to leave it, when a certificate changes
 *     waiting      dialling, after a random time below a ceiling that doubles
 *
 * Each server has its own session. The one whose link broke is tried first, so that it goes on; where another server
 * answers first, those that are without a link end.
 * Invariant: there is at most one attempt at a time, and always one, a wait or a live link until `close`.
 */
import type { X509Certificate } from 'node:crypto'
import { randomBytes } from 'node:crypto'
import { certificateNames } from '@sapwood/auth'
import type { Fault, Timed } from '@sapwood/core'
import { Backoff, Timer } from '@sapwood/core'
import type { HostAddress, StreamLink } from '@sapwood/net'
import type { Identity } from '../trust/identity.ts'
import type { TrustChange } from '../trust/trust-store.ts'
import { untilIdle } from '../until-idle.ts'
import type { Attempt } from './attempt.ts'
import type { AttemptsOwner } from './attempts.ts'
import { Attempts } from './attempts.ts'
import { beginPeer } from './begin-peer.ts'
import type { Peer } from './peer.ts'
import type { PeerBase } from './peer-base.ts'
import { LINK_LOST, SESSION_EXPIRED, SHUTDOWN } from './peer-faults.ts'
import type { PeerLink } from './peer-link.ts'
import type { PeerOwner } from './peer-owner.ts'
import type { ReconnectSettings } from './reconnect-settings.ts'
import type { Server } from './server-list.ts'
import { ServerList } from './server-list.ts'

export interface PeerDiallerOptions extends PeerBase {
  /** What this end goes by: a name in its certificate. */
  readonly name: string
  /** Tried in turn; at least one. */
  readonly servers: readonly HostAddress[]
  readonly serverName: string
  readonly reconnect: ReconnectSettings
}

/** However long a server wants to be left alone, in milliseconds: links come back for ever. */
const RETRY_AFTER_MOST = 60_000

export class PeerDialler implements PeerOwner, AttemptsOwner, Timed {
  /** The server may have another certificate by then: it shows it to whoever comes. */
  readonly renewal = 60_000
  readonly #options: PeerDiallerOptions
  readonly #servers: ServerList
  readonly #attempts: Attempts
  readonly #backoff: Backoff
  readonly #timer: Timer = new Timer(this)
  readonly #forget: () => void
  #attempt: Attempt | undefined
  #liveSince = 0
  /** What this end has shown on the present link. */
  #shown: Identity | undefined
  #isClosed = false

  constructor(options: PeerDiallerOptions) {
    this.#options = options
    this.#servers = new ServerList(options.servers)
    const { trust, serverName, wheel, settings } = options
    this.#attempts = new Attempts(this, { trust, serverName, wheel, limit: settings.handshake })
    this.#backoff = new Backoff(options.reconnect)
    this.#forget = options.trust.onChange((change) => this.#changed(change))
  }

  /** The session that takes questions now. */
  get peer(): Peer | undefined {
    return this.#servers.live?.peer
  }

  start(): void {
    this.#dial()
  }

  /** Takes nothing new. Resolves when all that is open has ended and has arrived, or the limit is reached. */
  async drain(limit: number): Promise<void> {
    for (const peer of this.#servers.peers()) peer.drain(SHUTDOWN)
    const isIdle = (peer: Peer): boolean => peer.session.idle
    await untilIdle(this.#options.wheel, limit, () => this.#servers.peers().every(isIdle))
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#forget()
    this.#options.wheel.clear(this.#timer)
    this.#attempt?.cancel()
    for (const peer of this.#servers.peers()) peer.close(SHUTDOWN)
  }

  /** Done when no socket is left; `close` comes first. */
  closed(): Promise<void> {
    return this.#attempts.closed()
  }

  expired(): void {
    this.#dial()
  }

  attached(peer: Peer): void {
    const { directory, observer, wheel } = this.#options
    // nothing is asked there any more
    if (this.#servers.leaving.has(peer)) return this.#wait(0)
    this.#liveSince = wheel.now()
    directory.attached(peer)
    // the certificate may have changed while it was dialled
    this.#wait(0)
    observer.connected?.(this.#servers.of(peer)?.text ?? '')
    this.#options.updates?.attached?.(peer)
    for (const { peer: other } of this.#servers.all) {
      if (other !== undefined && other !== peer) other.close(LINK_LOST)
    }
  }

  relinked(): void {}

  detached(peer: Peer, fault: Fault, wasLive: boolean, retryAfter: number): void {
    const isLeaving = this.#servers.leaving.has(peer)
    // what nobody waits for is not worth another link
    if (isLeaving && peer.session.idle) return peer.close(peer.farewell ?? fault)
    if (wasLive) this.#options.directory.detached(peer)
    if (isLeaving) {
      this.#options.wheel.clear(this.#timer)
      return this.#wait(retryAfter)
    }
    this.#broken(peer, fault, wasLive, retryAfter)
  }

  ended(peer: Peer, fault: Fault, spare: PeerLink | undefined): void {
    const { directory, observer } = this.#options
    const wasLive = directory.detached(peer)
    const server = this.#servers.of(peer)
    observer.stopped?.(peer.name, fault)
    this.#options.updates?.ended?.(peer, fault)
    const left = this.#servers.leaving.get(peer)
    if (spare !== undefined && (server === undefined || this.#isClosed)) spare.destroy()
    if (left !== undefined) {
      this.#servers.leaving.delete(peer)
      if (wasLive && this.peer === undefined) observer.lost?.(left.text, fault)
      return this.#wait(0)
    }
    if (server === undefined) return
    server.peer = undefined
    if (this.#isClosed) return
    if (spare?.certificate === undefined) return this.#broken(peer, fault, wasLive, 0, server)
    // it is there, and new: another session begins at once, here or, if it hangs up, on the next connection
    if (peer.session.peerInstance !== '') this.#backoff.reset()
    server.peer = this.#begin(spare.certificate)
    server.peer.dialOn(spare)
  }

  goaway(peer: Peer, _fault: Fault, retryAfter: number): void {
    const server = this.#servers.of(peer)
    if (server === undefined || this.#isClosed) return
    server.peer = undefined
    this.#servers.leaving.set(peer, server)
    this.#servers.advance()
    this.#wait(retryAfter)
  }

  renew(): void {
    // beside the live link, and with a full handshake, which shows the certificate of now
    this.#servers.forgetTickets()
    this.#dialBeside()
  }

  checkAgain(_peer: Peer, certificate: X509Certificate): Fault | undefined {
    return this.#check(certificate)
  }

  validUntil(certificate: X509Certificate): number {
    return this.#options.trust.trust.validUntil(certificate)
  }

  updated(peer: Peer, update: Uint8Array): void {
    this.#options.updates?.updated(peer, update)
  }

  writable(peer: Peer): void {
    this.#options.updates?.writable(peer)
  }

  reached(
    stream: StreamLink,
    certificate: X509Certificate,
    attempt: Attempt,
    server: Server,
  ): void {
    if (this.#attempt !== attempt) return
    this.#attempt = undefined
    const left = this.#servers.cutOff(server)?.[0]
    if (left !== undefined) return left.dial(stream, certificate)
    this.#shown = this.#attempts.shows
    server.peer ??= this.#begin(certificate)
    server.peer.dial(stream, certificate)
  }

  failed(fault: Fault, { text }: Server): void {
    this.#attempt = undefined
    this.#options.observer.failed?.(text, fault)
    // a live link beside it is as good as ever
    if (this.peer === undefined) this.#servers.advance()
    this.#wait(0)
  }

  #dial(): void {
    if (this.#isClosed) return
    const left = this.peer === undefined ? undefined : this.#servers.cutOff()?.[1]
    const server = left ?? this.#servers.next
    this.#options.observer.connecting?.(server.text)
    this.#attempt = this.#attempts.begin(server)
  }

  #begin(certificate: X509Certificate): Peer {
    const { name, serverName } = this.#options
    const session = { side: 'dialler', id: randomBytes(16), secret: randomBytes(32), name } as const
    const { names } = certificateNames(certificate.subjectAltName)
    // it is asked by the name that it was dialled with
    return beginPeer(this.#options, this, session, [...new Set([serverName, ...names])])
  }

  /** The link of a session is gone, or never came about. */
  #broken(
    peer: Peer,
    fault: Fault,
    wasLive: boolean,
    retryAfter: number,
    server: Server | undefined = this.#servers.of(peer),
  ): void {
    const { observer, wheel, reconnect } = this.#options
    const text = server?.text ?? ''
    if (wasLive) {
      observer.lost?.(text, fault)
      if (wheel.now() - this.#liveSince >= reconnect.stable) this.#backoff.reset()
      if (server !== undefined) this.#servers.next = server
    } else if (server === this.#servers.next && fault !== SESSION_EXPIRED) {
      observer.failed?.(text, fault)
      this.#servers.advance()
    }
    this.#wait(retryAfter)
  }

  /** Dials in a while, unless something better is under way. */
  #wait(retryAfter: number): void {
    const { wheel, reconnect } = this.#options
    if (this.#isClosed || this.#attempt !== undefined || this.#timer.pending) return
    const isShown = this.#servers.isLinked && this.#shown === this.#options.trust.identity
    if (isShown && this.#servers.cutOff() === undefined) return
    const asked = Math.min(retryAfter, RETRY_AFTER_MOST)
    wheel.set(this.#timer, this.#backoff.next(Math.max(reconnect.least, asked)))
  }

  #changed({ authorities, bans, identity }: TrustChange): void {
    // what a ticket stands for was said by another certificate, or vouched for by another authority
    if (authorities || identity) {
      this.#attempts.renew()
      this.#servers.forgetTickets()
    }
    if (authorities || bans) for (const peer of this.#servers.peers()) peer.check()
    if (identity) this.#dialBeside()
  }

  /** Replaces the link that is there, which is closed when the new one is greeted. */
  #dialBeside(): void {
    if (this.#attempt !== undefined) return
    const { live } = this.#servers
    if (live === undefined) return
    this.#servers.next = live
    this.#options.wheel.clear(this.#timer)
    this.#dial()
  }

  #check(certificate: X509Certificate): Fault | undefined {
    const { trust, serverName } = this.#options
    return trust.trust.checkPeer(certificate, { role: 'server', name: serverName })
  }
}
