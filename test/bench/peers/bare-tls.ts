/** Mutual TLS and nothing else: `bare-tls server DIR` prints its port, `bare-tls client DIR PORT COUNT`. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createSecureContext, createServer, type TLSSocket } from 'node:tls'

const [role, dir = '', port, count] = process.argv.slice(2)
const read = (file: string): string => readFileSync(join(dir, file), 'utf8')
const identity = (name: string) => ({
  key: read(`${name}.key.pem`),
  cert: read(`${name}.crt.pem`),
  ca: read('ca.crt.pem'),
  minVersion: 'TLSv1.3' as const,
})
const quiet = (): undefined => undefined
const listen = (socket: TLSSocket): TLSSocket => socket.on('data', quiet).on('error', quiet)

if (role === 'server') {
  const options = { ...identity('server'), requestCert: true, handshakeTimeout: 60_000 }
  const server = createServer(options, listen)
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    console.log(`${(server.address() as AddressInfo).port}`)
  })
} else {
  const secureContext = createSecureContext(identity('far'))
  const sockets = Array.from({ length: Number(count) }, () =>
    listen(connect({ port: Number(port), secureContext, checkServerIdentity: quiet })),
  )
  await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')))
  console.log('ready')
}
