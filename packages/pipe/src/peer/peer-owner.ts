/** The port between a peer and who keeps it. None of these may throw. */
import type { X509Certificate } from 'node:crypto'
import type { Fault } from '@sapwood/core'
import type { Peer } from './peer.ts'
import type { PeerLink } from './peer-link.ts'

/** Who keeps peers: a listener or a dialler. */
export interface PeerOwner {
  /** It has a live link, and had none. */
  attached(peer: Peer): void
  /** Another link has taken the place of the live one; the certificate on it may be another. */
  relinked(peer: Peer): void
  /**
   * Its link is gone, or the peer did not want it; it is held.
   * @param wasLive whether both ends had greeted on a link before.
   * @param retryAfter milliseconds after which to come back.
   */
  detached(peer: Peer, fault: Fault, wasLive: boolean, retryAfter: number): void
  /**
   * It is over.
   * @param spare of a dialler: a link that was for it and can begin another session. Nobody holds it.
   */
  ended(peer: Peer, fault: Fault, spare: PeerLink | undefined): void
  /** The peer takes nothing new. @param retryAfter milliseconds after which to come back. */
  goaway(peer: Peer, fault: Fault, retryAfter: number): void
  /** What is wrong with a certificate by now, if anything is. */
  checkAgain(peer: Peer, certificate: X509Certificate): Fault | undefined
  /** Whether a certificate that is about to run out has to be looked for anew: so many milliseconds before. 0 for not. */
  readonly renewal: number
  /** The certificate on its link is about to run out. */
  renew(peer: Peer): void
  /** When a certificate runs out, by the wall clock, in milliseconds. */
  validUntil(certificate: X509Certificate): number
  /** An update came. */
  updated(peer: Peer, update: Uint8Array): void
  /** `update` answered false, and there is room again. */
  writable(peer: Peer): void
}
