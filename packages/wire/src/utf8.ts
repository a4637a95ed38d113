/**
 * Text to UTF-8 bytes, with a header in front if one is wanted, cut from a shared slab: one allocation per few hundred
 * frames instead of one per frame, which is most of what a short frame costs.
 * Invariant: bytes that were handed out are never written again. They share their ArrayBuffer with others, so
 * it must not be transferred.
 */

const SLAB = 65_536
/** Longer texts get memory of their own; a slab keeps room for three bytes a character. */
const LONG = 8_192

/**
 * Writes what stands in front of a text: `length` is that of the text in bytes, `end` where it begins in `bytes`.
 * Returns where the front begins.
 */
export type Front = (bytes: Uint8Array, end: number, length: number) => number

/** What Node's Buffer is beyond other bytes: it writes text into its middle without a view of it. */
interface Slab extends Uint8Array {
  write?(text: string, at: number): number
  subarray(start: number, end?: number): Slab
}
const { Buffer: nodes } = globalThis as { Buffer?: { allocUnsafeSlow(size: number): Slab } }

let encoder: TextEncoder | undefined
let slab: Slab | undefined
let used = 0

/**
 * The UTF-8 bytes of `text`, behind what `front` writes into at most `room` bytes. On Node they are a Buffer.
 * @example utf8('é') // Uint8Array [0xc3, 0xa9]
 */
export function utf8(text: string, room = 0, front: Front = nothing): Uint8Array {
  if (text.length > LONG) {
    encoder ??= new TextEncoder()
    const encoded = encoder.encode(text)
    const bytes = allocate(room + encoded.length)
    bytes.set(encoded, room)
    return bytes.subarray(front(bytes, room, encoded.length))
  }
  if (slab === undefined || used + room + text.length * 3 > SLAB) {
    slab = allocate(SLAB)
    used = 0
  }
  const at = used + room
  const length = write(text, slab, at)
  used = at + length
  return slab.subarray(front(slab, at, length), used)
}

function allocate(size: number): Slab {
  return nodes?.allocUnsafeSlow(size) ?? (new Uint8Array(size) as Slab)
}

function write(text: string, bytes: Slab, at: number): number {
  if (bytes.write !== undefined) return bytes.write(text, at)
  encoder ??= new TextEncoder()
  return encoder.encodeInto(text, bytes.subarray(at)).written
}

const nothing: Front = (_bytes, end) => end

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
