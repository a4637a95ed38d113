/**
 * Reads DER (X.690), as far as certificates and revocation lists need it: lengths are definite and of one form,
 * tags are of one byte.
 * Invariant: nothing outside of what an element encloses is ever read; what is malformed throws `DER_INVALID`.
 */
import { SapwoodError } from '@sapwood/core'

export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** The context-specific, constructed tag 0: `[0]`. */
  context0: 0xa0,
} as const

/** One element: where it stands in the bytes, and what it encloses. */
export interface Element {
  readonly tag: number
  /** With tag and length. */
  readonly whole: Uint8Array
  readonly content: Uint8Array
}

/**
 * Goes through elements that stand one behind the other.
 * @example
 * const list = new DerReader(new DerReader(bytes).take(Tag.sequence).content)
 * while (!list.done) list.next()
 */
export class DerReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The next element, if it has this tag. */
  accept(tag: number): Element | undefined {
    return this.#bytes[this.#at] === tag ? this.next() : undefined
  }

  /** @throws SapwoodError DER_INVALID */
  take(tag: number): Element {
    const element = this.accept(tag)
    if (element === undefined) throw invalid(`tag ${tag} is missing at byte ${this.#at}`)
    return element
  }

  /** @throws SapwoodError DER_INVALID */
  next(): Element {
    const bytes = this.#bytes
    const start = this.#at
    const tag = bytes[start]
    const first = bytes[start + 1]
    if (tag === undefined || first === undefined) throw invalid(`it ends at byte ${bytes.length}`)
    if ((tag & 0x1f) === 0x1f) throw invalid(`a tag of several bytes at byte ${start}`)
    let from = start + 2
    let length = first
    if (first >= 0x80) {
      const size = first & 0x7f
      if (size === 0 || size > 4) throw invalid(`no definite length at byte ${start}`)
      length = 0
      for (let i = 0; i < size; i++) length = length * 256 + (bytes[from++] ?? 0)
      if (length < 0x80 || length < 256 ** (size - 1))
        throw invalid(`a long length at byte ${start}`)
    }
    const end = from + length
    if (end > bytes.length) throw invalid(`the element at byte ${start} has no end`)
    this.#at = end
    return { tag, whole: bytes.subarray(start, end), content: bytes.subarray(from, end) }
  }
}

/** An INTEGER as OpenSSL and Node write serial numbers: upper-case hex without leading zeros. */
export function hexOf(integer: Uint8Array): string {
  return normalHex(Buffer.from(integer).toString('hex'))
}

/** Serial numbers are compared in this form. */
export function normalHex(hex: string): string {
  return hex.toUpperCase().replace(/^0+(?=.)/, '')
}

/** An OBJECT IDENTIFIER in dots. */
export function oidOf(content: Uint8Array): string {
  const parts: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (value > Number.MAX_SAFE_INTEGER) throw invalid('an object identifier is too large')
    if (byte >= 0x80) continue
    if (parts.length > 0) parts.push(value)
    else {
      const first = Math.min(2, Math.floor(value / 40))
      parts.push(first, value - 40 * first)
    }
    value = 0
  }
  return parts.join('.')
}

/** A UTCTime or GeneralizedTime in milliseconds of the wall clock. */
export function timeOf({ tag, content }: Element): number {
  const text = Buffer.from(content).toString('latin1')
  const digits = tag === Tag.utcTime ? `${text < '50' ? '20' : '19'}${text}` : text
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits)
  const isTime = tag === Tag.utcTime || tag === Tag.generalizedTime
  if (!isTime || parts === null) throw invalid(`${JSON.stringify(text)} is no time`)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1)
    .map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function invalid(detail: string): SapwoodError {
  return new SapwoodError('DER_INVALID', `this is no DER: ${detail}`)
}
