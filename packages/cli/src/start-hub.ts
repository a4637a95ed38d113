/**
 * Starts a hub that listens.
 * Invariant: it returns when everything listens, or throws with nothing left open.
 */
import type { HttpOptions, HttpServer } from '@sapwood/http'
import { HTTP_DEFAULTS, serveHttp } from '@sapwood/http'
import type { Hub, HubOptions } from '@sapwood/hub'
import { hub, logger } from '@sapwood/hub'
import type { Address, LineIngress } from '@sapwood/net'
import { closeAll, formatAddress, isPath, parseAddress, serviceTarget } from '@sapwood/net'
import { lineText } from '@sapwood/wire'
import type { EdgePlan } from './edge/edge-plan.ts'
import { hubAndLines, piped, secured } from './edge/hub-routes.ts'
import type { PortHost } from './edge/open-port.ts'
import { openPort } from './edge/open-port.ts'
import type { LinePlan } from './line/line-plan.ts'
import { lineService } from './line/line-service.ts'
import type { HubPipe } from './pipe/hub-pipe.ts'
import type { HubPipePlan } from './pipe/hub-pipe-plan.ts'
import type { HubTarget } from './pipe/hub-target.ts'
import type { TlsPlan } from './tls-plan.ts'
import type { Service } from './until-stopped.ts'

export interface RunningHub extends Service {
  /** The address that clients use, e.g. `http://127.0.0.1:8787`. */
  readonly url: string
  /** Listener name to address, of every listener but the hub's own. */
  readonly listen: Readonly<Record<string, string>>
}

export interface HubPlan {
  readonly hub: HubOptions
  readonly http: HttpOptions
  /** How lines are taken, and where if they have an address. */
  readonly line: LinePlan
  /** The hub's ports serve TLS too. */
  readonly tls?: TlsPlan | undefined
  /** Takes the pipes of peers. */
  readonly pipe?: HubPipePlan | undefined
  /** Opens what answers for the hub itself, where it has a target. */
  readonly target?: ((hub: Hub, http: HttpOptions) => Promise<HubTarget | undefined>) | undefined
  /** A port that services share. */
  readonly edge?: EdgePlan | undefined
  /** Takes each update as a line `path; message` (DB-14). */
  readonly onUpdate?: ((line: string) => void) | undefined
}

/** @throws SapwoodError `PORT_IN_USE`, `TLS_INVALID`, `CONFIG_INVALID` and whatever else keeps it from listening. */
export async function startHub(plan: HubPlan): Promise<RunningHub> {
  const running = hub(plan.hub)
  const ports = new HubPorts(running, plan)
  try {
    return await ports.open()
  } catch (thrown) {
    // why it did not start is told, whatever else fails
    await ports.close().catch(() => undefined)
    throw thrown
  }
}

/** The listeners of a hub. What shares none of them keeps a plain one: nobody pays for a look at first bytes. */
class HubPorts {
  readonly #hub: Hub
  readonly #plan: HubPlan
  /**
   * Closed from the last to the first: ports that services share behind the services, which have last words to say on
   * them.
   */
  readonly #started: Service[] = []
  /** What listens nowhere, and is closed behind those. */
  readonly #closing: { close(): unknown }[] = []
  readonly #listen: Record<string, string> = {}
  #silence: (() => void) | undefined

  constructor(running: Hub, plan: HubPlan) {
    this.#hub = running
    this.#plan = plan
  }

