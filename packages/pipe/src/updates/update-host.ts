/**
 * What updates over the pipe need of a hub: sessions, rights, and a way in. The hub is beside this package, so whoever wires
 * the two hands this in.
 */
import type { CarriedSession, Downstream, Farewell, Message, Principal, Wheel } from '@sapwood/core'
import type { Peer } from '../peer/peer.ts'

/** What updates need of a peer. */
export type UpdatedPeer = Pick<Peer, 'session' | 'principal' | 'remote' | 'linked'>

/** Who comes with which session. */
export interface Arrival {
  readonly principal: Principal
  /** Where from, for limits and the list of clients. */
  readonly address: string
  readonly downstream: Downstream
}

/** @typeParam Session what the hub calls a session. */
export interface UpdateHost<Session extends CarriedSession = CarriedSession> {
  readonly wheel: Wheel
  /** Bytes that the body of an update may have. */
  readonly body: number
  /** Why nobody new from `address` can be served now, or undefined. */
  refusal(address: string): Farewell | undefined
  /** The session that this secret resumes, if it began with the same principal over a pipe. */
  find(secret: string, principal: Principal): Session | undefined
  /** Opens a session and attaches the transport. Ask `refusal` first. */
  open(arrival: Arrival): Session
  /**
   * Gives a session that `find` gave its new transport.
   * @param after the last position that the client saw.
   */
  resume(session: Session, secret: string, after: string | undefined, arrival: Arrival): void
  /** The client has used the link: the secret that it came with is worth nothing any more. */
  settled(session: Session): void
  /** Gives a session the name that its client asks for, or tells it why not. */
  claim(session: Session, name: string): void
  /** The client has proved again who it is: what it may is looked at anew. */
  promote(session: Session, principal: Principal): void
  /** Takes what a client says. */
  receive(session: Session, path: string, message: Message): void
  /** Counts a peer's mistake. */
  fault(code: string): void
  /** Has `run` called after each flush of the sessions, to free what it shared. Returns its undo. */
  onFlushed(run: () => void): () => void
}
