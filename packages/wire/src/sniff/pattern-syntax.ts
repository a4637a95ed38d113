/**
 * A regular expression of JavaScript as a tree, for patterns over bytes: a byte is the character U+0000 to U+00FF of its
 * number. The engine's own `RegExp` checks the whole and says which bytes an atom stands for, so the tree means
 * what the expression means.
 * Invariant: what cannot be told from the bytes up to some place, and what older syntax reads in surprising ways, is
 * refused.
 */
import { SapwoodError } from '@sapwood/core'

/** Where a pattern may stand: `^`, `$`, `\b`, `\B`. */
export type Assertion = 'start' | 'end' | 'border' | 'inside'

export type PatternNode =
  | { readonly kind: 'byte'; readonly set: ByteSet }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly PatternNode[] }
  | {
      readonly kind: 'repeat'
      readonly item: PatternNode
      readonly least: number
      readonly most: number
    }

/** For each of the 256 bytes, whether it is meant. */
export type ByteSet = readonly boolean[]

const BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
const COUNT = /\{(\d+)(,(\d*))?\}\??/y
const QUANTIFIERS: Readonly<Record<string, readonly [number, number]>> = {
  '*': [0, Number.POSITIVE_INFINITY],
  '+': [1, Number.POSITIVE_INFINITY],
  '?': [0, 1],
}
const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  '^': 'start',
  $: 'end',
  '\\b': 'border',
  '\\B': 'inside',
}
/** An escape as a whole; `\` before any other letter or digit is refused. */
const ESCAPE = /\\(?:x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|c[A-Za-z]|0(?!\d)|[dDwWsStrnvfbB]|[^A-Za-z0-9])/y
const CLASS = /\[(?:\\.|[^\]\\])*\]/sy
const ANY = /./sy
const GROUP = /\((?:\?(?::|<(?![=!])[^>]*>))?/y

/**
 * @throws SapwoodError `BYTES_PATTERN_INVALID` for what is no regular expression, and for look-around,
 * back-references, inline flags and escapes that have no meaning of their own.
 */
export function parsePattern(text: string): PatternNode {
  try {
    new RegExp(text)
  } catch (error) {
    throw invalid(text, error instanceof Error ? error.message : 'it is no regular expression')
  }
  return new Parser(text).choice()
}

export function invalid(text: string, detail: string): SapwoodError {
  return new SapwoodError('BYTES_PATTERN_INVALID', `the pattern \`${text}\`: ${detail}`)
}

class Parser {
  readonly #text: string
  #at = 0
  readonly #sets = new Map<string, ByteSet>()

  constructor(text: string) {
    this.#text = text
  }

  /** Up to the end, or to the `)` that closes it. */
  choice(): PatternNode {
    const items = [this.#sequence()]
    while (this.#text[this.#at] === '|') {
      this.#at++
      items.push(this.#sequence())
    }
    return items.length === 1 && items[0] !== undefined ? items[0] : { kind: 'choice', items }
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = []
    while (this.#at < this.#text.length && !'|)'.includes(this.#text[this.#at] ?? '')) {
      items.push(this.#quantified(this.#atom()))
    }
    return { kind: 'sequence', items }
  }

  /** Greedy or not makes no difference to whether something matches. */
  #quantified(item: PatternNode): PatternNode {
    const sign = QUANTIFIERS[this.#text[this.#at] ?? '']
    if (sign !== undefined) {
      this.#at += this.#text[this.#at + 1] === '?' ? 2 : 1
      return { kind: 'repeat', item, least: sign[0], most: sign[1] }
    }
    COUNT.lastIndex = this.#at
    const count = COUNT.exec(this.#text)
    if (count === null) return item
    this.#at = COUNT.lastIndex
    const least = Number(count[1])
    const most = count[2] === undefined ? least : Number(count[3] || Number.POSITIVE_INFINITY)
    return { kind: 'repeat', item, least, most }
  }

  #atom(): PatternNode {
    const sign = this.#text[this.#at]
    if (sign === '(') return this.#group()
    if (sign === '\\') return this.#named(this.#escape())
    if (sign === '[') return this.#byte(this.#class())
    return this.#named(this.#take(ANY) ?? '')
  }

  #named(atom: string): PatternNode {
    const assertion = ASSERTIONS[atom]
    return assertion === undefined ? this.#byte(atom) : { kind: 'assertion', assertion }
  }

  #group(): PatternNode {
    const opening = this.#take(GROUP)
    if (opening === '(' && this.#text[this.#at] === '?') {
      const next = this.#text.slice(this.#at + 1, this.#at + 3)
      throw /^<?[=!]/.test(next)
        ? this.#invalid('looks ahead or behind; say it without look-around')
        : this.#invalid('sets flags for a group; write the letters out, like `[Gg]`')
    }
    const node = this.choice()
    this.#at++
    return node
  }

  #escape(): string {
    const whole = this.#take(ESCAPE)
    if (whole !== undefined) return whole
    const next = this.#text[this.#at + 1] ?? ''
    throw /[1-9k]/.test(next)
      ? this.#invalid('refers back to a group, which a pattern over part of the bytes cannot')
      : this.#invalid(`has the escape \`\\${next}\`, which is none; bytes are written \`\\x1f\``)
  }

  #class(): string {
    const start = this.#at
    const text = this.#take(CLASS) ?? ''
    for (let at = text.indexOf('\\'); at >= 0; at = text.indexOf('\\', this.#at - start)) {
      this.#at = start + at
      if (this.#escape() === '\\B')
        throw this.#invalid('has `\\B` in a class, where it is no place')
    }
    this.#at = start + text.length
    return text
  }

  /** The bytes that an atom stands for, by asking the engine about each. */
  #byte(atom: string): PatternNode {
    let set = this.#sets.get(atom)
    if (set === undefined) {
      const single = new RegExp(`^(?:${atom})$`)
      set = BYTES.map((byte) => single.test(byte))
      this.#sets.set(atom, set)
    }
    return { kind: 'byte', set }
  }

  #take(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at
    const [found] = sticky.exec(this.#text) ?? []
    if (found !== undefined) this.#at += found.length
    return found
  }

  #invalid(detail: string): SapwoodError {
    return invalid(this.#text, `at ${this.#at} it ${detail}`)
  }
}
