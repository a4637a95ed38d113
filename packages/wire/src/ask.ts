/**
 * The grammar of a question in a URL (RP-03, RP-10, RP-11): `/<name>/<noun…>[//<argument>/<argument>…][?query]`.
 * What lies behind the name travels verbatim as `tail`; noun and arguments are what a handler sees of it.
 * Invariant: splitting comes before percent-decoding, so `%2F` never separates, and the path for which the gate
 * is asked is either exactly the noun's or `@name/**`, never a narrower one.
 */
import type { Fault } from '@sapwood/core'
import { isName, LONGEST_WAIT, NAME_FORM, pathFault } from '@sapwood/core'
import { parseDuration } from './duration.ts'
import { isFault } from './fault.ts'

/** What a handler sees of a request target, and the gate. */
export interface AskTarget {
  /** Decoded, segments joined by `/`; empty if nothing was named. */
  readonly noun: string
  /** Decoded; empty ones are kept. */
  readonly args: readonly string[]
  /** What the gate is asked about and where the question goes. */
  readonly path: string
}

export interface Ask extends AskTarget {
  readonly name: string
  /** The rest of the request target as it came, at least `/`, without what the gateway took for itself. */
  readonly tail: string
  /** The query of the tail, without the question mark. */
  readonly query: string
  /** How long an absent target is waited for, in milliseconds. */
  readonly wait?: number
  /** How long the answer is waited for, in milliseconds. */
  readonly timeout?: number
}

/** `Sapwood-Wait` and `Sapwood-Timeout`. Where one is given, the query's field of that name travels on. */
export interface AskHeaders {
  readonly wait?: string | undefined
  readonly timeout?: string | undefined
}

const DOTS = /^(?:\.|%2[eE]){1,2}$/

/**
 * Reads the request target behind `/client`.
 * @returns the question, or a fault for HTTP 400: `NAME_INVALID`, `TARGET_INVALID`, `DURATION_INVALID`.
 * @example
 * parseAsk('/fileserver/cat//hello%20/world?wait=1s&x=y')
 * // { name: 'fileserver', tail: '/cat//hello%20/world?x=y', noun: 'cat', args: ['hello ', 'world'],
 * //   query: 'x=y', wait: 1000, path: '@fileserver/cat' }
 */
export function parseAsk(rest: string, headers: AskHeaders = {}): Ask | Fault {
  const end = rest.slice(1).search(/[/?]/)
  const name = decode(end < 0 ? rest.slice(1) : rest.slice(1, end + 1))
  if (!isName(name)) return fault('NAME_INVALID', `a name is ${NAME_FORM}`)
  return parseTail(name, end < 0 ? '/' : rest.slice(end + 1), headers)
}

/**
 * Reads what stands behind the name, where the name is known already.
 * @param tail begins with `/` or `?`.
 */
export function parseTail(name: string, tail: string, headers: AskHeaders = {}): Ask | Fault {
  const mark = tail.indexOf('?')
  const target = (mark < 0 ? tail : tail.slice(0, mark)) || '/'
  const parsed = parseTarget(name, target)
  if (isFault(parsed)) return parsed
  // as most are
  if (mark < 0 && headers.wait === undefined && headers.timeout === undefined) {
    return { name, tail: target, query: '', ...parsed }
  }
  const taken = takeDurations(mark < 0 ? undefined : tail.slice(mark + 1), headers)
  if (isFault(taken)) return taken
  const { query, ...durations } = taken
  return {
    name,
    tail: query === undefined ? target : `${target}?${query}`,
    query: query ?? '',
    ...parsed,
    ...durations,
  }
}

/** Nothing in it needs decoding, and it is within every limit. */
const SIMPLE = /^(?:\/[A-Za-z0-9_-]{1,64}){1,4}$/
const NO_ARGS: readonly string[] = Object.freeze([])

/**
 * Reads the path of a request target: noun and arguments.
 * @param name whom it is put to.
 * @param target without query.
 * @returns or a fault for HTTP 400, `TARGET_INVALID`.
 */
export function parseTarget(name: string, target: string): AskTarget | Fault {
  if (SIMPLE.test(target))
    return { noun: target.slice(1), args: NO_ARGS, path: `@${name}${target}` }
  const dots = target.split('/').find((segment) => DOTS.test(segment))
  if (dots !== undefined) {
    return fault('TARGET_INVALID', `the segment "${dots}" is refused; name what you mean directly`)
  }
  const nounEnd = target.indexOf('//')
  const encoded = (nounEnd < 0 ? target.slice(1) : target.slice(1, nounEnd)).split('/')
  const segments = encoded.map(decode)
  const noun = segments.join('/')
  const path = `@${name}/${noun}`
  // what cannot be decoded is no other tail's path either
  const legal = encoded.every(isSegment) && pathFault(path) === undefined
  return {
    noun,
    args:
      nounEnd < 0
        ? []
        : target
            .slice(nounEnd + 2)
            .split('/')
            .map(decode),
    path: legal ? path : `@${name}/**`,
  }
}

interface Durations {
  readonly wait?: number
  readonly timeout?: number
}

interface Taken extends Durations {
  readonly query: string | undefined
}

/** Takes `wait` and `timeout` out of a query; what is left stays as it was. Of a repeated one the last counts. */
function takeDurations(query: string | undefined, headers: AskHeaders): Taken | Fault {
  const said: { wait?: string | undefined; timeout?: string | undefined } = { ...headers }
  let left = query
  for (const name of ['wait', 'timeout'] as const) {
    if (headers[name] !== undefined || left === undefined) continue
    const fields = left.split('&')
    const kept = fields.filter((field) => !isField(field, name))
    if (kept.length === fields.length) continue
    said[name] = fields.findLast((field) => isField(field, name))?.slice(name.length + 1)
    left = kept.length === 0 ? undefined : kept.join('&')
  }
  const durations: { wait?: number; timeout?: number } = {}
  for (const name of ['wait', 'timeout'] as const) {
    const text = said[name]
    if (text === undefined) continue
    const duration = parseDuration(text)
    if (duration === undefined || duration > LONGEST_WAIT) {
      return fault('DURATION_INVALID', `${name} is a duration up to 24h such as 250ms, 30s or 5m`)
    }
    durations[name] = duration
  }
  return { query: left, ...durations }
}

function isField(field: string, name: string): boolean {
  return field.startsWith(name) && (field.length === name.length || field[name.length] === '=')
}

/** Does a segment decode, and to one that holds no slash? */
function isSegment(encoded: string): boolean {
  if (!encoded.includes('%')) return true
  try {
    return !decodeURIComponent(encoded).includes('/')
  } catch {
    return false
  }
}

/** Percent-decoded; a text that cannot be decoded stays as it is, since a target may take anything. */
function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function fault(code: string, detail: string): Fault {
  return { code, detail, status: 400 }
}
