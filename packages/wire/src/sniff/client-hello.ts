/**
 * What a TLS client says in clear before anything is agreed on: the name of the server it wants and the protocols it
 * offers (RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301). The hello may lie in any number of records, and a
 * record in any number of packets, as those with post-quantum keys do.
 * Invariant: nothing is said of a hello that is not there to its last byte.
 */
import { latin1 } from './latin1.ts'
import type { Verdict } from './sniffed.ts'

export interface ClientHello {
  /** In lower case and without a last dot; absent if none was sent. */
  readonly serverName?: string
  /** The application protocols offered, one character a byte, the dearest first. */
  readonly protocols: readonly string[]
}

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const MAJOR_VERSION = 3
const RECORD_HEADER = 5
const MOST_IN_RECORD = 16_384
/** Type and length of the handshake message, and the first byte of its version. */
const HEADER = 5
const LENGTH_END = 4
/** The longest hello that TLS libraries read; nobody sends more than a few kilobytes. */
const MOST = 131_072
const VERSION_AND_RANDOM = 34
const SERVER_NAME = 0
const PROTOCOLS = 16
const HOST_NAME = 0
const HOST = /^[!-~]+$/
const NOTHING = new Uint8Array(0)

/**
 * Reads the hello at the start of a connection.
 * @returns `no` if the bytes cannot begin one, or are one that breaks its own form.
 * @example
 * const hello = readClientHello(bytes)
 * if (typeof hello === 'object') route(hello.serverName, hello.protocols)
 */
export function readClientHello(bytes: Uint8Array): ClientHello | 'more' | 'no' {
  const header = helloHeader(bytes)
  if (header === undefined) return 'no'
  if (header.length < HEADER) return 'more'
  const wanted = LENGTH_END + uint24(header, 1)
  const carried = carriedBytes(bytes, wanted)
  if (carried === undefined) return 'no'
  if (carried < wanted) return 'more'
  return readBody(content(bytes, wanted).subarray(LENGTH_END)) ?? 'no'
}

/** Do the bytes begin a hello, as far as its first five bytes tell? Enough for a rule that asks for TLS and no more. */
export function beginsClientHello(bytes: Uint8Array): Verdict {
  const header = helloHeader(bytes)
  if (header === undefined) return 'no'
  return header.length < HEADER ? 'more' : 'yes'
}

/** The first bytes of the handshake message, as far as they are there; undefined if they begin no bearable hello. */
function helloHeader(bytes: Uint8Array): Uint8Array | undefined {
  const carried = carriedBytes(bytes, HEADER)
  if (carried === undefined) return undefined
  const header = content(bytes, carried)
  const [type = CLIENT_HELLO, high = 0, middle = 0, low = 0, major = MAJOR_VERSION] = header
  if (type !== CLIENT_HELLO || major !== MAJOR_VERSION) return undefined
  return (high << 16) + (middle << 8) + low <= MOST ? header : undefined
}

/**
 * How many bytes of the handshake the records carry so far, counted to `most`; undefined if what stands before that
 * many is no handshake record. Copies nothing, since a hello may come in thousands of pieces and is asked after at each.
 */
function carriedBytes(bytes: Uint8Array, most: number): number | undefined {
  let carried = 0
  for (let at = 0; carried < most && at < bytes.length; ) {
    if (!isRecord(bytes, at)) return undefined
    if (bytes.length < at + RECORD_HEADER) break
    const start = at + RECORD_HEADER
    at = start + uint16(bytes, at + 3)
    carried += Math.min(at, bytes.length) - start
  }
  return Math.min(carried, most)
}

/** The first `count` bytes of the handshake, which are there: a view if they lie in one record. */
function content(bytes: Uint8Array, count: number): Uint8Array {
  const first = bytes.subarray(RECORD_HEADER, RECORD_HEADER + uint16(bytes, 3))
  if (first.length >= count) return first.subarray(0, count)
  const whole = new Uint8Array(count)
  for (let at = 0, done = 0; done < count; ) {
    const start = at + RECORD_HEADER
    at = start + uint16(bytes, at + 3)
    const fragment = bytes.subarray(start, Math.min(at, start + count - done))
    whole.set(fragment, done)
    done += fragment.length
  }
  return whole
}

