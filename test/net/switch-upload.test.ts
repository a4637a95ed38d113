import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Target } from '@sapwood/net'
import { serverTarget, spliceTarget } from '@sapwood/net'
import { eventually } from '@sapwood/testkit'
import { http } from '@sapwood/wire'
import { type Test, test } from 'tap'
import { pour, stands } from './pouring.ts'
import { SwitchPort } from './switch-port.ts'

const HEAD = 'POST /uploads/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const MIB = 1024 * 1024

/** A service that looks at the first of a body and then at nothing until it is told to, and where it is reached. */
async function uploads(t: Test, isRemote: boolean) {
  const server = createServer()
  const uploading = once(server, 'request') as Promise<[IncomingMessage]>
  let to: Target = serverTarget(server)
  if (isRemote) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    to = spliceTarget({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  }
  const routes = [{ match: http({ path: '/uploads/**', method: 'POST' }), to }]
  return { uploading, port: await SwitchPort.open(t, { routes }) }
}

for (const [where, isRemote] of [
  ['this process', false],
  ['another process', true],
] as const) {
  test(`a service of ${where} has the first of an upload before the last is sent, and its slowness is the client's (TB-02, 4.4 scenario 4)`, async (t) => {
    const { uploading, port } = await uploads(t, isRemote)
    const client = await port.client(HEAD)
    client.socket.write('5\r\nfirst\r\n')
    const [request] = await uploading
    const [first] = await once(request, 'data')
    t.equal(String(first), 'first', 'it is there, and the client has sent nothing else')
    request.pause()
    // one chunk that is never whole
    client.socket.write('ffffffff\r\n')
    const poured = pour(client.socket as Socket)
    const before = process.memoryUsage.rss()
    const sent = await stands(poured)
    t.ok(sent < 32 * MIB, `${sent} bytes are under way`)
    let taken = 0
    request.on('data', (chunk: Buffer) => {
      taken += chunk.length
    })
    request.resume()
    await eventually('the rest goes on as it is read', () => taken > 128 * MIB)
    const grown = process.memoryUsage.rss() - before
    t.ok(grown < 96 * MIB, `${Math.round(grown / MIB)} MiB more for ${Math.round(taken / MIB)} MiB`)
    client.socket.destroy()
    request.on('error', () => undefined)
    await eventually('the port is empty again', () => port.port.counters.open === 0)
  })
}
