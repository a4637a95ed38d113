/**
 * Who this machine is: its certificate and its key.
 * Invariant: the two belong together, so a link is never begun with a key that the other end must refuse; and TLS takes them.
 */
import type { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { certificateNames } from '@sapwood/auth'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { PeerRole } from './certificate-fault.ts'
import { datesFault, nameFaultOf, purposeFault } from './certificate-fault.ts'
import { readCertificates, readKey } from './pem.ts'

export interface Identity {
  /** The first certificate of its file: its own. */
  readonly certificate: X509Certificate
  /** The whole file, intermediate certificates included, as TLS wants it. */
  readonly cert: string
  readonly key: string
  readonly names: readonly string[]
}

/**
 * @param files what errors call the two.
 * @throws SapwoodError PEM_INVALID, CERTIFICATE_INVALID, KEY_INVALID, KEY_ENCRYPTED, KEY_FOREIGN, KEY_UNSUITABLE
 */
export function readIdentity(
  cert: string,
  key: string,
  files: { readonly cert: string; readonly key: string },
): Identity {
  const [certificate] = readCertificates(cert, files.cert) as [X509Certificate]
  if (!certificate.checkPrivateKey(readKey(key, files.key))) {
    const detail = `${files.key} is not the key of ${files.cert}; take the two that were made together`
    throw new SapwoodError('KEY_FOREIGN', detail)
  }
  checkSuitable(cert, key, files)
  return { certificate, cert, key, names: certificateNames(certificate.subjectAltName).names }
}

/** Links are made of it later, where nobody could be told: of a key too short, or a certificate signed by a hash too weak. */
function checkSuitable(
  cert: string,
  key: string,
  files: { readonly cert: string; readonly key: string },
): void {
  try {
    // without a CA of its own it would read all that Node brings along
    createSecureContext({ cert, key, ca: cert, minVersion: 'TLSv1.3' })
  } catch (thrown) {
    const detail = `TLS does not take ${files.cert} and ${files.key}: ${reasonOf(thrown)}; make them anew, with a key of P-256`
    throw new SapwoodError('KEY_UNSUITABLE', detail, { cause: thrown })
  }
}

/**
 * Would every peer refuse it? A certificate that is not valid yet may be: clocks are set after machines start.
 * @param name what it has to be called: a client has to bear the name that it says.
 * @param now the wall clock, in milliseconds.
 * @throws SapwoodError CERTIFICATE_EXPIRED, CERTIFICATE_PURPOSE, CERTIFICATE_NAMELESS, NAME_NOT_CERTIFIED
 */
export function checkIdentity(
  { certificate }: Identity,
  role: PeerRole,
  name: string,
  now: number,
): void {
  const dates = datesFault(certificate, now)
  const fault =
    (dates?.code === 'CERTIFICATE_EXPIRED' ? dates : undefined) ??
    purposeFault(certificate, role) ??
    // a listener is asked for the name that its clients say, which its files need not bear
    nameFaultOf(certificate, role, role === 'client' ? name : undefined)
  if (fault !== undefined) throw new SapwoodError(fault.code, fault.detail)
}
