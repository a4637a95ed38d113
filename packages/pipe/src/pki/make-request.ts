/** Requests for certificates (PKCS #10): made by who holds the key, read by who signs. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { reasonOf, SapwoodError } from '@sapwood/core'
import { pemBlocks, toPem } from '../trust/pem.ts'
import type { SubjectName } from './subject-names.ts'
import { formatSubjectName } from './subject-names.ts'
import { loadX509, signingKey } from './x509.ts'

export interface CertificateRequest {
  readonly publicKey: KeyObject
  /** The entries that it asks for, in the form of `--san`. Nobody gets them for asking. */
  readonly asked: readonly string[]
}

const LABELS: ReadonlySet<string> = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])
/** Bytes; those with the largest keys have two thousand. */
const LIMIT = 16_384
const TYPES: Readonly<Record<string, SubjectName['type']>> = { dns: 'dns', url: 'url', ip: 'ip' }

/** @returns PEM. */
export async function makeRequest(
  key: KeyObject,
  commonName: string,
  names: readonly SubjectName[],
): Promise<string> {
  const x509 = await loadX509()
  const { keys, algorithm } = await signingKey(key)
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName.slice(0, 64)] }],
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([...names])],
  })
  return toPem('CERTIFICATE REQUEST', new Uint8Array(made.rawData))
}

/**
 * Reads a request, and checks that who made it holds the key.
 * @param file what errors call it.
 * @throws SapwoodError PEM_INVALID, CSR_INVALID
 */
export async function readRequest(text: string, file: string): Promise<CertificateRequest> {
  const block = pemBlocks(text, file).find(({ label }) => LABELS.has(label))
  if (block === undefined) throw invalid(file, 'it has no CERTIFICATE REQUEST block')
  if (block.der.length > LIMIT) throw invalid(file, `it has more than ${LIMIT} bytes`)
  const x509 = await loadX509()
  try {
    const request = new x509.Pkcs10CertificateRequest(block.der)
    if (!(await request.verify())) throw new Error('its signature does not fit its key')
    const spki = Buffer.from(request.publicKey.rawData)
    const publicKey = createPublicKey({ key: spki, type: 'spki', format: 'der' })
    const san = request.extensions.find(
      (each) => each instanceof x509.SubjectAlternativeNameExtension,
    )
    const asked = (san?.names.items ?? []).map(({ type, value }) => {
      const known = TYPES[type]
      return known === undefined ? `${type}:${value}` : formatSubjectName({ type: known, value })
    })
    return { publicKey, asked }
  } catch (thrown) {
    throw invalid(file, reasonOf(thrown))
  }
}

function invalid(file: string, detail: string): SapwoodError {
  return new SapwoodError('CSR_INVALID', `${file} is no request for a certificate: ${detail}`)
}
