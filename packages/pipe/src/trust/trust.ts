/**
 * Whom this machine trusts, and who it is: one set of files, parsed as a whole. It says of a certificate what is wrong
 * with it, now, without loading more than `node:crypto`.
 * Invariant: a set is immutable and whole; what cannot be read or does not fit together is no set.
 */
import type { X509Certificate } from 'node:crypto'
import type { Fault } from '@sapwood/core'
import { CertificateChains } from './certificate-chains.ts'
import type { PeerRole } from './certificate-fault.ts'
import { certificateFault, nameFaultOf, purposeFault } from './certificate-fault.ts'
import type { DenyList } from './deny-list.ts'
import { readDenyList } from './deny-list.ts'
import { readCrlBlocks } from './pem.ts'
import type { RevocationList } from './revocation-list.ts'
import { readRevocationList } from './revocation-list.ts'

/** What is demanded of the certificate at the other end. */
export interface PeerExpectation {
  /** What the *peer* is on this link; an extendedKeyUsage, where present, must fit. */
  readonly role: PeerRole
  /** The name that it must bear: that of the listener at a client, the one that a client said at a server. */
  readonly name?: string | undefined
}

/** The texts of the files. One that is not there is undefined. */
export interface TrustTexts {
  readonly 'ca.crt.pem': string
  readonly 'crl.pem'?: string | undefined
  readonly deny?: string | undefined
}

export interface TrustOptions {
  /** The directory, for errors. */
  readonly dir: string
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
  /** The set until now: what it found out of the same CA need not be found out again. */
  readonly before?: Trust | undefined
}

export class Trust {
  readonly authorities: readonly X509Certificate[]
  /** The authorities as TLS wants them. */
  readonly ca: readonly string[]
  readonly revocations: readonly RevocationList[]
  readonly denied: DenyList
  readonly #chains: CertificateChains
  readonly #now: () => number

  /** @throws SapwoodError PEM_INVALID, CERTIFICATE_INVALID, AUTHORITY_INVALID, CRL_INVALID, CRL_FOREIGN, DENY_INVALID */
  constructor(texts: TrustTexts, { dir, now = Date.now, before }: TrustOptions) {
    const file = (name: string): string => `${dir}/${name}`
    const ca = texts['ca.crt.pem']
    const known = before === undefined ? undefined : before.#chains
    this.#chains = known?.text === ca ? known : new CertificateChains(ca, file('ca.crt.pem'))
    this.authorities = this.#chains.authorities
    this.ca = this.authorities.map((authority) => authority.toString())
    const crl = texts['crl.pem']
    const lists = crl === undefined ? [] : readCrlBlocks(crl, file('crl.pem'))
    this.revocations = lists.map((der) =>
      readRevocationList(der, this.authorities, file('crl.pem')),
    )
    this.denied = readDenyList(texts.deny ?? '', file('deny'))
    this.#now = now
  }

  /**
   * What is wrong with the certificate of a peer, or undefined if nothing is: it leads to an authority, all on the way
   * are valid now and neither revoked nor denied, its use and its names fit. The handshake has to have proved that the
   * peer holds the key. The first check of a certificate costs about 0.2 ms, further ones a tenth.
   * @param certificate as `getPeerX509Certificate()` gives it.
   * @example trust.checkPeer(socket.getPeerX509Certificate(), { role: 'server', name: 'server' })
   */
  checkPeer(
    certificate: X509Certificate | undefined,
    { role, name }: PeerExpectation,
  ): Fault | undefined {
    if (certificate === undefined) {
      return {
        code: 'CERTIFICATE_MISSING',
        detail: `the ${role} sent no certificate; give it one: sapwood pki issue NAME`,
      }
    }
    return (
      this.checkCertificate(certificate) ??
      purposeFault(certificate, role) ??
      nameFaultOf(certificate, role, name)
    )
  }

  /** The same without what depends on the link: role and name. */
  checkCertificate(certificate: X509Certificate): Fault | undefined {
    const now = this.#now()
    const chain = this.#chains.chainOf(certificate, now)
    if (chain === undefined) {
      const issuer = certificate.issuer.replaceAll('\n', ', ')
      return {
        code: 'CERTIFICATE_FOREIGN',
        detail: `the certificate is of "${issuer}", no authority here; both ends need the same ca.crt.pem`,
      }
    }
    for (const [index, each] of chain.entries()) {
      const fault = certificateFault(each, chain[index + 1], now, this.revocations, this.denied)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  /**
   * When the certificate of a peer, or one on its way to the authority, runs out, in milliseconds of the wall clock.
   * The link has to be checked again then.
   */
  validUntil(certificate: X509Certificate): number {
    const chain = this.#chains.chainOf(certificate, this.#now()) ?? [certificate]
    return Math.min(...chain.map(({ validTo }) => Date.parse(validTo)))
  }
}
