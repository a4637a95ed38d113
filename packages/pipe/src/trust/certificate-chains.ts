/**
 * From a certificate to the authority that vouches for it. Signatures are checked once for each certificate: live links
 * are checked again at every change of a list, and a signature does not change.
 * Invariant: a way ends at an authority that is trusted, and every signature on it was verified.
 */
import type { X509Certificate } from 'node:crypto'
import { SapwoodError } from '@sapwood/core'
import { datesFault } from './certificate-fault.ts'
import { readCertificates } from './pem.ts'

export type Chain = readonly X509Certificate[]

/** More links of one chain than anybody has. */
const LONGEST = 8
/** Certificates between that are remembered. */
const MOST_BETWEEN = 64

export class CertificateChains {
  /** PEM. */
  readonly text: string
  readonly authorities: readonly X509Certificate[]
  readonly #known = new WeakMap<X509Certificate, Chain>()
  /** Certificates between that peers sent along and that hold: a resumed connection comes without them. */
  readonly #between = new Map<string, X509Certificate>()

  /**
   * @param file what errors call it.
   * @throws SapwoodError PEM_INVALID, CERTIFICATE_INVALID, AUTHORITY_INVALID
   */
  constructor(text: string, file: string) {
    this.text = text
    this.authorities = readCertificates(text, file)
    const wrong = this.authorities.find(({ ca }) => !ca)
    if (wrong === undefined) return
    const detail = `${file} holds "${wrong.subject.replaceAll('\n', ', ')}", which may sign nothing; put the certificate of the CA there`
    throw new SapwoodError('AUTHORITY_INVALID', detail)
  }

  /**
   * The certificate itself, who signed it, and so on, up as far as is known; undefined if no authority is on the way.
   * @param now the wall clock, in milliseconds.
   */
  chainOf(certificate: X509Certificate, now: number): Chain | undefined {
    const known = this.#known.get(certificate)
    // of an authority that was renewed another certificate may be valid by now
    if (known?.every((each) => datesFault(each, now) === undefined)) return known
    const chain = this.#find(certificate, now)
    if (chain === undefined) return undefined
    this.#known.set(certificate, chain)
    for (const each of chain.slice(1)) this.#remember(each)
    return chain
  }

  #find(certificate: X509Certificate, now: number): Chain | undefined {
    const chain = [certificate]
    let isTrusted = this.authorities.some(
      ({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256,
    )
    for (let last = certificate; chain.length < LONGEST; last = chain.at(-1) ?? last) {
      if (last.checkIssued(last)) break
      const known = this.#issuerOf(last, now)
      isTrusted ||= known !== undefined
      const issuer = known ?? (isTrusted ? undefined : this.#sentIssuerOf(last))
      if (issuer === undefined) break
      chain.push(issuer)
    }
    return isTrusted ? chain : undefined
  }

  /** One that the peer sent along, now or before, between its own and the authority. */
  #sentIssuerOf(certificate: X509Certificate): X509Certificate | undefined {
    const sent = certificate.issuerCertificate
    const candidates = sent === undefined ? [...this.#between.values()] : [sent]
    return candidates.find((each) => each.ca && isIssuer(each, certificate))
  }

  #remember(issuer: X509Certificate): void {
    const { fingerprint256 } = issuer
    if (this.authorities.some((authority) => authority.fingerprint256 === fingerprint256)) return
    this.#between.set(fingerprint256, issuer)
    const [oldest] = this.#between.keys()
    if (this.#between.size > MOST_BETWEEN) this.#between.delete(oldest as string)
  }

  /** Of an authority that was renewed with the same key there are two certificates: one that is valid now, if any. */
  #issuerOf(certificate: X509Certificate, now: number): X509Certificate | undefined {
    const issuers = this.authorities.filter((authority) => isIssuer(authority, certificate))
    return issuers.find((issuer) => datesFault(issuer, now) === undefined) ?? issuers[0]
  }
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
