/**
 * The end of updates at a listener without a hub: whoever sends one is told that nobody takes them.
 * Invariant: a peer that does not read is told nothing more.
 */

import type { UpdateTaker } from '../peer/peer-base.ts'
import type { UpdatedPeer } from './update-host.ts'
import { BYE, type LastWord, UPDATES_UNSUPPORTED } from './update-words.ts'

const REFUSAL: LastWord = {
  reason: UPDATES_UNSUPPORTED,
  detail: 'this listener takes no updates; connect to a hub: sapwood hub --pipe HOST:PORT',
}
const FRAME: Uint8Array = Buffer.from(JSON.stringify({ path: BYE, message: REFUSAL }))

export class RefusedUpdates implements UpdateTaker {
  readonly #full = new WeakSet<UpdatedPeer>()

  updated(peer: UpdatedPeer): void {
    if (this.#full.has(peer) || peer.session.over) return
    if (!peer.session.update(FRAME)) this.#full.add(peer)
  }

  writable(peer: UpdatedPeer): void {
    this.#full.delete(peer)
  }
}
