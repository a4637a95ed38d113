/**
 * Makes revocation lists. What the list before had stays in the new one, whoever wrote it.
 * Invariant: the numbers of a CA's lists grow, and a list is good for as long as its CA: nothing has to write it anew
 * from time to time.
 */
import { readCrlBlocks, toPem } from '../trust/pem.ts'
import { authorityKeyOf } from './authority-key.ts'
import type { Signer } from './make-certificate.ts'
import { loadX509, signingKey } from './x509.ts'

type X509CrlEntryParams = import('@peculiar/x509').X509CrlEntryParams

const CRL_NUMBER = '2.5.29.20'
/** OpenSSL and Node know a list by no other label. */
const LABEL = 'X509 CRL'
const INTEGER = 0x02

/**
 * @param serials what is revoked from now on, in hex.
 * @param before the list until now, PEM; lists of other authorities in it stay as they are.
 * @param now the wall clock, in milliseconds.
 * @returns PEM.
 * @throws SapwoodError PEM_INVALID for the list until now.
 */
export async function makeCrl(
  { certificate, key }: Signer,
  serials: readonly string[],
  before: string | undefined,
  now: number,
): Promise<string> {
  const x509 = await loadX509()
  const { keys, algorithm } = await signingKey(key)
  const issuer = new x509.X509Certificate(certificate.raw)
  const foreign: string[] = []
  const entries = new Map<string, X509CrlEntryParams>()
  for (const der of before === undefined ? [] : readCrlBlocks(before, 'crl.pem')) {
    const list = new x509.X509Crl(der)
    const isOwn = await list.verify({ publicKey: issuer }).catch(() => false)
    if (!isOwn) foreign.push(toPem(LABEL, der))
    else for (const entry of list.entries) entries.set(entry.serialNumber, paramsOf(entry))
  }
  for (const serial of serials) {
    const serialNumber = serial.toLowerCase()
    if (entries.has(serialNumber)) continue
    entries.set(serialNumber, { serialNumber, revocationDate: new Date(now) })
  }
  const made = await x509.X509CrlGenerator.create({
    issuer: issuer.subjectName,
    thisUpdate: new Date(now),
    nextUpdate: issuer.notAfter,
    entries: [...entries.values()],
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      await authorityKeyOf(issuer),
      new x509.Extension(CRL_NUMBER, false, integerOf(now)),
    ],
  })
  return [toPem(LABEL, new Uint8Array(made.rawData)), ...foreign].join('')
}

function paramsOf({
  serialNumber,
  revocationDate,
  reason,
}: import('@peculiar/x509').X509CrlEntry): X509CrlEntryParams {
  return { serialNumber, revocationDate, ...(reason !== undefined && { reason }) }
}

/** DER of an integer that is not negative. */
function integerOf(value: number): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  // its first bit would say that it is negative
  const sign = (bytes[0] as number) >= 0x80 ? [0] : []
  const content = [...sign, ...bytes]
  return new Uint8Array([INTEGER, content.length, ...content])
}
