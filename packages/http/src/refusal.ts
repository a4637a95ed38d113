/**
 * May a batch publish this? It is asked before anything of the batch is applied; the gate decides again, for good,
 * when each update is.
 */
import type { Fault, Principal } from '@sapwood/core'
import { CONNECT, DISCONNECT, isDirectPath } from '@sapwood/core'
import type { Hub } from '@sapwood/hub'
import type { Frame } from '@sapwood/wire'
import { fault } from './problem.ts'
import { publishable } from './target.ts'

/** Why this frame cannot be published by that principal, or undefined if it can. */
export function refusal(hub: Hub, principal: Principal, frame: Frame): Fault | undefined {
  const { path } = frame
  const wrong = publishable(path, hub.settings.path)
  if (wrong !== undefined || principal.trusted) return wrong
  const control = path === CONNECT || path === DISCONNECT
  const action = control ? 'control' : isDirectPath(path) ? 'ask' : 'publish'
  if (hub.gate.allows(principal, action, path)) return undefined
  return fault('NOT_ALLOWED', `${principal.id} may not ${action} ${path}`, 403)
}
