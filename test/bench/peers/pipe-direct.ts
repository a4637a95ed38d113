/** The far end's handler as a server of its own. Prints its port. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from './far-handler.ts'

const server = createServer((request, response) => void serve(request, response))
server.keepAliveTimeout = 0
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  console.log(`${(server.address() as AddressInfo).port}`)
})
