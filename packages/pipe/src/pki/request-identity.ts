/** The way to a certificate of a CA that is elsewhere: a key and a request here, the signed certificate back. */
import { createPublicKey, type X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { SapwoodError } from '@sapwood/core'
import { readKey } from '../trust/pem.ts'
import { readFiles } from '../trust/trust-files.ts'
import { makeRequest } from './make-request.ts'
import type { SubjectName } from './subject-names.ts'
import { checkName, subjectName } from './subject-names.ts'
import { writeFiles } from './write-files.ts'
import { keyPem, makeKey } from './x509.ts'

/**
 * Makes a request for `name`, and its key where there is none: the key of a certificate in use is used on, so that it
 * does not lose the certificate that it has.
 * @returns the files.
 * @throws SapwoodError NAME_INVALID, PEM_INVALID, KEY_INVALID, KEY_ENCRYPTED, KEY_UNSUITABLE, FILE_NOT_WRITTEN
 */
export async function requestIdentity(
  dir: string,
  name: string,
  also: readonly SubjectName[] = [],
): Promise<{ readonly csr: string; readonly key: string; readonly isNewKey: boolean }> {
  const keyFile = join(dir, `${checkName(name)}.key.pem`)
  const csrFile = join(dir, `${name}.csr.pem`)
  const { [`${name}.key.pem`]: text } = await readFiles(dir, [`${name}.key.pem`])
  const key = text === undefined ? makeKey() : readKey(text, keyFile)
  const csr = await makeRequest(key, name, [subjectName(name), ...also])
  await writeFiles([
    ...(text === undefined ? [{ file: keyFile, text: keyPem(key), isSecret: true }] : []),
    { file: csrFile, text: csr },
  ])
  return { csr: csrFile, key: keyFile, isNewKey: text === undefined }
}

/**
 * Writes a certificate that was signed for `name`, unless the directory has a key of that name that is not its own.
 * @returns the file.
 * @throws SapwoodError KEY_FOREIGN, FILE_NOT_WRITTEN
 */
export async function keepCertificate(
  dir: string,
  name: string,
  certificate: X509Certificate,
): Promise<string> {
  const file = join(dir, `${checkName(name)}.crt.pem`)
  const { [`${name}.key.pem`]: text } = await readFiles(dir, [`${name}.key.pem`])
  const key = text === undefined ? undefined : readKey(text, join(dir, `${name}.key.pem`))
  if (key !== undefined && !createPublicKey(key).equals(certificate.publicKey)) {
    const detail = `${join(dir, name)}.key.pem is of another certificate; write this one to another file`
    throw new SapwoodError('KEY_FOREIGN', detail)
  }
  await writeFiles([{ file, text: certificate.toString() }])
  return file
}
