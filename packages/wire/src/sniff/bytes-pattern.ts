/**
 * A regular expression over the first bytes of a connection that answers before all of them are there.
 * Invariant: once the peer has ended, it says what `RegExp` says of all the bytes as text, one character a byte.
 */
import { PatternAutomaton } from './pattern-automaton.ts'
import type { Matcher } from './sniffed.ts'

/**
 * Yes as soon as a match is there that no further byte takes away, no as soon as no further bytes can lead to one. `$` is
 * where the peer ends its side. A pattern without `^` at its beginning never says no, and so holds back all rules
 * behind it up to the limit: see `isAnchored`.
 * @param pattern in the syntax of JavaScript without flags, written for bytes: `\x16\x03` are two of them, `ä` is the one
 * 0xE4.
 * @throws SapwoodError `BYTES_PATTERN_INVALID` for look-around, back-references, and what cannot match.
 * @example decide([{ match: bytesPattern('^\\x00[\\x0d-\\xff]\\x38') }], sniffed)
 */
export function bytesPattern(pattern: string): Matcher {
  const automaton = new PatternAutomaton(pattern)
  return ({ bytes, ended }) => {
    const state = automaton.after(bytes)
    if (state.verdict !== 'more' || !ended) return state.verdict
    return state.isMatchAtEnd ? 'yes' : 'no'
  }
}

/**
 * Can the pattern match at the first byte only? One that cannot say no is worth a warning when it is read.
 * @throws SapwoodError `BYTES_PATTERN_INVALID` as `bytesPattern`.
 * @example isAnchored('^a|b') // false
 */
export function isAnchored(pattern: string): boolean {
  return new PatternAutomaton(pattern).isAnchored
}
