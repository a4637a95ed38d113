/** `GET /client`: who is connected, for callers who are trusted. */
import type { Hub, Session } from '@sapwood/hub'
import type { Call } from './call.ts'
import { forCaller } from './call.ts'
import type { ListedPeer } from './peers.ts'
import { fault } from './problem.ts'

/** Takes a call to `/client`. */
export function clients(call: Call): void {
  if (!call.allows('GET', 'HEAD')) return
  call.identify(undefined, (principal) => {
    const { hub } = call.context
    if (!hub.gate.allows(principal, 'control', '::clients')) {
      const detail = `${principal.id} may not list clients; send a key`
      return call.problem(forCaller(fault('NOT_ALLOWED', detail, 403), principal))
    }
    const list = entries(hub, call.context.options.peers?.list() ?? [])
    call.json(200, JSON.stringify(list), ['Cache-Control', 'no-store'])
  })
}

/** Sessions and peers. A peer is one client, though it has a session, too. */
function entries(hub: Hub, peers: readonly ListedPeer[]): object[] {
  const now = hub.wheel.now()
  const list: object[] = []
  /** Of peers, by principal. */
  const piped = new Map<string, object[]>()
  for (const session of hub.sessions) {
    const said = entry(session, now)
    const { id } = session.principal
    if (session.kind !== 'pipe') list.push(said)
    else if (!piped.get(id)?.push(said)) piped.set(id, [said])
  }
  for (const { name, connected, questions } of peers) {
    const principal = `cert:${name}`
    const session = piped.get(principal)?.shift()
    list.push({ ...session, name, principal, transport: 'pipe', connected, questions })
  }
  return [...list, ...[...piped.values()].flat()]
}

function entry(session: Session, now: number): object {
  return {
    id: session.id,
    ...(session.name !== undefined && { name: session.name }),
    principal: session.principal.id,
    transport: session.kind ?? null,
    connected: session.attached,
    address: session.address,
    seconds: Math.round((now - session.opened) / 1000),
    patterns: [...session.patterns.keys()],
    questions: session.openQuestions,
  }
}
