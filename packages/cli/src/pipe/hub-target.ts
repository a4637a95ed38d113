/**
 * The HTTP server of this machine that answers for a hub, under the name `hub`: requests at the hub's port stream to it, and
 * questions of sessions become requests.
 * Invariant: it is asked only what the gate allows, however it may read the path.
 */
import type { Component } from '@sapwood/core'
import { Code, NO_ID, outcome, SYSTEM } from '@sapwood/core'
import type { TargetGateway } from '@sapwood/http'
import type { Hub } from '@sapwood/hub'
import { HUB } from '@sapwood/hub'
import { LocalAsker, PeersComponent, targetAnswerer } from '@sapwood/pipe'
import type { Values } from '../settings/table.ts'
import type { GatewayHttp } from './hub-gateway.ts'
import { askerPlan, hubGateway } from './hub-gateway.ts'

export interface HubTarget extends TargetGateway {
  /** Lets go of idle connections. */
  close(): void
}

/**
 * Lets the server at `pipe.target` answer for `hub`.
 * @throws SapwoodError `TARGET_URL_INVALID`
 */
export function hubTarget(hub: Hub, values: Values, http: GatewayHttp): HubTarget {
  const { wheel } = hub
  const answerer = targetAnswerer(values['pipe.target'], { wheel })
  const asker = new LocalAsker({ name: HUB, peer: HUB, principal: SYSTEM, answerer, wheel })
  const plan = askerPlan(hub, asker, values)
  const gateway = hubGateway(plan, values, http)
  const component = new PeersComponent({
    ...plan,
    reserved: [],
    limit: values['limits.body'],
    update: (sender, path, message) => hub.update(sender, path, message),
  })
  return {
    component: guarded(hub, component),
    take: (request, response, handed) => gateway.take(request, response, handed),
    upgrade: (request, socket, first, handed) => gateway.upgrade(request, socket, first, handed),
    stopped: (socket) => gateway.stopped(socket),
    close: () => answerer.close(),
  }
}

/** Behind `//` stand arguments; a server may read them as more of the path, and so does the gate. */
function guarded(hub: Hub, component: Component): Component {
  return {
    id: NO_ID,
    principal: SYSTEM,
    update(sender, path, message) {
      const { args = [], reply } = message.meta
      const isAllowed = args.length === 0 || hub.gate.allows(sender.principal, 'ask', `@${HUB}/**`)
      if (isAllowed) return component.update(sender, path, message)
      const detail = `${sender.principal.id} may ask no target with arguments but by a rule for @${HUB}/**`
      if (reply === undefined) return
      hub.update(component, reply, outcome(Code.refused, 403, 'NOT_ALLOWED', detail))
    },
  }
}
