/** Ports for programs that must be told theirs. */
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that the system gives to connections by itself: one of these may not be taken by chance in between. */
const FIRST = 20_000
const COUNT = 12_000

/** A port of this machine that nobody listens on now. */
export async function freePort(): Promise<number> {
  const port = FIRST + Math.floor(Math.random() * COUNT)
  const server = createServer()
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return freePort()
  }
  server.close()
  await once(server, 'close')
  return port
}
