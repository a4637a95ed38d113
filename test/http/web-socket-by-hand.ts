/** A WebSocket as bytes: the requests and frames of a client, also those that no library would write. */
import { randomBytes } from 'node:crypto'

/** The first frame. */
export const HELLO = '{"path":"::hello","message":{"version":1}}'

/** The request that opens one. @param more further headers, each with its line end. */
export function upgrade(more = '', key = 'AAAAAAAAAAAAAAAAAAAAAA=='): string {
  return (
    'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${more}\r\n`
  )
}

/** A frame. @param first its first byte: a whole text by default. */
export function masked(text: string, first = 0x81): Buffer {
  const payload = Buffer.from(text)
  const mask = randomBytes(4)
  const body = Buffer.from(payload.map((byte, i) => byte ^ (mask[i % 4] as number)))
  return Buffer.concat([Buffer.from([first, 0x80 | payload.length]), mask, body])
}
