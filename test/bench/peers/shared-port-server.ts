/** A server to measure: `accept` answers at once, `hand-over` looks at the first bytes before, `splice PORT` passes on. */
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { formatAddress, portSwitch, serviceTarget, spliceTarget } from '@sapwood/net'
import { http, ssh } from '@sapwood/wire'

const [mode, port] = process.argv.slice(2)
const answer = (socket: Socket): void => {
  socket.on('data', () => socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'))
  socket.on('error', () => socket.destroy())
}
const listen = { host: '127.0.0.1', port: 0 }
if (mode === 'accept') {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, answer)
  server.listen({ ...listen, backlog: 4096 }, () => {
    say((server.address() as { port: number }).port)
  })
} else {
  const to =
    mode === 'splice'
      ? spliceTarget({ host: '127.0.0.1', port: Number(port) })
      : serviceTarget(answer)
  const closed = serviceTarget((socket) => socket.destroy())
  const routes = [
    { match: ssh, to: closed },
    { match: http({ path: '/other/**' }), to: closed },
    { match: http(), to },
  ]
  const shared = await portSwitch({ listen, routes })
  say(Number(formatAddress(shared.address).split(':').at(-1)))
}

function say(port: number): void {
  process.stdout.write(`${port}\n`)
}
