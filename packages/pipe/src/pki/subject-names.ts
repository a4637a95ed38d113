/**
 * What a certificate is made out to: the one name of its holder, and further entries of the subjectAltName on demand.
 * Invariant: the name is written so that it reads back as it was said, upper case included.
 */
import { isIP } from 'node:net'
import { nameFault, SapwoodError } from '@sapwood/core'

export interface SubjectName {
  readonly type: 'dns' | 'url' | 'ip'
  readonly value: string
}

/** What the DNS takes for a name; anything else becomes a URI. */
const HOST = /^(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/
const HOST_PATTERN = /^(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/
const COMMON_NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._()-]{0,63}$/u
const NAME_URI = 'sapwood:'
const LONGEST = 253
/** Its files would be those of the CA itself. */
const RESERVED = 'ca'

/**
 * @throws SapwoodError NAME_INVALID
 * @example checkName('fileserver')
 */
export function checkName(name: string): string {
  const fault =
    name.toLowerCase() === RESERVED ? 'is that of the CA in this directory' : nameFault(name, '')
  if (fault === undefined) return name
  throw new SapwoodError('NAME_INVALID', `the name ${JSON.stringify(name)} ${fault}`)
}

/**
 * What people see of a CA. The library reads quotes, `#`, `=` and the like in it as a language of its own.
 * @throws SapwoodError NAME_INVALID
 */
export function checkCommonName(text: string): string {
  if (COMMON_NAME.test(text)) return text
  const detail = `a CA cannot be called ${JSON.stringify(text)}; use 1 to 64 letters, digits, spaces and . _ ( ) -`
  throw new SapwoodError('NAME_INVALID', detail)
}

/** The entry that makes a certificate one of `name`. */
export function subjectName(name: string): SubjectName {
  return HOST.test(name) ? { type: 'dns', value: name } : { type: 'url', value: NAME_URI + name }
}

/**
 * Reads further entries.
 * @param text with commas between them.
 * @throws SapwoodError SAN_INVALID
 * @example readSubjectNames('DNS:files.example.org,URI:spiffe://example.org/files,IP:192.0.2.1')
 */
export function readSubjectNames(text: string): SubjectName[] {
  return text.split(',').map((entry) => {
    const [, kind = '', value = ''] = /^\s*(DNS|URI|IP):(.*?)\s*$/i.exec(entry) ?? []
    const read = readEntry(kind.toLowerCase(), value)
    if (read !== undefined) return read
    const detail = `${JSON.stringify(entry)} is no further name; write DNS:host, URI:scheme:rest or IP:address, with commas between`
    throw new SapwoodError('SAN_INVALID', detail)
  })
}

/** In the form of `--san`. */
export function formatSubjectName({ type, value }: SubjectName): string {
  return type === 'url' ? `URI:${value}` : `${type.toUpperCase()}:${value}`
}

function readEntry(kind: string, value: string): SubjectName | undefined {
  if (kind === 'dns' && value.length <= LONGEST && HOST_PATTERN.test(value)) {
    return { type: 'dns', value }
  }
  if (kind === 'ip' && isIP(value) !== 0) return { type: 'ip', value }
  if (kind !== 'uri' || !URI.test(value)) return undefined
  const isName =
    !value.startsWith(NAME_URI) || nameFault(value.slice(NAME_URI.length), '') === undefined
  return isName ? { type: 'url', value } : undefined
}
