/** What the HTTP side of a hub can be told. Durations in milliseconds, sizes in bytes. */
import type { Checker } from '@sapwood/auth'
import type { Handlers } from '@sapwood/wire'
import type { BridgeRule } from './bridges.ts'
import type { HandlerContext } from './handler-call.ts'
import type { PeerGateway, TargetGateway } from './peers.ts'

export interface HttpOptions {
  /** Address to listen on. `127.0.0.1`. */
  readonly host?: string
  /** Port to listen on; 0 for a free one. 8787. */
  readonly port?: number
  /** False: it has no port of its own, and serves what `accept` is given. */
  readonly listen?: boolean
  /** Bearer keys: who shows one is trusted. */
  readonly keys?: readonly string[]
  /** Further checkers of bearer credentials. */
  readonly checkers?: readonly Checker[]
  /** Trust loopback peers and serve the demo page. For trying things out, on a loopback address only. */
  readonly dev?: boolean
  /** Origins whose pages may call; the hub's own, and in `dev` any loopback one, by default. */
  readonly origins?: readonly string[]
  /** Addresses or networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` names the peer for limits and logs. */
  readonly trustedProxies?: readonly string[]
  readonly poll?: {
    /** How long news are collected before a poll is answered. 250 ms. */
    readonly bundle?: number
    /** How long a poll without news is held. 30 s. */
    readonly hold?: number
    /** How long a session without a poll is kept. 30 s. */
    readonly expire?: number
  }
  readonly limits?: {
    /** Bytes of an update, an NDJSON line, a question to a browser. 1 MiB. */
    readonly body?: number
    /** Bytes of a body that streams: NDJSON, an upload to a handler that reads it; 0 for no limit. */
    readonly stream?: number
    /** How long a request's head may take. 10 s. */
    readonly headerTime?: number
    /** How long a body may take, or pause where it streams. 60 s. */
    readonly bodyTime?: number
  }
  readonly bridge?: BridgeOptions
  /** Functions that answer under the name `hub`, before what every hub answers. */
  readonly handlers?: Handlers<HandlerContext>
  /** Answers under the name `hub` what none of `handlers` does; what every hub answers is off then. */
  readonly target?: TargetGateway
  /** Who is asked at `/client/<name>/…` beside the sessions of the hub. */
  readonly peers?: PeerGateway
  readonly drain?: {
    /** How long open requests may take to end. 10 s. */
    readonly limit?: number
  }
  /** The demo page and the browser SDK, as files; without them there are none. */
  readonly assets?: { readonly page?: URL; readonly sdk?: URL }
}

/** The bridge for browsers at `/tcp/<host>:<port>`; off unless destinations are listed. */
export interface BridgeOptions {
  /** What may be dialled, and for whom. */
  readonly allow?: readonly BridgeRule[]
  /** How long a destination may take to be connected. 10 s. */
  readonly connect?: number
  /** How long nothing may move over a bridge; 0 for no limit. 1 h. */
  readonly idle?: number
  /** Bridges at a time; 0 for no limit. 1,000. */
  readonly connections?: number
  /** Bridges at a time from one address; 0 for no limit. */
  readonly connectionsPerAddress?: number
}

type Complete<T> = { readonly [K in keyof T]-?: Complete<NonNullable<T[K]>> }

/** The defaults, which `HttpOptions` documents. */
export const HTTP_DEFAULTS: Complete<
  Pick<HttpOptions, 'host' | 'port' | 'poll' | 'limits' | 'drain'>
> & {
  readonly bridge: Required<Omit<BridgeOptions, 'allow'>>
} = {
  host: '127.0.0.1',
  port: 8787,
  poll: { bundle: 250, hold: 30_000, expire: 30_000 },
  limits: { body: 1024 * 1024, stream: 0, headerTime: 10_000, bodyTime: 60_000 },
  bridge: { connect: 10_000, idle: 3_600_000, connections: 1_000, connectionsPerAddress: 0 },
  drain: { limit: 10_000 },
}

/** Bytes that frames may have beyond `limits.body`, which is for the body of one: on a WebSocket and by POST. */
export const FRAME_OVERHEAD: number = 64 * 1024

/** Every number of the HTTP side but its port, told or taken. */
export type HttpSettings = Omit<typeof HTTP_DEFAULTS, 'host' | 'port'>

export function httpSettings(options: HttpOptions): HttpSettings {
  return {
    poll: { ...HTTP_DEFAULTS.poll, ...options.poll },
    limits: { ...HTTP_DEFAULTS.limits, ...options.limits },
    bridge: { ...HTTP_DEFAULTS.bridge, ...options.bridge },
    drain: { ...HTTP_DEFAULTS.drain, ...options.drain },
  }
}
