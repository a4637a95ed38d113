/**
 * The pipe of a hub: a listener for peers, who are asked by name at the hub's own port and by its sessions, and who ask the
 * hub. `pipe`, `http` and `hub` do not know each other's kinds of clients; this is where they meet.
 * Invariant: a name of a peer, there or away, is nobody else's at this hub; `hub` is the hub's.
 */
import type { HttpOptions, HttpServer, PeerGateway } from '@sapwood/http'
import type { Hub } from '@sapwood/hub'
import { HUB } from '@sapwood/hub'
import type { HostAddress, Target } from '@sapwood/net'
import { serviceTarget } from '@sapwood/net'
import { hubRoutes, UpdateSessions } from '@sapwood/pipe'
import type { Service } from '../until-stopped.ts'
import { CertifiedNames } from './certified-names.ts'
import { HubDoor } from './hub-door.ts'
import { hubPeers } from './hub-peers.ts'
import type { HubPipePlan } from './hub-pipe-plan.ts'
import { asPeer } from './peer-rules.ts'
import { PipeEnd } from './pipe-end.ts'
import { updateHost } from './update-host.ts'

export interface HubPipe extends Service {
  /** Takes connections that came in elsewhere. */
  readonly target: Target
  /** Where it listens; undefined if it serves only what `target` is given. */
  readonly address: HostAddress | undefined
  /** For the hub's HTTP side. */
  readonly peers: PeerGateway
  /** The hub's HTTP server is there: it gets the connections on which peers ask for updates. */
  serveBy(accept: HttpServer['accept']): void
}

/** Names of peers that would be taken for the hub itself. */
const RESERVED: readonly string[] = [HUB]

/**
 * Starts the pipe of `hub`.
 * @param listens false: it has no port of its own, whatever the plan says.
 * @throws SapwoodError those of `TrustStore.open`, `PORT_IN_USE` and whatever else keeps it from listening.
 */
export async function hubPipe(
  hub: Hub,
  pipe: HubPipePlan,
  http: HttpOptions,
  listens: boolean,
): Promise<HubPipe> {
  const { plan, values } = pipe
  const { wheel } = hub
  const end = new PipeEnd(plan, values, hub.log, wheel)
  try {
    const added = (_name: string, names: readonly string[]): void => {
      for (const each of names) hub.reclaim(each)
    }
    const updates = end.keep(new UpdateSessions(updateHost(hub, values['limits.body'])))
    const door = new HubDoor()
    const server = await end.server({
      listen: listens,
      reserved: RESERVED,
      updates,
      answers: (others) =>
        hubRoutes(others, {
          wheel,
          bodyTime: values['limits.body_time'],
          connect: (socket, principal) => door.connect(socket, asPeer(principal)),
        }),
      observer: { added },
      states: { update: (sender, path, message) => hub.update(sender, path, message) },
    })
    const peers = hubPeers(hub, { server, end, http, values, reserved: RESERVED })
    const watch = new CertifiedNames(plan.dir, wheel, (name) => {
      if (peers.has(name)) hub.reclaim(name)
    })
    end.keep(watch)
    return {
      target: serviceTarget((socket) => server.take(socket)),
      address: listens ? server.address : undefined,
      peers,
      serveBy: (accept) => door.open(accept),
      drain: () => server.close(),
      close: () => end.close(),
    }
  } catch (thrown) {
    await end.close().catch(() => undefined)
    throw thrown
  }
}
