/**
 * Cuts what is kept out of texts that are not. A piece that is most of its text stays a part of it, which costs nothing; a
 * small one is copied.
 * Invariant: what a piece keeps is at most twice its length, or `SPARE` more than that.
 */
import { flatCopy } from '@sapwood/core'

/** Characters around a piece that are no loss: about what the objects that hold it take. */
const SPARE = 256

/**
 * The characters from `start` to `end`, as `slice` gives them.
 * @example cut('[{"path":"a","message":1}]', 23, 24) // '1'
 */
export function cut(text: string, start: number, end: number): string {
  const piece = text.slice(start, end)
  const rest = text.length - piece.length
  return rest > SPARE && rest > piece.length ? flatCopy(piece) : piece
}
