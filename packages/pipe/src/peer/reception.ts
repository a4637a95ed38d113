/**
 * Where connections of a listener wait until it is known whose they are and which session they mean: first their certificate
 * is checked, then their greeting is waited for.
 * Invariant: nothing that a peer says is read before its certificate was checked against the trust of that moment; whoever is
 * sent away is told why.
 */
import type { TLSSocket } from 'node:tls'
import { certificateNames } from '@sapwood/auth'
import type { Fault, Wheel } from '@sapwood/core'
import type { Link } from '@sapwood/net'
import { formatAddress } from '@sapwood/net'
import type { SessionMessage } from '@sapwood/wire'
import { refusal, SESSION_UNKNOWN } from '@sapwood/wire'
import type { GreetingOwner } from './greeting.ts'
import { Greeting } from './greeting.ts'
import type { PeerBase } from './peer-base.ts'
import { NAME_FULL, nameReserved, PROTOCOL_UNKNOWN, SHUTDOWN } from './peer-faults.ts'
import { sendAway } from './peer-link.ts'
import { PIPE_ALPN } from './peer-settings.ts'

export interface ReceptionOptions
  extends Pick<PeerBase, 'trust' | 'settings' | 'observer' | 'wheel'> {
  /** Names that nobody may have here. */
  readonly reserved?: readonly string[]
  /** Finds the session, or begins it, and gives it the link. @returns why not. */
  readonly seat: (greeting: Greeting, hello: SessionMessage) => Fault | undefined
}

/** Milliseconds after which whoever found no room may try again. */
const ROOM_AFTER = 1_000

export class Reception implements GreetingOwner {
  readonly #options: ReceptionOptions
  readonly #greetings = new Set<Greeting>()

  constructor(options: ReceptionOptions) {
    this.#options = options
  }

  get wheel(): Wheel {
    return this.#options.wheel
  }

  /** A connection has come in; its handshake is over. */
  arrived(stream: Link, socket: TLSSocket): void {
    const { trust, settings, reserved } = this.#options
    if (socket.alpnProtocol !== PIPE_ALPN) return this.#refuse(stream, PROTOCOL_UNKNOWN)
    const certificate = socket.getPeerX509Certificate()
    const fault = trust.trust.checkPeer(certificate, { role: 'client' })
    if (fault !== undefined || certificate === undefined) {
      return this.#refuse(stream, fault ?? PROTOCOL_UNKNOWN)
    }
    const { names } = certificateNames(certificate.subjectAltName)
    const taken = names.find((name) => reserved?.includes(name))
    if (taken !== undefined) return this.#refuse(stream, nameReserved(taken))
    const greeting = new Greeting(this, stream, certificate, names, settings.handshake)
    this.#greetings.add(greeting)
    greeting.link.open()
  }

  greeted(greeting: Greeting, hello: SessionMessage): void {
    this.#greetings.delete(greeting)
    const fault = this.#options.seat(greeting, hello)
    if (fault !== undefined) this.#end(greeting, fault)
  }

  failed(greeting: Greeting, fault: Fault): void {
    this.#greetings.delete(greeting)
    this.#end(greeting, fault)
  }

  /** Drops whoever has not greeted yet. */
  close(): void {
    for (const greeting of this.#greetings) {
      greeting.stop()
      greeting.link.destroy()
    }
    this.#greetings.clear()
  }

  #end(greeting: Greeting, fault: Fault): void {
    const { link, names } = greeting
    const { observer } = this.#options
    observer.refused?.(`${names[0]} at ${formatAddress(link.stream.remote)}`, fault)
    const isFull = fault === NAME_FULL || fault === SHUTDOWN
    link.write(isFull ? refusal(fault, false, ROOM_AFTER) : refusal(fault))
    if (fault === SESSION_UNKNOWN && greeting.again()) this.#greetings.add(greeting)
    else link.end(this.wheel)
  }

  #refuse(stream: Link, fault: Fault): void {
    this.#options.observer.refused?.(formatAddress(stream.remote), fault)
    sendAway(stream, refusal(fault), this.wheel)
  }
}
