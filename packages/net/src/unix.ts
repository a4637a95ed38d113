/** The transport `unix`: stream sockets of the file system. Their clients have no address: each gets a number. */
import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { SapwoodError } from '@sapwood/core'
import { type Address, isPath } from './address.ts'
import { dialStream } from './dial-stream.ts'
import { STREAM_LIMITS } from './limits.ts'
import { listenFault } from './listen-fault.ts'
import { StreamServer } from './stream-server.ts'
import { defaultFramer } from './tcp.ts'
import type { Transport } from './transport.ts'

/** Owner and group. */
const MODE = 0o660

let clients = 0

export const unixTransport: Transport = {
  limits: STREAM_LIMITS,
  framer: defaultFramer,
  endpoint(host) {
    let server: StreamServer | undefined
    const found: { local?: Address } = {}
    return {
      get local() {
        return found.local
      },
      async listen() {
        const path = pathOf(host.endpoint)
        await removeStale(path)
        const node = createServer()
        const addresses = () => ({ local: { path }, remote: { path: `${path}#${++clients}` } })
        server = new StreamServer(node, host, { place: { path }, address: { path }, addresses })
        await server.listen()
        try {
          await chmod(path, host.options.mode ?? MODE)
        } catch (thrown) {
          // nobody may come in by a mode that is not the one wanted
          server.stop()
          throw listenFault(thrown as NodeJS.ErrnoException, { path })
        }
        found.local = { path }
        return found.local
      },
      dial(target, _options, signal) {
        const path = pathOf(target)
        const local = { path: `${path}#${++clients}` }
        const socket = connect({ path })
        return dialStream(socket, 'connect', target, host, signal, () => ({
          local,
          remote: { path },
        }))
      },
      async stop() {
        server?.stop()
      },
      async close() {
        server?.close()
      },
    }
  },
}

function pathOf(address: Address | undefined): string {
  if (address !== undefined && isPath(address)) return address.path
  throw new SapwoodError('ADDRESS_INVALID', 'a Unix socket needs a path; give { path }')
}

/** Removes the socket that a process left behind which did not end in good order; nothing else. */
export async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (!found?.isSocket()) return
  const stale = await new Promise<boolean>((resolve) => {
    const probe = connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'))
  })
  if (stale) await unlink(path)
}
