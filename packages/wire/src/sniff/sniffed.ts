/**
 * Which service do the first bytes of a connection ask for? A matcher is a pure function of what has come so far; a
 * list of rules is asked anew whenever more has come.
 * Invariant: a yes or no is final, more bytes never change it, so the answer does not depend on how the network cut
 * the stream.
 */

/** `more`: it depends on what comes next. */
export type Verdict = 'yes' | 'no' | 'more'

/** What a connection has shown before anybody reads it. */
export interface Sniffed {
  /** Everything from the very first byte. Never written to again, and another object whenever more has come. */
  readonly bytes: Uint8Array
  /** The peer has ended its side: these are all the bytes there will be. */
  readonly ended: boolean
  /** Nobody will wait for more: the time is up, or as many bytes are there as may be looked at. */
  readonly late: boolean
}

/** Is it the one? Says yes or no as early as it can; `more` at the end or at the limit counts as no. */
export type Matcher = (sniffed: Sniffed) => Verdict

/**
 * The first rule that says yes (SP-03). A rule that needs more holds back the rules behind it, until nothing more will be
 * looked at: then undecided is no, and the next rule is asked.
 * @returns the index of the rule, `more`, or `none` when all of them said no.
 * @example
 * const found = decide([{ match: tls() }, { match: http({ path: '/uploads/**' }) }], sniffed)
 */
export function decide(
  rules: readonly { readonly match: Matcher }[],
  sniffed: Sniffed,
): number | 'more' | 'none' {
  const isLast = sniffed.ended || sniffed.late
  for (const [index, { match }] of rules.entries()) {
    const verdict = match(sniffed)
    if (verdict === 'yes') return index
    if (verdict === 'more' && !isLast) return 'more'
  }
  return 'none'
}

/** All of several conditions: one no is enough for no, a yes needs all. */
export function both(first: Verdict, second: Verdict): Verdict {
  if (first === 'no' || second === 'no') return 'no'
  return first === 'more' ? 'more' : second
}

/**
 * A parser that keeps its last answer, since all rules of a list ask the same of the same bytes, one after the other.
 * @param read must depend on the bytes alone.
 */
export function remembered<Answer>(
  read: (bytes: Uint8Array) => Answer,
): (bytes: Uint8Array) => Answer {
  let last: { readonly bytes: Uint8Array; readonly answer: Answer } | undefined
  return (bytes) => {
    if (last?.bytes !== bytes) last = { bytes, answer: read(bytes) }
    return last.answer
  }
}
