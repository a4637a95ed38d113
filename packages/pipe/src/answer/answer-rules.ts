/**
 * Which peer may ask what of this process: rules on the side that answers, whatever the other side allows.
 * Invariant: without rules everything that is served may be asked; with rules only what one of them names. A target that
 * two programs could read differently is covered by `**` alone.
 */
import type { Principal } from '@sapwood/core'
import { covers, patternFault, SapwoodError } from '@sapwood/core'

/** What may be asked, and by whom; what a rule leaves out it allows. */
export interface AnswerRule {
  /**
   * A name in the peer's certificate, with `*` for any characters; behind `cert:` a name, or another URI of it:
   * `cert:spiffe://example.org/*`.
   */
  readonly peer?: string
  /** One method or several. */
  readonly method?: string | readonly string[]
  /** A pattern of paths: `time`, `files/*`, `logs/**`. */
  readonly path?: string
  /** Bytes that the body of the request may have. */
  readonly body?: number
}

/** Of what a path of a rule is a part: see `parseTarget`. */
export const ASKED = 'a'

interface Compiled {
  readonly peer: RegExp
  readonly methods: ReadonlySet<string> | undefined
  readonly pattern: string
  readonly body: number
}

export class AnswerRules {
  readonly #rules: readonly Compiled[] | undefined

  /**
   * @param rules none: everything.
   * @throws SapwoodError `RULE_INVALID`
   */
  constructor(rules?: readonly AnswerRule[]) {
    this.#rules = rules?.map(compiled)
  }

  /**
   * May it be asked?
   * @param path `@a/…`, a path or `@a/**`.
   * @returns how many bytes the body may have, by the first rule that covers it; undefined if none does.
   */
  allows(peer: Principal, method: string, path: string): number | undefined {
    if (this.#rules === undefined) return Number.POSITIVE_INFINITY
    const found = this.#rules.find(
      (rule) =>
        means(rule.peer, peer) &&
        (rule.methods === undefined || rule.methods.has(method)) &&
        covers(rule.pattern, path),
    )
    return found?.body
  }
}

const KNOWN: ReadonlySet<string> = new Set(['peer', 'method', 'path', 'body'])

function compiled(rule: AnswerRule): Compiled {
  const unknown = Object.keys(rule).find((key) => !KNOWN.has(key))
  if (unknown !== undefined)
    throw invalid(`knows no "${unknown}", only peer, method, path and body`)
  const { peer = '*', method, path = '**', body = Number.POSITIVE_INFINITY } = rule
  if (peer === '' || peer === CERTIFIED)
    throw invalid('has an empty peer; write a name, or leave it out for any')
  // a URL's way of writing it
  const pattern = `@${ASKED}/${path.startsWith('/') ? path.slice(1) : path}`
  const fault = patternFault(pattern)
  if (fault !== undefined) throw invalid(`has a path "${path}" that ${fault}`)
  if (!(body >= 0)) throw invalid(`has a body of ${body}; write a number of bytes`)
  return {
    peer: glob(peer),
    methods: method === undefined ? undefined : methodsOf([method].flat()),
    pattern,
    body,
  }
}

/** HEAD tells less than GET does. */
function methodsOf(said: readonly string[]): ReadonlySet<string> {
  const methods = new Set(said.map((one) => one.toUpperCase()))
  return methods.has('GET') ? methods.add('HEAD') : methods
}

/** @param pattern of all that a certificate says its holder is. */
function means(pattern: RegExp, { id, also }: Principal): boolean {
  return pattern.test(id) || (also?.some((each) => pattern.test(each)) ?? false)
}

/** Stands before whatever a certificate says. */
const CERTIFIED = 'cert:'

function glob(text: string): RegExp {
  const isWhole = text.startsWith(CERTIFIED)
  const parts = (isWhole ? text : CERTIFIED + text)
    .split('*')
    .map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'))
  // one star is as good as several, and cannot make a match slow; alone it means names, which have no colon
  const kept = parts.filter((part, i) => i === 0 || i === parts.length - 1 || part !== '')
  return new RegExp(`^${kept.join(isWhole ? '[^]*?' : '[^:]*?')}$`)
}

function invalid(why: string): SapwoodError {
  return new SapwoodError('RULE_INVALID', `a rule for what peers may ask ${why}`)
}
