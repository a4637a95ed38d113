/**
 * Where a JSON value ends, found without building it: `JSON.parse` spends most of its time on objects that nobody looks
 * at when the text goes on as it is.
 * Invariant: what has an end here is JSON, and `JSON.parse` takes it. What has none may still be: values nested deeper
 * than `DEEPEST` have none.
 */

/** Objects and arrays in each other: as many as an integer has bits for. */
const DEEPEST = 30

const TAB = 9
const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const SPACE = 32
const QUOTE = 34
const PLUS = 43
const COMMA = 44
const MINUS = 45
const DOT = 46
const ZERO = 48
const NINE = 57
const COLON = 58
const UPPER_E = 69
const OPEN_ARRAY = 91
const BACKSLASH = 92
const CLOSE_ARRAY = 93
const LOWER_E = 101
const LOWER_U = 117
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125

/** No end. */
const NONE = -1

/** From here on an expression finds the end of a string sooner than a loop. */
const SHORT = 16
/** What needs no escape: everything but quotes, backslashes and control characters. */
const PLAIN = /[ !#-[\]-\uffff]*/y

const STRING = `"${PLAIN.source}"`
const NUMBER = '-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?'
const MEMBER = `${STRING}: ?(?:${STRING}|${NUMBER}|true|false|null)`
/**
 * Members as most are written, whose values hold no others: an expression reads them in a third of the time that a loop
 * takes. They are so many at most, since it remembers where each began.
 */
const MEMBERS = new RegExp(`(?:${MEMBER}(?:, ?${MEMBER}){0,31})?`, 'y')

/**
 * The place behind the JSON value that begins at `at`; -1 if there is none, or none that is found here.
 * @example jsonEnd('{"a":[1,2]}, more', 0) // 11
 */
export function jsonEnd(text: string, at: number): number {
  let i = at
  let depth = 0
  // a bit for each level: is it an object?
  let objects = 0
  for (;;) {
    // a value begins here
    const first = text.charCodeAt(i)
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      if (depth === DEEPEST) return NONE
      const isObject = first === OPEN_OBJECT
      i = skipSpace(text, i + 1)
      if (text.charCodeAt(i) !== first + 2) {
        depth++
        objects = (objects << 1) | (isObject ? 1 : 0)
        if (!isObject) continue
        const end = membersEnd(text, i)
        if (end === i) {
          i = keyEnd(text, i)
          if (i < 0) return NONE
          continue
        }
        i = end
      } else i++
    } else {
      i = first === QUOTE ? stringEnd(text, i + 1) : wordEnd(text, i, first)
      if (i < 0) return NONE
    }
    // a value has ended here
    for (;;) {
      if (depth === 0) return i
      i = skipSpace(text, i)
      const code = text.charCodeAt(i)
      const isObject = (objects & 1) === 1
      if (code === COMMA) {
        i = skipSpace(text, i + 1)
        if (!isObject) break
        const end = membersEnd(text, i)
        if (end === i) {
          i = keyEnd(text, i)
          if (i < 0) return NONE
          break
        }
        i = end
        continue
      }
      if (code !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) return NONE
      objects >>= 1
      depth--
      i++
    }
  }
}

/**
 * Is all of the text one JSON value? True is certain.
 * @example isSurelyJson(' {"a":1}\n') // true
 */
export function isSurelyJson(text: string): boolean {
  const end = jsonEnd(text, skipSpace(text, 0))
  return end >= 0 && skipSpace(text, end) === text.length
}

/** Over the white space of JSON. */
export function skipSpace(text: string, at: number): number {
  for (let i = at; ; i++) {
    const code = text.charCodeAt(i)
    if (code > SPACE) return i
    if (code !== SPACE && code !== LINE_FEED && code !== CARRIAGE_RETURN && code !== TAB) return i
  }
}

/** From behind an opening quote to behind the closing one. */
export function stringEnd(text: string, at: number): number {
  for (let i = at; ; ) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) return i + 1
    if (code === BACKSLASH) {
      i = escapeEnd(text, i + 1)
      if (i < 0) return NONE
    } else if (!(code >= SPACE)) return NONE
    else if (++i - at > SHORT) {
      PLAIN.lastIndex = i
      PLAIN.test(text)
      i = PLAIN.lastIndex
    }
  }
}

/** From behind a backslash to behind what it escapes. */
function escapeEnd(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code === LOWER_U) return isHex(text, at + 1) ? at + 5 : NONE
  return ESCAPED.has(code) ? at + 1 : NONE
}

/** Behind the members from here on that `MEMBERS` reads; `at` itself if the next is none of them. */
function membersEnd(text: string, at: number): number {
  MEMBERS.lastIndex = at
  MEMBERS.test(text)
  return MEMBERS.lastIndex
}

/** From a key to the value behind its colon. */
function keyEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) return NONE
  const end = stringEnd(text, at + 1)
  if (end < 0) return NONE
  const colon = skipSpace(text, end)
  return text.charCodeAt(colon) === COLON ? skipSpace(text, colon + 1) : NONE
}

function wordEnd(text: string, at: number, first: number): number {
  if (first === MINUS || isDigit(first)) return numberEnd(text, at)
  for (const word of WORDS) if (text.startsWith(word, at)) return at + word.length
  return NONE
}

function numberEnd(text: string, at: number): number {
  let i = text.charCodeAt(at) === MINUS ? at + 1 : at
  i = text.charCodeAt(i) === ZERO ? i + 1 : digitsEnd(text, i)
  if (i >= 0 && text.charCodeAt(i) === DOT) i = digitsEnd(text, i + 1)
  if (i < 0) return NONE
  const exponent = text.charCodeAt(i)
  if (exponent !== LOWER_E && exponent !== UPPER_E) return i
  const sign = text.charCodeAt(i + 1)
  return digitsEnd(text, sign === PLUS || sign === MINUS ? i + 2 : i + 1)
}

/** Behind one digit or more. */
function digitsEnd(text: string, at: number): number {
  let i = at
  while (isDigit(text.charCodeAt(i))) i++
  return i > at ? i : NONE
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

function isHex(text: string, at: number): boolean {
  for (let i = at; i < at + 4; i++) {
    const code = text.charCodeAt(i)
    const letter = code | 32
    // `a` to `f`, in either case
    if (!isDigit(code) && !(letter >= 97 && letter <= 102)) return false
  }
  return true
}

const WORDS = ['true', 'false', 'null'] as const

/** What may stand behind a backslash, besides `u`: `"`, `/`, `\\`, `b`, `f`, `n`, `r`, `t`. */
const ESCAPED: ReadonlySet<number> = /* @__PURE__ */ new Set([34, 47, 92, 98, 102, 110, 114, 116])
