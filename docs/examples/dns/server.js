/**
 * A DNS server over UDP and TCP on one port: one application, two framings.
 *
 *     node docs/examples/dns/server.js
 *     dig @127.0.0.1 -p 5300 rings.sapwood.example TXT
 *
 * PORT is 5300 if it is not set.
 */
import { connections } from '@sapwood/net'
import { streamFramer } from './message.js'
import { respond } from './zone.js'

const host = '127.0.0.1'

/** A resolver asks again if it gets no answer, so nothing is lost with one that does not fit into a socket's buffer. */
const application = {
  received(message, connection) {
    const answer = respond(message, connection.transport)
    if (answer !== undefined) connection.send(answer)
  },
}

const overTcp = connections('tcp', {
  endpoint: { host, port: Number(process.env.PORT ?? 5300) },
  report: console.error,
  limits: { idle: 10_000, read: 5_000, connections: 1_000, perAddress: 100 },
})
const { port } = await overTcp.listen((connection) => {
  connection.setFramers(streamFramer())
  return application
})

const overUdp = connections('udp', {
  endpoint: { host, port },
  // there is no conversation: who has its answer may be forgotten
  report: console.error,
  limits: { idle: 5_000, datagram: 4_096, connections: 10_000, perAddress: 1_000 },
})
await overUdp.listen(() => application)
console.log(`DNS listens on 127.0.0.1:${port}`)
