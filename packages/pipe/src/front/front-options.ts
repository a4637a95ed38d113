/** What a front can be told, and what it is. Durations in milliseconds. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Wheel } from '@sapwood/core'
import type { Asker } from '../exchange.ts'

export interface FrontOptions {
  /** Where callers come: `HOST:PORT`, or `unix:PATH` with mode 0660. Undefined: nowhere, it serves what `accept` is given. */
  readonly listen?: string
  readonly asker: Asker
  /** Whom `/server/…` asks. Undefined: `/client/<name>/…` asks whoever is named. */
  readonly server?: string
  /** Bearer keys; where there are any, every caller over TCP shows one. Needed beyond loopback. */
  readonly keys?: readonly string[]
  /** Host names, besides those of loopback, under which it is called. Of no use in front of a Unix socket. */
  readonly hosts?: readonly string[]
  /** Origins whose pages may call; those of the very host that is called, by default. */
  readonly origins?: readonly string[]
  /** Addresses or networks of proxies that are believed who called them. */
  readonly trustedProxies?: readonly string[]
  /** How long a peer is waited for that is away. 20 s. */
  readonly wait?: number
  /** How long an answer may take to begin, from the last that the peer took of the request. 30 s. */
  readonly timeout?: number
  readonly limits?: {
    /** How long a request's head may take. 10 s. */
    readonly headerTime?: number
    /** How long a caller may send nothing of a body, or take nothing of an answer. 60 s. */
    readonly bodyTime?: number
    /** Bytes of a request's body; 0 for no limit. 0. */
    readonly stream?: number
    /** How long `drain` waits for open requests. 10 s. */
    readonly drain?: number
  }
  /** Takes what is for no peer, from callers that are trusted; without it that is a 404. */
  readonly otherwise?: (request: IncomingMessage, response: ServerResponse) => void
  /** Carries the waits. */
  readonly wheel?: Wheel
}

/** The defaults, which `FrontOptions` documents. */
export const FRONT_DEFAULTS = {
  wait: 20_000,
  timeout: 30_000,
  limits: { headerTime: 10_000, bodyTime: 60_000, stream: 0, drain: 10_000 },
} as const

/** What a front has counted. */
export interface FrontCounters {
  requests: number
  /** Open now: requests, and connections that speak another protocol. */
  open: number
  upgrades: number
  /** By code. */
  readonly faults: Map<string, number>
}

export interface Front {
  /** `127.0.0.1:8790` or `unix:/run/x.sock`; '' if it listens nowhere. */
  readonly address: string
  readonly counters: FrontCounters
  /** Serves a connection that somebody else took; to be trusted as one of a loopback address is. */
  accept(socket: Socket): void
  /** Takes no more connections, and waits for open requests, within the limit. */
  drain(): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
}
