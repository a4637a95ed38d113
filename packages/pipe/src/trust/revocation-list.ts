/**
 * A certificate revocation list (RFC 5280, section 5): which serial numbers of one authority count no longer. Read
 * here, since nothing of Node says what stands in a list, and links that live need to know.
 * Invariant: a list that is not signed by an authority which is trusted, or that says something critical which is
 * not understood, is refused as a whole.
 */
import { type KeyObject, verify, type X509Certificate } from 'node:crypto'
import { SapwoodError } from '@sapwood/core'
import { DerReader, hexOf, oidOf, Tag, timeOf } from './der.ts'

export interface RevocationList {
  /** Who signed it. */
  readonly authority: X509Certificate
  /** In milliseconds of the wall clock. */
  readonly thisUpdate: number
  /** When the next list was promised, if it was. */
  readonly nextUpdate: number | undefined
  /** Serial numbers in upper-case hex without leading zeros. */
  readonly revoked: ReadonlySet<string>
}

interface Content {
  readonly signed: Uint8Array
  readonly algorithm: string
  readonly signature: Uint8Array
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly revoked: ReadonlySet<string>
}

/** What `crypto.verify` calls the digest of a signature; null where the algorithm has its own. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
  '1.3.101.113': null,
}

/**
 * Reads a list and finds out who signed it.
 * @param file what errors call it.
 * @throws SapwoodError CRL_INVALID, CRL_FOREIGN
 */
export function readRevocationList(
  der: Uint8Array,
  authorities: readonly X509Certificate[],
  file: string,
): RevocationList {
  const { signed, algorithm, signature, ...rest } = contentOf(der, file)
  const digest = DIGESTS[algorithm]
  if (digest === undefined) throw invalid(file, `nothing here can check signatures of ${algorithm}`)
  const authority = authorities.find(({ publicKey }) =>
    isSigned(digest, signed, publicKey, signature),
  )
  if (authority !== undefined) return { authority, ...rest }
  const detail = `${file} has a list that no authority of ca.crt.pem signed; take the list of the same CA, or add its certificate`
  throw new SapwoodError('CRL_FOREIGN', detail)
}

function isSigned(
  digest: string | null,
  signed: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
): boolean {
  try {
    return verify(digest, signed, key, signature)
  } catch {
    // a key of another kind
    return false
  }
}

function contentOf(der: Uint8Array, file: string): Content {
  try {
    const outer = new DerReader(der)
    const list = new DerReader(outer.take(Tag.sequence).content)
    const signed = list.take(Tag.sequence)
    const algorithm = oidOf(new DerReader(list.take(Tag.sequence).content).take(Tag.oid).content)
    // the first byte of a BIT STRING says how many bits of the last one do not count: none
    const signature = list.take(Tag.bitString).content.subarray(1)
    if (!outer.done || !list.done) throw invalid(file, 'something stands behind its end')
    return { signed: signed.whole, algorithm, signature, ...entriesOf(signed.content) }
  } catch (thrown) {
    if (thrown instanceof SapwoodError && thrown.code === 'DER_INVALID') {
      throw invalid(file, thrown.detail)
    }
    if (thrown instanceof Critical) throw invalid(file, thrown.message)
    throw thrown
  }
}

function entriesOf(content: Uint8Array): Pick<Content, 'thisUpdate' | 'nextUpdate' | 'revoked'> {
  const fields = new DerReader(content)
  fields.accept(Tag.integer)
  fields.take(Tag.sequence)
  fields.take(Tag.sequence)
  const thisUpdate = timeOf(fields.next())
  const next = fields.accept(Tag.utcTime) ?? fields.accept(Tag.generalizedTime)
  const revoked = new Set<string>()
  const entries = new DerReader(fields.accept(Tag.sequence)?.content ?? new Uint8Array())
  while (!entries.done) {
    const entry = new DerReader(entries.next().content)
    revoked.add(hexOf(entry.take(Tag.integer).content))
    timeOf(entry.next())
    const extensions = entry.accept(Tag.sequence)
    if (extensions !== undefined) checkExtensions(extensions.content)
  }
  const extensions = fields.accept(Tag.context0)
  if (extensions !== undefined) {
    checkExtensions(new DerReader(extensions.content).take(Tag.sequence).content)
  }
  return { thisUpdate, nextUpdate: next && timeOf(next), revoked }
}

class Critical extends Error {}

/** None of those that may be critical (delta lists, lists of a part, entries of another issuer) is understood here. */
function checkExtensions(content: Uint8Array): void {
  const extensions = new DerReader(content)
  while (!extensions.done) {
    const extension = new DerReader(extensions.next().content)
    const oid = oidOf(extension.take(Tag.oid).content)
    if (extension.accept(Tag.boolean)?.content[0]) {
      throw new Critical(`its extension ${oid} is critical and unknown here; write a complete list`)
    }
  }
}

function invalid(file: string, detail: string): SapwoodError {
  return new SapwoodError('CRL_INVALID', `${file} holds a list that cannot be used: ${detail}`)
}
