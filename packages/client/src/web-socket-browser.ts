/** The browser's own WebSocket. */
import type { Socket, SocketListener } from './web-socket-transport.ts'

export function openSocket(url: string, protocol: string, listener: SocketListener): Socket {
  const socket = new WebSocket(url, protocol)
  socket.onopen = () => listener.opened()
  socket.onmessage = (event) => listener.received(event.data)
  socket.onclose = (event) => listener.closed(event.code, event.reason)
  return {
    send: (text) => socket.send(text),
    close: (code) => socket.close(code),
    // a browser gives a page no way to end a socket other than the handshake
    destroy: () => listener.closed(1006, 'no answer to the close'),
  }
}
