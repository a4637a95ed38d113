/**
 * Wrappers: what is put around the socket of a connection when it is accepted, when it is dialled, or while it lives
 * (TN-22). A wrapper with arguments of its own is a function that closes over them (TN-24).
 * Invariant: a wrapper runs beside all other connections and within the handshake limit, so a slow peer delays nobody.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address } from './address.ts'

/** What a wrapper is told. */
export interface Wrapping {
  /** Which side of the connection this end is. */
  readonly side: 'server' | 'client'
  readonly remote: Address
  /** The host as it was dialled, a name perhaps. */
  readonly host: string | undefined
}

/**
 * Takes a socket and gives one: the same with other settings, or another around it.
 * @throws (or rejects with) anything to give the connection up.
 */
export type Wrapper = (socket: Duplex, wrapping: Wrapping) => Duplex | Promise<Duplex>

/**
 * One wrapper of many, each called on the result of the one before (TN-23).
 * @example connections.connect(target, acceptor, { wrapper: wrapperChain(keepAlive(30_000), startTls({ ca })) })
 */
export function wrapperChain(...wrappers: readonly Wrapper[]): Wrapper {
  return async (socket, wrapping) => {
    let wrapped = socket
    for (const wrapper of wrappers) wrapped = await wrapper(wrapped, wrapping)
    return wrapped
  }
}

/** Has the kernel look after a silent peer every `interval` milliseconds. */
export function keepAlive(interval: number): Wrapper {
  return (socket) => {
    if (socket instanceof Socket) socket.setKeepAlive(true, interval)
    return socket
  }
}
