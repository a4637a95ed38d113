/** Puts a client together: platform, transports, session. */
import { Client } from './client.ts'
import { eventStreamTransport } from './event-stream-transport.ts'
import { EXCHANGE_LIMITS } from './exchanges.ts'
import type { Authorize } from './grants.ts'
import { HttpHub } from './http-hub.ts'
import { hubUrl } from './hub-url.ts'
import type { AnyPaths } from './paths.ts'
import { type Platform, thisPlatform } from './platform.ts'
import { pollTransport } from './poll-transport.ts'
import { Session, type SessionOwner } from './session.ts'
import { Tabs } from './tabs.ts'
import type { Transport, TransportName } from './transport.ts'
import { webSocketTransport } from './web-socket-transport.ts'

export interface ConnectOptions {
  /** What proves who this client is. */
  readonly token?: string | undefined
  /** The name that it can be asked under, beside its id. */
  readonly name?: string | undefined
  /**
   * Subscribing goes through the application (DB-22): where the JSON array of patterns is posted, with `{id}` for
   * the client's id, or a function that sees to it.
   */
  readonly authorize?: Authorize
  /** The same for the end of a subscription; without it the hub itself is told. */
  readonly unauthorize?: Authorize
  /** A position up to which everything is known: what came since is replayed, or a gap told. */
  readonly after?: string
  /** What to use, the best first, by name or of one's own. `['ws', 'sse', 'poll']`. */
  readonly transports?: readonly (Exclude<TransportName, 'tab' | 'pipe'> | Transport)[]
  /**
   * Shares one session with the other tabs of this origin that connect to the same hub under the same name, or, with
   * a string, with those that say the same. They have one credential, that of the tab that leads, and it answers
   * what they are asked: where users come and go, let the string name the user. Where a browser has no Web Locks or
   * BroadcastChannel each tab has a session of its own.
   */
  readonly shared?: boolean | string
  /** Milliseconds until a transport that brought no hello is given up. 10 s. */
  readonly helloTimeout?: number
  /** What may wait for its receipt or answer: 10,000 messages, 4 Mi characters. */
  readonly limits?: { readonly count?: number; readonly size?: number }
}

const HELLO_TIMEOUT = 10_000
const ORDER: NonNullable<ConnectOptions['transports']> = ['ws', 'sse', 'poll']

/**
 * Connects to a hub and keeps connected. It begins at once and never throws for what the network does: see the
 * `state` event.
 *
 * @typeParam Paths a map of patterns to the type of their messages.
 * @param url where the hub is; in a page the page's own origin by default, and relative to it.
 * @throws TypeError for what is no URL.
 * @example
 * const client = connect('http://127.0.0.1:8787')
 * const off = client.subscribe('orders/*', (message, { path }) => console.log(path, message))
 */
export function connect<Paths = AnyPaths>(
  url = '/',
  options: ConnectOptions = {},
  platform: Platform = thisPlatform(),
): Client<Paths> {
  const { shared, helloTimeout = HELLO_TIMEOUT, limits, transports = ORDER, name = '' } = options
  const { locks, openChannel, id } = platform
  const byName = transportsOf(url, platform)
  const rungs = transports.map((one) =>
    typeof one === 'string' ? (byName[one as 'ws'] as Transport) : one,
  )
  const open = (owner: SessionOwner, first: readonly Transport[]): Session =>
    new Session(
      owner,
      { ...platform, helloTimeout, transports: first },
      { ...options, limits: { ...EXCHANGE_LIMITS, ...limits } },
    )
  return new Client<Paths>(id, (owner) => {
    if (!shared || locks === undefined || openChannel === undefined) return open(owner, rungs)
    const group = `sapwood:${shared === true ? `${hubUrl(url)} ${name}` : shared}`
    const tabs = new Tabs({ name: group, tab: id(), locks, channel: openChannel(group), lead })
    const session = open(owner, [tabs.follow])
    function lead(): void {
      session.start(rungs.map((transport) => tabs.relay(transport)))
    }
    void session.closed.then(() => tabs.close())
    return session
  })
}

/**
 * The transports of one client, to be wrapped or put in another order: a page's own transport may open one of
 * these. They number what they post together, so a session may move between them.
 * @example
 * const { poll } = transports('http://127.0.0.1:8787')
 */
export function transportsOf(
  url = '/',
  { openSocket, fetch }: Platform = thisPlatform(),
): Readonly<Record<'ws' | 'sse' | 'poll', Transport>> {
  const base = hubUrl(url)
  const hub = new HttpHub(base, fetch)
  return {
    ws: webSocketTransport(base, openSocket),
    sse: eventStreamTransport(hub),
    poll: pollTransport(hub),
  }
}
