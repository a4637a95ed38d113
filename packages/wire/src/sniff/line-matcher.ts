/** The line form (surface of the hub: `path; message`), told by its first line up to the `;` or the line end. */
import type { Matcher, Sniffed, Verdict } from './sniffed.ts'

const SEMICOLON = 59
const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const SPACE = 32
const DELETE = 127

/**
 * Yes at the first `;` or line end if all before it is UTF-8 without control characters. A last line without an end
 * counts once the peer has ended. A request line of HTTP is such a line too: put the rule for `http` first.
 */
export const line: Matcher = ({ bytes, ended }: Sniffed): Verdict => {
  const { length } = bytes
  for (let i = 0; i < length; ) {
    const byte = bytes[i] as number
    if (byte >= SPACE && byte < DELETE && byte !== SEMICOLON) {
      i++
      continue
    }
    if (byte === SEMICOLON || byte === LINE_FEED) return 'yes'
    if (byte === CARRIAGE_RETURN) {
      const next = bytes[i + 1]
      if (next === undefined) return 'more'
      return next === LINE_FEED ? 'yes' : 'no'
    }
    const width = characterAt(bytes, i)
    if (typeof width === 'string') return width
    i += width
  }
  return ended && length > 0 ? 'yes' : 'more'
}

/** How many bytes the character at `start` has, which is no ASCII that may stand in a line (RFC 3629 section 4). */
function characterAt(bytes: Uint8Array, start: number): number | 'no' | 'more' {
  const first = bytes[start] ?? 0
  if (first < 0xc2 || first > 0xf4) return 'no'
  const width = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  for (let i = 1; i < width; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) return 'more'
    if (byte < 0x80 || byte > 0xbf) return 'no'
    if (i === 1 && !isSecond(first, byte)) return 'no'
  }
  return width
}

/** Neither an overlong form, a surrogate, beyond U+10FFFF, nor a control character (U+0080 to U+009F). */
function isSecond(first: number, byte: number): boolean {
  if (first === 0xc2 || first === 0xe0) return byte >= 0xa0
  if (first === 0xed) return byte < 0xa0
  if (first === 0xf0) return byte >= 0x90
  return first !== 0xf4 || byte < 0x90
}
