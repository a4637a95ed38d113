/**
 * JSON as text, without its value: is it JSON, and the same on one line without space between its tokens.
 * Invariant: numbers and strings stay as they were written, so `1e400` and integers of thirty digits survive.
 */

import { isSurelyJson } from './json-end.ts'

const QUOTE = 34
const BACKSLASH = 92
const SPACE = 32

/** A number as JSON writes it, with the space that may stand around it. */
const NUMBER = /^[ \t\n\r]*-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?[ \t\n\r]*$/
const WORD = /^[ \t\n\r]*(true|false|null)[ \t\n\r]*$/
/** What begins an object, an array or a string. */
const BRACKET = /^[ \t\n\r]*["[{]/

/**
 * Is `text` JSON? Most text that is not shows it in its first letter, and costs no exception.
 * @example isJson('{"a":1}') // true
 */
export function isJson(text: string): boolean {
  if (!BRACKET.test(text)) return NUMBER.test(text) || WORD.test(text)
  if (isSurelyJson(text)) return true
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * The same JSON on one line, with no space between its tokens.
 * @param json what `JSON.parse` accepts.
 * @example compactJson('{ "a": [1, 2] }') // '{"a":[1,2]}'
 */
export function compactJson(json: string): string {
  if (!/[ \t\n\r]/.test(json)) return json
  let compact = ''
  let kept = 0
  for (let i = 0; i < json.length; ) {
    const code = json.charCodeAt(i)
    if (code === QUOTE) i = endOfString(json, i + 1)
    else if (code > SPACE) i++
    else {
      compact += json.slice(kept, i)
      kept = ++i
    }
  }
  return compact + json.slice(kept)
}

/** From behind an opening quote to behind the closing one. */
function endOfString(json: string, at: number): number {
  for (let i = at; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === QUOTE) return i + 1
  }
  return json.length
}
