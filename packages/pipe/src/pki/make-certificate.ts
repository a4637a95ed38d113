/**
 * Makes certificates: that of a CA, and those that it signs. P-256 and SHA-256 unless the key at hand is another; a
 * random serial number; the name in the subjectAltName, the common name for people only.
 * Invariant: nothing that is signed lives longer than the CA.
 */
import { type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { SapwoodError } from '@sapwood/core'
import { authorityKeyOf } from './authority-key.ts'
import type { SubjectName } from './subject-names.ts'
import { algorithmOf, loadX509, signingKey } from './x509.ts'

export const DAY = 86_400_000
/** Clocks of machines differ: a certificate counts from this long before it was made, in milliseconds. */
const BACKDATED = 3_600_000
const MOST_DAYS = 36_500
/** What a common name may have in characters (RFC 5280, appendix A). */
const COMMON_NAME = 64
const SERIAL_BYTES = 16

const USES = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const

/** What a holder may be on a link. */
export type Use = keyof typeof USES

/** Who signs. */
export interface Signer {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

export interface CertificateOrder {
  readonly publicKey: KeyObject
  readonly commonName: string
  readonly names: readonly SubjectName[]
  readonly uses: readonly Use[]
  readonly days: number
  /** The wall clock, in milliseconds. */
  readonly now: number
}

/** @throws SapwoodError LIFETIME_INVALID */
export async function makeAuthorityCertificate(
  key: KeyObject,
  commonName: string,
  days: number,
  now: number,
): Promise<X509Certificate> {
  const x509 = await loadX509()
  const { keys, algorithm } = await signingKey(key)
  const { KeyUsageFlags: Usage } = x509
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    ...lifetime(days, now),
    name: [{ CN: [commonName] }],
    serialNumber: makeSerial(),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      // it signs those of machines, and no other CA
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(Usage.keyCertSign | Usage.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return new X509Certificate(Buffer.from(made.rawData))
}

/** @throws SapwoodError LIFETIME_INVALID, KEY_UNSUITABLE, CERTIFICATE_EXPIRED for the CA. */
export async function makeCertificate(
  { certificate, key }: Signer,
  { publicKey, commonName, names, uses, days, now }: CertificateOrder,
): Promise<X509Certificate> {
  algorithmOf(publicKey)
  const x509 = await loadX509()
  const { keys, algorithm } = await signingKey(key)
  const issuer = new x509.X509Certificate(certificate.raw)
  const spki = new x509.PublicKey(publicKey.export({ type: 'spki', format: 'der' }))
  const { notBefore, notAfter } = lifetime(days, now)
  if (issuer.notAfter.getTime() <= now) {
    const detail = `the certificate of the CA ran out at ${issuer.notAfter.toISOString()}; make a new CA`
    throw new SapwoodError('CERTIFICATE_EXPIRED', detail)
  }
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: makeSerial(),
    notBefore: later(notBefore, issuer.notBefore),
    notAfter: earlier(notAfter, issuer.notAfter),
    subject: [{ CN: [commonName.slice(0, COMMON_NAME)] }],
    // as it stands in the CA's own, byte by byte: names are compared
    issuer: issuer.subjectName,
    publicKey: spki,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(uses.map((use) => USES[use])),
      new x509.SubjectAlternativeNameExtension([...names]),
      await x509.SubjectKeyIdentifierExtension.create(spki),
      await authorityKeyOf(issuer),
    ],
  })
  return new X509Certificate(Buffer.from(made.rawData))
}

/** @throws SapwoodError LIFETIME_INVALID */
export function checkDays(days: number): number {
  if (Number.isInteger(days) && days >= 1 && days <= MOST_DAYS) return days
  const detail = `a certificate cannot live for ${days} days; choose 1 to ${MOST_DAYS}`
  throw new SapwoodError('LIFETIME_INVALID', detail)
}

function lifetime(days: number, now: number): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(now - BACKDATED),
    notAfter: new Date(now + checkDays(days) * DAY),
  }
}

function later(one: Date, other: Date): Date {
  return one > other ? one : other
}

function earlier(one: Date, other: Date): Date {
  return one < other ? one : other
}

/** Positive, not zero, of one length. */
function makeSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES)
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}
