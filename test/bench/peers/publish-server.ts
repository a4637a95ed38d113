/**
 * The HTTP side of the peers that have none: `POST /<path>` publishes its body, `POST /` lines of `{"path","message"}`.
 * Prints the ready line that the runner waits for.
 */
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** @param publish takes a path and the JSON of a message. */
export function publishServer(publish: (path: string, message: string) => void): Server {
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString()
      const path = (request.url as string).slice(1)
      if (path !== '') publish(path, body)
      else {
        for (const line of body.split('\n')) {
          if (line === '') continue
          const item = JSON.parse(line) as { path: string; message: unknown }
          publish(item.path, JSON.stringify(item.message))
        }
      }
      response.writeHead(200, { 'Content-Length': 0 }).end()
    })
  })
  server.keepAliveTimeout = 0
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    const { port } = server.address() as AddressInfo
    console.log(JSON.stringify({ msg: 'ready', url: `http://127.0.0.1:${port}` }))
  })
  return server
}
