/**
 * Finds members of a JSON object as they stand in its text, so that a body stays verbatim: `1e400`, integers of
 * thirty digits and the publisher's spacing survive. It trusts what it reads: the text has been through
 * `JSON.parse`, and every value before the current place has been passed.
 * Invariant: extents are those of the value that `JSON.parse` would give; of a repeated key the last one.
 */

import { skipSpace } from './json-end.ts'

const SPACE = 32
const QUOTE = 34
const COMMA = 44
const OPEN_ARRAY = 91
const BACKSLASH = 92
const CLOSE_ARRAY = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125

/**
 * Walks a text of one object, or of an array of objects, and finds the member of one name in each.
 * @example
 * const text = '{"path":"a","message":[1, 2]}'
 * const member = new JsonMember(text, 'message')
 * member.readObject()
 * text.slice(member.start, member.end) // '[1, 2]'
 */
export class JsonMember {
  /** Where the value begins, or -1 if the object read last has no such member. */
  start = -1
  /** Where it ends. */
  end = -1
  /** How many members the object read last has, repeats included. */
  members = 0
  readonly #text: string
  readonly #name: string
  #at = 0

  constructor(text: string, name: string) {
    this.#text = text
    this.#name = name
  }

  /** Reads the next object: the first one of the text, or the one behind the object read last. */
  readObject(): void {
    const text = this.#text
    this.start = this.end = -1
    let members = 0
    // over white space, the opening bracket of the array and the comma between its items
    let at = skipSpace(text, text.indexOf('{', this.#at) + 1)
    while (text.charCodeAt(at) === QUOTE) {
      members++
      const key = at + 1
      const keyEnd = skipString(text, key)
      // over the colon
      const value = skipSpace(text, skipSpace(text, keyEnd) + 1)
      const end = skipValue(text, value)
      if (this.#isName(key, keyEnd)) {
        this.start = value
        this.end = end
      }
      at = skipSpace(text, end)
      if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1)
    }
    this.members = members
    this.#at = at + 1
  }

  #isName(key: number, keyEnd: number): boolean {
    const text = this.#text
    const longer = keyEnd - 1 - key - this.#name.length
    if (longer <= 0) return longer === 0 && text.startsWith(this.#name, key)
    // a key that is longer may still be the name, written with escapes
    for (let i = key; i < keyEnd; i++) {
      if (text.charCodeAt(i) === BACKSLASH) {
        return JSON.parse(text.slice(key - 1, keyEnd)) === this.#name
      }
    }
    return false
  }
}

/** The same JSON text on one line: CR and LF, which can only stand between its tokens, become spaces. */
export function singleLine(json: string): string {
  if (json.indexOf('\n') < 0 && json.indexOf('\r') < 0) return json
  return json.replace(/[\r\n]/g, ' ')
}

/** From behind an opening quote to behind the closing one: the next quote with an even number of backslashes before. */
function skipString(text: string, at: number): number {
  for (let i = at; ; ) {
    const quote = text.indexOf('"', i)
    let before = quote - 1
    while (before >= i && text.charCodeAt(before) === BACKSLASH) before--
    if ((quote - before) % 2 === 1) return quote + 1
    i = quote + 1
  }
}

function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at)
  if (first === QUOTE) return skipString(text, at + 1)
  let i = at
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
    let depth = 0
    for (;;) {
      const code = text.charCodeAt(i++)
      if (code === QUOTE) i = skipString(text, i)
      // `[` and `{` differ in the bit of 32 alone, as do `]` and `}`
      else if ((code | 32) === OPEN_OBJECT) depth++
      else if ((code | 32) === CLOSE_OBJECT && --depth === 0) return i
    }
  }
  for (;;) {
    const code = text.charCodeAt(++i)
    if (code <= SPACE || code === COMMA || code === CLOSE_OBJECT || code === CLOSE_ARRAY) return i
  }
}
