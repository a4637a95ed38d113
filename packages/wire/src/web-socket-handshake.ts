/**
 * The opening handshake of a WebSocket as a server judges and answers it (RFC 6455 section 4.2). Method, host and
 * origin are the caller's to check, and so is the SHA-1, since nothing here computes digests.
 */
import type { Fault } from '@sapwood/core'
import { TOKEN } from './token.ts'

/** What is appended to the key before the digest (section 1.3). */
export const WEB_SOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const VERSION = '13'
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/

/** By lower-case names, as Node gives them. */
export interface HandshakeHeaders {
  readonly upgrade?: string | undefined
  readonly connection?: string | undefined
  readonly 'sec-websocket-key'?: string | undefined
  readonly 'sec-websocket-version'?: string | undefined
  readonly 'sec-websocket-protocol'?: string | undefined
}

/** A handshake to be accepted. */
export interface WebSocketHandshake {
  readonly key: string
  /** The one that was agreed on; absent if there is none. */
  readonly protocol?: string
}

/** A handshake to be refused. */
export interface HandshakeFault extends Fault {
  readonly status: 400 | 426
  /** Headers that the refusal must have: names and values in turn. */
  readonly headers: readonly string[]
}

/**
 * Judges a handshake. Of the protocols offered the first that is known is taken; if none is, the connection is
 * accepted without, and it is for the client to go or stay.
 * @param protocols the subprotocols that the server speaks.
 * @returns a fault `HANDSHAKE_INVALID` (400) or `HANDSHAKE_VERSION` (426).
 * @example
 * const handshake = webSocketHandshake(request.headers, ['sapwood.v1'])
 * if (isFault(handshake)) return refuse(handshake)
 * const accept = createHash('sha1').update(handshake.key + WEB_SOCKET_GUID).digest('base64')
 * socket.write(acceptAnswer(accept, handshake.protocol))
 */
export function webSocketHandshake(
  headers: HandshakeHeaders,
  protocols: readonly string[],
): WebSocketHandshake | HandshakeFault {
  if (!lists(headers.upgrade, 'websocket')) return invalid('the header Upgrade is not "websocket"')
  if (!lists(headers.connection, 'upgrade'))
    return invalid('the header Connection has no "upgrade"')
  if (headers['sec-websocket-version'] !== VERSION) {
    return {
      code: 'HANDSHAKE_VERSION',
      detail: `only version ${VERSION} of the WebSocket protocol is spoken here`,
      status: 426,
      headers: ['Upgrade', 'websocket', 'Sec-WebSocket-Version', VERSION],
    }
  }
  const key = headers['sec-websocket-key']
  if (key === undefined || !KEY.test(key)) {
    return invalid('the header Sec-WebSocket-Key is not 16 bytes in base64')
  }
  const offered = elements(headers['sec-websocket-protocol'])
  if (!offered.every((name) => TOKEN.test(name)) || new Set(offered).size < offered.length) {
    return invalid('the header Sec-WebSocket-Protocol is no list of different names')
  }
  const protocol = offered.find((name) => protocols.includes(name))
  return protocol === undefined ? { key } : { key, protocol }
}

/**
 * The answer that accepts a handshake (section 4.2.2), up to its empty line.
 * @param accept the SHA-1 of the key and `WEB_SOCKET_GUID`, in base64.
 */
export function acceptAnswer(accept: string, protocol?: string): string {
  const agreed = protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n${agreed}\r\n`
  )
}

function invalid(detail: string): HandshakeFault {
  return { code: 'HANDSHAKE_INVALID', detail, status: 400, headers: [] }
}

function lists(header: string | undefined, word: string): boolean {
  return elements(header).some((element) => element.toLowerCase() === word)
}

function elements(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((element) => element.trim())
}
