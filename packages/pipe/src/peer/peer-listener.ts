/**
 * The listening end of the pipe: keeps the sessions of those who have come in through the entrance and the reception.
 * Invariant: what is not trusted any more loses its sessions and the worth of its tickets at once.
 */
import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Fault } from '@sapwood/core'
import type { HostAddress } from '@sapwood/net'
import type { SessionMessage } from '@sapwood/wire'
import { isFault, SESSION_UNKNOWN } from '@sapwood/wire'
import { findName, nameFaultOf } from '../trust/certificate-fault.ts'
import type { TrustChange } from '../trust/trust-store.ts'
import { untilIdle } from '../until-idle.ts'
import { beginPeer } from './begin-peer.ts'
import { Entrance } from './entrance.ts'
import type { Greeting } from './greeting.ts'
import type { Peer } from './peer.ts'
import type { PeerBase } from './peer-base.ts'
import { NAME_FULL, SESSION_EXPIRED, SESSION_REPLACED, SHUTDOWN } from './peer-faults.ts'
import type { PeerOwner } from './peer-owner.ts'
import { Reception } from './reception.ts'
import { SessionTable } from './session-table.ts'
import type { TicketKeys } from './ticket-keys.ts'

export interface PeerListenerOptions extends PeerBase {
  readonly address: HostAddress
  readonly tickets: TicketKeys
  /** Who takes connections of other protocols, by ALPN. */
  readonly others?: Readonly<Record<string, (socket: TLSSocket) => void>>
  /** Names that nobody may have here. */
  readonly reserved?: readonly string[]
}

/** How long the last words of a listener may take to leave, in milliseconds. */
const LAST_WORDS = 100

export class PeerListener implements PeerOwner {
  readonly #options: PeerListenerOptions
  /** Clients see to their own certificates. */
  readonly renewal = 0
  readonly sessions: SessionTable = new SessionTable()
  readonly #entrance: Entrance
  readonly #reception: Reception
  readonly #forget: () => void
  #address: HostAddress | undefined
  #draining = false
  #isClosed = false

