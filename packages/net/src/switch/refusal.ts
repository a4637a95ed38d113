/**
 * How a connection is told that nobody takes it (weakness W3 of StreamProx: it never was). A client that speaks HTTP/1 gets a
 * problem document (RFC 9457); what another protocol's client would take for an answer is not ours to say.
 */
import type { Socket } from 'node:net'
import type { Fault, Wheel } from '@sapwood/core'
import { http } from '@sapwood/wire'

const isHttp = http({})

const TITLES: Readonly<Record<number, string>> = {
  404: 'Not Found',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  504: 'Gateway Timeout',
}

/** How long a refused client may take to read its answer and leave, in milliseconds. */
const LINGER = 1000

/**
 * Ends a connection, within a second.
 * @param replay the first bytes of it.
 */
export function refuse(socket: Socket, replay: Uint8Array, fault: Fault, wheel: Wheel): void {
  const speaksHttp = isHttp({ bytes: replay, ended: false, late: true }) === 'yes'
  if (!speaksHttp || !socket.writable) {
    socket.destroy()
    return
  }
  socket.end(problem(fault))
  // unread bytes would turn the end into a reset, which may overtake the answer
  socket.resume()
  const forget = wheel.after(LINGER, () => socket.destroy())
  socket.once('close', forget)
}

function problem({ code, detail, status = 502 }: Fault): string {
  const title = TITLES[status] ?? 'Error'
  const text = JSON.stringify({ type: 'about:blank', title, status, code, detail })
  return [
    `HTTP/1.1 ${status} ${title}`,
    'Content-Type: application/problem+json',
    'Connection: close',
    `Content-Length: ${Buffer.byteLength(text)}`,
    '',
    text,
  ].join('\r\n')
}
