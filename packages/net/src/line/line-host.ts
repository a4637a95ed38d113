/**
 * What the line form needs of a hub: sessions, rights, and a way in. The hub is above this package, so whoever wires
 * the two hands this in.
 */
import type { CarriedSession, Component, Fault, Message, Principal, Wheel } from '@sapwood/core'
import type { Connection } from '../connection.ts'

/** @typeParam Session what the hub calls a session. */
export interface LineHost<Session extends CarriedSession = CarriedSession> {
  readonly wheel: Wheel
  /** Who a peer is before it has said anything. */
  identify(connection: Connection): Principal
  /** Says whom a key proves, in the same call where it can. */
  login(key: string, done: (fault: Fault | undefined, principal?: Principal) => void): void
  /** Why nobody new from `address` can be served now, or undefined. */
  refusal(address: string): Fault | undefined
  /** Opens a session that ends with its transport. Ask `refusal` first. */
  open(principal: Principal, address: string): Session
  /** The client of this session has proved who it is. */
  promote(session: Session, principal: Principal): void
  /** Takes what a client says. With `principal`, it acts with those rights this once. */
  receive(session: Session, path: string, message: Message, principal?: Principal): void
  /** Takes what somebody without a session publishes. `sender` is told `::receipt` or `::error`. */
  publish(sender: Component, path: string, message: Message): void
  /** Counts a peer's mistake. */
  fault(code: string): void
  /** Has `run` called after each flush of the sessions, to free what it shared. Returns its undo. */
  onFlushed(run: () => void): () => void
}
