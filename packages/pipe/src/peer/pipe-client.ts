/** The public dialling end: `pipeClient`. */
import type { ClientEvents, PublishOptions, Receipt, Received } from '@sapwood/client'
import { SapwoodError } from '@sapwood/core'
import type { HostAddress } from '@sapwood/net'
import { closeAll, isPath, parseAddress } from '@sapwood/net'
import type { Asker } from '../exchange.ts'
import type { CallAnswer, CallOptions } from './call.ts'
import { call } from './call.ts'
import type { EndpointOptions, TrustOption } from './endpoint.ts'
import { makeEndpoint } from './endpoint.ts'
import type { Peer } from './peer.ts'
import { PeerDialler } from './peer-dialler.ts'
import type { ReconnectSettings } from './reconnect-settings.ts'
import { RECONNECT } from './reconnect-settings.ts'

export interface PipeClientOptions extends EndpointOptions {
  /** What this client is called; its certificate has to bear it. */
  readonly name: string
  /** `HOST:PORT`, one or several that are tried in turn. */
  readonly server: string | readonly string[]
  /** The name that the certificate of the server has to bear: `server`. */
  readonly serverName?: string
  readonly reconnect?: Partial<ReconnectSettings>
}

export interface PipeClient {
  readonly name: string
  /** For fronts and components: the server, by its name. */
  readonly asker: Asker
  /** Whether there is a link now. */
  readonly connected: boolean
  /** Asks the server: `@server/time`. */
  ask(path: string, options?: CallOptions): Promise<CallAnswer>
  /**
   * Publishes at the hub that this client is connected to. It waits for the connection, and is said again under the same id
   * where a session was lost, so that it is published once.
   * @param path `orders/42`.
   * @throws (as a rejection) SapwoodError `UPDATES_UNSUPPORTED` at a listener without a hub, `PATH_INVALID`, `NOT_ALLOWED` and
   *   others of the hub's, `MESSAGE_TOO_LARGE`, `QUEUE_FULL`, `RECEIPT_TIMEOUT` after 60 s, `CLIENT_CLOSED`; TypeError for what
   *   JSON cannot say.
   */
  publish(path: string, message: unknown, options?: PublishOptions): Promise<Receipt>
  /**
   * Calls `callback` with each message on the paths that `pattern` matches, from now on and whatever connections break.
   * @returns its undo.
   * @throws SapwoodError `PATTERN_INVALID`, `UPDATES_UNSUPPORTED`, `CLIENT_CLOSED`. That the hub refuses it is told as an
   *   `error` event.
   */
  subscribe(pattern: string, callback: (message: unknown, update: Received) => void): () => void
  /**
   * Calls `handler` at each event of the session at the hub: `gap` where updates may be lost, `error`, `state` and others.
   * @returns its undo.
   */
  on<Name extends keyof ClientEvents>(
    name: Name,
    handler: (event: ClientEvents[Name]) => void,
  ): () => void
  /** The session that takes questions now. */
  peer(): Peer | undefined
  /**
   * Takes nothing new, lets what is open end within the limit, and leaves nothing behind.
   * @param limit milliseconds, `settings.drain` by default; 0 ends everything now, also a close that is under way.
   */
  close(limit?: number): Promise<void>
}

/**
 * Keeps a connection to a server, whichever of both was started first.
 * @returns at once: what is asked meanwhile waits for the connection.
 * @throws SapwoodError ADDRESS_INVALID, NAME_INVALID; for key, certificate and authorities as `Trust`, `readIdentity` and `checkIdentity` do.
 * @example
 * const client = await pipeClient({ name: 'alpha', server: '127.0.0.1:8789', key, cert, ca, handlers })
 * const { message } = await client.ask('@server/time')
 * await client.publish('orders/42', { state: 'paid' }) // at a hub
 */
export async function pipeClient(options: PipeClientOptions & TrustOption): Promise<PipeClient> {
  const { name, serverName = 'server' } = options
  if (!name)
    throw new SapwoodError('NAME_INVALID', 'a client needs its name, as in its certificate')
  const servers = [options.server ?? []].flat().map(readServer)
  if (servers.length === 0) throw new SapwoodError('ADDRESS_INVALID', 'a client needs a server')
  const known = (asked: string): boolean => asked === serverName || options.known?.(asked) === true
  const endpoint = makeEndpoint('client', name, { ...options, known })
  const { directory, settings, wheel } = endpoint
  const reconnect = { ...RECONNECT, ...options.reconnect }
  // servers, and a hub, do without the client that it stands on
  const { PeerUpdates } = await import('../updates/peer-updates.ts')
  const updates = new PeerUpdates({
    wheel,
    hold: settings.hold,
    onRefused: (fault) => endpoint.observer.fault?.(fault),
  })
  const taker = endpoint.updates ?? updates.transport
  const dialler = new PeerDialler({
    ...endpoint,
    updates: taker,
    name,
    servers,
    serverName,
    reconnect,
  })
  dialler.start()
  const drain = async (limit: number): Promise<void> => {
    const isOver = new Promise<void>((resolve) => void wheel.after(limit, resolve))
    // a receipt comes only while there is somebody to give it
    const receipts = dialler.peer === undefined ? undefined : updates.drain()
    await Promise.all([dialler.drain(limit), receipts && Promise.race([receipts, isOver])])
  }
  const links = {
    async close(): Promise<void> {
      dialler.close()
      await dialler.closed()
    },
  }
  // the directory first, so that nothing waits for the server to come
  const end = (): Promise<void> => closeAll([directory, updates, links, endpoint, wheel])
  let closing: Promise<void> | undefined
  let hurry: () => void
  const hurried = new Promise<void>((resolve) => {
    hurry = resolve
  })
  return {
    name,
    asker: directory,
    get connected() {
      return dialler.peer !== undefined
    },
    ask: (path, asked) => call(directory, path, asked),
    publish: (path, message, options) => updates.publish(path, message, options),
    subscribe: (pattern, callback) => updates.subscribe(pattern, callback),
    on: (name, handler) => updates.on(name, handler),
    peer: () => dialler.peer,
    close(limit = settings.drain) {
      if (limit === 0) hurry()
      closing ??= Promise.race([drain(limit), hurried]).then(end)
      return closing
    },
  }
}

function readServer(text: string): HostAddress {
  const address = parseAddress(text)
  if (isPath(address) || address.port === 0) {
    throw new SapwoodError('ADDRESS_INVALID', `"${text}" is no server; write HOST:PORT`)
  }
  return address
}
