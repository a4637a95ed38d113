/**
 * The server's part in joining, without the connection: takes a request, gives the answer.
 * Invariant: the secret is spent before anything else is looked at, and every failure looks alike from outside.
 */
import type { Clock } from '@sapwood/core'
import { reasonOf, SapwoodError } from '@sapwood/core'
import { Authority } from '../pki/authority.ts'
import { keepCertificate } from '../pki/request-identity.ts'
import { readFiles, required } from '../trust/trust-files.ts'
import { Invitations } from './invitations.ts'
import { JoinLimit } from './join-limit.ts'
import type { JoinAnswer } from './join-messages.ts'
import { decodeJoinRequest, encodeJoinAnswer } from './join-messages.ts'

export interface JoinDeskOptions {
  /** That of the CA, its key included. */
  readonly dir: string
  readonly clock: Pick<Clock, 'now'>
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
  /** How an attempt ended, for the log: who joined, or why somebody did not. */
  readonly onAttempt?: (attempt: JoinAttempt) => void
}

export interface JoinAttempt {
  readonly address: string
  /** Who joined; undefined where nobody did. */
  readonly name?: string
  readonly reason?: string
}

const CA = 'ca.crt.pem'
const CRL = 'crl.pem'

/** @example socket.write(framer.encode(await desk.answer(message, socket.remoteAddress))) */
export class JoinDesk {
  readonly #options: JoinDeskOptions
  readonly #invitations: Invitations
  readonly #limit: JoinLimit

  constructor(options: JoinDeskOptions) {
    this.#options = options
    this.#invitations = new Invitations(options.dir, options.now)
    this.#limit = new JoinLimit(options.clock)
  }

  /**
   * @param message what `encodeJoinRequest` made, or anything else.
   * @param address where it comes from; failures are counted by it.
   * @returns what `decodeJoinAnswer` reads.
   */
  async answer(message: Uint8Array, address: string): Promise<Uint8Array> {
    const { onAttempt } = this.#options
    let name: string | undefined
    try {
      if (!this.#limit.admits(address)) throw refused('too many failures from there')
      const request = decodeJoinRequest(message)
      const invitation = request && (await this.#invitations.spend(request.secret))
      if (request === undefined || invitation === undefined) {
        throw refused('no such invitation is open')
      }
      name = invitation.name
      const answer = await this.#certify(name, request.csr)
      this.#limit.forgiven(address)
      onAttempt?.({ address, name })
      return encodeJoinAnswer(answer)
    } catch (thrown) {
      const whose = name === undefined ? '' : `the invitation of ${name} is spent: `
      onAttempt?.({ address, reason: `${whose}${reasonOf(thrown)}` })
      return encodeJoinAnswer(undefined)
    }
  }

  async #certify(name: string, csr: string): Promise<JoinAnswer> {
    const { dir, now } = this.#options
    const authority = await Authority.open(dir, now)
    const { certificate } = await authority.sign(name, csr, { uses: ['client'] })
    // so that the name is known here from now on; where it was already, what stands there stays
    await keepCertificate(dir, name, certificate).catch(ignoreOther)
    const texts = await readFiles(dir, [CA, CRL])
    const ca = required(texts, dir, CA, 'make a CA with sapwood pki init')
    return { certificate: certificate.toString(), ca, crl: texts[CRL] }
  }
}

function ignoreOther(thrown: unknown): void {
  if (!(thrown instanceof SapwoodError) || thrown.code !== 'KEY_FOREIGN') throw thrown
}

function refused(detail: string): SapwoodError {
  return new SapwoodError('JOIN_REFUSED', detail)
}