/** Are the bytes at `at`, as far as they are there, the header of a handshake record? */
function isRecord(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== HANDSHAKE) return false
  if ((bytes[at + 1] ?? MAJOR_VERSION) !== MAJOR_VERSION || (bytes[at + 2] ?? 0) > 4) return false
  if (bytes.length < at + RECORD_HEADER) return (bytes[at + 3] ?? 0) <= MOST_IN_RECORD >> 8
  const length = uint16(bytes, at + 3)
  return length > 0 && length <= MOST_IN_RECORD
}

/** The hello behind its handshake header, or undefined if a length in it does not fit. */
function readBody(body: Uint8Array): ClientHello | undefined {
  const fields = new Fields(body)
  fields.take(VERSION_AND_RANDOM)
  fields.vector(1)
  const ciphers = fields.vector(2)
  const compressions = fields.vector(1)
  if (ciphers.length === 0 || ciphers.length % 2 === 1 || compressions.length === 0)
    return undefined
  const extensions = new Fields(fields.isDone ? NOTHING : fields.vector(2))
  if (!fields.isWhole) return undefined
  const seen = new Set<number>()
  let serverName: string | undefined
  let protocols: readonly string[] = []
  while (!extensions.isDone) {
    const type = extensions.number(2)
    const content = new Fields(extensions.vector(2))
    if (seen.has(type)) return undefined
    seen.add(type)
    if (type === SERVER_NAME) {
      serverName = readServerName(content)
      if (serverName === undefined) return undefined
    } else if (type === PROTOCOLS) {
      protocols = readProtocols(content)
      if (protocols.length === 0) return undefined
    }
  }
  if (!extensions.isWhole) return undefined
  return serverName === undefined ? { protocols } : { serverName, protocols }
}

/** The one name of the list, or undefined if it is no list of one host name in ASCII. */
function readServerName(content: Fields): string | undefined {
  const list = new Fields(content.vector(2))
  const type = list.number(1)
  const name = list.vector(2)
  if (!content.isWhole || !list.isWhole || type !== HOST_NAME) return undefined
  const text = latin1(name, 0, name.length)
  return HOST.test(text) ? text.toLowerCase().replace(/\.$/, '') : undefined
}

/** The protocols of the list; none if it is not well-formed. */
function readProtocols(content: Fields): string[] {
  const list = new Fields(content.vector(2))
  const protocols: string[] = []
  while (!list.isDone) {
    const name = list.vector(1)
    if (name.length === 0) return []
    protocols.push(latin1(name, 0, name.length))
  }
  return content.isWhole && list.isWhole ? protocols : []
}

/** Numbers and vectors in turn; when one does not fit, nothing more comes and the whole is not `isWhole`. */
class Fields {
  readonly #bytes: Uint8Array
  #at = 0
  #isBroken = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Is there nothing more to read? */
  get isDone(): boolean {
    return this.#isBroken || this.#at === this.#bytes.length
  }

  /** Is there nothing more to read, and was nothing missing? */
  get isWhole(): boolean {
    return !this.#isBroken && this.isDone
  }

  /** The next `count` bytes; none if there are fewer. */
  take(count: number): Uint8Array {
    if (this.#bytes.length - this.#at < count) this.#isBroken = true
    if (this.#isBroken) return NOTHING
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  number(size: 1 | 2): number {
    const [first = 0, second = 0] = this.take(size)
    return size === 1 ? first : (first << 8) | second
  }

  /** Bytes behind their number. */
  vector(size: 1 | 2): Uint8Array {
    return this.take(this.number(size))
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function uint24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | uint16(bytes, at + 1)
}
