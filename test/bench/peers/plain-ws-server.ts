/** A hub of thirty lines: the paths are in the query of the handshake, and each subscriber gets its own `send`. */
import type { WebSocket } from 'ws'
import { WebSocketServer } from 'ws'
import { publishServer } from './publish-server.ts'

const subscribers = new Map<string, Set<WebSocket>>()

const server = publishServer((path, message) => {
  for (const socket of subscribers.get(path) ?? []) socket.send(message)
})

const webSockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false })

webSockets.on('connection', (socket, request) => {
  const paths = new URL(request.url as string, 'http://127.0.0.1').searchParams.getAll('path')
  for (const path of paths) {
    const those = subscribers.get(path) ?? new Set<WebSocket>()
    subscribers.set(path, those.add(socket))
  }
  socket.on('close', () => {
    for (const path of paths) subscribers.get(path)?.delete(socket)
  })
  // a connection that breaks is closed as well
  socket.on('error', () => {})
})
