/**
 * The way from an HTTP request to a WebSocket: who may, the handshake (RFC 6455 section 4.2), and the socket's
 * events. Handlers are shared by all sockets and find their connection on the socket, so that nothing of the
 * request outlives the handshake.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Fault, Principal } from '@sapwood/core'
import { acceptAnswer, isFault, WEB_SOCKET_GUID, webSocketHandshake } from '@sapwood/wire'
import type { HttpContext } from './call.ts'
import { fault, rawProblem } from './problem.ts'
import type { RequestHead } from './request-head.ts'
import { readHead } from './request-head.ts'
import { readQuery } from './target.ts'
import { WebSocketDownstream } from './web-socket.ts'

/** The subprotocol of a WebSocket. */
const PROTOCOL = 'sapwood.v1'

const LINK: unique symbol = Symbol('link')
type Linked = Duplex & { [LINK]?: WebSocketDownstream }

/** Sockets that left HTTP behind. Node forgets them; whoever closes must not. */
export type Upgraded = Set<Duplex>

/** Lets `server` take WebSockets at `/ws`. Returns the sockets that are open. */
export function serveUpgrades(server: Server, context: HttpContext): Upgraded {
  const open: Upgraded = new Set()
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
    socket.on('error', onError)
    const head = readHead(request)
    const [path = '', query = ''] = (request.url ?? '').split('?', 2)
    if (path !== '/ws') {
      return refuse(context, socket, fault('NOT_FOUND', 'WebSockets are served at /ws', 404))
    }
    const { trust } = context
    const refused = trust.hostRefusal(head) ?? trust.pageRefusal(head)
    if (refused !== undefined) return refuse(context, socket, refused)
    const parameters = readQuery(query, ['token'])
    if (isFault(parameters)) return refuse(context, socket, parameters)
    trust.identify(request, head, parameters.get('token') ?? undefined, {
      identified(problem, principal) {
        if (problem !== undefined) refuse(context, socket, problem)
        else shake(context, open, request, head, socket, first, principal)
      },
    })
  })
  return open
}

function shake(
  context: HttpContext,
  open: Upgraded,
  request: IncomingMessage,
  head: RequestHead,
  socket: Linked,
  first: Buffer,
  principal: Principal,
): void {
  if (request.method !== 'GET') {
    return refuse(context, socket, fault('METHOD_NOT_ALLOWED', 'a WebSocket begins with GET', 405))
  }
  const handshake = webSocketHandshake(head, [PROTOCOL])
  if (isFault(handshake)) {
    const { headers, ...problem } = handshake
    return refuse(context, socket, problem, headers)
  }
  if (!socket.writable) return
  const accept = createHash('sha1')
    .update(handshake.key + WEB_SOCKET_GUID)
    .digest('base64')
  socket.write(acceptAnswer(accept, handshake.protocol))
  const address = context.trust.address(request, head)
  link(socket, new WebSocketDownstream(context, socket, principal, address), open)
  if (first.length > 0) socket[LINK]?.read(first)
}

function link(socket: Linked, downstream: WebSocketDownstream, open: Upgraded): void {
  socket[LINK] = downstream
  open.add(socket)
  socket.on('data', onData)
  socket.on('drain', onDrain)
  socket.on('end', onEnd)
  socket.on('close', () => open.delete(socket))
  socket.on('close', onClose)
}

function onData(this: Linked, chunk: Buffer): void {
  this[LINK]?.read(chunk)
}

function onDrain(this: Linked): void {
  this[LINK]?.drained()
}

/** The other end sends nothing more: with that a WebSocket is over. */
function onEnd(this: Linked): void {
  this.end()
}

function onClose(this: Linked): void {
  this[LINK]?.ended()
}

function onError(this: Duplex): void {
  this.destroy()
}

function refuse(
  context: HttpContext,
  socket: Duplex,
  problem: Fault,
  headers: readonly string[] = [],
): void {
  context.hub.counters.fault(problem.code)
  socket.end(rawProblem(problem, headers))
}
