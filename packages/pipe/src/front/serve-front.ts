/**
 * A front: plain HTTP on this machine, answered by the peers of a pipe. node:http parses; each request is looked at once
 * and becomes a `FrontCall`, or a `FrontUpgrade` if it wants to speak another protocol.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { SapwoodError, Wheel } from '@sapwood/core'
import type { HttpRequest } from '@sapwood/http'
import {
  clientFault,
  HEAD_LATE,
  isDeclined,
  isLoopbackName,
  readWithoutUpgrade,
  release,
  WholeRequests,
} from '@sapwood/http'
import type { Address } from '@sapwood/net'
import {
  formatAddress,
  isPath,
  listenFault,
  nodeClock,
  parseAddress,
  removeStale,
} from '@sapwood/net'
import { untilIdle } from '../until-idle.ts'
import { countFault, FrontContext } from './front-context.ts'
import { FrontDoor } from './front-door.ts'
import { ACCEPT_FAILED, STOPPING } from './front-faults.ts'
import type { Front, FrontOptions } from './front-options.ts'
import { FRONT_DEFAULTS } from './front-options.ts'
import { FrontTrust } from './front-trust.ts'
import { endCalls } from './open-calls.ts'

/** Bytes that may wait in a caller's connection before it counts as full. */
const SOCKET_MARK = 65_536
/** Owner and group may open a Unix socket. */
const UNIX_MASK = 0o117

/**
 * Serves the peers of `asker` to callers of plain HTTP.
 * @throws SapwoodError `ADDRESS_INVALID`, `PORT_IN_USE`, `PORT_FORBIDDEN`, `LISTEN_FAILED`, `FRONT_OPEN`.
 * @example
 * const front = await serveFront({ listen: '127.0.0.1:8790', asker, server: 'server' })
 * // curl http://127.0.0.1:8790/server/time
 */
export async function serveFront(options: FrontOptions): Promise<Front> {
  const place = placeOf(options)
  const trust = new FrontTrust(options, place !== undefined && isPath(place))
  const context = new FrontContext({
    asker: options.asker,
    wheel: options.wheel ?? new Wheel(nodeClock),
    wait: options.wait,
    timeout: options.timeout,
    bodyTime: options.limits?.bodyTime,
    stream: options.limits?.stream,
    cors: (head) => trust.cors(head),
  })
  const door = new FrontDoor(options, context, trust)
  const limits = { ...FRONT_DEFAULTS.limits, ...options.limits }
  const server = makeServer(door, limits.headerTime)
  const upgrade = (request: HttpRequest, socket: Socket, first: Uint8Array): void => {
    if (isDeclined(request)) return readWithoutUpgrade(server, request, socket, first)
    release(socket)
    door.upgrade(request, socket, first)
  }
  server.on('upgrade', upgrade)
  const whole = new WholeRequests(server, {
    wheel: context.wheel,
    take: (request, response) => door.takeWhole(request, response),
    upgrade,
    late: (socket) => door.end(socket, HEAD_LATE),
  })
  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  })
  const found = place === undefined ? undefined : await listen(server, place)
  // no more memory for sockets, for instance: the next connection may fare better
  server.removeAllListeners('error')
  server.on('error', () => countFault(context, ACCEPT_FAILED))
  // without this its clock for slow heads would stand still
  if (place === undefined) server.emit('listening')
  let closing: Promise<void> | undefined
  const end = async (): Promise<void> => {
    context.isDraining = true
    const isClosed = new Promise((resolve) => server.close(resolve))
    for (const socket of connections) endCalls(socket, STOPPING)
    // what that wrote leaves first
    await new Promise((resolve) => setImmediate(resolve))
    whole.close()
    for (const socket of connections) socket.destroy()
    if (options.wheel === undefined) context.wheel.close()
    await isClosed
  }
  const close = (): Promise<void> => {
    closing ??= end()
    return closing
  }
  return {
    address: found === undefined ? '' : formatAddress(found),
    counters: context.counters,
    accept(socket) {
      if (closing !== undefined) return void socket.destroy()
      server.emit('connection', socket)
    },
    async drain() {
      await drained(server, whole, context, limits.drain)
      await close()
    },
    close,
  }
}

function placeOf({ listen, keys }: FrontOptions): Address | undefined {
  if (listen === undefined) return undefined
  const place = parseAddress(listen)
  if (isPath(place) || isLoopbackName(place.host) || keys?.length) return place
  const detail = `${listen} is open to other machines, and no key is asked for; give --key, or listen on 127.0.0.1`
  throw new SapwoodError('FRONT_OPEN', detail)
}

function makeServer(door: FrontDoor, headersTimeout: number): Server {
  const server = createServer({
    headersTimeout,
    requestTimeout: 0,
    connectionsCheckingInterval: Math.max(50, Math.min(1000, headersTimeout / 4)),
    keepAliveTimeout: 65_000,
    maxHeaderSize: 16 * 1024,
    highWaterMark: SOCKET_MARK,
    // its absence has a problem document of our own
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
    // who is gone without a word is noticed, also while nothing is sent
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  })
  const take = (request: IncomingMessage, response: ServerResponse): void =>
    door.take(request, response)
  server.on('request', take)
  server.on('checkContinue', take)
  server.on('connect', (_request: IncomingMessage, socket: Socket) => door.tunnel(socket))
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    if (socket.writable && error.code !== 'ECONNRESET') door.end(socket, clientFault(error))
    else socket.destroy()
  })
  return server
}

async function listen(server: Server, place: Address): Promise<Address> {
  if (isPath(place)) await removeStale(place.path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, place)))
    if (!isPath(place)) return void server.listen({ ...place, backlog: 4096 }, resolve)
    // from its first moment nobody else may open it; it is made in this call
    const mask = process.umask(UNIX_MASK)
    server.listen({ path: place.path, backlog: 4096 }, resolve)
    process.umask(mask)
  })
  if (isPath(place)) return place
  const { address, port } = server.address() as AddressInfo
  return { host: address, port }
}

async function drained(
  server: Server,
  whole: WholeRequests,
  context: FrontContext,
  limit: number,
): Promise<void> {
  context.isDraining = true
  server.close()
  const { wheel, counters } = context
  await untilIdle(wheel, limit, () => {
    server.closeIdleConnections()
    whole.closeIdle()
    return counters.open === 0
  })
}
