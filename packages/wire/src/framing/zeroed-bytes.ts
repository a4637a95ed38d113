/**
 * Room for frames that have to be made. An array with memory of its own costs the engine a microsecond, so middling
 * ones are cut from larger pieces.
 * Invariant: no byte is given twice, so what was made can be kept; as with a view on a received chunk, it keeps the
 * piece that it was cut from.
 */

const PIECE = 16_384
/** Larger ones are rare enough, and would waste the rest of a piece. */
const LARGEST = PIECE / 4
/** Smaller ones lie in the heap of the engine and cost little. */
const SMALLEST = 64

let piece = new Uint8Array(0)
let used = 0

/** So many zeros. */
export function zeroedBytes(length: number): Uint8Array {
  if (length <= SMALLEST || length > LARGEST) return new Uint8Array(length)
  if (used + length > piece.length) {
    piece = new Uint8Array(PIECE)
    used = 0
  }
  const start = used
  used += length
  return piece.subarray(start, used)
}
