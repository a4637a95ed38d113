/**
 * What the peers of a hub's pipe may do at the hub where the operator says nothing about them: publish and subscribe, since
 * a certificate that the CA of DIR signed is a credential that the operator gave.
 * Invariant: as soon as a rule speaks of certificates, the rules alone decide; and a certificate that came another
 * way, as over `--tls-ca`, is not meant.
 */
import type { Principal } from '@sapwood/core'
import type { Rule } from '@sapwood/hub'

/** Who speaks of certificates. */
const SPEAKS = /^(cert|pipe):/

/** The rules of a hub that has a pipe. @param rules those of the operator. */
export function withPeers(rules: readonly Rule[]): readonly Rule[] {
  if (rules.some(({ who }) => SPEAKS.test(who))) return rules
  return [...rules, { who: 'pipe:*', may: ['publish', 'subscribe'], path: '**' }]
}

/**
 * A peer as the hub's rules see it.
 * @example asPeer({ id: 'cert:alpha', trusted: false }) // is `pipe:alpha`, too
 */
export function asPeer(principal: Principal): Principal {
  const { id, also = [] } = principal
  return { ...principal, also: [id.replace(SPEAKS, 'pipe:'), ...also] }
}
