/** `GET /client`: who is connected, for callers who are trusted. */
import type { Session } from '@sapwood/hub'
import type { Call } from './call.ts'
import { forCaller } from './call.ts'
import { fault } from './problem.ts'

/** Takes a call to `/client`. */
export function clients(call: Call): void {
  if (!call.allows('GET')) return
  call.identify(undefined, (principal) => {
    const { hub } = call.context
    if (!hub.gate.allows(principal, 'control', '::clients')) {
      const detail = `${principal.id} may not list clients; send a key`
      return call.problem(forCaller(fault('NOT_ALLOWED', detail, 403), principal))
    }
    const now = hub.wheel.now()
    const list = [...hub.sessions].map((session) => entry(session, now))
    call.json(200, JSON.stringify(list), ['Cache-Control', 'no-store'])
  })
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
