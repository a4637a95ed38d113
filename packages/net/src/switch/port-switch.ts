/**
 * Many services on one port: listens, has the first bytes of each connection looked at, and hands it over.
 * Invariant: every connection is counted and held until it is gone, whoever serves it, so that `drain` and `close`
 * mean all of them; whatever one of them does, the listener lives.
 */
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { Wheel } from '@sapwood/core'
import type { Address } from '../address.ts'
import { isPath } from '../address.ts'
import { Admission } from '../admission.ts'
import { listenFault } from '../listen-fault.ts'
import { nodeClock } from '../node-clock.ts'
import { addressesOf, countWhileOpen } from '../stream-link.ts'
import type { Choice } from './chooser.ts'
import { Chooser } from './chooser.ts'
import { SwitchCounters } from './switch-counters.ts'

export interface PortSwitchOptions extends Choice {
  /** Where to listen; port 0 takes a free one. */
  readonly listen: Address
  readonly limits?: {
    /** Connections at a time, 0 for no limit. 0. */
    readonly connections?: number
    /** The same from one address. 0. */
    readonly perAddress?: number
  }
}

export interface PortSwitchDeps {
  /** Whose wheel the waits sit on. */
  readonly wheel?: Wheel
  /** Hears what the listener survived: no more descriptors, a connection that was gone before it was taken. */
  readonly report?: (code: string, cause: unknown) => void
  /** Hears the code of each fault that is counted. */
  readonly onFault?: (code: string) => void
}

export interface PortSwitch {
  /** Where it listens, with the port that it got. */
  readonly address: Address
  readonly counters: SwitchCounters
  /** Takes nobody new, and waits until those that are here are gone; after `limit` milliseconds it ends them. */
  drain(limit: number): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
}

/** Connections that may wait to be accepted. */
const BACKLOG = 4096

/**
 * @throws SapwoodError `PORT_IN_USE`, `PORT_FORBIDDEN`, `ADDRESS_INVALID`, `LISTEN_FAILED`, `EDGE_INVALID`.
 * @example
 * const port = await portSwitch({
 *   listen: { host: '127.0.0.1', port: 8443 },
 *   routes: [
 *     { match: http({ path: '/uploads/**' }), to: spliceTarget({ host: '127.0.0.1', port: 3000 }) },
 *     { match: ssh, to: spliceTarget({ host: '127.0.0.1', port: 22 }) },
 *   ],
 *   otherwise: serverTarget(httpServer),
 * })
 */
export async function portSwitch(
  options: PortSwitchOptions,
  deps: PortSwitchDeps = {},
): Promise<PortSwitch> {
  const ownWheel = deps.wheel === undefined ? new Wheel(nodeClock) : undefined
  const wheel = deps.wheel ?? (ownWheel as Wheel)
  const counters = new SwitchCounters(deps.onFault)
  const chooser = new Chooser({ wheel, counters }, options)
  const sockets = new Set<Socket>()
  const { connections = 0, perAddress = 0 } = options.limits ?? {}
  const hasLimits = connections > 0 || perAddress > 0
  const admission = new Admission({ connections, perAddress }, counters)
  function onClose(this: Socket): void {
    sockets.delete(this)
    counters.open--
  }
  // half-close is a thing between client and target (W5)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // asking for the peer's address costs, so only where it counts
    if (hasLimits && !countWhileOpen(socket, addressesOf(socket).remote, admission)) {
      socket.destroy()
      return
    }
    counters.accepted++
    counters.open++
    sockets.add(socket)
    socket.on('close', onClose)
    chooser.take(socket)
  })
  await listen(server, options.listen)
  server.on('error', (error) => {
    counters.fault('ACCEPT_FAILED')
    deps.report?.('ACCEPT_FAILED', error)
  })
  const closed = new Promise<void>((resolve) => server.on('close', resolve))
  const close = (): Promise<void> => {
    server.close()
    for (const socket of sockets) socket.destroy()
    ownWheel?.close()
    return closed
  }
  return {
    address: addressOf(server, options.listen),
    counters,
    close,
    async drain(limit) {
      // it closes when its last connection does
      server.close()
      const forget = wheel.after(limit, () => void close())
      await closed
      forget()
      await close()
    },
  }
}

async function listen(server: Server, address: Address): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenFault(error, address))
    server.once('error', failed)
    server.listen({ ...address, backlog: BACKLOG }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

function addressOf(server: Server, wanted: Address): Address {
  const bound = server.address()
  if (isPath(wanted) || bound === null || typeof bound === 'string') return wanted
  return { host: bound.address, port: bound.port }
}
