/**
 * The peers of a hub's pipe as the hub asks them: requests at its port, which stream, and questions of its sessions,
 * which are updates.
 * Invariant: both ways lead to the same peers, count as one, and know the same names.
 */
import type { PeerGateway } from '@sapwood/http'
import type { Hub } from '@sapwood/hub'
import { nodeClock } from '@sapwood/hub'
import type { PipeServer } from '@sapwood/pipe'
import { measuredAsker, PeersComponent, pipeMetrics } from '@sapwood/pipe'
import type { Values } from '../settings/table.ts'
import type { GatewayHttp } from './hub-gateway.ts'
import { askerPlan, hubGateway } from './hub-gateway.ts'
import type { PipeEnd } from './pipe-end.ts'

export interface HubPeersOptions {
  readonly server: PipeServer
  /** What the server is a part of. */
  readonly end: PipeEnd
  /** What of the hub's HTTP side goes for requests to peers as well. */
  readonly http: GatewayHttp
  readonly values: Values
  /** Names that are no peer's. */
  readonly reserved: readonly string[]
}

/** Lets the peers of `server` answer at `hub`, until the end is closed. */
export function hubPeers(hub: Hub, options: HubPeersOptions): PeerGateway {
  const { server, end, http, values, reserved } = options
  const asker = measuredAsker(server.asker, end.counters, nodeClock)
  const plan = askerPlan(hub, asker, values)
  const component = new PeersComponent({
    ...plan,
    reserved,
    limit: values['limits.body'],
    update: (sender, path, message) => hub.update(sender, path, message),
  })
  end.keep({ close: hub.addPeers(component) })
  const gateway = hubGateway(plan, values, http)
  return {
    has: (name) => component.has(name),
    take: (request, response, handed) => gateway.take(request, response, handed),
    upgrade: (request, socket, first, handed) => gateway.upgrade(request, socket, first, handed),
    stopped: (socket) => gateway.stopped(socket),
    list: () =>
      server.clients().map(({ name, state, open }) => ({
        name,
        connected: state === 'connected',
        questions: open,
      })),
    metrics: () => pipeMetrics(end.counters, gateway.counters),
  }
}
