/**
 * Text of its own: V8 makes a piece of a string a view of it, and a view keeps all that it is a piece of.
 * Invariant: the copy is the same text; it keeps nothing else, but for one character in front of it.
 */

/**
 * A copy that keeps no longer text, for a piece that outlives what it was cut from.
 * @example flatCopy(request.slice(start, end))
 */
export function flatCopy(piece: string): string {
  // what is joined lies in two places: to be cut it is written out as one text, and that alone is kept
  return ` ${piece}`.slice(1)
}
