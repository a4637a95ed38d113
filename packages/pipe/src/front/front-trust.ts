/**
 * Who may call a front, and what is told of the caller to the peer.
 * Over TCP a caller is trusted for coming from this machine, or, where there are keys, for showing one; over a Unix socket
 * for having been able to open it.
 * Invariant: that trust is never lent to a page of a foreign origin, nor to a request that was sent to another name (DNS
 * rebinding); what a caller says about others is passed on only from a key holder, a Unix socket or a listed proxy.
 */
import { TLSSocket } from 'node:tls'
import type { Checker } from '@sapwood/auth'
import { CREDENTIAL_INVALID, keyChecker } from '@sapwood/auth'
import type { Fault } from '@sapwood/core'
import type { Headers, HttpRequest } from '@sapwood/http'
import { fault, hostName, isLoopbackName, Origins, Proxies, pageFault } from '@sapwood/http'
import type { FrontOptions } from './front-options.ts'
import type { RequestFields } from './request-fields.ts'

const HOST_MISSING = fault('HOST_MISSING', 'the request has no Host header, or several', 400)
const HOST_FOREIGN = fault(
  'HOST_FOREIGN',
  'this front answers to loopback names and to those given by --front-host',
  421,
)
const KEY_MISSING = fault('CREDENTIAL_MISSING', 'send the key: Authorization: Bearer KEY', 401)
const PROXY_KEY_MISSING = fault(
  'CREDENTIAL_MISSING',
  'send the key to the proxy: Proxy-Authorization, as bearer or as password',
  407,
)
const HOSTS_MOST = 256
const NO_HEADERS: Headers = []
const EXPOSED = 'X-Event-Return-Code'

export type FrontTrustOptions = Pick<FrontOptions, 'keys' | 'hosts' | 'origins' | 'trustedProxies'>

export class FrontTrust {
  readonly #isUnix: boolean
  readonly #keys: Checker | undefined
  readonly #names: ReadonlySet<string>
  readonly #origins: Origins
  readonly #proxies: Proxies
  /** Host headers that were found to be good. */
  readonly #hosts = new Set<string>()

  constructor(options: FrontTrustOptions, isUnix: boolean) {
    this.#isUnix = isUnix
    this.#keys = options.keys?.length ? keyChecker(options.keys) : undefined
    this.#names = new Set(options.hosts?.map((name) => name.toLowerCase()))
    this.#origins = new Origins(options.origins ?? [], false)
    this.#proxies = new Proxies(options.trustedProxies)
  }

  /**
   * Why a request is not answered; undefined if it is. Then what is told of its caller stands in `head.fields`.
   * @param isProxied it came in proxy form: its host is a peer's name.
   */
  refusal(request: HttpRequest, head: RequestFields, isProxied: boolean): Fault | undefined {
    const wrong = this.#hostFault(request, head, isProxied)
    if (wrong !== undefined) return wrong
    const held = this.#keys === undefined ? undefined : this.#holds(head, isProxied)
    if (this.#keys !== undefined && !this.#isUnix && held !== true) {
      if (isProxied) return PROXY_KEY_MISSING
      return held === undefined ? KEY_MISSING : CREDENTIAL_INVALID
    }
    const foreign = held === true ? undefined : pageFault(head, this.#origins)
    if (foreign !== undefined) return foreign
    if (head.authorization !== undefined) head.fields.push('authorization', head.authorization)
    this.tell(request, head, held === true || this.#isUnix)
    return undefined
  }

  /** The headers that let a listed page read the answer. */
  cors(head: RequestFields): Headers {
    const { origin } = head
    if (origin === undefined || !this.#origins.allows(origin, head.host)) return NO_HEADERS
    return [
      'access-control-allow-origin',
      origin,
      'access-control-expose-headers',
      EXPOSED,
      'vary',
      'Origin',
    ]
  }

  /**
   * Adds to `head.fields` what a peer is told of the caller.
   * @param isBelieved whether what the caller says of others is passed on.
   */
  tell(request: HttpRequest, head: RequestFields, isBelieved: boolean): void {
    const { fields, proxied } = head
    const peer = request.socket.remoteAddress ?? ''
    const isListed = !isBelieved && this.#proxies.includes(peer)
    const isTold = (isBelieved || isListed) && proxied !== undefined
    // of a chain, a listed proxy vouches only for what listed proxies have said
    const told = head['x-forwarded-for']
    const caller = isBelieved ? (told ?? peer) : this.#proxies.caller(peer, told)
    if (caller !== '') fields.push('x-forwarded-for', caller)
    let isHostTold = false
    let isSchemeTold = false
    if (isTold) {
      for (let i = 0; i < proxied.length; i += 2) {
        const name = proxied[i] as string
        if (name === 'x-forwarded-for' || name === 'forwarded') continue
        isHostTold ||= name === 'x-forwarded-host'
        isSchemeTold ||= name === 'x-forwarded-proto'
        fields.push(name, proxied[i + 1] as string)
      }
    }
    if (!isHostTold && head.host !== undefined) fields.push('x-forwarded-host', head.host)
    const scheme = request.socket instanceof TLSSocket ? 'https' : 'http'
    if (!isSchemeTold) fields.push('x-forwarded-proto', scheme)
  }

  #hostFault(request: HttpRequest, head: RequestFields, isProxied: boolean): Fault | undefined {
    const { host } = head
    if (head.isHostRepeated) return HOST_MISSING
    if (host === undefined) {
      const isOptional = request.httpVersionMinor === 0 && (this.#isUnix || isProxied)
      return isOptional ? undefined : HOST_MISSING
    }
    if (this.#isUnix || isProxied || this.#hosts.has(host)) return undefined
    const name = hostName(host)
    if (!isLoopbackName(name) && !this.#names.has(name)) return HOST_FOREIGN
    if (this.#hosts.size < HOSTS_MOST) this.#hosts.add(host)
    return undefined
  }

  /** Was a key shown: a right one (it is taken out), a wrong one, or none? */
  #holds(head: RequestFields, isProxied: boolean): boolean | undefined {
    const shown = isProxied
      ? (head['proxy-authorization'] ?? head.authorization)
      : head.authorization
    if (shown === undefined) return undefined
    const key = keyOf(shown, isProxied)
    let found = false
    if (key !== undefined) {
      this.#keys?.check({ kind: 'bearer', value: key }, (principal) => {
        found = principal !== undefined
      })
    }
    if (found && shown === head.authorization) head.authorization = undefined
    return found
  }
}

/** The key in a credential: a bearer's, or, for proxies, the password. */
function keyOf(credential: string, isProxied: boolean): string | undefined {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(credential) ?? []
  if (/^bearer$/i.test(scheme)) return value
  if (!isProxied || !/^basic$/i.test(scheme)) return undefined
  const text = Buffer.from(value, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : text.slice(colon + 1)
}
