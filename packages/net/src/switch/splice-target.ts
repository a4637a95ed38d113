/** A service of another process, on this machine or another one (SP-05). */
import { proxyHeader } from '@sapwood/wire'
import type { Address } from '../address.ts'
import { addressesOf } from '../stream-link.ts'
import type { SpliceLimits } from './splice.ts'
import { Splice } from './splice.ts'
import type { Target } from './target.ts'

export interface SpliceOptions {
  readonly limits?: Partial<SpliceLimits>
  /** The service is told whom it serves, before the first byte (PROXY protocol). */
  readonly proxyProtocol?: 1 | 2
}

/** How long the service may take to accept, and how long nothing may be said. */
export const SPLICE_DEFAULTS: SpliceLimits = { dial: 10_000, idle: 3_600_000 }

/**
 * Dials a service for each connection. When it cannot be reached the client is refused, with 502 or, if it does not
 * answer in time, 504 where the client speaks HTTP.
 * @example spliceTarget({ host: '127.0.0.1', port: 3000 }, { proxyProtocol: 2 })
 */
export function spliceTarget(to: Address, options: SpliceOptions = {}): Target {
  const limits = { ...SPLICE_DEFAULTS, ...options.limits }
  const { proxyProtocol } = options
  return {
    take(socket, replay, board) {
      // it may have gone while it was handed over (W7)
      if (socket.destroyed) return
      const { remote, local } = addressesOf(socket)
      const preface =
        proxyProtocol === undefined ? undefined : proxyHeader(proxyProtocol, remote, local)
      new Splice(socket, replay, preface, to, limits, board)
    },
  }
}
