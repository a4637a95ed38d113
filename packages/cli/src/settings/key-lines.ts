/**
 * On which line of a TOML or JSON text each key stands: parsers tell values, not places, and an error in a settings
 * file should name its line. One walk over the text serves both syntaxes.
 * Invariant: the text was accepted by its parser, so the walk follows the structure and judges nothing.
 */

export type Syntax = 'toml' | 'json'

type Path = readonly PropertyKey[]

/** Finds the line, from 1, of the key or list element at a path, or else of the nearest thing around it. */
export type LineOf = (path: Path) => number

/**
 * @example keyLines('[poll]\nhold = "30s"', 'toml')(['poll', 'hold']) // 2
 */
export function keyLines(text: string, syntax: Syntax): LineOf {
  const walk = new Walk(text)
  if (syntax === 'toml') walk.document()
  else walk.value([])
  const { lines } = walk
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(nameOf(path.slice(0, length)))
      if (line !== undefined) return line
    }
    return 1
  }
}

function nameOf(path: Path): string {
  return JSON.stringify(path)
}

class Walk {
  readonly lines: Map<string, number> = new Map()
  readonly #text: string
  /** How many elements each array of tables has so far, by its name. */
  readonly #tables: Map<string, number> = new Map()
  #at = 0
  #line = 1
  /** Up to where line ends were counted. */
  #counted = 0

  constructor(text: string) {
    this.#text = text
  }

  /** A TOML document: headers and `key = value` lines. */
  document(): void {
    let table: Path = []
    for (this.#skipSpace(); this.#at < this.#text.length; this.#skipSpace()) {
      if (this.#text.startsWith('[[', this.#at)) table = this.#header(2)
      else if (this.#text[this.#at] === '[') table = this.#header(1)
      else this.#pair(table)
    }
  }

  /** Any value, in either syntax. */
  value(path: Path): void {
    this.#skipSpace()
    const first = this.#text[this.#at]
    if (first === '"' || first === "'") this.#string()
    else if (first === '[') this.#array(path)
    else if (first === '{') this.#object(path)
    else {
      this.#at++
      this.#skipTo(/[,\]}\n#]/g)
    }
  }

  #header(brackets: number): Path {
    this.#at += brackets
    const line = this.#here()
    const key = this.#key()
    this.#at += brackets
    let table: Path = []
    for (const [index, part] of key.entries()) {
      table = [...table, part]
      const name = nameOf(table)
      this.#mark(table, line)
      if (brackets === 2 && index === key.length - 1) {
        this.#tables.set(name, (this.#tables.get(name) ?? 0) + 1)
      }
      const count = this.#tables.get(name)
      if (count !== undefined) {
        table = [...table, count - 1]
        this.#mark(table, line)
      }
    }
    return table
  }

  /** `key = value`, or `"key": value` in JSON. */
  #pair(table: Path): void {
    const line = this.#here()
    let path = table
    for (const part of this.#key()) {
      path = [...path, part]
      this.#mark(path, line)
    }
    this.#at++
    this.value(path)
  }

  /** A key of one or more parts, bare or quoted, joined by dots; in JSON always one quoted part. */
  #key(): Path {
    const parts: string[] = []
    for (;;) {
      this.#skipSpace()
      const start = this.#at
      const quote = this.#text[start]
      if (quote === '"' || quote === "'") {
        this.#string()
        parts.push(unquote(this.#text.slice(start, this.#at)))
      } else {
        this.#skipTo(/[^A-Za-z0-9_-]/g)
        parts.push(this.#text.slice(start, this.#at))
      }
      this.#skipSpace()
      if (this.#text[this.#at] !== '.') return parts
      this.#at++
    }
  }

  #array(path: Path): void {
    this.#at++
    for (let index = 0; this.#isMore(']'); index++) {
      this.#mark([...path, index], this.#here())
      this.value([...path, index])
    }
  }

  #object(path: Path): void {
    this.#at++
    while (this.#isMore('}')) this.#pair(path)
  }

  /** Steps over a comma or the closing bracket; true if another element begins here. */
  #isMore(close: ']' | '}'): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] === ',') {
      this.#at++
      this.#skipSpace()
    }
    if (this.#at < this.#text.length && this.#text[this.#at] !== close) return true
    this.#at++
    return false
  }

  #string(): void {
    const quote = this.#text[this.#at] as string
    const triple = quote.repeat(3)
    if (this.#text.startsWith(triple, this.#at)) {
      this.#at += 3
      this.#closeString(triple)
      // up to two quotes may stand right before the closing three
      while (this.#text[this.#at] === quote) this.#at++
    } else {
      this.#at++
      this.#closeString(quote)
    }
  }

  #closeString(end: string): void {
    const escapes = end.startsWith('"')
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at)) {
      this.#at += escapes && this.#text[this.#at] === '\\' ? 2 : 1
    }
    this.#at += end.length
  }

  /** Spaces, line ends and comments. */
  #skipSpace(): void {
    const { length } = this.#text
    while (this.#at < length) {
      if (this.#text[this.#at] === '#') this.#skipTo(/\n/g)
      else if (/\s/.test(this.#text[this.#at] as string)) this.#at++
      else return
    }
  }

  #skipTo(stop: RegExp): void {
    stop.lastIndex = this.#at
    this.#at = stop.exec(this.#text)?.index ?? this.#text.length
  }

  #mark(path: Path, line: number): void {
    const name = nameOf(path)
    if (!this.lines.has(name)) this.lines.set(name, line)
  }

  #here(): number {
    for (; this.#counted < this.#at; this.#counted++) {
      if (this.#text[this.#counted] === '\n') this.#line++
    }
    return this.#line
  }
}

function unquote(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1)
  try {
    return String(JSON.parse(text))
  } catch {
    // an escape that only TOML knows; no setting has one in its name
    return text.slice(1, -1)
  }
}
