/**
 * PEM (RFC 7468): blocks of base64 between BEGIN and END lines, with any text around them, as `openssl x509 -text` and
 * easy-rsa write it.
 * Invariant: a block that begins and does not end is a fault, so half a file is never taken for a whole one.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { reasonOf, SapwoodError } from '@sapwood/core'
import { fromBase64 } from '@sapwood/wire'

export interface PemBlock {
  readonly label: string
  /** With its BEGIN and END lines. */
  readonly text: string
  readonly der: Uint8Array
}

const BLOCK = /^-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n([\s\S]*?)^-----END \1-----[ \t]*\r?$/gm
const BEGIN = /^-----BEGIN /gm
const CERTIFICATE_LABEL = /^(?:X509 )?CERTIFICATE$/
const CRL_LABEL = 'X509 CRL'
const LINE = /.{1,64}/g

/**
 * All blocks of a file.
 * @param file what errors call it.
 * @throws SapwoodError PEM_INVALID
 */
export function pemBlocks(text: string, file: string): PemBlock[] {
  const blocks: PemBlock[] = []
  for (const [whole, label = '', body = ''] of text.matchAll(BLOCK)) {
    // an encrypted key has header lines, and no DER that could be read without its pass phrase
    const isPlain = !body.includes(':')
    const der = isPlain ? fromBase64(body.replace(/\s/g, '')) : new Uint8Array()
    if (der === undefined) throw pemInvalid(file, `its block ${label} is no base64`)
    blocks.push({ label, text: `${whole.trimEnd()}\n`, der })
  }
  if ((text.match(BEGIN) ?? []).length !== blocks.length) {
    throw pemInvalid(file, 'a block has no end; was it written completely?')
  }
  if (blocks.length === 0) throw pemInvalid(file, noBlocks(text))
  return blocks
}

/** @example toPem('X509 CRL', der) */
export function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').match(LINE) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/**
 * The certificates of a file, at least one.
 * @throws SapwoodError PEM_INVALID, CERTIFICATE_INVALID
 */
export function readCertificates(text: string, file: string): X509Certificate[] {
  const blocks = pemBlocks(text, file).filter(({ label }) => CERTIFICATE_LABEL.test(label))
  if (blocks.length === 0) throw pemInvalid(file, 'it has no CERTIFICATE block')
  return blocks.map(({ der }) => {
    try {
      return new X509Certificate(der)
    } catch (thrown) {
      const detail = `${file} holds a certificate that cannot be read: ${reasonOf(thrown)}`
      throw new SapwoodError('CERTIFICATE_INVALID', detail, { cause: thrown })
    }
  })
}

/**
 * The revocation lists of a file, each in DER, at least one. Node takes only the first list of a file.
 * @throws SapwoodError PEM_INVALID
 */
export function readCrlBlocks(text: string, file: string): Uint8Array[] {
  const blocks = pemBlocks(text, file).filter(({ label }) => label === CRL_LABEL)
  if (blocks.length === 0) throw pemInvalid(file, `it has no ${CRL_LABEL} block`)
  return blocks.map(({ der }) => der)
}

/**
 * The private key of a file.
 * @throws SapwoodError PEM_INVALID, KEY_INVALID, KEY_ENCRYPTED
 */
export function readKey(text: string, file: string): KeyObject {
  const block = pemBlocks(text, file).find(({ label }) => label.endsWith('PRIVATE KEY'))
  if (block === undefined) throw pemInvalid(file, 'it has no PRIVATE KEY block')
  if (block.label.startsWith('ENCRYPTED') || block.text.includes('ENCRYPTED')) {
    const detail = `${file} is locked by a pass phrase; write it anew without one: openssl pkey -in ${file} -out NEW`
    throw new SapwoodError('KEY_ENCRYPTED', detail)
  }
  try {
    return createPrivateKey(block.text)
  } catch (thrown) {
    const detail = `${file} holds a key that cannot be read: ${reasonOf(thrown)}`
    throw new SapwoodError('KEY_INVALID', detail, { cause: thrown })
  }
}

function noBlocks(text: string): string {
  if (text === '') return 'it is empty'
  if (text.charCodeAt(0) !== 0x30) return 'it has no block that begins with -----BEGIN'
  return 'it looks like DER; openssl x509, pkey or crl with -inform DER writes it as PEM'
}

function pemInvalid(file: string, detail: string): SapwoodError {
  return new SapwoodError('PEM_INVALID', `${file} is no PEM file of that kind: ${detail}`)
}
