/**
 * Base64 (RFC 4648 section 4), strict: the standard alphabet, padding required, no white space, and the bits
 * behind the last byte are zero. One text for the same bytes, always.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PAD = 61

/** The base64 text of `bytes`. */
export function toBase64(bytes: Uint8Array): string {
  const { length } = bytes
  // as bytes first: a string that grows by letters takes ten times as long
  const letters = new Uint8Array(Math.ceil(length / 3) * 4)
  let at = 0
  for (let i = 0; i < length; i += 3) {
    const word = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    for (let shift = 18; shift >= 0; shift -= 6) {
      letters[at++] = ALPHABET.charCodeAt((word >> shift) & 63)
    }
  }
  if (length % 3 > 0) letters.fill(PAD, length % 3 === 1 ? at - 2 : at - 1)
  return new TextDecoder().decode(letters)
}

/** The bytes of a base64 text, or undefined if it is not exactly what `toBase64` would write. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined
  const padding = !text.endsWith('=') ? 0 : text.endsWith('==') ? 2 : 1
  const letters = text.length - padding
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  let word = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < letters; i++) {
    const value = sextetOf(text.charCodeAt(i))
    if (value < 0) return undefined
    word = ((word << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = word >> bits
    }
  }
  return (word & ((1 << bits) - 1)) === 0 ? bytes : undefined
}

function sextetOf(code: number): number {
  if (code >= 65 && code <= 90) return code - 65
  if (code >= 97 && code <= 122) return code - 71
  if (code >= 48 && code <= 57) return code + 4
  if (code === 43) return 62
  return code === 47 ? 63 : -1
}
