/**
 * The way from an HTTP request to a WebSocket: who may, the handshake (RFC 6455 section 4.2), and the socket's
 * events. Handlers are shared by all sockets and find their connection on the socket, so that nothing of the
 * request outlives the handshake.
 *
 *     path              subprotocol   becomes
 *     /ws               sapwood.v1    a session
 *     /tcp/<host:port>  binary        a bridge to what was dialled for it, where bridges are on
 *
 * `/client/<name>/…` is handed to the peer of that name, or to the hub's target, whatever the protocol. A request that
 * offers none that is spoken here is answered as if it had not.
 */
import { hash } from 'node:crypto'
import type { Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Fault, Principal } from '@sapwood/core'
import { Code } from '@sapwood/core'
import { SOCKET_LIMIT } from '@sapwood/hub'
import type { WebSocketHandshake } from '@sapwood/wire'
import {
  acceptAnswer,
  closeFrame,
  isFault,
  WEB_SOCKET_GUID,
  webSocketHandshake,
} from '@sapwood/wire'
import { readAbsolute } from './absolute-target.ts'
import { askedBy, isAsked } from './asked.ts'
import type { BridgeRefusal } from './bridges.ts'
import type { HttpContext } from './call.ts'
import { isDeclined, offeredProtocols, readWithoutUpgrade } from './declined-upgrade.ts'
import { endSocket } from './end-socket.ts'
import { CLOSING } from './farewell.ts'
import type { HttpRequest } from './http-message.ts'
import { askRefusal, handedTo } from './peers.ts'
import { fault, rawProblem } from './problem.ts'
import type { RequestHead } from './request-head.ts'
import { readHead } from './request-head.ts'
import { codeHeader } from './return-code.ts'
import type { SocketReader } from './socket-reader.ts'
import { NOBODY, readBy, release } from './socket-reader.ts'
import { readQuery } from './target.ts'
import { WebSocketDownstream } from './web-socket.ts'

const SESSION = '/ws'
const REFUSED = codeHeader(Code.refused)
const ABSENT = codeHeader(Code.absent)
const NO_UPGRADE = fault(
  'NOT_FOUND',
  'there is no peer of that name, and clients that are no peers are asked by plain requests',
  404,
)
/** The subprotocols of the two. A page that uses a bridge may name its own by its usual name, or none. */
const SESSION_PROTOCOLS = ['sapwood.v1'] as const
const BRIDGE_PROTOCOLS = ['binary'] as const

/** A request that wants to become a WebSocket. */
interface Upgrade {
  readonly context: HttpContext
  readonly request: HttpRequest
  readonly head: RequestHead
  /** The target in origin form. */
  readonly url: string
  readonly path: string
  readonly socket: Duplex
  /** What came behind the head. */
  readonly first: Buffer
}

/** Takes the requests that want to upgrade. */
export class Upgrades {
  readonly #context: HttpContext
  readonly #server: Server
  /** Sockets that left HTTP behind. Node forgets them; whoever closes must not. */
  readonly open: Set<Duplex> = new Set()

  /** @param server answers the requests that offer nothing which is spoken here. */
  constructor(context: HttpContext, server: Server) {
    this.#context = context
    this.#server = server
  }

  /** Its errors are looked after, and nobody else reads it from now on. @param first what came behind the head. */
  take(request: HttpRequest, socket: Duplex, first: Buffer): void {
    const context = this.#context
    const { open } = this
    const absolute = readAbsolute(request.url)
    const url = absolute?.target ?? request.url ?? ''
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    const query = mark < 0 ? '' : url.slice(mark + 1)
    const { peers, target } = context.options
    const isHandedOn = (peers ?? target) !== undefined && isAsked(path)
    const isForSocket = path === SESSION || context.bridges.serves(path)
    const isPlain = isHandedOn
      ? isDeclined(request)
      : !offeredProtocols(request).includes('websocket')
    if (isPlain && !isForSocket) return readWithoutUpgrade(this.#server, request, socket, first)
    const head = readHead(request)
    if (absolute !== undefined) head.host = absolute.host
    const upgrade: Upgrade = { context, request, head, url, path, socket, first }
    // from now on, since whoever says who it is may take its time
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    if (isHandedOn) return handOn(upgrade)
    if (!isForSocket) {
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
        else shake(upgrade, principal)
      },
    })
  }

  /** Ends all that is open. */
  close(): void {
    for (const socket of this.open) socket.destroy()
  }
}

