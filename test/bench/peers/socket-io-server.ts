/** socket.io over WebSocket only, with what its manual recommends for speed: no compression, a room per path. */
import { Server } from 'socket.io'
import { publishServer } from './publish-server.ts'

const server = publishServer((path, message) => {
  sockets.to(path).emit('message', JSON.parse(message))
})

const sockets = new Server(server, {
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: false,
  pingInterval: 600_000,
})

sockets.on('connection', (socket) => {
  socket.on('join', (paths: string[]) => {
    for (const path of paths) socket.join(path)
    socket.emit('joined')
  })
})
