/**
 * DNS messages in bytes (RFC 1035, section 4) with the larger datagrams of EDNS (RFC 6891): what a server of one zone
 * and its client need.
 * Invariant: reading never runs over the end and never for ever; what cannot be read is told by a missing question.
 */
import { LengthPrefixFramer } from '@sapwood/wire'
import { DATA, Type, uint16s } from './records.js'

export const Code = { NONE: 0, FORMAT: 1, NO_SUCH_NAME: 3, NOT_IMPLEMENTED: 4, REFUSED: 5 }

export const INTERNET = 1

const HEADER = 12
/** Where the question's name stands, as every record of an answer refers to it. */
const NAME_OF_QUESTION = 0xc000 | HEADER
const LONGEST_NAME = 255
const LONGEST_LABEL = 63

const ANSWER = 0x8000
const AUTHORITATIVE = 0x0400
const TRUNCATED = 0x0200
const RECURSION_DESIRED = 0x0100
const OPERATION = 0x7800
const CODE = 0x000f

/** What every datagram may have, and what one may have without being cut into fragments on its way. */
const SMALLEST_ROOM = 512
const DATAGRAM_ROOM = 1_232
const STREAM_ROOM = 65_535

/** Over TCP every message comes behind its length (RFC 1035, section 4.2.2); over UDP it is a datagram. */
export function streamFramer() {
  return new LengthPrefixFramer({ size: 2, endian: 'big', limit: STREAM_ROOM })
}

/**
 * The longest answer to a query.
 * @param transport as `connection.transport` says
 */
export function roomFor(query, transport) {
  return transport === 'udp' ? Math.min(query.room, DATAGRAM_ROOM) : STREAM_ROOM
}

/**
 * @returns undefined if there is not even a header; without `question` if the rest cannot be read
 */
export function readMessage(bytes) {
  if (bytes.length < HEADER) return undefined
  const reader = new Reader(bytes)
  const id = reader.uint16()
  const flags = reader.uint16()
  const [questions, ...counts] = [0, 0, 0, 0].map(() => reader.uint16())
  const message = {
    id,
    isAnswer: (flags & ANSWER) !== 0,
    isQuery: (flags & OPERATION) === 0,
    isTruncated: (flags & TRUNCATED) !== 0,
    code: flags & CODE,
    flags,
    question: undefined,
    records: [],
    /** The longest datagram that the sender takes. */
    room: SMALLEST_ROOM,
    hasExtension: false,
  }
  const question = readQuestion(reader)
  for (let left = counts[0] + counts[1] + counts[2]; left > 0 && !reader.isOver; left--) {
    const record = readRecord(reader)
    if (record.type !== Type.OPT) message.records.push(record)
    else {
      // the class of this one is no class
      message.room = Math.max(SMALLEST_ROOM, record.class)
      message.hasExtension = true
    }
  }
  if (questions === 1 && !reader.isOver) message.question = question
  return message
}

function readQuestion(reader) {
  const start = reader.at
  const name = reader.name()
  const type = reader.uint16()
  return { name, type, class: reader.uint16(), bytes: reader.since(start) }
}

function readRecord(reader) {
  const name = reader.name()
  const [type, class_, ttl] = [reader.uint16(), reader.uint16(), reader.uint32()]
  return { name, type, class: class_, ttl, data: reader.take(reader.uint16()) }
}

export function queryOf({ id, name, type, recursion = false }) {
  const flags = recursion ? RECURSION_DESIRED : 0
  const question = Buffer.concat([nameBytes(name), uint16s([type, INTERNET])])
  return Buffer.concat([uint16s([id, flags, 1, 0, 0, 1]), question, extension(DATAGRAM_ROOM)])
}

/**
 * @param query what `readMessage` gave
 * @param records those that `recordOf` made
 * @param room the longest message; what is over it is left out, and marked so that the peer asks again over TCP
 */
export function answerTo(query, { code, records = [], room }) {
  const question = query.question?.bytes ?? Buffer.alloc(0)
  const tail = query.hasExtension ? extension(DATAGRAM_ROOM) : Buffer.alloc(0)
  const size = records.reduce((sum, { length }) => sum + length, 0)
  const fits = HEADER + question.length + size + tail.length <= room
  const kept = fits ? records : []
  const knows = code === Code.NONE || code === Code.NO_SUCH_NAME
  const flags =
    ANSWER |
    (query.flags & (OPERATION | RECURSION_DESIRED)) |
    (knows ? AUTHORITATIVE : 0) |
    (fits ? 0 : TRUNCATED) |
    code
  const counts = [question.length > 0 ? 1 : 0, kept.length, 0, tail.length > 0 ? 1 : 0]
  return Buffer.concat([uint16s([query.id, flags, ...counts]), question, ...kept, tail])
}

/** A record of the name that was asked for. */
export function recordOf(type, text, ttl) {
  const data = DATA[type].write(text)
  const [high, low] = [ttl >>> 16, ttl & 0xffff]
  return Buffer.concat([
    uint16s([NAME_OF_QUESTION, Type[type], INTERNET, high, low, data.length]),
    data,
  ])
}

/** The record of RFC 6891: no name, its class is the longest datagram that its sender takes. */
function extension(room) {
  return Buffer.concat([Buffer.of(0), uint16s([Type.OPT, room, 0, 0, 0])])
}

/** @throws RangeError for what is no name */
function nameBytes(name) {
  const labels = name.split('.').filter((label) => label !== '')
  const bytes = labels.map((label) => Buffer.from(label, 'latin1'))
  if (name.length >= LONGEST_NAME || bytes.some(({ length }) => length > LONGEST_LABEL)) {
    throw new RangeError(`a name has ${LONGEST_NAME} bytes at most, between dots ${LONGEST_LABEL}`)
  }
  return Buffer.concat([
    ...bytes.flatMap((label) => [Buffer.of(label.length), label]),
    Buffer.of(0),
  ])
}

/** Reads on from `at`; behind the end there are zeros, and `isOver` says so. */
class Reader {
  at = 0
  isOver = false
  #bytes

  constructor(bytes) {
    this.#bytes = bytes
  }

  uint8() {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) this.isOver = true
    return byte ?? 0
  }

  uint16() {
    return this.uint8() * 0x100 + this.uint8()
  }

  uint32() {
    return this.uint16() * 0x10000 + this.uint16()
  }

  take(count) {
    const start = this.at
    this.at += count
    if (this.at > this.#bytes.length) this.isOver = true
    return this.since(start)
  }

  since(start) {
    return this.#bytes.subarray(start, this.at)
  }

  /** In lower case, as names are compared; a dot inside a label is escaped, so that no name looks like another. */
  name() {
    const labels = []
    let length = 1
    let behind
    for (let size = this.uint8(); size !== 0 && !this.isOver; size = this.uint8()) {
      if (size >= 0xc0) {
        const place = this.at - 1
        const target = (size & 0x3f) * 0x100 + this.uint8()
        behind ??= this.at
        // a pointer forward or to itself would never end
        if (target >= place) this.isOver = true
        else this.at = target
      } else {
        length += size + 1
        if (size > LONGEST_LABEL || length > LONGEST_NAME) this.isOver = true
        else labels.push(Buffer.from(this.take(size)).toString('latin1').replaceAll('.', '\\.'))
      }
    }
    if (behind !== undefined) this.at = behind
    return labels.join('.').toLowerCase()
  }
}
