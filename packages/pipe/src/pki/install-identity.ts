/**
 * Puts an identity that was made elsewhere into a directory (RP-37).
 * Invariant: key, certificate, CA and revocation list are checked together, as links will need them, before anything is
 * written; after a refusal every old file is as it was.
 */
import type { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { SapwoodError } from '@sapwood/core'
import { holderOf } from '../trust/certificate-fault.ts'
import { readIdentity } from '../trust/identity.ts'
import { Trust } from '../trust/trust.ts'
import { readFiles, required } from '../trust/trust-files.ts'
import { checkName } from './subject-names.ts'
import { type NewFile, writeFiles } from './write-files.ts'

/** PEM texts. */
export interface IdentityTexts {
  readonly key: string
  /** Intermediate certificates behind it. */
  readonly cert: string
  /** Where it is left out, the CA in the directory counts. */
  readonly ca?: string | undefined
  readonly crl?: string | undefined
}

export interface InstallOptions {
  /** What its files are called (default: the first name in the certificate). */
  readonly name?: string | undefined
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
}

export interface Installed {
  readonly name: string
  readonly certificate: X509Certificate
  readonly files: readonly string[]
}

const CA = 'ca.crt.pem'
const CA_KEY = 'ca.key.pem'
const CRL = 'crl.pem'
const DENY = 'deny'

/**
 * @throws SapwoodError PEM_INVALID, CERTIFICATE_INVALID, KEY_INVALID, KEY_ENCRYPTED, KEY_FOREIGN, AUTHORITY_INVALID, CRL_INVALID,
 * CRL_FOREIGN, NAME_INVALID, AUTHORITY_EXISTS, FILE_MISSING, FILE_NOT_WRITTEN, and the codes of `Trust.checkCertificate`
 * @example await installIdentity('pki', { key, cert, ca })
 */
export async function installIdentity(
  dir: string,
  texts: IdentityTexts,
  options: InstallOptions = {},
): Promise<Installed> {
  const { certificate, names } = readIdentity(texts.cert, texts.key, {
    cert: 'the certificate',
    key: 'the key',
  })
  const name = checkName(options.name ?? names[0] ?? nameless(certificate))
  const there = await readFiles(dir, [CA, CA_KEY, CRL, DENY])
  const ca = texts.ca ?? required(there, dir, CA, 'name the certificate of the CA as well')
  const crl = texts.crl ?? there[CRL]
  const trust = new Trust(
    { [CA]: ca, [CRL]: crl, deny: there[DENY] },
    { dir, ...(options.now && { now: options.now }) },
  )
  const fault = trust.checkCertificate(certificate)
  if (fault !== undefined) throw new SapwoodError(fault.code, fault.detail)
  if (there[CA_KEY] !== undefined && ca !== there[CA]) {
    const detail = `${dir} is the directory of another CA; install into a directory of its own`
    throw new SapwoodError('AUTHORITY_EXISTS', detail)
  }
  const files: NewFile[] = [
    { file: join(dir, CA), text: ca },
    ...(crl === undefined ? [] : [{ file: join(dir, CRL), text: crl }]),
    { file: join(dir, `${name}.key.pem`), text: texts.key, isSecret: true },
    { file: join(dir, `${name}.crt.pem`), text: texts.cert },
  ]
  await writeFiles(files)
  return { name, certificate, files: files.map(({ file }) => file) }
}

function nameless(certificate: X509Certificate): never {
  const detail = `the certificate of ${holderOf(certificate)} names nobody; it needs a subjectAltName with DNS:NAME or URI:sapwood:NAME`
  throw new SapwoodError('CERTIFICATE_NAMELESS', detail)
}
