/** Dials a socket that Node makes, and gives its link once it is ready. */
import type { Socket } from 'node:net'
import { SapwoodError } from '@sapwood/core'
import type { Address } from './address.ts'
import { countWhileOpen, StreamLink } from './stream-link.ts'
import type { TransportHost } from './transport.ts'

/**
 * @param socket on its way.
 * @param ready the event that says it is there.
 * @throws what the socket says, or the signal's reason.
 */
export async function dialStream(
  socket: Socket,
  ready: 'connect' | 'secureConnect',
  target: Address,
  host: TransportHost,
  signal: AbortSignal,
  addresses: (socket: Socket) => { local: Address; remote: Address },
): Promise<StreamLink> {
  if (!countWhileOpen(socket, target, host)) {
    socket.destroy()
    throw new SapwoodError('LIMIT_CONNECTIONS', 'there are as many connections as the limits allow')
  }
  const abort = (): void => void socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort)
  try {
    return await new Promise<StreamLink>((resolve, reject) => {
      socket.once('error', reject)
      socket.once(ready, () => {
        // the link takes errors from here on, with no gap between
        const { local, remote } = addresses(socket)
        const link = new StreamLink(socket, local, remote)
        socket.off('error', reject)
        resolve(link)
      })
    })
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
