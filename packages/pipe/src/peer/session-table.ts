/**
 * The sessions of a listener: by their id, which with the peer's name finds them again, and by name and process, so that a
 * process which begins anew replaces itself and others of its name stand beside it.
 * Invariant: a session stands here from its first greeting to its end, and nowhere else afterwards.
 */
import type { Peer } from './peer.ts'

export class SessionTable {
  readonly #byId = new Map<string, Peer>()
  readonly #byName = new Map<string, Set<Peer>>()

  get size(): number {
    return this.#byId.size
  }

  find(id: Uint8Array): Peer | undefined {
    return this.#byId.get(keyOf(id))
  }

  /** How many stand under this name. */
  count(name: string): number {
    return this.#byName.get(name)?.size ?? 0
  }

  /** The oldest of this name that has no link, if there is one. */
  heldOf(name: string): Peer | undefined {
    return [...(this.#byName.get(name) ?? [])].find(({ linked }) => !linked)
  }

  /** Others of the same process that still take something. */
  formerOf(peer: Peer): Peer[] {
    const { peerInstance } = peer.session
    return [...(this.#byName.get(peer.name) ?? [])].filter(
      (each) => each !== peer && !each.draining && each.session.peerInstance === peerInstance,
    )
  }

  add(peer: Peer): void {
    this.#byId.set(keyOf(peer.session.id), peer)
    const same = this.#byName.get(peer.name) ?? new Set()
    this.#byName.set(peer.name, same.add(peer))
  }

  delete(peer: Peer): void {
    this.#byId.delete(keyOf(peer.session.id))
    const same = this.#byName.get(peer.name)
    same?.delete(peer)
    if (same?.size === 0) this.#byName.delete(peer.name)
  }

  /** A copy, so that sessions may end while it is read. */
  all(): Peer[] {
    return [...this.#byId.values()]
  }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1')
}