  async open(): Promise<RunningHub> {
    const { line, edge, tls, http, onUpdate } = this.#plan
    const sharesLine = line.address !== '' && this.#isOwn(parseAddress(line.address))
    const target = await this.#plan.target?.(this.#hub, http)
    if (target !== undefined) this.#closing.push(target)
    const pipe = await this.#openPipe()
    const isShared = tls !== undefined || sharesLine || this.#sharesPipe
    const server = await serveHttp(this.#hub, {
      ...http,
      ...(pipe && { peers: pipe.peers }),
      ...(target && { target }),
      ...(isShared && { listen: false }),
    })
    this.#started.push(server)
    pipe?.serveBy((socket, principal) => server.accept(socket, principal))
    this.#silence = onUpdate && this.#hub.controller.delegate(logger(onUpdate, lineText))
    let lines: LineIngress | undefined
    if (line.address !== '' || edge?.usesLines === true) {
      const options = { ...line.options, ...(tls === undefined ? {} : { tls }) }
      lines = lineService(this.#hub, { ...line, options })
      this.#started.push(lines)
    }
    const url = isShared
      ? await this.#openOwn(server, sharesLine ? lines : undefined, pipe)
      : server.url
    if (lines !== undefined && line.address !== '' && !sharesLine) {
      this.#listen.line = formatAddress(await lines.listen(parseAddress(line.address)))
    }
    if (edge !== undefined) await this.#openEdge(edge, server, lines, pipe)
    return {
      url,
      listen: this.#listen,
      drain: () => this.#drain(),
      close: () => this.close(),
    }
  }

  async close(): Promise<void> {
    this.#silence?.()
    await closeAll([...this.#started.toReversed(), ...this.#closing, this.#hub])
  }

  async #drain(): Promise<void> {
    // that everything goes is no news now
    this.#silence?.()
    await Promise.all(this.#started.map((service) => service.drain()))
  }

  /** Is this the hub's own address? A free port is each its own. */
  #isOwn(address: Address): boolean {
    const { http } = this.#plan
    if (isPath(address) || address.port === 0) return false
    return address.host === http.host && address.port === http.port
  }

  get #sharesPipe(): boolean {
    const listen = this.#plan.pipe?.plan.listen
    return listen !== undefined && this.#isOwn(listen)
  }

  async #openPipe(): Promise<HubPipe | undefined> {
    const { pipe, http } = this.#plan
    if (pipe === undefined) return undefined
    const listens = pipe.plan.listen !== undefined && !this.#sharesPipe
    const { hubPipe } = await import('./pipe/hub-pipe.ts')
    const opened = await hubPipe(this.#hub, pipe, http, listens)
    this.#started.push(opened)
    if (opened.address !== undefined) this.#listen.pipe = formatAddress(opened.address)
    return opened
  }

  /** @returns its URL. */
  async #openOwn(server: HttpServer, lines?: LineIngress, pipe?: HubPipe): Promise<string> {
    const { http, tls } = this.#plan
    const { host, port: usual, limits } = HTTP_DEFAULTS
    const target = serviceTarget((socket) => server.accept(socket))
    const inside =
      lines === undefined
        ? { routes: [], otherwise: target }
        : hubAndLines(target, lines.target, http.limits?.headerTime ?? limits.headerTime)
    const listen = { host: http.host ?? host, port: http.port ?? usual }
    const choice = piped(pipe?.target, secured(tls, inside))
    const port = await openPort({ listen, ...choice }, this.#host(LINGER))
    this.#started.unshift({
      // it says that it is not ready, and sends away who comes, until the last request is answered
      drain: () => Promise.all([server.drain(), pipe?.drain()]).then(() => port.drain()),
      close: () => port.close(),
    })
    if (this.#sharesPipe) this.#listen.pipe = port.place
    if (lines !== undefined) {
      this.#listen.line = formatAddress(await lines.listenDatagrams(port.address))
    }
    return `http://${port.place}`
  }

  async #openEdge(
    edge: EdgePlan,
    server: HttpServer,
    lines?: LineIngress,
    pipe?: HubPipe,
  ): Promise<void> {
    const { listen, limits, choice } = edge
    const services = {
      hub: serviceTarget((socket) => server.accept(socket)),
      ...(lines && { line: lines.target }),
      ...(pipe && { pipe: pipe.target }),
    }
    const host = this.#host(this.#plan.http.drain?.limit ?? 0)
    const port = await openPort({ listen, limits, ...choice(services) }, host)
    this.#started.unshift(port)
    this.#listen.edge = port.place
  }

  #host(drain: number): PortHost {
    return { hub: this.#hub, log: this.#hub.log, drain }
  }
}

/** How long who was sent away may take to leave, in milliseconds. */
const LINGER = 500
