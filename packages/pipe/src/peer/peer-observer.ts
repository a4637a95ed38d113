/** What goes on with links, for hooks, counters and logs. Each call may be missing. */
import type { Fault } from '@sapwood/core'

export interface PeerObserver {
  /** A listener is open. */
  listening?(): void
  /** A dialler has a link. */
  connected?(server: string): void
  /** An attempt of a dialler begins. */
  connecting?(server: string): void
  /** It failed. */
  failed?(server: string, fault: Fault): void
  /** The link of a dialler broke, or was ended. */
  lost?(server: string, fault: Fault): void
  /** Somebody at a listener has a link, and had none. @param names all that it has, the first included. */
  added?(name: string, names: readonly string[]): void
  removed?(name: string, fault: Fault): void
  /** A session begins, at either end. */
  started?(peer: string): void
  /** It is over. */
  stopped?(peer: string, fault: Fault): void
  /** A session went on on another link. */
  resumed?(peer: string): void
  /** A sign of life came, so many milliseconds after it was asked for. */
  heartbeat?(roundTrip: number): void
  heartbeatMissed?(peer: string): void
  /** A listener has sent somebody away. @param remote where they called from. */
  refused?(remote: string, fault: Fault): void
  /** A peer did something wrong that ends nothing, or a handler's stream broke off. */
  fault?(fault: Fault): void
}
