/**
 * Base64 (RFC 4648 section 4), strict: the standard alphabet, padding required, no white space, and the bits
 * behind the last byte are zero. One text for the same bytes, always.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** The base64 text of `bytes`. */
export function toBase64(bytes: Uint8Array): string {
  let text = ''
  const whole = bytes.length - (bytes.length % 3)
  for (let i = 0; i < whole; i += 3) {
    const word =
      ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number)
    text += letter(word >> 18) + letter(word >> 12) + letter(word >> 6) + letter(word)
  }
  const left = bytes.length - whole
  if (left === 0) return text
  const word = ((bytes[whole] as number) << 16) | ((bytes[whole + 1] ?? 0) << 8)
  return `${text}${letter(word >> 18)}${letter(word >> 12)}${left === 2 ? letter(word >> 6) : '='}=`
}

function letter(bits: number): string {
  return ALPHABET[bits & 63] as string
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
