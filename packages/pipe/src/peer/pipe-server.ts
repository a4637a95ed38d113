/** The public listening end: `pipeServer`. */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { HostAddress } from '@sapwood/net'
import { checkAddress, closeAll } from '@sapwood/net'
import type { Asker } from '../exchange.ts'
import { RefusedUpdates } from '../updates/refused-updates.ts'
import type { CallAnswer, CallOptions } from './call.ts'
import { call } from './call.ts'
import type { EndpointOptions, TrustOption } from './endpoint.ts'
import { makeEndpoint } from './endpoint.ts'
import type { Peer } from './peer.ts'
import { PeerListener } from './peer-listener.ts'
import { TicketKeys } from './ticket-keys.ts'

export interface PipeServerOptions extends EndpointOptions {
  /** 127.0.0.1 */
  readonly host?: string
  /** A free one. */
  readonly port?: number
  /** False: it has no port of its own, and serves what `take` is given. */
  readonly listen?: boolean
  /** What its certificate is called; clients ask for it. `server` */
  readonly name?: string
  /** Where the keys of TLS tickets are kept, so that clients come back fast after a restart. */
  readonly tickets?: string
  /** Who takes connections of other protocols, by ALPN. */
  readonly others?: Readonly<Record<string, (socket: TLSSocket) => void>>
  /** Names that mean somebody else here: whoever's certificate has one is sent away. */
  readonly reserved?: readonly string[]
}

/** Somebody who is known to a server. */
export interface PipeClientState {
  readonly name: string
  readonly state: 'connected' | 'away'
  /** Questions to it that are open. */
  readonly open: number
}

export interface PipeServer {
  /** Where it listens; as it was told, if that is nowhere. */
  readonly address: HostAddress
  /** For fronts and components: the same peers as `ask`. */
  readonly asker: Asker
  /** Asks a client by its name: `@alpha/time`. */
  ask(path: string, options?: CallOptions): Promise<CallAnswer>
  /** Names and states, one entry for each process. */
  clients(): PipeClientState[]
  /** All peers that have a link now. */
  peers(): Peer[]
  /** Takes a connection that came in elsewhere, TLS first. */
  take(socket: Duplex): void
  /**
   * Takes nothing new, lets what is open end within the limit, and leaves nothing behind.
   * @param limit milliseconds, `settings.drain` by default; 0 ends everything now, also a close that is under way.
   */
  close(limit?: number): Promise<void>
}

/**
 * Listens for clients.
 * @throws SapwoodError PORT_IN_USE, PORT_FORBIDDEN, ADDRESS_INVALID, LISTEN_FAILED; FILE_NOT_WRITTEN; for key, certificate and
 * authorities as `Trust`, `readIdentity` and `checkIdentity` do.
 * @example
 * const server = await pipeServer({ port: 8789, key, cert, ca, handlers: { get_time: () => Date.now() } })
 * const { message } = await server.ask('@alpha/time')
 */
export async function pipeServer(options: PipeServerOptions & TrustOption): Promise<PipeServer> {
  const { host = '127.0.0.1', port = 0, name = 'server', tickets, others, reserved } = options
  const address = checkAddress({ host, port })
  const endpoint = makeEndpoint('server', name, options)
  const { directory, settings, wheel } = endpoint
  const keys = await TicketKeys.open(tickets)
  const listener = new PeerListener({
    ...endpoint,
    updates: endpoint.updates ?? new RefusedUpdates(),
    address,
    tickets: keys,
    ...(others && { others }),
    ...(reserved && { reserved }),
  })
  const links = {
    async close(): Promise<void> {
      listener.close()
      await listener.closed()
    },
  }
  // the directory first, so that nothing waits for somebody to come
  const end = (): Promise<void> => closeAll([directory, links, endpoint, wheel])
  try {
    if (options.listen ?? true) await listener.listen()
    else listener.open()
  } catch (thrown) {
    await end()
    throw thrown
  }
  let closing: Promise<void> | undefined
  let hurry: () => void
  const hurried = new Promise<void>((resolve) => {
    hurry = resolve
  })
  return {
    address: listener.address ?? address,
    asker: directory,
    ask: (path, asked) => call(directory, path, asked),
    clients() {
      const here = directory.peers().map((peer): PipeClientState => {
        return { name: peer.name, state: 'connected', open: peer.exchanges.open }
      })
      const away = directory.away().map((name): PipeClientState => {
        return { name, state: 'away', open: 0 }
      })
      return [...here, ...away]
    },
    peers: () => directory.peers(),
    take: (socket) => listener.take(socket),
    close(limit = settings.drain) {
      if (limit === 0) hurry()
      closing ??= Promise.race([listener.drain(limit), hurried]).then(end)
      return closing
    },
  }
}
