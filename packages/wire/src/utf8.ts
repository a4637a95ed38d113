/**
 * Text to UTF-8 bytes with room for a header in front, cut from a shared slab: one allocation per few hundred
 * frames instead of one per frame, which is most of what a short frame costs.
 * Invariant: bytes that were handed out are never written again. They share their ArrayBuffer with others, so
 * it must not be transferred.
 */

const SLAB = 65_536
/** Longer texts get memory of their own; a slab keeps room for three bytes a character. */
const LONG = 8_192

let encoder: TextEncoder | undefined
let slab: Uint8Array | undefined
let used = 0

/**
 * The UTF-8 bytes of `text`, behind `room` bytes that are the caller's to write.
 * @example utf8('é', 2) // Uint8Array [0, 0, 0xc3, 0xa9]
 */
export function utf8(text: string, room = 0): Uint8Array {
  encoder ??= new TextEncoder()
  if (text.length > LONG) {
    const encoded = encoder.encode(text)
    const bytes = new Uint8Array(room + encoded.length)
    bytes.set(encoded, room)
    return bytes
  }
  if (slab === undefined || used + room + text.length * 3 > SLAB) {
    slab = new Uint8Array(SLAB)
    used = 0
  }
  const start = used
  used = start + room + encoder.encodeInto(text, slab.subarray(start + room)).written
  return slab.subarray(start, used)
}

/** How many bytes `text` takes in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    bytes += code < 0x800 ? 1 : 2
    // a pair of surrogates is four bytes: two more than its two characters
    if (code >= 0xd800 && code <= 0xdbff && isLow(text.charCodeAt(i + 1))) i++
  }
  return bytes
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}
