/**
 * The hub on a port: node:http parses, routes answer, `ws` shakes hands. Limits stand on the server itself, and what
 * never becomes a request (broken heads, TLS on a plain port, heads that take too long) gets a clear answer too.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Fault } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { Hub } from '@sapwood/hub'
import { WebSocketServer } from 'ws'
import type { Assets } from './assets.ts'
import { loadAssets } from './assets.ts'
import { BatchEncoders } from './batch-encoder.ts'
import { Bodies } from './body.ts'
import type { HttpContext } from './call.ts'
import { Call } from './call.ts'
import { BUILT_IN, handlerComponent } from './handlers.ts'
import { isLoopbackName } from './origins.ts'
import { answerProblem, fault, rawProblem } from './problem.ts'
import { readHead } from './request-head.ts'
import { route } from './routes.ts'
import type { HttpOptions } from './settings.ts'
import { httpSettings } from './settings.ts'
import { Trust } from './trust.ts'
import { WebSocketDownstream } from './web-socket.ts'

/** The subprotocol of a WebSocket. */
const PROTOCOL = 'sapwood.v1'
/** Bytes that a frame may have beyond the body of its update. */
const FRAME_OVERHEAD = 64 * 1024

export interface HttpServer {
  /** Where it is reached, `http://127.0.0.1:8787`. */
  readonly url: string
  /** Sends every client away, takes nobody new, and waits for open requests, at most `drain.limit`. */
  drain(): Promise<void>
  /** Ends everything now, the hub's sessions included, but not the hub. */
  close(): Promise<void>
}

/**
 * Serves `hub` over HTTP.
 * @throws SapwoodError `PORT_IN_USE`, `ADDRESS_INVALID`, `LISTEN_FAILED`, `DEV_NOT_LOOPBACK`.
 * @example
 * const server = await serveHttp(hub(), { port: 0, keys: ['s3cret'] })
 * console.log(server.url)
 */
export async function serveHttp(hub: Hub, options: HttpOptions = {}): Promise<HttpServer> {
  const host = options.host ?? '127.0.0.1'
  if (options.dev && !isLoopbackName(host)) {
    const detail = `dev trusts this machine and listens on loopback only, not on ${host}; use hub with a key`
    throw new SapwoodError('DEV_NOT_LOOPBACK', detail)
  }
  const settings = httpSettings(options)
  const context: HttpContext = {
    hub,
    options,
    settings,
    trust: new Trust(hub, options),
    bodies: new Bodies(hub.wheel, settings.limits.body, settings.limits.bodyTime),
    encoders: new BatchEncoders(),
  }
  const assets = await loadAssets(options.assets)
  const forgetFlush = hub.outlet.onFlushed(() => context.encoders.release())
  const forgetAnswers = hub.answer(
    'hub',
    handlerComponent(BUILT_IN, {
      update: (sender, path, message) => hub.update(sender, path, message),
    }),
  )
  const server = makeServer(context, assets)
  await listen(server, host, options.port ?? 8787)
  const { address, port } = server.address() as AddressInfo
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => {
      forgetFlush()
      forgetAnswers()
      context.bodies.close()
      server.close(() => resolve())
      for (const session of [...hub.sessions]) session.end({ reason: 'closed', retryAfter: 1000 })
      server.closeAllConnections()
      for (const socket of upgraded(server)) socket.destroy()
    })
    return closing
  }
  return { url, close, drain: () => drain(server, context, close) }
}

/** Sockets that left HTTP behind. Node forgets them; whoever closes must not. */
const UPGRADED = new WeakMap<Server, Set<Duplex>>()

function upgraded(server: Server): Set<Duplex> {
  let sockets = UPGRADED.get(server)
  if (sockets === undefined) {
    sockets = new Set()
    UPGRADED.set(server, sockets)
  }
  return sockets
}

function makeServer(context: HttpContext, assets: Assets): Server {
  const { limits } = context.settings
  const server = createServer(
    {
      headersTimeout: limits.headerTime,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.max(50, Math.min(1000, limits.headerTime / 4)),
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 * 1024,
    },
    (request, response) => {
      const head = readHead(request)
      const call = new Call(context, request, response, head)
      const misdirected = context.trust.hostRefusal(head)
      if (misdirected !== undefined) call.problem(misdirected)
      else route(call, assets)
    },
  )
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const length = Number(request.headers['content-length'] ?? 0)
    const isStream = request.headers['content-type']?.startsWith('application/x-ndjson') ?? false
    if (length > limits.body && !isStream) {
      context.hub.counters.fault('BODY_TOO_LARGE')
      const detail = `the body is larger than limits.body (${limits.body} bytes)`
      response.shouldKeepAlive = false
      answerProblem(response, fault('BODY_TOO_LARGE', detail, 413))
      return
    }
    response.writeContinue()
    server.emit('request', request, response)
  })
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    const problem = clientFault(error)
    context.hub.counters.fault(problem.code)
    if (socket.writable && error.code !== 'ECONNRESET') socket.end(rawProblem(problem))
    else socket.destroy()
  })
  upgrades(server, context)
  return server
}

