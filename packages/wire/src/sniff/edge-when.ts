/** The `when` table of a route: what the first bytes of a connection must be. */
import { SapwoodError } from '@sapwood/core'
import { bytesPattern } from './bytes-pattern.ts'
import { any, http2, proxy, silent, ssh } from './first-bytes.ts'
import { http } from './http-matcher.ts'
import { line } from './line-matcher.ts'
import type { Matcher } from './sniffed.ts'
import { pipe, tls } from './tls-matcher.ts'

export type EdgeProtocol =
  | 'http'
  | 'http2'
  | 'tls'
  | 'ssh'
  | 'line'
  | 'pipe'
  | 'proxy'
  | 'silent'
  | 'any'

/** Either `protocol` or `bytes`; the other keys only narrow. */
export interface EdgeWhen {
  readonly protocol?: EdgeProtocol
  /** A regular expression over the first bytes, one character a byte. */
  readonly bytes?: string
  /** Of `http`: see `HttpWhen`. */
  readonly path?: string
  readonly host?: string
  readonly method?: string
  readonly upgrade?: string
  /** Of `tls`: see `TlsWhen`. */
  readonly sni?: string
  readonly alpn?: string
}

type Narrowing = Omit<EdgeWhen, 'protocol' | 'bytes'>

interface Kind {
  readonly keys: readonly string[]
  readonly matcher: (when: Narrowing) => Matcher
}

const KINDS: Readonly<Record<EdgeProtocol, Kind>> = {
  http: { keys: ['path', 'host', 'method', 'upgrade'], matcher: http },
  http2: plain(http2),
  tls: { keys: ['sni', 'alpn'], matcher: tls },
  ssh: plain(ssh),
  line: plain(line),
  pipe: plain(pipe),
  proxy: plain(proxy),
  silent: plain(silent),
  any: plain(any),
}

/**
 * The matcher of a rule.
 * @throws SapwoodError `EDGE_INVALID` for a table that makes no sense: no protocol or an unknown one, a key that is
 * unknown, no text, or of another protocol, a name or path that nothing could match; `BYTES_PATTERN_INVALID` for
 * `bytes` that cannot be told from part of the bytes.
 * @example edgeMatcher({ protocol: 'http', path: '/uploads/**', method: 'POST' })
 */
export function edgeMatcher(when: EdgeWhen): Matcher {
  const { protocol, bytes, ...narrowing } = when
  const said = Object.entries(when).filter(([, value]) => value !== undefined)
  for (const [key, value] of said) {
    if (typeof value !== 'string') throw invalid(`\`${key}\` is no text`)
  }
  const kind = kindOf(protocol, bytes)
  const stray = said.map(([key]) => key).find((key) => !isKeyOf(key, kind))
  if (stray !== undefined) throw strayKey(stray, protocol)
  return kind.matcher(narrowing)
}

function kindOf(protocol: EdgeProtocol | undefined, bytes: string | undefined): Kind {
  if (bytes !== undefined) {
    if (protocol !== undefined) throw invalid('it has both `protocol` and `bytes`; leave one out')
    return plain(bytesPattern(bytes))
  }
  if (protocol === undefined) {
    throw invalid('it has neither `protocol` nor `bytes`; `protocol = "any"` is everybody')
  }
  if (Object.hasOwn(KINDS, protocol)) return KINDS[protocol]
  const names = Object.keys(KINDS).join(', ')
  throw invalid(`there is no protocol "${protocol}"; it is one of ${names}`)
}

function isKeyOf(key: string, { keys }: Kind): boolean {
  return key === 'protocol' || key === 'bytes' || keys.includes(key)
}

function strayKey(key: string, protocol: string | undefined): SapwoodError {
  const owner = Object.entries(KINDS).find(([, { keys }]) => keys.includes(key))
  if (owner === undefined) return invalid(`there is no key \`${key}\``)
  const other = protocol === undefined ? '`bytes`' : `protocol "${protocol}"`
  return invalid(`\`${key}\` belongs to protocol "${owner[0]}" and says nothing of ${other}`)
}

function plain(matcher: Matcher): Kind {
  return { keys: [], matcher: () => matcher }
}

function invalid(detail: string): SapwoodError {
  return new SapwoodError('EDGE_INVALID', `\`when\`: ${detail}`)
}
