/**
 * Paths and patterns. A path is segments joined by `/`, none of them empty; `*` stands for exactly one
 * segment, a last `**` for this level and everything below it (`a/**` matches `a` and `a/b/c`).
 * Invariant: wildcards never match a first segment that begins with `::` (control) or `@` (direct), so
 * no pattern reaches control traffic or somebody's questions by accident.
 */

/** What a path may measure. */
export interface PathLimits {
  /** UTF-8 bytes. */
  readonly bytes: number
  readonly segments: number
}

export const PATH_LIMITS: PathLimits = Object.freeze({ bytes: 512, segments: 32 })

const SLASH = 47
const STAR = 42
const COLON = 58
const AT = 64
/** From here to the last one are control characters, too. */
const DELETE = 127
const LAST_CONTROL = 159

/** Does it steer the hub (`::connect`) instead of carrying something? */
export function isControlPath(path: string): boolean {
  return path.charCodeAt(0) === COLON && path.charCodeAt(1) === COLON
}

/** Does it go to the one component of a name (`@name/noun`)? */
export function isDirectPath(path: string): boolean {
  return path.charCodeAt(0) === AT
}

/** The name in a direct path. @example nameOf('@alpha/time/utc') // 'alpha' */
export function nameOf(path: string): string {
  const slash = path.indexOf('/')
  return path.slice(1, slash < 0 ? path.length : slash)
}

/** What a direct path asks for. @example nounOf('@alpha/time/utc') // 'time/utc' */
export function nounOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? '' : path.slice(slash + 1)
}

/** Is it neither control nor direct, so that wildcards may match it? */
export function isPlainPath(path: string): boolean {
  return !isDirectPath(path) && !isControlPath(path)
}

/**
 * Why `path` is no path, or undefined if it is one.
 * @example pathFault('orders//42') // 'has an empty segment'
 */
export function pathFault(path: string, limits: PathLimits = PATH_LIMITS): string | undefined {
  return fault(path, limits, false)
}

/** Why `pattern` is no pattern, or undefined if it is one. Every path is a pattern. */
export function patternFault(
  pattern: string,
  limits: PathLimits = PATH_LIMITS,
): string | undefined {
  return fault(pattern, limits, true)
}

function fault(text: string, limits: PathLimits, wildcards: boolean): string | undefined {
  const length = text.length
  if (length === 0) return 'is empty'
  if (length > limits.bytes || (length * 3 > limits.bytes && utf8Length(text) > limits.bytes)) {
    return `is longer than ${limits.bytes} bytes`
  }
  let segments = 0
  let start = 0
  for (let i = 0; i <= length; i++) {
    const code = i === length ? SLASH : text.charCodeAt(i)
    if (code === SLASH) {
      if (i === start) return 'has an empty segment'
      if (++segments > limits.segments) return `has more than ${limits.segments} segments`
      const stars = starsOf(text, start, i)
      if (stars > 0 && !wildcards) return 'has a wildcard for a segment'
      if (stars === 2 && i < length) return 'has `**` before its last segment'
      start = i + 1
    } else if (code < 32 || (code >= DELETE && code <= LAST_CONTROL)) {
      return 'has a control character'
    } else if (code >= 0xd800 && code <= 0xdfff) {
      const low = text.charCodeAt(i + 1)
      if (code >= 0xdc00 || !(low >= 0xdc00 && low <= 0xdfff)) return 'is not valid Unicode'
      i++
    }
  }
  return undefined
}

/** 1 for a segment `*`, 2 for `**`, 0 for any other. */
function starsOf(text: string, start: number, end: number): number {
  if (text.charCodeAt(start) !== STAR) return 0
  if (end === start + 1) return 1
  return end === start + 2 && text.charCodeAt(start + 1) === STAR ? 2 : 0
}

/** Does `pattern` have a `*` or `**` segment? */
export function hasWildcard(pattern: string): boolean {
  for (let at = pattern.indexOf('*'); at >= 0; at = pattern.indexOf('*', at + 1)) {
    if (at > 0 && pattern.charCodeAt(at - 1) !== SLASH) continue
    const slash = pattern.indexOf('/', at)
    if (starsOf(pattern, at, slash < 0 ? pattern.length : slash) > 0) return true
  }
  return false
}

/** Does `pattern` match `path`? Both are taken to be valid. */
export function matches(pattern: string, path: string): boolean {
  return pattern === path || covers(pattern, path)
}

/**
 * Is every path that `pattern` matches matched by `rule` too? A path is a pattern of one path.
 * @example covers('rooms/**', 'rooms/1/events') // true
 */
export function covers(rule: string, pattern: string): boolean {
  if (rule === pattern) return true
  const plain = isPlainPath(pattern)
  const ruleSegments = rule.split('/')
  const segments = pattern.split('/')
  for (let i = 0; ; i++) {
    const wanted = ruleSegments[i]
    const given = segments[i]
    if (wanted === '**') return i > 0 || plain
    if (wanted === undefined || given === undefined) return wanted === given
    // every plain path has a first segment, so `*/**` says the same as `**`
    if (given === '**') return i === 0 && rule === '*/**'
    if (wanted === '*' ? i === 0 && !plain : wanted !== given) return false
  }
}

function utf8Length(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) bytes += 1
    else if (code < 0x800) bytes += 2
    else if (code >= 0xd800 && code <= 0xdbff) {
      bytes += 4
      i++
    } else bytes += 3
  }
  return bytes
}
