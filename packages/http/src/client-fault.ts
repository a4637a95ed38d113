/** What went wrong before there was a request: the head is late, too large, or no HTTP. */
import type { Fault } from '@sapwood/core'
import { fault } from './problem.ts'

/** Nothing came, or too little of it. */
export const HEAD_LATE: Fault = fault(
  'HEADER_TIMEOUT',
  'the head did not come within limits.header_time',
  408,
)

/** For the `error` of Node's event `clientError`. */
export function clientFault(error: NodeJS.ErrnoException & { rawPacket?: Buffer }): Fault {
  const { code, rawPacket } = error
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return HEAD_LATE
  if (code === 'HPE_HEADER_OVERFLOW') return fault('HEADER_TOO_LARGE', 'the head is too large', 431)
  if (rawPacket !== undefined && rawPacket[0] === 0x16 && rawPacket[1] === 0x03) {
    return fault(
      'TLS_ON_PLAIN_PORT',
      'this port speaks plain HTTP; use http:// instead of https://',
    )
  }
  return fault('HTTP_INVALID', 'this is not HTTP/1.1')
}