  constructor(options: PeerListenerOptions) {
    this.#options = options
    const reception = new Reception({
      ...options,
      seat: (greeting, hello) => this.#seat(greeting, hello),
    })
    this.#reception = reception
    this.#entrance = new Entrance({
      ...options,
      arrived: (stream, socket) => reception.arrived(stream, socket),
    })
    this.#forget = options.trust.onChange((change) => this.#changed(change))
  }

  get address(): HostAddress | undefined {
    return this.#address
  }

  /** @throws SapwoodError PORT_IN_USE, PORT_FORBIDDEN, ADDRESS_INVALID, LISTEN_FAILED */
  async listen(): Promise<HostAddress> {
    this.#address = await this.#entrance.listen()
    this.open()
    return this.#address
  }

  /** Is ready, with or without a port of its own. */
  open(): void {
    this.#options.observer.listening?.()
  }

  /** Takes a connection that came in elsewhere, with its first bytes unread: a handshake is next. */
  take(socket: Duplex): void {
    if (this.#isClosed) socket.destroy()
    else this.#entrance.take(socket)
  }

  /** Takes nothing new. Resolves when all that is open has ended and has arrived, or the limit is reached. */
  async drain(limit: number): Promise<void> {
    // whoever was cut off may come back until the end; nobody begins anything
    this.#draining = true
    for (const peer of this.sessions.all()) peer.drain(SHUTDOWN)
    const isIdle = (peer: Peer): boolean => peer.session.idle
    await untilIdle(this.#options.wheel, limit, () => this.sessions.all().every(isIdle))
  }

  /** Ends all sessions. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#draining = true
    this.#forget()
    this.#entrance.stop()
    this.#reception.close()
    for (const peer of this.sessions.all()) peer.close(SHUTDOWN)
    // at once it would cut off, below TLS, what is being said there
    this.#options.wheel.after(LAST_WORDS, () => this.#entrance.close())
  }

  /** Done when no socket is left; `close` comes first. */
  closed(): Promise<void> {
    return this.#entrance.closed()
  }

  attached(peer: Peer): void {
    const { directory, observer } = this.#options
    directory.attached(peer)
    observer.added?.(peer.name, peer.names)
    this.#options.updates?.attached?.(peer)
  }

  relinked(peer: Peer): void {
    this.#options.updates?.attached?.(peer)
  }

  detached(peer: Peer, fault: Fault, wasLive: boolean): void {
    const { directory, observer } = this.#options
    if (!wasLive) return
    directory.detached(peer)
    observer.removed?.(peer.name, fault)
  }

  ended(peer: Peer, fault: Fault): void {
    const { directory, observer } = this.#options
    this.sessions.delete(peer)
    if (directory.detached(peer)) observer.removed?.(peer.name, fault)
    observer.stopped?.(peer.name, fault)
    this.#options.updates?.ended?.(peer, fault)
  }

  renew(): void {}

  goaway(): void {
    // a client that goes away begins its next session by itself
  }

  checkAgain(_peer: Peer, certificate: X509Certificate): Fault | undefined {
    const fault = this.#options.trust.trust.checkPeer(certificate, { role: 'client' })
    if (fault !== undefined) this.#entrance.forgetTickets()
    return fault
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

  /** Somebody has said which session they mean. @returns why they cannot have it. */
  #seat(greeting: Greeting, hello: SessionMessage): Fault | undefined {
    const known = this.sessions.find(hello.id)
    return known === undefined ? this.#begin(greeting, hello) : this.#goOn(known, greeting, hello)
  }

  /** Another link of a session. @returns why not. */
  #goOn(known: Peer, { names, link }: Greeting, hello: SessionMessage): Fault | undefined {
    // the name that it began with must be in this certificate too
    if (!names.includes(known.name)) return SESSION_UNKNOWN
    const fault = known.accept(link, hello)
    if (fault === undefined) this.#options.directory.named(known, names)
    return fault
  }

  /** A session that nobody here knows yet. @returns why not. */
  #begin(greeting: Greeting, hello: SessionMessage): Fault | undefined {
    const { link } = greeting
    if (hello.resumed) return SESSION_UNKNOWN
    if (this.#draining) return SHUTDOWN
    const names = namesOf(greeting, hello)
    if (isFault(names)) return names
    if (!this.#makeRoom(names[0] as string)) return NAME_FULL
    const { id, secret } = hello
    const peer = beginPeer(this.#options, this, { side: 'listener', id, secret }, names)
    this.sessions.add(peer)
    const fault = peer.accept(link, hello)
    if (fault !== undefined) {
      this.sessions.delete(peer)
      this.#options.observer.stopped?.(peer.name, fault)
      return fault
    }
    // what came behind the greeting may have ended it at once
    if (peer.session.over) return undefined
    for (const former of this.sessions.formerOf(peer)) former.close(SESSION_REPLACED)
    return undefined
  }

  /** Who starts again and again must not be kept out by what is held of its former selves. */
  #makeRoom(name: string): boolean {
    const { perName } = this.#options.settings
    if (this.sessions.count(name) >= perName) this.sessions.heldOf(name)?.close(SESSION_EXPIRED)
    return this.sessions.count(name) < perName
  }

  #changed(change: TrustChange): void {
    if (change.authorities || change.bans) {
      const before = this.sessions.size
      // one without a link is checked when it comes back
      for (const peer of this.sessions.all()) peer.check()
      if (change.authorities && this.sessions.size === before) this.#entrance.forgetTickets()
    }
    if (change.identity || change.authorities) this.#entrance.renew()
  }
}

/** The names of a certificate, the one that its holder goes by first. */
function namesOf(greeting: Greeting, { name }: SessionMessage): readonly string[] | Fault {
  const { names, certificate } = greeting
  if (name === '') return names
  const said = findName(certificate, name)
  if (said !== undefined) return [said, ...names.filter((each) => each !== said)]
  return nameFaultOf(certificate, 'client', name) ?? names
}
