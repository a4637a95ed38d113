/**
 * HTTP/1, told by its first request (SP-07, TB-01, TB-03). A connection is routed once: later requests on it go where the
 * first one went (SP-09).
 */
import { SapwoodError } from '@sapwood/core'
import { TOKEN } from '../token.ts'
import type { EdgePath } from './edge-path.ts'
import { edgePath, edgePathPattern } from './edge-path.ts'
import { hostName, hostPattern } from './host-pattern.ts'
import type { RequestHeaders, RequestLine } from './request-head.ts'
import { requestHeaders, requestLine } from './request-head.ts'
import type { Matcher, Verdict } from './sniffed.ts'
import { both, remembered } from './sniffed.ts'

export interface HttpWhen {
  /** On segment borders, without query: `/uploads/**`. */
  readonly path?: string
  /** `app.example.org`, or `*.example.org` for all names one label longer. */
  readonly host?: string
  /** In any case: `POST`. */
  readonly method?: string
  /** A protocol that the request wants to change to: `websocket`. */
  readonly upgrade?: string
}

type LineTest = (line: RequestLine, bytes: Uint8Array) => Verdict
type HeaderTest = (headers: RequestHeaders, line: RequestLine) => boolean

const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)(.*)$/is

/**
 * An HTTP/1 request that fulfils all conditions: path and method are judged by the request line, host and upgrade once
 * the head is whole. Says no as soon as a byte cannot belong to a request line.
 * @throws SapwoodError `EDGE_INVALID` for a condition that nothing could fulfil.
 * @example decide([{ match: http({ path: '/ws/**', upgrade: 'websocket' }) }], sniffed)
 */
export function http(when: HttpWhen = {}): Matcher {
  const lineTests = lineTestsOf(when)
  const headerTests = headerTestsOf(when)
  return ({ bytes }) => {
    const line = requestLine(bytes)
    if (line === 'no') return 'no'
    let verdict: Verdict = line.end === undefined ? 'more' : 'yes'
    for (const test of lineTests) verdict = both(verdict, test(line, bytes))
    if (verdict !== 'yes' || headerTests.length === 0) return verdict
    const headers = requestHeaders(bytes)
    if (typeof headers === 'string') return headers
    return headerTests.every((test) => test(headers, line)) ? 'yes' : 'no'
  }
}

function lineTestsOf({ path, method }: HttpWhen): LineTest[] {
  const tests: LineTest[] = []
  if (method !== undefined) {
    const wanted = token('method', method).toUpperCase()
    tests.push(({ method }) => (method === undefined ? 'more' : known(method === wanted)))
  }
  if (path !== undefined) {
    const isPath = edgePathPattern(path)
    tests.push((line, bytes) =>
      line.target === undefined ? 'more' : known(isPath(requestPath(bytes))),
    )
  }
  return tests
}

function headerTestsOf({ host, upgrade }: HttpWhen): HeaderTest[] {
  const tests: HeaderTest[] = []
  if (host !== undefined) {
    const isHost = hostPattern(host)
    tests.push((headers, line) => {
      const wanted = hostOf(headers, line)
      return wanted !== undefined && isHost(wanted)
    })
  }
  if (upgrade !== undefined) {
    const wanted = token('upgrade', upgrade).toLowerCase()
    tests.push(
      (headers) =>
        lists(headers.all('upgrade'), wanted) && lists(headers.all('connection'), 'upgrade'),
    )
  }
  return tests
}

function known(isSo: boolean): Verdict {
  return isSo ? 'yes' : 'no'
}

/** The path of the target in any form (RFC 9112 section 3.2); `CONNECT` and `*` have none. */
const requestPath = remembered((bytes: Uint8Array): EdgePath => {
  const line = requestLine(bytes)
  if (line === 'no' || line.target === undefined) return undefined
  const rest = ABSOLUTE.exec(line.target)?.[2]
  if (rest === undefined) return edgePath(line.target)
  return edgePath(rest.startsWith('/') ? rest : `/${rest}`)
})

/** The host that a request is for: an absolute target outdoes the header; two headers say nothing. */
function hostOf(headers: RequestHeaders, { method, target = '' }: RequestLine): string | undefined {
  const authority = method === 'CONNECT' ? target : ABSOLUTE.exec(target)?.[1]
  if (authority !== undefined) return hostName(authority.replace(/^.*@/, ''))
  const [host, second] = headers.all('host')
  return host === undefined || second !== undefined ? undefined : hostName(host)
}

function lists(headers: readonly string[], word: string): boolean {
  return headers.some((header) =>
    header.split(',').some((element) => element.trim().toLowerCase() === word),
  )
}

function token(name: string, value: string): string {
  if (TOKEN.test(value)) return value
  throw new SapwoodError(
    'EDGE_INVALID',
    `the ${name} "${value}" is no word; write one such as \`${name === 'method' ? 'POST' : 'websocket'}\``,
  )
}
