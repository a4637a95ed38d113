/**
 * Looks for a short sequence in bytes that may end in the middle of it.
 */

/** The longest sequence that framers look for: a search costs at most this many comparisons a byte. */
export const LONGEST_SEQUENCE = 64

/**
 * The first place at or behind `from` where `sequence` stands, or where the bytes end in the middle of it; `length`
 * if there is none. It stands there whole if `place + sequence.length <= bytes.length`.
 */
export function findSequence(bytes: Uint8Array, sequence: Uint8Array, from: number): number {
  const first = sequence[0] as number
  const { length } = bytes
  for (let at = from; at < length; at++) {
    // where bytes repeat, the next one is a candidate already: no search is called
    if (bytes[at] !== first) {
      at = bytes.indexOf(first, at)
      if (at < 0) return length
    }
    if (agrees(bytes, sequence, at)) return at
  }
  return length
}

/** Whether the bytes from `at` on are those of `sequence`, as far as there are any. */
function agrees(bytes: Uint8Array, sequence: Uint8Array, at: number): boolean {
  const length = Math.min(sequence.length, bytes.length - at)
  for (let i = 1; i < length; i++) if (bytes[at + i] !== sequence[i]) return false
  return true
}
