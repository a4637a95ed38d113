/**
 * What updates over the pipe need, given by a hub: sessions, and a way in. `pipe` and `hub` do not know each other;
 * this is where they meet.
 * Invariant: a session that began over the pipe is resumed over the pipe alone, by a certificate of the same name;
 * its rights are those that the gate gives to that name, and to whatever else the certificate says of its holder.
 */
import { comeBackLater } from '@sapwood/http'
import type { Hub, Session } from '@sapwood/hub'
import type { UpdateHost } from '@sapwood/pipe'
import { asPeer } from './peer-rules.ts'

/**
 * @param body `limits.body`, in bytes.
 * @example pipeServer({ updates: new UpdateSessions(updateHost(hub, 1024 * 1024)), … })
 */
export function updateHost(hub: Hub, body: number): UpdateHost<Session> {
  return {
    wheel: hub.wheel,
    body,
    refusal(address) {
      const full = hub.sessions.full(address)
      if (full === undefined && !hub.draining) return undefined
      hub.counters.fault(full?.code ?? 'DRAINING')
      return comeBackLater(full ? 'full' : 'drain')
    },
    find: (secret, { id }) => hub.sessions.find(secret, id),
    open({ principal, address, downstream }) {
      const session = hub.open({ principal: asPeer(principal), address, holder: principal.id })
      session.attach(downstream)
      return session
    },
    resume(session, secret, after, { principal, downstream }) {
      hub.sessions.rotate(session, secret)
      session.attach(downstream, { resumed: true, principal: asPeer(principal), after })
    },
    settled: (session) => hub.sessions.forgetFormer(session),
    claim: (session, name) => hub.claim(session, name),
    promote(session, principal) {
      session.principal = asPeer(principal)
      hub.resumed(session)
    },
    receive: (session, path, message) => hub.receive(session, path, message),
    fault: (code) => hub.counters.fault(code),
    onFlushed: (run) => hub.outlet.onFlushed(run),
  }
}
