/**
 * What can be wrong with one certificate by itself: its dates, a ban, its use, its names. Each is a fault with the next
 * step, told to both ends.
 */
import type { X509Certificate } from 'node:crypto'
import { certificateNames } from '@sapwood/auth'
import type { Fault } from '@sapwood/core'
import type { DenyList } from './deny-list.ts'
import { fingerprintOf } from './deny-list.ts'
import { normalHex } from './der.ts'
import type { RevocationList } from './revocation-list.ts'

/** What an end of a link is: who dials, or who listens. */
export type PeerRole = 'client' | 'server'

const ANY_USE = '2.5.29.37.0'
const USES = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const

/**
 * Is it valid now, and neither revoked nor denied?
 * @param issuer the authority that signed it, if it is known.
 * @param now the wall clock, in milliseconds.
 */
export function certificateFault(
  certificate: X509Certificate,
  issuer: X509Certificate | undefined,
  now: number,
  revocations: readonly RevocationList[],
  denied: DenyList,
): Fault | undefined {
  return (
    datesFault(certificate, now) ??
    revokedFault(certificate, issuer, revocations) ??
    deniedFault(certificate, denied)
  )
}

/** Its extendedKeyUsage, where present, must fit the role. */
export function purposeFault(certificate: X509Certificate, role: PeerRole): Fault | undefined {
  // what Node calls keyUsage is the extended one
  const uses: readonly string[] | undefined = certificate.keyUsage
  if (uses === undefined || uses.includes(ANY_USE) || uses.includes(USES[role])) return undefined
  return {
    code: 'CERTIFICATE_PURPOSE',
    detail: `the certificate of ${holderOf(certificate)} is not for a ${role}; its extendedKeyUsage needs ${role}Auth`,
  }
}

/**
 * The name of a certificate that somebody means, as the certificate has it; undefined if it has none such. Names of
 * the DNS know no upper case, so `Alpha` finds `alpha`.
 */
export function findName(certificate: X509Certificate, name: string): string | undefined {
  const { names } = certificateNames(certificate.subjectAltName)
  return names.find((each) => each === name) ?? names.find((each) => each === name.toLowerCase())
}

/** It has to name somebody, and `name` where one is expected. */
export function nameFaultOf(
  certificate: X509Certificate,
  role: PeerRole,
  name: string | undefined,
): Fault | undefined {
  const { names } = certificateNames(certificate.subjectAltName)
  if (names.length === 0) {
    const detail = `the certificate of the ${role} names nobody; it needs a subjectAltName with DNS:NAME or URI:sapwood:NAME`
    return { code: 'CERTIFICATE_NAMELESS', detail }
  }
  if (name === undefined || findName(certificate, name) !== undefined) return undefined
  const detail = `the certificate of the ${role} is not for ${JSON.stringify(name)} but for ${names.join(', ')}; use that name, or issue another certificate`
  return { code: 'NAME_NOT_CERTIFIED', detail }
}

/** Whom a certificate is of, for texts. */
export function holderOf(certificate: X509Certificate): string {
  const { names } = certificateNames(certificate.subjectAltName)
  return names.join(', ') || `"${certificate.subject.replaceAll('\n', ', ')}"`
}

/** Is it valid now? `now` is the wall clock, in milliseconds. */
export function datesFault(certificate: X509Certificate, now: number): Fault | undefined {
  const { validFrom, validTo } = certificate
  const isEarly = now < Date.parse(validFrom)
  if (!isEarly && now <= Date.parse(validTo)) return undefined
  const here = new Date(now).toISOString()
  if (isEarly) {
    return {
      code: 'CERTIFICATE_EARLY',
      detail: `the certificate of ${holderOf(certificate)} begins at ${isoOf(validFrom)}, and here it is ${here}; set the clocks of both machines`,
    }
  }
  return {
    code: 'CERTIFICATE_EXPIRED',
    detail: `the certificate of ${holderOf(certificate)} ran out at ${isoOf(validTo)}, and here it is ${here}; issue a new one`,
  }
}

function revokedFault(
  certificate: X509Certificate,
  issuer: X509Certificate | undefined,
  revocations: readonly RevocationList[],
): Fault | undefined {
  if (issuer === undefined) return undefined
  for (const { authority, revoked } of revocations) {
    if (revoked.size === 0) continue
    const serial = normalHex(certificate.serialNumber)
    if (!revoked.has(serial) || !isSameAuthority(authority, issuer)) continue
    return {
      code: 'CERTIFICATE_REVOKED',
      detail: `the certificate ${serial} of ${holderOf(certificate)} was revoked; issue a new one`,
    }
  }
  return undefined
}

/** One that was renewed has another certificate, and the same name and key. */
function isSameAuthority(one: X509Certificate, other: X509Certificate): boolean {
  return one.subject === other.subject && one.publicKey.equals(other.publicKey)
}

function deniedFault(certificate: X509Certificate, denied: DenyList): Fault | undefined {
  if (!isDenied(certificate, denied)) return undefined
  return {
    code: 'CERTIFICATE_DENIED',
    detail: `${holderOf(certificate)} is denied; take its line out of the file deny to let it in again`,
  }
}

/** What no list holds is not worth the texts that it would be looked up by: a thousand may come at once. */
function isDenied(certificate: X509Certificate, { fingerprints, names }: DenyList): boolean {
  if (fingerprints.size > 0 && fingerprints.has(fingerprintOf(certificate))) return true
  if (names.size === 0) return false
  const { names: own } = certificateNames(certificate.subjectAltName)
  return own.some((name) => names.has(name.toLowerCase()))
}

function isoOf(date: string): string {
  return new Date(date).toISOString()
}
