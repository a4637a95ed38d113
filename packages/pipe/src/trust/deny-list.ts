/**
 * Who is refused whatever their certificate says: a name or the SHA-256 fingerprint of a certificate a line. Blank
 * lines and what stands behind `#` do not count.
 * Invariant: a line that is neither is a fault, not a ban that nobody notices to be missing.
 */
import { nameFault, SapwoodError } from '@sapwood/core'

export interface DenyList {
  /** In lower case. */
  readonly names: ReadonlySet<string>
  /** In lower-case hex without colons. */
  readonly fingerprints: ReadonlySet<string>
}

const FINGERPRINT =
  /^(?:sha-?256(?: fingerprint)?[:= ] *)?((?:[0-9a-f]{2}:){31}[0-9a-f]{2}|[0-9a-f]{64})$/

/**
 * @param file what errors call it.
 * @throws SapwoodError DENY_INVALID
 * @example readDenyList('alpha  # stolen\n1A:A2:…', 'deny')
 */
export function readDenyList(text: string, file: string): DenyList {
  const names = new Set<string>()
  const fingerprints = new Set<string>()
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const entry = line.replace(/#.*/, '').trim().toLowerCase()
    if (entry === '') continue
    const [, fingerprint] = FINGERPRINT.exec(entry) ?? []
    if (fingerprint !== undefined) fingerprints.add(fingerprint.replaceAll(':', ''))
    const isName = nameFault(entry, '') === undefined
    if (isName) names.add(entry)
    else if (fingerprint === undefined) {
      const detail = `${file}:${index + 1}: ${JSON.stringify(entry)} is no name and no SHA-256 fingerprint; write one a line`
      throw new SapwoodError('DENY_INVALID', detail)
    }
  }
  return { names, fingerprints }
}

/** The SHA-256 fingerprint of a certificate as a deny list has it. */
export function fingerprintOf(certificate: { readonly fingerprint256: string }): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase()
}
