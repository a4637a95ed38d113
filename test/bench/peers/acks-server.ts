/** A near end of socket.io: asks its only client and waits for the acknowledgement. Prints its port. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server, type Socket } from 'socket.io'
import { callLoop } from './call-loop.ts'

const BODY = 'q'.repeat(100)
let far: Socket | undefined

const server = createServer(async ({ url = '' }, response) => {
  const [, what, open, seconds] = url.split('/')
  if (what === 'calls') {
    const ask = (): Promise<unknown> => (far as Socket).emitWithAck('ask', 'POST', '/echo', BODY)
    return response.end(`${await callLoop(ask, Number(open), Number(seconds))}`)
  }
  const body = Buffer.from((await far?.emitWithAck('ask', 'GET', url, '')) as string)
  const head = { 'content-type': 'application/json', 'content-length': body.length }
  return response.writeHead(200, head).end(body)
})
server.keepAliveTimeout = 0
new Server(server, {
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: false,
  pingInterval: 600_000,
}).on('connection', (socket) => {
  far = socket
})
server.listen(0, '127.0.0.1', () => console.log(`${(server.address() as AddressInfo).port}`))
