/**
 * The head of an HTTP/1.1 request that came whole and can be read in one way only (RFC 9112): spelled so that no two
 * programs could differ about it, and asking for nothing but an answer. Whoever reads requests by this leaves all
 * others, the broken ones too, to a complete parser.
 * Invariant: the language is a strict subset: what is read here, a complete parser reads alike.
 */

export interface WholeHead {
  readonly method: string
  /** Path and query, never decoded or normalised. */
  readonly target: string
  /** Names and values in turn, as they were sent. */
  readonly fields: readonly string[]
  /** Bytes of the body that follows the head. */
  readonly length: number
  /** May another request follow? */
  readonly keepsAlive: boolean
  /** The name of the protocol that the connection is to speak from now on, if it is not HTTP. */
  readonly upgrade: string | undefined
}

/** Longer heads are left. */
export const WHOLE_HEAD_LIMIT = 4_096
/** Longer bodies are left. */
export const WHOLE_BODY_LIMIT = 65_536

const REQUEST_LINE = /(GET|HEAD|POST|PUT|PATCH|DELETE) (\/[!"$-~]*) HTTP\/1\.1\r\n/y
/** A field of visible characters and single line; what begins a value or ends it is no space. */
const FIELD = /([!#$%&'*+.^_`|~0-9A-Za-z-]+): *((?:[!-~](?:[ -~]*[!-~])?)?) *\r\n/y
const LENGTH = /^(?:0|[1-9]\d{0,5})$/
/** A connection stays open or does not, or becomes one of another protocol. */
const STAYS = /^(?:keep-alive|close)$/i
const UPGRADES = /^(?:keep-alive, ?)?upgrade$/i
/** What these ask for is not done here. */
const LEFT: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'trailer',
  'te',
  'http2-settings',
  'proxy-connection',
])

/** What two of could be read in two ways. */
const ONCE: ReadonlySet<string> = new Set(['host', 'connection', 'upgrade', 'content-length'])
const TOO_MUCH = Number.POSITIVE_INFINITY

/** What the fields of a head come to. */
interface Block {
  readonly fields: readonly string[]
  /** Of the body; undefined where none was said. */
  readonly length: number | undefined
  readonly upgrade: string | undefined
  readonly keepsAlive: boolean
}

/** Reads the heads of one connection: it mostly says the same fields again and again, which are then read once. */
export class WholeRequestReader {
  #text = ''
  #block: Block | undefined = undefined

  /**
   * @param head from the request line to the empty line behind the fields, a character a byte.
   * @returns undefined if it is none of those that are read here.
   * @example
   * reader.read('GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n')
   * // { method: 'GET', target: '/health/ready', fields: ['Host', 'localhost'], length: 0, keepsAlive: true, upgrade: undefined }
   */
  read(head: string): WholeHead | undefined {
    REQUEST_LINE.lastIndex = 0
    const line = REQUEST_LINE.exec(head)
    if (line === null) return undefined
    const text = head.slice(line[0].length)
    if (text !== this.#text) {
      this.#text = text
      this.#block = readBlock(text)
    }
    const block = this.#block
    if (block === undefined) return undefined
    const [, method, target] = line as unknown as [string, string, string]
    const { fields, length, keepsAlive, upgrade } = block
    // a body where none is usual, and none where one is: others may see it in another way
    const isBare = method === 'GET' || method === 'HEAD'
    if (upgrade !== undefined && method !== 'GET') return undefined
    if (isBare ? length !== undefined : length === undefined && method !== 'DELETE')
      return undefined
    return { method, target, fields, length: length ?? 0, keepsAlive, upgrade }
  }
}

function readBlock(text: string): Block | undefined {
  const fields: string[] = []
  let length: number | undefined
  let upgrade: string | undefined
  let connection = 'keep-alive'
  const seen: string[] = []
  FIELD.lastIndex = 0
  let end = 0
  for (let found = FIELD.exec(text); found !== null; found = FIELD.exec(text)) {
    end = FIELD.lastIndex
    const [, name, value] = found as unknown as [string, string, string]
    const lower = name.toLowerCase()
    if (LEFT.has(lower)) return undefined
    if (ONCE.has(lower)) {
      if (seen.includes(lower)) return undefined
      seen.push(lower)
    }
    if (lower === 'connection') connection = value
    else if (lower === 'upgrade') upgrade = value
    else if (lower === 'content-length') length = LENGTH.test(value) ? Number(value) : TOO_MUCH
    fields.push(name, value)
  }
  // behind the last field nothing but the empty line
  if (end + 2 !== text.length || !text.endsWith('\r\n') || !seen.includes('host')) return undefined
  if (length !== undefined && length > WHOLE_BODY_LIMIT) return undefined
  if (!(upgrade === undefined ? STAYS : UPGRADES).test(connection)) return undefined
  const keepsAlive = connection.toLowerCase() !== 'close'
  return { fields, length, keepsAlive, upgrade }
}
