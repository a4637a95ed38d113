/**
 * Starts a hub that listens.
 * Invariant: it returns when everything listens, or throws with nothing left open.
 */
import type { HttpOptions, HttpServer } from '@sapwood/http'
import { serveHttp } from '@sapwood/http'
import type { Hub, HubOptions } from '@sapwood/hub'
import { hub, logger } from '@sapwood/hub'
import type { LineIngress } from '@sapwood/net'
import { formatAddress, isPath, parseAddress, serviceTarget } from '@sapwood/net'
import { lineText } from '@sapwood/wire'
import type { EdgePlan } from './edge/edge-plan.ts'
import { hubAndLines, secured } from './edge/hub-routes.ts'
import type { PortHost } from './edge/open-port.ts'
import { openPort } from './edge/open-port.ts'
import type { LinePlan } from './line/line-plan.ts'
import { lineService } from './line/line-service.ts'
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
    await ports.close()
    throw thrown
  }
}

/** The listeners of a hub. What shares none of them keeps a plain one: nobody pays for a look at first bytes. */
class HubPorts {
  readonly #hub: Hub
  readonly #plan: HubPlan
  readonly #started: Service[] = []
  readonly #listen: Record<string, string> = {}
  #silence: (() => void) | undefined

  constructor(running: Hub, plan: HubPlan) {
    this.#hub = running
    this.#plan = plan
  }

  async open(): Promise<RunningHub> {
    const { line, edge, tls, http, onUpdate } = this.#plan
    const sharesLine = this.#sharesLine()
    const isShared = tls !== undefined || sharesLine
    const server = await serveHttp(this.#hub, { ...http, ...(isShared ? { listen: false } : {}) })
    this.#started.push(server)
    this.#silence = onUpdate && this.#hub.controller.delegate(logger(onUpdate, lineText))
    let lines: LineIngress | undefined
    if (line.address !== '' || edge?.usesLines === true) {
      const options = { ...line.options, ...(tls === undefined ? {} : { tls }) }
      lines = lineService(this.#hub, { ...line, options })
      this.#started.push(lines)
    }
    const url = isShared ? await this.#openOwn(server, sharesLine ? lines : undefined) : server.url
    if (lines !== undefined && line.address !== '' && !sharesLine) {
      this.#listen.line = formatAddress(await lines.listen(parseAddress(line.address)))
    }
    if (edge !== undefined) await this.#openEdge(edge, server, lines)
    return {
      url,
      listen: this.#listen,
      drain: () => this.#drain(),
      close: () => this.close(),
    }
  }

  async close(): Promise<void> {
    this.#silence?.()
    for (const service of this.#started.toReversed()) await service.close()
    await this.#hub.close()
  }

  async #drain(): Promise<void> {
    // that everything goes is no news now
    this.#silence?.()
    await Promise.all(this.#started.map((service) => service.drain()))
  }

  /** Do lines come in at the hub's own address? A free port is each its own. */
  #sharesLine(): boolean {
    const { line, http } = this.#plan
    if (line.address === '') return false
    const address = parseAddress(line.address)
    if (isPath(address) || address.port === 0) return false
    return address.host === http.host && address.port === http.port
  }

  /** @returns its URL. */
  async #openOwn(server: HttpServer, lines: LineIngress | undefined): Promise<string> {
    const { http, tls } = this.#plan
    const target = serviceTarget((socket) => server.accept(socket))
    const inside =
      lines === undefined
        ? { routes: [], otherwise: target }
        : hubAndLines(target, lines.target, http.limits?.headerTime ?? HEADER_TIME)
    const listen = { host: http.host ?? '127.0.0.1', port: http.port ?? 8787 }
    const port = await openPort({ listen, ...secured(tls, inside) }, this.#host(LINGER))
    this.#started.push({
      // it says that it is not ready, and sends away who comes, until the last request is answered
      drain: () => server.drain().then(() => port.drain()),
      close: () => port.close(),
    })
    if (lines !== undefined) {
      this.#listen.line = formatAddress(await lines.listenDatagrams(port.address))
    }
    return `http://${port.place}`
  }

  async #openEdge(edge: EdgePlan, server: HttpServer, lines?: LineIngress): Promise<void> {
    const { listen, limits, choice } = edge
    const services = {
      hub: serviceTarget((socket) => server.accept(socket)),
      ...(lines === undefined ? {} : { line: lines.target }),
    }
    const host = this.#host(this.#plan.http.drain?.limit ?? 0)
    const port = await openPort({ listen, limits, ...choice(services) }, host)
    this.#started.push(port)
    this.#listen.edge = port.place
  }

  #host(drain: number): PortHost {
    return { hub: this.#hub, log: this.#hub.log, drain }
  }
}

/** What `limits.header_time` is by default, in milliseconds. */
const HEADER_TIME = 10_000
/** How long who was sent away may take to leave, in milliseconds. */
const LINGER = 500
