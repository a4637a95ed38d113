/**
 * Whom a client certificate names: the DNS entries of its subjectAltName in lower case, and `sapwood:NAME` URIs. Its
 * other URIs are no names, but rules may mean them (`cert:<uri>`). A common name is never looked at.
 * Invariant: only a certificate that was verified gets here; one without such an entry names nobody.
 */
import type { Principal } from '@sapwood/core'
import { nameFault } from '@sapwood/core'

/** What a certificate says of its holder. */
export interface CertificateNames {
  /** What the holder may be called: 1 to 128 of `A-Z a-z 0-9 . _ -` each, in the order of the certificate. */
  readonly names: readonly string[]
  /** Its other URIs, for rules. */
  readonly uris: readonly string[]
}

const NAME_URI = 'sapwood:'

/**
 * The names in a subjectAltName. An entry that cannot be a name, as `*.example.org` or an address, names nobody.
 * @param subjectAltName as `X509Certificate` has it.
 * @example certificateNames('DNS:Alpha, URI:https://example.org/a')
 * // { names: ['alpha'], uris: ['https://example.org/a'] }
 */
export function certificateNames(subjectAltName: string | undefined): CertificateNames {
  const names = new Set<string>()
  const uris = new Set<string>()
  // Node writes a comma inside an entry as an escape, so one of another kind cannot pretend to be two
  for (const text of (subjectAltName ?? '').split(', ')) {
    const kind = text.slice(0, 4)
    const entry = unquoted(text.slice(4))
    if (kind === 'DNS:') addName(names, entry.toLowerCase())
    else if (kind !== 'URI:' || entry === '') continue
    else if (entry.startsWith(NAME_URI)) addName(names, entry.slice(NAME_URI.length))
    else uris.add(entry)
  }
  return { names: [...names], uris: [...uris] }
}

/**
 * Who a verified certificate proves its holder to be, or undefined where it names nobody.
 * @param subjectAltName as `X509Certificate` has it.
 * @example certificatePrincipal('DNS:Alpha, URI:https://example.org/a')
 * // { id: 'cert:alpha', also: ['cert:https://example.org/a'], trusted: false }
 */
export function certificatePrincipal(subjectAltName: string | undefined): Principal | undefined {
  const { names, uris } = certificateNames(subjectAltName)
  const [id, ...also] = [...names, ...uris].map((name) => `cert:${name}`)
  return id === undefined ? undefined : { id, trusted: false, ...(also.length > 0 && { also }) }
}

function addName(names: Set<string>, name: string): void {
  if (nameFault(name, '') === undefined) names.add(name)
}

/** Those with a comma, a quote or what is not ASCII inside stand in quotes, as JSON. */
function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  try {
    return String(JSON.parse(text))
  } catch {
    return ''
  }
}
