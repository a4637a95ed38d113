/** Whom a rule means: `who` of a `[[gate.rule]]` or a `[[bridge.allow]]`. */
import type { Principal } from '@sapwood/core'
import { ANYONE } from '@sapwood/core'

/**
 * Reads it once, for a rule that is asked about often.
 * @param who `anyone`, `signed-in`, or an id such as `user:alice`; `*` in it stands for anything.
 * @example whoMeans('cert:*')({ id: 'cert:alpha', trusted: false }) // true
 */
export function whoMeans(who: string): (principal: Principal) => boolean {
  if (who === ANYONE.id) return () => true
  if (who === 'signed-in') return ({ id }) => id !== ANYONE.id
  const names = namedBy(who)
  return ({ id, also }) => names(id) || (also?.some(names) ?? false)
}

/** Does `who` of a rule mean this principal? */
export function isMeant(who: string, principal: Principal): boolean {
  return whoMeans(who)(principal)
}

function namedBy(who: string): (id: string) => boolean {
  if (!who.includes('*')) return (id) => id === who
  const parts = who.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  const pattern = new RegExp(`^${parts.join('.*')}$`)
  return (id) => pattern.test(id)
}
