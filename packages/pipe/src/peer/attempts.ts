/**
 * Makes a dialler's attempts, and knows when all their connections are gone.
 * Invariant: each attempt shows the certificate of its moment, and what it leaves for the next is forgotten when another
 * certificate was taken up meanwhile.
 */
import type { X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import { createSecureContext } from 'node:tls'
import type { Fault } from '@sapwood/core'
import type { StreamLink } from '@sapwood/net'
import type { Identity } from '../trust/identity.ts'
import type { AttemptOptions } from './attempt.ts'
import { Attempt } from './attempt.ts'
import type { Server } from './server-list.ts'
import type { TrustSource } from './trust-source.ts'

export interface AttemptsOptions extends Pick<AttemptOptions, 'serverName' | 'wheel' | 'limit'> {
  readonly trust: TrustSource
}

/** Who hears how attempts end. */
export interface AttemptsOwner {
  reached(stream: StreamLink, certificate: X509Certificate, attempt: Attempt, server: Server): void
  failed(fault: Fault, server: Server): void
}

export class Attempts {
  readonly #owner: AttemptsOwner
  readonly #options: AttemptsOptions
  /** What TLS needs of the trust of now. */
  #context: SecureContext | undefined
  /** What the latest one shows. */
  #shows: Identity | undefined
  #sockets = 0
  #emptied: (() => void) | undefined

  constructor(owner: AttemptsOwner, options: AttemptsOptions) {
    this.#owner = owner
    this.#options = options
  }

  /** What this end shows in the latest attempt. */
  get shows(): Identity | undefined {
    return this.#shows
  }

  begin(server: Server): Attempt {
    const { trust } = this.#options
    const { identity } = trust
    this.#shows = identity
    this.#context ??= contextOf(trust)
    this.#sockets++
    const { address, kept } = server
    const options = { ...this.#options, server: address, context: this.#context, kept }
    return new Attempt(options, {
      reached: (stream, certificate, attempt) =>
        this.#owner.reached(stream, certificate, attempt, server),
      failed: (fault) => this.#owner.failed(fault, server),
      gone: () => {
        if (--this.#sockets === 0) this.#emptied?.()
      },
      kept: (session) => {
        // one that came for the certificate of before would show that one again
        if (identity === trust.identity) server.kept = session
      },
    })
  }

  /** The trust is another one now. */
  renew(): void {
    this.#context = undefined
  }

  /** Done when no connection is left. */
  async closed(): Promise<void> {
    if (this.#sockets > 0) await new Promise<void>((resolve) => (this.#emptied = resolve))
  }
}

function contextOf({ identity, trust }: TrustSource): SecureContext {
  const { key, cert } = identity
  return createSecureContext({ key, cert, ca: [...trust.ca], minVersion: 'TLSv1.3' })
}
