/**
 * Who is calling. A key or token says it; in `dev`, and only there, a peer on this machine is trusted without one.
 * Invariant: that trust is never lent to a page that the operator has not listed, to something that was
 * forwarded, or to a request that was sent to another name (DNS rebinding).
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { certificatePrincipal, keyChecker, Portal } from '@sapwood/auth'
import type { Fault, Principal } from '@sapwood/core'
import { ANYONE } from '@sapwood/core'
import type { Hub } from '@sapwood/hub'
import type { HttpRequest } from './http-message.ts'
import { hostName, isLoopbackAddress, isLoopbackName } from './loopback.ts'
import { Origins } from './origins.ts'
import { FOREIGN_ORIGIN, pageFault } from './page-fault.ts'
import { fault } from './problem.ts'
import { Proxies } from './proxies.ts'
import type { RequestHead } from './request-head.ts'
import type { HttpOptions } from './settings.ts'

/** A peer on this machine, where that is enough. */
export const LOCAL: Principal = Object.freeze({ id: 'local', trusted: true })

const FORWARDED = fault(
  'FORWARDED',
  'a forwarded request is not trusted for coming from this machine; send a key',
  403,
)
const WRONG_HOST = fault('HOST_FOREIGN', 'this hub answers to loopback names only', 421)
const HOST_TWICE = fault('HOST_TWICE', 'the request has two Host headers; send one', 400)
const HOST_MISSING = fault('HOST_MISSING', 'the request has no Host header', 400)

/** What is told who somebody is. An object, since a request that publishes should not cost a closure. */
export interface Identifying {
  /** @param problem why the credential proves nobody; `principal` is nobody then. */
  identified(problem: Fault | undefined, principal: Principal): void
}

export class Trust {
  readonly origins: Origins
  readonly #dev: boolean
  readonly #portal: Portal
  readonly #hub: Hub
  readonly #proxies: Proxies
  /** Who is at the other end of connections that others have made sure of. */
  readonly #vouched = new WeakMap<Duplex, Principal>()
  /** Host headers that were found to be loopback names. */
  readonly #hosts = new Set<string>()

  constructor(hub: Hub, options: HttpOptions) {
    this.#hub = hub
    this.#dev = options.dev ?? false
    this.origins = new Origins(options.origins ?? [], this.#dev && !options.origins?.length)
    this.#portal = new Portal([keyChecker(options.keys ?? []), ...(options.checkers ?? [])])
    this.#proxies = new Proxies(options.trustedProxies)
  }

  /** Has made sure that `principal` alone speaks on this connection, and no page that it did not mean to. */
  vouch(socket: Duplex, principal: Principal): void {
    this.#vouched.set(socket, principal)
  }

  /** Says who sent a request, in the same call unless a checker takes its time. */
  identify(
    request: Pick<HttpRequest, 'socket'>,
    head: RequestHead,
    token: string | undefined,
    asker: Identifying,
  ): void {
    const bearer = bearerOf(head.authorization)
    if (bearer !== undefined) return this.#login('bearer', bearer, asker)
    if (token !== undefined) return this.#login('token', token, asker)
    const { socket } = request
    const vouched = this.#vouched.get(socket)
    if (vouched !== undefined) return asker.identified(undefined, vouched)
    const isLocal = this.#dev && isLoopbackAddress(socket.remoteAddress)
    // a browser shows a certificate by itself, so a page that may not call must not profit
    const found = certified(socket) ?? (isLocal ? LOCAL : undefined)
    if (found === undefined) return asker.identified(undefined, ANYONE)
    const refused = this.#refusal(head)
    asker.identified(refused, refused === undefined ? found : ANYONE)
  }

  /** The client's `token`, told in its hello. */
  login(token: string, asker: Identifying): void {
    this.#login('token', token, asker)
  }

  /** Why a page must not be answered at all: the handshake of a WebSocket has no other guard. */
  pageRefusal(head: RequestHead): Fault | undefined {
    const { origin, host } = head
    return origin === undefined || this.origins.allows(origin, host) ? undefined : FOREIGN_ORIGIN
  }

  /**
   * Why a request without a name, or one that reached `dev` under this name, is not answered.
   * @param minor of its HTTP version: 1.0 knew no names.
   */
  hostRefusal(head: RequestHead, minor = 1): Fault | undefined {
    const { host, hasTwoHosts } = head
    if (hasTwoHosts) return HOST_TWICE
    if (host === undefined && (minor === 1 || this.#dev)) return HOST_MISSING
    if (!this.#dev || host === undefined) return undefined
    if (this.#hosts.has(host)) return undefined
    if (!isLoopbackName(hostName(host))) return WRONG_HOST
    if (this.#hosts.size < 256) this.#hosts.add(host)
    return undefined
  }

  /** The peer's address for limits and logs, never for trust; of a connection in this process, whom it is vouched for. */
  address({ socket }: Pick<HttpRequest, 'socket'>, head: RequestHead): string {
    const from = socket.remoteAddress ?? this.#vouched.get(socket)?.id ?? ''
    return this.#proxies.caller(from, head['x-forwarded-for'])
  }

  #refusal(head: RequestHead): Fault | undefined {
    const wrongHost = this.hostRefusal(head)
    if (wrongHost !== undefined) return wrongHost
    return pageFault(head, this.origins) ?? (head.forwarded ? FORWARDED : undefined)
  }

  #login(kind: 'bearer' | 'token', value: string, asker: Identifying): void {
    this.#portal.login({ kind, value }, (refused, principal) => {
      const { portal } = this.#hub.options
      if (principal !== undefined) asker.identified(undefined, principal)
      else if (portal === undefined) asker.identified(refused, ANYONE)
      else {
        portal.login({ kind, value }, (also, found) => asker.identified(also, found ?? ANYONE))
      }
    })
  }
}

/** Whom a client certificate names that was verified. */
function certified(socket: Socket): Principal | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  return certificatePrincipal(socket.getPeerX509Certificate()?.subjectAltName)
}

function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  const match = /^bearer +(\S+) *$/i.exec(authorization)
  // another scheme proves nobody here, and that must be said
  return match === null ? '' : match[1]
}
