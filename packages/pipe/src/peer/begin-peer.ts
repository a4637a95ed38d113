/** Begins a session with a peer: at either end it is made of the same parts, and whoever observes hears of it. */
import type { PeerOptions } from './peer.ts'
import { Peer } from './peer.ts'
import type { PeerBase } from './peer-base.ts'
import type { PeerOwner } from './peer-owner.ts'

/** @param names those in the certificate of the peer; the first is what it is called. */
export function beginPeer(
  { instance, answerer, settings, observer, wheel, wall }: PeerBase,
  owner: PeerOwner,
  session: Omit<PeerOptions['session'], 'instance'>,
  names: readonly string[],
): Peer {
  const own = { ...session, instance }
  const peer = new Peer({ session: own, names, answerer, owner, settings, observer, wheel, wall })
  observer.started?.(peer.name)
  return peer
}
