/**
 * An echo over TCP, UDP and TLS: one application, whatever carries its frames.
 *
 *     node docs/examples/echo/server.js
 *     printf 'one\ntwo\n' | nc -N 127.0.0.1 7007
 *     printf 'a datagram' | nc -u -w1 127.0.0.1 7007
 *
 * PORT is 7007 if it is not set, for TCP and UDP. TLS_KEY and TLS_CERT name PEM files and switch TLS on, on TLS_PORT,
 * which is 7008 if it is not set. Over TCP and TLS a frame is a line, over UDP it is a datagram.
 */
import { readFileSync } from 'node:fs'
import { connections } from '@sapwood/net'

const host = '127.0.0.1'
const { PORT = '7007', TLS_PORT = '7008', TLS_KEY, TLS_CERT } = process.env

/** Nothing in here knows what it runs on. Who does not read is not listened to, so nothing piles up. */
const application = {
  received: (frame, connection) => connection.send(frame),
}

const servers = []

async function serve(transport, port, options = {}) {
  const server = connections(transport, {
    endpoint: { host, port },
    report: console.error,
    limits: { idle: 60_000, connections: 1_000, perAddress: 100 },
    ...options,
  })
  const local = await server.listen(() => application)
  servers.push(server)
  console.log(`${transport} listens on ${host}:${local.port}`)
  return local.port
}

const port = await serve('tcp', Number(PORT))
await serve('udp', port)
if (TLS_KEY !== undefined && TLS_CERT !== undefined) {
  const tls = { key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) }
  await serve('tls', Number(TLS_PORT), { tls })
}

/** The first signal lets those who are there finish, the second ends all. */
function stop() {
  process.once('SIGINT', shutdown).once('SIGTERM', shutdown)
  for (const server of servers) server.stop()
}

function shutdown() {
  for (const server of servers) server.shutdown()
}

process.once('SIGINT', stop).once('SIGTERM', stop)
