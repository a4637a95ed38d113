/**
 * Requests that offer to go on in a protocol which nobody speaks here: curl and Java's client offer HTTP/2 with every
 * first request. An offer may be passed over (RFC 9110 section 7.8), so the connection is read again without it.
 * Invariant: what is read again offers nothing, and is otherwise what was sent.
 */
import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpRequest } from './http-message.ts'
import { release } from './socket-reader.ts'

/** HTTP/2 without TLS, and TLS: no proxy passes these on. */
const UNSPOKEN: RegExp = /^(?:h2c|tls\/[\d.]+)$/i
/** What only counts together with the offer. */
const OFFER: ReadonlySet<string> = new Set(['upgrade', 'http2-settings'])

/** The protocols that a request offers, in lower case. */
export function offeredProtocols(request: HttpRequest): readonly string[] {
  return membersOf(request, 'upgrade').map((name) => name.toLowerCase())
}

/** Does it offer nothing but what is never spoken on this connection? */
export function isDeclined(request: HttpRequest): boolean {
  return offeredProtocols(request).every((name) => UNSPOKEN.test(name))
}

/**
 * Has `server` answer the request as if it had offered nothing.
 * @param first what came behind the head: its body, and what follows.
 * @example server.on('upgrade', (request, socket, first) => {
 *   if (isDeclined(request)) readWithoutUpgrade(server, request, socket, first)
 * })
 */
export function readWithoutUpgrade(
  server: Server,
  request: HttpRequest,
  socket: Duplex,
  first: Uint8Array,
): void {
  release(socket)
  socket.pause()
  socket.unshift(Buffer.concat([Buffer.from(headOf(request), 'latin1'), first]))
  server.emit('connection', socket)
  socket.resume()
}

function headOf(request: HttpRequest): string {
  const { method, url, httpVersionMinor, rawHeaders } = request
  let text = `${method} ${url} HTTP/1.${httpVersionMinor}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    const lower = name.toLowerCase()
    if (lower !== 'connection' && !OFFER.has(lower)) text += `${name}: ${rawHeaders[i + 1]}\r\n`
  }
  const options = membersOf(request, 'connection').filter((name) => !OFFER.has(name.toLowerCase()))
  return options.length === 0 ? `${text}\r\n` : `${text}Connection: ${options.join(', ')}\r\n\r\n`
}

/** The members of a header that is a list, in however many lines. */
function membersOf({ rawHeaders }: HttpRequest, wanted: string): string[] {
  const members: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== wanted) continue
    for (const member of (rawHeaders[i + 1] as string).split(',')) {
      if (member.trim() !== '') members.push(member.trim())
    }
  }
  return members
}
