/**
 * JSON as text, without its value: is it JSON, and the same on one line without space between its tokens.
 * Invariant: numbers and strings stay as they were written, so `1e400` and integers of thirty digits survive.
 */
import { isSurelyJson, stringEnd } from './json-end.ts'

const QUOTE = 34
const SPACE = 32

/** What begins an object or an array: all others are surely JSON, or none. */
const BRACKET = /^[ \t\n\r]*[[{]/

/**
 * Is `text` JSON? Most text that is not shows it in its first letter, and costs no exception.
 * @example isJson('{"a":1}') // true
 */
export function isJson(text: string): boolean {
  if (isSurelyJson(text)) return true
  if (!BRACKET.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * The same JSON on one line, with no space between its tokens.
 * @param json what `JSON.parse` accepts; a string without an end comes back as it is.
 * @example compactJson('{ "a": [1, 2] }') // '{"a":[1,2]}'
 */
export function compactJson(json: string): string {
  if (!/[ \t\n\r]/.test(json)) return json
  let compact = ''
  let kept = 0
  for (let i = 0; i < json.length; ) {
    const code = json.charCodeAt(i)
    if (code === QUOTE) {
      i = stringEnd(json, i + 1)
      if (i < 0) return json
    } else if (code > SPACE) i++
    else {
      compact += json.slice(kept, i)
      kept = ++i
    }
  }
  return compact + json.slice(kept)
}
