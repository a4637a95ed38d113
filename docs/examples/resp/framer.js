/**
 * RESP 2 as a framer: each frame is a value, as `value.js` has them. A value may come in many pieces; so its end is
 * looked for first, going on where the last piece ended, and only a value that is whole is read.
 * Invariant: nothing is taken from the input before a value is whole; strings are skipped, never searched; a value that
 * will be over the limit is refused when its length is there, not when its bytes are.
 */
import { FRAME_CUT, FramingFault } from '@sapwood/wire'
import { DEEPEST, readValue, Type, writeValue } from './value.js'

const MINUS = 0x2d
const CARRIAGE_RETURN = 0x0d
const LINE_FEED = 0x0a
const ZERO = 0x30
const NINE = 0x39

/** The digits of the longest number that JavaScript holds exactly. */
const DIGITS = 16
/** The shortest value is a type and an empty line. */
const SHORTEST = 3

export class RespFramer {
  #limit
  #inline
  #fault
  /** Where the next part begins, from the first byte that waits. */
  #at = 0
  /** Parts that are missing until the value is whole: itself, then all that is in its arrays. */
  #missing = 1
  /** No line feed stands before this place. */
  #searched = 0
  /** The number that was read last. */
  #number = 0

  /**
   * @param limit the longest value, in bytes as they are sent
   * @param inline whether a line of words counts as an array of them, as servers let people type
   */
  constructor({ limit, inline = false }) {
    this.#limit = limit
    this.#inline = inline
  }

  decode(input) {
    while (this.#missing > 0) {
      const end = this.#fault === undefined ? this.#endOfPart(input) : undefined
      // a fault, or nothing until there are more bytes
      if (end === undefined) return this.#fault
      this.#missing--
      this.#at = end
      if (end + this.#missing * SHORTEST > this.#limit) this.#refuse('a value is too long')
    }
    const value = readValue(asBuffer(input.take(this.#at)))
    this.#at = this.#searched = 0
    this.#missing = 1
    if (value === undefined) this.#refuse(`over ${DEEPEST} arrays in each other`)
    return value === undefined ? this.#fault : value
  }

  finish(input) {
    const frame = this.decode(input)
    if (frame !== undefined || input.length === 0) return frame
    this.#fault = FRAME_CUT
    return this.#fault
  }

  encode(value) {
    return writeValue(value)
  }

  /** Where the part at `#at` ends: a value, or the head of an array. Undefined if it is refused, or not there yet. */
  #endOfPart(input) {
    const type = input.at(this.#at)
    switch (type) {
      case undefined:
        return undefined
      case Type.BULK:
        return this.#endOfString(input)
      case Type.ARRAY:
        return this.#endOfHead(input)
      case Type.INTEGER:
        return this.#endOfNumber(input)
      case Type.STATUS:
      case Type.FAILURE:
        return this.#endOfLine(input)
      default:
        if (this.#inline && this.#at === 0) return this.#endOfLine(input)
        return this.#refuse(`no value begins with byte ${type}`)
    }
  }

  #endOfString(input) {
    const start = this.#endOfLength(input)
    if (start === undefined || this.#number < 0) return start
    const end = start + this.#number
    if (end > this.#limit) return this.#refuse('a value is too long')
    const last = input.at(end + 1)
    if (last === undefined) return undefined
    if (last === LINE_FEED && input.at(end) === CARRIAGE_RETURN) return end + 2
    return this.#refuse('a string does not end where its length says')
  }

  #endOfHead(input) {
    const end = this.#endOfLength(input)
    if (end !== undefined && this.#number > 0) this.#missing += this.#number
    return end
  }

  /** A length of -1 stands for null. */
  #endOfLength(input) {
    const end = this.#endOfNumber(input)
    if (end === undefined || this.#number >= -1) return end
    return this.#refuse('a length is negative')
  }

  /** The number itself goes to `#number`. */
  #endOfNumber(input) {
    let at = this.#at + 1
    const isNegative = input.at(at) === MINUS
    if (isNegative) at++
    let number = 0
    for (const first = at; ; at++) {
      const byte = input.at(at)
      if (byte === undefined) return undefined
      if (byte === CARRIAGE_RETURN && at > first) break
      if (byte < ZERO || byte > NINE || at - first === DIGITS) {
        return this.#refuse(`a number is none, or has over ${DIGITS} digits`)
      }
      number = number * 10 + (byte - ZERO)
    }
    const feed = input.at(at + 1)
    if (feed === undefined) return undefined
    if (feed === LINE_FEED && Number.isSafeInteger(number)) {
      this.#number = isNegative ? -number : number
      return at + 2
    }
    return this.#refuse('a number does not end in CR LF, or is too large')
  }

  #endOfLine(input) {
    const feed = input.indexOf(LINE_FEED, Math.max(this.#at, this.#searched))
    this.#searched = feed < 0 ? input.length : feed + 1
    if (this.#searched > this.#limit) return this.#refuse('a value is too long')
    return feed < 0 ? undefined : feed + 1
  }

  #refuse(detail) {
    this.#missing = 1
    this.#fault = new FramingFault('RESP_INVALID', detail, true)
    return undefined
  }
}

function asBuffer(bytes) {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
