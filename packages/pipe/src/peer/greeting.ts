/** A connection that a listener knows the holder of, and not yet the session: it waits for the greeting, not for ever. */
import type { X509Certificate } from 'node:crypto'
import type { Fault, Timed, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { Link } from '@sapwood/net'
import type { SessionMessage } from '@sapwood/wire'
import { isFault, PipeLink } from '@sapwood/wire'
import { GREETING_TIMEOUT } from './peer-faults.ts'
import type { LinkHolder } from './peer-link.ts'
import { PeerLink } from './peer-link.ts'

export interface GreetingOwner {
  readonly wheel: Wheel
  /** The peer has said which session it means. */
  greeted(greeting: Greeting, hello: SessionMessage): void
  /** It has said something else, nothing in time, or is gone. */
  failed(greeting: Greeting, fault: Fault): void
}

export class Greeting implements LinkHolder, Timed {
  readonly link: PeerLink
  readonly certificate: X509Certificate
  /** The names in the certificate. */
  readonly names: readonly string[]
  readonly #owner: GreetingOwner
  readonly #limit: number
  #isSecond = false
  readonly #timer: Timer = new Timer(this)

  /** @param limit milliseconds for the greeting. */
  constructor(
    owner: GreetingOwner,
    stream: Link,
    certificate: X509Certificate,
    names: readonly string[],
    limit: number,
  ) {
    this.#owner = owner
    this.#limit = limit
    this.certificate = certificate
    this.names = names
    this.link = new PeerLink(stream, new PipeLink(allocate), certificate, this)
    owner.wheel.set(this.#timer, limit)
  }

  /**
   * Its session is gone: it may begin another one here, since a connection costs more than a session.
   * @returns false if it had its second chance, or has said more than a greeting.
   */
  again(): boolean {
    if (this.#isSecond || this.link.pipe.input.length > 0) return false
    this.#isSecond = true
    this.link.begin(new PipeLink(allocate), this)
    this.#owner.wheel.set(this.#timer, this.#limit)
    return true
  }

  arrived(link: PeerLink, bytes: Uint8Array): void {
    const hello = link.pipe.greet(bytes)
    if (hello === undefined) return
    this.stop()
    if (isFault(hello)) this.#owner.failed(this, hello)
    else this.#owner.greeted(this, hello)
  }

  emptied(): void {}

  lost(_link: PeerLink, fault: Fault): void {
    this.stop()
    this.#owner.failed(this, fault)
  }

  expired(): void {
    this.#owner.failed(this, GREETING_TIMEOUT)
  }

  stop(): void {
    this.#owner.wheel.clear(this.#timer)
  }
}

function allocate(size: number): Uint8Array {
  return Buffer.allocUnsafeSlow(size)
}
