/** What listeners and diallers are made of alike. */
import type { Fault, Wheel } from '@sapwood/core'
import type { Answerer } from '../exchange.ts'
import type { Peer } from './peer.ts'
import type { PeerDirectory } from './peer-directory.ts'
import type { PeerObserver } from './peer-observer.ts'
import type { PeerSettings } from './peer-settings.ts'
import type { TrustSource } from './trust-source.ts'

/** Who takes the updates of peers: a hub, or a client's subscriptions. None of these may throw. */
export interface UpdateTaker {
  updated(peer: Peer, update: Uint8Array): void
  /** `peer.session.update` answered false, and there is room again. */
  writable(peer: Peer): void
  /** It has a link, and had none, or a listener's has another: the certificate on it may be another. */
  attached?(peer: Peer): void
  /** Its session is over. */
  ended?(peer: Peer, fault: Fault): void
}

export interface PeerBase {
  readonly trust: TrustSource
  readonly answerer: Answerer
  readonly directory: PeerDirectory
  readonly settings: PeerSettings
  readonly observer: PeerObserver
  readonly wheel: Wheel
  /** The wall clock, in milliseconds. */
  readonly wall: () => number
  /** This process: random. */
  readonly instance: string
  readonly updates?: UpdateTaker | undefined
}
