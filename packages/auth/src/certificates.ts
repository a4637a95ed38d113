/**
 * Whom a client certificate names: the DNS entries of its subjectAltName in lower case, and `sapwood:NAME` URIs. Its
 * other URIs are no names, but rules may mean them (`cert:<uri>`).
 * Invariant: only a certificate that was verified gets here; one without such an entry names nobody.
 */
import type { Principal } from '@sapwood/core'

/** One entry as Node writes them; those with a comma or a quote inside stand in quotes, as JSON. */
const ENTRY = /(DNS|URI):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g
const NAME_URI = 'sapwood:'

/**
 * Who a verified certificate proves its holder to be, or undefined where it names nobody.
 * @param subjectAltName as `X509Certificate` has it.
 * @example certificatePrincipal('DNS:Alpha, URI:https://example.org/a')
 * // { id: 'cert:alpha', also: ['cert:https://example.org/a'], trusted: false }
 */
export function certificatePrincipal(subjectAltName: string | undefined): Principal | undefined {
  const names: string[] = []
  const uris: string[] = []
  for (const [, kind, quoted = ''] of (subjectAltName ?? '').matchAll(ENTRY)) {
    const entry = quoted.startsWith('"') ? unquoted(quoted) : quoted
    if (entry === '') continue
    if (kind === 'DNS') names.push(entry.toLowerCase())
    else if (entry.startsWith(NAME_URI)) names.push(entry.slice(NAME_URI.length))
    else uris.push(entry)
  }
  const [id, ...also] = [...names, ...uris].map((name) => `cert:${name}`)
  return id === undefined ? undefined : { id, trusted: false, ...(also.length > 0 && { also }) }
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return ''
  }
}
