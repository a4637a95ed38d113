/**
 * Paths of URLs against patterns of rules, segment by segment (TB-01, SP-07): `/uploads/**` is `/uploads` and all below
 * it, never `/uploadsfoo`.
 * Invariant: a path that two servers could read differently matches nothing: with an empty segment, `.`, `..`, an
 * encoded slash, a control character, or what is no UTF-8.
 */
import { SapwoodError } from '@sapwood/core'

/** Visible ASCII without `%`: most segments are. */
const AS_IT_IS = /^[!-$&-~]*$/

/** A path in segments, decoded; undefined if it matches nothing. */
export type EdgePath = readonly string[] | undefined

/**
 * The path of a request target without its query. `/` has no segments; a slash at the end of any other is an empty
 * segment.
 * @param target as in the request line, one character a byte.
 */
export function edgePath(target: string): EdgePath {
  const path = target.replace(/[?#].*$/s, '')
  if (!path.startsWith('/')) return undefined
  if (path === '/') return []
  const segments: string[] = []
  for (const sent of path.slice(1).split('/')) {
    const segment = decoded(sent)
    if (segment === undefined || segment === '' || segment === '.' || segment === '..') {
      return undefined
    }
    segments.push(segment)
  }
  return segments
}

/**
 * A test for paths. `*` is exactly one segment, a last `**` any number of them, none included.
 * @param pattern begins with `/`, written decoded.
 * @throws SapwoodError `EDGE_INVALID` for a pattern that could match nothing.
 * @example edgePathPattern('/uploads/**')(edgePath('/uploads/a.png?x=1')) // true
 */
export function edgePathPattern(pattern: string): (path: EdgePath) => boolean {
  const wanted = pattern === '/' ? [] : pattern.slice(1).split('/')
  const fault = patternFault(pattern, wanted)
  if (fault !== undefined) {
    throw new SapwoodError(
      'EDGE_INVALID',
      `the path "${pattern}" ${fault}; write for example \`/uploads/**\`, decoded and without query`,
    )
  }
  const isOpen = wanted.at(-1) === '**'
  if (isOpen) wanted.pop()
  return (path) =>
    path !== undefined &&
    (isOpen ? path.length >= wanted.length : path.length === wanted.length) &&
    wanted.every((segment, index) => segment === '*' || segment === path[index])
}

function patternFault(pattern: string, segments: readonly string[]): string | undefined {
  if (!pattern.startsWith('/')) return 'does not begin with `/`'
  if (/[?#]/.test(pattern)) return 'has a query'
  if (hasControl(pattern)) return 'has a control character'
  if (/%[0-9a-f]{2}/i.test(pattern)) return 'is percent-encoded'
  for (const [index, segment] of segments.entries()) {
    if (segment === '' || segment === '.' || segment === '..') {
      return 'has an empty segment, `.` or `..`, which match nothing'
    }
    if (segment === '**' && index < segments.length - 1) return 'has `**` before its last segment'
    if (segment.includes('*') && segment !== '*' && segment !== '**') {
      return 'has a `*` inside a segment'
    }
  }
  return undefined
}

/** The segment in characters; undefined if it could be read in two ways. */
function decoded(sent: string): string | undefined {
  if (AS_IT_IS.test(sent)) return sent
  try {
    // what was sent raw is UTF-8 too: it is encoded first, so that one decoder judges both
    const encoded = sent.replace(
      /[\u0080-\u00ff]/g,
      (byte) => `%${byte.charCodeAt(0).toString(16)}`,
    )
    const segment = decodeURIComponent(encoded)
    return segment.includes('/') || hasControl(segment) ? undefined : segment
  } catch {
    return undefined
  }
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 32 || (code >= 127 && code < 160)) return true
  }
  return false
}
