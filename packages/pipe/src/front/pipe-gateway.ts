/**
 * The way into a pipe for an HTTP server that has its own door, such as a hub: it knows who calls and whether they may, and
 * hands requests for peers on, to be answered as by a front.
 * Invariant: what the server took as a credential goes no further.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Fault } from '@sapwood/core'
import type { HandedRequest, Headers, HttpRequest, HttpResponse, WholeRequest } from '@sapwood/http'
import { FrontCall } from './front-call.ts'
import type { Inquiry } from './front-context.ts'
import { FrontContext } from './front-context.ts'
import { AMBIGUOUS, UPGRADE_INVALID } from './front-door.ts'
import { STOPPING } from './front-faults.ts'
import type { FrontCounters, FrontOptions } from './front-options.ts'
import type { FrontTrustOptions } from './front-trust.ts'
import { FrontTrust } from './front-trust.ts'
import { FrontUpgrade } from './front-upgrade.ts'
import { endCalls } from './open-calls.ts'
import type { RequestFields } from './request-fields.ts'
import { hopsFault, isAmbiguous, readFields } from './request-fields.ts'

export interface PipeGatewayOptions
  extends Pick<FrontTrustOptions, 'trustedProxies'>,
    Required<Pick<FrontOptions, 'asker' | 'wheel'>> {
  /** As in `FrontOptions`. */
  readonly wait?: number
  readonly timeout?: number
  readonly bodyTime?: number
  readonly stream?: number
  /** The headers that let a page read the answer. None. */
  readonly cors?: (head: Pick<RequestFields, 'host' | 'origin'>) => Headers
}

/**
 * @example
 * const gateway = new PipeGateway({ asker, wheel })
 * const fault = gateway.take(request, response, { target: { name: 'fileserver', tail: '/x' }, isCredential: true })
 */
export class PipeGateway {
  readonly #context: FrontContext
  readonly #trust: FrontTrust

  constructor(options: PipeGatewayOptions) {
    this.#context = new FrontContext({ ...options, cors: options.cors ?? (() => []) })
    this.#trust = new FrontTrust(options, false)
  }

  get counters(): FrontCounters {
    return this.#context.counters
  }

  /**
   * Answers the request. Nobody may have read its body.
   * @returns why not, for the server to answer.
   */
  take(
    request: IncomingMessage | WholeRequest,
    response: HttpResponse,
    handed: HandedRequest,
  ): Fault | undefined {
    const inquiry = this.#inquire(request, handed)
    if ('code' in inquiry) return inquiry
    new FrontCall(this.#context, request, response, inquiry).start()
    return undefined
  }

  /** The same for a connection that is to speak another protocol. @param first what came behind the head. */
  upgrade(
    request: HttpRequest,
    socket: Socket,
    first: Uint8Array,
    handed: HandedRequest,
  ): Fault | undefined {
    const inquiry = this.#inquire(request, handed)
    if ('code' in inquiry) return inquiry
    if (inquiry.fields.hasBody) return UPGRADE_INVALID
    new FrontUpgrade(this.#context, request, socket, first, inquiry).start()
    return undefined
  }

  /** The server ends: whoever waits on this connection is told so now. */
  stopped(socket: Socket): void {
    this.#context.isDraining = true
    endCalls(socket, STOPPING)
  }

  #inquire(request: HttpRequest, { target, isCredential }: HandedRequest): Inquiry | Fault {
    const fields = readFields(request.rawHeaders)
    if (isAmbiguous(fields)) return AMBIGUOUS
    const looped = hopsFault(fields)
    if (looped !== undefined) return looped
    this.#context.counters.requests++
    if (!isCredential && fields.authorization !== undefined) {
      fields.fields.push('authorization', fields.authorization)
    }
    this.#trust.tell(request, fields, false)
    return { target, fields, isProxied: false }
  }
}
