/**
 * What answers the connections of a hub: node:http parses, routes answer, and in front of them stands what takes the
 * requests that came whole. Limits stand on the server itself, and what never becomes a request (broken heads, TLS on
 * a plain port, heads that take too long) gets a clear answer too.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Fault } from '@sapwood/core'
import { readAbsolute } from './absolute-target.ts'
import { askWhole, streamsTo } from './ask.ts'
import { isAsked } from './asked.ts'
import type { Assets } from './assets.ts'
import { publishBatch } from './batch.ts'
import { bodyTooLarge } from './body.ts'
import type { HttpContext } from './call.ts'
import { Call } from './call.ts'
import { clientFault, HEAD_LATE } from './client-fault.ts'
import { endSocket } from './end-socket.ts'
import { OwedAnswers } from './owed-answers.ts'
import { fault, rawProblem } from './problem.ts'
import { publish } from './publish.ts'
import { readHead } from './request-head.ts'
import { route } from './routes.ts'
import { FRAME_OVERHEAD } from './settings.ts'
import { Upgrades } from './upgrade.ts'
import type { WholeRequest } from './whole/whole-request.ts'
import { lookEvery, WholeRequests } from './whole/whole-requests.ts'
import type { WholeResponse } from './whole/whole-response.ts'

export class HttpPort {
  readonly server: Server
  readonly #context: HttpContext
  readonly #assets: Assets
  readonly #upgrades: Upgrades
  readonly #whole: WholeRequests
  readonly #owed = new OwedAnswers()

  constructor(context: HttpContext, assets: Assets) {
    this.#context = context
    this.#assets = assets
    this.server = this.#makeServer()
    this.#upgrades = new Upgrades(context, this.server)
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
      socket.on('error', () => socket.destroy())
      this.#owed.settle(socket, () => this.#upgrades.take(request, socket, first))
    })
    this.#whole = new WholeRequests(this.server, {
      wheel: context.hub.wheel,
      take: (request, response) => this.#takeWhole(request, response),
      upgrade: (request, socket, first) => this.#upgrades.take(request, socket, first),
      late: (socket) => this.#end(socket, HEAD_LATE),
    })
  }

  /** Ends the connections that wait for a request. */
  closeIdle(): void {
    this.server.closeIdleConnections()
    this.#whole.closeIdle()
  }

  /** Ends all connections. */
  closeAll(): void {
    this.server.closeAllConnections()
    this.#whole.close()
    this.#upgrades.close()
    this.#owed.close()
  }

  #makeServer(): Server {
    const { limits } = this.#context.settings
    const server = createServer({
      headersTimeout: limits.headerTime,
      requestTimeout: 0,
      connectionsCheckingInterval: lookEvery(limits.headerTime),
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 * 1024,
      // its absence has a problem document of our own
      requireHostHeader: false,
    })
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      this.#owed.note(request.socket, response)
      this.#take(request, response)
    }
    server.on('request', take)
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (this.#mayContinue(request, response)) take(request, response)
    })
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      response.shouldKeepAlive = false
      new Call(this.#context, request, response, readHead(request)).problem(EXPECTATION_UNKNOWN)
    })
    server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
      socket.on('error', () => socket.destroy())
      this.#owed.settle(socket, () => this.#end(socket, NO_TUNNEL))
    })
    server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
      const problem = clientFault(error)
      if (socket.writable && error.code !== 'ECONNRESET') this.#end(socket, problem)
      else {
        this.#context.hub.counters.fault(problem.code)
        socket.destroy()
      }
    })
    return server
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const head = readHead(request)
    const absolute = readAbsolute(request.url)
    if (absolute !== undefined) {
      head.host = absolute.host
      request.url = absolute.target
    }
    const call = new Call(this.#context, request, response, head)
    const misdirected = this.#context.trust.hostRefusal(head, request.httpVersionMinor)
    if (misdirected !== undefined) call.problem(misdirected)
    else route(call, this.#assets)
  }

  /** Publishing, and asking peers, is what comes ten thousand times a second; the server answers all else. */
  #takeWhole(request: WholeRequest, response: WholeResponse): boolean {
    const { trust, settings } = this.#context
    const head = readHead(request)
    if (trust.hostRefusal(head) !== undefined) return false
    const { body, stream } = settings.limits
    const bytes = request.body?.length ?? 0
    if (bytes > body || (stream > 0 && bytes > stream)) return false
    const call = new Call(this.#context, request, response, head)
    if (isAsked(call.path)) return askWhole(call)
    if (request.method !== 'POST' && request.method !== 'PUT') return false
    if (call.path.startsWith('/update/')) publish(call)
    else if (call.path === '/update') publishBatch(call)
    else return false
    return true
  }

  /** Says that the body may come, unless it is refused or waits for a peer. @returns false if it is answered. */
  #mayContinue(request: IncomingMessage, response: ServerResponse): boolean {
    const { limits } = this.#context.settings
    const url = readAbsolute(request.url)?.target ?? request.url ?? ''
    const stream = streamsTo(this.#context, url, request.method)
    // it goes on only when the peer is there: then is the time to send it
    if (stream === 'peer') return true
    const length = Number(request.headers['content-length'] ?? 0)
    const isLines = request.headers['content-type']?.startsWith('application/x-ndjson') ?? false
    const more = url.startsWith('/session/') ? FRAME_OVERHEAD : 0
    if (length > limits.body + more && !isLines && stream === undefined) {
      response.shouldKeepAlive = false
      const call = new Call(this.#context, request, response, readHead(request))
      call.problem(bodyTooLarge(limits.body, more))
      return false
    }
    response.writeContinue()
    return true
  }

  /** Ends a connection that has no response object with a problem. */
  #end(socket: Duplex, problem: Fault): void {
    this.#context.hub.counters.fault(problem.code)
    endSocket(socket, rawProblem(problem), this.#context.hub.wheel)
  }
}

const EXPECTATION_UNKNOWN = fault('EXPECTATION_UNKNOWN', 'Expect may say 100-continue only', 417)
const NO_TUNNEL = fault('METHOD_NOT_ALLOWED', 'this is no proxy, and opens no tunnels', 405)
