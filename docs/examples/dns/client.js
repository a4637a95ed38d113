/**
 * A DNS client: asks over UDP, more than once if it has to, and again over TCP if the answer did not fit. `Exchange`
 * matches replies with questions and keeps the time.
 */
import { randomInt } from 'node:crypto'
import { connections, Exchange } from '@sapwood/net'
import { queryOf, readMessage, streamFramer } from './message.js'

/** Milliseconds until a question is asked again, and how often it is: what TCP has taken is not lost. */
const TIMEOUT = 1_000
const ATTEMPTS = { udp: 3, tcp: 1 }

/**
 * @param server its address, `{ host, port }`
 * @param type a number of `Type`
 * @returns the reply, as `readMessage` has it
 * @throws SapwoodError REPLY_MISSING, and what `connect` throws
 */
export async function lookUp(server, name, type) {
  // an id that nobody can guess: over UDP anybody could answer in the server's name
  const query = queryOf({ id: randomInt(0x10000), name, type })
  const reply = await ask('udp', server, query)
  return reply.isTruncated ? ask('tcp', server, query) : reply
}

async function ask(transport, server, query) {
  const client = connections(transport)
  try {
    const { application } = await client.connect(server, (connection) => {
      if (transport === 'tcp') connection.setFramers(streamFramer())
      return new Exchange(connection, {
        key: keyOf,
        timeout: TIMEOUT,
        attempts: ATTEMPTS[transport],
      })
    })
    return readMessage(await application.request(query))
  } finally {
    await client.shutdown()
  }
}

/** What a query and its reply have in common. The id alone would be 16 bits, soon found by trying. */
function keyOf(bytes) {
  const { id, question } = readMessage(bytes) ?? {}
  return question === undefined ? undefined : `${id} ${question.name} ${question.type}`
}
