/**
 * A rehearsal: right after a start every client comes back at once, and meets code that has not been compiled yet,
 * which makes a handshake twice as dear as a minute later. So the first idle moments are spent on clients
 * of our own, at a hub and a port that nobody else sees.
 * Invariant: it touches nothing of the real hub, ends within its budget, and whatever goes wrong in it is no
 * matter: it only was a rehearsal.
 */
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { hub } from '@sapwood/hub'
import { utf8 } from '@sapwood/wire'

/** Clients at once. */
const ABREAST = 32
/** Clients in all, and milliseconds that they may take. */
const CLIENTS = 600
const BUDGET = 250

/** What is rehearsed: a server of a hub of its own. */
export interface Stage {
  readonly server: Server
  close(): void
}

const HANDSHAKE = [
  'GET /ws HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol: sapwood.v1',
  '',
  '',
].join('\r\n')

const FRAMES = Buffer.concat([
  masked('{"path":"::hello","message":{"version":1}}'),
  masked('{"path":"::connect","message":"rehearsal"}'),
])

/** What was compiled stays compiled: one rehearsal serves every server of this process. */
let rehearsed = false

/**
 * Plays the storm in the background, once in a process. Returns what stops it.
 * @param build makes the stage, not listening.
 */
export function rehearse(build: (stageHub: ReturnType<typeof hub>) => Stage): () => void {
  if (rehearsed) return () => undefined
  rehearsed = true
  const stageHub = hub()
  const stage = build(stageHub)
  const clients = new Set<Socket>()
  const until = performance.now() + BUDGET
  let played = 0
  let stopped = false
  const stop = (): void => {
    if (stopped) return
    stopped = true
    for (const client of clients) client.destroy()
    stage.close()
    void stageHub.close()
  }
  const next = (): void => {
    if (stopped) return
    if (played >= CLIENTS || performance.now() > until) return stop()
    played++
    const { port } = stage.server.address() as AddressInfo
    const client = connect({ port, host: '127.0.0.1', noDelay: true })
    clients.add(client)
    client.write(HANDSHAKE)
    client.on('error', stop)
    client.on('data', (chunk: Buffer) => {
      if (chunk.includes('101 Switching')) client.write(FRAMES)
      if (chunk.includes('::connected')) client.destroy()
    })
    client.on('close', () => {
      clients.delete(client)
      next()
    })
  }
  stage.server.on('error', stop)
  stage.server.listen({ port: 0, host: '127.0.0.1' }, () => {
    for (let i = 0; i < ABREAST; i++) next()
  })
  return stop
}

/** A text frame as a client sends it, up to 125 bytes. */
function masked(text: string): Buffer {
  const payload = utf8(text)
  // a mask of zeros: what is masked with it stays as it is
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}
