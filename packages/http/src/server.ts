/**
 * The life of a hub on a port: opened, handed connections, drained, closed.
 * Invariant: nothing is left open behind `close`, whoever waited for an answer has got one, and the hub lives on.
 */
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Principal } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { Hub } from '@sapwood/hub'
import { HUB } from '@sapwood/hub'
import { formatAddress, listenFault } from '@sapwood/net'
import { loadAssets } from './assets.ts'
import { BatchEncoders } from './batch-encoder.ts'
import { Bodies } from './body.ts'
import { Bridges } from './bridges.ts'
import type { HttpContext } from './call.ts'
import { GatheredWrites } from './gathered-writes.ts'
import { handlerComponent, hubHandlers } from './handlers.ts'
import { HttpPort } from './http-port.ts'
import { isLoopbackName } from './loopback.ts'
import type { Stage } from './rehearse.ts'
import { rehearse } from './rehearse.ts'
import type { HttpOptions } from './settings.ts'
import { HTTP_DEFAULTS, httpSettings } from './settings.ts'
import { Trust } from './trust.ts'
import { Unanswered } from './unanswered.ts'

export interface HttpServer {
  /** Where it is reached, `http://127.0.0.1:8787`; empty without a port of its own. */
  readonly url: string
  /**
   * Serves a connection that somebody else took: from a shared port, or out of TLS. Nobody may be reading it.
   * @param principal who is at its other end, where whoever took it has made sure of that.
   */
  accept(socket: Duplex, principal?: Principal): void
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
  const host = options.host ?? HTTP_DEFAULTS.host
  if (options.dev && !isLoopbackName(host)) {
    const detail = `dev trusts this machine and listens on loopback only, not on ${host}; use hub with a key`
    throw new SapwoodError('DEV_NOT_LOOPBACK', detail)
  }
  const context = makeContext(hub, options)
  const assets = await loadAssets(options.assets)
  const { handlers = {}, target } = options
  const forgetAnswers = hub.answer(
    HUB,
    handlerComponent(target === undefined ? hubHandlers(handlers) : handlers, {
      update: (sender, path, message) => hub.update(sender, path, message),
      otherwise: target?.component,
      limit: context.settings.limits.body,
    }),
  )
  const port = new HttpPort(context, assets)
  const { server } = port
  try {
    if (options.listen ?? true) await listen(server, host, options.port ?? HTTP_DEFAULTS.port, hub)
    // without this its clock for slow heads would stand still
    else server.emit('listening')
  } catch (thrown) {
    forgetAnswers()
    context.close()
    throw thrown
  }
  const stopRehearsal = rehearse(stageOf)
  const gateways = [options.peers, options.target].filter((gateway) => gateway !== undefined)
  /** Connections on which those may be asked. */
  const asking = new Set<Socket>()
  if (gateways.length > 0) {
    server.on('connection', (socket: Socket) => {
      asking.add(socket)
      socket.on('close', () => asking.delete(socket))
    })
  }
  /** Connections of other listeners. Node does not count them as the server's own. */
  const accepted = new Set<Duplex>()
  const accept = (socket: Duplex, principal?: Principal): void => {
    if (closing !== undefined) return void socket.destroy()
    if (principal !== undefined) context.trust.vouch(socket, principal)
    accepted.add(socket)
    socket.on('close', () => accepted.delete(socket))
    server.emit('connection', socket)
  }
  let closing: Promise<void> | undefined
  let draining: Promise<void> | undefined
  const end = async (): Promise<void> => {
    stopRehearsal()
    forgetAnswers()
    const isClosed = new Promise((resolve) => server.close(resolve))
    for (const session of [...hub.sessions]) session.end({ reason: 'closed', retryAfter: 1000 })
    context.close()
    for (const socket of asking) for (const gateway of gateways) gateway.stopped(socket)
    // what that wrote leaves first
    await new Promise((resolve) => setImmediate(resolve))
    port.closeAll()
    for (const socket of accepted) socket.destroy()
    await isClosed
  }
  const close = (): Promise<void> => {
    closing ??= end()
    return closing
  }
  const drainOnce = (): Promise<void> => {
    draining ??= drain(port, accepted, context, close)
    return draining
  }
  return { url: urlOf(server), accept, close, drain: drainOnce }
}

function urlOf(server: Server): string {
  const bound = server.address() as AddressInfo | null
  return bound === null ? '' : `http://${formatAddress({ host: bound.address, port: bound.port })}`
}

function makeContext(hub: Hub, options: HttpOptions): HttpContext & { close(): void } {
  const settings = httpSettings(options)
  const encoders = new BatchEncoders()
  const bodies = new Bodies(hub.wheel, settings.limits.body, settings.limits.bodyTime)
  const bridges = new Bridges(hub, settings, options.bridge?.allow ?? [])
  const writes = new GatheredWrites(() => hub.outlet.flushing)
  const forget = hub.outlet.onFlushed(() => {
    writes.release()
    encoders.release()
  })
  const unanswered = new Unanswered()
  const close = (): void => {
    forget()
    bridges.close()
    unanswered.stop()
    bodies.close()
  }
  const trust = new Trust(hub, options)
  return { hub, options, settings, trust, bodies, unanswered, bridges, encoders, writes, close }
}

/** The same server for a hub of its own. */
function stageOf(hub: Hub): Stage {
  const context = makeContext(hub, { dev: true })
  const port = new HttpPort(context, { page: undefined, sdk: undefined })
  const close = (): void => {
    context.close()
    port.server.close()
    port.closeAll()
  }
  return { server: port.server, close }
}

async function listen(server: Server, host: string, port: number, hub: Hub): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenFault(error, { host, port })),
    )
    server.listen({ host, port, backlog: 4096 }, resolve)
  })
  server.removeAllListeners('error')
  // no more memory for sockets, for instance: the next connection may fare better
  server.on('error', (error) => {
    hub.counters.fault('ACCEPT_FAILED')
    const fields = { code: 'ACCEPT_FAILED', reason: error.message }
    hub.log.warn(fields, 'a connection could not be accepted')
  })
}

/**
 * Until the last request is answered the port stays open: it says that it is not ready, and sends away who comes.
 */
async function drain(
  port: HttpPort,
  accepted: ReadonlySet<Duplex>,
  { hub, settings }: HttpContext,
  close: () => Promise<void>,
): Promise<void> {
  const { server } = port
  hub.drain()
  // a connection that has not said a word, as browsers hold in reserve, is no request
  server.headersTimeout = Math.min(server.headersTimeout, HEAD_WHILE_DRAINING)
  const end = hub.wheel.now() + settings.drain.limit
  await new Promise<void>((resolve) => {
    // a hub that is closed has no clock any more, and nothing to wait for
    if (hub.wheel.closed) return resolve()
    hub.controller.onStop(resolve)
    const look = (): void => {
      port.closeIdle()
      server.getConnections((_error, count) => {
        const left = end - hub.wheel.now()
        if (count + accepted.size === 0 || left <= 0) resolve()
        else hub.wheel.after(Math.min(LOOK, left), look)
      })
    }
    look()
  })
  await close()
}

/** How often a draining server looks whether it is done, in milliseconds. */
const LOOK = 50
/** How long a head may take while draining, in milliseconds. */
const HEAD_WHILE_DRAINING = 500
