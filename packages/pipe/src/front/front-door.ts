/**
 * What comes in at a front, before it is a question: who calls, whom, and whether there is only one way to read it. Refusals
 * are answered here.
 * Invariant: nothing reaches a peer of a caller that is not trusted, nor of a request that two programs could read in two ways.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Fault } from '@sapwood/core'
import { Code } from '@sapwood/core'
import type { HttpRequest, WholeRequest, WholeResponse } from '@sapwood/http'
import { answerProblem, endSocket, fault, rawProblem } from '@sapwood/http'
import { isFault } from '@sapwood/wire'
import { FrontCall } from './front-call.ts'
import type { FrontContext, Inquiry } from './front-context.ts'
import { countFault } from './front-context.ts'
import type { FrontOptions } from './front-options.ts'
import { authorityOf, isProxyForm, readTarget } from './front-target.ts'
import type { FrontTrust } from './front-trust.ts'
import { FrontUpgrade } from './front-upgrade.ts'
import type { RequestFields } from './request-fields.ts'
import { hopsFault, isAmbiguous, nameHost, readFields } from './request-fields.ts'

/** How long the rest of what was refused is read and dropped, in milliseconds. */
const LINGER = 500

const NOWHERE = fault('NOT_FOUND', 'nothing is served here; see the documentation for what is', 404)
const NO_TUNNEL = fault(
  'METHOD_NOT_ALLOWED',
  'CONNECT is not for pipes; ask for http://NAME/…, the way to the peer is encrypted all the same',
  405,
)
export const AMBIGUOUS: Fault = fault(
  'HTTP_INVALID',
  'Content-Length and Transfer-Encoding contradict each other, or the encoding is not "chunked"',
)
export const UPGRADE_INVALID: Fault = fault(
  'HTTP_INVALID',
  'a request that wants to upgrade has no body',
)

export class FrontDoor {
  readonly #options: Pick<FrontOptions, 'server' | 'otherwise'>
  readonly #context: FrontContext
  readonly #trust: FrontTrust

  constructor(
    options: Pick<FrontOptions, 'server' | 'otherwise'>,
    context: FrontContext,
    trust: FrontTrust,
  ) {
    this.#options = options
    this.#context = context
    this.#trust = trust
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    const { otherwise } = this.#options
    this.#context.counters.requests++
    const fields = readFields(request.rawHeaders)
    if (this.#isPreflight(request, fields)) return this.#preflight(request, response, fields)
    const found = this.#inquire(request, fields)
    if (found === undefined && otherwise !== undefined) otherwise(request, response)
    else if (found === undefined) this.#refuse(request, response, fields, NOWHERE)
    else if (isFault(found)) this.#refuse(request, response, fields, found)
    else new FrontCall(this.#context, request, response, found).start()
  }

  /** The same for a request that came whole. @returns false if it is not one that goes to a peer as it is. */
  takeWhole(request: WholeRequest, response: WholeResponse): boolean {
    // of several at once Node asks all before the first is answered
    if (request.isFollowed) return false
    const found = this.#inquire(request, readFields(request.rawHeaders))
    if (found === undefined || isFault(found)) return false
    this.#context.counters.requests++
    new FrontCall(this.#context, request, response, found).start()
    return true
  }

  upgrade(request: HttpRequest, socket: Socket, first: Uint8Array): void {
    socket.on('error', () => socket.destroy())
    this.#context.counters.requests++
    const fields = readFields(request.rawHeaders)
    const found = fields.hasBody ? UPGRADE_INVALID : this.#inquire(request, fields)
    if (found !== undefined && !isFault(found)) {
      return new FrontUpgrade(this.#context, request, socket, first, found).start()
    }
    this.end(socket, found ?? NOWHERE)
  }

  /** Who asks for a tunnel is told what to ask for. */
  tunnel(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    this.end(socket, NO_TUNNEL)
  }

  /** Ends a connection that has no response object with a problem. */
  end(socket: Duplex, problem: Fault): void {
    countFault(this.#context, problem)
    const last = rawProblem(problem, ['x-event-return-code', String(Code.refused)])
    endSocket(socket, last, this.#context.wheel)
  }

  /** Who is asked what, or why nobody is; undefined if it is for no peer. */
  #inquire(request: HttpRequest, fields: RequestFields): Inquiry | Fault | undefined {
    const url = request.url ?? ''
    const isProxied = isProxyForm(url)
    if (isAmbiguous(fields)) return AMBIGUOUS
    if (isProxied) nameHost(fields, authorityOf(url))
    const refused = this.#trust.refusal(request, fields, isProxied) ?? hopsFault(fields)
    if (refused !== undefined) return refused
    const target = readTarget(url, fields, this.#options.server)
    return target === undefined || isFault(target) ? target : { target, fields, isProxied }
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    fields: RequestFields,
    problem: Fault,
  ): void {
    countFault(this.#context, problem)
    const headers = ['x-event-return-code', String(Code.refused)]
    if (problem.status === 407) headers.push('proxy-authenticate', 'Basic realm="sapwood"')
    answerProblem(response, problem, headers)
    if (!fields.hasBody) return
    request.resume()
    // closing on what the caller still sends would be a reset, which may overtake the answer
    this.#context.wheel.after(LINGER, () => {
      if (!request.complete) request.destroy()
    })
  }

  /** Does a listed page ask whether it may send a request? Everybody else's OPTIONS are for the peer. */
  #isPreflight(request: IncomingMessage, fields: RequestFields): boolean {
    if (request.method !== 'OPTIONS' || fields.origin === undefined) return false
    const asked = request.headers['access-control-request-method']
    return asked !== undefined && this.#trust.cors(fields).length > 0
  }

  #preflight(request: IncomingMessage, response: ServerResponse, fields: RequestFields): void {
    response.writeHead(204, [
      ...this.#trust.cors(fields),
      'access-control-allow-methods',
      'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers',
      request.headers['access-control-request-headers'] ?? '*',
      'access-control-max-age',
      '600',
    ])
    response.end()
  }
}
