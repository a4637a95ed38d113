/**
 * Transports by name: tcp, tls, unix, udp and memory are there, a package can add its own (TN-01, TN-02).
 * Invariant: a name stands for one transport at a time, in lower case.
 */
import { SapwoodError } from '@sapwood/core'
import { memoryTransport } from './memory.ts'
import { tcpTransport } from './tcp.ts'
import { tlsTransport } from './tls.ts'
import type { Transport } from './transport.ts'
import { udpTransport } from './udp.ts'
import { unixTransport } from './unix.ts'

const TRANSPORTS = new Map<string, Transport>([
  ['tcp', tcpTransport],
  ['tls', tlsTransport],
  ['unix', unixTransport],
  ['udp', udpTransport],
  ['memory', memoryTransport],
])

/**
 * Adds a transport under a name. Returns its undo.
 * @throws SapwoodError TRANSPORT_TAKEN
 * @example registerTransport('serial', serialTransport)
 */
export function registerTransport(name: string, transport: Transport): () => void {
  const key = name.toLowerCase()
  if (TRANSPORTS.has(key)) {
    throw new SapwoodError('TRANSPORT_TAKEN', `there is a transport "${key}"; choose another name`)
  }
  TRANSPORTS.set(key, transport)
  return () => {
    if (TRANSPORTS.get(key) === transport) TRANSPORTS.delete(key)
  }
}

/** @throws SapwoodError TRANSPORT_UNKNOWN */
export function findTransport(name: string): Transport {
  const found = TRANSPORTS.get(name.toLowerCase())
  if (found !== undefined) return found
  const known = [...TRANSPORTS.keys()].join(', ')
  throw new SapwoodError(
    'TRANSPORT_UNKNOWN',
    `there is no transport "${name}", only ${known}; registerTransport adds one`,
  )
}
