/**
 * Many heads are those that came before, byte for byte, such as the answers to one question that is asked again and again:
 * they are not read anew.
 * Invariant: the same bytes give the same head, which nobody changes.
 */

const NOTHING = new Uint8Array(0)

export class LastHead<Head> {
  readonly #parse: (bytes: Uint8Array) => Head | undefined
  #bytes: Uint8Array = NOTHING
  #head: Head | undefined = undefined

  /** @param parse reads a head; undefined if the bytes are none. */
  constructor(parse: (bytes: Uint8Array) => Head | undefined) {
    this.#parse = parse
  }

  /** @param bytes must not be changed afterwards. */
  read(bytes: Uint8Array): Head | undefined {
    if (this.#head !== undefined && isSame(bytes, this.#bytes)) return this.#head
    this.#head = this.#parse(bytes)
    this.#bytes = bytes
    return this.#head
  }
}

/** From the end: a length that differs stands behind the names of headers. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let i = one.length - 1; i >= 0; i--) if (one[i] !== other[i]) return false
  return true
}
