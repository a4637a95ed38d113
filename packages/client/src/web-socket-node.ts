/** The WebSocket of `ws`: Node 20 has none of its own. */
import { WebSocket } from 'ws'
import type { Socket, SocketListener } from './web-socket-transport.ts'

/** Bytes of the largest frame that is taken: an array of updates may be larger than one. */
const LARGEST = 64 * 1024 * 1024

export function openSocket(url: string, protocol: string, listener: SocketListener): Socket {
  const socket = new WebSocket(url, protocol, {
    perMessageDeflate: false,
    maxPayload: LARGEST,
  })
  socket.on('open', () => listener.opened())
  socket.on('message', (data: Buffer, binary: boolean) =>
    listener.received(binary ? data : data.toString()),
  )
  let fault = ''
  socket.on('close', (code, reason) => listener.closed(code, reason.toString() || fault))
  // `close` follows, and tells it
  socket.on('error', ({ message }) => {
    fault = message
  })
  return {
    send: (text) => socket.send(text),
    close: (code) => socket.close(code),
    destroy: () => socket.terminate(),
  }
}
