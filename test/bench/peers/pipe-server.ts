/**
 * The near end of a pipe: `pipe-server DIR PORT`. Prints the ports of its front and of its listener. Besides what
 * fronts do it answers `/clients` with how many are there, and `/calls/OPEN/SECONDS` with how many calls without HTTP
 * it made.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeServer, serveFront } from '@sapwood/pipe'
import { callLoop } from './call-loop.ts'

const [dir = '', port] = process.argv.slice(2)
const read = (file: string): string => readFileSync(join(dir, file), 'utf8')
const MOST = 4_096

const server = await pipeServer({
  port: Number(port),
  key: read('server.key.pem'),
  cert: read('server.crt.pem'),
  ca: read('ca.crt.pem'),
  tickets: join(dir, 'tickets'),
  settings: { connections: MOST, perAddress: MOST, perName: MOST, handshake: 60_000 },
})
const BODY = Buffer.alloc(100, 'q')
const CALL = { verb: 'POST', message: BODY, type: 'application/octet-stream' } as const

const front = await serveFront({
  listen: '127.0.0.1:0',
  asker: server.asker,
  otherwise: (request, response) => void other(request, response),
})
console.log(`${front.address.split(':').at(-1)} ${server.address.port}`)

async function other({ url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, what, open, seconds] = url.split('/')
  if (what === 'clients') return void response.end(`${server.peers().length}`)
  const ask = (): Promise<unknown> => server.ask('@far/echo', CALL)
  response.end(`${await callLoop(ask, Number(open), Number(seconds))}`)
}
