/**
 * Lines of UTF-8 text as a hub takes them: one that is too long or no UTF-8 is a fault in its place, and reading goes
 * on behind it.
 * Invariant: a peer that begins to speak TLS is known by its first byte, and one that speaks HTTP by its first line
 * even if that is no line that can be taken: what a page of any site can send here never counts as lines.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Framer, InputBuffer } from '@sapwood/wire'
import { FramingFault, LineFramer } from '@sapwood/wire'

/** How a TLS record with a handshake begins; no line begins with a control character that a path may not have. */
const HANDSHAKE = 0x16
/** Bytes that tell a request of HTTP: the longest method and what stands before the target. */
const HEAD = 24
const REQUEST = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \//

const NOT_UTF8 = new FramingFault('LINE_INVALID', 'the line is not valid UTF-8', false)
const TLS = new FramingFault(
  'TLS_ON_PLAIN_PORT',
  'this port speaks plain lines; connect without TLS, or start the hub with --tls-cert',
  true,
)
const HTTP = new FramingFault(
  'HTTP_ON_LINE_PORT',
  'this port speaks plain lines, not HTTP; call the port of the hub',
  true,
)

export class LineFormFramer implements Framer<string> {
  readonly #lines: LineFramer
  /** The first line is behind. */
  #begun = false
  #refused: FramingFault | undefined

  /** @param limit bytes of a line without its end. */
  constructor(limit: number) {
    this.#lines = new LineFramer({ limit, tooLong: 'error' })
  }

  decode(input: InputBuffer): string | FramingFault | undefined {
    return this.#begun ? textOf(this.#lines.decode(input)) : this.#first(input, false)
  }

  finish(input: InputBuffer): string | FramingFault | undefined {
    return this.#begun ? textOf(this.#lines.finish(input)) : this.#first(input, true)
  }

  encode(line: string): Uint8Array {
    return this.#lines.encode(Buffer.from(line))
  }

  #first(input: InputBuffer, ended: boolean): string | FramingFault | undefined {
    if (this.#refused !== undefined) return this.#refused
    if (input.at(0) === HANDSHAKE) {
      this.#refused = TLS
      return TLS
    }
    const head = headOf(input)
    const line = textOf(ended ? this.#lines.finish(input) : this.#lines.decode(input))
    if (line instanceof FramingFault && REQUEST.test(head)) {
      this.#refused = HTTP
      return HTTP
    }
    this.#begun = line !== undefined
    return line
  }
}

function headOf(input: InputBuffer): string {
  let head = ''
  for (let i = 0; i < HEAD; i++) {
    const byte = input.at(i)
    if (byte === undefined) break
    head += String.fromCharCode(byte)
  }
  return head
}

function textOf(line: Uint8Array | FramingFault | undefined): string | FramingFault | undefined {
  if (line === undefined || line instanceof FramingFault) return line
  const { buffer, byteOffset, byteLength } = line
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  if (isAscii(bytes)) return bytes.toString('latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : NOT_UTF8
}
