/**
 * Starts one end of a pipe with an HTTP front of its own.
 * Invariant: it returns when everything listens, or throws with nothing left open.
 */
import { Wheel } from '@sapwood/core'
import type { Log } from '@sapwood/hub'
import { nodeClock } from '@sapwood/hub'
import { closeAll, formatAddress } from '@sapwood/net'
import type { Asker, Front, PipeClient, PipeServer } from '@sapwood/pipe'
import { measuredAsker, resolvingAsker, serveFront } from '@sapwood/pipe'
import type { Values } from '../settings/table.ts'
import type { Service } from '../until-stopped.ts'
import { ownPages } from './own-pages.ts'
import { PipeEnd } from './pipe-end.ts'
import type { PipePlan } from './pipe-plan.ts'

export interface RunningPipe extends Service {
  /** Listener name to address. */
  readonly listen: Readonly<Record<string, string>>
}

/** @throws SapwoodError those of `TrustStore.open`, `PORT_IN_USE` and whatever else keeps it from listening. */
export async function startPipe(plan: PipePlan, values: Values, log: Log): Promise<RunningPipe> {
  const parts = new PipeParts(plan, values, log)
  try {
    return await parts.open()
  } catch (thrown) {
    // why it did not start is told, whatever else fails
    await parts.close().catch(() => undefined)
    throw thrown
  }
}

class PipeParts {
  readonly #plan: PipePlan
  readonly #values: Values
  readonly #wheel: Wheel = new Wheel(nodeClock)
  readonly #end: PipeEnd
  readonly #listen: Record<string, string> = {}
  readonly #draining: (() => Promise<unknown>)[] = []
  #isDraining = false

  constructor(plan: PipePlan, values: Values, log: Log) {
    this.#plan = plan
    this.#values = values
    this.#end = new PipeEnd(plan, values, log, this.#wheel)
  }

  async open(): Promise<RunningPipe> {
    const { role } = this.#plan
    const peers = role === 'server' ? await this.#server() : await this.#end.client()
    this.#draining.push(() => peers.close())
    await this.#front(peers)
    return {
      listen: this.#listen,
      drain: async () => {
        this.#isDraining = true
        await Promise.all(this.#draining.map((drain) => drain()))
      },
      close: () => this.close(),
    }
  }

  close(): Promise<void> {
    return closeAll([this.#end, this.#wheel])
  }

  async #server(): Promise<PipeServer> {
    const server = await this.#end.server()
    this.#listen.pipe = formatAddress(server.address)
    return server
  }

  async #front(peers: PipeServer | PipeClient): Promise<void> {
    const { asker } = peers
    const { http, role, serverName, resolver } = this.#plan
    if (http === undefined) return
    const values = this.#values
    const { counters } = this.#end
    const known: Asker =
      resolver === undefined ? asker : resolvingAsker(asker, resolver, this.#wheel)
    let front: Front | undefined
    const pages = ownPages({
      counters,
      front: () => front?.counters,
      isDraining: () => this.#isDraining,
      clients: 'clients' in peers ? () => peers.clients() : undefined,
    })
    const opened = await serveFront({
      listen: formatAddress(http),
      asker: measuredAsker(known, counters, nodeClock),
      ...(role === 'client' && { server: serverName }),
      keys: values['pipe.key'],
      hosts: values['pipe.front_host'],
      origins: values['http.origins'],
      trustedProxies: values['http.trusted_proxies'],
      wait: values['ask.wait'],
      timeout: values['ask.timeout'],
      limits: {
        headerTime: values['limits.header_time'],
        bodyTime: values['limits.body_time'],
        stream: values['limits.stream'],
        drain: values['drain.limit'],
      },
      otherwise: pages,
      wheel: this.#wheel,
    })
    front = this.#end.keep(opened)
    this.#listen.http = opened.address
    this.#draining.push(() => opened.drain())
  }
}
