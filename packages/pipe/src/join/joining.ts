/**
 * The part in joining of who was invited, without the connection: is the server the right one, and is the answer?
 * Invariant: the secret goes out only to a server that the pinned CA vouches for under the right name, and nothing is
 * written down that does not hold together.
 */
import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import type { Fault } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { Installed } from '../pki/install-identity.ts'
import { installIdentity } from '../pki/install-identity.ts'
import { makeRequest } from '../pki/make-request.ts'
import { subjectName } from '../pki/subject-names.ts'
import { keyPem, makeKey } from '../pki/x509.ts'
import { findName } from '../trust/certificate-fault.ts'
import { fingerprintOf } from '../trust/deny-list.ts'
import { readCertificates } from '../trust/pem.ts'
import { Trust } from '../trust/trust.ts'
import type { JoinAnswer, JoinRequest } from './join-messages.ts'
import type { JoinToken } from './join-token.ts'

const LONGEST_CHAIN = 8

/** A key of one's own, and what is sent to have it certified. */
export interface Joining {
  readonly key: KeyObject
  readonly request: JoinRequest
}

/**
 * What is wrong with the server that was dialled, or undefined: it has to send the pinned CA along, and a certificate of
 * that CA for the name in the token.
 * @param certificate as `getPeerX509Certificate()` gives it, with the chain behind it.
 */
export function joinServerFault(
  certificate: X509Certificate | undefined,
  token: JoinToken,
  now?: () => number,
): Fault | undefined {
  const pinned = chainOf(certificate).find((each) => fingerprintOf(each) === token.authority)
  if (pinned === undefined) {
    const detail = `the listener at ${token.server} is not of the CA that invited; is the address right, and the invitation new?`
    return { code: 'CERTIFICATE_FOREIGN', detail }
  }
  const trust = new Trust({ 'ca.crt.pem': pinned.toString() }, { dir: '.', ...(now && { now }) })
  return trust.checkPeer(certificate, { role: 'server', name: token.serverName })
}

export async function beginJoining({ name, secret }: JoinToken): Promise<Joining> {
  const key = makeKey()
  return { key, request: { secret, csr: await makeRequest(key, name, [subjectName(name)]) } }
}

/**
 * Checks what the server answered and writes it down.
 * @throws SapwoodError JOIN_ANSWER_INVALID, FILE_NOT_WRITTEN
 */
export async function finishJoining(
  dir: string,
  token: JoinToken,
  { key }: Joining,
  { certificate, ca, crl }: JoinAnswer,
  now?: () => number,
): Promise<Installed> {
  const [own] = readCertificates(certificate, 'the certificate') as [X509Certificate]
  if (!readCertificates(ca, 'the CA').some((each) => fingerprintOf(each) === token.authority)) {
    throw invalid('its CA is not the one that invited')
  }
  if (!createPublicKey(key).equals(own.publicKey))
    throw invalid('its certificate is of another key')
  if (findName(own, token.name) === undefined) throw invalid('its certificate is for another name')
  const texts = { key: keyPem(key), cert: certificate, ca, crl }
  return installIdentity(dir, texts, { name: token.name, ...(now && { now }) })
}

/** From a certificate up as far as the peer sent it along. */
function chainOf(certificate: X509Certificate | undefined): readonly X509Certificate[] {
  const chain: X509Certificate[] = []
  let next = certificate
  while (next !== undefined && chain.length < LONGEST_CHAIN) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

function invalid(detail: string): SapwoodError {
  const next = 'have another invitation made, and look after the server'
  return new SapwoodError('JOIN_ANSWER_INVALID', `the server's answer is wrong: ${detail}; ${next}`)
}
