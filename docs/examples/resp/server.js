/**
 * A server that keeps strings in memory and speaks RESP, so that the programs of Redis can talk to it.
 *
 *     node docs/examples/resp/server.js
 *     redis-benchmark -p 6380 -t ping,set,get,incr,mset -P 16 -q
 *
 * PORT is 6380 if it is not set. Commands may come many at a time: each is answered in its turn, and what one turn of
 * the event loop answers leaves in one packet. A client that does not read its answers is not listened to either.
 */
import { connections } from '@sapwood/net'
import { answer, BYE, Store } from './commands.js'
import { RespFramer } from './framer.js'
import { Failure } from './value.js'

const LONGEST_VALUE = 1_048_576
const MEMORY = 67_108_864

const store = new Store({ limit: MEMORY })

const application = {
  received(words, connection) {
    if (!isCommand(words)) {
      connection.send(new Failure('ERR Protocol error: a command is an array of strings'))
      connection.close()
    } else if (words.length > 0) {
      const answered = answer(store, words)
      connection.send(answered)
      if (answered === BYE) connection.close()
    }
  },
  // the connection ends behind it, as nothing can be read any more
  misframed({ detail }, connection) {
    connection.send(new Failure(`ERR Protocol error: ${detail}`))
  },
}

function isCommand(value) {
  return Array.isArray(value) && value.every((word) => typeof word === 'string')
}

const server = connections('tcp', {
  endpoint: { host: '127.0.0.1', port: Number(process.env.PORT ?? 6380) },
  report: console.error,
  // as with Redis, a client may keep a connection and say nothing
  limits: { idle: 0, connections: 10_000, perAddress: 10_000 },
})

const { port } = await server.listen((connection) => {
  connection.setFramers(new RespFramer({ limit: LONGEST_VALUE, inline: true }))
  return application
})
console.log(`RESP listens on 127.0.0.1:${port}`)