function upgrades(server: Server, context: HttpContext): void {
  const { hub, trust, settings } = context
  const sockets = upgraded(server)
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: settings.limits.body + FRAME_OVERHEAD,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  })
  const refuse = (socket: Duplex, problem: Fault): void => {
    hub.counters.fault(problem.code)
    socket.end(rawProblem(problem))
  }
  webSockets.on('wsClientError', (error, socket) =>
    refuse(socket, fault('HANDSHAKE_INVALID', error.message)),
  )
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
    socket.on('error', () => socket.destroy())
    const head = readHead(request)
    const target = request.url ?? ''
    const mark = target.indexOf('?')
    if ((mark < 0 ? target : target.slice(0, mark)) !== '/ws') {
      return refuse(socket, fault('NOT_FOUND', 'WebSockets are served at /ws', 404))
    }
    const refused = trust.hostRefusal(head) ?? trust.pageRefusal(head)
    if (refused !== undefined) return refuse(socket, refused)
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
    const token = query.get('token') ?? undefined
    trust.identify(request, head, token, {
      identified(problem, principal) {
        if (problem !== undefined) return refuse(socket, problem)
        webSockets.handleUpgrade(request, socket, first, (webSocket) => {
          sockets.add(socket)
          const address = trust.address(request, head)
          const downstream = new WebSocketDownstream(context, webSocket, socket, principal, address)
          webSocket.on('message', (data, isBinary) => downstream.received(data as Buffer, isBinary))
          webSocket.on('pong', () => downstream.ponged())
          webSocket.on('close', (code) => {
            sockets.delete(socket)
            downstream.closed(code)
          })
          webSocket.on('error', (error: NodeJS.ErrnoException) =>
            hub.counters.fault(error.code ?? 'WEB_SOCKET'),
          )
          socket.on('drain', () => downstream.drained())
        })
      },
    })
  })
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen({ host, port, backlog: 4096 }, resolve)
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SapwoodError {
  const place = `${host}:${port}`
  const cause = { cause: error }
  if (error.code === 'EADDRINUSE') {
    const detail = `${place} is taken by another program; stop that one, or choose another port (0 takes a free one)`
    return new SapwoodError('PORT_IN_USE', detail, cause)
  }
  if (error.code === 'EACCES') {
    const detail = `${place} needs more rights; choose a port above 1023`
    return new SapwoodError('PORT_FORBIDDEN', detail, cause)
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    const detail = `${host} is no address of this machine; 127.0.0.1 and 0.0.0.0 always are`
    return new SapwoodError('ADDRESS_INVALID', detail, cause)
  }
  return new SapwoodError('LISTEN_FAILED', `cannot listen on ${place}: ${error.message}`, cause)
}

async function drain(
  server: Server,
  context: HttpContext,
  close: () => Promise<void>,
): Promise<void> {
  const { hub, settings } = context
  hub.drain()
  let stop: (() => void) | undefined
  const limit = new Promise<void>((resolve) => {
    stop = hub.wheel.after(settings.drain.limit, resolve)
  })
  const quiet = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  await Promise.race([quiet, limit])
  stop?.()
  await close()
}

/** What went wrong before there was a request. */
function clientFault(error: NodeJS.ErrnoException & { rawPacket?: Buffer }): Fault {
  const { code, rawPacket } = error
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return fault('HEADER_TIMEOUT', 'the head did not come within limits.header_time', 408)
  }
  if (code === 'HPE_HEADER_OVERFLOW') return fault('HEADER_TOO_LARGE', 'the head is too large', 431)
  if (rawPacket !== undefined && rawPacket[0] === 0x16 && rawPacket[1] === 0x03) {
    return fault(
      'TLS_ON_PLAIN_PORT',
      'this port speaks plain HTTP; use http:// instead of https://',
    )
  }
  return fault('HTTP_INVALID', 'this is not HTTP/1.1')
}
