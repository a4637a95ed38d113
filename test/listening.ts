/** The servers of Node that a test brings about, so that it can say to them what the system would. */
import { Server } from 'node:net'

/** What a test must be able to do for cleaning up. */
interface Teardown {
  teardown(run: () => unknown): unknown
}

/** All that begin to listen from now on, until the test is over. */
export function listening(t: Teardown): readonly Server[] {
  const servers: Server[] = []
  const { listen } = Server.prototype
  Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
    servers.push(this)
    return Reflect.apply(listen, this, args)
  }
  t.teardown(() => {
    Server.prototype.listen = listen
  })
  return servers
}

/** An error of accepting. */
export const NO_BUFFERS: Error = Object.assign(new Error('accept ENOBUFS'), {
  code: 'ENOBUFS',
  syscall: 'accept',
})