/** Hands a connection that is to speak another protocol to whom it asks. */
function handOn({ context, request, head, url, socket, first }: Upgrade): void {
  const { trust } = context
  const refused = trust.hostRefusal(head) ?? trust.pageRefusal(head)
  if (refused !== undefined) return refuse(context, socket, refused, REFUSED)
  const read = askedBy(url, head)
  if (isFault(read)) return refuse(context, socket, read, REFUSED)
  const { asked: target, gateway } = handedTo(context, read, request.method)
  trust.identify(request, head, undefined, {
    identified(problem, principal) {
      const unwanted = problem ?? askRefusal(context, principal, target)
      if (unwanted !== undefined) return refuse(context, socket, unwanted, REFUSED)
      if (!socket.writable) return
      if (gateway === undefined) return refuse(context, socket, NO_UPGRADE, ABSENT)
      const handed = { target, isCredential: true }
      release(socket)
      socket.on('error', () => socket.destroy())
      const why = gateway.upgrade(request, socket as Socket, first, handed)
      if (why !== undefined) refuse(context, socket, why, REFUSED)
    },
  })
}

function shake(upgrade: Upgrade, principal: Principal): void {
  const { context, request, head, path, socket } = upgrade
  if (request.method !== 'GET') {
    const problem = fault('METHOD_NOT_ALLOWED', 'a WebSocket begins with GET', 405)
    return refuse(context, socket, problem)
  }
  const isSession = path === SESSION
  const handshake = webSocketHandshake(head, isSession ? SESSION_PROTOCOLS : BRIDGE_PROTOCOLS)
  if (isFault(handshake)) {
    const { headers, ...problem } = handshake
    return refuse(context, socket, problem, headers)
  }
  if (!socket.writable) return
  const address = context.trust.address(request, head)
  if (!isSession) return bridge(upgrade, principal, address, handshake)
  accept(socket, handshake)
  link(upgrade, new WebSocketDownstream(context, socket, principal, address))
}

/** Dials first, so that a WebSocket that opens is connected to its target, or closes at once and says why. */
function bridge(
  upgrade: Upgrade,
  principal: Principal,
  address: string,
  handshake: WebSocketHandshake,
): void {
  const { context, path, socket } = upgrade
  const waiting = new Waiting(socket)
  link(upgrade, waiting)
  waiting.giveUp = context.bridges.dial(path, principal, address, (dialled) => {
    accept(socket, handshake)
    if (dialled instanceof Socket) {
      const bridge = context.bridges.open(socket, dialled)
      readBy(socket, bridge)
      for (const chunk of waiting.chunks) bridge.read(chunk)
    } else {
      readBy(socket, NOBODY)
      turnAway(context, socket, dialled)
    }
    // read on, even if only to drop it: a socket closed on what nobody read is reset, and its close frame lost
    socket.resume()
  })
}

/** Reads a socket that is no WebSocket yet, so that its end is noticed, and keeps what comes for later. */
class Waiting implements SocketReader {
  readonly chunks: Uint8Array[] = []
  giveUp: () => void = () => undefined
  readonly #socket: Duplex
  #held = 0

  constructor(socket: Duplex) {
    this.#socket = socket
  }

  read(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.#held += chunk.length
    if (this.#held >= SOCKET_LIMIT) this.#socket.pause()
  }

  drained(): void {}

  ended(): void {
    this.giveUp()
  }
}

function accept(socket: Duplex, { key, protocol }: WebSocketHandshake): void {
  const digest = hash('sha1', key + WEB_SOCKET_GUID, 'base64')
  socket.write(acceptAnswer(digest, protocol), 'latin1')
}

function link({ socket, first }: Upgrade, reader: SocketReader): void {
  readBy(socket, reader)
  if (first.length > 0) reader.read(first)
}

/** Closes a WebSocket as soon as it is one: pages learn a close code, but nothing of a refused handshake. */
function turnAway({ hub }: HttpContext, socket: Duplex, { close, reason }: BridgeRefusal): void {
  const stop = hub.wheel.after(CLOSING, () => socket.destroy())
  socket.once('close', stop)
  socket.end(closeFrame(close, reason))
}

function refuse(
  context: HttpContext,
  socket: Duplex,
  problem: Fault,
  headers: readonly string[] = [],
): void {
  context.hub.counters.fault(problem.code)
  endSocket(socket, rawProblem(problem, headers), context.hub.wheel)
}
