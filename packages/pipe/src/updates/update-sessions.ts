/**
 * The hub's end of updates over the pipe: each peer that says something is a session of the hub besides (surface 5).
 * Invariant: a peer that never says anything costs nothing; one whose session of the pipe is over is forgotten.
 */
import type { CarriedSession, Fault } from '@sapwood/core'
import type { UpdateTaker } from '../peer/peer-base.ts'
import { UpdateEncoder } from './update-encoder.ts'
import type { UpdatedPeer, UpdateHost } from './update-host.ts'
import { UpdatePeer } from './update-peer.ts'

/** @example const server = await pipeServer({ updates: new UpdateSessions(host), … }) */
export class UpdateSessions<Session extends CarriedSession> implements UpdateTaker {
  readonly #host: UpdateHost<Session>
  readonly #encoder: UpdateEncoder = new UpdateEncoder()
  readonly #peers = new Map<UpdatedPeer, UpdatePeer<Session>>()
  readonly #forget: () => void

  constructor(host: UpdateHost<Session>) {
    this.#host = host
    this.#forget = host.onFlushed(() => this.#encoder.release())
  }

  updated(peer: UpdatedPeer, update: Uint8Array): void {
    let taken = this.#peers.get(peer)
    if (taken === undefined) {
      taken = new UpdatePeer(this.#host, this.#encoder, peer)
      this.#peers.set(peer, taken)
    }
    taken.take(update)
  }

  writable(peer: UpdatedPeer): void {
    this.#peers.get(peer)?.writable()
  }

  attached(peer: UpdatedPeer): void {
    this.#peers.get(peer)?.identify()
  }

  ended(peer: UpdatedPeer, fault: Fault): void {
    this.#peers.get(peer)?.ended(fault)
    this.#peers.delete(peer)
  }

  /** Holds on to nothing of the hub any more. */
  close(): void {
    this.#forget()
  }
}
