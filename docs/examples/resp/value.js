/**
 * The values of RESP 2, the protocol of Redis, and each of them in bytes. What stands for what:
 *
 *     string   bulk string, one character a byte (latin1), so that any bytes pass
 *     number   integer              Status   simple string, as OK
 *     null     nothing              Failure  error
 *     array    array of any of these
 */
import { SapwoodError } from '@sapwood/core'

/** The first byte of each. */
export const Type = {
  STATUS: 0x2b, // +
  FAILURE: 0x2d, // -
  INTEGER: 0x3a, // :
  BULK: 0x24, // $
  ARRAY: 0x2a, // *
}

/** Arrays in arrays; Redis itself needs three. */
export const DEEPEST = 16

const MINUS = 0x2d
const CARRIAGE_RETURN = 0x0d
const ZERO = 0x30

const LINE_END = /[\r\n]/
const NO_BYTES = /[^\0-\xff]/
const NULL = Buffer.from('$-1\r\n')

export class Status {
  /** @throws SapwoodError unless it is one line */
  constructor(text) {
    this.text = text
    // the same ones are sent again and again, so they are encoded once
    this.bytes = bytesOf(`+${oneLine(text)}\r\n`)
  }
}

export class Failure {
  /** @throws SapwoodError unless it is one line */
  constructor(text) {
    this.text = text
    this.bytes = bytesOf(`-${oneLine(text)}\r\n`)
  }
}

/** @throws SapwoodError for what RESP has no value for */
export function writeValue(value) {
  if (value === null) return NULL
  if (value instanceof Status || value instanceof Failure) return value.bytes
  return bytesOf(encoded(value))
}

function encoded(value) {
  if (typeof value === 'string') return `$${value.length}\r\n${value}\r\n`
  if (Number.isSafeInteger(value)) return `:${value}\r\n`
  if (Array.isArray(value)) return `*${value.length}\r\n${value.map(encoded).join('')}`
  if (value === null) return '$-1\r\n'
  if (value instanceof Status) return `+${value.text}\r\n`
  if (value instanceof Failure) return `-${value.text}\r\n`
  throw new SapwoodError('RESP_INVALID', 'neither text, integer, null, array, Status nor Failure')
}

function bytesOf(text) {
  if (!NO_BYTES.test(text)) return Buffer.from(text, 'latin1')
  throw new SapwoodError('RESP_INVALID', 'a character is not a byte; encode the text first')
}

function oneLine(text) {
  if (!LINE_END.test(text)) return text
  throw new SapwoodError('RESP_INVALID', 'a Status or Failure is one line')
}

/**
 * @param bytes one value, known to be whole
 * @returns undefined if its arrays are too deep in each other
 */
export function readValue(bytes) {
  return new Reader(bytes).value(0)
}

class Reader {
  #bytes
  #at = 0

  constructor(bytes) {
    this.#bytes = bytes
  }

  value(depth) {
    switch (this.#bytes[this.#at]) {
      case Type.BULK:
        return this.#string()
      case Type.ARRAY:
        return this.#array(depth)
      case Type.INTEGER:
        return this.#number()
      case Type.STATUS:
        return new Status(this.#line().slice(1))
      case Type.FAILURE:
        return new Failure(this.#line().slice(1))
      default:
        return this.#line().split(' ').filter(Boolean)
    }
  }

  /** A copy: a view would keep a whole packet for as long as the string is stored. */
  #string() {
    const length = this.#number()
    if (length < 0) return null
    const start = this.#at
    this.#at += length + 2
    return this.#bytes.toString('latin1', start, start + length)
  }

  #array(depth) {
    const count = this.#number()
    if (count < 0) return null
    if (depth === DEEPEST) return undefined
    const values = []
    while (values.length < count) {
      const value = this.value(depth + 1)
      if (value === undefined) return undefined
      values.push(value)
    }
    return values
  }

  /** What stands between the type and the end of the line. */
  #number() {
    const bytes = this.#bytes
    const isNegative = bytes[this.#at + 1] === MINUS
    let at = this.#at + (isNegative ? 2 : 1)
    let number = 0
    for (; bytes[at] !== CARRIAGE_RETURN; at++) number = number * 10 + (bytes[at] - ZERO)
    this.#at = at + 2
    return isNegative ? 0 - number : number
  }

  #line() {
    const end = this.#bytes.indexOf('\n', this.#at)
    const text = this.#bytes.toString('latin1', this.#at, end)
    this.#at = end + 1
    return text.endsWith('\r') ? text.slice(0, -1) : text
  }
}
