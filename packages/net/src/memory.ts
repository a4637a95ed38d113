/** The transport `memory`: connections within this process, by name. For tests, and for services that share a process. */
import { SapwoodError } from '@sapwood/core'
import { type Address, formatAddress } from './address.ts'
import { duplexPair } from './duplex-pair.ts'
import { STREAM_LIMITS } from './limits.ts'
import { countWhileOpen, StreamLink } from './stream-link.ts'
import { defaultFramer } from './tcp.ts'
import type { Transport, TransportHost } from './transport.ts'

/** Who listens where. */
const LISTENERS = new Map<string, TransportHost>()

let names = 0

export const memoryTransport: Transport = {
  limits: STREAM_LIMITS,
  framer: defaultFramer,
  endpoint(host) {
    const found: { local?: Address } = {}
    const stop = async (): Promise<void> => {
      if (found.local !== undefined) LISTENERS.delete(formatAddress(found.local))
      delete found.local
    }
    return {
      get local() {
        return found.local
      },
      async listen() {
        found.local = host.endpoint ?? fresh('memory')
        LISTENERS.set(formatAddress(found.local), host)
        return found.local
      },
      async dial(target, { local = fresh('client') }) {
        const listener = LISTENERS.get(formatAddress(target))
        if (listener === undefined) throw new Error('nobody listens there')
        const [near, far] = duplexPair()
        if (!countWhileOpen(near, target, host)) {
          throw new SapwoodError('LIMIT_CONNECTIONS', 'there are as many connections as allowed')
        }
        if (countWhileOpen(far, local, listener)) {
          setImmediate(() => listener.arrived(new StreamLink(far, target, local)))
        } else far.destroy()
        return new StreamLink(near, local, target)
      },
      stop,
      close: stop,
    }
  },
}

function fresh(kind: string): Address {
  return { path: `${kind}#${++names}` }
}
